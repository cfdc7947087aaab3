/**
 * A component's numbers over time. The plan says where a range is cut and which table can answer it; the store sums what
 * lies between two cuts; the points say what was seen there. Where nothing was seen there is `null`, never zero.
 *
 *   range    step   points  from      cut
 *   hour     1 min      60  minutes   at whole minutes
 *   day      5 min     288  minutes   at whole five minutes
 *   week     1 h       168  hours     at hours of the page's clock
 *   month    6 h       120  hours     at quarters of the page's days
 *   quarter  1 day      90  days      at the page's midnights
 */
import type { Latency, Quantile } from "../../protocol/latency.ts";
import { mergeLatencies, quantileOf } from "../../protocol/latency.ts";
import type { Millis } from "../../protocol/time.ts";
import { DAY, HOUR, MINUTE, minuteOf, SECOND } from "../../protocol/time.ts";
import { lastDays } from "./calendar.ts";
import { HISTORY_DAYS } from "./history.ts";

export const RANGES = ["hour", "day", "week", "month", "quarter"] as const;
export type Range = (typeof RANGES)[number];

export interface Span {
  readonly from: Millis;
  readonly to: Millis;
}

export interface SeriesPlan extends Span {
  readonly range: Range;
  /** Which rows answer it: the coarsest that can. */
  readonly source: "minute" | "hour" | "day";
  /** The usual length of a slot. Days and their quarters are an hour longer or shorter where clocks change. */
  readonly stepMs: number;
  /** Without holes, oldest first; the last one holds the newest whole minute. */
  readonly slots: readonly Span[];
}

export function seriesPlan(range: Range, now: Millis, timeZone: string): SeriesPlan {
  const { source, stepMs, count } = STEPS[range];
  const end = minuteOf(now);
  const slots = source === "minute" ? evenSlots(end, stepMs, count) : daySlots(end - 1, timeZone, stepMs).slice(-count);
  return { range, source, stepMs, slots, from: slots[0]?.from ?? end, to: slots.at(-1)?.to ?? end };
}

/** The last `count` steps by minutes, the last of which holds `now`. Steps must divide an hour, or be hours. */
export function evenPlan(now: Millis, stepMs: number, count: number): SeriesPlan {
  const end = minuteOf(now);
  const slots = evenSlots(end, stepMs, count);
  return { range: "day", source: "minute", stepMs, slots, from: slots[0]?.from ?? end, to: slots.at(-1)?.to ?? end };
}

const STEPS = {
  hour: { source: "minute", stepMs: MINUTE, count: 60 },
  day: { source: "minute", stepMs: 5 * MINUTE, count: 288 },
  week: { source: "hour", stepMs: HOUR, count: 168 },
  month: { source: "hour", stepMs: 6 * HOUR, count: 120 },
  quarter: { source: "day", stepMs: DAY, count: HISTORY_DAYS },
} as const satisfies Record<Range, Pick<SeriesPlan, "source" | "stepMs"> & { readonly count: number }>;

function evenSlots(end: Millis, stepMs: number, count: number): Span[] {
  const last = Math.ceil(end / stepMs) * stepMs;
  return Array.from({ length: count }, (_, i) => {
    const to = last - (count - 1 - i) * stepMs;
    return { from: to - stepMs, to };
  });
}

/** Each day of the zone cut into steps; what a clock change adds or takes is the last step's. */
function daySlots(last: Millis, timeZone: string, stepMs: number): Span[] {
  return lastDays(last, timeZone, HISTORY_DAYS)
    .flatMap(({ from, to }) => {
      // A day of 25 hours has a 25th hour, but four quarters.
      const cuts = stepMs === HOUR ? Math.round((to - from) / HOUR) : DAY / stepMs;
      return Array.from({ length: cuts }, (_, i) => ({
        from: from + i * stepMs,
        to: i === cuts - 1 ? to : from + (i + 1) * stepMs,
      }));
    })
    .filter(({ from }) => from <= last);
}

/** The sum of what the store has in one slot; one row for each kind of histogram bounds. */
export interface SeriesRow {
  /** Index into the plan's slots. */
  readonly slot: number;
  readonly requests: number;
  readonly errors: number;
  /** Of all services together. */
  readonly coveredMs: number;
  /** Where the longest window ends that starts here: a window may be longer than a slot. */
  readonly reach: Millis;
  readonly latency: Latency | null;
}

export interface SeriesPoint extends Span {
  readonly seen: Seen | null;
  /** Whether an agent declared that it lost facts of this time. */
  readonly gap: boolean;
}

/** What was seen of some services within a point. */
interface Seen {
  readonly requests: number;
  readonly errors: number;
  /** Share of the services' time that windows cover, 0 to 1. */
  readonly coverage: number;
  /** Null where no histogram was seen. */
  readonly p50: Quantile | null;
  readonly p95: Quantile | null;
  readonly p99: Quantile | null;
}

/**
 * The points of a plan, oldest first. One that holds windows longer than its slot reaches over the empty slots after it,
 * so that a rare scrape is no hole.
 *
 * @param services how many were asked for
 * @param now ends what the last slot can cover
 */
export function seriesPoints(
  plan: SeriesPlan,
  facts: { readonly rows: readonly SeriesRow[]; readonly gaps: readonly Span[]; readonly services: number },
  now: Millis,
): readonly SeriesPoint[] {
  const bySlot = Map.groupBy(facts.rows, (row) => row.slot);
  const points: SeriesPoint[] = [];
  let reach = 0;
  for (let i = 0; i < plan.slots.length;) {
    const first = plan.slots[i];
    if (first === undefined) break;
    const rows = bySlot.get(i) ?? [];
    reach = Math.max(0, ...rows.map((row) => row.reach));
    let to = first.to;
    // The slots that only the windows of this one cover are part of it.
    for (i++; rows.length > 0 && !bySlot.has(i) && (plan.slots[i]?.from ?? reach) < reach; i++)
      to = plan.slots[i]?.to ?? to;
    const { from } = first;
    const gap = facts.gaps.some((lost) => lost.from < to && lost.to > from);
    points.push({ from, to, gap, seen: seenOf(rows, facts.services * (Math.min(to, now) - from)) });
  }
  return points;
}

function seenOf(rows: readonly SeriesRow[], wholeMs: number): Seen | null {
  if (rows.length === 0) return null;
  const latencies = mergeLatencies(rows.map((row) => row.latency).filter((latency) => latency !== null));
  const sum = (of: (row: SeriesRow) => number): number => rows.reduce((total, row) => total + of(row), 0);
  return {
    requests: sum((row) => row.requests),
    errors: sum((row) => row.errors),
    coverage: Math.min(1, sum((row) => row.coveredMs) / Math.max(1, wholeMs)),
    p50: quantileOf(latencies, 0.5),
    p95: quantileOf(latencies, 0.95),
    p99: quantileOf(latencies, 0.99),
  };
}

/** Requests a second of a point, and how much of its time that is known of, 0 to 1. */
export interface PointRate {
  readonly perSecond: number;
  readonly share: number;
}

/** A point of which less is known has no rate: a minute's requests are not an hour's. */
const SHARE_MIN = 0.05;

/**
 * The rate of each point; null where nothing was seen. Some services never get requests, so the point of which most was
 * seen counts as seen in full, and the others by how much less there was: what was not seen is not zero.
 */
export function ratesOf(points: readonly SeriesPoint[], now: Millis): readonly (PointRate | null)[] {
  const most = points.reduce((max, { seen }) => Math.max(max, seen?.coverage ?? 0), 0);
  return points.map(({ from, to, seen }) => {
    const share = seen === null || most === 0 ? 0 : seen.coverage / most;
    if (seen === null || share < SHARE_MIN) return null;
    const seconds = Math.max(1, (Math.min(to, now) - from) / SECOND);
    return { perSecond: seen.requests / (seconds * share), share };
  });
}
