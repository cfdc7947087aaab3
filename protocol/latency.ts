/**
 * Latency as counts in buckets. Counts are merged and never averaged; a quantile is an interval, because a bucket
 * does not say where in it a value lay; a threshold is met, breached or indeterminate.
 *
 * Two schemes: `explicit` has the bounds that somebody chose, as Istio does; `exponential` has bounds at a constant ratio
 * (exponential.ts). Both say the same of a bucket, (lower, upper], and neither can be turned into the other without
 * losing what it knows, so they are never merged: what was counted in both is shown as both.
 */
import * as v from "valibot";
import { boundAt, exponentialCount, ExponentialSchema, mergeExponential, ZERO_MAX_MS } from "./exponential.ts";
import type { ExponentialLatency } from "./exponential.ts";

/** Envoy's default bucket bounds in milliseconds (`HistogramSettingsImpl::defaultBuckets`), as Istio uses them. */
export const ISTIO_BOUNDS: readonly number[] = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000,
  3_600_000,
];

export const BOUNDS_MAX = 64;
const Count = v.pipe(v.number(), v.finite(), v.minValue(0));
const Bounds = v.pipe(
  v.array(v.pipe(v.number(), v.finite(), v.minValue(0))),
  v.minLength(1),
  v.maxLength(BOUNDS_MAX),
  v.check((bounds) => bounds.every((bound, i) => i === 0 || bound > (bounds[i - 1] ?? 0)), "bounds must rise"),
  v.readonly(),
);

/**
 * `bounds` are upper bounds in ms, "istio" for `ISTIO_BOUNDS`; `counts` has one more for +Inf and is not cumulative.
 * Counts are floats: Prometheus' `increase` is not an integer. `sum` is in ms.
 */
const ExplicitSchema = v.pipe(
  v.strictObject({
    scheme: v.literal("explicit"),
    bounds: v.union([v.literal("istio"), Bounds]),
    counts: v.pipe(v.array(Count), v.maxLength(BOUNDS_MAX + 1), v.readonly()),
    sum: Count,
  }),
  v.check((latency) => latency.counts.length === boundsOf(latency).length + 1, "counts must be one more than bounds"),
);
export interface ExplicitLatency {
  readonly scheme: "explicit";
  readonly bounds: "istio" | readonly number[];
  readonly counts: readonly number[];
  readonly sum: number;
}

/** An edge of before knows `explicit` alone: the other one goes only to an edge that accepts it (push.ts). */
export const LatencySchema = v.variant("scheme", [ExplicitSchema, ExponentialSchema]);
export type Latency = ExplicitLatency | ExponentialLatency;

/**
 * How an estimate was read: `linear` within an explicit bucket, as Prometheus does it; `midpoint` of an exponential one,
 * which is off by (base - 1) / (base + 1) at most; `at_least` where the bucket is open above.
 */
export const QUANTILE_METHODS = ["linear", "midpoint", "at_least"] as const;
type QuantileMethod = (typeof QUANTILE_METHODS)[number];

/** A quantile in ms. The true value lies in (`lo`, `hi`]; `hi` is `null` if it lies in the open last bucket. */
export interface Quantile {
  readonly estimate: number;
  readonly lo: number;
  readonly hi: number | null;
  /** Absent in what an earlier version wrote. */
  readonly method?: QuantileMethod;
  /** Of the requests that were counted in the other scheme, the fewer ones. Absent where all were counted in one. */
  readonly also?: Quantile;
}

export type ThresholdVerdict = "met" | "breached" | "indeterminate";

/** The upper bounds of a histogram, spelled out. */
export function boundsOf(latency: Pick<ExplicitLatency, "bounds">): readonly number[] {
  return latency.bounds === "istio" ? ISTIO_BOUNDS : latency.bounds;
}

/** A histogram over `bounds`; the default bounds are kept by name, which saves most of its bytes. */
export function explicitLatency(bounds: readonly number[], counts: readonly number[], sum: number): ExplicitLatency {
  const isIstio = bounds.length === ISTIO_BOUNDS.length && bounds.every((bound, i) => bound === ISTIO_BOUNDS[i]);
  return { scheme: "explicit", bounds: isIstio ? "istio" : bounds, counts, sum };
}

/** How many values a histogram holds. */
export function countOf(latency: Latency): number {
  return latency.scheme === "exponential" ? exponentialCount(latency) : latency.counts.reduce((a, b) => a + b, 0);
}

/** Both histograms as one; null where their schemes differ. */
export function mergeLatency(a: ExplicitLatency, b: ExplicitLatency): ExplicitLatency;
export function mergeLatency(a: Latency, b: Latency): Latency | null;
export function mergeLatency(a: Latency, b: Latency): Latency | null {
  if (a.scheme === "explicit") return b.scheme === "explicit" ? mergeExplicit(a, b) : null;
  return b.scheme === "exponential" ? mergeExponential(a, b) : null;
}

/** All histograms as one a scheme: none, one or two, the one that holds more first. */
export function mergeLatencies(latencies: readonly Latency[]): readonly Latency[] {
  const explicit = latencies.filter((latency) => latency.scheme === "explicit");
  const exponential = latencies.filter((latency) => latency.scheme === "exponential");
  const merged = [
    ...(explicit.length === 0 ? [] : [explicit.reduce(mergeExplicit)]),
    ...(exponential.length === 0 ? [] : [exponential.reduce(mergeExponential)]),
  ];
  return merged.toSorted((a, b) => countOf(b) - countOf(a));
}

/**
 * Different bounds are coarsened to the common ones, where both are exact; bounds with nothing in common leave only the
 * +Inf bucket, which loses resolution but no value.
 */
function mergeExplicit(a: ExplicitLatency, b: ExplicitLatency): ExplicitLatency {
  const boundsA = boundsOf(a);
  const boundsB = boundsOf(b);
  if (
    a.bounds === b.bounds ||
    (boundsA.length === boundsB.length && boundsA.every((bound, i) => bound === boundsB[i]))
  ) {
    return { ...a, counts: a.counts.map((count, i) => count + (b.counts[i] ?? 0)), sum: a.sum + b.sum };
  }
  const inB = new Set(boundsB);
  const common = boundsA.filter((bound) => inB.has(bound));
  const countsA = coarsen(boundsA, a.counts, common);
  const countsB = coarsen(boundsB, b.counts, common);
  return explicitLatency(
    common,
    countsA.map((count, i) => count + (countsB[i] ?? 0)),
    a.sum + b.sum,
  );
}

function coarsen(bounds: readonly number[], counts: readonly number[], common: readonly number[]): number[] {
  const result = Array.from({ length: common.length + 1 }, () => 0);
  counts.forEach((count, i) => {
    const upper = bounds[i] ?? Number.POSITIVE_INFINITY;
    const found = common.findIndex((bound) => upper <= bound);
    const at = found === -1 ? common.length : found;
    result[at] = (result[at] ?? 0) + count;
  });
  return result;
}

/**
 * The quantile `q` (0 to 1) with the bounds of its bucket; `null` of an empty histogram.
 * The rank is `ceil(q · n)`, as everywhere in the product; inside the bucket the estimate is linear, as Prometheus' is.
 */
export function quantile(latency: Latency, q: number): Quantile | null {
  if (latency.scheme === "explicit") {
    const found = bucketOf(latency.counts, q);
    return found === null ? null : inExplicitBucket(boundsOf(latency), found);
  }
  const found = bucketOf([latency.zeros, ...latency.counts], q);
  return found === null ? null : inExponentialBucket(latency, found.index);
}

/** The quantile of several histograms together: of each scheme its own, the one of more requests first. */
export function quantileOf(latencies: readonly Latency[], q: number): Quantile | null {
  const [first = null, second = null] = mergeLatencies(latencies).map((latency) => quantile(latency, q));
  return first === null || second === null ? first : { ...first, also: second };
}

interface Bucket {
  readonly index: number;
  /** How far into the bucket's values the rank is, 0 to 1. */
  readonly share: number;
}

function bucketOf(counts: readonly number[], q: number): Bucket | null {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total <= 0) return null;
  // Counts from `increase` may hold less than one value in all: then the rank is the whole.
  const rank = Math.min(total, Math.ceil(q * total));
  let below = 0;
  for (const [index, count] of counts.entries()) {
    if (count > 0 && below + count >= rank) return { index, share: (rank - below) / count };
    below += count;
  }
  // The floats' sum may end a hair below the rank: the value is then in the last bucket that holds any.
  return { index: counts.findLastIndex((count) => count > 0), share: 1 };
}

function inExplicitBucket(bounds: readonly number[], { index, share }: Bucket): Quantile {
  const lo = index === 0 ? 0 : (bounds[index - 1] ?? 0);
  const hi = bounds[index] ?? null;
  if (hi === null) return { estimate: lo, lo, hi, method: "at_least" };
  return { estimate: lo + (hi - lo) * share, lo, hi, method: "linear" };
}

/** `position` 0 are the zeros, 1 is the first bucket. */
function inExponentialBucket({ scale, offset, min, max }: ExponentialLatency, position: number): Quantile {
  const index = offset + position - 1;
  const lo = position === 0 ? 0 : boundAt(scale, index);
  const hi = Math.min(max, position === 0 ? ZERO_MAX_MS : boundAt(scale, index + 1));
  const midpoint = position === 0 ? 0 : (2 * lo * hi) / (lo + hi);
  // `lo` is not raised to `min`: the value may be `min` itself, and what says "above `lo`" must stay true.
  return { estimate: Math.max(midpoint, Math.min(min, hi)), lo, hi, method: "midpoint" };
}

/** Whether "the quantile is at most `threshold` ms" holds. Exact where the threshold is a bucket's bound. */
export function thresholdVerdict({ lo, hi }: Quantile, threshold: number): ThresholdVerdict {
  if (hi !== null && hi <= threshold) return "met";
  if (lo >= threshold) return "breached";
  return "indeterminate";
}

/**
 * Why a threshold could not be decided, and what would help, for operators: null where it was decided.
 *
 * @param scheme of the histogram that the quantile was read from: exponential buckets lie where they lie
 */
export function thresholdDoubt(found: Quantile, threshold: number, scheme: Latency["scheme"]): string | null {
  if (thresholdVerdict(found, threshold) !== "indeterminate") return null;
  const between = found.hi === null ? `above ${inMs(found.lo)}` : `between ${short(found.lo)} and ${inMs(found.hi)}`;
  const hint = scheme === "explicit" ? `; add ${threshold} to statsHistogramBuckets` : "";
  return `cannot tell whether p95 is within ${threshold} ms: it lies ${between}${hint}`;
}

function inMs(value: number): string {
  return `${short(value)} ms`;
}

function short(value: number): number {
  return Number(value.toPrecision(4));
}
