/** Days as the page's zone cuts them. A day has 23, 24 or 25 hours; none is assumed. */
import { DAY, HOUR, MINUTE, SECOND } from "../../protocol/time.ts";
import type { Millis } from "../../protocol/time.ts";

interface LocalTime {
  readonly day: string;
  /** Since local midnight, as the clock on the wall shows it. */
  readonly clockMs: number;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone);
  if (known !== undefined) return known;
  const format = new Intl.DateTimeFormat("en-CA", {
    timeZone,
    hourCycle: "h23",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
  });
  formats.set(timeZone, format);
  return format;
}

/** Whether the runtime knows an IANA zone. */
export function isTimeZone(timeZone: string): boolean {
  try {
    return formatOf(timeZone) !== null;
  } catch {
    return false;
  }
}

function localTime(at: Millis, timeZone: string): LocalTime {
  const parts = Object.fromEntries(
    formatOf(timeZone)
      .formatToParts(at)
      .map(({ type, value }) => [type, value]),
  );
  const number = (type: string): number => Number(parts[type] ?? 0);
  return {
    day: `${parts["year"]}-${parts["month"]}-${parts["day"]}`,
    clockMs:
      number("hour") * HOUR +
      number("minute") * MINUTE +
      number("second") * SECOND +
      (((at % SECOND) + SECOND) % SECOND),
  };
}

/** The day that holds `at`, YYYY-MM-DD. */
export function dayOf(at: Millis, timeZone: string): string {
  return localTime(at, timeZone).day;
}

/** The first moment of the day after the one that holds `at`. */
export function nextDay(at: Millis, timeZone: string): Millis {
  const { day, clockMs } = localTime(at, timeZone);
  // Aim at where midnight would be in a day of 24 hours; a day with a clock change lies up to some hours beside it.
  let candidate = at - clockMs + DAY;
  const landed = localTime(candidate, timeZone);
  candidate += landed.day === day ? DAY - landed.clockMs : -landed.clockMs;
  // Where midnight itself is skipped, the day begins later than 00:00 and the step back lands in the day before.
  while (localTime(candidate, timeZone).day === day) candidate += 15 * MINUTE;
  return candidate;
}

/** One day of a zone: `from` is its first moment, `to` the first of the next. */
export interface Day {
  readonly day: string;
  readonly from: Millis;
  readonly to: Millis;
}

/** The days of each zone that were asked for last: formatting costs microseconds, a page needs thousands of them. */
const daysByZone = new Map<string, readonly Day[]>();

/** The `count` days up to and with the one that holds `now`, oldest first. */
export function lastDays(now: Millis, timeZone: string, count: number): readonly Day[] {
  const known = daysByZone.get(timeZone);
  const last = known?.at(-1);
  if (known?.length === count && last !== undefined && last.from <= now && now < last.to) return known;
  const days: Day[] = [];
  // A day more than enough, for days of 25 hours; what is too old is cut off below.
  let from = nextDay(now - (count + 1) * DAY, timeZone);
  while (from <= now) {
    const to = nextDay(from, timeZone);
    days.push({ day: dayOf(from, timeZone), from, to });
    from = to;
  }
  const result = days.slice(-count);
  daysByZone.set(timeZone, result);
  return result;
}

/** RFC 3339 with milliseconds and the offset of `timeZone` at that moment; `Z` for UTC. */
export function rfc3339(at: Millis, timeZone: string): string {
  const { day, clockMs } = localTime(at, timeZone);
  const two = (n: number): string => String(n).padStart(2, "0");
  const clock = [HOUR, MINUTE, SECOND]
    .map((unit, i) => two(Math.floor(clockMs / unit) % (i === 0 ? 24 : 60)))
    .join(":");
  const offsetMinutes = Math.round((utcOf(day, clockMs) - at) / MINUTE);
  const size = Math.abs(offsetMinutes);
  const offset =
    offsetMinutes === 0 ? "Z" : `${offsetMinutes < 0 ? "-" : "+"}${two(Math.floor(size / 60))}:${two(size % 60)}`;
  return `${day}T${clock}.${String(clockMs % SECOND).padStart(3, "0")}${offset}`;
}

/**
 * The moment at which the wall clock of `timeZone` shows what it shows in UTC at `wall`. One that is shown twice is the
 * first of both; one that is skipped is as long after the change as it is after it on the wall, as RFC 5545 has it.
 */
export function momentOf(wall: Millis, timeZone: string): Millis {
  // Clocks change by less than a day, and never twice in two.
  const before = wall - offsetAt(wall - DAY, timeZone);
  const after = wall - offsetAt(wall + DAY, timeZone);
  return [before, after].toSorted((a, b) => a - b).find((at) => at + offsetAt(at, timeZone) === wall) ?? before;
}

/** What the wall clock shows at `at`, as the moment at which it would show that in UTC. */
export function wallOf(at: Millis, timeZone: string): Millis {
  return at + offsetAt(at, timeZone);
}

function offsetAt(at: Millis, timeZone: string): number {
  const { day, clockMs } = localTime(at, timeZone);
  return utcOf(day, clockMs) - at;
}

/** The moment that the same wall clock would show in UTC: days since 1970 by the civil calendar, plus the clock. */
export function utcOf(day: string, clockMs: number): Millis {
  const [year = 0, month = 0, date = 0] = day.split("-").map(Number);
  // Howard Hinnant's days_from_civil: years begin in March, so that the leap day is the last one.
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + date - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return (era * 146_097 + dayOfEra - 719_468) * DAY + clockMs;
}
