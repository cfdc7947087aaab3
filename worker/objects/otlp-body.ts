/**
 * An `ExportMetricsServiceRequest` of OTLP/HTTP in JSON to points. Fields are lowerCamelCase, 64-bit integers strings or
 * numbers, enums integers; what is not known is ignored, as OTLP wants it. Each data point is judged alone.
 *
 * What is read are histograms of the durations of served requests: their counts are the requests, an attribute says
 * which of them failed. Everything else is left unread, and said so.
 */
import * as v from "valibot";
import { BOUNDS_MAX, explicitLatency } from "../../protocol/latency.ts";
import type { Latency } from "../../protocol/latency.ts";
import { ServiceName } from "../../protocol/name.ts";
import { DURATION_METRIC, isFailure, serviceOf } from "../../protocol/istio.ts";
import { latencyOfOtlp } from "../../protocol/otlp.ts";
import type { Millis } from "../../protocol/time.ts";
import type { Point } from "../core/collected.ts";
import { shortHash } from "../core/hash.ts";

/** Bytes of a request as it comes, and unpacked. */
export const OTLP_BYTES_MAX = 1_048_576;
export const OTLP_UNPACKED_MAX = 4 * 1_048_576;
/** request → resourceMetrics → … → dataPoints → attributes → value, and a list in it. */
export const OTLP_DEPTH_MAX = 24;
/** Data points of a request. Further ones are rejected. */
const POINTS_MAX = 10_000;

type Unit = "ms" | "s";
type Attributes = Readonly<Record<string, string>>;

export interface ReadExport {
  readonly points: readonly Point[];
  /** Why data points cannot be taken, and how many. */
  readonly rejected: Readonly<Record<string, number>>;
  /** Data points of metrics that are not read here. */
  readonly unread: number;
}

const KeyValue = v.object({ key: v.string(), value: v.optional(v.record(v.string(), v.unknown()), {}) });
const Attributes = v.optional(v.array(KeyValue), []);
const Resource = v.object({
  resource: v.optional(v.object({ attributes: Attributes }), {}),
  scopeMetrics: v.optional(v.array(v.object({ metrics: v.optional(v.array(v.unknown()), []) })), []),
});
const ExportSchema = v.object({ resourceMetrics: v.optional(v.array(Resource), []) });

const Data = v.object({
  dataPoints: v.optional(v.array(v.unknown()), []),
  aggregationTemporality: v.optional(v.number(), 0),
});
const MetricSchema = v.object({
  name: v.optional(v.string(), ""),
  unit: v.optional(v.string(), ""),
  histogram: v.optional(Data),
  exponentialHistogram: v.optional(Data),
  sum: v.optional(Data),
  gauge: v.optional(Data),
  summary: v.optional(Data),
});
type Metric = v.InferOutput<typeof MetricSchema>;

const Whole = v.union([
  v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  v.pipe(v.string(), v.regex(/^\d{1,15}$/), v.transform(Number)),
]);
/** Nanoseconds since 1970, to ms. */
const Nanos = v.union([
  v.pipe(
    v.string(),
    v.regex(/^\d{1,20}$/),
    v.transform((text): Millis => Number(text.slice(0, -6) || "0")),
  ),
  v.pipe(
    v.number(),
    v.minValue(0),
    v.transform((nanos): Millis => Math.floor(nanos / 1e6)),
  ),
]);
const PointSchema = v.object({
  attributes: Attributes,
  startTimeUnixNano: v.optional(Nanos, 0),
  timeUnixNano: Nanos,
  flags: v.optional(v.number(), 0),
});
const ExplicitSchema = v.object({
  sum: v.optional(v.pipe(v.number(), v.finite(), v.minValue(0)), 0),
  bucketCounts: v.array(Whole),
  explicitBounds: v.pipe(
    v.array(v.pipe(v.number(), v.finite(), v.minValue(0))),
    v.minLength(1),
    v.maxLength(BOUNDS_MAX),
  ),
});

/** Names of OpenTelemetry's conventions, new and old, and Istio's own as a collector scrapes it. */
const METRICS: Readonly<Record<string, Unit>> = {
  "http.server.request.duration": "s",
  "http.server.duration": "ms",
  [DURATION_METRIC]: "ms",
};
const [DELTA, CUMULATIVE] = [1, 2];
const NO_RECORDED_VALUE = 1;

/** Null if it is no export at all. */
export function readExport(json: unknown): ReadExport | null {
  const parsed = v.safeParse(ExportSchema, json, { abortEarly: true });
  if (!parsed.success) return null;
  const points: Point[] = [];
  const rejected: Record<string, number> = {};
  let unread = 0;
  const reject = (why: string, count: number): void => {
    if (count > 0) rejected[why] = (rejected[why] ?? 0) + count;
  };
  for (const { resource, scopeMetrics } of parsed.output.resourceMetrics) {
    const of = attributesOf(resource.attributes ?? []);
    for (const json of scopeMetrics.flatMap(({ metrics }) => metrics)) {
      const metric = v.safeParse(MetricSchema, json, { abortEarly: true });
      if (!metric.success) {
        reject("a metric is malformed", 1);
        continue;
      }
      const { data, unit } = readable(metric.output);
      if (unit === null) {
        unread += data.dataPoints.length;
        continue;
      }
      const room = data.dataPoints.slice(0, Math.max(0, POINTS_MAX - points.length));
      reject(`more than ${POINTS_MAX} data points in a request`, data.dataPoints.length - room.length);
      for (const one of room) {
        const point = pointOf(metric.output, data.aggregationTemporality, unit, of, one);
        if (typeof point === "string") reject(point, 1);
        else if (point !== null) points.push(point);
      }
    }
  }
  return { points, rejected, unread };
}

/** `unit` null: it is none of those that are read. */
function readable(metric: Metric): { readonly data: v.InferOutput<typeof Data>; readonly unit: Unit | null } {
  const { name, unit, histogram, exponentialHistogram, sum, gauge, summary } = metric;
  const data = histogram ?? exponentialHistogram;
  const known = Object.hasOwn(METRICS, name) ? (METRICS[name] ?? null) : null;
  const nothing = { dataPoints: [], aggregationTemporality: 0 };
  if (data === undefined || known === null) return { data: data ?? sum ?? gauge ?? summary ?? nothing, unit: null };
  return { data, unit: unit === "s" || unit === "ms" ? unit : known };
}

/** Why it cannot be taken; null if it says nothing that is counted here. */
function pointOf(
  metric: Metric,
  temporality: number,
  unit: Unit,
  of: Attributes,
  json: unknown,
): Point | string | null {
  const parsed = v.safeParse(PointSchema, json, { abortEarly: true });
  if (!parsed.success) return "a data point is malformed";
  if (temporality !== DELTA && temporality !== CUMULATIVE) return "its aggregation temporality is not said";
  const { startTimeUnixNano: startAt, timeUnixNano: at, flags } = parsed.output;
  // Prometheus' stale markers come this way.
  if ((flags & NO_RECORDED_VALUE) !== 0) return null;
  const own = attributesOf(parsed.output.attributes);
  // Istio counts at both ends: once is enough.
  if (metric.name === DURATION_METRIC && own["reporter"] === "source") return null;
  const service = metric.name === DURATION_METRIC ? serviceOf(own) : workloadOf(of);
  if (service === null) return "no service is named (k8s.namespace.name or service.namespace, and service.name)";
  const latency = metric.histogram === undefined ? latencyOfOtlp(json, unit) : explicitOf(json, unit);
  if (latency === null) return "its buckets cannot be read";
  const series = shortHash(JSON.stringify([metric.name, service, sorted(of), sorted(own)]));
  const isError =
    metric.name === DURATION_METRIC
      ? isFailure(own["response_code"] ?? "", own["grpc_response_status"] ?? "")
      : isFailure(own["http.response.status_code"] ?? own["http.status_code"] ?? "", "");
  return { series, service, isError, isDelta: temporality === DELTA, startAt, at, latency };
}

/** A workload by the resource's attributes: OpenTelemetry's for Kubernetes come before what a process says of itself. */
function workloadOf(of: Attributes): string | null {
  const namespace = of["k8s.namespace.name"] ?? of["service.namespace"] ?? "";
  const service = `${namespace}/${of["k8s.deployment.name"] ?? of["service.name"] ?? ""}`;
  return v.is(ServiceName, service) ? service : null;
}

function explicitOf(json: unknown, unit: Unit): Latency | null {
  const parsed = v.safeParse(ExplicitSchema, json, { abortEarly: true });
  if (!parsed.success) return null;
  const { bucketCounts, explicitBounds, sum } = parsed.output;
  const unitMs = unit === "s" ? 1_000 : 1;
  // 0.075 · 1,000 is 75 only nearly.
  const bounds = explicitBounds.map((bound) => Number((bound * unitMs).toPrecision(12)));
  const isRising = bounds.every((bound, i) => i === 0 || bound > (bounds[i - 1] ?? 0));
  if (!isRising || bucketCounts.length !== bounds.length + 1) return null;
  return explicitLatency(bounds, bucketCounts, sum * unitMs);
}

function attributesOf(list: readonly v.InferOutput<typeof KeyValue>[]): Attributes {
  const texts = list.map(({ key, value }) => [key, textOf(value)] as const);
  return Object.fromEntries(texts);
}

function textOf(value: Readonly<Record<string, unknown>>): string {
  const { stringValue, intValue, boolValue, doubleValue } = value;
  const found = stringValue ?? intValue ?? boolValue ?? doubleValue;
  return typeof found === "string" || typeof found === "number" || typeof found === "boolean" ? String(found) : "";
}

function sorted(attributes: Attributes): readonly (readonly [string, string])[] {
  return Object.entries(attributes).toSorted(([a], [b]) => (a < b ? -1 : 1));
}
