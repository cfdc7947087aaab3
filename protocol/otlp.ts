/**
 * An exponential histogram as OTLP/HTTP's JSON has it (`ExponentialHistogramDataPoint`): lowerCamelCase keys, 64-bit
 * integers as strings. Its bucket i is ours, (base^i, base^(i+1)], so one in milliseconds is taken as it is, at scale 4
 * at most.
 *
 * One in seconds (OpenTelemetry's semantic conventions) is not a histogram of milliseconds: 1,000 is no power of two, and
 * its buckets would lie across ours. It becomes an explicit one, at bounds of 1,000 · 2^k ms, where its counts are exact.
 */
import * as v from "valibot";
import { exponentialLatency, hasPossibleBuckets, SCALE_MIN, ZERO_MAX_MS } from "./exponential.ts";
import { explicitLatency } from "./latency.ts";
import type { Latency } from "./latency.ts";

/** OpenTelemetry's finest scale; its default size is 160 buckets, its collectors take more. */
const OTLP_SCALE_MAX = 20;
const OTLP_BUCKETS_MAX = 1_024;

const Count = v.union([
  v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  v.pipe(v.string(), v.regex(/^\d{1,15}$/), v.transform(Number)),
]);
const Amount = v.pipe(v.number(), v.finite(), v.minValue(0));
const Buckets = v.object({
  offset: v.optional(v.pipe(v.number(), v.integer()), 0),
  bucketCounts: v.optional(v.pipe(v.array(Count), v.maxLength(OTLP_BUCKETS_MAX)), []),
});

/** What is left out is 0, as protobuf has it; fields that are not needed here are ignored. */
const PointSchema = v.object({
  scale: v.optional(v.pipe(v.number(), v.integer(), v.minValue(SCALE_MIN), v.maxValue(OTLP_SCALE_MAX)), 0),
  zeroCount: v.optional(Count, 0),
  zeroThreshold: v.optional(Amount, 0),
  positive: v.optional(Buckets, {}),
  negative: v.optional(Buckets, {}),
  sum: v.optional(Amount, 0),
  min: v.optional(Amount),
  max: v.optional(Amount),
});
type Point = v.InferOutput<typeof PointSchema>;

/**
 * A data point as a histogram; null if it is none, or holds what is no duration, or zeros that may be anything up to a
 * threshold (an SDK may raise it to save memory).
 */
export function latencyOfOtlp(point: unknown, unit: "ms" | "s"): Latency | null {
  const parsed = v.safeParse(PointSchema, point);
  if (!parsed.success) return null;
  const { scale, zeroCount, zeroThreshold, positive, negative } = parsed.output;
  const { offset, bucketCounts } = positive;
  const unitMs = unit === "ms" ? 1 : 1_000;
  if (negative.bucketCounts.some((count) => count > 0)) return null;
  if (zeroCount > 0 && zeroThreshold * unitMs > ZERO_MAX_MS) return null;
  if (!hasPossibleBuckets({ scale, offset, counts: bucketCounts })) return null;
  return unit === "ms" ? inMilliseconds(parsed.output) : inSeconds(parsed.output);
}

function inMilliseconds({ scale, zeroCount: zeros, positive, sum, min, max }: Point): Latency {
  const buckets = new Map(positive.bucketCounts.map((count, i) => [positive.offset + i, count]));
  const range = { ...(min !== undefined && { min }), ...(max !== undefined && { max }) };
  return exponentialLatency({ scale, zeros, buckets, sum, ...range });
}

/** 0.49 ms to 17 minutes. */
const [POWER_MIN, POWER_MAX] = [-11, 10];
const SECOND_BOUNDS: readonly number[] = Array.from(
  { length: POWER_MAX - POWER_MIN + 1 },
  (_, i) => 1_000 * 2 ** (POWER_MIN + i),
);

function inSeconds({ scale, zeroCount, positive: { offset, bucketCounts }, sum }: Point): Latency | null {
  // Wider than the bounds.
  if (scale < 0) return null;
  const counts = Array.from({ length: SECOND_BOUNDS.length + 1 }, () => 0);
  counts[0] = zeroCount;
  for (const [i, count] of bucketCounts.entries()) {
    const power = Math.ceil((offset + i + 1) / 2 ** scale);
    const at = Math.min(SECOND_BOUNDS.length, Math.max(0, power - POWER_MIN));
    counts[at] = (counts[at] ?? 0) + count;
  }
  return explicitLatency(SECOND_BOUNDS, counts, 1_000 * sum);
}
