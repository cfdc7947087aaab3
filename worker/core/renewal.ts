/** The end of a lease that is moved while its cluster holds it: what it is asked for, and what it has confirmed of it. */
import { LEASE_HOURS_MAX } from "../../protocol/lease.ts";
import { HOUR } from "../../protocol/time.ts";
import type { Millis } from "../../protocol/time.ts";
import type { Announcement, Maintenance } from "./maintenance.ts";
import { confirmedUntil, maintenanceStatus, wasConfirmed } from "./maintenance.ts";

/** Whether its cluster has confirmed what it is asked for now; of one that was ended, what it was asked for at all. */
export function isConfirmedToItsEnd(lease: Maintenance): boolean {
  return lease.endedAt === null ? confirmedUntil(lease) === lease.endsAt : wasConfirmed(lease);
}

/** Whether the Cluster has yet to answer with a generation for the end that it has now. */
export function isUnanswered({ generation, renewal }: Pick<Maintenance, "generation" | "renewal">): boolean {
  return generation === null || renewal?.after === generation;
}

/** What was changed of a lease: the same, or one that asks its cluster for another end. */
export function withRenewal(before: Maintenance, after: Maintenance): Maintenance {
  if (before.endsAt === after.endsAt || after.endedAt !== null) return after;
  return { ...after, renewal: { heldUntil: confirmedUntil(before), after: before.generation } };
}

/** The leases of a plan that end when it does not, with its end: it was moved while they are held. */
export function toRenew(plan: Announcement, leases: readonly Maintenance[], now: Millis): readonly Maintenance[] {
  if (maintenanceStatus(plan, now) !== "in_progress" || plan.endsAt <= now) return [];
  return leases
    .filter(({ endedAt, endsAt }) => endedAt === null && endsAt !== plan.endsAt)
    .map((lease) => ({ ...lease, endsAt: plan.endsAt, updatedAt: now, sequence: (lease.sequence ?? 0) + 1 }));
}

/** Why a lease cannot last from then until then; null if it can. A forgotten one ends by itself. */
export function lengthFault(startsAt: Millis, endsAt: Millis) {
  if (endsAt - startsAt <= LEASE_HOURS_MAX * HOUR) return null;
  return { code: "order", which: `with a target it lasts ${LEASE_HOURS_MAX} hours at most` } as const;
}
