/**
 * The runbook's morning list as an agent sees it: Prometheus' own health, the pods and the autoscalers. A summary, small
 * enough to go with every push; what happened once is an event (record.ts).
 */
import * as v from "valibot";
import { line } from "./name.ts";

const Moment = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const Count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

/** Names of one kind that are told one by one; beside them stands how many there are. */
export const NAMED_MAX = 10;
/** Namespaces with a status of their pods: an agent watches few, and a pod has few words for how it is. */
export const POD_GROUPS_MAX = 60;
const Names = v.pipe(v.array(line(256)), v.maxLength(NAMED_MAX));

/** What all series together are called among names of metrics, none of which can have this sign. */
export const ALL_SERIES = "*";

const SeriesSchema = v.strictObject({
  metric: line(256),
  series: Count,
  /** A day ago, or at most so many where it was not among the ten largest then; null while that is not known. */
  before: v.nullable(Count),
});

/** Each part is null where this Prometheus does not tell it, or did not when asked last: that is not "0 down". */
const PrometheusHealthSchema = v.strictObject({
  /** When it was asked. */
  at: Moment,
  /** `unknown`: not scraped yet. `named`: those that are down. */
  targets: v.nullable(v.strictObject({ up: Count, down: Count, unknown: Count, named: Names })),
  /** `named`: those that fail. */
  rules: v.nullable(v.strictObject({ ok: Count, failing: Count, named: Names })),
  /** `head`: series in memory. `growing`: the names of `top` that grow beyond what is usual, or `ALL_SERIES`. */
  series: v.nullable(
    v.strictObject({
      head: v.nullable(Count),
      headBefore: v.nullable(Count),
      top: v.pipe(v.array(SeriesSchema), v.maxLength(NAMED_MAX)),
      growing: Names,
    }),
  ),
  /** What it does not tell, and why. */
  detail: v.nullable(line(300)),
});
export type PrometheusHealth = Readonly<v.InferOutput<typeof PrometheusHealthSchema>>;

/** What the agent's account shows it of the namespaces that it watches. */
const WorkloadHealthSchema = v.strictObject({
  /** In the words of `kubectl get pods`, the commonest first. */
  pods: v.pipe(
    v.array(v.strictObject({ namespace: line(63), status: line(100), count: Count })),
    v.maxLength(POD_GROUPS_MAX),
  ),
  /** `namespace/name`. At its limit: it wants as many as it may have, so more load finds no more pods. */
  autoscalers: v.strictObject({ total: Count, atLimit: Count, named: Names }),
});
export type WorkloadHealth = Readonly<v.InferOutput<typeof WorkloadHealthSchema>>;

/** Null: the agent has no such source, or sees nothing through it now. */
export const HealthReportSchema = v.strictObject({
  prometheus: v.nullable(PrometheusHealthSchema),
  workloads: v.nullable(WorkloadHealthSchema),
});
export type HealthReport = Readonly<v.InferOutput<typeof HealthReportSchema>>;
