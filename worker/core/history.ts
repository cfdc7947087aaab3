/** Days of a component from its recorded changes: time spent in each status, cut in the page's zone. */
import type { DayTally } from "../../protocol/page.ts";
import type { ComponentStatus } from "../../protocol/status.ts";
import { DAY } from "../../protocol/time.ts";
import type { Millis } from "../../protocol/time.ts";
import { lastDays } from "./calendar.ts";
import type { StatusChange } from "./component.ts";

/** Days that a page shows. */
export const HISTORY_DAYS = 90;

/** Changes older than this do not touch any day that is shown; two days more for long days and the zone. */
export const HISTORY_MS = (HISTORY_DAYS + 2) * DAY;

/**
 * The days with any observation up to `now`, oldest first, at most 90. Each change holds until the next one.
 *
 * @param changes of one component, oldest first
 */
export function dayTallies(changes: readonly StatusChange[], now: Millis, timeZone: string): readonly DayTally[] {
  const tallies: DayTally[] = [];
  let current = 0;
  for (const { day, from, to } of lastDays(now, timeZone, HISTORY_DAYS)) {
    const end = Math.min(to, now);
    const ms: Partial<Record<ComponentStatus, number>> = {};
    for (let i = current; i < changes.length; i++) {
      const change = changes[i];
      if (change === undefined || change.at >= end) break;
      const until = Math.min(changes[i + 1]?.at ?? end, end);
      const spent = until - Math.max(change.at, from);
      if (spent > 0) ms[change.status] = (ms[change.status] ?? 0) + spent;
      // What holds over midnight is looked at again for the next day.
      current = i;
    }
    if (Object.keys(ms).length > 0) tallies.push({ day, ms });
  }
  return tallies;
}
