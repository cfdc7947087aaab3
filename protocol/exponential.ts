/**
 * Durations as counts in buckets that widen by a constant factor: OpenTelemetry's exponential histogram, which is
 * Prometheus' native one too. A quantile read from it is off by at most 2.17 % at scale 4, wherever it lies.
 *
 *   base = 2^(2^-scale)      bucket i holds (base^i, base^(i+1)] ms
 *
 *   scale 4   … │ 1.000–1.044 │ 1.044–1.091 │ 1.091–1.139 │ 1.139–1.189 │ …      index 0, 1, 2, 3
 *   scale 3   … │       1.000–1.091         │       1.091–1.189         │ …      index 0, 1: pairs of neighbours
 *
 * Every bound of a scale is one of the next finer scale, so a coarser scale is reached by adding pairs (`index >> 1`),
 * which is exact: two histograms of any scales merge without a loss beyond the coarser one's width.
 *
 * All functions answer the one canonical form: no empty bucket at either end, no finer scale than `SCALE_MAX`, at most
 * `BUCKETS_MAX` buckets at the finest scale that allows it, and nothing below `ZERO_MAX_MS` outside of `zeros`. That is
 * what makes merging associative.
 */
import * as v from "valibot";

/** ± 2.17 %, in 160 buckets over three powers of ten. Finer ones cost bytes and tell nobody more. */
export const SCALE_MAX = 4;
/** Prometheus' coarsest: each bucket is 65,536 times as wide as the one before. */
export const SCALE_MIN = -4;
/** OpenTelemetry's `max_size`. */
export const BUCKETS_MAX = 160;
/** Up to a microsecond (2^-10 ms, a bound at every scale that is used) a duration is none, ms. */
export const ZERO_MAX_MS = 2 ** -10;
/** Bounds lie between 2^-64 and 2^64 ms, which is older than the universe. */
const EXPONENT_MAX = 64;

/**
 * Bucket `offset + i` has `counts[i]`; `zeros` are those of at most `ZERO_MAX_MS`. Counts are floats. No value is above
 * `max` or below `min`: where nobody measured them they are the outer bounds of the buckets. `sum` is in ms.
 */
export interface ExponentialLatency {
  readonly scheme: "exponential";
  readonly scale: number;
  readonly zeros: number;
  readonly offset: number;
  readonly counts: readonly number[];
  readonly min: number;
  readonly max: number;
  readonly sum: number;
}

const Count = v.pipe(v.number(), v.finite(), v.minValue(0));

export const ExponentialSchema = v.pipe(
  v.strictObject({
    scheme: v.literal("exponential"),
    scale: v.pipe(v.number(), v.integer(), v.minValue(SCALE_MIN), v.maxValue(SCALE_MAX)),
    zeros: Count,
    offset: v.pipe(v.number(), v.safeInteger()),
    counts: v.pipe(v.array(Count), v.maxLength(BUCKETS_MAX), v.readonly()),
    min: Count,
    max: Count,
    sum: Count,
  }),
  v.check((latency) => hasPossibleBuckets(latency), "no duration is in these buckets"),
  v.check(({ min, max }) => min <= max, "min above max"),
);

/** Whether durations can be in all buckets. */
export function hasPossibleBuckets({
  scale,
  offset,
  counts,
}: {
  readonly scale: number;
  readonly offset: number;
  readonly counts: readonly unknown[];
}): boolean {
  const width = 2 ** -scale;
  return offset * width >= -EXPONENT_MAX && (offset + counts.length) * width <= EXPONENT_MAX;
}

/** What is below bucket `index`: its exclusive lower bound, ms. */
export function boundAt(scale: number, index: number): number {
  return 2 ** (index * 2 ** -scale);
}

/** The bucket of a value above 0. */
export function indexOf(scale: number, value: number): number {
  const index = Math.ceil(Math.log2(value) * 2 ** scale) - 1;
  // A logarithm next to a bound may fall on the wrong side of it by its last digit.
  if (value <= boundAt(scale, index)) return index - 1;
  return value > boundAt(scale, index + 1) ? index + 1 : index;
}

/** How many values it holds. */
export function exponentialCount({ zeros, counts }: ExponentialLatency): number {
  return counts.reduce((total, count) => total + count, zeros);
}

/** Values in ms, each counted once. Those that are no durations are left out. */
export function exponentialOf(values: readonly number[]): ExponentialLatency {
  const counted = values.filter((value) => value >= 0 && Number.isFinite(value));
  const buckets = new Map<number, number>();
  let zeros = 0;
  for (const value of counted) {
    if (value <= ZERO_MAX_MS) zeros++;
    else add(buckets, indexOf(SCALE_MAX, value), 1);
  }
  const sum = counted.reduce((total, value) => total + value, 0);
  const range = counted.length === 0 ? {} : { min: least(counted), max: most(counted) };
  return exponentialLatency({ scale: SCALE_MAX, zeros, buckets, sum, ...range });
}

/** Buckets of any scale by their index, and what is known of the values beside them. */
export interface ExponentialParts {
  readonly scale: number;
  readonly zeros: number;
  /** Index to count; none of them negative. */
  readonly buckets: ReadonlyMap<number, number>;
  readonly sum: number;
  readonly min?: number;
  readonly max?: number;
}

/** The canonical histogram of some buckets: whatever scale and size a peer has, ours is what comes in. */
export function exponentialLatency({ scale, zeros, buckets, ...known }: ExponentialParts): ExponentialLatency {
  const indexes = [...buckets.keys()];
  const offset = indexes.length === 0 ? 0 : least(indexes);
  const counts = Array.from({ length: indexes.length === 0 ? 0 : most(indexes) - offset + 1 }, () => 0);
  for (const [index, count] of buckets) counts[index - offset] = count;
  return canonical([{ scale, offset, counts }], { zeros, ...known });
}

/** Both as one, at the coarser scale of the two, or a coarser one if they lie too far apart. */
export function mergeExponential(a: ExponentialLatency, b: ExponentialLatency): ExponentialLatency {
  const held = [a, b].filter(holdsAny);
  const range = held.length > 0 && { min: least(held.map(({ min }) => min)), max: most(held.map(({ max }) => max)) };
  return canonical([a, b], { zeros: a.zeros + b.zeros, sum: a.sum + b.sum, ...range });
}

function holdsAny({ zeros, counts }: ExponentialLatency): boolean {
  return zeros > 0 || counts.some((count) => count > 0);
}

type Buckets = Pick<ExponentialLatency, "scale" | "offset" | "counts">;

/** All buckets as one histogram. Loops, because charts merge thousands. */
function canonical(
  all: readonly Buckets[],
  { zeros, sum, min, max }: Omit<ExponentialParts, "scale" | "buckets">,
): ExponentialLatency {
  let nothing = zeros;
  const spans: Span[] = [];
  for (const buckets of all) {
    const { span, below } = spanOf(buckets);
    nothing += below;
    if (span !== null) spans.push(span);
  }
  const scale = scaleToFit(spans);
  const offset = least(spans.map((span) => span.first >> (span.scale - scale)));
  const end = most(spans.map((span) => span.last >> (span.scale - scale))) + 1;
  const counts: number[] = [];
  for (let index = offset; index < end; index++) counts.push(0);
  for (const { buckets, scale: own, first, last } of spans) {
    for (let index = first; index <= last; index++) {
      const at = (index >> (own - scale)) - offset;
      counts[at] = (counts[at] ?? 0) + (buckets.counts[index - buckets.offset] ?? 0);
    }
  }
  const held = { scale, zeros: nothing, offset: spans.length === 0 ? 0 : offset, counts };
  return { scheme: "exponential", ...held, ...rangeOf(held, min, max), sum };
}

interface Span {
  readonly buckets: Buckets;
  readonly scale: number;
  /** Indexes of the outer buckets that hold anything. */
  readonly first: number;
  readonly last: number;
}

/** Where the buckets above `ZERO_MAX_MS` hold anything, and how much those up to it hold. */
function spanOf(buckets: Buckets): { readonly span: Span | null; readonly below: number } {
  const { scale, offset, counts } = buckets;
  const zeroEnd = Math.floor(Math.log2(ZERO_MAX_MS) * 2 ** scale);
  let below = 0;
  let first = 0;
  let last = counts.length - 1;
  for (; first <= last && (offset + first < zeroEnd || !((counts[first] ?? 0) > 0)); first++)
    below += counts[first] ?? 0;
  while (last > first && !((counts[last] ?? 0) > 0)) last--;
  return { span: first > last ? null : { buckets, scale, first: offset + first, last: offset + last }, below };
}

/** The finest scale at which all buckets are few enough. */
function scaleToFit(spans: readonly Span[]): number {
  let scale = Math.min(SCALE_MAX, ...spans.map((span) => span.scale));
  // Ends: indexes of 32 bits are one bucket or two at the latest after 31 steps.
  for (; ; scale--) {
    const first = least(spans.map((span) => span.first >> (span.scale - scale)));
    const last = most(spans.map((span) => span.last >> (span.scale - scale)));
    if (last - first < BUCKETS_MAX) return scale;
  }
}

function rangeOf(
  { scale, zeros, offset, counts }: Buckets & Pick<ExponentialLatency, "zeros">,
  min: number | undefined,
  max: number | undefined,
): Pick<ExponentialLatency, "min" | "max"> {
  if (zeros === 0 && counts.length === 0) return { min: 0, max: 0 };
  const lo = zeros > 0 || counts.length === 0 ? 0 : boundAt(scale, offset);
  const hi = counts.length === 0 ? ZERO_MAX_MS : boundAt(scale, offset + counts.length);
  return { min: between(lo, min ?? lo, hi), max: between(lo, max ?? hi, hi) };
}

/** The same at a coarser scale; as it is if that is not coarser. */
export function downscale(latency: ExponentialLatency, scale: number): ExponentialLatency {
  const { offset, counts, zeros, sum, min, max } = latency;
  const shift = Math.max(0, latency.scale - scale);
  const buckets = new Map<number, number>();
  for (const [i, count] of counts.entries()) add(buckets, (offset + i) >> shift, count);
  return exponentialLatency({ scale: latency.scale - shift, zeros, buckets, sum, min, max });
}

function add(buckets: Map<number, number>, index: number, count: number): void {
  buckets.set(index, (buckets.get(index) ?? 0) + count);
}

function between(lo: number, value: number, hi: number): number {
  return Math.min(hi, Math.max(lo, value));
}

/** `Math.min(...values)` ends where an argument list does. */
function least(values: readonly number[]): number {
  return values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
}

function most(values: readonly number[]): number {
  return values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
}
