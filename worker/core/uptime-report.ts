/** A component's uptime as its operators read it: by time beside by requests, of days, of 30 and 90 of them, of months. */
import type { DayTally } from "../../protocol/page.ts";
import type { Millis } from "../../protocol/time.ts";
import { dayOf } from "./calendar.ts";
import { HISTORY_DAYS, recentDays } from "./history.ts";
import type { SeriesPoint } from "./series.ts";
import type { RequestUptime, TimeUptime } from "./uptime.ts";
import { requestUptime, tallyUptime } from "./uptime.ts";

/** `requests` is null where nothing is known of them: Postgres keeps them, and it may be away. */
interface Figure {
  readonly time: TimeUptime;
  readonly requests: RequestUptime | null;
}

/** Of the days from `from` to `to`, both YYYY-MM-DD and both counted in. */
interface RangeFigure extends Figure {
  readonly from: string;
  readonly to: string;
}

interface DayFigure extends Figure {
  readonly day: string;
  /** Whether it is written down for good; the newest are still counted. */
  readonly isFrozen: boolean;
  /** The figure as it was first frozen; null if it was not corrected. */
  readonly was: TimeUptime | null;
}

export interface UptimeReport {
  /** Oldest first, as far as anything was observed. */
  readonly days: readonly DayFigure[];
  readonly last30Days: RangeFigure | null;
  readonly last90Days: RangeFigure | null;
  /** Calendar months, oldest first; the first and the last may be parts of theirs, as `from` and `to` say. */
  readonly months: readonly (RangeFigure & { readonly month: string })[];
}

/**
 * @param days of the component, oldest first, at most 90
 * @param points its requests by day of the page's zone; null if they cannot be had
 * @param frozenDay the newest frozen day; null if none is
 */
export function uptimeReport(
  days: readonly DayTally[],
  points: readonly SeriesPoint[] | null,
  frozenDay: string | null,
  { now, timeZone }: { readonly now: Millis; readonly timeZone: string },
): UptimeReport {
  const byDay = points === null ? null : Map.groupBy(points, ({ from }) => dayOf(from, timeZone));
  const figure = (tallies: readonly DayTally[]): Figure => ({
    time: tallyUptime(tallies.map(({ ms }) => ms)),
    requests: byDay && requestUptime(tallies.flatMap(({ day }) => byDay.get(day) ?? [])),
  });
  const range = (tallies: readonly DayTally[]): RangeFigure | null => {
    const [first, last] = [tallies[0], tallies.at(-1)];
    return first === undefined || last === undefined ? null : { from: first.day, to: last.day, ...figure(tallies) };
  };
  return {
    days: days.map((tally) => ({
      day: tally.day,
      isFrozen: frozenDay !== null && tally.day <= frozenDay,
      ...figure([tally]),
      was: tally.was === undefined ? null : tallyUptime([tally.was]),
    })),
    last30Days: range(recentDays(days, 30, now, timeZone)),
    last90Days: range(recentDays(days, HISTORY_DAYS, now, timeZone)),
    months: [...Map.groupBy(days, ({ day }) => day.slice(0, 7))].flatMap(([month, tallies]) => {
      const found = range(tallies);
      return found === null ? [] : { month, ...found };
    }),
  };
}
