/** What the page of alert rules is made of. */
import type { ComponentStatus } from "../../../protocol/status.ts";
import type { Millis } from "../../../protocol/time.ts";
import type { DetectorState } from "./detector-model.ts";
import type { FormModel } from "./model.ts";

/** How often alarms would have met a rule: `seen` alarms were looked at, and `isAll` says whether those are all. */
export interface AlarmCount {
  readonly met: number;
  readonly seen: number;
  readonly isAll: boolean;
}

export interface AlertRuleModel {
  readonly name: string;
  /** Null for all. */
  readonly cluster: string | null;
  readonly match: Readonly<Record<string, readonly string[]>>;
  readonly components: readonly { readonly name: string; readonly status: ComponentStatus }[];
  readonly title: string | null;
  /** In the last seven days; null while Postgres cannot be asked. */
  readonly alarms: AlarmCount | null;
}

/** POST /admin/alerts, and …/preview; `labels` one a line, "severity=critical,page". */
export type AlertField = "name" | "cluster" | "labels" | "component" | "status";

export interface AlertsModel {
  readonly rules: readonly AlertRuleModel[];
  readonly form: FormModel<AlertField>;
  /** What the form's rule would have met; null where nobody asked. */
  readonly preview: {
    readonly alarms: AlarmCount | null;
    /** The newest that it would have met. */
    readonly newest: readonly {
      readonly at: Millis;
      readonly cluster: string;
      readonly name: string;
      readonly says: string;
    }[];
  } | null;
  readonly clusters: readonly string[];
  readonly components: readonly { readonly id: string; readonly name: string }[];
  readonly detectors: readonly {
    readonly cluster: string;
    readonly state: DetectorState;
    readonly threshold: number | null;
  }[];
  readonly mayChange: boolean;
}
