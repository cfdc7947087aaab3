/** What the page of one draft is made of. */
import type { ChartValues } from "../../../protocol/charts.ts";
import type { ComponentStatus } from "../../../protocol/status.ts";
import type { Millis } from "../../../protocol/time.ts";
import type { IncidentFormModel } from "./incident-model.ts";
import type { DraftModel, Fault } from "./model.ts";

/** A component that the draft is about: as bad as it ever was, and as visitors see it now. */
interface DraftedModel {
  readonly id: string;
  readonly name: string;
  readonly status: ComponentStatus;
  readonly now: ComponentStatus;
}

/** What the mesh's graph says now of where the trouble comes from. */
interface DraftFindingModel {
  readonly cluster: string;
  readonly causes: readonly string[];
  readonly symptoms: readonly string[];
  readonly evidence: string;
}

/** One component's numbers around the first bad minute, as the archive has them. */
interface DraftChartModel {
  readonly name: string;
  readonly values: ChartValues;
  readonly limits: { readonly p95Ms: number; readonly errorRatio: number };
}

interface DraftAlertModel {
  readonly name: string;
  readonly summary: string | null;
  readonly startedAt: Millis;
  readonly endedAt: Millis | null;
}

export interface DraftPageModel {
  readonly draft: DraftModel;
  readonly affected: readonly DraftedModel[];
  readonly alerts: readonly DraftAlertModel[];
  readonly findings: readonly DraftFindingModel[];
  /** Null while Postgres cannot be reached. */
  readonly charts: readonly DraftChartModel[] | null;
  /** What would be posted; null once somebody decided. */
  readonly form: IncidentFormModel | null;
  readonly decided: {
    readonly act: "published" | "dismissed";
    readonly incident: string | null;
    readonly by: string;
    readonly at: Millis;
    readonly reason: string | null;
  } | null;
  /** POST /admin/drafts/:id/dismiss: what was typed of `reason`, and what is wrong with it. */
  readonly dismissal: { readonly reason: string; readonly faults: readonly Fault[] };
}
