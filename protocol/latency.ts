/**
 * Latency as counts in buckets. Counts are merged and never averaged; a quantile is an interval, because a bucket
 * does not say where in it a value lay; a threshold is met, breached or indeterminate.
 */
import * as v from "valibot";

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
);

/**
 * `bounds` are upper bounds in ms, "istio" for `ISTIO_BOUNDS`; `counts` has one more for +Inf and is not cumulative.
 * Counts are floats: Prometheus' `increase` is not an integer. `sum` is in ms.
 * The scheme is named so that exponential histograms can join without a second kind of record.
 */
export const LatencySchema = v.pipe(
  v.strictObject({
    scheme: v.literal("explicit"),
    bounds: v.union([v.literal("istio"), Bounds]),
    counts: v.pipe(v.array(Count), v.maxLength(BOUNDS_MAX + 1)),
    sum: Count,
  }),
  v.check((latency) => latency.counts.length === boundsOf(latency).length + 1, "counts must be one more than bounds"),
);
export interface Latency {
  readonly scheme: "explicit";
  readonly bounds: "istio" | readonly number[];
  readonly counts: readonly number[];
  readonly sum: number;
}

/** A quantile in ms. The true value lies in (`lo`, `hi`]; `hi` is `null` if it lies in the open last bucket. */
export interface Quantile {
  readonly estimate: number;
  readonly lo: number;
  readonly hi: number | null;
}

export type ThresholdVerdict = "met" | "breached" | "indeterminate";

/** The upper bounds of a histogram, spelled out. */
export function boundsOf(latency: Pick<Latency, "bounds">): readonly number[] {
  return latency.bounds === "istio" ? ISTIO_BOUNDS : latency.bounds;
}

/** A histogram over `bounds`; the default bounds are kept by name, which saves most of its bytes. */
export function explicitLatency(bounds: readonly number[], counts: readonly number[], sum: number): Latency {
  const isIstio = bounds.length === ISTIO_BOUNDS.length && bounds.every((bound, i) => bound === ISTIO_BOUNDS[i]);
  return { scheme: "explicit", bounds: isIstio ? "istio" : bounds, counts, sum };
}

/** How many values a histogram holds. */
export function countOf(latency: Latency): number {
  return latency.counts.reduce((total, count) => total + count, 0);
}

/**
 * Both histograms as one. Different bounds are coarsened to the common ones, where both are exact; bounds with nothing
 * in common leave only the +Inf bucket, which loses resolution but no value.
 */
export function mergeLatency(a: Latency, b: Latency): Latency {
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
  const bounds = boundsOf(latency);
  const total = countOf(latency);
  if (total <= 0) return null;
  // Counts from `increase` may hold less than one value in all: then the rank is the whole.
  const rank = Math.min(total, Math.ceil(q * total));
  let below = 0;
  for (const [i, count] of latency.counts.entries()) {
    if (count > 0 && below + count >= rank) return inBucket(bounds, i, (rank - below) / count);
    below += count;
  }
  // The floats' sum may end a hair below the rank: the value is then in the last bucket that holds any.
  return inBucket(
    bounds,
    latency.counts.findLastIndex((count) => count > 0),
    1,
  );
}

function inBucket(bounds: readonly number[], index: number, share: number): Quantile {
  const lo = index === 0 ? 0 : (bounds[index - 1] ?? 0);
  const hi = bounds[index] ?? null;
  return { estimate: hi === null ? lo : lo + (hi - lo) * share, lo, hi };
}

/** Whether "the quantile is at most `threshold` ms" holds. Exact where the threshold is a bucket's bound. */
export function thresholdVerdict(quantileValue: Quantile, threshold: number): ThresholdVerdict {
  if (quantileValue.hi !== null && quantileValue.hi <= threshold) return "met";
  if (quantileValue.lo >= threshold) return "breached";
  return "indeterminate";
}
