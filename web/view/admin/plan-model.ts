/** What the pages of planned maintenances are made of. */
import type { Millis } from "../../../protocol/time.ts";
import type { FormModel, MaintenanceModel, TargetModel } from "./model.ts";

export type PlanPhase = "scheduled" | "in_progress" | "verifying" | "completed" | "cancelled";

/** One line of the list: planned, announced, or a lease that was started by hand. */
export interface PlanRowModel {
  readonly id: string;
  readonly name: string;
  readonly phase: PlanPhase;
  readonly startsAt: Millis;
  /** When it ends, or ended. */
  readonly endsAt: Millis;
  /** Components and deployments, in words. */
  readonly touches: string;
  readonly emergency: boolean;
  readonly recurs: boolean;
  /** Why it takes longer than it should; null while it does not. */
  readonly overdue: string | null;
}

export interface SeriesRowModel {
  readonly id: string;
  readonly name: string;
  /** "FREQ=WEEKLY;BYDAY=SU from 2026-11-29T03:00 Etc/UTC" */
  readonly rule: string;
  readonly nextAt: Millis | null;
  readonly endedAt: Millis | null;
}

/** Of the maintenances that began in the last `days`, how many were announced as early as the policy asks for. */
export interface NoticeShareModel {
  readonly days: number;
  readonly met: number;
  readonly of: number;
}

export interface PlansModel {
  readonly now: readonly PlanRowModel[];
  readonly coming: readonly PlanRowModel[];
  /** Newest first. */
  readonly past: readonly PlanRowModel[];
  readonly series: readonly SeriesRowModel[];
  readonly noticeDays: number;
  readonly shares: readonly NoticeShareModel[];
  readonly policy: FormModel<"days">;
}

/** POST /admin/maintenance/plan. `targets` are fields of their own, "target:CLUSTER/NAMESPACE/NAME". */
export type PlanField =
  | "name"
  | "body"
  | "reason"
  | "start"
  | "zone"
  | "hours"
  | "repeat"
  | "rule"
  | "closing"
  | "emergency";

export interface PlanFormModel extends FormModel<PlanField | "components" | "targets"> {
  readonly action: string;
  readonly submit: string;
  readonly title: string;
  /** Set of a series that is changed: it recurs, whatever the form says. */
  readonly isSeries: boolean;
  readonly noticeDays: number;
  readonly pageZone: string;
  readonly components: readonly { readonly id: string; readonly name: string; readonly isChosen: boolean }[];
  readonly targets: readonly (TargetModel & { readonly wish: string })[];
}

export interface NoticeModel {
  readonly phase: string;
  readonly dueAt: Millis;
  /** When it went out or was skipped; null while it is to come. */
  readonly at: Millis | null;
  readonly isSkipped: boolean;
}

export interface ChecklistModel {
  readonly id: string;
  readonly phase: "before" | "during" | "after";
  readonly text: string;
  readonly tick: { readonly by: string; readonly at: Millis } | null;
}

export interface CheckModel {
  readonly name: string;
  readonly verdict: "good" | "bad" | "unknown" | "none";
  readonly reason: string;
  readonly bound: string;
}

/** A deployment of it: what its cluster answered, or what it will be asked for. */
export interface PlanTargetModel {
  readonly cluster: string;
  readonly service: string;
  readonly wish: string;
  /** Null until it began. */
  readonly lease: MaintenanceModel | null;
}

/** What visitors had of it, beside the same hours of the four weeks before; null is not known. */
export interface ImpactModel {
  readonly requests: number | null;
  readonly failed: number | null;
  readonly p95Ms: number | null;
  readonly usual: {
    readonly requests: number;
    readonly failed: number;
    /** The least and the most of the weeks: percentiles are not averaged. */
    readonly p95Ms: readonly [least: number, most: number] | null;
    readonly weeks: number;
  } | null;
  /** Why nothing is known; null where something is. */
  readonly unknown: string | null;
}

export interface PlanPageModel {
  readonly id: string;
  readonly name: string;
  readonly phase: PlanPhase;
  readonly by: string;
  readonly reason: string | null;
  readonly createdAt: Millis;
  readonly startsAt: Millis;
  readonly endsAt: Millis;
  readonly endedAt: Millis | null;
  readonly verifyingAt: Millis | null;
  readonly emergency: boolean;
  /** How early it has to be told of, days. */
  readonly noticeDays: number;
  readonly isSteered: boolean;
  readonly closing: "person" | "checks";
  readonly overdue: string | null;
  readonly components: readonly string[];
  readonly targets: readonly PlanTargetModel[];
  readonly confirmed: { readonly confirmed: number; readonly of: number };
  readonly notices: readonly NoticeModel[];
  readonly checklist: readonly ChecklistModel[];
  /** Null while nothing is verified. */
  readonly checks: readonly CheckModel[] | null;
  /** When the checks will have been good for 30 minutes; null while they are not. */
  readonly allClearAt: Millis | null;
  /** Null until it began. */
  readonly impact: ImpactModel | null;
  readonly series: string | null;
  /** `start` and `hours` of one to come, `end` of one that is under way; walls of UTC. */
  readonly move: FormModel<"start" | "hours" | "end" | "emergency">;
  /** Ends to choose from while it is under way: how much later, and which that is. */
  readonly later: readonly { readonly word: string; readonly end: string }[];
}
