/**
 * The next step of one target, from what is desired and what the cluster shows: level-triggered, so that a step that
 * was lost with the process is found again by looking. The deployment's annotations are the only store that counts; the
 * memory beside them only makes reports better.
 *
 *   no mark ── lease allowed ──▶ apply ──▶ mark ── cluster shows it ──▶ applied
 *   mark ── absent from desired │ expired │ no longer allowed ──▶ restore ──▶ no mark, generation stays
 *   mark ── replicas are not what was applied ──▶ a controller: once more, then conflict │ anybody else: superseded
 */
import type { Lease, LeaseState } from "../../protocol/lease.ts";
import { MINUTE, SECOND, type Millis } from "../../protocol/time.ts";
import {
  checkPermission,
  decideLease,
  noteOf,
  ownerOf,
  targetOf,
  type LeaseChange,
  type LeasesConfig,
  type LeaseVerdict,
  type Rivals,
} from "./lease.ts";

/** A controller that put replicas back this often is left alone. */
const REVERTS_MAX = 2;
/** Pods that are not as wanted for this long are reported as they are, ms. */
const SETTLE_MAX_MS = 2 * MINUTE;
/** How soon to look again while the edge's time is waited for, ms. */
const TIME_LOOK_MS = SECOND;
export const NO_TIME = "waits to hear from the edge what time it is";
/** How soon to look again at what waits for a person, ms. */
const LATER_MS = 5 * SECOND;

/** The lease in force as the deployment's annotations tell it; a number that somebody damaged is null. */
export interface LeaseMark {
  readonly generation: number;
  readonly expiresAt: Millis;
  readonly priorReplicas: number | null;
  readonly appliedReplicas: number | null;
}

export interface TargetView {
  readonly replicas: number;
  readonly statusReplicas: number;
  readonly readyReplicas: number;
  /** Whether the status speaks of the spec as it is now. */
  readonly observed: boolean;
  /** The annotation `maintenance`. */
  readonly maintenance: string | null;
  readonly mark: LeaseMark | null;
  /** The generation that stays on the deployment when its lease is over. */
  readonly seenGeneration: number | null;
  /** Who set `spec.replicas` last: us, a controller by nature, somebody else, or null where the server does not say. */
  readonly replicasBy: { readonly manager: string; readonly kind: "agent" | "controller" | "other" } | null;
}

/** How a target's last lease ended. */
interface Ending {
  readonly generation: number;
  readonly state: LeaseState;
  readonly reason: string;
  readonly at: Millis;
  /** What was asked; null where only the annotations knew. */
  readonly lease: Lease | null;
}

export interface TargetMemory {
  /** Generation that this agent put into force, when, and whether the cluster has shown it since. */
  readonly inForce: { readonly generation: number; readonly at: Millis; readonly settled: boolean } | null;
  readonly reverts: number;
  readonly ending: Ending | null;
  /** An announcement that was taken note of without a right to write it. */
  readonly acknowledged: Lease | null;
  /** What was seen before the lease was put into force and is said as long as it is: who else sets the replicas. */
  readonly note: string | null;
}

export const NO_MEMORY: TargetMemory = { inForce: null, reverts: 0, ending: null, acknowledged: null, note: null };

/** `lease` is null where the newest desired state releases the target. */
export interface Wish {
  readonly generation: number;
  readonly lease: Lease | null;
}

export interface StepFacts {
  readonly config: LeasesConfig;
  readonly ref: string;
  /**
   * Whether `now` may be acted on. Where not, nothing begins and nothing ends by the time: a clock that is wrong after a
   * start would end what is in force. What the edge releases ends all the same.
   */
  readonly isTimeKnown: boolean;
  /** null: nothing was heard yet, and until expiry a lost edge changes nothing. */
  readonly wish: Wish | null;
  readonly view: TargetView;
  readonly memory: TargetMemory;
  readonly changes: readonly LeaseChange[];
  readonly rivals: Rivals;
}

export type Step =
  | {
      readonly act: "apply";
      readonly lease: Lease;
      readonly replicas: number | null;
      readonly prior: number | null;
      readonly spends: boolean;
      readonly note: string | null;
    }
  | { readonly act: "reapply"; readonly generation: number; readonly replicas: number; readonly reason: string }
  | {
      readonly act: "restore";
      readonly generation: number;
      readonly replicas: number | null;
      readonly state: LeaseState;
      readonly reason: string;
    }
  | {
      readonly act: "report";
      readonly generation: number;
      readonly state: LeaseState;
      readonly reason: string;
      readonly lookAt: Millis | null;
    }
  | { readonly act: "idle" };

export function nextStep(facts: StepFacts, now: Millis): Step {
  const { mark } = facts.view;
  return mark === null ? stepWithout(facts, now) : stepUnder(facts, mark, now);
}

function stepWithout(facts: StepFacts, now: Millis): Step {
  const { wish, view, memory } = facts;
  const lease = wish?.lease ?? null;
  if (wish === null || lease === null) {
    if (memory.ending !== null) return reportEnding(memory.ending, memory.ending.generation, view, now);
    if (wish === null) return { act: "idle" };
    if (memory.acknowledged !== null)
      return report(memory.acknowledged.generation, "released", "acknowledged only, and over");
    return memory.inForce === null ? { act: "idle" } : reportGone(memory.inForce.generation, "released", view);
  }
  if (memory.ending !== null && isOver(memory.ending, lease))
    return reportEnding(memory.ending, lease.generation, view, now);
  if (memory.acknowledged?.generation === lease.generation) return stepAcknowledged(lease, facts.isTimeKnown, now);
  if (memory.inForce?.generation === lease.generation) {
    const isPast = facts.isTimeKnown && now >= lease.expiresAt;
    return reportGone(lease.generation, isPast ? "expired" : "superseded", view);
  }
  if (!facts.isTimeKnown) return report(lease.generation, "pending", NO_TIME, now + TIME_LOOK_MS);
  const verdict = decide(facts, lease, wish.generation, view.replicas, false, now);
  if (!verdict.allow) return report(lease.generation, verdict.state, verdict.reason, verdict.retryAt);
  // At 0 already: its owner stopped it, and no lease may start it again.
  const scales = lease.replicas !== null && view.replicas > 0;
  return {
    act: "apply",
    lease,
    replicas: scales ? lease.replicas : null,
    prior: scales ? view.replicas : null,
    spends: true,
    note: noteOf(facts.rivals),
  };
}

/** A lease that a person or a controller ended is not put back under a new number if it asks for the same again. */
function isOver(ending: Ending, lease: Lease): boolean {
  if (ending.generation >= lease.generation) return true;
  if (ending.lease === null || (ending.state !== "superseded" && ending.state !== "conflict")) return false;
  const { maintenance, mode, replicas, expiresAt } = ending.lease;
  return (
    lease.maintenance === maintenance &&
    lease.mode === mode &&
    lease.replicas === replicas &&
    lease.expiresAt === expiresAt
  );
}

function stepAcknowledged(lease: Lease, isTimeKnown: boolean, now: Millis): Step {
  const isPast = now >= lease.expiresAt;
  if (isPast && isTimeKnown) return report(lease.generation, "expired", "acknowledged only, and over");
  return report(
    lease.generation,
    "applied",
    "acknowledged only: the agent has no right to annotate this deployment",
    isPast ? now + TIME_LOOK_MS : lease.expiresAt,
  );
}

/**
 * What this agent saw in force, and the deployment no longer carries. Where it was over and its generation is still
 * there, another agent has ended it as this one would have; anything else was a hand.
 */
function reportGone(generation: number, over: "released" | "expired" | "superseded", view: TargetView): Step {
  if (over !== "superseded" && (view.seenGeneration ?? 0) >= generation)
    return report(generation, over, "over, and ended by another agent");
  const reason = "the agent's annotations were removed by hand, or the deployment was made anew";
  return report(generation, "superseded", reason);
}

/** "Released" is said when the former pods are back, or after a while with the number that is. */
function reportEnding(ending: Ending, generation: number, view: TargetView, now: Millis): Step {
  const { state, reason } = ending;
  if (ending.generation !== generation || state === "superseded" || state === "conflict")
    return report(generation, state, reason);
  if (isSettled(view, view.replicas)) return report(generation, state, reason);
  const pods = `${view.readyReplicas} of ${view.replicas} pods ready`;
  if (now - ending.at >= SETTLE_MAX_MS) return report(generation, state, `${reason}; ${pods}`);
  return report(generation, "pending", `${reason}; ${pods}`, now);
}

function stepUnder(facts: StepFacts, mark: LeaseMark, now: Millis): Step {
  const { wish, view, config, ref } = facts;
  if (view.maintenance !== "true")
    return restore(mark, view, "superseded", "the annotation maintenance was removed by hand");
  if (mark.appliedReplicas !== null && view.replicas !== mark.appliedReplicas) return stepChanged(facts, mark);
  const target = targetOf(config, ref);
  if (target === undefined) return restore(mark, view, "released", `leases.targets no longer lists ${ref}`);
  const lease = wish?.lease ?? null;
  const isNewer = lease !== null && lease.generation > mark.generation;
  if (now >= mark.expiresAt && facts.isTimeKnown && !isNewer) {
    if (target.onExpiry !== "hold") return restore(mark, view, "expired", "ended by its expiry");
    if (wish === null || lease !== null) return observe(facts, mark, "past its end and held: onExpiry is hold", now);
  }
  if (config.killSwitch && mark.appliedReplicas !== null)
    return restore(mark, view, "forbidden", "leases.killSwitch is true: announce only");
  if (wish === null) return observe(facts, mark, "in force; the edge was not heard yet", now);
  // An old desired state, replayed after this agent lost its own memory, releases nothing.
  if (lease === null) {
    return wish.generation >= mark.generation
      ? restore(mark, view, "released", "ended by the edge")
      : observe(facts, mark, "in force", now);
  }
  if (!isNewer) {
    const refusal =
      lease.generation === mark.generation ? checkPermission({ config, signature: "valid", lease }) : null;
    return refusal === null ? observe(facts, mark, "in force", now) : restore(mark, view, "forbidden", refusal.reason);
  }
  return stepReplaced(facts, mark, lease, wish.generation, now);
}

/**
 * A newer lease for a target under one. If it may not be, the older one is no longer wanted either; but where it asks
 * for the same and only for longer than the target allows, what is in force stays until its own end: traffic must not
 * come back into the middle of the work.
 */
function stepReplaced(facts: StepFacts, mark: LeaseMark, lease: Lease, desiredGeneration: number, now: Millis): Step {
  const { view } = facts;
  const prior = mark.priorReplicas ?? view.replicas;
  if (!facts.isTimeKnown) return report(lease.generation, "pending", NO_TIME, now + TIME_LOOK_MS);
  const isSame = lease.replicas === mark.appliedReplicas;
  const verdict = decide(facts, lease, desiredGeneration, prior, isSame, now);
  if (!verdict.allow && verdict.refusal === "too_long" && isSame && now < mark.expiresAt)
    return report(lease.generation, "pending", `in force until its former end: ${verdict.reason}`, mark.expiresAt);
  if (!verdict.allow)
    return restore(
      mark,
      view,
      verdict.state === "expired" ? "expired" : "released",
      `replaced by a lease that may not be: ${verdict.reason}`,
    );
  if (lease.replicas === null)
    return {
      act: "apply",
      lease,
      replicas: mark.appliedReplicas === null ? null : mark.priorReplicas,
      prior: null,
      spends: false,
      note: null,
    };
  const scales = prior > 0;
  return {
    act: "apply",
    lease,
    replicas: scales ? lease.replicas : null,
    prior: scales ? prior : null,
    spends: !isSame,
    note: noteOf(facts.rivals),
  };
}

/** A controller that owns the number is tried once more, then left alone; a person is left alone at once. */
function stepChanged({ view, memory }: StepFacts, mark: LeaseMark): Step {
  const { replicas, replicasBy } = view;
  const who = replicasBy === null || replicasBy.kind === "agent" ? "somebody" : replicasBy.manager;
  const what = `${who} set replicas to ${replicas} where the lease had set ${mark.appliedReplicas}`;
  // Where the server does not say who it was: what comes before the cluster has settled is a controller's answer.
  const isController =
    replicasBy === null || replicasBy.kind === "agent"
      ? memory.inForce?.settled === false
      : replicasBy.kind === "controller";
  if (!isController)
    return { act: "restore", generation: mark.generation, replicas: null, state: "superseded", reason: what };
  const reverts = memory.reverts + 1;
  if (reverts < REVERTS_MAX && mark.appliedReplicas !== null) {
    return { act: "reapply", generation: mark.generation, replicas: mark.appliedReplicas, reason: what };
  }
  return {
    act: "restore",
    generation: mark.generation,
    replicas: null,
    state: "conflict",
    reason: [`${what}, ${reverts} times`, ownerOf(who)].filter((part) => part !== null).join("; "),
  };
}

function restore(mark: LeaseMark, view: TargetView, state: LeaseState, reason: string): Step {
  const { appliedReplicas, priorReplicas, generation } = mark;
  if (appliedReplicas === null) return { act: "restore", generation, replicas: null, state, reason };
  if (view.replicas !== appliedReplicas)
    return { act: "restore", generation, replicas: null, state: "superseded", reason };
  if (priorReplicas === null) {
    const lost = `${reason}; the annotation with the former number of replicas is damaged, so they stay at ${view.replicas}`;
    return { act: "restore", generation, replicas: null, state: "superseded", reason: lost };
  }
  return {
    act: "restore",
    generation,
    replicas: priorReplicas,
    state,
    reason: `${reason}; replicas are ${priorReplicas} again`,
  };
}

/** `applied` is said when the cluster shows it. Once said, a pod that fails later is the service's news, not the lease's. */
function observe({ view, memory }: StepFacts, mark: LeaseMark, why: string, now: Millis): Step {
  const reason = memory.note === null ? why : `${why}; ${memory.note}`;
  const { generation, appliedReplicas } = mark;
  const inForce = memory.inForce?.generation === generation ? memory.inForce : null;
  const lookAt = mark.expiresAt > now ? mark.expiresAt : now + LATER_MS;
  if (inForce?.settled === true) return report(generation, "applied", reason, lookAt);
  if (view.observed && (appliedReplicas === null || isSettled(view, appliedReplicas)))
    return report(generation, "applied", reason, lookAt);
  const shown = view.observed
    ? `${view.statusReplicas} pods, ${view.readyReplicas} ready, ${appliedReplicas ?? view.replicas} wanted`
    : "the deployment's controller has not observed it yet";
  const isLate = inForce !== null && now - inForce.at >= SETTLE_MAX_MS;
  return report(generation, isLate ? "unverified" : "pending", shown, isLate ? now + LATER_MS : now);
}

function isSettled(view: TargetView, wanted: number): boolean {
  return view.observed && view.replicas === wanted && view.statusReplicas === wanted && view.readyReplicas === wanted;
}

function decide(
  facts: StepFacts,
  lease: Lease,
  desiredGeneration: number,
  priorReplicas: number,
  unchanged: boolean,
  now: Millis,
): LeaseVerdict {
  const { config, view, changes, rivals } = facts;
  const { seenGeneration } = view;
  return decideLease(
    { config, signature: "valid", lease, desiredGeneration, seenGeneration, priorReplicas, changes, unchanged, rivals },
    now,
  );
}

function report(generation: number, state: LeaseState, reason: string, lookAt: Millis | null = null): Step {
  return { act: "report", generation, state, reason, lookAt };
}
