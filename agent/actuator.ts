/**
 * Carries out leases. Rules are in core/lease*.ts; this shell reads deployments, writes one patch a step, remembers, and
 * looks again when something may have changed. Each target is looked at on its own, so that one that hangs delays no
 * other one's expiry.
 */
import { createHash } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import {
  LEASES_MAX,
  type DesiredState,
  type Lease,
  type LeaseReport,
  type LeaseResult,
  type LeaseState,
  type SignedDesired,
} from "../protocol/lease.ts";
import type { EventRecord } from "../protocol/record.ts";
import { DAY, MINUTE, SECOND, type Millis } from "../protocol/time.ts";
import { patchOf, rivalsOf, viewOf } from "./annotations.ts";
import { retryDelay } from "./core/backoff.ts";
import {
  checkPermission,
  decideLease,
  SHARE_BUDGET_MS,
  TARGET_BUDGET_MS,
  targetOf,
  type LeasesConfig,
  type Rivals,
} from "./core/lease.ts";
import { nextStep, NO_MEMORY, NO_TIME, type Step, type TargetView, type Wish } from "./core/lease-step.ts";
import { success } from "../protocol/result.ts";
import { plainLine } from "./core/text.ts";
import { edgeKeys, openDesired, type DesiredRefusal } from "./desired.ts";
import {
  DEPLOYMENTS,
  refusalText,
  type Answered,
  type Deployment,
  type KubernetesClient,
  type KubernetesRefusal,
} from "./kubernetes.ts";
import { readLeaseStore, writeLeaseStore, type LeaseStore, type StoredTarget } from "./lease-store.ts";

/** Reads and decides again after a 409 at most this often. */
const CONFLICTS_MAX = 5;
/** Between two looks while the cluster follows a patch, ms. */
const SETTLING_POLL_MS = 250;
/** Between two looks at a lease in force: how soon a hand's change is seen, ms. */
const IN_FORCE_POLL_MS = 2 * SECOND;
/** Failures are tried again at least this often: an expiry must be met within 30 s, ms. */
const RETRY_MAX_MS = 10 * SECOND;
/** After `conflict`, ms. */
const CONFLICT_POLL_MS = MINUTE;
/** All deployments are listed for forgotten annotations this often, ms. */
const PROOF_INTERVAL_MS = 10 * MINUTE;
/** How long before its end a lease that will be held is warned about, ms. */
const HOLD_WARNING_MS = 15 * MINUTE;
/** Results of targets that are no longer desired are reported for this long, ms. */
const RESULT_KEEP_MS = DAY;
const NO_RIVALS: Rivals = { autoscalers: [], rollout: false, owners: [] };
const NEW_TARGET: StoredTarget = { ...NO_MEMORY, lease: null, result: null };

export interface ActuatorOptions {
  /** null where agent.yaml has no `sources.kubernetes`: announcements are then only acknowledged. */
  readonly client: KubernetesClient | null;
  readonly leases: LeasesConfig;
  readonly cluster: string;
  readonly dataDir: string;
  readonly now: () => Millis;
  /** Whether `now` may be acted on; must be so at last, also without the edge. */
  readonly isTimeKnown: () => boolean;
  /** A result or the observed generation has changed: push it. */
  readonly onChange: () => void;
  readonly onEvent: (event: EventRecord) => void;
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
  readonly #keys: ReadonlyMap<string, KeyObject>;
  readonly #watches = new Map<string, Watch>();
  readonly #warned = new Set<string>();
  /** Targets whose deployments were found to carry a mark: also ones that the configuration no longer lists. */
  readonly #marked = new Set<string>();
  #store: LeaseStore;
  #desired: DesiredState | null = null;
  #proof: Promise<void> = Promise.resolve();
  #proofTimer: NodeJS.Timeout | null = null;
  #stopped = false;

  constructor(options: ActuatorOptions) {
    this.#options = options;
    this.#keys = edgeKeys(options.leases.edgeKeys);
    this.#store = readLeaseStore(options.dataDir);
  }

  start(): void {
    const { desired } = this.#store;
    // The disk is not trusted with what may be done to the cluster: the signature is checked again.
    const opened = desired === null ? null : openDesired(desired, this.#keys, this.#options.cluster);
    if (opened?.ok === true) this.#desired = opened.value;
    for (const ref of this.#refs()) this.#wake(ref);
    this.#proof = this.#prove(0);
  }

  offer(signed: SignedDesired): void {
    if (this.#stopped) return;
    const opened = openDesired(signed, this.#keys, this.#options.cluster);
    if (!opened.ok) return this.#options.onRefusal?.(opened.failure);
    const { generation } = opened.value;
    if (generation < this.#store.generation) return this.#options.onRefusal?.("went_back");
    if (generation === this.#store.generation && this.#desired !== null) {
      // The same again is no news; another state under the same number is one that went back.
      if (signed.payload !== this.#store.desired?.payload) this.#options.onRefusal?.("went_back");
      return;
    }
    const former = this.#store;
    const { payload, keyId, signature } = signed;
    if (!this.#save({ desired: { payload, keyId, signature }, generation })) {
      // A generation that is not on the disk could go back at the next start: it is offered again with the next receipt.
      this.#store = former;
      return this.#options.onRefusal?.("not_stored");
    }
    this.#desired = opened.value;
    for (const ref of this.#refs()) this.#wake(ref);
    this.#options.onChange();
  }

  report(): LeaseReport {
    const { leases } = this.#options;
    const desired = new Set(this.#desired?.leases.map((lease) => lease.target));
    const results = Object.values(this.#store.targets).flatMap(({ result }) => (result === null ? [] : [result]));
    // What is desired is reported before what is over, the newest first.
    const rank = (result: LeaseResult): number => (desired.has(result.target) ? 0 : 1);
    const targets = results
      .toSorted((a, b) => rank(a) - rank(b) || b.at - a.at || (a.target < b.target ? -1 : 1))
      .slice(0, LEASES_MAX);
    const allowed = leases.targets.map(({ ref, modes, floor }) => ({
      ref,
      modes: modes.filter((mode) => mode === "announce" || !leases.killSwitch),
      floor,
    }));
    return { observedGeneration: this.#desired?.generation ?? 0, targets, allowed };
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#proofTimer !== null) clearTimeout(this.#proofTimer);
    for (const watch of this.#watches.values()) if (watch.timer !== null) clearTimeout(watch.timer);
    await Promise.all([this.#proof, ...[...this.#watches.values()].map((watch) => watch.running)]);
  }

  #refs(): ReadonlySet<string> {
    return new Set([
      ...(this.#desired?.leases ?? []).map((lease) => lease.target),
      ...Object.keys(this.#store.targets),
    ]);
  }

  #wish(ref: string): Wish | null {
    if (this.#desired === null) return null;
    return {
      generation: this.#desired.generation,
      lease: this.#desired.leases.find((lease) => lease.target === ref) ?? null,
    };
  }

  /** Finds leases that only the annotations remember: after a lost disk, or of targets that left the configuration. */
  async #prove(failures: number): Promise<void> {
    const { client, leases } = this.#options;
    if (client === null) return;
    const namespaces = new Set([
      ...client.namespaces,
      ...leases.targets.map(({ ref }) => ref.slice(0, ref.indexOf("/"))),
    ]);
    let failed = false;
    for (const namespace of namespaces) {
      const listed = await client.list(DEPLOYMENTS, namespace);
      if (this.#stopped) return;
      // 403: a namespace that the Role leaves out cannot hold annotations of ours.
      if (!listed.ok) failed ||= listed.failure.kind !== "status" || listed.failure.code !== 403;
      else this.#findMarks(namespace, listed.value.items);
    }
    const delayMs = failed ? Math.min(RETRY_MAX_MS, retryDelay(failures + 1, Math.random())) : PROOF_INTERVAL_MS;
    this.#proofTimer = setTimeout(() => (this.#proof = this.#prove(failed ? failures + 1 : 0)), delayMs);
  }

  #findMarks(namespace: string, deployments: readonly Deployment[]): void {
    for (const deployment of deployments) {
      if (viewOf(deployment).mark === null) continue;
      const ref = `${namespace}/${deployment.metadata.name}`;
      this.#marked.add(ref);
      this.#wake(ref);
    }
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
    const wish = this.#wish(ref);
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
    const generation = wish?.lease?.generation ?? this.#target(ref).result?.generation ?? 0;
    this.#tell(ref, generation, "conflict", `the deployment changed under each of ${CONFLICTS_MAX} tries`, null);
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
        memory: this.#target(ref),
        changes: this.#store.changes,
        rivals,
      },
      now,
    );
    const patch = patchOf(step, deployment);
    if (patch === null || step.act === "report" || step.act === "idle") {
      watch.failures = 0;
      return this.#reportStep(ref, step, view, now);
    }
    if (!this.#remember(ref, step, wish, now)) {
      this.#tell(ref, generationOf(step), "pending", "dataDir cannot be written, so nothing is applied", view);
      return RETRY_MAX_MS;
    }
    const { namespace, name } = deployment.metadata;
    const patched = await client.patchDeployment(namespace, name, patch);
    if (this.#stopped) return null;
    if (!patched.ok) {
      if (patched.failure.kind === "status" && patched.failure.code === 409) return "again";
      return this.#unwritten(ref, step, patched.failure, view, watch);
    }
    watch.failures = 0;
    const generation = generationOf(step);
    if (step.act === "apply")
      this.#put(ref, { ...this.#target(ref), inForce: { generation, at: now, settled: false } });
    const reason = step.act === "restore" ? step.reason : "written, waiting for the cluster to show it";
    this.#tell(ref, generation, "pending", reason, viewOf(patched.value));
    return SETTLING_POLL_MS / 5;
  }

  /**
   * Before the patch, so that a death after it leaves a memory that explains what the cluster then shows. If the patch
   * fails the memory does no harm: a mark on the deployment counts more. False where an application could not be
   * remembered; a restore goes on without a disk.
   */
  #remember(ref: string, step: Exclude<Step, { act: "report" | "idle" }>, wish: Wish | null, now: Millis): boolean {
    const former = this.#target(ref);
    switch (step.act) {
      case "apply": {
        const changes = this.#changesWith(step.lease, step.spends, now);
        const next = { ...former, lease: step.lease, acknowledged: null, ending: null, reverts: 0, inForce: null };
        return this.#save({ changes, targets: { ...this.#store.targets, [ref]: next } });
      }
      case "reapply": {
        const inForce = { generation: step.generation, at: now, settled: false };
        return this.#put(ref, { ...former, reverts: former.reverts + 1, inForce });
      }
      case "restore": {
        const { generation, state, reason } = step;
        const lease = [former.lease, wish?.lease].find((one) => one?.generation === generation) ?? null;
        const ending = { generation, state, reason: plainLine(reason, 400), at: now, lease };
        this.#put(ref, { ...former, lease, inForce: null, ending });
        return true;
      }
    }
  }

  /** A lease counts once, however often the agent died while it was applied. */
  #changesWith({ target, generation }: Lease, spends: boolean, now: Millis): LeaseStore["changes"] {
    const recent = this.#store.changes.filter(({ at }) => at > now - Math.max(TARGET_BUDGET_MS, SHARE_BUDGET_MS));
    const isCounted = recent.some((change) => change.target === target && change.generation === generation);
    return spends && !isCounted ? [...recent, { target, generation, at: now }] : recent;
  }

  #reportStep(ref: string, step: Step, view: TargetView, now: Millis): number | null {
    if (step.act !== "report") return null;
    const { mark } = view;
    if (mark !== null) this.#rememberMark(ref, mark.generation, step.state === "applied", now);
    this.#tell(ref, step.generation, step.state, step.reason, view);
    if (mark !== null) this.#warnOfHold(ref, mark.generation, mark.expiresAt, now);
    if (step.lookAt === null) return null;
    return Math.max(SETTLING_POLL_MS, Math.min(IN_FORCE_POLL_MS, step.lookAt - now));
  }

  #rememberMark(ref: string, generation: number, isApplied: boolean, now: Millis): void {
    const former = this.#target(ref);
    const known = former.inForce?.generation === generation ? former.inForce : null;
    const lease = [former.lease, this.#wish(ref)?.lease].find((one) => one?.generation === generation) ?? null;
    const settled = isApplied || known?.settled === true;
    this.#put(ref, { ...former, lease, inForce: { generation, at: known?.at ?? now, settled } });
  }

  /** Autoscalers matter only for a lease that would scale. Where they may not be seen there are none. */
  async #rivals(client: KubernetesClient, deployment: Deployment, wish: Wish | null): Answered<Rivals> {
    const lease = wish?.lease ?? null;
    if (lease?.mode !== "scale" || viewOf(deployment).mark?.generation === lease.generation) return success(NO_RIVALS);
    const listed = await client.autoscalers(deployment.metadata.namespace);
    if (listed.ok) return success(rivalsOf(deployment, listed.value));
    const isHidden = listed.failure.kind === "status" && (listed.failure.code === 403 || listed.failure.code === 404);
    return isHidden ? success(rivalsOf(deployment, [])) : listed;
  }

  #isKnown(ref: string): boolean {
    const { inForce, ending } = this.#target(ref);
    return this.#marked.has(ref) || inForce !== null || ending !== null;
  }

  /** Says what the configuration refuses, which takes no answer of the API server. */
  #tellRefused(ref: string, wish: Wish | null): boolean {
    const lease = wish?.lease ?? null;
    const refused =
      lease === null ? null : checkPermission({ config: this.#options.leases, signature: "valid", lease });
    if (lease === null || refused === null || refused.allow) return false;
    this.#tell(ref, lease.generation, refused.state, refused.reason, null);
    return true;
  }

  #unread(ref: string, wish: Wish | null, refusal: KubernetesRefusal, watch: Watch): number | null {
    const { inForce, result, ending } = this.#target(ref);
    const lease = wish?.lease ?? null;
    const isGone = refusal.kind === "status" && refusal.code === 404;
    if (isGone && lease === null) {
      const generation = inForce?.generation ?? ending?.generation;
      if (generation !== undefined) this.#tell(ref, generation, "superseded", "the deployment is gone", null);
      this.#put(ref, { ...this.#target(ref), inForce: null });
      return null;
    }
    const isForbidden = refusal.kind === "status" && refusal.code === 403;
    const isOver = lease === null && inForce === null;
    const generation = lease?.generation ?? result?.generation;
    if (generation !== undefined && !isOver && (inForce !== null || !this.#tellRefused(ref, wish))) {
      const state = isForbidden ? "forbidden" : inForce !== null || isGone ? "unverified" : "pending";
      this.#tell(ref, generation, state, refusalText(refusal), null);
    }
    return isForbidden && inForce === null ? CONFLICT_POLL_MS : this.#backOff(watch, refusal);
  }

  #unwritten(ref: string, step: Step, refusal: KubernetesRefusal, view: TargetView, watch: Watch): number {
    const isForbidden = refusal.kind === "status" && refusal.code === 403;
    if (isForbidden && step.act === "apply" && step.lease.mode === "announce") {
      this.#put(ref, { ...this.#target(ref), acknowledged: step.lease });
      return SETTLING_POLL_MS;
    }
    const isRefused = isForbidden || (refusal.kind === "status" && (refusal.code === 400 || refusal.code === 422));
    const state = isRefused ? "forbidden" : view.mark === null ? "pending" : "unverified";
    this.#tell(ref, generationOf(step), state, refusalText(refusal), view);
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
    const { acknowledged } = this.#target(ref);
    const lease = wish?.lease ?? null;
    if (lease === null) {
      if (acknowledged !== null && wish !== null)
        this.#tell(ref, acknowledged.generation, "released", "acknowledged only, and over", null);
      return null;
    }
    if (!this.#options.isTimeKnown()) {
      this.#tell(ref, lease.generation, "pending", NO_TIME, null);
      return IN_FORCE_POLL_MS;
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
      this.#tell(ref, lease.generation, verdict.state, verdict.reason, null);
      return verdict.retryAt === null
        ? null
        : Math.max(SETTLING_POLL_MS, Math.min(IN_FORCE_POLL_MS, verdict.retryAt - now));
    }
    if (lease.mode === "scale") {
      this.#tell(
        ref,
        lease.generation,
        "forbidden",
        "sources.kubernetes is not configured: nothing can be scaled",
        null,
      );
      return null;
    }
    this.#put(ref, { ...this.#target(ref), lease, acknowledged: lease });
    this.#tell(ref, lease.generation, "applied", "acknowledged only: sources.kubernetes is not configured", null);
    return Math.max(SETTLING_POLL_MS, Math.min(IN_FORCE_POLL_MS, lease.expiresAt - now));
  }

  #target(ref: string): StoredTarget {
    return this.#store.targets[ref] ?? NEW_TARGET;
  }

  #tell(ref: string, generation: number, state: LeaseState, reason: string, view: TargetView | null): void {
    const former = this.#target(ref);
    const evidence = view === null ? null : { replicas: view.replicas, ready: view.readyReplicas };
    const text = plainLine(reason, 500);
    const { result } = former;
    const isSame = result?.generation === generation && result.state === state;
    const at = isSame ? result.at : this.#options.now();
    this.#put(ref, { ...former, result: { target: ref, generation, state, reason: text, evidence, at } });
    if (isSame && result.reason === text) return;
    if (!isSame && state !== "pending" && state !== "unverified") this.#emit(ref, generation, state, state, text, at);
    this.#options.onChange();
  }

  #emit(ref: string, generation: number, state: LeaseState, occasion: string, reason: string, at: Millis): void {
    const { lease, result } = this.#target(ref);
    const asked: Lease | null = lease?.generation === generation ? lease : (this.#wish(ref)?.lease ?? null);
    const told =
      asked?.generation === generation ? { mode: asked.mode, maintenance: asked.maintenance, by: asked.by } : {};
    this.#options.onEvent({
      kind: "lease.result",
      id: createHash("sha256")
        .update([this.#options.cluster, ref, generation, occasion].join("\0"))
        .digest("hex")
        .slice(0, 32),
      at,
      subject: ref,
      body: {
        generation,
        state,
        reason,
        replicas: result?.evidence?.replicas ?? null,
        ready: result?.evidence?.ready ?? null,
        ...told,
      },
    });
  }

  #warnOfHold(ref: string, generation: number, expiresAt: Millis, now: Millis): void {
    const key = `${ref} ${generation}`;
    if (
      targetOf(this.#options.leases, ref)?.onExpiry !== "hold" ||
      now < expiresAt - HOLD_WARNING_MS ||
      this.#warned.has(key)
    )
      return;
    this.#warned.add(key);
    this.#emit(ref, generation, "applied", "hold_warning", "ends soon and will be held: onExpiry is hold", now);
  }

  #put(ref: string, target: StoredTarget): boolean {
    const now = this.#options.now();
    const desired = new Set(this.#desired?.leases.map((lease) => lease.target));
    const isKept = ([key, { result, inForce }]: readonly [string, StoredTarget]): boolean =>
      key === ref || desired.has(key) || inForce !== null || (result !== null && now - result.at < RESULT_KEEP_MS);
    const targets = Object.entries({ ...this.#store.targets, [ref]: target }).filter(isKept);
    return this.#save({ targets: Object.fromEntries(targets) });
  }

  /** Remembers in any case; false if the disk refused. */
  #save(changed: Partial<LeaseStore>): boolean {
    const next = { ...this.#store, ...changed };
    if (isDeepStrictEqual(next, this.#store)) return true;
    this.#store = next;
    return writeLeaseStore(this.#options.dataDir, next);
  }
}

function generationOf(step: Step): number {
  if (step.act === "apply") return step.lease.generation;
  return step.act === "idle" ? 0 : step.generation;
}
