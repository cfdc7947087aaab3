/** What a maintenance cost its visitors, beside the same hours of the four weeks before. */
import type { Millis } from "../../protocol/time.ts";
import { DAY, HOUR } from "../../protocol/time.ts";
import type { SeriesPlan, SeriesPoint } from "./series.ts";

const WEEKS = 4;
const WEEK_MS = 7 * DAY;

/** The hours that it touched, and the same of each week before, newest first: the sums that are kept are of hours. */
export function impactPlans(startsAt: Millis, overAt: Millis): readonly SeriesPlan[] {
  const from = Math.floor(startsAt / HOUR) * HOUR;
  const to = Math.max(from + HOUR, Math.ceil(overAt / HOUR) * HOUR);
  return Array.from({ length: WEEKS + 1 }, (_, week) => {
    const span = { from: from - week * WEEK_MS, to: to - week * WEEK_MS };
    return { range: "week", source: "hour", stepMs: to - from, slots: [span], ...span };
  });
}

export interface Impact {
  readonly requests: number | null;
  readonly failed: number | null;
  readonly p95Ms: number | null;
  /** Null where no week before has history. */
  readonly usual: {
    /** The mean of the weeks. */
    readonly requests: number;
    readonly failed: number;
    readonly p95Ms: readonly [least: number, most: number] | null;
    readonly weeks: number;
  } | null;
}

/** @param points what was seen in each of the plans, in their order */
export function impactOf([during, ...before]: readonly (SeriesPoint | undefined)[]): Impact {
  const seen = during?.seen ?? null;
  const weeks = before.flatMap((point) => point?.seen ?? []);
  const mean = (of: (week: (typeof weeks)[number]) => number): number =>
    weeks.reduce((sum, week) => sum + of(week), 0) / weeks.length;
  const p95 = weeks.flatMap((week) => week.p95?.estimate ?? []);
  return {
    requests: seen?.requests ?? null,
    failed: seen?.errors ?? null,
    p95Ms: seen?.p95?.estimate ?? null,
    usual:
      weeks.length === 0
        ? null
        : {
            requests: mean((week) => week.requests),
            failed: mean((week) => week.errors),
            p95Ms: p95.length === 0 ? null : [Math.min(...p95), Math.max(...p95)],
            weeks: weeks.length,
          },
  };
}
