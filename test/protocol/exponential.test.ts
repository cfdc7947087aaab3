import fc from "fast-check";
import * as v from "valibot";
import { describe, expect, it } from "vitest";
import {
  boundAt,
  BUCKETS_MAX,
  downscale,
  exponentialCount,
  exponentialLatency,
  exponentialOf,
  indexOf,
  mergeExponential,
  ZERO_MAX_MS,
} from "../../protocol/exponential.ts";
import type { ExponentialLatency } from "../../protocol/exponential.ts";
import { LatencySchema, mergeLatencies, mergeLatency, quantile, quantileOf } from "../../protocol/latency.ts";
import { histogramOf } from "../support/latencies.ts";

const value = fc.oneof(
  fc.double({ min: 0, max: 100_000, noNaN: true }),
  fc.constantFrom(0, ZERO_MAX_MS, 1, 2, 200, 512),
);
const values = fc.array(value, { maxLength: 120 });
/** Of any scale, from values anywhere between nanoseconds and years: some are too far apart for their scale. */
const histogram = fc
  .tuple(values, fc.integer({ min: -4, max: 8 }), fc.integer({ min: -30, max: 30 }))
  .map(([list, scale, shift]) =>
    ofScale(
      list.map((one) => one * 2 ** shift),
      scale,
    ),
  );

/** As a client of another scale would count them: only buckets, nothing measured beside them. */
function ofScale(list: readonly number[], scale: number): ExponentialLatency {
  const buckets = new Map<number, number>();
  const above = list.filter((one) => one > ZERO_MAX_MS);
  for (const one of above) buckets.set(indexOf(scale, one), (buckets.get(indexOf(scale, one)) ?? 0) + 1);
  const sum = list.reduce((a, b) => a + b, 0);
  return exponentialLatency({ scale, zeros: list.length - above.length, buckets, sum });
}

/** Equal but for the last digits of a sum, which depend on the order of adding. */
function expectSame(a: ExponentialLatency, b: ExponentialLatency): void {
  expect({ ...a, sum: 0 }).toEqual({ ...b, sum: 0 });
  expect(Math.abs(a.sum - b.sum)).toBeLessThanOrEqual(1e-9 * Math.max(1, a.sum));
}

describe("a bucket", () => {
  it.each([
    [4, 1, -1, "a bound is the last value of the bucket below it"],
    [4, 1.0001, 0, "and the next bucket is above it"],
    [4, 2, 15, "sixteen buckets double"],
    [0, 200, 7, "128 to 256"],
    [0, 256, 7, "256 is still in it"],
    [-2, 16, 0, "1 to 16"],
    [-2, 17, 1, "16 to 256"],
    [4, ZERO_MAX_MS, -161, "a microsecond"],
  ])("of scale %d holds %d at index %d: %s", (scale, held, index) => expect(indexOf(scale, held)).toBe(index));

  it("holds what lies between its bounds, also beside them", () =>
    fc.assert(
      fc.property(
        fc.integer({ min: -4, max: 8 }),
        fc.integer({ min: -600, max: 600 }),
        fc.nat(2),
        (scale, at, side) => {
          const index = Math.floor(at * 2 ** (scale - 4));
          const bound = boundAt(scale, index);
          const [held, expected] = [
            [bound, index - 1],
            [bound * (1 + Number.EPSILON), index],
            [bound * (1 - Number.EPSILON), index - 1],
          ][side] as [number, number];
          expect(indexOf(scale, held)).toBe(expected);
        },
      ),
    ));
});

describe("merging exponential histograms", () => {
  it("ignores the order and where the brackets stand, whatever the scales", () =>
    fc.assert(
      fc.property(histogram, histogram, histogram, (a, b, c) => {
        expectSame(mergeExponential(a, b), mergeExponential(b, a));
        expectSame(mergeExponential(mergeExponential(a, b), c), mergeExponential(a, mergeExponential(b, c)));
      }),
      { numRuns: 2_000 },
    ));

  it("with an empty one, of whatever scale, changes nothing", () =>
    fc.assert(
      fc.property(histogram, fc.integer({ min: -4, max: 4 }), (a, scale) => {
        const nothing = { ...exponentialOf([]), scale, counts: [0, 0] };
        expectSame(mergeExponential(a, nothing), a);
        expectSame(mergeExponential(nothing, a), a);
      }),
    ));

  it("of the parts of a split equals the whole", () =>
    fc.assert(
      fc.property(values, fc.nat(), (all, cut) => {
        const at = cut % (all.length + 1);
        expectSame(mergeExponential(exponentialOf(all.slice(0, at)), exponentialOf(all.slice(at))), exponentialOf(all));
      }),
    ));

  it("loses no value and stays within the bounds of the wire", () =>
    fc.assert(
      fc.property(histogram, histogram, (a, b) => {
        const merged = mergeExponential(a, b);
        expect(exponentialCount(merged)).toBe(exponentialCount(a) + exponentialCount(b));
        expect(merged.sum).toBeCloseTo(a.sum + b.sum, 3);
        expect(merged.counts.length).toBeLessThanOrEqual(BUCKETS_MAX);
        expect(v.is(LatencySchema, merged)).toBe(true);
      }),
    ));

  it("with an explicit one is refused, and both are shown, that of more requests first", () => {
    const [fine, coarse] = [exponentialOf([10, 20, 30]), histogramOf([120, 130])];
    expect([mergeLatency(fine, coarse), mergeLatency(coarse, fine)]).toEqual([null, null]);
    expect(mergeLatencies([coarse, fine, coarse, coarse]).map(({ scheme }) => scheme)).toEqual([
      "explicit",
      "exponential",
    ]);
    const both = quantileOf([coarse, fine], 0.95);
    expect(both).toEqual({ ...quantile(fine, 0.95), also: quantile(coarse, 0.95) });
    expect(quantileOf([coarse, histogramOf([])], 0.95)).not.toHaveProperty("also");
    expect(quantileOf([], 0.95)).toBeNull();
  });
});

describe("a coarser scale", () => {
  it("is reached in one step or in two", () =>
    fc.assert(
      fc.property(values, fc.integer({ min: -4, max: 4 }), fc.integer({ min: -4, max: 4 }), (all, one, other) => {
        const whole = exponentialOf(all);
        const [fine, coarse] = [Math.max(one, other), Math.min(one, other)];
        expectSame(downscale(downscale(whole, fine), coarse), downscale(whole, coarse));
      }),
    ));

  it("is what a client of that scale counts", () =>
    fc.assert(
      fc.property(values, fc.integer({ min: -4, max: 4 }), (all, scale) => {
        const { min: _min, max: _max, ...reached } = downscale(exponentialOf(all), scale);
        expect(ofScale(all, scale)).toMatchObject(reached);
      }),
    ));

  it("is taken by values that are too far apart for 160 buckets", () => {
    const far = exponentialOf([0.01, 86_400_000]);
    expect(far.scale).toBe(2);
    expect(far.counts.length).toBeLessThanOrEqual(BUCKETS_MAX);
    // 1 is the last value of the bucket before: 160 buckets, and 161.
    expect([exponentialOf([1.01, 1_000]).scale, exponentialOf([1, 1_000]).scale]).toEqual([4, 3]);
  });
});

describe("values of no length", () => {
  it("are counted apart, up to a microsecond, and lie nowhere else", () => {
    const counted = exponentialOf([0, ZERO_MAX_MS / 2, ZERO_MAX_MS, 5]);
    expect(counted).toMatchObject({ zeros: 3, min: 0, max: 5 });
    expect(quantile(counted, 0.5)).toEqual({ estimate: 0, lo: 0, hi: ZERO_MAX_MS, method: "midpoint" });
  });

  it("that a client counted in buckets of their own join them", () => {
    const buckets = new Map([
      [indexOf(8, 1e-6), 3],
      [indexOf(8, 10), 1],
    ]);
    expect(exponentialLatency({ scale: 8, zeros: 2, buckets, sum: 10 })).toMatchObject({ zeros: 5, counts: [1] });
  });

  it("and values that are no durations are left out", () =>
    expect(exponentialOf([-1, Number.NaN, Number.POSITIVE_INFINITY, 3])).toEqual(exponentialOf([3])));
});
