/** Days of a component: time spent in each status, cut in the page's zone. Past days stand as they were frozen. */
import type { DayTally } from "../../protocol/page.ts";
import type { ComponentStatus } from "../../protocol/status.ts";
import { DAY } from "../../protocol/time.ts";
import type { Millis } from "../../protocol/time.ts";
import { lastDays } from "./calendar.ts";
import type { Day } from "./calendar.ts";
import type { StatusChange } from "./component.ts";
import type { FrozenDays } from "./freeze.ts";

/** Days that a page shows. */
export const HISTORY_DAYS = 90;

/** Changes older than this do not touch any day that is shown; two days more for long days and the zone. */
export const HISTORY_MS = (HISTORY_DAYS + 2) * DAY;

/**
 * The days with any observation up to `now`, oldest first, at most 90: first what is frozen, then what the journal says
 * of the days since. Each change holds until the next one.
 *
 * @param changes of one component, oldest first
 */
export function dayTallies(
  component: string,
  changes: readonly StatusChange[],
  frozen: FrozenDays,
  now: Millis,
  timeZone: string,
): readonly DayTally[] {
  const first = lastDays(now, timeZone, HISTORY_DAYS)[0]?.day ?? "";
  const past = frozen.days.flatMap(({ day, tallies, was }): DayTally[] => {
    const ms = tallies[component];
    const before = was[component];
    if (day < first || ms === undefined) return [];
    return [before === undefined ? { day, ms } : { day, ms, was: before }];
  });
  return [...past, ...talliesOf(changes, openDays(frozen, now, timeZone), now)];
}

/** Those of a component's days that are among the last `count` of the page's, today included; at most 90. */
export function recentDays(
  days: readonly DayTally[],
  count: number,
  now: Millis,
  timeZone: string,
): readonly DayTally[] {
  const first = lastDays(now, timeZone, HISTORY_DAYS).at(-count)?.day ?? "";
  return days.filter(({ day }) => day >= first);
}

/**
 * The days up to `now` that are not frozen, oldest first. They begin where the last frozen one ended: if the page has
 * moved to another zone since, that day is longer or shorter, and no moment is counted twice or lost.
 */
export function openDays({ days }: FrozenDays, now: Millis, timeZone: string): readonly Day[] {
  const known = lastDays(now, timeZone, HISTORY_DAYS);
  const last = days.at(-1);
  if (last === undefined) return known;
  const open = known.filter(({ day }) => day > last.day);
  const isNext = open.length < known.length;
  return open.map(({ day, from, to }, i) => {
    const start = isNext && i === 0 ? last.to : Math.max(from, last.to);
    return { day, from: start, to: Math.max(start, to) };
  });
}

/** What a journal says of some days, but of none after `until`. Days without any observation are left out. */
export function talliesOf(changes: readonly StatusChange[], days: readonly Day[], until: Millis): readonly DayTally[] {
  const tallies: DayTally[] = [];
  let current = 0;
  for (const { day, from, to } of days) {
    const end = Math.min(to, until);
    const ms: Partial<Record<ComponentStatus, number>> = {};
    for (let i = current; i < changes.length; i++) {
      const change = changes[i];
      if (change === undefined || change.at >= end) break;
      const spent = Math.min(changes[i + 1]?.at ?? end, end) - Math.max(change.at, from);
      if (spent > 0) ms[change.status] = (ms[change.status] ?? 0) + spent;
      // What holds over midnight is looked at again for the next day.
      current = i;
    }
    if (Object.keys(ms).length > 0) tallies.push({ day, ms });
  }
  return tallies;
}
