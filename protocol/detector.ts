/**
 * The detector of anomalies as the edge knows it: what an operator wishes of it, and what the agent says of it.
 *
 *   edge → agent   receipt.detector   the wish, signed as desired state is (lease.ts), only to an agent that says `live.detector`
 *   agent → edge   live.detector      the threshold and the baseline in use, and the answer to the wish's command
 *
 * The agent's own configuration has the last word. A command is carried out once an id; its answer is repeated with
 * every push until a wish comes that does not ask for it any more.
 */
import * as v from "valibot";
import { ClusterName, line, ServiceName } from "./name.ts";

/** The runbook's: as one in 525 points before it. 0.90 is one in 759. */
export const THRESHOLD = 0.85;
/** Below, half of all hours would hold an anomaly of some service; what is calm again is below this too. */
export const THRESHOLD_MIN = 0.6;
export const THRESHOLD_MAX = 1;
/** Times that are told to be left out, the newest. */
export const LEFT_OUT_MAX = 100;
/** Subjects of a preview that are told one by one, those that change most. */
export const PREVIEWED_MAX = 20;

const Moment = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const Count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const Threshold = v.pipe(v.number(), v.minValue(THRESHOLD_MIN), v.maxValue(THRESHOLD_MAX));
const CommandId = v.pipe(v.string(), v.regex(/^[a-z0-9]{12}$/));

/** A time that is not usual. `service` is null where it was all of them, `to` while it lasts. */
const UnusualSchema = v.strictObject({
  from: Moment,
  to: v.nullable(Moment),
  service: v.nullable(ServiceName),
  kind: v.picklist(["maintenance", "incident"]),
  /** Its name, as an operator reads it. */
  name: line(120),
});
export type Unusual = Readonly<v.InferOutput<typeof UnusualSchema>>;

/** After `expiresAt` it is not begun any more. */
const asked = { id: CommandId, askedAt: Moment, expiresAt: Moment, by: line(200) };
const CommandSchema = v.variant("kind", [
  v.strictObject({ kind: v.literal("preview"), ...asked, threshold: Threshold }),
  v.strictObject({ kind: v.literal("retrain"), ...asked }),
  v.strictObject({ kind: v.literal("roll_back"), ...asked }),
]);
export type DetectorCommand = Readonly<v.InferOutput<typeof CommandSchema>>;
const COMMAND_KINDS = ["preview", "retrain", "roll_back"] as const;

/** All that is wished of a cluster's detector. `threshold` null: the one of its own configuration. */
export const DetectorWishSchema = v.strictObject({
  v: v.literal(1),
  cluster: ClusterName,
  /** Rises with every change; what refuses a replay. */
  generation: Moment,
  threshold: v.nullable(Threshold),
  unusual: v.pipe(v.array(UnusualSchema), v.maxLength(LEFT_OUT_MAX)),
  command: v.nullable(CommandSchema),
});
export type DetectorWish = Readonly<v.InferOutput<typeof DetectorWishSchema>>;

/** The text whose SHA-256 is signed. The prefix keeps it from being taken for a desired state. */
export function detectorWishMessage(payload: string): string {
  return `observatory-detector-v1\0${payload}`;
}

/** `points` and `services` that were learnt from, and how many times were left out. */
const BaselineSchema = v.strictObject({
  version: Count,
  from: Moment,
  to: Moment,
  services: Count,
  points: Count,
  leftOut: Count,
});

/** What another threshold would have raised in the last seven days, and what the one in force would have. */
const PreviewSchema = v.strictObject({
  threshold: Threshold,
  against: Threshold,
  would: Count,
  did: Count,
  /** The most different first; `subject` is a service, or `mesh`. */
  subjects: v.pipe(
    v.array(v.strictObject({ subject: line(256), would: Count, did: Count })),
    v.maxLength(PREVIEWED_MAX),
  ),
});

/**
 * What became of a command. `no_data`: there is too little to answer from; `forbidden`: the agent's configuration does
 * not allow it; `expired`: it came too late; `failed`: anything else, with nothing changed.
 */
const ANSWER_STATES = ["running", "done", "no_data", "forbidden", "expired", "failed"] as const;
const AnswerSchema = v.strictObject({
  id: CommandId,
  kind: v.picklist(COMMAND_KINDS),
  state: v.picklist(ANSWER_STATES),
  at: Moment,
  /** How far it is, or what came of it. */
  says: line(500),
  preview: v.optional(PreviewSchema),
});
export type DetectorAnswer = Readonly<v.InferOutput<typeof AnswerSchema>>;

/**
 * `watching`: points are judged; `learning`: there is no baseline yet; `blind`: there is one, and nothing to judge by
 * it; `off`: nothing looks. Only `watching` makes "no anomaly" a statement.
 */
const DETECTOR_STATES = ["watching", "learning", "blind", "off"] as const;

export const DetectorReportSchema = v.strictObject({
  /** Of the newest wish that was taken in; 0 if none was. */
  observedGeneration: Moment,
  state: v.picklist(DETECTOR_STATES),
  /** Why it is not watching, or what it does not do of what was wished. */
  detail: v.nullable(line(300)),
  threshold: Threshold,
  /** Since when that is in force. */
  since: Moment,
  /** Whose that is: `limited` is the edge's, moved to what the agent's configuration allows. */
  setBy: v.picklist(["agent", "edge", "limited"]),
  baseline: v.nullable(BaselineSchema),
  /** The newest point that was judged. */
  judgedTo: v.nullable(Moment),
  answer: v.nullable(AnswerSchema),
});
export type DetectorReport = Readonly<v.InferOutput<typeof DetectorReportSchema>>;
