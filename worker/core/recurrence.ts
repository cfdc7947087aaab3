/**
 * When something recurs (RFC 5545), on the wall clock of a zone. The library counts wall clocks as if each were UTC, so
 * that "Sunday 03:00" is that all year; what each shows is made a moment here.
 */
import * as library from "rrule";
import type { Millis } from "../../protocol/time.ts";
import { DAY } from "../../protocol/time.ts";
import { momentOf, wallOf } from "./calendar.ts";

// Node gets one module, which has it all as its default; a bundle gets another one, which has none.
const { rrulestr } = (Reflect.get(library, "default") as typeof library | undefined) ?? library;

export interface Recurrence {
  /** An RRULE without its name. */
  readonly rule: string;
  /** DTSTART on the wall, "2026-11-29T03:00". */
  readonly start: string;
  readonly timeZone: string;
}

/** The runbook's: "Weekly (Sunday 03:00 UTC)", "Monthly (First Sunday 03:00 UTC)". */
export const WEEKLY_SUNDAY = "FREQ=WEEKLY;BYDAY=SU";
export const MONTHLY_FIRST_SUNDAY = "FREQ=MONTHLY;BYDAY=1SU";

const RULE_CHARS_MAX = 200;
/** A rule that never comes true is looked for until then; the library itself would look until the year 9999. */
const AHEAD_MS = 40 * 366 * DAY;
/** Instances of a rule that are stepped over: a window a day for forty years. */
const INSTANCES_MAX = 15_000;
const PARTS =
  /^(FREQ|INTERVAL|COUNT|UNTIL|WKST|BYDAY|BYMONTHDAY|BYYEARDAY|BYWEEKNO|BYMONTH|BYSETPOS|BYHOUR|BYMINUTE)=[A-Z0-9,+-]+$/;
const DAYS_OF_MONTHS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** Why something cannot recur like that; null if it can. */
export function recurrenceFault(recurrence: Recurrence): string | null {
  const { rule, start } = recurrence;
  const parts = rule.split(";");
  if (rule.length > RULE_CHARS_MAX || !parts.every((part) => PARTS.test(part)))
    return "Give a rule like FREQ=WEEKLY;BYDAY=SU.";
  if (!/(^|;)FREQ=(DAILY|WEEKLY|MONTHLY|YEARLY)(;|$)/.test(rule))
    return "It recurs daily, weekly, monthly or yearly: FREQ=WEEKLY.";
  if (/COUNT=/.test(rule) && /UNTIL=/.test(rule)) return "Give COUNT or UNTIL, not both.";
  if (!hasDay(rule)) return "It never happens: no such month has such a day.";
  if (wallMoment(start) === null) return "Give the first date and time.";
  try {
    return occurrences(recurrence, -Infinity, Infinity, 1).length === 0 ? "It never happens." : null;
  } catch {
    return "That rule cannot be read. One like FREQ=MONTHLY;BYDAY=1SU can.";
  }
}

/** The library looks for the 30th of February day by day. */
function hasDay(rule: string): boolean {
  const numbers = (name: string): readonly number[] =>
    (new RegExp(`(?:^|;)${name}=([-+0-9,]+)`).exec(rule)?.[1] ?? "").split(",").filter(Boolean).map(Number);
  const [months, days] = [numbers("BYMONTH"), numbers("BYMONTHDAY")];
  if (days.length === 0) return true;
  const long = Math.max(...(months.length === 0 ? [31] : months.map((month) => DAYS_OF_MONTHS[month - 1] ?? 0)));
  return days.some((day) => Math.abs(day) <= long);
}

/** "2026-11-29T03:00" as the moment at which UTC shows that; null if it is none. */
export function wallMoment(text: string): Millis | null {
  const parsed = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d)$/.exec(text);
  if (parsed === null) return null;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0] = parsed.slice(1).map(Number);
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const days = month === 2 && !isLeap ? 28 : (DAYS_OF_MONTHS[month - 1] ?? 0);
  if (day < 1 || day > days || hour > 23 || minute > 59) return null;
  return instancesOf("FREQ=DAILY;COUNT=1", text, () => true)[0] ?? null;
}

/** The first `max` moments from `from` until before `until`, in their order. */
export function occurrences(
  { rule, start, timeZone }: Recurrence,
  from: Millis,
  until: Millis,
  max: number,
): readonly Millis[] {
  const found: Millis[] = [];
  instancesOf(localUntil(rule, timeZone), start, (wall) => {
    // No zone is further from UTC; what lies that far back needs no zone's rules.
    if (wall < from - 2 * DAY) return true;
    const at = momentOf(wall, timeZone);
    if (at >= from && at < until) found.push(at);
    return at < until && found.length < max;
  });
  return found;
}

/** UNTIL is in UTC where it ends in Z (RFC 5545, 3.3.10), and the library counts wall clocks. */
function localUntil(rule: string, timeZone: string): string {
  return rule.replace(/UNTIL=(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)\d\dZ/, (whole, ...digits: string[]) => {
    const [year, month, day, hour, minute] = digits;
    const wall = instancesOf("FREQ=DAILY;COUNT=1", `${year}-${month}-${day}T${hour}:${minute}`, () => true)[0];
    return wall === undefined ? whole : `UNTIL=${stamp(wallOf(wall, timeZone))}`;
  });
}

/** 20261129T030000 */
function stamp(wall: Millis): string {
  const text = iso(wall);
  return text.slice(0, 19).replaceAll(/[-:]/g, "");
}

const FORMAT = new Intl.DateTimeFormat("sv-SE", { timeZone: "UTC", dateStyle: "short", timeStyle: "medium" });

/** 2026-11-29T03:00:00 */
function iso(at: Millis): string {
  return FORMAT.format(at).replace(" ", "T");
}

/** The wall clock's moment as a field of a form has it, "2026-11-29T03:00". */
export function wallText(at: Millis, timeZone: string): string {
  return iso(wallOf(at, timeZone)).slice(0, 16);
}

/** Instances as moments of UTC, while `take` wants more. */
function instancesOf(rule: string, start: string, take: (wall: Millis) => boolean): readonly Millis[] {
  const taken: Millis[] = [];
  const text = `DTSTART:${start.replaceAll(/[-:]/g, "")}00Z\nRRULE:${rule}`;
  let first: Millis | null = null;
  rrulestr(text).all((date, i) => {
    const wall = date.getTime();
    first ??= wall;
    taken.push(wall);
    return take(wall) && i < INSTANCES_MAX && wall < first + AHEAD_MS;
  });
  return taken;
}
