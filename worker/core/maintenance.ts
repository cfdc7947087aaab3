/** Maintenance: what an operator wrote down, what the cluster answered, and the state that follows from both. */
import type { LeaseMode, LeaseReport, LeaseResult, LeaseState } from "../../protocol/lease.ts";
import { LEASE_HOURS_MAX, LEASE_REPLICAS_MAX } from "../../protocol/lease.ts";
import type { MaintenanceStatus } from "../../protocol/page.ts";
import type { Update } from "./incident.ts";
import type { Plan } from "./plan-facts.ts";
import { HOUR } from "../../protocol/time.ts";
import type { Millis } from "../../protocol/time.ts";
import type { Result } from "../../protocol/result.ts";

export type MaintenanceUpdate = Update<MaintenanceStatus>;

/** What is announced of a maintenance. Only facts: the state is derived, so it cannot go stale. */
export interface Announced {
  readonly id: string;
  /** What visitors read. */
  readonly name: string;
  readonly by: string;
  readonly createdAt: Millis;
  readonly updatedAt: Millis;
  readonly startsAt: Millis;
  /** When it ends by itself, which is also the expiry of a lease. */
  readonly endsAt: Millis;
  /** When an operator ended it, null while nobody did. */
  readonly endedAt: Millis | null;
  /** When it was called off before it began. Absent if it was not, and in what an earlier version wrote. */
  readonly cancelledAt?: Millis;
  /** When it was last put to another time. Absent if it never was, and in what an earlier version wrote. */
  readonly retimedAt?: Millis;
  /** Told of later than the policy asks; visitors read so. Absent if it was not, and in what an earlier version wrote. */
  readonly emergency?: true;
  /** How often name, time or cancellation changed. Absent is 0, and in what an earlier version wrote. */
  readonly sequence?: number;
  /** Oldest first by `displayAt`. Absent where nobody said anything, and in what an earlier version wrote. */
  readonly updates?: readonly MaintenanceUpdate[];
}

/** One without a lease: it covers the components that it names, in all that they are. */
export interface Announcement extends Announced {
  readonly components: readonly string[];
  /** When it was written down here: it says nothing of what components were before. */
  readonly enteredAt: Millis;
  /** When it was written down here last; the archive's revision. */
  readonly writtenAt: Millis;
  /** How it is steered. Absent: it begins and ends by the clock; and in what an earlier version wrote. */
  readonly plan?: Plan;
}

/** One with a lease. It covers its target, and no more of a component than that. */
export interface Maintenance extends Announced {
  /** What operators and the cluster's owner read. */
  readonly reason: string;
  readonly cluster: string;
  /** namespace/name in that cluster. */
  readonly service: string;
  readonly mode: LeaseMode;
  readonly replicas: number | null;
  /** The generation its lease got from the Cluster; null until the Cluster has it. */
  readonly generation: number | null;
  /** When the agent reported that it has taken in that generation. */
  readonly deliveredAt: Millis | null;
  /** What the agent reported, oldest first, one entry a change of state. */
  readonly results: readonly LeaseResult[];
  /** The announcement that asked for its lease, and speaks for it. Absent for one that stands alone, and in what an earlier version wrote. */
  readonly announcement?: string;
  /** Since its end was moved. Absent if it never was, and in what an earlier version wrote. */
  readonly renewal?: Renewal;
}

/** What was known of a lease when its end was moved: answers to the former end confirm nothing of the new one. */
interface Renewal {
  /** Until when the cluster had confirmed to hold it; null if it had not. */
  readonly heldUntil: Millis | null;
  /** The generation of the former end; null if it had none. */
  readonly after: number | null;
}

/** What a state is told from: only what is announced has a plan. */
type Steered = Announced & Pick<Announcement, "plan">;

/** Entries kept of what the agent reported: a fight with another controller must not grow a row without end. */
const RESULTS_MAX = 50;

/** States after which the cluster does not hold the maintenance any more, or never did. */
const NOT_HELD = new Set<LeaseState>(["forbidden", "conflict", "superseded", "expired", "released"]);

export function maintenanceStatus(maintenance: Steered, now: Millis): MaintenanceStatus {
  const { startsAt, cancelledAt, endedAt, plan } = maintenance;
  if (cancelledAt !== undefined) return "completed";
  // One that is steered is over when somebody says so, and taking longer until then.
  if (now >= (plan === undefined ? endOf(maintenance) : (endedAt ?? Infinity))) return "completed";
  if (now < startsAt) return "scheduled";
  return verifyingSince(maintenance, now) === null ? "in_progress" : "verifying";
}

/** Since when what was done is watched; null while nobody says so. */
export function verifyingSince({ updates = [] }: Pick<Announced, "updates">, now: Millis): Millis | null {
  const said = updates.filter(({ displayAt }) => displayAt <= now);
  if (said.at(-1)?.status !== "verifying") return null;
  return said[said.findLastIndex(({ status }) => status !== "verifying") + 1]?.displayAt ?? null;
}

/** When it ends, or ended. One that is steered may have ended later than was planned. */
export function endOf({ endsAt, endedAt, plan }: Pick<Steered, "endsAt" | "endedAt" | "plan">): Millis {
  return plan === undefined ? Math.min(endsAt, endedAt ?? Infinity) : (endedAt ?? endsAt);
}

/** Whether an announcement covers a component at `at`. */
export function isAnnouncedFor(announcement: Announcement, component: string, at: Millis): boolean {
  const [from, until] = announcedSpan(announcement);
  return at >= from && at < until && announcement.components.includes(component);
}

/**
 * From when until when an announcement covers its components; never for one that was called off. The plan's end is the
 * latest, however long the work takes, and where a plan is verified what is seen counts: nobody may forget a window and
 * hide an outage behind it.
 */
export function announcedSpan(announcement: Announcement): readonly [Millis, Millis] {
  const { startsAt, enteredAt, cancelledAt, endsAt, endedAt, plan } = announcement;
  const from = Math.max(startsAt, enteredAt);
  const watched = plan === undefined ? null : verifyingSince(announcement, Infinity);
  const until = Math.min(endsAt, endedAt ?? Infinity, watched ?? Infinity);
  return [from, cancelledAt === undefined ? Math.max(from, until) : from];
}

/** What the agent said last; null while it has not answered. */
function latestResult(maintenance: Maintenance): LeaseResult | null {
  return maintenance.results.at(-1) ?? null;
}

/**
 * When the page stops to say "under maintenance": its end, or before that the moment at which the cluster said that it
 * does not hold it. A refused toggle must not cover an outage.
 */
export function coversUntil(maintenance: Maintenance): Millis {
  const end = Math.min(endOf(maintenance), maintenance.cancelledAt ?? Number.POSITIVE_INFINITY);
  const latest = latestResult(maintenance);
  return latest !== null && NOT_HELD.has(latest.state) ? Math.min(end, latest.at) : end;
}

/** Whether the cluster showed that it is in force. */
export function isConfirmed(maintenance: Maintenance): boolean {
  return latestResult(maintenance)?.state === "applied";
}

/** Whether the cluster ever showed that it was in force: it stays so once it has ended. */
export function wasConfirmed({ results }: Maintenance): boolean {
  return results.some(({ state }) => state === "applied");
}

/** Until when its cluster has confirmed to hold it; null if it never has. */
export function confirmedUntil(lease: Maintenance): Millis | null {
  const { renewal, results, endsAt } = lease;
  if (renewal === undefined) return wasConfirmed(lease) ? endsAt : null;
  const isNew = results.some(
    ({ state, generation }) => state === "applied" && generation > (renewal.after ?? Number.NEGATIVE_INFINITY),
  );
  return isNew ? endsAt : renewal.heldUntil;
}

/**
 * Adds the Cluster's answer: the generation of the lease it gave out, or why it gave none.
 *
 * @param sent what it was asked for: meanwhile the end may have been moved
 */
export function withLeaseGiven(
  asked: Maintenance,
  sent: Pick<Maintenance, "endsAt">,
  given: Result<number, string>,
  now: Millis,
): Maintenance {
  if (given.ok) {
    const answered = { ...asked, generation: given.value, updatedAt: now };
    if (asked.renewal === undefined || sent.endsAt === asked.endsAt) return answered;
    return { ...answered, renewal: { ...asked.renewal, after: given.value } };
  }
  const reason = `the cluster gave out no lease: ${given.failure}`;
  const refused = { target: asked.service, generation: 0, state: "conflict", reason, evidence: null, at: now } as const;
  return { ...asked, updatedAt: now, results: [...asked.results, refused] };
}

/** Adds what the agent reported of this maintenance's lease; the same maintenance if that is nothing new. */
export function withReport(maintenance: Maintenance, report: LeaseReport, now: Millis): Maintenance {
  const { generation, service, deliveredAt } = maintenance;
  if (generation === null) return maintenance;
  const delivered = deliveredAt === null && report.observedGeneration >= generation ? now : deliveredAt;
  const latest = latestResult(maintenance);
  const told = report.targets.find((result) => result.target === service && result.generation === generation);
  const isNews =
    told !== undefined &&
    (latest?.state !== told.state || latest.reason !== told.reason || latest.generation !== told.generation);
  if (!isNews && delivered === deliveredAt) return maintenance;
  const results = isNews ? [...maintenance.results, told].slice(-RESULTS_MAX) : maintenance.results;
  return { ...maintenance, deliveredAt: delivered, results, updatedAt: now };
}

/** A maintenance as operators see it: the facts of its way into the cluster and back, moments null until they happened. */
export function operatorMaintenance(maintenance: Maintenance, now: Millis) {
  const { results, createdAt, generation: _, ...facts } = maintenance;
  const applied = results.findLastIndex(({ state }) => state === "applied");
  // One that was given more time after it had expired is in force again.
  const restored = results.slice(applied + 1).find(({ state }) => state === "released" || state === "expired");
  return {
    ...facts,
    status: maintenanceStatus(maintenance, now),
    requestedAt: createdAt,
    acceptedAt: results.find(({ evidence }) => evidence !== null)?.at ?? null,
    appliedAt: results.find(({ state }) => state === "applied")?.at ?? null,
    confirmedUntil: confirmedUntil(maintenance),
    restoredAt: restored?.at ?? null,
    result: latestResult(maintenance),
  };
}

/** What a form or an API call asks for; `hours` is from now. */
export interface MaintenanceRequest {
  readonly name: string;
  readonly reason: string;
  readonly cluster: string;
  readonly service: string;
  readonly mode: LeaseMode;
  readonly replicas: number | null;
  readonly hours: number;
}

/** The faults of a request by field; empty if it can be started. */
export function maintenanceFaults(request: MaintenanceRequest): Record<string, string> {
  const faults: Record<string, string> = {};
  if (request.name.trim() === "") faults["name"] = "Say in a few words what is done; visitors read it.";
  if (request.reason.trim() === "") faults["reason"] = "Say why; the cluster's owner reads it beside the change.";
  if (!(request.hours > 0 && request.hours <= LEASE_HOURS_MAX)) {
    faults["hours"] = `Give a duration of more than 0 and at most ${LEASE_HOURS_MAX} hours.`;
  }
  if (request.mode === "scale" && request.replicas === null) {
    faults["replicas"] = "Give the number of replicas to keep during the maintenance.";
  }
  if (request.replicas !== null && request.replicas > LEASE_REPLICAS_MAX) {
    faults["replicas"] = `Give at most ${LEASE_REPLICAS_MAX} replicas.`;
  }
  return faults;
}

export function startMaintenance(request: MaintenanceRequest, id: string, by: string, now: Millis): Maintenance {
  return {
    id,
    name: request.name.trim(),
    reason: request.reason.trim(),
    by,
    cluster: request.cluster,
    service: request.service,
    mode: request.mode,
    replicas: request.mode === "scale" ? request.replicas : null,
    createdAt: now,
    updatedAt: now,
    startsAt: now,
    endsAt: now + Math.round(request.hours * HOUR),
    endedAt: null,
    generation: null,
    deliveredAt: null,
    results: [],
  };
}
