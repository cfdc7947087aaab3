/**
 * A native histogram as Prometheus' API writes it: the buckets that hold anything, each `[rule, left, right, count]`,
 * and nothing of its schema. Buckets at a constant ratio are exponential (schemas -4 to 8); others have bounds that
 * somebody chose (schema -53), which are explicit buckets.
 */
import { exponentialLatency, hasPossibleBuckets, SCALE_MIN, ZERO_MAX_MS } from "../../protocol/exponential.ts";
import type { ExponentialLatency } from "../../protocol/exponential.ts";
import { ISTIO_BOUNDS } from "../../protocol/latency.ts";

/** Bounds in ms: (left, right], and what was counted between them. */
export interface NativeBucket {
  readonly left: number;
  readonly right: number;
  readonly count: number;
}

/** `explicit` is cumulative, by upper bound. */
export type NativeCounts =
  | { readonly scheme: "exponential"; readonly latency: ExponentialLatency }
  | { readonly scheme: "explicit"; readonly buckets: ReadonlyMap<number, number> };

/** Prometheus' finest schema. */
const SCHEMA_MAX = 8;
/** A schema's bounds are floats of 17 digits; nobody who chooses bounds comes as near to them by chance. */
const TOLERANCE = 1e-9;

/**
 * What a native histogram counted; null where it holds what is no duration, or values in a zero bucket that is wider
 * than nothing (a client may widen it to save memory): of those nobody knows how long they took.
 */
export function nativeCounts(all: readonly NativeBucket[], sum: number): NativeCounts | null {
  const held = all.filter(({ count }) => count > 0);
  const isZero = ({ left, right }: NativeBucket): boolean => left <= 0 && Number.isFinite(left) && right <= ZERO_MAX_MS;
  const zeros = held.filter(isZero).reduce((total, { count }) => total + count, 0);
  const buckets = held.filter((bucket) => !isZero(bucket)).toSorted((a, b) => a.right - b.right);
  // One of Istio's buckets is a power of two wide and at its place: alone, it would look like an exponential one.
  const scale = zeros === 0 && areIstios(buckets) ? null : scaleOf(buckets);
  if (scale === null) return zeros > 0 ? null : explicitCounts(buckets);
  const byIndex = new Map(buckets.map(({ right, count }) => [Math.round(Math.log2(right) * 2 ** scale) - 1, count]));
  const arePossible = [...byIndex.keys()].every((offset) => hasPossibleBuckets({ scale, offset, counts: [0] }));
  if (!arePossible) return null;
  return {
    scheme: "exponential",
    latency: exponentialLatency({ scale, zeros, buckets: byIndex, sum: Math.max(0, sum) }),
  };
}

/** The one scale whose buckets these all are; null if there is none. */
function scaleOf(buckets: readonly NativeBucket[]): number | null {
  const [first] = buckets;
  if (first === undefined) return SCHEMA_MAX;
  const scale = Math.round(0 - Math.log2(Math.log2(first.right / first.left)));
  if (!(scale >= SCALE_MIN && scale <= SCHEMA_MAX)) return null;
  const isOne = ({ left, right }: NativeBucket): boolean => {
    const [from, to] = [Math.log2(left) * 2 ** scale, Math.log2(right) * 2 ** scale];
    return isNear(to, Math.round(to)) && isNear(from, Math.round(to) - 1);
  };
  return buckets.every(isOne) ? scale : null;
}

function isNear(a: number, b: number): boolean {
  return Math.abs(a - b) <= TOLERANCE * Math.max(1, Math.abs(b));
}

function explicitCounts(buckets: readonly NativeBucket[]): NativeCounts | null {
  if (buckets.some(({ left, right }) => (left < 0 && Number.isFinite(left)) || right <= 0)) return null;
  const cumulative = new Map<number, number>();
  // Empty buckets are not written, so what bounds they have is not known, unless those are Istio's: then all are, and
  // a quiet minute has the bounds of a busy one.
  const known = areIstios(buckets)
    ? ISTIO_BOUNDS
    : buckets.flatMap(({ left, right }) => [left, right]).filter(isFiniteBound);
  for (const bound of [...known].toSorted((a, b) => a - b)) cumulative.set(bound, countUpTo(buckets, bound));
  return {
    scheme: "explicit",
    buckets: cumulative.set(Number.POSITIVE_INFINITY, countUpTo(buckets, Number.POSITIVE_INFINITY)),
  };
}

function areIstios(buckets: readonly NativeBucket[]): boolean {
  const isOne = ({ left, right }: NativeBucket): boolean =>
    isBound(left) && isBound(right) && !ISTIO_BOUNDS.some((bound) => bound > left && bound < right);
  return buckets.length > 0 && buckets.every(isOne);
}

function countUpTo(buckets: readonly NativeBucket[], bound: number): number {
  return buckets.reduce((total, { right, count }) => (right <= bound ? total + count : total), 0);
}

function isFiniteBound(bound: number): boolean {
  return bound > 0 && Number.isFinite(bound);
}

function isBound(bound: number): boolean {
  return !isFiniteBound(bound) || ISTIO_BOUNDS.includes(bound);
}
