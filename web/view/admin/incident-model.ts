/** What the admin's pages of incidents are made of. As in `model.ts`: facts only, moments are Millis. */
import type { IncidentStatus } from "../../../protocol/page.ts";
import type { ComponentStatus, Indicator } from "../../../protocol/status.ts";
import type { Millis } from "../../../protocol/time.ts";
import type { DraftModel, FormModel } from "./model.ts";

/** A component that an incident may speak of. */
export interface AffectedChoice {
  readonly id: string;
  readonly name: string;
  readonly group: string | null;
  /** As visitors see it now. */
  readonly now: ComponentStatus;
  /** What this incident said of it last; null if nothing. */
  readonly said: ComponentStatus | null;
  /** What the form says of it; null if it leaves it as it is. */
  readonly chosen: ComponentStatus | null;
}

/**
 * POST /admin/incidents and /admin/incidents/:id/updates. Each component is a field of its own, `c.ID`; where there are
 * too many to list, `add.N` names one as "group / name" and `add.N.status` says how it is. Moments are
 * YYYY-MM-DDTHH:MM in UTC; `remind` is minutes; what is empty is not said.
 */
export type IncidentField =
  | "name"
  | "body"
  | "status"
  | "impact"
  | "impactReason"
  | "at"
  | "endAt"
  | "endBody"
  | "remind"
  | "promise"
  | "key"
  | "revision"
  | "draft";

export interface IncidentFormModel extends FormModel<IncidentField> {
  /** Troubled ones first. */
  readonly components: readonly AffectedChoice[];
  /** What was typed into the rows `add.N` and is no component. */
  readonly added: readonly { readonly name: string; readonly status: ComponentStatus }[];
  /** What its components were said to be so far comes to. */
  readonly impactSoFar: Indicator;
  /** The text as visitors would read it; null unless somebody asked. */
  readonly preview: string | null;
}

interface TemplateLink {
  readonly id: string;
  readonly title: string;
}

export interface IncidentNewModel {
  readonly form: IncidentFormModel;
  readonly templates: readonly TemplateLink[];
  /** The draft that it is made of. */
  readonly draft: DraftModel | null;
}

export interface AdminUpdateModel {
  readonly id: string;
  readonly status: IncidentStatus;
  /** Markdown. */
  readonly body: string;
  readonly by: string;
  readonly displayAt: Millis;
  readonly createdAt: Millis;
  readonly updatedAt: Millis;
  readonly affected: readonly { readonly name: string; readonly from: ComponentStatus; readonly to: ComponentStatus }[];
}

interface ReminderModel {
  readonly at: Millis;
  /** After how many minutes it was to be. */
  readonly minutes: number;
  readonly isPublic: boolean;
  readonly by: string;
}

export interface IncidentSummary {
  readonly id: string;
  readonly name: string;
  readonly status: IncidentStatus;
  readonly impact: Indicator;
  readonly startedAt: Millis;
  readonly resolvedAt: Millis | null;
  /** When something was said of it last. */
  readonly saidAt: Millis;
  readonly components: readonly string[];
  readonly reminder: ReminderModel | null;
}

/** What somebody else wrote while this form was open. */
interface ConflictModel {
  /** Their updates, newest first; empty if they changed something else. */
  readonly theirs: readonly AdminUpdateModel[];
}

export interface IncidentPageModel extends IncidentSummary {
  readonly impactReason: string | null;
  readonly isByHand: boolean;
  readonly revision: Millis;
  /** Newest first. */
  readonly updates: readonly AdminUpdateModel[];
  readonly form: IncidentFormModel;
  readonly conflict: ConflictModel | null;
  /** Since when its newest state waits for Postgres; null if that has it. */
  readonly unarchivedSince: Millis | null;
  /** Until when it can be deleted; null if that is over. */
  readonly deletableUntil: Millis | null;
  /** Those that it may be merged into. */
  readonly others: readonly { readonly id: string; readonly name: string }[];
  /** POST /admin/incidents/:id/postmortem. Null while it is not over. */
  readonly postmortem: PostmortemModel | null;
}

export interface PostmortemModel extends FormModel<"body" | "revision"> {
  /** Who saved the draft last, and when; null if there is none. */
  readonly saved: { readonly by: string; readonly at: Millis } | null;
  readonly conflict: string | null;
  readonly preview: string | null;
}

/** POST /admin/incidents/:id/updates/:update. `shownAt` is the moment as it was shown: a field has no parts of a second. */
export interface CorrectionModel extends FormModel<"body" | "at" | "shownAt" | "revision"> {
  readonly incident: { readonly id: string; readonly name: string };
  readonly update: AdminUpdateModel;
  /** Whether another one is left if it is deleted. */
  readonly canDelete: boolean;
  /** Whether somebody changed the incident meanwhile: the update stands there as it is now. */
  readonly isStale: boolean;
  readonly preview: string | null;
}

export interface IncidentsModel {
  /** Whose newest states wait for Postgres, and since when the first of them does. Null if none do. */
  readonly unarchived: { readonly names: readonly string[]; readonly since: Millis } | null;
  readonly open: readonly IncidentSummary[];
  readonly past: readonly IncidentSummary[];
  /** From 1. */
  readonly page: number;
  readonly pages: number;
}
