/**
 * Carries out leases. Rules are in core/lease*.ts; this shell reads deployments, writes one patch a step, remembers, and
 * looks again when something may have changed. Each target is looked at on its own, so that one that hangs delays no
 * other one's expiry.
 */
import type { LeaseReport, SignedDesired } from "../protocol/lease.ts";
import { MINUTE, SECOND, type Millis } from "../protocol/time.ts";
import { patchOf, rivalsOf, viewOf } from "./annotations.ts";
import { retryDelay } from "./core/backoff.ts";
import { checkPermission, decideLease, targetOf, type Rivals } from "./core/lease.ts";
import { nextStep, NO_TIME, type Step, type TargetView, type Wish } from "./core/lease-step.ts";
import { success } from "../protocol/result.ts";
import { edgeKeys, type DesiredRefusal } from "./desired.ts";
import type { KubernetesClient } from "./kubernetes/client.ts";
import type { Deployment } from "./kubernetes/objects.ts";
import { isStatus, refusalText, type Answered, type KubernetesRefusal } from "./kubernetes/refusal.ts";
import { LeaseMemory } from "./lease-memory.ts";
import { startProof } from "./lease-proof.ts";
import { LeaseReporter, type ReporterOptions } from "./lease-report.ts";

/** Reads and decides again after a 409 at most this often. */
const CONFLICTS_MAX = 5;
export interface LeasePace {
  /** Between two looks while the cluster follows a patch, ms. */
  readonly settlingMs: number;
  /** Between two looks at a lease in force: how soon a hand's change is seen, ms. */
  readonly inForceMs: number;
}
const PACE: LeasePace = { settlingMs: 250, inForceMs: 2 * SECOND };
/** Failures are tried again at least this often: an expiry must be met within 30 s, ms. */
const RETRY_MAX_MS = 10 * SECOND;
/** After `conflict`, ms. */
const CONFLICT_POLL_MS = MINUTE;
const NO_RIVALS: Rivals = { autoscalers: [], rollout: false, owners: [] };

export interface ActuatorOptions extends ReporterOptions {
  /** null where agent.yaml has no `sources.kubernetes`: announcements are then only acknowledged. */
  readonly client: KubernetesClient | null;
  readonly dataDir: string;
  /** Whether `now` may be acted on; must be so at last, also without the edge. */
  readonly isTimeKnown: () => boolean;
  readonly pace?: LeasePace;
  /** What `leases.dryRun` keeps from being written; for the log. */
  readonly onDryRun?: (ref: string, patch: string) => void;
  /** A desired state was not taken in; for the log. */
  readonly onRefusal?: (reason: DesiredRefusal | "not_stored") => void;
}

export interface Actuator {
  /** Takes in a desired state from anywhere: what is not the edge's own, or older than the newest, changes nothing. */
  offer(desired: SignedDesired): void;
  report(): LeaseReport;
  /** Stops looking; leases stay as they are. */
  stop(): Promise<void>;
}

export function startActuator(options: ActuatorOptions): Actuator {
  const actuator = new LeaseActuator(options);
  actuator.start();
  return actuator;
}

/** One target's place in time. */
interface Watch {
  timer: NodeJS.Timeout | null;
  running: Promise<void> | null;
  /** Something changed while it was being looked at. */
  again: boolean;
  failures: number;
}

class LeaseActuator implements Actuator {
  readonly #options: ActuatorOptions;
  readonly #pace: LeasePace;
  readonly #memory: LeaseMemory;
  readonly #reporter: LeaseReporter;
  readonly #watches = new Map<string, Watch>();
  /** Targets whose deployments were found to carry a mark: also ones that the configuration no longer lists. */
  readonly #marked = new Set<string>();
  #stopProof: () => Promise<void> = async () => {};
  #stopped = false;

  constructor(options: ActuatorOptions) {
    const { leases, dataDir, cluster, now } = options;
    this.#options = options;
    this.#pace = options.pace ?? PACE;
    this.#memory = new LeaseMemory({ dataDir, keys: edgeKeys(leases.edgeKeys), cluster, now });
    this.#reporter = new LeaseReporter(options, this.#memory);
  }

  start(): void {
    const { client, leases } = this.#options;
    for (const ref of this.#memory.refs()) this.#wake(ref);
    if (client === null) return;
    const listed = leases.targets.map(({ ref }) => ref.slice(0, ref.indexOf("/")));
    this.#stopProof = startProof(client, new Set([...client.namespaces, ...listed]), (ref) => {
      this.#marked.add(ref);
      this.#wake(ref);
    });
  }

  offer(signed: SignedDesired): void {
    if (this.#stopped) return;
    const taken = this.#memory.offer(signed);
    if (taken === "same") return;
    if (taken !== "taken") return this.#options.onRefusal?.(taken);
    for (const ref of this.#memory.refs()) this.#wake(ref);
    this.#options.onChange();
  }

  report(): LeaseReport {
    return this.#reporter.report();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const watch of this.#watches.values()) if (watch.timer !== null) clearTimeout(watch.timer);
    await Promise.all([this.#stopProof(), ...[...this.#watches.values()].map((watch) => watch.running)]);
  }

  #wake(ref: string): void {
    if (this.#stopped) return;
    const watch = this.#watches.get(ref) ?? { timer: null, running: null, again: false, failures: 0 };
    this.#watches.set(ref, watch);
    if (watch.timer !== null) clearTimeout(watch.timer);
    watch.timer = null;
    if (watch.running !== null) watch.again = true;
    else watch.running = this.#look(ref, watch);
  }

  async #look(ref: string, watch: Watch): Promise<void> {
    // Not in the caller's own step: `offer` must not fail because a target does.
    await Promise.resolve();
    let delayMs: number | null;
    do {
      watch.again = false;
      delayMs = await this.#reconcile(ref, watch);
    } while (watch.again && !this.#stopped);
    watch.running = null;
    if (delayMs !== null && !this.#stopped) watch.timer = setTimeout(() => this.#wake(ref), delayMs);
  }

  /** One look at one target; answers after how many ms to look again, null for "when something new is heard". */
  async #reconcile(ref: string, watch: Watch): Promise<number | null> {
    const wish = this.#memory.wish(ref);
    const { client, leases } = this.#options;
    if (client === null) return this.#withoutCluster(ref, wish);
    if (targetOf(leases, ref) === undefined && !this.#isKnown(ref)) {
      // Whatever the edge names: what the configuration does not list is not even asked for.
      this.#tellRefused(ref, wish);
      return null;
    }
    const [namespace = "", name = ""] = ref.split("/");
    for (let conflicts = 0; conflicts < CONFLICTS_MAX; conflicts++) {
      const read = await client.deployment(namespace, name);
      if (this.#stopped) return null;
      if (!read.ok) return this.#unread(ref, wish, read.failure, watch);
      const rivals = await this.#rivals(client, read.value, wish);
      if (this.#stopped) return null;
      if (!rivals.ok) return this.#unread(ref, wish, rivals.failure, watch);
      const done = await this.#act(client, ref, read.value, wish, rivals.value, watch);
      if (done !== "again") return done;
    }
    const generation = wish?.lease?.generation ?? this.#memory.target(ref).result?.generation ?? 0;
    this.#reporter.tell(
      ref,
      generation,
      "conflict",
      `the deployment changed under each of ${CONFLICTS_MAX} tries`,
      null,
    );
    // A restore is never given up.
    return wish?.lease ? CONFLICT_POLL_MS : RETRY_MAX_MS;
  }

  async #act(
    client: KubernetesClient,
    ref: string,
    deployment: Deployment,
    wish: Wish | null,
    rivals: Rivals,
    watch: Watch,
  ): Promise<number | null | "again"> {
    const now = this.#options.now();
    const view = viewOf(deployment);
    const { leases: config } = this.#options;
    const step = nextStep(
      {
        config,
        ref,
        isTimeKnown: this.#options.isTimeKnown(),
        wish,
        view,
        memory: this.#memory.target(ref),
        changes: this.#memory.changes,
        rivals,
      },
      now,
    );
    const patch = patchOf(step, deployment);
    if (patch === null || step.act === "report" || step.act === "idle") {
      watch.failures = 0;
      return this.#reportStep(ref, step, view, now);
    }
    if (config.dryRun) return this.#dryRun(ref, step, patch, view);
    const former = this.#memory.target(ref);
    if (!this.#memory.remember(ref, step, now)) {
      this.#reporter.tell(ref, generationOf(step), "pending", "dataDir cannot be written, so nothing is applied", view);
      return RETRY_MAX_MS;
    }
    const { namespace, name } = deployment.metadata;
    const patched = await client.patchDeployment(namespace, name, patch);
    if (this.#stopped) return null;
    if (!patched.ok) {
      if (isStatus(patched.failure, 409)) {
        // A try that was not written is none of those that a controller's answers are counted by.
        if (step.act === "reapply") this.#memory.put(ref, former);
        return "again";
      }
      return this.#unwritten(ref, step, patched.failure, view, watch);
    }
    watch.failures = 0;
    const generation = generationOf(step);
    if (step.act === "apply")
      this.#memory.put(ref, { ...this.#memory.target(ref), inForce: { generation, at: now, settled: false } });
    const reason = step.act === "restore" ? step.reason : "written, waiting for the cluster to show it";
    this.#reporter.tell(ref, generation, "pending", reason, viewOf(patched.value));
    return this.#pace.settlingMs / 5;
  }

  #dryRun(ref: string, step: Step, patch: object, view: TargetView): number {
    // Without the version, which changes with every look.
    const shown = JSON.stringify(patch, (key, value: unknown) => (key === "resourceVersion" ? undefined : value));
    this.#options.onDryRun?.(ref, shown);
    const state = view.mark === null ? "forbidden" : "unverified";
    this.#reporter.tell(ref, generationOf(step), state, `leases.dryRun is true: would patch ${shown}`, view);
    return CONFLICT_POLL_MS;
  }

  #reportStep(ref: string, step: Step, view: TargetView, now: Millis): number | null {
    if (step.act !== "report") return null;
    const { mark } = view;
    // Told with the next look, as every ending is.
    if (mark === null && this.#memory.rememberGone(ref, step, now)) return this.#pace.settlingMs / 5;
    if (mark !== null) this.#memory.rememberMark(ref, mark.generation, step.state === "applied", now);
    this.#reporter.tell(ref, step.generation, step.state, step.reason, view);
    if (mark !== null) this.#reporter.warnOfHold(ref, mark.generation, mark.expiresAt, now);
    if (step.lookAt === null) return null;
    return Math.max(this.#pace.settlingMs, Math.min(this.#pace.inForceMs, step.lookAt - now));
  }

  /** Autoscalers matter only for a lease that would scale. Where they may not be seen there are none. */
  async #rivals(client: KubernetesClient, deployment: Deployment, wish: Wish | null): Answered<Rivals> {
    const lease = wish?.lease ?? null;
    if (lease?.mode !== "scale" || viewOf(deployment).mark?.generation === lease.generation) return success(NO_RIVALS);
    const listed = await client.autoscalers(deployment.metadata.namespace);
    if (listed.ok) return success(rivalsOf(deployment, listed.value));
    const isHidden = isStatus(listed.failure, 403, 404);
    return isHidden ? success(rivalsOf(deployment, [])) : listed;
  }

  #isKnown(ref: string): boolean {
    const { inForce, ending } = this.#memory.target(ref);
    return this.#marked.has(ref) || inForce !== null || ending !== null;
  }

  /** Says what the configuration refuses, which takes no answer of the API server. */
  #tellRefused(ref: string, wish: Wish | null): boolean {
    const lease = wish?.lease ?? null;
    const refused =
      lease === null ? null : checkPermission({ config: this.#options.leases, signature: "valid", lease });
    if (lease === null || refused === null || refused.allow) return false;
    this.#reporter.tell(ref, lease.generation, refused.state, refused.reason, null);
    return true;
  }

  #unread(ref: string, wish: Wish | null, refusal: KubernetesRefusal, watch: Watch): number | null {
    const { inForce, result, ending } = this.#memory.target(ref);
    const lease = wish?.lease ?? null;
    const isGone = isStatus(refusal, 404);
    if (isGone && lease === null) {
      const generation = inForce?.generation ?? ending?.generation;
      if (generation !== undefined) this.#reporter.tell(ref, generation, "superseded", "the deployment is gone", null);
      this.#memory.put(ref, { ...this.#memory.target(ref), inForce: null });
      return null;
    }
    const isForbidden = isStatus(refusal, 403);
    const isOver = lease === null && inForce === null;
    const generation = lease?.generation ?? result?.generation;
    if (generation !== undefined && !isOver && (inForce !== null || !this.#tellRefused(ref, wish))) {
      const state = isForbidden ? "forbidden" : inForce !== null || isGone ? "unverified" : "pending";
      this.#reporter.tell(ref, generation, state, refusalText(refusal), null);
    }
    return isForbidden && inForce === null ? CONFLICT_POLL_MS : this.#backOff(watch, refusal);
  }

  #unwritten(ref: string, step: Step, refusal: KubernetesRefusal, view: TargetView, watch: Watch): number {
    const isForbidden = isStatus(refusal, 403);
    if (isForbidden && step.act === "apply" && step.lease.mode === "announce") {
      this.#memory.put(ref, { ...this.#memory.target(ref), acknowledged: step.lease });
      return this.#pace.settlingMs;
    }
    const isRefused = isStatus(refusal, 400, 403, 422);
    const state = isRefused ? "forbidden" : view.mark === null ? "pending" : "unverified";
    this.#reporter.tell(ref, generationOf(step), state, refusalText(refusal), view);
    return isRefused && view.mark === null ? CONFLICT_POLL_MS : this.#backOff(watch, refusal);
  }

  #backOff(watch: Watch, refusal: KubernetesRefusal | null): number {
    watch.failures += 1;
    const wishedMs = refusal?.kind === "status" ? (refusal.retryAfterMs ?? 0) : 0;
    return Math.max(wishedMs, Math.min(RETRY_MAX_MS, retryDelay(watch.failures, Math.random())));
  }

  /** No Kubernetes is configured: announcements are taken note of, and nothing else can be. */
  #withoutCluster(ref: string, wish: Wish | null): number | null {
    const now = this.#options.now();
    const { acknowledged } = this.#memory.target(ref);
    const lease = wish?.lease ?? null;
    if (lease === null) {
      if (acknowledged !== null && wish !== null)
        this.#reporter.tell(ref, acknowledged.generation, "released", "acknowledged only, and over", null);
      return null;
    }
    if (!this.#options.isTimeKnown()) {
      this.#reporter.tell(ref, lease.generation, "pending", NO_TIME, null);
      return this.#pace.inForceMs;
    }
    const facts = {
      config: this.#options.leases,
      signature: "valid",
      lease,
      desiredGeneration: wish?.generation ?? 0,
    } as const;
    const verdict = decideLease(
      { ...facts, seenGeneration: null, priorReplicas: 0, changes: [], unchanged: true, rivals: NO_RIVALS },
      now,
    );
    if (!verdict.allow) {
      this.#reporter.tell(ref, lease.generation, verdict.state, verdict.reason, null);
      return verdict.retryAt === null
        ? null
        : Math.max(this.#pace.settlingMs, Math.min(this.#pace.inForceMs, verdict.retryAt - now));
    }
    if (lease.mode === "scale") {
      this.#reporter.tell(
        ref,
        lease.generation,
        "forbidden",
        "sources.kubernetes is not configured: nothing can be scaled",
        null,
      );
      return null;
    }
    this.#memory.put(ref, { ...this.#memory.target(ref), lease, acknowledged: lease });
    this.#reporter.tell(
      ref,
      lease.generation,
      "applied",
      "acknowledged only: sources.kubernetes is not configured",
      null,
    );
    return Math.max(this.#pace.settlingMs, Math.min(this.#pace.inForceMs, lease.expiresAt - now));
  }
}

function generationOf(step: Step): number {
  if (step.act === "apply") return step.lease.generation;
  return step.act === "idle" ? 0 : step.generation;
}
