/**
 * Histograms as Postgres holds them: most buckets of most minutes are empty, and a number costs 12 bytes there, so only
 * those that are not are kept, by their index. Minutes of earlier versions have all of them in an array.
 */
import { boundsOf, explicitLatency } from "../../protocol/latency.ts";
import type { Latency } from "../../protocol/latency.ts";

export interface StoredLatency extends Omit<Latency, "counts"> {
  readonly counts: Latency["counts"] | SparseCounts;
}

/** Index of the bucket to its count. */
export type SparseCounts = Readonly<Record<string, number>>;

export function sparse(latency: Latency): StoredLatency {
  return { ...latency, counts: Object.fromEntries([...latency.counts.entries()].filter(([, count]) => count > 0)) };
}

export function dense({ bounds, counts, sum }: Pick<StoredLatency, "bounds" | "counts" | "sum">): Latency {
  const all = boundsOf({ bounds });
  // An array has its indexes as keys too.
  const byIndex = counts as SparseCounts;
  return explicitLatency(
    all,
    Array.from({ length: all.length + 1 }, (_, i) => byIndex[i] ?? 0),
    sum,
  );
}
