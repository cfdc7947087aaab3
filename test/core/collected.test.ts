import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { exponentialOf } from "../../protocol/exponential.ts";
import { countOf, explicitLatency } from "../../protocol/latency.ts";
import type { Latency } from "../../protocol/latency.ts";
import type { WindowRecord } from "../../protocol/record.ts";
import { DAY, HOUR, MINUTE, SECOND } from "../../protocol/time.ts";
import type { Collected, Point } from "../../worker/core/collected.ts";
import {
  closeMinutes,
  closesAt,
  COLLECTED_SERVICES_MAX,
  LATE_MS,
  liveOf,
  SERIES_MAX,
  takePoints,
} from "../../worker/core/collected.ts";
import { NOON } from "../support/facts.ts";

const BEGUN = NOON - HOUR;

/** So many requests, a tenth of them slow. */
function latency(count: number): Latency {
  return explicitLatency([100, 500], [count * 0.9, count * 0.1, 0], count * 80);
}

function point(at: number, count: number, fields: Partial<Point> = {}): Point {
  const held = { series: "s", service: "shop/checkout", isError: false, isDelta: false };
  return { ...held, startAt: BEGUN, at, latency: latency(count), ...fields };
}

/** Exports one after the other, each at its moment, and at last everything closed. */
function play(exports: readonly (readonly [number, readonly Point[]])[]): {
  readonly windows: readonly WindowRecord[];
  readonly collected: Collected;
  readonly rejected: number;
} {
  let collected: Collected | null = null;
  const windows: WindowRecord[] = [];
  let rejected = 0;
  for (const [now, points] of exports) {
    const taken = takePoints(collected, points, now);
    collected = taken.collected;
    windows.push(...taken.windows);
    rejected += Object.values(taken.rejected).reduce((sum, count) => sum + count, 0);
  }
  if (collected === null) throw new Error("no export");
  const closed = closeMinutes(collected, (exports.at(-1)?.[0] ?? NOON) + HOUR);
  return { windows: [...windows, ...closed.windows], collected, rejected };
}

const requests = (windows: readonly WindowRecord[]): number => windows.reduce((sum, one) => sum + one.requests, 0);
const at = (seconds: number): number => NOON + seconds * SECOND;

describe("a cumulative series", () => {
  it("says with its first point where counting begins, and with each further one what is new", () => {
    const { windows } = play([
      [at(0), [point(at(0), 100)]],
      [at(10), [point(at(10), 130)]],
      [at(20), [point(at(20), 140)]],
    ]);
    expect(windows).toMatchObject([{ at: NOON, spanMs: MINUTE, requests: 40, errors: 0 }]);
    expect(countOf(windows[0]?.latency as Latency)).toBeCloseTo(40, 9);
  });

  it.each<[string, readonly (readonly [number, readonly Point[]])[], number]>([
    [
      "an export is repeated",
      [
        [at(0), [point(at(0), 5)]],
        [at(10), [point(at(10), 9)]],
        [at(11), [point(at(10), 9)]],
      ],
      4,
    ],
    [
      "one is lost",
      [
        [at(0), [point(at(0), 5)]],
        [at(20), [point(at(20), 12)]],
      ],
      7,
    ],
    [
      "one arrives after the next",
      [
        [at(0), [point(at(0), 5)]],
        [at(20), [point(at(20), 12)]],
        [at(21), [point(at(10), 9)]],
      ],
      7,
    ],
    [
      "its process began anew and says so",
      [
        [at(0), [point(at(0), 5)]],
        [at(10), [point(at(10), 3, { startAt: at(4) })]],
      ],
      3,
    ],
    [
      "its process began anew and has counted more since",
      [
        [at(0), [point(at(0), 5)]],
        [at(10), [point(at(10), 9, { startAt: at(4) })]],
      ],
      9,
    ],
    [
      "a process that was replaced says a last word",
      [
        [at(0), [point(at(0), 5)]],
        [at(10), [point(at(10), 3, { startAt: at(4) })]],
        [at(15), [point(at(15), 8)]],
        [at(20), [point(at(20), 4, { startAt: at(4) })]],
      ],
      4,
    ],
    [
      "its counter fell without a word",
      [
        [at(0), [point(at(0), 5)]],
        [at(10), [point(at(10), 3)]],
      ],
      3,
    ],
    [
      "an old point comes after the new beginning",
      [
        [at(0), [point(at(0), 5)]],
        [at(10), [point(at(10), 3, { startAt: at(4) })]],
        [at(11), [point(at(3), 8)]],
        [at(20), [point(at(20), 4, { startAt: at(4) })]],
      ],
      4,
    ],
    [
      "it began while we listened",
      [
        [at(0), [point(at(0), 5)]],
        [at(20), [point(at(20), 6, { series: "t", startAt: at(12) })]],
      ],
      6,
    ],
  ])("when %s counts each request once", (_name, exports, count) =>
    expect(requests(play(exports).windows)).toBeCloseTo(count, 9),
  );

  it("is spread over the minutes that a difference covers, and what is closed gets nothing more", () => {
    const { windows } = play([
      [at(0), [point(at(0), 0)]],
      [at(120), [point(at(120), 60)]],
    ]);
    expect(windows.map((one) => [(one.at - NOON) / MINUTE, one.requests])).toEqual([
      [0, 30],
      [1, 30],
    ]);
    const late = play([
      [at(0), [point(at(0), 0), point(at(0), 0, { series: "t" })]],
      [at(120), [point(at(120), 60)]],
      [at(150), [point(at(120), 60, { series: "t" })]],
    ]);
    expect(requests(late.windows)).toBeCloseTo(120, 9);
    expect(new Set(late.windows.map((one) => one.at)).size).toBe(late.windows.length);
  });

  it("that comes late through a slow pipeline counts in its own minutes", () => {
    const { windows } = play([
      [at(600), [point(at(0), 0)]],
      [at(610), [point(at(30), 30)]],
      [at(680), [point(at(90), 70)]],
    ]);
    expect(windows.map((one) => [(one.at - NOON) / MINUTE, one.requests])).toEqual([
      [0, 50],
      [1, 20],
    ]);
  });

  it("of exponential buckets is subtracted at the coarser scale", () => {
    const [few, more] = [exponentialOf([10, 20]), exponentialOf([10, 20, 30, 4_000])];
    const { windows } = play([
      [at(0), [point(at(0), 0, { latency: few })]],
      [at(10), [point(at(10), 0, { latency: more })]],
    ]);
    expect(windows).toMatchObject([{ requests: 2, latency: { scheme: "exponential" } }]);
  });
});

describe("a delta series", () => {
  const delta = (from: number, to: number, count: number): Point =>
    point(at(to), count, { isDelta: true, startAt: at(from) });

  it.each<[string, readonly Point[], number, number]>([
    ["each point counts", [delta(0, 10, 3), delta(10, 20, 4)], 7, 0],
    ["a repeated one does not", [delta(0, 10, 3), delta(0, 10, 3), delta(10, 20, 4)], 7, 0],
    ["one that overlaps another is refused", [delta(0, 10, 3), delta(5, 15, 4)], 3, 1],
    ["one that does not say where it begins does", [delta(0, 10, 3), { ...delta(0, 20, 4), startAt: 0 }], 7, 0],
    ["one before a gap does", [delta(0, 10, 3), delta(30, 40, 4)], 7, 0],
  ])("%s", (_name, points, count, refused) => {
    const { windows, rejected } = play(points.map((one) => [one.at, [one]] as const));
    expect([requests(windows), rejected]).toEqual([count, refused]);
  });
});

it("in any order, with any export lost or repeated, no request is counted twice and none is left out", () =>
  fc.assert(
    fc.property(
      fc.array(fc.record({ more: fc.nat(50), fate: fc.constantFrom("arrives", "lost", "twice", "late") }), {
        minLength: 1,
        maxLength: 60,
      }),
      (steps) => {
        let total = 0;
        const points = steps.map(({ more }, i) => point(at(10 * (i + 1)), (total += more)));
        const exports: (readonly [number, readonly Point[]])[] = [[at(0), [point(at(0), 0)]]];
        let late: readonly Point[] = [];
        for (const [i, one] of points.entries()) {
          const fate = steps[i]?.fate;
          if (fate === "late") late = [...late, one];
          if (fate === "arrives" || fate === "twice") exports.push([one.at, [one]]);
          if (fate === "twice") exports.push([one.at + SECOND, [...late, one]]);
        }
        const end = at(10 * (steps.length + 1));
        const { windows } = play([...exports, [end, [...late, point(end, total)]]]);
        expect(requests(windows)).toBeCloseTo(total, 6);
        expect(new Set(windows.map((one) => one.at)).size).toBe(windows.length);
      },
    ),
  ));

describe("what is read of the services", () => {
  it("are readings of the last exports, those of one moment together", () => {
    const failing = { series: "e", isError: true };
    const { collected } = play([
      [at(0), [point(at(0), 0), point(at(0), 0, failing)]],
      [at(10), [point(at(10), 90)]],
      [at(11), [point(at(10), 10, failing)]],
      [at(20), [point(at(20), 190), point(at(20), 10, failing)]],
    ]);
    expect(liveOf(collected)).toMatchObject([
      {
        service: "shop/checkout",
        readings: [
          { at: at(10), spanMs: 10_000, requests: 100, errors: 10 },
          { at: at(20), spanMs: 10_000, requests: 100, errors: 0 },
        ],
      },
    ]);
    expect(collected.intervalMs).toBe(20_000);
  });

  it("are forgotten a quarter of an hour after their last export", () => {
    const other = { service: "shop/cart", series: "c" };
    const { collected } = play([
      [at(0), [point(at(0), 0), point(at(0), 0, other)]],
      [at(10), [point(at(10), 9), point(at(10), 9, other)]],
      [at(1_000), [point(at(1_000), 20)]],
      [at(1_010), [point(at(1_010), 22)]],
    ]);
    expect(liveOf(collected).map(({ service }) => service)).toEqual(["shop/checkout"]);
  });
});

describe("bounds", () => {
  it.each<[string, Point, string]>([
    ["lies ahead", point(NOON + HOUR, 1), "future"],
    ["is older than a week", point(NOON - 8 * DAY, 1), "too_old"],
  ])("a point that %s is refused, and its neighbours are not", (_name, bad, why) => {
    const taken = takePoints(null, [bad, point(NOON, 1, { series: "t" })], NOON);
    expect(taken.rejected).toEqual({ [why]: 1 });
    expect(Object.keys(taken.collected.series)).toEqual(["t"]);
  });

  it("a cluster has so many series and services", () => {
    const many = Array.from({ length: SERIES_MAX + 5 }, (_, i) => point(NOON, 1, { series: `s${i}` }));
    expect(takePoints(null, many, NOON).rejected).toEqual({ too_many_series: 5 });
    const services = Array.from({ length: COLLECTED_SERVICES_MAX + 2 }, (_, i) =>
      point(NOON, 1, { series: `s${i}`, service: `shop/s${i}` }),
    );
    expect(takePoints(null, services, NOON).rejected).toEqual({ too_many_services: 2 });
  });

  it("a minute is closed once the late ones had their time, and says when that is", () => {
    const first = takePoints(null, [point(at(0), 0)], at(0));
    const { collected } = takePoints(first.collected, [point(at(10), 4)], at(10));
    expect(closesAt(collected)).toBe(NOON + MINUTE + LATE_MS);
    expect(closeMinutes(collected, NOON + MINUTE + LATE_MS - 1).windows).toEqual([]);
    expect(closeMinutes(collected, NOON + MINUTE + LATE_MS).windows).toMatchObject([{ requests: 4 }]);
  });
});
