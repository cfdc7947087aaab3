import { describe, expect, it } from "vitest";
import { explicitLatency } from "../../protocol/latency.ts";
import { DAY, HOUR, MINUTE } from "../../protocol/time.ts";
import { dayOf } from "../../worker/core/calendar.ts";
import type { SeriesRow } from "../../worker/core/series.ts";
import { RANGES, seriesPlan, seriesPoints } from "../../worker/core/series.ts";
import { at, NOON } from "../support/facts.ts";

function row(slot: number, facts: Partial<SeriesRow> = {}): SeriesRow {
  return { slot, requests: 60, errors: 6, coveredMs: MINUTE, reach: 0, latency: null, ...facts };
}

describe("a plan", () => {
  it.each([
    ["hour", "minute", 60, "2026-11-23T11:01:00Z", "2026-11-23T12:01:00Z"],
    ["day", "minute", 288, "2026-11-22T12:05:00Z", "2026-11-23T12:05:00Z"],
    ["week", "hour", 168, "2026-11-16T13:00:00Z", "2026-11-23T13:00:00Z"],
    ["month", "hour", 120, "2026-10-24T18:00:00Z", "2026-11-23T18:00:00Z"],
    ["quarter", "day", 90, "2026-08-26T00:00:00Z", "2026-11-24T00:00:00Z"],
  ] as const)("of a %s is made of %ss", (range, source, count, from, to) => {
    const plan = seriesPlan(range, at("12:01:59"), "Etc/UTC");
    expect([plan.source, plan.slots.length, plan.from, plan.to]).toEqual([
      source,
      count,
      Date.parse(from),
      Date.parse(to),
    ]);
  });

  it.each(RANGES)("of a %s has no hole and no overlap, also where clocks change", (range) => {
    for (const zone of ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Africa/Cairo"]) {
      for (let now = NOON - 60 * DAY; now < NOON; now += 7 * HOUR) {
        const { slots, from, to } = seriesPlan(range, now, zone);
        expect([slots[0]?.from, slots.at(-1)?.to]).toEqual([from, to]);
        expect(slots.every((slot, i) => slot.to > slot.from && (i === 0 || slot.from === slots[i - 1]?.to))).toBe(true);
        expect(from <= now && now <= to).toBe(true);
      }
    }
  });

  it("cuts days, their quarters and hours at the page's clock", () => {
    const days = seriesPlan("quarter", NOON, "Asia/Kolkata").slots;
    expect(
      days.every(
        ({ from, to }) => dayOf(from, "Asia/Kolkata") !== dayOf(from - 1, "Asia/Kolkata") && to - from === DAY,
      ),
    ).toBe(true);
    expect(seriesPlan("week", NOON, "Asia/Kolkata").slots.every(({ from }) => from % HOUR === 30 * MINUTE)).toBe(true);
    // 25 October 2026 has 25 hours in Berlin: its last quarter is the longer one.
    const quarters = seriesPlan("month", NOON, "Europe/Berlin").slots.filter(
      ({ from }) => dayOf(from, "Europe/Berlin") === "2026-10-25",
    );
    expect(quarters.map(({ from, to }) => (to - from) / HOUR)).toEqual([6, 6, 6, 7]);
  });
});

describe("points", () => {
  const plan = seriesPlan("hour", NOON, "Etc/UTC");
  const points = (rows: readonly SeriesRow[], gaps: readonly { from: number; to: number }[] = [], services = 1) =>
    seriesPoints(plan, { rows, gaps, services }, NOON);

  it("are null where nothing was seen, and zero where zero was", () => {
    const [first, second] = points([row(1, { requests: 0, errors: 0 })]);
    expect([first?.seen, second?.seen?.requests]).toEqual([null, 0]);
  });

  it("merge histograms, never percentiles, and say between which bounds a quantile lies", () => {
    const fast = explicitLatency([100, 500], [90, 0, 0], 900);
    const slow = explicitLatency([100, 250, 500], [0, 0, 10, 0], 4_000);
    const [{ seen } = {}] = points([row(0, { latency: fast }), row(0, { latency: slow }), row(0)]);
    expect(seen).toMatchObject({ requests: 180, errors: 18, p50: { lo: 0, hi: 100 }, p95: { lo: 100, hi: 500 } });
  });

  it.each([
    ["one service, seen", 1, MINUTE, 1],
    ["two services, one seen", 2, MINUTE, 0.5],
    ["windows that overlap", 1, 3 * MINUTE, 1],
  ])("say how much was seen: %s", (_name, services, coveredMs, coverage) =>
    expect(points([row(0, { coveredMs })], [], services)[0]?.seen?.coverage).toBe(coverage),
  );

  it("reach over the empty slots that a long window covers, and no further than the next that has its own", () => {
    const long = points([row(10, { reach: plan.from + 15 * MINUTE }), row(13)]);
    const spans = long
      .slice(9, 13)
      .map(({ from, to, seen }) => [(from - plan.from) / MINUTE, (to - plan.from) / MINUTE, seen !== null]);
    expect(spans).toEqual([
      [9, 10, false],
      [10, 13, true],
      [13, 14, true],
      [14, 15, false],
    ]);
  });

  it("are marked where an agent declared a loss, seen or not", () => {
    const lost = { from: plan.from + MINUTE, to: plan.from + 3 * MINUTE };
    expect(
      points([row(2)], [lost])
        .slice(0, 4)
        .map(({ gap }) => gap),
    ).toEqual([false, true, true, false]);
  });
});
