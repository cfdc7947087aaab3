/** The detector: what it says of a point, and when that becomes an event. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { baselineOf, History, usualAt, type Points, type Usual } from "../../agent/core/baseline.ts";
import { Detector, onceInAt } from "../../agent/core/detector.ts";
import { QUIET, raise, type Raised } from "../../agent/core/raise.ts";
import { THRESHOLD } from "../../protocol/detector.ts";
import { Series, type Point, type Scored } from "../../agent/core/series.ts";
import { Tail } from "../../agent/core/tail.ts";
import { TUNING } from "../../agent/core/tuning.ts";
import { DAY, HOUR, MINUTE } from "../../protocol/time.ts";
import { Dice } from "../simulator/dice.ts";
import { selfCheck } from "../support/nab.ts";

const STEP = 5 * MINUTE;
const POINTS_A_DAY = DAY / STEP;
const MONDAY = Date.UTC(2026, 10, 16);

function dice(seed: number): () => number {
  const world = new Dice(seed);
  return () => world.below(2 ** 31) / 2 ** 31;
}

/** A normal distribution, from the sum of twelve dice. */
function noise(random: () => number): number {
  let sum = -6;
  for (let i = 0; i < 12; i++) sum += random();
  return sum;
}

/** Points every 5 minutes from Monday 00:00 UTC. */
function points(count: number, value: (i: number, at: number) => number | null): Point[] {
  return Array.from({ length: count }, (_, i) => ({ at: MONDAY + i * STEP, value: value(i, MONDAY + i * STEP) }));
}

function play(given: readonly Point[]): Scored[] {
  const series = new Series();
  return given.map((point) => series.take(point));
}

const raisedAt = (scored: readonly Scored[]): number[] => scored.flatMap(({ act }, i) => (act === "raise" ? [i] : []));

/** Days of traffic: 20 at night, 80 from 9 to 18, with a little noise. */
function daily(seed: number, days: number, change: (i: number, at: number, usual: number) => number | null): Point[] {
  const random = dice(seed);
  return points(days * POINTS_A_DAY, (i, at) => {
    const hour = Math.floor(at / HOUR) % 24;
    return change(i, at, (hour >= 9 && hour < 18 ? 80 : 20) + 2 * noise(random));
  });
}

describe("an anomaly is raised", () => {
  const LAST = 6 * POINTS_A_DAY;
  it.each([
    ["by a spike", /hour|extreme/, (i: number, usual: number) => (i === LAST ? 400 : usual), LAST],
    // 03:00 of the last day.
    [
      "by what is normal at noon, at 3 a.m.",
      /hour/,
      (i: number, usual: number) => (i === LAST + 36 ? 80 : usual),
      LAST + 36,
    ],
    [
      "by a morning on which nobody comes",
      /hour/,
      (i: number, usual: number) => (i >= LAST ? 20 : usual),
      LAST + 9 * 12,
    ],
  ])("%s", (_name, kind, change, at) => {
    const scored = play(daily(1, 7, (i, _at, usual) => change(i, usual)));
    const found = raisedAt(scored).filter((i) => i >= LAST);
    expect(found[0]).toBeGreaterThanOrEqual(at);
    expect(found[0]).toBeLessThanOrEqual(at + 2);
    expect(found).toHaveLength(1);
    expect(scored[found[0] ?? 0]?.judgement?.deviations[0]?.kind).toMatch(kind);
  });

  it("by a shift of the level that no single point shows", () => {
    const random = dice(5);
    const scored = play(points(7 * POINTS_A_DAY, (i) => 100 + 10 * noise(random) + (i >= LAST ? 18 : 0)));
    const [first = 0] = raisedAt(scored).filter((i) => i >= LAST);
    expect(first).toBeGreaterThan(LAST);
    expect(first).toBeLessThan(LAST + 30);
    expect(scored[first]?.judgement?.deviations[0]).toMatchObject({ kind: "shift" });
  });

  it("with what was observed, expected, and how rare that is", () => {
    const judgement = play(daily(1, 7, (i, _at, usual) => (i === LAST ? 400 : usual)))[LAST]?.judgement;
    const [first] = judgement?.deviations ?? [];
    expect(first?.observed).toBe(400);
    expect(first?.expected).toBeGreaterThan(15);
    expect(first?.expected).toBeLessThan(25);
    expect(first?.sigmas).toBeGreaterThan(5);
    expect(first?.onceIn).toBeGreaterThan(525);
    expect(judgement?.score).toBeGreaterThan(THRESHOLD);
  });
});

describe("nothing is raised", () => {
  it.each([
    ["of a constant series", () => 42],
    ["of zeros", () => 0],
    ["of the first day, whatever it holds", (i: number) => (i < POINTS_A_DAY ? (i % 97 === 0 ? 1e6 : i) : null)],
    ["of points that are missing", (i: number) => (i % 3 === 0 ? 42 : null)],
    ["of the first wiggle of a flat series", (i: number) => (i === 150 ? 42.0001 : 42)],
  ])("%s", (_name, value) => expect(raisedAt(play(points(3 * POINTS_A_DAY, value)))).toEqual([]));

  it("of a flat series that changes within what counting alone does", () => {
    const usual: Usual = { all: { median: 100, spread: 0 }, hour: null };
    const detector = new Detector();
    for (let i = 0; i < 2_000; i++) detector.learn(100 + (i % 7), usual, 10);
    expect(detector.judge(112, usual, 10).score).toBeLessThan(THRESHOLD);
    expect(detector.judge(200, usual, 10).score).toBeGreaterThan(THRESHOLD);
  });
});

it("a level that moves by less than what counting alone does is no shift", () => {
  const usual: Usual = { all: { median: 100, spread: 0 }, hour: null };
  const judged = (level: number): number => {
    const detector = new Detector();
    for (let i = 0; i < 2_000; i++) detector.learn(100, usual, 10);
    for (let i = 0; i < 11; i++) detector.pass(level);
    return detector.judge(level, usual, 10).score;
  };
  expect(judged(108)).toBeLessThan(THRESHOLD);
  expect(judged(110)).toBeGreaterThan(THRESHOLD);
});

it("of what was never seen in 300 points no more is said than that", () => {
  const tail = new Tail(TUNING);
  for (let i = 0; i < 300; i++) tail.add(0);
  expect(10 ** tail.surprise(9)).toBeCloseTo(301, 6);
});

it("a series of one point an hour is learnt for 100 points, not for a day", () => {
  const hourly = Array.from({ length: 110 }, (_, i) => ({ at: MONDAY + i * HOUR, value: i % 7 }));
  expect(play(hourly).findIndex(({ score }) => score !== null)).toBe(100);
});

it("a series that was constant for a week raises its first change, once", () => {
  const scored = play(points(8 * POINTS_A_DAY, (i) => (i < 7 * POINTS_A_DAY ? 5 : 6)));
  expect(raisedAt(scored).slice(0, 1)).toEqual([7 * POINTS_A_DAY]);
  expect(raisedAt(scored.slice(0, 7 * POINTS_A_DAY + TUNING.refractoryPoints))).toHaveLength(1);
});

it("a counter that is mostly zero is compared with what it does at times, not with nothing", () => {
  const random = dice(3);
  const scored = play(
    points(8 * POINTS_A_DAY, (i) => (i === 7 * POINTS_A_DAY ? 400 : random() < 0.1 ? Math.ceil(4 * random()) : 0)),
  );
  expect(raisedAt(scored)).toContain(7 * POINTS_A_DAY);
});

it("of white noise it raises at most three times in 525 points", () => {
  const random = dice(7);
  const scored = play(points(20_000, () => noise(random)));
  expect(raisedAt(scored).length / 20_000).toBeLessThan(3 / 525);
  expect(raisedAt(scored).length).toBeGreaterThan(0);
});

describe("a score", () => {
  const Values = fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 320, maxLength: 420 });
  const scoresOf = (values: readonly number[]): (number | null)[] =>
    play(points(values.length, (i) => values[i] ?? 0)).map(({ score }) => score);

  it("lies from 0 to 1, is null on the first day, and depends on what came before alone", () => {
    fc.assert(
      fc.property(Values, fc.nat(400), (values, cut) => {
        const scores = scoresOf(values);
        expect(scores.slice(0, POINTS_A_DAY).every((score) => score === null)).toBe(true);
        expect(scores.slice(POINTS_A_DAY).every((score) => score !== null && score >= 0 && score <= 1)).toBe(true);
        expect(scoresOf(values.slice(0, cut))).toEqual(scores.slice(0, cut));
      }),
      { numRuns: 20, seed: 1 },
    );
  });

  it("is the same in every unit", () => {
    const random = dice(11);
    const values = Array.from({ length: 900 }, () => 1 + noise(random) ** 3);
    // By powers of two, so that no digit is lost.
    expect(scoresOf(values.map((value) => value * 1_024))).toEqual(scoresOf(values));
    const shifted = scoresOf(values.map((value) => 16 + value));
    const apart = scoresOf(values).map((score, i) => Math.abs((score ?? 0) - (shifted[i] ?? 0)));
    expect(Math.max(...apart)).toBeLessThan(0.1);
  });

  it("is never smaller of a larger deviation, and the same with its reasons and without", () => {
    const random = dice(13);
    const usual: Usual = { all: { median: 0, spread: 1 }, hour: { median: 0, spread: 2 } };
    const detector = new Detector();
    for (let i = 0; i < 3_000; i++) detector.learn(noise(random) ** 3, usual);
    const scores = Array.from({ length: 2_000 }, (_, i) => detector.judge(i / 10, usual).score);
    for (const one of [usual, { ...usual, hour: null }])
      for (let i = -99; i < 2_000; i++)
        expect(detector.score(i / 10, one, 0.3)).toBe(detector.judge(i / 10, one, 0.3).score);
    expect(scores).toEqual(scores.toSorted((a, b) => a - b));
    expect([scores[0] ?? 1, scores.at(-1)]).toEqual([expect.closeTo(0, 1), 1]);
  });

  it("is the same if the detector is stored and restored between any two points", () => {
    const random = dice(17);
    const usual: Usual = { all: { median: 0, spread: 1 }, hour: { median: 0, spread: 1 } };
    let detector = new Detector();
    const untouched = new Detector();
    for (let i = 0; i < 5_000; i++) {
      const value = noise(random) ** 3;
      if (i % 137 === 0) detector = new Detector(JSON.parse(JSON.stringify(detector.state())));
      expect(detector.judge(value, usual)).toEqual(untouched.judge(value, usual));
      detector.learn(value, usual);
      untouched.learn(value, usual);
    }
  });

  it("of 0.85 is once in 525 points, of 0.90 once in 759", () =>
    expect([onceInAt(0.85), onceInAt(0.9)].map(Math.round)).toEqual([525, 759]));
});

describe("what is usual", () => {
  const columns = (points: readonly { readonly at: number; readonly value: number }[]): Points => ({
    at: Float64Array.from(points, ({ at }) => at),
    value: Float64Array.from(points, ({ value }) => value),
  });

  it("is the median and the spread, of all hours and of each, whether learnt point by point or at once", () => {
    const all = daily(1, 9, (_i, _at, usual) => usual).map(({ at, value }) => ({ at, value: value ?? 0 }));
    const history = new History(2 * POINTS_A_DAY);
    expect([history.usual(MONDAY), baselineOf(columns(all.slice(0, 29)))]).toEqual([null, null]);
    for (const { at, value } of all) history.add(at, value);
    const baseline = baselineOf(columns(all.slice(-2 * POINTS_A_DAY)));
    expect(baseline?.hours.map((hour) => Math.round((hour?.median ?? 0) / 20))).toEqual([
      ...Array.from({ length: 9 }, () => 1),
      ...Array.from({ length: 9 }, () => 4),
      ...Array.from({ length: 6 }, () => 1),
    ]);
    const noon = MONDAY + 9 * DAY + 12 * HOUR;
    expect(baseline && usualAt(baseline, noon)).toEqual(history.usual(noon));
  });

  it("of an hour is not known from that hour's own beginning", () => {
    const history = new History(2_016);
    for (const { at, value } of points(POINTS_A_DAY, () => 1)) history.add(at, value ?? 0);
    expect(history.usual(MONDAY + DAY - STEP)?.hour).toBeNull();
    expect(history.usual(MONDAY + DAY)?.hour).not.toBeNull();
  });
});

describe("a score becomes an event", () => {
  /** r raised, c closed, h held back, . nothing; a score of null is a missing point. */
  const told = (scores: readonly (number | null)[]): string => {
    const letters: Record<Raised["act"], string> = { raise: "r", close: "c", held: "h", none: "." };
    let state = QUIET;
    return scores
      .map((score) => {
        const { next, act } = raise(state, score, THRESHOLD, 10);
        state = next;
        return letters[act];
      })
      .join("");
  };
  const calm = (n: number): number[] => Array.from({ length: n }, () => 0.1);

  it.each([
    ["at the threshold and not below", [0.84, 0.85], ".r"],
    ["once, however long it lasts", [0.9, 1, 0.7, 0.9], "rh.h"],
    ["and is over after five calm points", [0.9, ...calm(5)], "r....c"],
    ["a point that is not calm begins the count anew", [0.9, ...calm(4), 0.6, ...calm(5)], "r.........c"],
    ["a missing point neither raises nor calms", [null, 0.9, ...calm(4), null, 0.1], ".r.....c"],
    ["none follows within the pause", [0.9, ...calm(5), 0.9, 0.9, 0.9, 0.9, 0.9], "r....chhhhr"],
    [
      "one that lasts as long as the pause ends, and is said again",
      Array.from({ length: 12 }, () => 0.9),
      "rhhhhhhhhhcr",
    ],
  ])("%s", (_name, scores, expected) => expect(told(scores)).toBe(expected));
});

it.each(selfCheck())("the benchmark's scorer: %s", (_says, isTrue) => expect(isTrue).toBe(true));
