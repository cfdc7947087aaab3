/**
 * Histograms as Postgres holds them: most buckets of most minutes are empty, and a number costs 12 bytes there, so only
 * those that are not are kept, by their key. Minutes of earlier versions have all of them in an array.
 *
 *   explicit      { scheme, bounds, counts: { "5": 9, "7": 1 }, sum }               key: index of the bucket
 *   exponential   { scheme, counts: { "zeros": 1, "4:160": 3 }, sum, min, max }     key: scale and index
 *
 * Sums of hours and days add counts of one key and know nothing else, so the key must say all. Exponential histograms
 * have no `bounds`: their sums stand with those of windows without a histogram, where the Worker before looks for none.
 */
import { exponentialLatency, mergeExponential } from "../../protocol/exponential.ts";
import type { ExponentialLatency } from "../../protocol/exponential.ts";
import { boundsOf, explicitLatency } from "../../protocol/latency.ts";
import type { ExplicitLatency, Latency } from "../../protocol/latency.ts";

export type StoredLatency = StoredExplicit | StoredExponential;

interface StoredExplicit extends Omit<ExplicitLatency, "counts"> {
  readonly counts: ExplicitLatency["counts"] | SparseCounts;
}

interface StoredExponential extends Pick<ExponentialLatency, "scheme" | "min" | "max" | "sum"> {
  readonly counts: SparseCounts;
}

/** Key of the bucket to its count. */
export type SparseCounts = Readonly<Record<string, number>>;

const ZEROS = "zeros";

export function sparse(latency: Latency): StoredLatency {
  if (latency.scheme === "explicit") return sparseExplicit(latency);
  const { scheme, scale, zeros, offset, min, max, sum } = latency;
  const counts = Object.fromEntries(
    [...latency.counts.entries()].flatMap(([i, count]) => (count > 0 ? [[`${scale}:${offset + i}`, count]] : [])),
  );
  return { scheme, counts: zeros > 0 ? { [ZEROS]: zeros, ...counts } : counts, sum, min, max };
}

/** Of every window that is flushed, so nothing is made on the way. */
function sparseExplicit({ scheme, bounds, counts, sum }: ExplicitLatency): StoredExplicit {
  const found: Record<string, number> = {};
  for (const [i, count] of counts.entries()) if (count > 0) found[i] = count;
  return { scheme, bounds, counts: found, sum };
}

/** Null of what is no histogram. */
export function dense(stored: StoredLatency): Latency | null {
  if (stored.scheme === "exponential") return denseExponential(stored.counts, stored.sum, stored);
  return denseExplicit(stored.bounds, stored.counts, stored.sum);
}

export function denseExplicit(
  bounds: ExplicitLatency["bounds"],
  counts: StoredExplicit["counts"],
  sum: number,
): ExplicitLatency {
  const all = boundsOf({ bounds });
  // An array has its indexes as keys too.
  const byIndex = counts as SparseCounts;
  return explicitLatency(
    all,
    Array.from({ length: all.length + 1 }, (_, i) => byIndex[i] ?? 0),
    sum,
  );
}

/** Counts of any scales together; null if none of them is of an exponential histogram. */
export function denseExponential(
  counts: SparseCounts,
  sum: number,
  range: { readonly min?: number; readonly max?: number } = {},
): ExponentialLatency | null {
  const scales = new Map<number, Map<number, number>>();
  for (const [key, count] of Object.entries(counts)) {
    const [, scale, index] = /^(-?\d+):(-?\d+)$/.exec(key) ?? [];
    if (scale === undefined || index === undefined) continue;
    const buckets = scales.get(Number(scale)) ?? new Map<number, number>();
    scales.set(Number(scale), buckets.set(Number(index), count));
  }
  const { min, max } = range;
  const known = { ...(min !== undefined && { min }), ...(max !== undefined && { max }) };
  const zeros = counts[ZEROS] ?? 0;
  const parts = [...scales].map(([scale, buckets]) =>
    exponentialLatency({ scale, zeros: 0, buckets, sum: 0, ...known }),
  );
  if (zeros > 0) parts.push(exponentialLatency({ scale: 0, zeros, buckets: new Map(), sum: 0, ...known }));
  return parts.length === 0 ? null : { ...parts.reduce(mergeExponential), sum };
}
