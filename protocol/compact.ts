/**
 * A service of `live` and a window without their keys. They are most of a push, and most of each is the names of its
 * fields: as a tuple it is less than half as long, which both sides parse in half the time.
 *
 *   [service, readings, bounds, counts, replicas]
 *   [service, at, spanMs, requests, errors, bounds, counts]
 *
 *   readings  seven numbers each: [at, spanMs, requests, errors, estimate, lo, hi]. The first `at` is a moment, each
 *             later one counts from the one before. -1 is null: three of them for no p95, one for an open `hi`
 *   bounds    as in `Latency`; null for no latency
 *   counts    [sum, ...counts]; empty for no latency
 *   replicas  [ready, desired]; empty for none reported
 *
 * What is spread again is not checked: the schemas do that, whichever way it came.
 */
import type { ExplicitLatency } from "./latency.ts";
import type { LiveService, Reading } from "./push.ts";
import type { FactRecord } from "./record.ts";

type CompactLatency = readonly [bounds: "istio" | readonly number[] | null, counts: readonly number[]];
type CompactService = readonly [
  service: string,
  readings: readonly number[],
  ...latency: CompactLatency,
  replicas: readonly number[],
];
type CompactWindow = readonly [
  service: string,
  at: number,
  spanMs: number,
  requests: number,
  errors: number,
  ...latency: CompactLatency,
];

/** A service as a tuple; as it is if no tuple can say it. */
export function compactService(service: LiveService): CompactService | LiveService {
  const { latency, replicas } = service;
  if (latency?.scheme === "exponential") return service;
  let before = 0;
  const readings = service.readings.flatMap((reading) => {
    const numbers = [reading.at - before, reading.spanMs, reading.requests, reading.errors, ...quantileOf(reading)];
    before = reading.at;
    return numbers;
  });
  const reported = replicas === null ? [] : [replicas.ready, replicas.desired];
  return [service.service, readings, ...compactLatency(latency), reported];
}

/** A window as a tuple; any other record, and what no tuple can say, as it is. */
export function compactRecord(record: FactRecord): CompactWindow | FactRecord {
  if (record.kind !== "window" || record.latency?.scheme === "exponential") return record;
  const { service, at, spanMs, requests, errors, latency } = record;
  return [service, at, spanMs, requests, errors, ...compactLatency(latency)];
}

function compactLatency(latency: ExplicitLatency | null): CompactLatency {
  return latency === null ? [null, []] : [latency.bounds, [latency.sum, ...latency.counts]];
}

function quantileOf({ p95 }: Reading): readonly number[] {
  return p95 === null ? [-1, -1, -1] : [p95[0], p95[1], p95[2] ?? -1];
}

/** The service that a tuple stands for, unchecked; anything else as it is. */
export function spreadService(value: unknown): unknown {
  if (!Array.isArray(value) || value.length !== SERVICE_LENGTH) return value;
  const [service, numbers, bounds, counts, replicas] = value as readonly unknown[];
  if (!Array.isArray(numbers) || !Array.isArray(counts) || !Array.isArray(replicas)) return value;
  const readings = readingsOf(numbers);
  const latency = latencyOf(bounds, counts);
  const reported = replicasOf(replicas);
  if (readings === undefined || latency === undefined || reported === undefined) return value;
  return { service, readings, latency, replicas: reported };
}

/** The record that a tuple stands for, unchecked; anything else as it is. */
export function spreadRecord(value: unknown): unknown {
  if (!Array.isArray(value) || value.length !== WINDOW_LENGTH) return value;
  const [service, at, spanMs, requests, errors, bounds, counts] = value as readonly unknown[];
  const latency = Array.isArray(counts) ? latencyOf(bounds, counts) : undefined;
  return latency === undefined ? value : { kind: "window", service, at, spanMs, requests, errors, latency };
}

const SERVICE_LENGTH = 5;
const WINDOW_LENGTH = 7;
const NUMBERS_PER_READING = 7;

function readingsOf(numbers: readonly unknown[]): readonly unknown[] | undefined {
  if (numbers.length % NUMBERS_PER_READING !== 0) return undefined;
  const readings: unknown[] = [];
  let at = 0;
  for (let i = 0; i < numbers.length; i += NUMBERS_PER_READING) {
    const later = numbers[i];
    if (typeof later !== "number") return undefined;
    at += later;
    const estimate = numbers[i + 4];
    const lo = numbers[i + 5];
    const hi = numbers[i + 6];
    const isNone = estimate === -1 && lo === -1 && hi === -1;
    readings.push({
      at,
      spanMs: numbers[i + 1],
      requests: numbers[i + 2],
      errors: numbers[i + 3],
      p95: isNone ? null : [estimate, lo, hi === -1 ? null : hi],
    });
  }
  return readings;
}

function latencyOf(bounds: unknown, sumAndCounts: readonly unknown[]): unknown {
  if (bounds === null) return sumAndCounts.length === 0 ? null : undefined;
  return { scheme: "explicit", bounds, counts: sumAndCounts.slice(1), sum: sumAndCounts[0] };
}

function replicasOf(replicas: readonly unknown[]): unknown {
  if (replicas.length === 0) return null;
  return replicas.length === 2 ? { ready: replicas[0], desired: replicas[1] } : undefined;
}
