/** Moments with their year, for what is read long afterwards; days are cut, and times said, in the page's zone. */
import type { Millis } from "../../protocol/time.ts";
import { DAY } from "../../protocol/time.ts";
import { dayNumber } from "./history.ts";
import type { Html } from "./html.ts";
import { markup } from "./html.ts";
import { isoText } from "./iso.ts";

const formats = new Map<string, Intl.DateTimeFormat>();

const CLOCK = { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZoneName: "short" } as const;
const MOMENT = { weekday: "short", day: "numeric", month: "short", year: "numeric", ...CLOCK } as const;

function format(timeZone: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${timeZone} ${Object.keys(options).join()}`;
  const known = formats.get(key) ?? new Intl.DateTimeFormat("en-GB", { ...options, timeZone });
  formats.set(key, known);
  return known;
}

/** "Sat, 28 Nov 2026, 02:00–04:00 UTC", with both days where there are two; a moment where both are one. */
export function longSpan(from: Millis, until: Millis, timeZone: string): string {
  return format(timeZone, MOMENT).formatRange(from, until);
}

/**
 * The same in another zone, to stand beside it: "03:00–05:00 CET", with days where they are others. Null where it reads
 * the same.
 */
export function besideMoment(from: Millis, until: Millis, timeZone: string, ownZone: string): string | null {
  const own = longSpan(from, until, ownZone);
  if (own === longSpan(from, until, timeZone)) return null;
  const clock = format(ownZone, CLOCK);
  const day = format(ownZone, { day: "numeric", month: "numeric" });
  const theirs = format(timeZone, { day: "numeric", month: "numeric" });
  const isSameDay = [from, until].every((at) => day.format(at) === theirs.format(from));
  return isSameDay ? clock.formatRange(from, until) : own;
}

/** "Sun 22 Nov" without a year, where a heading has it. */
export function dayOfMonth(at: Millis, timeZone: string): string {
  return format(timeZone, { weekday: "short", day: "numeric", month: "short" }).format(at);
}

/** "November 2026" of "2026-11". */
export function monthName(month: string): string {
  return format("UTC", { month: "long", year: "numeric" }).format(dayNumber(`${month}-01`) * DAY);
}

/** A moment for people and programs; the script adds what it is in the visitor's zone. */
export function momentTag(at: Millis, timeZone: string): Html {
  return markup`<time datetime="${isoText(at)}" data-from="${at}">${longSpan(at, at, timeZone)}</time>`;
}

/** The same of two moments. */
export function spanTag(from: Millis, until: Millis, timeZone: string): Html {
  return markup`<time data-from="${from}" data-until="${until}">${longSpan(from, until, timeZone)}</time>`;
}
