/** Days of a component from its recorded changes: time spent in each status, cut in the page's zone. */
import type { DayTally } from "../../protocol/page.ts";
import type { ComponentStatus } from "../../protocol/status.ts";
import { DAY } from "../../protocol/time.ts";
import type { Millis } from "../../protocol/time.ts";
import { dayOf, nextDay } from "./calendar.ts";
import type { StatusChange } from "./component.ts";

/** Days that a page shows. */
const HISTORY_DAYS = 90;

/** Changes older than this do not touch any day that is shown; one day more for the longest day and the zone. */
export const HISTORY_MS = (HISTORY_DAYS + 2) * DAY;

/**
 * The days with any observation up to `now`, oldest first, at most 90. Each change holds until the next one.
 *
 * @param changes of one component, oldest first
 */
export function dayTallies(changes: readonly StatusChange[], now: Millis, timeZone: string): readonly DayTally[] {
  const days = new Map<string, Partial<Record<ComponentStatus, number>>>();
  changes.forEach((change, i) => {
    const end = Math.min(changes[i + 1]?.at ?? now, now);
    let from = Math.max(change.at, now - HISTORY_MS);
    while (from < end) {
      const to = Math.min(end, nextDay(from, timeZone));
      const day = dayOf(from, timeZone);
      const ms = days.get(day) ?? {};
      days.set(day, { ...ms, [change.status]: (ms[change.status] ?? 0) + (to - from) });
      from = to;
    }
  });
  return [...days].map(([day, ms]) => ({ day, ms })).slice(-HISTORY_DAYS);
}
