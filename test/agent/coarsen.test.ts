import fc from "fast-check";
import { is } from "valibot";
import { describe, expect, it } from "vitest";
import { chooseRuns, mergeRun, type Mergeable } from "../../agent/core/coarsen.ts";
import { boundsText } from "../../agent/core/packed.ts";
import { exponentialOf } from "../../protocol/exponential.ts";
import { countOf } from "../../protocol/latency.ts";
import { RecordSchema, type WindowRecord } from "../../protocol/record.ts";
import { HOUR, MINUTE } from "../../protocol/time.ts";

/** A whole hour. */
const NOON = 1_795_392_000_000;

function window(minute: number, more: Partial<WindowRecord> = {}): WindowRecord {
  const base = { service: "shop/cart", spanMs: MINUTE, requests: 1, errors: 0, latency: null };
  return { kind: "window", at: NOON + minute * MINUTE, ...base, ...more };
}

function istio(counts: Readonly<Record<number, number>>, sum: number): WindowRecord["latency"] {
  return { scheme: "explicit", bounds: "istio", counts: Array.from({ length: 20 }, (_, i) => counts[i] ?? 0), sum };
}

/** The windows as the spool's index has them: their places are their ids. */
function indexed(windows: readonly WindowRecord[]): Mergeable[] {
  return windows.map(({ service, at, spanMs, latency }, id) => {
    const bounds = latency && boundsText(latency);
    return { id, service, at, spanMs, bounds };
  });
}

/** Which spans are merged next, as minutes after noon: `0+5` begins at noon and is five minutes long. */
function next(windows: readonly WindowRecord[], closedMinute: number, windowsMax = 1_000): string[] {
  const runs = chooseRuns(indexed(windows), NOON + closedMinute * MINUTE, windowsMax);
  return runs.map((run) => {
    const merged = mergeRun(run.flatMap(({ id }) => windows[id] ?? []));
    return `${(merged.at - NOON) / MINUTE}+${merged.spanMs / MINUTE}`;
  });
}

const minutes = (from: number, until: number, more: Partial<WindowRecord> = {}): WindowRecord[] =>
  Array.from({ length: until - from }, (_, i) => window(from + i, more));

describe("windows that become coarser", () => {
  it.each([
    ["whole minutes become aligned five minutes, oldest first", minutes(0, 15), 60, ["0+5", "5+5", "10+5"]],
    ["a service appears in the middle of a bucket, that one stays as it is", minutes(3, 10), 60, ["5+5"]],
    ["a service is gone in the middle of a bucket, that one stays as it is", minutes(0, 8), 60, ["0+5"]],
    ["a bucket is not over yet, it waits", minutes(0, 9), 19, ["0+5"]],
    ["a bucket is of the last ten minutes, it waits", minutes(0, 10), 19, ["0+5"]],
    ["a minute is missing, its bucket stays as it is", [...minutes(0, 7), ...minutes(8, 15)], 60, ["0+5", "10+5"]],
    [
      "a minute is missing, its hour stays as it is",
      [...minutes(0, 4), ...Array.from({ length: 23 }, (_, i) => window(5 + 5 * i, { spanMs: 5 * MINUTE }))],
      300,
      ["60+60"],
    ],
    [
      "an hour's minutes are of several lengths, it becomes one",
      [window(0, { spanMs: 10 * MINUTE }), window(10, { spanMs: 30 * MINUTE }), window(40, { spanMs: 20 * MINUTE })],
      300,
      ["0+60"],
    ],
    [
      "all is five minutes long, it becomes an hour",
      minutes(0, 12).map((_, i) => window(5 * i, { spanMs: 5 * MINUTE })),
      70,
      ["0+60"],
    ],
    [
      "something can still become five minutes, no hour is made",
      [window(0, { spanMs: 5 * MINUTE }), window(5, { spanMs: 5 * MINUTE }), ...minutes(100, 105)],
      300,
      ["100+5"],
    ],
    [
      "a window lies across a bucket's edge, it stays out",
      [window(0, { spanMs: 4 * MINUTE }), window(4, { spanMs: 4 * MINUTE })],
      30,
      [],
    ],
    [
      "scrapes are rare, its windows become hours at once",
      Array.from({ length: 15 }, (_, i) => window(4 * i, { spanMs: 4 * MINUTE })),
      70,
      ["0+60"],
    ],
    [
      "all is an hour long, nothing is left to do",
      [window(0, { spanMs: HOUR }), window(60, { spanMs: HOUR })],
      900,
      [],
    ],
    ["a minute was closed twice, its bucket stays as it is", [...minutes(0, 10), window(2)], 60, ["5+5"]],
    [
      "the bounds changed, that bucket stays exact",
      [
        ...minutes(0, 8, { latency: istio({ 1: 1 }, 1) }),
        ...minutes(8, 15, { latency: { scheme: "explicit", bounds: [7], counts: [1, 0], sum: 1 } }),
      ],
      60,
      ["0+5", "10+5"],
    ],
    [
      "a minute has no histogram, it merges with both sides",
      [...minutes(0, 2, { latency: istio({ 1: 1 }, 1) }), window(2), ...minutes(3, 5, { latency: istio({ 2: 1 }, 1) })],
      60,
      ["0+5"],
    ],
  ] as const)("when %s", (_name, windows, closedMinute, expected) => {
    expect(next(windows, closedMinute)).toEqual(expected);
  });

  it("belong to one service", () => {
    const till = { service: "shop/till" };
    expect(next([...minutes(0, 4), window(4, till)], 60)).toEqual([]);
    expect(next([...minutes(0, 5), ...minutes(0, 5, till)], 60)).toEqual(["0+5", "0+5"]);
  });

  it("are as few as asked for, but one run at least", () => {
    expect(next(minutes(0, 15), 60, 10)).toEqual(["0+5", "5+5"]);
    expect(next(minutes(0, 15), 60, 1)).toEqual(["0+5"]);
  });

  it("keep what is known of latency beside minutes without any", () => {
    const merged = mergeRun([
      window(0),
      window(1, { latency: istio({ 3: 2 }, 14) }),
      window(2, { latency: istio({ 3: 1, 4: 1 }, 20) }),
    ]);
    expect(merged.latency).toEqual(istio({ 3: 3, 4: 1 }, 34));
  });

  it("are believed by the edge even where Prometheus extrapolated a hair more errors than requests", () => {
    const merged = mergeRun(minutes(0, 60, { requests: 0, errors: 1e-6 }));
    expect(is(RecordSchema, merged)).toBe(true);
  });
});

/** Counts that floats add without rounding. */
const count = fc.integer({ min: 0, max: 4_000 }).map((eighths) => eighths / 8);
const anyLatency = fc.oneof(
  { weight: 1, arbitrary: fc.constant(null) },
  {
    weight: 4,
    arbitrary: fc
      .tuple(fc.array(count, { minLength: 20, maxLength: 20 }), count)
      .map(([counts, sum]) => ({ scheme: "explicit" as const, bounds: "istio" as const, counts, sum })),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.array(count, { minLength: 3, maxLength: 3 }), count)
      .map(([counts, sum]) => ({ scheme: "explicit" as const, bounds: [10, 20], counts, sum })),
  },
);
/** A history of two services with holes, with windows of one to seven minutes, and with minutes that were closed twice. */
const history = fc
  .array(
    fc.record({
      service: fc.constantFrom("shop/cart", "shop/till"),
      skip: fc.oneof(
        { weight: 8, arbitrary: fc.constant(0) },
        { weight: 1, arbitrary: fc.integer({ min: -1, max: 9 }) },
      ),
      span: fc.oneof(
        { weight: 8, arbitrary: fc.constant(1) },
        { weight: 1, arbitrary: fc.integer({ min: 1, max: 7 }) },
      ),
      requests: count,
      failed: fc.constantFrom(0, 0.25, 1),
      latency: anyLatency,
    }),
    { maxLength: 150 },
  )
  .map((steps) => {
    const minute = new Map<string, number>();
    return steps.map(({ service, skip, span, requests, failed, latency }) => {
      const at = Math.max(0, (minute.get(service) ?? 0) + skip);
      minute.set(service, at + span);
      return window(at, { service, spanMs: span * MINUTE, requests, errors: requests * failed, latency });
    });
  });

/** Merges until nothing is left to merge, `windowsMax` at a time. */
function coarsenAll(windows: readonly WindowRecord[], closedUntil: number, windowsMax: number): WindowRecord[] {
  let held = [...windows];
  for (let rounds = windows.length + 1; ; rounds--) {
    const runs = chooseRuns(indexed(held), closedUntil, windowsMax);
    if (runs.length === 0) return held;
    if (rounds === 0) throw new Error("it never ends");
    const merged = runs.map((run) => mergeRun(run.flatMap(({ id }) => held[id] ?? [])));
    const gone = new Set(runs.flat().map(({ id }) => id));
    if (gone.size !== runs.flat().length) throw new Error("a window is in two runs");
    held = [...held.filter((_, id) => !gone.has(id)), ...merged];
  }
}

/** How often each minute of each service is counted. */
function minutesOf(windows: readonly WindowRecord[]): Record<string, number> {
  const counted: Record<string, number> = {};
  for (const { service, at, spanMs } of windows.toSorted((a, b) => a.service.localeCompare(b.service) || a.at - b.at))
    for (let minute = at; minute < at + spanMs; minute += MINUTE)
      counted[`${service} ${minute}`] = (counted[`${service} ${minute}`] ?? 0) + 1;
  return counted;
}

function totals(windows: readonly WindowRecord[]): readonly number[] {
  const sum = (of: (window: WindowRecord) => number): number => windows.reduce((total, each) => total + of(each), 0);
  return [
    sum(({ requests }) => requests),
    sum(({ errors }) => errors),
    sum(({ spanMs }) => spanMs),
    sum(({ latency }) => latency?.sum ?? 0),
    sum(({ latency }) => (latency === null ? 0 : countOf(latency))),
  ];
}

it("an hour of exponential minutes, quiet ones among them, is what the hour itself would have counted", () => {
  const values = (minute: number) =>
    Array.from({ length: minute % 7 }, (_, i) => 2 ** ((minute * (i + 3)) % 40) / 1_000);
  const hour = Array.from({ length: 60 }, (_, minute) => window(minute, { latency: exponentialOf(values(minute)) }));
  const [merged, ...others] = coarsenAll(hour, NOON + 3 * HOUR, 1_000);
  const whole = exponentialOf(hour.flatMap((_, minute) => values(minute)));
  expect(others).toEqual([]);
  expect(merged?.latency).toEqual({ ...whole, sum: expect.closeTo(whole.sum, 3) });
});

describe("any history that is coarsened to the end", () => {
  it("keeps every sum, every histogram's counts and every minute, and makes windows that the edge believes", () => {
    fc.assert(
      fc.property(
        history,
        fc.integer({ min: 0, max: 400 }),
        fc.integer({ min: 1, max: 80 }),
        (windows, closed, max) => {
          const coarse = coarsenAll(windows, NOON + closed * MINUTE, max);
          expect(totals(coarse)).toEqual(totals(windows));
          expect(minutesOf(coarse)).toEqual(minutesOf(windows));
          for (const each of coarse) expect(is(RecordSchema, each), JSON.stringify(each)).toBe(true);
        },
      ),
      { numRuns: 300 },
    );
  });

  it("merges only what fills five minutes or an hour without overlap, and nothing of what is recent", () => {
    fc.assert(
      fc.property(history, fc.integer({ min: 0, max: 400 }), (windows, closed) => {
        const before = new Set(windows);
        for (const merged of coarsenAll(windows, NOON + closed * MINUTE, 1_000).filter((each) => !before.has(each))) {
          expect([5 * MINUTE, HOUR]).toContain(merged.spanMs);
          expect(merged.at % merged.spanMs).toBe(0);
          expect(merged.at + merged.spanMs).toBeLessThanOrEqual(NOON + (closed - 10) * MINUTE);
          const others = windows.filter(({ service }) => service === merged.service);
          const inside = others.filter(({ at, spanMs }) => at < merged.at + merged.spanMs && merged.at < at + spanMs);
          expect(inside.reduce((total, { spanMs }) => total + spanMs, 0)).toBe(merged.spanMs);
        }
      }),
      { numRuns: 300 },
    );
  });
});
