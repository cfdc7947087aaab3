/** Laws of uptime, over histories that nobody thought of, around the days on which clocks change. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { COMPONENT_STATUSES } from "../../protocol/status.ts";
import type { ComponentStatus } from "../../protocol/status.ts";
import { DAY, SECOND } from "../../protocol/time.ts";
import { flooredRatio, lostMs, uptimeRatio } from "../../protocol/uptime.ts";
import { dayOf } from "../../worker/core/calendar.ts";
import type { StatusChange } from "../../worker/core/component.ts";
import type { ChainEntry } from "../../protocol/chain.ts";
import type { Draft } from "../../worker/core/freeze.ts";
import { amendments, daysToFreeze, frozenDays, linked, NOTHING_FROZEN } from "../../worker/core/freeze.ts";
import { dayTallies } from "../../worker/core/history.ts";
import type { StatusSpan } from "../../worker/core/uptime.ts";
import { spansOf, spent, tallyUptime, timeUptime } from "../../worker/core/uptime.ts";

const status = fc.constantFrom(...COMPONENT_STATUSES);

/** Zones and the day around which a history lies: clocks go forward, back, by half an hour, and not at all. */
const ZONES = [
  ["Europe/Berlin", "2026-03-29"],
  ["Europe/Berlin", "2026-10-25"],
  ["America/New_York", "2026-03-08"],
  ["America/New_York", "2026-11-01"],
  ["Australia/Lord_Howe", "2026-04-05"],
  ["Australia/Lord_Howe", "2026-10-04"],
  ["Asia/Kathmandu", "2026-10-25"],
] as const;

/** Changes at whole seconds of four days, oldest first. */
const journal = (begin: number) =>
  fc
    .uniqueArray(fc.record({ second: fc.nat(4 * 86_400), status }), {
      minLength: 1,
      maxLength: 12,
      selector: ({ second }) => second,
    })
    .map((told) =>
      told
        .toSorted((a, b) => a.second - b.second)
        .map(({ second, ...said }): StatusChange => ({ component: "c", at: begin + second * SECOND, ...said })),
    );

/** Counted as a child would: what was it in this second, and what date did the wall show? */
function countedBySecond(changes: readonly StatusChange[], until: number, timeZone: string) {
  const days = new Map<string, Map<ComponentStatus, number>>();
  const format = new Intl.DateTimeFormat("en-CA", { timeZone, year: "numeric", month: "2-digit", day: "2-digit" });
  let [name, quarter] = ["", -1];
  for (let at = changes[0]?.at ?? until, i = 0; at < until; at += SECOND) {
    while ((changes[i + 1]?.at ?? until) <= at) i++;
    // No zone's midnight lies within a quarter of an hour.
    if (Math.floor(at / 900_000) !== quarter) [name, quarter] = [format.format(at), Math.floor(at / 900_000)];
    const said = changes[i]?.status ?? "unknown";
    const day = days.get(name) ?? new Map<ComponentStatus, number>();
    days.set(name, day.set(said, (day.get(said) ?? 0) + SECOND));
  }
  return [...days].map(([day, ms]) => ({ day, ms: Object.fromEntries(ms) }));
}

describe.each(ZONES)("in %s around %s", (zone, around) => {
  const begin = Date.parse(around) - 2 * DAY;

  it("days and uptime are what counting every second gives", () => {
    fc.assert(
      fc.property(journal(begin), fc.nat(86_400), (changes, more) => {
        const now = begin + 4 * DAY + more * SECOND;
        const days = dayTallies("c", changes, NOTHING_FROZEN, now, zone);
        const counted = countedBySecond(changes, now, zone);
        expect(days).toEqual(counted);
        expect(dayOf(now - 1, zone)).toBe(days.at(-1)?.day);
        const ratio = uptimeRatio(counted.map(({ ms }) => ms));
        expect(tallyUptime(days.map(({ ms }) => ms)).ratio).toBe(ratio === null ? null : flooredRatio(ratio, 6));
      }),
      { numRuns: 25 },
    );
  });
});

/** Freezes what is over at each of some moments, as the minute's tick does, and answers the chain. */
function frozenAt(moments: readonly number[], changes: readonly StatusChange[], timeZone: string) {
  let entries: readonly ChainEntry[] = [];
  const facts = () => {
    const frozen = frozenDays(entries);
    return { frozen, components: [{ id: "c" }], changes: new Map([["c", changes]]), timeZone };
  };
  const add = (drafts: readonly Draft[]): void => {
    // What a hash covers is another test's; here it only has to be there.
    for (const draft of drafts) entries = [...entries, { ...linked(draft, frozenDays(entries).head), hash: "" }];
  };
  for (const now of moments) add(daysToFreeze(facts(), now));
  return { facts, add, entries: () => entries };
}

describe.each(ZONES)("frozen in %s around %s", (zone, around) => {
  const begin = Date.parse(around) - 2 * DAY;
  const moments = fc.array(fc.nat(6 * 86_400), { maxLength: 6 }).map((seconds) => {
    return seconds.toSorted((a, b) => a - b).map((second) => begin + second * SECOND);
  });

  it("days are what the journal says, whenever they froze", () => {
    fc.assert(
      fc.property(journal(begin), moments, (changes, frozen) => {
        const now = begin + 6 * DAY;
        const { facts } = frozenAt(frozen, changes, zone);
        const days = dayTallies("c", changes, facts().frozen, now, zone);
        expect(days).toEqual(dayTallies("c", changes, NOTHING_FROZEN, now, zone));
      }),
      { numRuns: 100 },
    );
  });

  it("days with corrections are what counting every second gives, the last correction of each second", () => {
    const span = fc.tuple(fc.nat(4 * 86_400), fc.integer({ min: 1, max: 86_400 }), status);
    fc.assert(
      fc.property(journal(begin), fc.array(span, { maxLength: 4 }), (changes, asked) => {
        const now = begin + 6.5 * DAY;
        const chain = frozenAt([now], changes, zone);
        let said: StatusSpan[] = spansOf(changes, now).map((one) => ({ ...one }));
        for (const [second, length, really] of asked) {
          const correction = {
            component: "c",
            from: begin + second * SECOND,
            to: begin + (second + length) * SECOND,
            status: really,
            reason: "",
            by: "",
          };
          const made = amendments(correction, chain.facts(), chain.entries(), now);
          if (!made.ok) continue;
          chain.add(made.value);
          // Of the time before its history begins there is nothing to correct.
          said = [...said, { ...correction, from: Math.max(correction.from, changes[0]?.at ?? now) }];
        }
        // Each second is as the newest that was said of it.
        const cuts = [...new Set(said.flatMap(({ from, to }) => [from, to]))].toSorted((a, b) => a - b);
        const newest = cuts.flatMap((at): StatusChange[] => {
          const one = said.findLast(({ from, to }) => from <= at && at < to);
          return one === undefined ? [] : [{ component: "c", at, status: one.status }];
        });
        const days = dayTallies("c", changes, chain.facts().frozen, now, zone).map(({ day, ms }) => ({ day, ms }));
        expect(days).toEqual(countedBySecond(newest, now, zone));
      }),
      { numRuns: 5 },
    );
  });
});

const RANGE = { from: 0, to: 10_000 * SECOND };
const span = fc
  .record({ from: fc.integer({ min: -2_000, max: 12_000 }), length: fc.nat(6_000), status })
  .map(({ from, length, status: said }): StatusSpan => ({
    from: from * SECOND,
    to: (from + length) * SECOND,
    status: said,
  }));
const spans = fc.array(span, { maxLength: 10 });

describe("over any spans, overlapping as they like", () => {
  it("uptime is nothing or within 0 and 1, and each second is counted once at most", () => {
    fc.assert(
      fc.property(spans, (said) => {
        const { ratio } = timeUptime(said, RANGE);
        expect(ratio === null || (ratio >= 0 && ratio <= 1)).toBe(true);
        const total = Object.values(spent(said, RANGE)).reduce((sum, ms) => sum + ms, 0);
        expect(total).toBeLessThanOrEqual(RANGE.to - RANGE.from);
      }),
      { numRuns: 2_000 },
    );
  });

  it("it is what counting every second gives, the heaviest of each", () => {
    // Heaviest first; what a maintenance covers is maintenance, and silence gives way to everything.
    const order = [
      "under_maintenance",
      "major_outage",
      "partial_outage",
      "degraded_performance",
      "operational",
      "unknown",
    ];
    fc.assert(
      fc.property(spans, (said) => {
        const ms: Partial<Record<ComponentStatus, number>> = {};
        for (let at = RANGE.from; at < RANGE.to; at += SECOND) {
          const now = said.filter(({ from, to }) => from <= at && at < to).map((one) => one.status);
          const heaviest = now.toSorted((a, b) => order.indexOf(a) - order.indexOf(b))[0];
          if (heaviest !== undefined) ms[heaviest] = (ms[heaviest] ?? 0) + SECOND;
        }
        expect(spent(said, RANGE)).toEqual(ms);
      }),
      { numRuns: 200 },
    );
  });

  it("it never rises when downtime is added to time that was observed", () => {
    const down = fc.tuple(span, fc.constantFrom("major_outage", "partial_outage", "degraded_performance"));
    fc.assert(
      fc.property(spans, down, (said, [{ from, to }, weight]) => {
        const observed: StatusSpan = { ...RANGE, status: "operational" };
        const before = timeUptime([observed, ...said], RANGE).ratio ?? 1;
        const after =
          timeUptime([observed, ...said, { from, to, status: weight as ComponentStatus }], RANGE).ratio ?? 1;
        expect(after).toBeLessThanOrEqual(before);
      }),
      { numRuns: 2_000 },
    );
  });

  it("it never rises when a major outage is added anywhere", () => {
    fc.assert(
      fc.property(spans, span, (said, { from, to }) => {
        const before = timeUptime(said, RANGE).ratio ?? 1;
        const after = timeUptime([...said, { from, to, status: "major_outage" }], RANGE).ratio ?? 1;
        expect(after).toBeLessThanOrEqual(before);
      }),
      { numRuns: 2_000 },
    );
  });

  it("it shows 1 only if nothing was lost", () => {
    fc.assert(
      fc.property(spans, (said) => {
        const ms = spent(said, RANGE);
        if (timeUptime(said, RANGE).ratio === 1) expect(lostMs([ms])).toBe(0);
        else if (timeUptime(said, RANGE).ratio !== null) expect(lostMs([ms])).toBeGreaterThan(0);
      }),
      { numRuns: 2_000 },
    );
  });
});
