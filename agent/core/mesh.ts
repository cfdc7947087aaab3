/** What Istio's counters mean: who is counted, what an error is, and how counts become windows and readings. */
import * as v from "valibot";
import { BOUNDS_MAX, explicitLatency, quantile } from "../../protocol/latency.ts";
import { SERVICES_MAX } from "../../protocol/limits.ts";
import { ServiceName } from "../../protocol/name.ts";
import type { Reading } from "../../protocol/push.ts";
import type { WindowRecord } from "../../protocol/record.ts";
import type { Millis } from "../../protocol/time.ts";

export const REQUESTS_METRIC = "istio_requests_total";
export const DURATION_METRIC = "istio_request_duration_milliseconds";
/** Who counted. `destination` counts each request once; `source` where destinations have no sidecar; `waypoint` in ambient meshes. */
export const REPORTERS = ["destination", "source", "waypoint"] as const;
export type Reporter = (typeof REPORTERS)[number];

/** gRPC answers 200 and puts failures here: OpenTelemetry's list of codes that are a server's fault. */
const GRPC_ERRORS: ReadonlySet<string> = new Set(["2", "4", "12", "13", "14", "15"]);

/** Counts of one service over one span, while they are summed up. `buckets` is cumulative, by upper bound in ms; `sum` in ms. */
export interface MeshCounts {
  requests: number;
  errors: number;
  readonly buckets: Map<number, number>;
  sum: number;
}

/** A histogram as the wire's schema types it. */
type WireLatency = NonNullable<WindowRecord["latency"]>;

/** A service's newest reading with the histogram it came from. */
export interface ServiceReading {
  readonly reading: Reading;
  readonly latency: WireLatency | null;
}

type Labels = Readonly<Record<string, string>>;

export function emptyCounts(): MeshCounts {
  return { requests: 0, errors: 0, buckets: new Map(), sum: 0 };
}

/** The service that a series speaks of, or null where its labels name none (`unknown`, `PassthroughCluster`). */
export function serviceOf(labels: Labels): string | null {
  const service = `${labels["destination_service_namespace"] ?? ""}/${labels["destination_service_name"] ?? ""}`;
  return v.is(ServiceName, service) && !service.startsWith("unknown/") ? service : null;
}

export function isError(labels: Labels): boolean {
  return /^5\d\d$/.test(labels["response_code"] ?? "") || GRPC_ERRORS.has(labels["grpc_response_status"] ?? "");
}

/** Whether a relabelling rule has taken the codes away ("xx"): then nobody can say how many requests failed. */
export function codeHidden(labels: Labels): boolean {
  return !/^\d+$/.test(labels["response_code"] ?? "") && !/^\d+$/.test(labels["grpc_response_status"] ?? "");
}

/**
 * Cumulative buckets as a histogram. Differences may be a hair below 0, because `increase` extrapolates each bucket
 * alone: they are clamped. Null without a finite bound, or with more bounds than the contract carries.
 */
export function toLatency(buckets: ReadonlyMap<number, number>, sum: number): WireLatency | null {
  const bounds = [...buckets.keys()].filter(Number.isFinite).toSorted((a, b) => a - b);
  if (bounds.length === 0 || bounds.length > BOUNDS_MAX) return null;
  let below = 0;
  const counts = [...bounds, Number.POSITIVE_INFINITY].map((bound) => {
    const upTo = buckets.get(bound) ?? below;
    const count = Math.max(0, upTo - below);
    below = Math.max(below, upTo);
    return count;
  });
  const latency = explicitLatency(bounds, counts, Math.max(0, sum));
  return { scheme: "explicit", bounds: latency.bounds === "istio" ? "istio" : bounds, counts, sum: latency.sum };
}

/** The durable record of a closed span. */
export function toWindow(service: string, at: Millis, spanMs: number, counts: MeshCounts): WindowRecord {
  const { buckets, sum } = counts;
  const exact = toLatency(buckets, sum);
  const latency = exact && { ...exact, counts: exact.counts.map(cut), sum: digits(exact.sum, 4) };
  return { kind: "window", service, at, spanMs, requests: cut(counts.requests), errors: cut(counts.errors), latency };
}

/** What the page shows of the span that ended at `at`. */
export function toReading(at: Millis, spanMs: number, counts: MeshCounts): ServiceReading {
  const exact = toLatency(counts.buckets, counts.sum);
  // It goes out with each push and is replaced in seconds: two digits of a bucket are enough to look at.
  const bucket = (count: number): number => (Number.isInteger(count) ? count : digits(count, 2));
  const latency = exact && { ...exact, counts: exact.counts.map(bucket), sum: digits(exact.sum, 4) };
  const p95 = exact && quantile(exact, 0.95);
  const reading: Reading = {
    at: Math.round(at),
    spanMs: Math.round(spanMs),
    requests: cut(counts.requests),
    errors: cut(counts.errors),
    p95: p95 && [digits(p95.estimate, 3), p95.lo, p95.hi],
  };
  return { reading, latency };
}

/**
 * A count without the digits that say nothing. Whole counts stay as they are. `increase` extrapolates to fractions of
 * requests that never were, and sixteen digits of each would make most of a push: they are cut to tenths, above 100 to
 * whole ones. Never more errors than requests, because of two numbers the larger one stays the larger.
 */
export function cut(count: number): number {
  return count >= 100 ? Math.round(count) : Math.round(count * 10) / 10;
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
