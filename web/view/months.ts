/** Months of a page's history, "2026-11", cut in its zone: which there are, and what happened in one. */
import type { DayTally, PageIncident, PageLog, PageMaintenance, PageSnapshot } from "../../protocol/page.ts";
import type { Millis } from "../../protocol/time.ts";
import { dateText } from "./format.ts";

/** An incident or a maintenance, as a line of a month. */
export type PastEntry =
  | { readonly kind: "incident"; readonly at: Millis; readonly it: PageIncident }
  | { readonly kind: "maintenance"; readonly at: Millis; readonly it: PageMaintenance };

export interface Month {
  readonly month: string;
  /** Null at either end of the history. */
  readonly before: string | null;
  readonly after: string | null;
  /** All that went on in it, newest first: what reached over its end stands in both months. */
  readonly entries: readonly PastEntry[];
}

function monthOf(at: Millis, timeZone: string): string {
  return dateText(at, timeZone).slice(0, 7);
}

/** The month `months` after this one. */
function shiftMonth(month: string, months: number): string {
  const [year = 0, number = 1] = month.split("-").map(Number);
  const index = year * 12 + number - 1 + months;
  return `${String(Math.floor(index / 12)).padStart(4, "0")}-${String((index % 12) + 1).padStart(2, "0")}`;
}

/** The month that holds `now`. */
export function thisMonth(timeZone: string, now: Millis): string {
  return monthOf(now, timeZone);
}

/** One month with all that happened in it; null for one before the page's first, one to come, and what is none. */
export function monthAt(
  { page, components }: Pick<PageSnapshot, "page" | "components">,
  log: Pick<PageLog, "incidents" | "maintenances">,
  month: string,
  now: Millis,
): Month | null {
  const { timeZone } = page;
  if (!/^\d{4}-(0[1-9]|1[0-2])$/.test(month)) return null;
  const last = monthOf(now, timeZone);
  const began = [
    page.createdAt,
    ...log.incidents.map((one) => one.startedAt),
    ...log.maintenances.map((one) => one.startsAt),
  ];
  const days = components.flatMap((one) => one.days.slice(0, 1).map(({ day }) => day.slice(0, 7)));
  const first = [...began.map((at) => monthOf(at, timeZone)), ...days].reduce((a, b) => (b < a ? b : a), last);
  if (month < first || month > last) return null;
  const isIn = (from: Millis, to: Millis): boolean =>
    monthOf(from, timeZone) <= month && month <= monthOf(to, timeZone);
  const entries: readonly PastEntry[] = [
    ...log.incidents
      .filter((it) => isIn(it.startedAt, it.resolvedAt ?? now))
      .map((it) => ({ kind: "incident", at: it.startedAt, it }) as const),
    ...log.maintenances
      .filter((it) => isIn(it.startsAt, it.endsAt))
      .map((it) => ({ kind: "maintenance", at: it.startsAt, it }) as const),
  ];
  return {
    month,
    before: month > first ? shiftMonth(month, -1) : null,
    after: month < last ? shiftMonth(month, 1) : null,
    entries: entries.toSorted((a, b) => b.at - a.at),
  };
}

/** The days of a month among those that are kept. */
export function daysOfMonth(days: readonly DayTally[], month: string): readonly DayTally[] {
  return days.filter(({ day }) => day.startsWith(month));
}
