/** Uptime by time and by requests. Both are floored: no loss, however short, shows as 100 %. */
import type { DayTally } from "../../protocol/page.ts";
import type { ComponentStatus } from "../../protocol/status.ts";
import { worst } from "../../protocol/status.ts";
import type { Millis } from "../../protocol/time.ts";
import { flooredRatio, uptimeRatio } from "../../protocol/uptime.ts";
import type { StatusChange } from "./component.ts";
import type { SeriesPoint, Span } from "./series.ts";

/** 99.9999 %. */
const DIGITS = 6;

export interface StatusSpan extends Span {
  readonly status: ComponentStatus;
}

/** Each change holds until the next, the last until `until`. @param changes of one component, oldest first */
export function spansOf(changes: readonly StatusChange[], until: Millis): readonly StatusSpan[] {
  return changes
    .map(({ at, status }, i) => ({ from: at, to: Math.min(changes[i + 1]?.at ?? until, until), status }))
    .filter(({ from, to }) => from < to);
}

export interface TimeUptime {
  /** Major outages count in full, partial ones 0.3, degraded not at all. Null if nothing counts. */
  readonly ratio: number | null;
  readonly majorMs: number;
  readonly partialMs: number;
  readonly degradedMs: number;
  /** Left out of it, and shown beside it. */
  readonly maintenanceMs: number;
  readonly unknownMs: number;
}

/** The share of observed time within `range` that something was up. */
export function timeUptime(spans: readonly StatusSpan[], range: Span): TimeUptime {
  return tallyUptime([spent(spans, range)]);
}

/** The same of time that was added up before: days, for instance. */
export function tallyUptime(tallies: readonly DayTally["ms"][]): TimeUptime {
  const ratio = uptimeRatio(tallies);
  const sum = (status: ComponentStatus): number => tallies.reduce((total, ms) => total + (ms[status] ?? 0), 0);
  return {
    ratio: ratio === null ? null : flooredRatio(ratio, DIGITS),
    majorMs: sum("major_outage"),
    partialMs: sum("partial_outage"),
    degradedMs: sum("degraded_performance"),
    maintenanceMs: sum("under_maintenance"),
    unknownMs: sum("unknown"),
  };
}

/**
 * Milliseconds of `range` in each status.
 *
 * Spans may overlap: an incident and the probe that found it covered the same hour, and that hour counts once, as the
 * heavier of the two. A declared maintenance covers what happens in it; silence says nothing where anything else speaks.
 */
export function spent(spans: readonly StatusSpan[], range: Span): DayTally["ms"] {
  const ms: Partial<Record<ComponentStatus, number>> = {};
  const open = new Map<ComponentStatus, number>();
  let since = range.from;
  for (const { at, status, change } of edgesOf(spans, range)) {
    const heaviest = heaviestOf(open);
    if (heaviest !== null && at > since) ms[heaviest] = (ms[heaviest] ?? 0) + (at - since);
    open.set(status, (open.get(status) ?? 0) + change);
    since = at;
  }
  return ms;
}

/** Where spans begin and end within the range, in order of time. */
function edgesOf(spans: readonly StatusSpan[], range: Span) {
  return spans
    .map(({ from, to, status }) => ({ from: Math.max(from, range.from), to: Math.min(to, range.to), status }))
    .filter(({ from, to }) => from < to)
    .flatMap(({ from, to, status }) => [
      { at: from, status, change: 1 },
      { at: to, status, change: -1 },
    ])
    .toSorted((a, b) => a.at - b.at);
}

/** What counts where these are said at the same time; null if none is. */
function heaviestOf(open: ReadonlyMap<ComponentStatus, number>): ComponentStatus | null {
  const said = [...open].filter(([, count]) => count > 0).map(([status]) => status);
  if (said.length === 0 || said.includes("under_maintenance")) return said.length === 0 ? null : "under_maintenance";
  return worst(said.length === 1 ? said : said.filter((status) => status !== "unknown"));
}

export interface RequestUptime {
  /** 1 − errors / requests; null if nobody asked. */
  readonly ratio: number | null;
  readonly requests: number;
  readonly errors: number;
}

export function requestUptime(points: readonly SeriesPoint[]): RequestUptime {
  const requests = points.reduce((sum, { seen }) => sum + (seen?.requests ?? 0), 0);
  const errors = points.reduce((sum, { seen }) => sum + (seen?.errors ?? 0), 0);
  // Extrapolated counts may have more errors than requests in their last digits.
  const ratio = requests > 0 ? flooredRatio(Math.max(0, 1 - errors / requests), DIGITS) : null;
  return { ratio: ratio === 1 && errors > 0 ? 1 - 10 ** -DIGITS : ratio, requests, errors };
}
