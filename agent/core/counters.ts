/**
 * Scraped counters, summed up per service.
 *
 * A counter only says how far it has come since its process began, so every scrape adds what each series has grown by
 * since the one before. The sums therefore never fall, whatever restarts in the mesh, and a window or a reading is the
 * plain difference of two copies of them.
 */
import type { Millis } from "../../protocol/time.ts";
import type { Sample } from "./exposition.ts";
import {
  DURATION_METRIC,
  emptyCounts,
  isError,
  REQUESTS_METRIC,
  serviceOf,
  type MeshCounts,
  type Reporter,
} from "./mesh.ts";

/** After a longer silence of a target its growth belongs to no minute any more: it starts anew, ms. */
const TARGET_SILENCE_MAX_MS = 60_000;

/** The raw values of one target's series as last scraped. */
export interface TargetState {
  readonly at: Millis;
  readonly values: ReadonlyMap<string, number>;
}

/** Sums since the agent began. `seenAt`: when each service was last seen in a scrape. */
export interface Totals {
  readonly at: Millis;
  readonly services: ReadonlyMap<string, MeshCounts>;
  readonly seenAt: ReadonlyMap<string, Millis>;
}

export function isMeshMetric(name: string): boolean {
  return name === REQUESTS_METRIC || name === `${DURATION_METRIC}_bucket` || name === `${DURATION_METRIC}_sum`;
}

/**
 * Adds one scrape of one target to the sums (which it changes) and returns the target's new state. A target without a
 * former state, or with too old a one, only gets its baseline. `silenceMaxMs` is longer once: after the agent's own restart.
 */
export function addScrape(
  totals: { readonly services: Map<string, MeshCounts>; readonly seenAt: Map<string, Millis> },
  before: TargetState | null,
  samples: readonly Sample[],
  at: Millis,
  options: { readonly reporter: Reporter; readonly silenceMaxMs?: number },
): TargetState {
  const known =
    before !== null && at - before.at <= (options.silenceMaxMs ?? TARGET_SILENCE_MAX_MS) ? before.values : null;
  const values = new Map<string, number>();
  for (const { name, labels, value, series } of samples) {
    if (labels["reporter"] !== options.reporter || !Number.isFinite(value)) continue;
    const service = serviceOf(labels);
    if (service === null) continue;
    values.set(series, value);
    const counts = totals.services.get(service) ?? emptyCounts();
    totals.services.set(service, counts);
    totals.seenAt.set(service, at);
    addGrowth(counts, name, labels, known === null ? 0 : growth(known.get(series), value));
  }
  return { at, values };
}

/** A lower value is a counter that began again at 0, and a series that was not there began at 0 too (Envoy makes it with the first request). */
function growth(before: number | undefined, value: number): number {
  return before === undefined || value < before ? value : value - before;
}

function addGrowth(counts: MeshCounts, name: string, labels: Sample["labels"], by: number): void {
  if (name === REQUESTS_METRIC) {
    counts.requests += by;
    if (isError(labels)) counts.errors += by;
  } else if (name.endsWith("_sum")) {
    counts.sum += by;
  } else {
    const le = labels["le"] === "+Inf" ? Number.POSITIVE_INFINITY : Number(labels["le"]);
    if (!Number.isNaN(le)) counts.buckets.set(le, (counts.buckets.get(le) ?? 0) + by);
  }
}

/** A copy that later scrapes do not change. */
export function copyTotals(totals: Totals, at: Millis): Totals {
  const services = new Map([...totals.services].map(([name, c]) => [name, { ...c, buckets: new Map(c.buckets) }]));
  return { at, services, seenAt: new Map(totals.seenAt) };
}

/** What each service counted between two copies; only those that were seen after `since.at`. */
export function difference(until: Totals, since: Totals): ReadonlyMap<string, MeshCounts> {
  const result = new Map<string, MeshCounts>();
  for (const [service, counts] of until.services) {
    if ((until.seenAt.get(service) ?? 0) <= since.at) continue;
    const former = since.services.get(service) ?? emptyCounts();
    result.set(service, {
      requests: counts.requests - former.requests,
      errors: counts.errors - former.errors,
      buckets: new Map([...counts.buckets].map(([le, count]) => [le, count - (former.buckets.get(le) ?? 0)])),
      sum: counts.sum - former.sum,
    });
  }
  return result;
}
