/**
 * Scraped counters, summed up per service.
 *
 * A counter only says how far it has come since its process began, so every scrape adds what each series has grown by
 * since the one before. The sums therefore never fall, whatever restarts in the mesh, and a window or a reading is the
 * plain difference of two copies of them.
 */
import { HOUR, type Millis } from "../../protocol/time.ts";
import type { Sample } from "./exposition.ts";
import { DURATION_METRIC, isError, serviceOf } from "../../protocol/istio.ts";
import { emptyCounts, REQUESTS_METRIC, type MeshCounts, type Reporter } from "./mesh.ts";

/** After a longer silence of a target its growth belongs to no minute any more: it starts anew, ms. */
const TARGET_SILENCE_MAX_MS = 60_000;

/** A series that is left out for longer is forgotten, ms. Until then its return is not taken for a birth. */
const SERIES_KEEP_MS = HOUR;

/** The raw values of one target's series as last scraped. */
export interface TargetState {
  readonly at: Millis;
  readonly values: ReadonlyMap<string, number>;
  /** When those that the last scrape left out were last there. */
  readonly missing: ReadonlyMap<string, Millis>;
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
  const silenceMaxMs = options.silenceMaxMs ?? TARGET_SILENCE_MAX_MS;
  const known = before !== null && at - before.at <= silenceMaxMs ? before : null;
  // One answer without a series (a proxy that was reading its configuration) is no restart of it.
  const { values, missing } = leftOut(known, at);
  for (const { name, labels, value, series } of samples) {
    if (labels["reporter"] !== options.reporter || !Number.isFinite(value)) continue;
    const service = serviceOf(labels);
    if (service === null) continue;
    const former = known?.values.get(series);
    const isBaseline = known === null || at - (known.missing.get(series) ?? known.at) > silenceMaxMs;
    values.set(series, value);
    missing.delete(series);
    const counts = totals.services.get(service) ?? emptyCounts();
    totals.services.set(service, counts);
    totals.seenAt.set(service, at);
    addGrowth(counts, name, labels, isBaseline ? 0 : growth(former, value));
  }
  return { at, values, missing };
}

/** The series as if a scrape had none of them. */
function leftOut(
  known: TargetState | null,
  at: Millis,
): { readonly values: Map<string, number>; readonly missing: Map<string, Millis> } {
  const values = new Map<string, number>();
  const missing = new Map<string, Millis>();
  for (const [series, value] of known?.values ?? []) {
    const seenAt = known?.missing.get(series) ?? known?.at ?? at;
    if (at - seenAt > SERIES_KEEP_MS) continue;
    values.set(series, value);
    missing.set(series, seenAt);
  }
  return { values, missing };
}

/** A lower value is a counter that began again at 0, and a series that was not there began at 0 too (Envoy makes it with the first request). */
export function growth(before: number | undefined, value: number): number {
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
