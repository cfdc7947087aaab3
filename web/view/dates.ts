/** Moments with their year, for what is read long afterwards; days are cut, and times said, in the page's zone. */
import type { Millis } from "../../protocol/time.ts";
import { DAY } from "../../protocol/time.ts";
import { dayNumber } from "./history.ts";
import type { Html } from "./html.ts";
import { markup } from "./html.ts";
import { isoText } from "./iso.ts";
import type { LiveLocale } from "./words/locale.ts";

type Said = Pick<LiveLocale, "intl" | "timeZone">;

const formats = new Map<string, Intl.DateTimeFormat>();

const CLOCK = { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZoneName: "short" } as const;
const MOMENT = { weekday: "short", day: "numeric", month: "short", year: "numeric", ...CLOCK } as const;
const DATE = { day: "numeric", month: "numeric" } as const;

function format({ intl, timeZone }: Said, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${intl} ${timeZone} ${Object.entries(options).join()}`;
  const known = formats.get(key) ?? new Intl.DateTimeFormat(intl, { ...options, timeZone });
  formats.set(key, known);
  return known;
}

/** "Sat, 28 Nov 2026, 02:00–04:00 UTC", with both days where there are two; a moment where both are one. */
export function longSpan(from: Millis, until: Millis, locale: Said): string {
  return format(locale, MOMENT).formatRange(from, until);
}

/**
 * The same in another zone, to stand beside it: "03:00–05:00 CET", with days where they are others. Null where it reads
 * the same.
 */
export function besideMoment(from: Millis, until: Millis, locale: Said, ownZone: string): string | null {
  const mine = { intl: locale.intl, timeZone: ownZone };
  const own = longSpan(from, until, mine);
  if (own === longSpan(from, until, locale)) return null;
  const theirDay = format(locale, DATE).format(from);
  const isSameDay = [from, until].every((at) => format(mine, DATE).format(at) === theirDay);
  return isSameDay ? format(mine, CLOCK).formatRange(from, until) : own;
}

/** "November 2026" of "2026-11". */
export function monthName(month: string, { intl }: Pick<Said, "intl">): string {
  const utc = { intl, timeZone: "UTC" };
  return format(utc, { month: "long", year: "numeric" }).format(dayNumber(`${month}-01`) * DAY);
}

/** A moment for people and programs; the script adds what it is in the visitor's zone. */
export function momentTag(at: Millis, locale: Said): Html {
  return markup`<time datetime="${isoText(at)}" data-from="${at}">${longSpan(at, at, locale)}</time>`;
}

/** The same of two moments. */
export function spanTag(from: Millis, until: Millis, locale: Said): Html {
  return markup`<time data-from="${from}" data-until="${until}">${longSpan(from, until, locale)}</time>`;
}
