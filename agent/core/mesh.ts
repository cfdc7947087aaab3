/** What Istio's counters mean: who is counted, what an error is, and how counts become windows and readings. */
import type { ExponentialLatency } from "../../protocol/exponential.ts";
import { BOUNDS_MAX, countOf, explicitLatency, quantile } from "../../protocol/latency.ts";
import type { ExplicitLatency, Latency, Quantile } from "../../protocol/latency.ts";
import { SERVICES_MAX } from "../../protocol/limits.ts";
import type { Reading } from "../../protocol/push.ts";
import type { WindowRecord } from "../../protocol/record.ts";
import type { Millis } from "../../protocol/time.ts";

export const REQUESTS_METRIC = "istio_requests_total";
/** Who counted. `destination` counts each request once; `source` where destinations have no sidecar; `waypoint` in ambient meshes. */
export const REPORTERS = ["destination", "source", "waypoint"] as const;
export type Reporter = (typeof REPORTERS)[number];

/**
 * Counts of one service over one span, while they are summed up. `buckets` is cumulative, by upper bound in ms; `sum` in
 * ms. `native` is of a native histogram, absent without one.
 */
export interface MeshCounts {
  requests: number;
  errors: number;
  readonly buckets: Map<number, number>;
  sum: number;
  native?: ExponentialLatency;
}

/** A service's newest reading with the histogram it came from. */
export interface ServiceReading {
  readonly reading: Reading;
  readonly latency: Latency | null;
}

type Labels = Readonly<Record<string, string>>;

export function emptyCounts(): MeshCounts {
  return { requests: 0, errors: 0, buckets: new Map(), sum: 0 };
}

/** Whether a relabelling rule has taken the codes away ("xx"): then nobody can say how many requests failed. */
export function codeHidden(labels: Labels): boolean {
  return !/^\d+$/.test(labels["response_code"] ?? "") && !/^\d+$/.test(labels["grpc_response_status"] ?? "");
}

/**
 * Cumulative buckets as a histogram. Differences may be a hair below 0, because `increase` extrapolates each bucket
 * alone: they are clamped. Null without a finite bound, or with more bounds than the contract carries.
 */
export function toLatency(buckets: ReadonlyMap<number, number>, sum: number): ExplicitLatency | null {
  const bounds = [...buckets.keys()].filter(Number.isFinite).toSorted((a, b) => a - b);
  if (bounds.length === 0 || bounds.length > BOUNDS_MAX) return null;
  let below = 0;
  const counts = [...bounds, Number.POSITIVE_INFINITY].map((bound) => {
    const upTo = buckets.get(bound) ?? below;
    const count = Math.max(0, upTo - below);
    below = Math.max(below, upTo);
    return count;
  });
  return explicitLatency(bounds, counts, Math.max(0, sum));
}

/** Extrapolated alone, the counts of one span differ a little between the two kinds of histogram. */
const SAME_COUNT = 0.99;

/**
 * A service's histograms. Where proxies expose both kinds, the native one, which is finer. Where some of its pods expose
 * one kind and some the other, the two never add up, and the one that counted more requests speaks; the
 * other one comes after it, if that counted requests that the first did not.
 *
 * @returns none, one or two
 */
function latenciesOf({ requests, buckets, sum, native }: MeshCounts): readonly Latency[] {
  const explicit = toLatency(buckets, sum);
  if (native === undefined || explicit === null) return [native ?? explicit].filter((one) => one !== null);
  const [counted, others] = [countOf(native), countOf(explicit)];
  const [first, second] = counted >= SAME_COUNT * others ? [native, explicit] : [explicit, native];
  return Math.max(counted, others) >= SAME_COUNT * requests ? [first] : [first, second];
}

/** Of all requests, whichever kind counted them: it lies between the p95 of the one and that of the other. */
function p95Of(latencies: readonly Latency[]): Reading["p95"] {
  const [first, second] = latencies.flatMap((latency) => quantile(latency, 0.95) ?? []);
  if (first === undefined) return null;
  const [estimate, lo, hi] = quantileTuple(first);
  if (second === undefined) return [estimate, lo, hi];
  const [, otherLo, otherHi] = quantileTuple(second);
  return [estimate, Math.min(lo, otherLo), hi === null || otherHi === null ? null : Math.max(hi, otherHi)];
}

/** Without the digits that say nothing: `min` and `max` stay outside of what they bound. */
function shortened(latency: Latency, count: (value: number) => number): Latency {
  const counts = latency.counts.map(count);
  const sum = digits(latency.sum, 4);
  if (latency.scheme === "explicit") return { ...latency, counts, sum };
  const [min, max] = [outward(latency.min, -1), outward(latency.max, 1)];
  return { ...latency, zeros: count(latency.zeros), counts, min, max, sum };
}

/** The durable record of a closed span. */
export function toWindow(service: string, at: Millis, spanMs: number, counts: MeshCounts): WindowRecord {
  const [exact = null] = latenciesOf(counts);
  const latency = exact && shortened(exact, cut);
  return { kind: "window", service, at, spanMs, requests: cut(counts.requests), errors: cut(counts.errors), latency };
}

/** What the page shows of the span that ended at `at`. */
export function toReading(at: Millis, spanMs: number, counts: MeshCounts): ServiceReading {
  const latencies = latenciesOf(counts);
  const [exact = null] = latencies;
  // It goes out with each push and is replaced in seconds: two digits of a bucket are enough to look at.
  const bucket = (count: number): number => (Number.isInteger(count) ? count : digits(count, 2));
  const latency = exact && shortened(exact, bucket);
  const reading: Reading = {
    at: Math.round(at),
    spanMs: Math.round(spanMs),
    requests: cut(counts.requests),
    errors: cut(counts.errors),
    p95: p95Of(latencies),
  };
  return { reading, latency };
}

/** An explicit bucket's bounds are what thresholds are compared with, and stay as they are; others are widened a hair. */
function quantileTuple({ estimate, lo, hi, method }: Quantile): NonNullable<Reading["p95"]> {
  if (method !== "midpoint" || hi === null) return [digits(estimate, 3), lo, hi];
  return [digits(estimate, 3), outward(lo, -1), outward(hi, 1)];
}

/**
 * A count without the digits that say nothing. Whole counts stay as they are. `increase` extrapolates to fractions of
 * requests that never were, and sixteen digits of each would make most of a push: they are cut to tenths, above 100 to
 * whole ones. Never more errors than requests, because of two numbers the larger one stays the larger.
 */
export function cut(count: number): number {
  return count >= 100 ? Math.round(count) : Math.round(count * 10) / 10;
}

const OUTWARD_DIGITS = 5;

/** The next number of five digits that is not on the other side of `value`, 0 at least. */
function outward(value: number, direction: 1 | -1): number {
  const near = digits(value, OUTWARD_DIGITS);
  if ((near - value) * direction >= 0) return near;
  const step = 10 ** (Math.floor(Math.log10(value)) - OUTWARD_DIGITS + 1);
  return Math.max(0, digits(near + direction * step, OUTWARD_DIGITS));
}

function digits(value: number, precision: number): number {
  return Number(value.toPrecision(precision));
}

/** At most `SERVICES_MAX` services, in the order of their names, so that the same ones stay; and how many were left out. */
export function capServices<T>(services: ReadonlyMap<string, T>): {
  readonly kept: ReadonlyMap<string, T>;
  readonly left: number;
} {
  if (services.size <= SERVICES_MAX) return { kept: services, left: 0 };
  const kept = [...services].toSorted(([a], [b]) => (a < b ? -1 : 1)).slice(0, SERVICES_MAX);
  return { kept: new Map(kept), left: services.size - SERVICES_MAX };
}
