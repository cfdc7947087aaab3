/**
 * When something recurs (RFC 5545), on the wall clock of a zone. The library counts wall clocks as if each were UTC, so
 * that "Sunday 03:00" is that all year; what each shows is made a moment here.
 */
import * as library from "rrule";
import type { Millis } from "../../protocol/time.ts";
import { DAY, HOUR, MINUTE } from "../../protocol/time.ts";
import { momentOf, utcOf, wallOf } from "./calendar.ts";

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
/** A rule is looked for so long after its first instance. */
const AHEAD_MS = 40 * 366 * DAY;
/** Instances of a rule that are stepped over: a window a day for forty years. */
const INSTANCES_MAX = 15_000;
/** Whoever types the year 26 means another one; and what began long ago costs a look at each day since. */
const YEARS = [2000, 2200] as const;
const DAYS_OF_MONTHS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/**
 * The library gives up in the year 9999, and until then looks for what never comes true: at eight thousand years of days
 * for minutes. The calendar is the same every 400 years, weekdays and all, so it is asked about the last ones it knows.
 */
const LATER_YEARS = 19 * 400;
const LATER_MS = 19 * 146_097 * DAY;

const WEEKDAY = "(SU|MO|TU|WE|TH|FR|SA)";

function listOf(item: string): RegExp {
  return new RegExp(`^${item}(,${item})*$`);
}
/** What each part may say. What the library takes without a look it may calculate with for ever. */
const PARTS: Readonly<Record<string, RegExp>> = {
  FREQ: /^(DAILY|WEEKLY|MONTHLY|YEARLY)$/,
  INTERVAL: /^[1-9]\d{0,2}$/,
  COUNT: /^[1-9]\d{0,3}$/,
  UNTIL: /^\d{4}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(T([01]\d|2[0-3])[0-5]\d[0-5]\dZ?)?$/,
  WKST: listOf(WEEKDAY),
  BYDAY: listOf(`([+-]?([1-9]|[1-4]\\d|5[0-3]))?${WEEKDAY}`),
  BYMONTHDAY: listOf("[+-]?([1-9]|[12]\\d|3[01])"),
  BYYEARDAY: listOf("[+-]?([1-9]\\d?|[12]\\d\\d|3[0-5]\\d|36[0-6])"),
  BYWEEKNO: listOf("[+-]?([1-9]|[1-4]\\d|5[0-3])"),
  BYMONTH: listOf("([1-9]|1[0-2])"),
  BYSETPOS: listOf("[+-]?([1-9]\\d?|[12]\\d\\d|3[0-5]\\d|36[0-6])"),
  BYHOUR: listOf("(1?\\d|2[0-3])"),
  BYMINUTE: listOf("[1-5]?\\d"),
};

/** Why something cannot recur like that; null if it can. */
export function recurrenceFault(recurrence: Recurrence): string | null {
  const { rule, start } = recurrence;
  const parts = rule.split(";").map((part) => part.split("=", 2));
  const names = parts.map(([name = ""]) => name);
  if (rule.length > RULE_CHARS_MAX || !names.every((name) => Object.hasOwn(PARTS, name)))
    return "Give a rule like FREQ=WEEKLY;BYDAY=SU.";
  if (!/(^|;)FREQ=(DAILY|WEEKLY|MONTHLY|YEARLY)(;|$)/.test(rule))
    return "It recurs daily, weekly, monthly or yearly: FREQ=WEEKLY.";
  if (names.includes("COUNT") && names.includes("UNTIL")) return "Give COUNT or UNTIL, not both.";
  const wrong = parts.find(([name = "", value = ""]) => PARTS[name]?.test(value) !== true);
  if (wrong !== undefined) return `${wrong.join("=")} says nothing that can be.`;
  if (new Set(names).size < names.length) return "It says one thing twice.";
  const year = Number(start.slice(0, 4));
  if (wallMoment(start) === null || year < YEARS[0] || year >= YEARS[1]) return "Give the first date and time.";
  try {
    return occurrences(recurrence, -Infinity, Infinity, 1).length === 0 ? "It never happens." : null;
  } catch {
    return "That rule cannot be read. One like FREQ=MONTHLY;BYDAY=1SU can.";
  }
}

/** "2026-11-29T03:00" as the moment at which UTC shows that; null if it is none. */
export function wallMoment(text: string): Millis | null {
  const parsed = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d)$/.exec(text);
  if (parsed === null) return null;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0] = parsed.slice(1).map(Number);
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const days = month === 2 && !isLeap ? 28 : (DAYS_OF_MONTHS[month - 1] ?? 0);
  if (day < 1 || day > days || hour > 23 || minute > 59) return null;
  return utcOf(text.slice(0, 10), hour * HOUR + minute * MINUTE);
}

/** The first `max` moments from `from` until before `until`, in their order. */
export function occurrences(
  { rule, start, timeZone }: Recurrence,
  from: Millis,
  until: Millis,
  max: number,
): readonly Millis[] {
  const found: Millis[] = [];
  // No zone is further from UTC; what lies that far back needs no zone's rules.
  const first = from - 2 * DAY;
  eachWall(localUntil(rule, timeZone), nearby(rule, wallMoment(start) ?? 0, first), (wall) => {
    if (wall < first) return true;
    const at = momentOf(wall, timeZone);
    if (at >= from && at < until) found.push(at);
    return at < until && found.length < max;
  });
  return found;
}

/** A later beginning from which the same follows: whole rounds of days or weeks on, with one to spare before `first`. */
function nearby(rule: string, start: Millis, first: Millis): Millis {
  const [, unit] = /(?:^|;)FREQ=(DAILY|WEEKLY)(?:;|$)/.exec(rule) ?? [];
  if (unit === undefined || /COUNT=/.test(rule)) return start;
  const round = (unit === "DAILY" ? DAY : 7 * DAY) * Number(/INTERVAL=(\d+)/.exec(rule)?.[1] ?? 1);
  const rounds = Math.max(0, Math.floor((first - start) / round) - 1);
  return rounds === 0 ? start : start + rounds * round;
}

/** UNTIL is in UTC where it ends in Z (RFC 5545, 3.3.10), and the library counts wall clocks. */
function localUntil(rule: string, timeZone: string): string {
  return rule.replace(/UNTIL=(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)\d\dZ/, (whole, ...digits: string[]) => {
    const [year, month, day, hour, minute] = digits;
    const wall = wallMoment(`${year}-${month}-${day}T${hour}:${minute}`);
    return wall === null ? whole : `UNTIL=${stamp(wallOf(wall, timeZone))}`;
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

/** Instances from `start` on, as moments of UTC, while `take` wants more. */
function eachWall(rule: string, start: Millis, take: (wall: Millis) => boolean): void {
  const later = rule.replace(
    /UNTIL=(\d{4})/,
    (_, year: string) => `UNTIL=${Math.min(9_999, Number(year) + LATER_YEARS)}`,
  );
  rrulestr(`DTSTART:${stamp(start + LATER_MS)}Z\nRRULE:${later}`).all((date, i) => {
    const wall = date.getTime() - LATER_MS;
    return take(wall) && i < INSTANCES_MAX && wall < start + AHEAD_MS;
  });
}
