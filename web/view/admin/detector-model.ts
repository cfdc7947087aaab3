/** What the page of a cluster's detector of anomalies is made of. */
import type { DetectorAnswer, DetectorCommand, DetectorReport, Unusual } from "../../../protocol/detector.ts";
import type { Millis } from "../../../protocol/time.ts";
import type { FormModel } from "./model.ts";

/** `silent`: its agent is; `unknown`: its agent says nothing of one. */
export type DetectorState = DetectorReport["state"] | "silent" | "unknown";

/**
 * A question that has no answer yet. `asked`: it is on its way; `answering`: the agent is at it; `silent`: the agent
 * does not speak; `unanswered`: it was not begun in time.
 */
export interface AskedModel {
  readonly kind: DetectorCommand["kind"];
  readonly state: "asked" | "answering" | "silent" | "unanswered";
  readonly askedAt: Millis;
  readonly expiresAt: Millis;
  readonly by: string;
  /** How far the agent is; null if it has not said. */
  readonly says: string | null;
}

export interface AnsweredModel extends Pick<DetectorAnswer, "kind" | "state" | "at" | "says"> {
  readonly askedAt: Millis;
  readonly by: string;
  readonly preview: NonNullable<DetectorAnswer["preview"]> | null;
}

/** POST /admin/clusters/:cluster/anomalies (sets it) and …/preview: a score, as typed. */
type DetectorField = "threshold";

export interface DetectorPageModel extends Pick<DetectorReport, "detail" | "baseline" | "judgedTo"> {
  readonly cluster: string;
  readonly state: DetectorState;
  readonly heardAt: Millis | null;
  /** In force, by the agent's last word; null if it never said. */
  readonly threshold: Pick<DetectorReport, "threshold" | "since" | "setBy"> | null;
  /** What was set here; null for the agent's own. */
  readonly wished: { readonly threshold: number; readonly at: Millis } | null;
  /** Whether the agent has taken in the newest wish. */
  readonly isTaken: boolean;
  readonly asked: AskedModel | null;
  readonly answered: readonly AnsweredModel[];
  readonly unusual: readonly Unusual[];
  readonly form: FormModel<DetectorField>;
}
