/** What the page of a component's uptime is made of. */
import type { ComponentStatus } from "../../../protocol/status.ts";
import type { Millis } from "../../../protocol/time.ts";
import type { FormModel, SloModel } from "./model.ts";

/** Uptime of the days from `from` to `to`, YYYY-MM-DD. `requests` is null while Postgres cannot be reached. */
export interface UptimeFigureModel {
  readonly label: string;
  readonly from: string;
  readonly to: string;
  readonly time: {
    readonly ratio: number | null;
    readonly majorMs: number;
    readonly partialMs: number;
    readonly degradedMs: number;
    readonly maintenanceMs: number;
    readonly unknownMs: number;
  };
  readonly requests: { readonly ratio: number | null; readonly requests: number; readonly errors: number } | null;
}

/** A correction of one frozen day. */
export interface AmendmentModel {
  readonly n: number;
  readonly day: string;
  readonly at: Millis;
  readonly from: Millis;
  readonly to: Millis;
  readonly status: ComponentStatus;
  readonly reason: string;
  readonly by: string;
  /** The day's figure as first frozen, and as this correction left it. */
  readonly was: number | null;
  readonly ratio: number | null;
}

/** POST /admin/components/:id/uptime: `from` and `to` YYYY-MM-DDTHH:MM in UTC, `status`, `reason`. */
export type AmendmentField = "from" | "to" | "status" | "reason";

export interface UptimePageModel {
  readonly id: string;
  readonly name: string;
  readonly figures: readonly UptimeFigureModel[];
  readonly slo: SloModel | null;
  /** The newest frozen day, and the hash that stands for it and all before it; null before the first. */
  readonly frozen: { readonly day: string; readonly n: number; readonly hash: string } | null;
  /** Newest first. */
  readonly amendments: readonly AmendmentModel[];
  readonly form: FormModel<AmendmentField>;
}
