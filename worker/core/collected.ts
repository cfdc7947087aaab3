/**
 * Histograms that a collector exports, made into windows and readings. `reference/delivery.md` is kept without numbers
 * from the sender: what is held of each series says how much of a point is new.
 *
 *   cumulative   point − held           a repeated point adds nothing, and the next one heals a lost one
 *   delta        point, if it begins where the held one ended or later
 *
 *   series ──difference──▶ minutes, open for `LATE_MS` after their end ──▶ windows
 *                     └──▶ a reading of each service
 *
 * A difference over several minutes is spread over them evenly, as Prometheus' `increase` would. What comes for a minute
 * that was closed counts in the first that is open: nothing is counted twice, and nothing is left out.
 */
import type { ExponentialLatency } from "../../protocol/exponential.ts";
import { downscale, exponentialLatency } from "../../protocol/exponential.ts";
import type { ExplicitLatency, Latency } from "../../protocol/latency.ts";
import { countOf, mergeLatencies, quantile } from "../../protocol/latency.ts";
import { FUTURE_MS, READINGS_MAX, TOO_OLD_MS } from "../../protocol/limits.ts";
import type { LiveService, Reading } from "../../protocol/push.ts";
import type { WindowRecord } from "../../protocol/record.ts";
import type { Millis } from "../../protocol/time.ts";
import { HOUR, MINUTE, SECOND, minuteOf } from "../../protocol/time.ts";

/** A point of one series: requests of one service that ended in one way. */
export interface Point {
  /** Names its series: metric, resource and attributes. */
  readonly series: string;
  readonly service: string;
  readonly isError: boolean;
  readonly isDelta: boolean;
  /** When it began to count; 0 if that was not said. */
  readonly startAt: Millis;
  readonly at: Millis;
  readonly latency: Latency;
}

/** Newest point of a series. Of a delta only its moments. */
interface Held {
  readonly startAt: Millis;
  readonly at: Millis;
  readonly latency: Latency | null;
}

interface Counts {
  readonly requests: number;
  readonly errors: number;
  readonly latency: Latency | null;
}

interface ServiceHeld {
  readonly readings: readonly Reading[];
  /** Of the newest reading. */
  readonly latency: Latency | null;
  /** By the start of their minute. */
  readonly open: Readonly<Record<string, Counts>>;
}

/** What a Cluster keeps of exports. */
export interface Collected {
  /** Since when anything was heard: what began later is new as a whole. */
  readonly since: Millis;
  /** Minutes before this one are windows already. */
  readonly closedUntil: Millis;
  /** How far apart points of a series are. */
  readonly intervalMs: number;
  readonly series: Readonly<Record<string, Held>>;
  readonly services: Readonly<Record<string, ServiceHeld>>;
}

export const SERIES_MAX = 1_000;
export const COLLECTED_SERVICES_MAX = 200;
/** Minutes stay open for so long after their end: several senders are not in step. */
export const LATE_MS = 45 * SECOND;
/** A difference is spread over the last hour of it at most. */
const SPREAD_MAX_MS = HOUR;
const SERIES_KEPT_MS = HOUR;
const SERVICE_KEPT_MS = 15 * MINUTE;
const INTERVAL_DEFAULT_MS = MINUTE;
/** What is exported more often still takes its time through batches and queues. */
const INTERVAL_MIN_MS = 20 * SECOND;
const INTERVAL_MAX_MS = 2 * MINUTE;

export type PointRefusal = "future" | "too_old" | "overlap" | "too_many_series" | "too_many_services";

export interface Exported {
  readonly collected: Collected;
  readonly windows: readonly WindowRecord[];
  /** Why points were not taken, and how many. */
  readonly rejected: Readonly<Partial<Record<PointRefusal, number>>>;
}

interface Fresh {
  readonly counts: Counts;
  readonly from: Millis;
  readonly to: Millis;
}

/** Takes in the points of one export, and closes the minutes that are over. */
export function takePoints(before: Collected | null, points: readonly Point[], now: Millis): Exported {
  const held = before ?? begun(points, now);
  const series = new Map(Object.entries(held.series).filter(([, { at }]) => now - at < SERIES_KEPT_MS));
  const services = new Map(Object.entries(held.services).filter(([, one]) => isAlive(one, now)));
  const rejected: Partial<Record<PointRefusal, number>> = {};
  const news = new Map<string, Fresh[]>();
  for (const point of points) {
    const known = series.get(point.series) ?? null;
    const refusal = refusalOf(point, known, { series, services }, now);
    if (refusal !== null) rejected[refusal] = (rejected[refusal] ?? 0) + 1;
    if (refusal !== null || (known !== null && isOld(point, known))) continue;
    const fresh = freshOf(point, known, held.since);
    const { startAt, at, latency, isDelta } = point;
    series.set(point.series, { startAt, at, latency: isDelta ? null : latency });
    if (!services.has(point.service)) services.set(point.service, { readings: [], latency: null, open: {} });
    if (fresh !== null) news.set(point.service, [...(news.get(point.service) ?? []), fresh]);
  }
  for (const [service, fresh] of news) {
    const one = services.get(service);
    if (one !== undefined) services.set(service, withFresh(one, fresh, held.closedUntil, now));
  }
  const intervalMs = intervalOf([...news.values()].flat()) ?? held.intervalMs;
  const all = { since: held.since, closedUntil: held.closedUntil, intervalMs, series: Object.fromEntries(series) };
  // By the senders' time: what a slow pipeline brings belongs to the minute in which it was counted.
  const newest = points.reduce((latest, { at }) => Math.max(latest, at), 0);
  const { collected, windows } = closeMinutes(
    { ...all, services: Object.fromEntries(services) },
    Math.min(now, newest),
  );
  return { collected, windows, rejected };
}

/** Nothing is a window yet: counting begins with the first point. */
function begun(points: readonly Point[], now: Millis): Collected {
  const first = points.reduce((least, { at }) => Math.min(least, at), now);
  const closedUntil = minuteOf(Math.max(first, now - SPREAD_MAX_MS));
  return { since: now, closedUntil, intervalMs: INTERVAL_DEFAULT_MS, series: {}, services: {} };
}

/** Makes windows of the minutes that are over. */
export function closeMinutes(
  held: Collected,
  now: Millis,
): { readonly collected: Collected; readonly windows: readonly WindowRecord[] } {
  const until = Math.max(held.closedUntil, minuteOf(now - LATE_MS));
  if (until === held.closedUntil) return { collected: held, windows: [] };
  const windows: WindowRecord[] = [];
  const services: Record<string, ServiceHeld> = {};
  for (const [service, one] of Object.entries(held.services)) {
    const open: Record<string, Counts> = {};
    for (const [minute, counts] of Object.entries(one.open)) {
      const at = Number(minute);
      if (at >= until) open[minute] = counts;
      else windows.push({ kind: "window", service, at, spanMs: MINUTE, ...counts });
    }
    services[service] = { ...one, open };
  }
  return { collected: { ...held, closedUntil: until, services }, windows };
}

/** When the next minute that is open will be over; null if none is. */
export function closesAt({ services }: Collected): Millis | null {
  const open = Object.values(services).flatMap((one) => Object.keys(one.open).map(Number));
  return open.length === 0 ? null : Math.min(...open) + MINUTE + LATE_MS;
}

/** The services as an agent's `live` has them. */
export function liveOf({ services }: Collected): readonly LiveService[] {
  return Object.entries(services).map(([service, { readings, latency }]) => {
    return { service, readings: [...readings], latency, replicas: null };
  });
}

function isAlive({ readings, open }: ServiceHeld, now: Millis): boolean {
  return Object.keys(open).length > 0 || readings.some(({ at }) => now - at < SERVICE_KEPT_MS);
}

function refusalOf(
  point: Point,
  known: Held | null,
  { series, services }: { readonly series: ReadonlyMap<string, Held>; readonly services: ReadonlyMap<string, unknown> },
  now: Millis,
): PointRefusal | null {
  if (point.at > now + FUTURE_MS) return "future";
  if (point.at < now - TOO_OLD_MS) return "too_old";
  if (known === null && series.size >= SERIES_MAX) return "too_many_series";
  if (!services.has(point.service) && services.size >= COLLECTED_SERVICES_MAX) return "too_many_services";
  const isOverlap =
    known !== null && point.isDelta && point.startAt > 0 && point.startAt < known.at && point.at > known.at;
  return isOverlap ? "overlap" : null;
}

/** Told before: a repetition, or what came after something newer. */
function isOld(point: Point, known: Held): boolean {
  return point.at <= known.at || (!point.isDelta && point.startAt < known.startAt);
}

/** What of a point was not counted yet; null where it only says where counting begins. */
function freshOf(point: Point, known: Held | null, since: Millis): Fresh | null {
  const { startAt, at, latency, isDelta, isError } = point;
  const whole = (from: Millis): Fresh => ({ counts: countsOf(latency, isError), from: Math.min(from, at - 1), to: at });
  if (isDelta) return whole(startAt > 0 ? startAt : (known?.at ?? at - MINUTE));
  if (known === null) return startAt >= since ? whole(startAt) : null;
  const difference = known.latency === null || startAt !== known.startAt ? null : minus(latency, known.latency);
  // A counter that began anew, whether it says so or not.
  if (difference === null) return whole(Math.max(startAt, known.at));
  return { counts: countsOf(difference, isError), from: known.at, to: at };
}

function countsOf(latency: Latency, isError: boolean): Counts {
  const requests = countOf(latency);
  return { requests, errors: isError ? requests : 0, latency };
}

/** Null if it is no continuation: something has become less, or the buckets are others. */
function minus(a: Latency, b: Latency): Latency | null {
  if (a.scheme === "explicit") return b.scheme === "explicit" ? minusExplicit(a, b) : null;
  return b.scheme === "exponential" ? minusExponential(a, b) : null;
}

function minusExplicit(a: ExplicitLatency, b: ExplicitLatency): ExplicitLatency | null {
  if (JSON.stringify(a.bounds) !== JSON.stringify(b.bounds)) return null;
  const counts = a.counts.map((count, i) => count - (b.counts[i] ?? 0));
  return counts.some((count) => count < 0) ? null : { ...a, counts, sum: Math.max(0, a.sum - b.sum) };
}

function minusExponential(a: ExponentialLatency, b: ExponentialLatency): ExponentialLatency | null {
  const scale = Math.min(a.scale, b.scale);
  const [now, then] = [downscale(a, scale), downscale(b, scale)];
  if (now.scale !== then.scale) return null;
  const buckets = new Map(now.counts.map((count, i) => [now.offset + i, count]));
  for (const [i, count] of then.counts.entries())
    if (count > 0) buckets.set(then.offset + i, (buckets.get(then.offset + i) ?? 0) - count);
  const zeros = now.zeros - then.zeros;
  if (zeros < 0 || [...buckets.values()].some((count) => count < 0)) return null;
  return exponentialLatency({ scale: now.scale, zeros, buckets, sum: Math.max(0, a.sum - b.sum) });
}

function withFresh(one: ServiceHeld, fresh: readonly Fresh[], closedUntil: Millis, now: Millis): ServiceHeld {
  const open = new Map(Object.entries(one.open));
  for (const { counts, from, to } of fresh)
    for (const { minute, share } of minutesOf(from, to, closedUntil)) {
      const known = open.get(String(minute));
      const part = scaled(counts, share);
      open.set(String(minute), known === undefined ? part : plus([known, part]));
    }
  const { readings, latency } = withReading(one, fresh, now);
  return { readings, latency, open: Object.fromEntries(open) };
}

/** How much of a span lies in which minute. */
function minutesOf(
  from: Millis,
  to: Millis,
  closedUntil: Millis,
): readonly { readonly minute: Millis; readonly share: number }[] {
  const begin = Math.max(from, to - SPREAD_MAX_MS);
  const shares = new Map<Millis, number>();
  for (let minute = minuteOf(begin); minute < to; minute += MINUTE) {
    const share = (Math.min(to, minute + MINUTE) - Math.max(begin, minute)) / (to - begin);
    const open = Math.max(minute, closedUntil);
    shares.set(open, (shares.get(open) ?? 0) + share);
  }
  return [...shares].map(([minute, share]) => ({ minute, share }));
}

function scaled(counts: Counts, share: number): Counts {
  if (share === 1) return counts;
  const { requests, errors, latency } = counts;
  return { requests: requests * share, errors: errors * share, latency: latency && scaledLatency(latency, share) };
}

function scaledLatency(latency: Latency, share: number): Latency {
  const counts = latency.counts.map((count) => count * share);
  if (latency.scheme === "explicit") return { ...latency, counts, sum: latency.sum * share };
  return { ...latency, counts, zeros: latency.zeros * share, sum: latency.sum * share };
}

/** Together. Histograms of two schemes are not one: that of more requests stands. */
function plus(all: readonly Counts[]): Counts {
  const [latency = null] = mergeLatencies(all.flatMap((one) => one.latency ?? []));
  return {
    requests: all.reduce((sum, one) => sum + one.requests, 0),
    errors: all.reduce((sum, one) => sum + one.errors, 0),
    latency,
  };
}

/** A reading of what came; what comes in several requests is one reading, if its moments are the same. */
function withReading(
  one: ServiceHeld,
  fresh: readonly Fresh[],
  now: Millis,
): { readonly readings: readonly Reading[]; readonly latency: Latency | null } {
  const at = Math.min(now, Math.max(...fresh.map(({ to }) => to)));
  const spanMs = Math.max(1, ...fresh.map(({ from, to }) => to - from));
  const last = one.readings.at(-1);
  const isSame = last !== undefined && Math.abs(at - last.at) < Math.min(spanMs, last.spanMs) / 2;
  const held = isSame ? [{ requests: last.requests, errors: last.errors, latency: one.latency }] : [];
  const { requests, errors, latency } = plus([...held, ...fresh.map(({ counts }) => counts)]);
  const found = latency === null ? null : quantile(latency, 0.95);
  const p95: Reading["p95"] = found === null ? null : [found.estimate, found.lo, found.hi];
  const reading = {
    at: isSame ? last.at : at,
    spanMs: Math.round(isSame ? last.spanMs : spanMs),
    requests,
    errors,
    p95,
  };
  const before = isSame ? one.readings.slice(0, -1) : one.readings;
  return { readings: [...before, reading].slice(-READINGS_MAX), latency };
}

/** The middle of how far apart points were. */
function intervalOf(fresh: readonly Fresh[]): number | null {
  const spans = fresh.map(({ from, to }) => to - from).toSorted((a, b) => a - b);
  const middle = spans[Math.floor(spans.length / 2)];
  return middle === undefined ? null : Math.round(Math.min(INTERVAL_MAX_MS, Math.max(INTERVAL_MIN_MS, middle)));
}
