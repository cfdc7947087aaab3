/** What is written down of a planned maintenance beside what is announced of it. Only facts. */
import type { LeaseMode } from "../../protocol/lease.ts";
import type { Millis } from "../../protocol/time.ts";

/** A deployment that its cluster puts into maintenance while the work lasts. */
export interface PlanTarget {
  readonly cluster: string;
  /** namespace/name in that cluster. */
  readonly service: string;
  readonly mode: LeaseMode;
  readonly replicas: number | null;
}

/** Somebody did what the runbook asks for. */
interface Tick {
  readonly item: string;
  readonly by: string;
  readonly at: Millis;
}

/** How a maintenance is steered from its notice to the all-clear. */
export interface Plan {
  /** Announced later than the policy asks for; visitors read so. */
  readonly emergency: boolean;
  /** The notice that the policy asked for when it was planned, ms. */
  readonly noticeMs: Millis;
  /** What the clusters' owners read beside the change. */
  readonly reason: string;
  readonly targets: readonly PlanTarget[];
  /** Who gives the all-clear: a person, or the checks once they were good for long enough. */
  readonly closing: "person" | "checks";
  readonly ticks: readonly Tick[];
  /** Ids of the maintenances that hold its leases. Absent until it began. */
  readonly leases?: readonly string[];
  /** The series that it is an occurrence of, and when that put it. Absent for one that stands alone. */
  readonly series?: { readonly id: string; readonly at: Millis };
  /** Set once somebody changed this occurrence by itself: the series leaves it alone. */
  readonly isException?: true;
  /** When its end was last moved while it was under way. Absent if it never was, and in what an earlier version wrote. */
  readonly extendedAt?: Millis;
}

/** How the checks have been since the work was done: one turn is remembered, so that a gap is no good time. */
export interface Watching {
  readonly maintenance: string;
  /** When they were looked at last. */
  readonly at: Millis;
  readonly isGood: boolean;
  /** Since when they are as they are, without a gap. */
  readonly since: Millis;
  /** What is not good; empty if all is. */
  readonly failing: string;
}
