/**
 * What recurs, against python-dateutil and Python's own zones: another implementation in another language, with its own
 * copy of the zones' rules.
 */
import { execFileSync } from "node:child_process";
import { beforeAll, describe, expect, it } from "vitest";
import { DAY } from "../../protocol/time.ts";
import { momentOf, wallOf } from "../../worker/core/calendar.ts";
import {
  MONTHLY_FIRST_SUNDAY,
  occurrences,
  recurrenceFault,
  wallMoment,
  wallText,
  WEEKLY_SUNDAY,
} from "../../worker/core/recurrence.ts";
import { program } from "../support/programs.ts";

const UNTIL = Date.UTC(2037, 0, 1);
const COUNT_MAX = 10_000;

const SCHEDULES: readonly (readonly [name: string, start: string, timeZone: string, rule: string])[] = [
  ["the runbook's week", "2026-11-29T03:00", "Etc/UTC", WEEKLY_SUNDAY],
  ["the runbook's month", "2026-12-06T03:00", "Etc/UTC", MONTHLY_FIRST_SUNDAY],
  ["the same on the wall of Berlin", "2026-11-29T03:00", "Europe/Berlin", WEEKLY_SUNDAY],
  ["the same on the wall of New York", "2026-12-06T03:00", "America/New_York", MONTHLY_FIRST_SUNDAY],
  ["an hour that spring skips", "2026-03-01T02:30", "Europe/Berlin", "FREQ=WEEKLY;BYDAY=SU"],
  ["an hour that autumn shows twice", "2026-10-04T02:30", "America/New_York", "FREQ=DAILY;BYHOUR=1;BYMINUTE=30"],
  ["a zone that changes by half an hour", "2026-03-01T02:15", "Australia/Lord_Howe", "FREQ=DAILY"],
  ["a zone that changes at midnight", "2026-01-01T00:00", "America/Santiago", "FREQ=DAILY"],
  ["a zone that never changes", "2026-01-01T00:00", "Asia/Kathmandu", "FREQ=MONTHLY;BYDAY=-1SU"],
  ["only the Sunday of the change", "2026-03-29T02:30", "Europe/Berlin", "FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU"],
  ["the 31st", "2026-01-31T02:30", "Europe/Berlin", "FREQ=MONTHLY"],
  ["the last day of each month", "2026-01-31T02:30", "Europe/Berlin", "FREQ=MONTHLY;BYMONTHDAY=-1"],
  ["the 29th of February", "2024-02-29T02:00", "Etc/UTC", "FREQ=YEARLY"],
  ["the last working day", "2026-01-30T02:00", "Europe/Berlin", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1"],
  ["the second and the last but one", "2026-01-01T02:00", "Etc/UTC", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=2,-2"],
  [
    "every other week, which begins on Monday",
    "2026-01-04T02:30",
    "Etc/UTC",
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=MO",
  ],
  [
    "every other week, which begins on Sunday",
    "2026-01-04T02:30",
    "Etc/UTC",
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=SU",
  ],
  ["a hundred times", "2026-03-01T02:30", "Europe/Berlin", "FREQ=DAILY;COUNT=100"],
  ["until a moment of UTC", "2026-01-01T02:30", "Europe/Berlin", "FREQ=DAILY;UNTIL=20260401T003000Z"],
  ["until just before it", "2026-01-01T02:30", "Europe/Berlin", "FREQ=DAILY;UNTIL=20260401T002900Z"],
  ["the twentieth week", "2026-01-01T02:00", "Etc/UTC", "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO"],
  ["days of the year from both ends", "2026-01-01T02:00", "Etc/UTC", "FREQ=YEARLY;BYYEARDAY=1,100,-1"],
  ["Friday the 13th", "2026-01-13T02:00", "Etc/UTC", "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13"],
  ["several times a day", "2026-01-01T02:00", "Europe/Berlin", "FREQ=WEEKLY;BYDAY=MO,SU;BYHOUR=1,2,3;BYMINUTE=0,30"],
  [
    "election days",
    "2026-01-01T02:00",
    "America/New_York",
    "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8",
  ],
  ["the fifth Sunday, where there is one", "2026-01-01T02:00", "Europe/Berlin", "FREQ=MONTHLY;BYDAY=5SU"],
  ["the last Thursday of summer", "2026-01-01T02:00", "Etc/UTC", "FREQ=YEARLY;BYMONTH=6,7;BYDAY=TH;BYSETPOS=-1"],
];

/** A time that is skipped is resolved as dateutil does: by how far the clock was put forward. */
const REFERENCE = `
import sys, json
from datetime import datetime, timezone
from dateutil import tz
from dateutil.rrule import rrulestr
out = []
for _, start, zone, rule in json.load(sys.stdin):
    place = tz.gettz(zone)
    first = datetime.fromisoformat(start)
    parts = dict(p.split("=") for p in rule.split(";"))
    until = parts.pop("UNTIL", None)
    if until:
        limit = datetime.strptime(until, "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc).timestamp()
    rule = ";".join(f"{k}={v}" for k, v in parts.items())
    found = []
    for wall in rrulestr(rule, dtstart=first):
        at = tz.resolve_imaginary(wall.replace(tzinfo=place)).timestamp()
        if at >= ${UNTIL / 1_000} or (until and at > limit): break
        found.append(round(at * 1000))
    out.append(found)
print(json.dumps(out))
`;

let reference: readonly (readonly number[])[] = [];

beforeAll(() => {
  const input = JSON.stringify(SCHEDULES);
  const answer = execFileSync(program("dateutil"), ["-c", REFERENCE], { input, maxBuffer: 64_000_000 });
  reference = JSON.parse(String(answer)) as typeof reference;
}, 60_000);

describe("over ten years, the same as dateutil", () => {
  it.each(SCHEDULES.map((schedule, i) => [schedule[0], i, schedule] as const))("%s", (_name, i, schedule) => {
    const [, start, timeZone, rule] = schedule;
    const found = occurrences({ start, timeZone, rule }, -Infinity, UNTIL, COUNT_MAX);
    expect(found.length).toBeGreaterThan(2);
    expect(found).toEqual(reference[i]);
  });

  it.each(SCHEDULES.map((schedule, i) => [schedule[0], i, schedule] as const))(
    "from any moment on: %s",
    (_name, i, schedule) => {
      const [, start, timeZone, rule] = schedule;
      const all = reference[i] ?? [];
      for (const from of [Date.UTC(2031, 5, 15, 12), all.at(-2) ?? 0])
        expect(occurrences({ start, timeZone, rule }, from, UNTIL, COUNT_MAX)).toEqual(all.filter((at) => at >= from));
    },
  );

  it("goes on for as long as somebody may wait, however often it recurs", () => {
    const rule = `FREQ=DAILY;BYHOUR=${Array.from({ length: 24 }, (_, hour) => hour).join()};BYMINUTE=0,30`;
    const recurrence = { rule, start: "2026-01-01T00:00", timeZone: "Etc/UTC" };
    const from = Date.UTC(2036, 0, 1);
    expect(occurrences(recurrence, from, Infinity, 3)).toEqual([from, from + DAY / 48, from + DAY / 24]);
  });
});

describe("a rule", () => {
  it.each([
    ["nonsense", "every Sunday"],
    ["of minutes", "FREQ=MINUTELY"],
    ["that never comes true", "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"],
    ["whose place is none", "FREQ=MONTHLY;BYDAY=6SU"],
    ["with both ends", "FREQ=DAILY;COUNT=3;UNTIL=20270101T000000Z"],
    ["that brings a line of its own", "FREQ=DAILY\nEXRULE:FREQ=DAILY"],
    ["that is over before it begins", "FREQ=DAILY;UNTIL=20200101T000000Z"],
    ["of a month that is none", "FREQ=YEARLY;BYMONTH=13;BYMONTHDAY=1"],
    ["that goes back", "FREQ=DAILY;INTERVAL=-1"],
    ["that stands still", "FREQ=DAILY;INTERVAL=0"],
    ["of more days than there are", "FREQ=DAILY;INTERVAL=99999999999999999999"],
    ["of a day that is in no January", "FREQ=DAILY;BYYEARDAY=366;BYMONTH=1"],
    ["of a week that is in no June", "FREQ=DAILY;BYWEEKNO=53;BYMONTH=6"],
    ["of a set that is not that large", "FREQ=WEEKLY;BYSETPOS=300;BYDAY=SU"],
    ["that ends at no time", "FREQ=DAILY;UNTIL=99999999T999999Z"],
    ["of no times", "FREQ=DAILY;COUNT=0"],
    ["of an hour that is none", "FREQ=DAILY;BYHOUR=99"],
    ["of two kinds", "FREQ=DAILY;FREQ=WEEKLY"],
    ["of the property of every object", "FREQ=DAILY;constructor=1"],
  ])("%s is refused, and soon", (_name, rule) => {
    // Of this thread: what else the machine does is not counted.
    const since = process.threadCpuUsage();
    expect(recurrenceFault({ rule, start: "2026-11-29T03:00", timeZone: "Etc/UTC" })).toMatch(/\w/);
    expect(process.threadCpuUsage(since).user).toBeLessThan(10_000_000);
  });

  it.each(["0026-11-29T03:00", "1970-01-01T00:00", "9999-12-30T00:00"])("does not begin in another age: %s", (start) =>
    expect(recurrenceFault({ rule: WEEKLY_SUNDAY, start, timeZone: "Etc/UTC" })).toBe("Give the first date and time."),
  );

  it("of the runbook is fine", () => {
    for (const rule of [WEEKLY_SUNDAY, MONTHLY_FIRST_SUNDAY])
      expect(recurrenceFault({ rule, start: "2026-11-29T03:00", timeZone: "Europe/Berlin" })).toBeNull();
  });

  it.each(["2026-02-29T03:00", "2026-13-01T03:00", "2026-01-01T24:00", "2026-01-01", ""])(
    "does not begin at %j",
    (start) => expect(wallMoment(start)).toBeNull(),
  );
});

describe("a wall clock", () => {
  it.each([
    ["skipped, is as long after the change", Date.UTC(2026, 2, 29, 2, 30), "Europe/Berlin", "2026-03-29T01:30:00.000Z"],
    ["shown twice, is the first", Date.UTC(2026, 9, 25, 2, 30), "Europe/Berlin", "2026-10-25T00:30:00.000Z"],
    ["of summer", Date.UTC(2026, 6, 1, 3), "America/New_York", "2026-07-01T07:00:00.000Z"],
  ])("%s", (_name, wall, timeZone, at) => expect(new Date(momentOf(wall, timeZone)).toISOString()).toBe(at));

  it("of every hour of a year leads back to itself, where it is not skipped", () => {
    for (const timeZone of ["Europe/Berlin", "Australia/Lord_Howe", "America/Santiago"])
      for (let at = Date.UTC(2026, 0, 1); at < Date.UTC(2027, 0, 1); at += DAY / 24) {
        const wall = wallOf(at, timeZone);
        expect(wallOf(momentOf(wall, timeZone), timeZone)).toBe(wall);
      }
    expect(wallText(Date.UTC(2026, 6, 1, 3), "Europe/Berlin")).toBe("2026-07-01T05:00");
  });
});
