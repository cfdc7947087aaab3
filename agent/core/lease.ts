/**
 * Whether a lease may be put into force: the cluster's own configuration against what the edge asks. The checks run in
 * the order of `reference/security.md` 3, and the first that fails is the reason.
 */
import * as v from "valibot";
import { LEASE_HOURS_MAX, LEASE_MODES, LEASES_MAX, type Lease, type LeaseState } from "../../protocol/lease.ts";
import { ServiceName } from "../../protocol/name.ts";
import { HOUR, MINUTE, type Millis } from "../../protocol/time.ts";

/** Over how long `budget.perTargetPerHour` counts, ms. */
export const TARGET_BUDGET_MS = HOUR;
/** Over how long `budget.maxShareOfTargets` counts, ms. */
export const SHARE_BUDGET_MS = 10 * MINUTE;
/** The most that `budget.perTargetPerHour` may be set to: more often is flapping, not maintenance. */
const CHANGES_PER_HOUR_MAX = 60;

const TargetSchema = v.strictObject({
  ref: ServiceName,
  modes: v.pipe(v.array(v.picklist(LEASE_MODES)), v.minLength(1)),
  /** The fewest replicas that a lease may ask for. */
  floor: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(1_000)), 1),
  maxHours: v.optional(v.pipe(v.number(), v.gtValue(0), v.maxValue(LEASE_HOURS_MAX)), 4),
  /** `hold`: the agent leaves the target as it is at the end, for work that must not meet traffic half done. */
  onExpiry: v.optional(v.picklist(["restore", "hold"]), "restore"),
});
export type LeaseTarget = Readonly<v.InferOutput<typeof TargetSchema>>;

const BudgetSchema = v.strictObject({
  perTargetPerHour: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(CHANGES_PER_HOUR_MAX)), 3),
  maxShareOfTargets: v.optional(v.pipe(v.number(), v.gtValue(0), v.maxValue(1)), 0.25),
});

/** `leases` of agent.yaml: owned by the cluster's people and stronger than anything the edge says. No targets: none. */
export const LeasesConfigSchema = v.strictObject({
  killSwitch: v.optional(v.boolean(), false),
  /** Nothing is written to the cluster, not even to restore: what would be is logged and reported. */
  dryRun: v.optional(v.boolean(), false),
  /** Raw Ed25519 public keys of the edge, base64. */
  edgeKeys: v.optional(v.pipe(v.array(v.pipe(v.string(), v.base64(), v.length(44))), v.maxLength(8)), []),
  budget: v.optional(BudgetSchema, {}),
  targets: v.optional(
    v.pipe(
      v.array(TargetSchema),
      v.maxLength(LEASES_MAX),
      v.check(
        (targets) => new Set(targets.map((target) => target.ref)).size === targets.length,
        "a target is listed twice",
      ),
    ),
    [],
  ),
});
export type LeasesConfig = Readonly<v.InferOutput<typeof LeasesConfigSchema>>;

/** A lease that was put into force; what the budget counts. Restoring is never counted: it is the safe direction. */
export interface LeaseChange {
  readonly target: string;
  readonly generation: number;
  readonly at: Millis;
}

/** What else moves the deployment's replicas, by what was found before touching it. */
export interface Rivals {
  /** Names of HorizontalPodAutoscalers whose target this is. */
  readonly autoscalers: readonly string[];
  /** Argo Rollouts runs this deployment's pods under a kind of its own. */
  readonly rollout: boolean;
  /** Others that set replicas and may set them again, with the switch that stops each. */
  readonly owners: readonly string[];
}

/** Those who put replicas back by nature, by the name under which they write, each with the switch that stops it. */
const OWNERS: readonly (readonly [manager: RegExp, owner: string])[] = [
  [
    /^(kustomize-controller|helm-controller|flux)/,
    "Flux (its switch: kustomize.toolkit.fluxcd.io/reconcile: disabled)",
  ],
  [/^argo-?cd/, 'Argo CD (its switch: argocd.argoproj.io/skip-reconcile: "true" on the Application)'],
  [/^keda/, 'KEDA (its switch: autoscaling.keda.sh/paused-replicas: "0" on the ScaledObject)'],
];

/** Who writes under this name, with the switch that stops it; null for anybody else. */
export function ownerOf(manager: string): string | null {
  return OWNERS.find(([pattern]) => pattern.test(manager))?.[1] ?? null;
}

export interface LeaseFacts {
  readonly config: LeasesConfig;
  readonly signature: "valid" | "invalid";
  readonly lease: Lease;
  /** Generation of the desired state that carries the lease. */
  readonly desiredGeneration: number;
  /** The newest generation that the deployment itself remembers; null if it never had a lease. */
  readonly seenGeneration: number | null;
  /** The deployment's own number: without a lease `spec.replicas`, under one the number before it. */
  readonly priorReplicas: number;
  readonly changes: readonly LeaseChange[];
  /** True where the lease only prolongs what is in force: nothing moves, so no budget is spent. */
  readonly unchanged: boolean;
  readonly rivals: Rivals;
}

type LeaseRefusal =
  | "kill_switch"
  | "signature_invalid"
  | "target_not_allowed"
  | "mode_not_allowed"
  | "malformed"
  | "below_floor"
  | "replayed"
  | "times_malformed"
  | "too_long"
  | "expired"
  | "not_begun"
  | "target_budget"
  | "share_budget"
  | "autoscaled"
  | "rollout"
  | "scales_up";

/** `state` is what the report says; `retryAt` is when the answer may change by itself, null if it cannot. */
export type LeaseVerdict =
  | { readonly allow: true; readonly reason: string }
  | {
      readonly allow: false;
      readonly refusal: LeaseRefusal;
      readonly state: LeaseState;
      readonly reason: string;
      readonly retryAt: Millis | null;
    };

type Check = (facts: LeaseFacts, now: Millis) => LeaseVerdict | null;

const CHECKS: readonly Check[] = [checkPermission, checkGeneration, checkTimes, checkBudget, checkPreflight];

/** Decides one lease; the reason names the key of the configuration, or the fact, that decided. */
export function decideLease(facts: LeaseFacts, now: Millis): LeaseVerdict {
  for (const check of CHECKS) {
    const refusal = check(facts, now);
    if (refusal !== null) return refusal;
  }
  const note = noteOf(facts.rivals);
  return { allow: true, reason: note === null ? "allowed" : `allowed; ${note}` };
}

/** What a person should know of the others who set the replicas; null where nobody else does. */
export function noteOf({ owners }: Rivals): string | null {
  return owners.length === 0 ? null : `replicas are also set by ${owners.join(", ")}`;
}

/** The checks that need no look at the cluster: a lease that fails here costs no call, and ends if it is in force. */
export function checkPermission(facts: Pick<LeaseFacts, "config" | "signature" | "lease">): LeaseVerdict | null {
  const { config, lease } = facts;
  if (config.killSwitch && lease.mode !== "announce")
    return forbid("kill_switch", "leases.killSwitch is true: announce only");
  if (facts.signature !== "valid") return forbid("signature_invalid", "not signed by a key of leases.edgeKeys");
  const target = config.targets.find((candidate) => candidate.ref === lease.target);
  if (target === undefined) return forbid("target_not_allowed", `leases.targets does not list ${lease.target}`);
  if (!target.modes.includes(lease.mode)) {
    return forbid(
      "mode_not_allowed",
      `leases.targets: modes of ${lease.target} are ${target.modes.join(", ")}, not ${lease.mode}`,
    );
  }
  if ((lease.mode === "scale") !== (lease.replicas !== null)) {
    return forbid("malformed", "scale needs a number of replicas, announce takes none");
  }
  if (lease.replicas !== null && lease.replicas < target.floor) {
    return forbid(
      "below_floor",
      `leases.targets: floor of ${lease.target} is ${target.floor}, the lease asks for ${lease.replicas}`,
    );
  }
  return null;
}

function checkGeneration({ lease, desiredGeneration, seenGeneration }: LeaseFacts): LeaseVerdict | null {
  if (lease.generation > desiredGeneration) {
    return forbid(
      "malformed",
      `generation ${lease.generation} of the lease is ahead of ${desiredGeneration}, its desired state's`,
    );
  }
  if (seenGeneration === null || lease.generation > seenGeneration) return null;
  return forbid("replayed", `generation ${lease.generation} is over: the deployment has seen ${seenGeneration}`);
}

function checkTimes({ config, lease }: LeaseFacts, now: Millis): LeaseVerdict | null {
  const maxHours = Math.min(LEASE_HOURS_MAX, targetOf(config, lease.target)?.maxHours ?? 0);
  if (lease.expiresAt <= lease.notBefore) return forbid("times_malformed", "the lease ends before it begins");
  if (lease.expiresAt - lease.notBefore > maxHours * HOUR) {
    return forbid("too_long", `leases.targets: maxHours of ${lease.target} is ${maxHours}, the lease runs longer`);
  }
  if (lease.expiresAt <= now) {
    return {
      allow: false,
      refusal: "expired",
      state: "expired",
      reason: "was over before it could be applied",
      retryAt: null,
    };
  }
  if (lease.notBefore > now) return wait("not_begun", "has not begun yet", lease.notBefore);
  return null;
}

/** At least one target may always change: a share of a short list would otherwise round down to none. */
function checkBudget({ config, lease, changes, unchanged }: LeaseFacts, now: Millis): LeaseVerdict | null {
  if (unchanged) return null;
  const others = changes.filter((change) => change.target !== lease.target || change.generation !== lease.generation);
  const own = others.filter((change) => change.target === lease.target && change.at > now - TARGET_BUDGET_MS);
  const { perTargetPerHour, maxShareOfTargets } = config.budget;
  if (own.length >= perTargetPerHour) {
    const reason = `leases.budget.perTargetPerHour: ${own.length} of ${perTargetPerHour} changes are spent, tried again when one is free`;
    return wait("target_budget", reason, freeAt(own, TARGET_BUDGET_MS, own.length - perTargetPerHour));
  }
  const recent = others.filter((change) => change.target !== lease.target && change.at > now - SHARE_BUDGET_MS);
  const targets = new Set(recent.map((change) => change.target)).size;
  const targetsMax = Math.max(1, Math.floor(config.targets.length * maxShareOfTargets));
  if (targets + 1 <= targetsMax) return null;
  const reason = `leases.budget.maxShareOfTargets: ${targets} of ${targetsMax} targets changed within 10 min, tried again when one is free`;
  return wait("share_budget", reason, freeAt(recent, SHARE_BUDGET_MS, 0));
}

/** When the change at `index`, oldest first, leaves a budget's span. */
function freeAt(changes: readonly LeaseChange[], spanMs: number, index: number): Millis {
  const times = changes.map((change) => change.at).toSorted((a, b) => a - b);
  return (times[index] ?? 0) + spanMs;
}

function checkPreflight({ lease, rivals, priorReplicas }: LeaseFacts): LeaseVerdict | null {
  if (lease.replicas === null) return null;
  if (rivals.rollout) return forbid("rollout", "Argo Rollouts runs this deployment: scale the Rollout instead");
  if (rivals.autoscalers.length > 0 && lease.replicas !== 0) {
    const names = rivals.autoscalers.join(", ");
    return forbid("autoscaled", `HorizontalPodAutoscaler ${names} would put replicas back: only 0 holds under it`);
  }
  // A deployment at 0 is only annotated, whatever the lease asks: it was its owner who put it there.
  if (priorReplicas > 0 && lease.replicas > priorReplicas) {
    return forbid("scales_up", `a lease never scales up: ${lease.replicas} asked for, ${priorReplicas} running`);
  }
  return null;
}

export function targetOf(config: LeasesConfig, ref: string): LeaseTarget | undefined {
  return config.targets.find((target) => target.ref === ref);
}

function forbid(refusal: LeaseRefusal, reason: string): LeaseVerdict {
  return { allow: false, refusal, state: "forbidden", reason, retryAt: null };
}

function wait(refusal: LeaseRefusal, reason: string, retryAt: Millis): LeaseVerdict {
  return { allow: false, refusal, state: "pending", reason, retryAt };
}
