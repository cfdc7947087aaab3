import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { exponentialOf } from "../../protocol/exponential.ts";
import type { ExplicitLatency, Latency } from "../../protocol/latency.ts";
import {
  ISTIO_BOUNDS,
  boundsOf,
  countOf,
  explicitLatency,
  mergeLatency,
  quantile,
  thresholdDoubt,
  thresholdVerdict,
} from "../../protocol/latency.ts";
import { distribution, histogramOf, trueQuantile } from "../support/latencies.ts";

const values = fc.array(fc.double({ min: 0.01, max: 100_000, noNaN: true }), { minLength: 1, maxLength: 200 });
const bounds = fc
  .uniqueArray(fc.integer({ min: 1, max: 60_000 }), { minLength: 1, maxLength: 30 })
  .map((list) => list.toSorted((a, b) => a - b));

function close(a: ExplicitLatency, b: ExplicitLatency): boolean {
  return (
    JSON.stringify(boundsOf(a)) === JSON.stringify(boundsOf(b)) &&
    a.counts.every((count, i) => Math.abs(count - (b.counts[i] ?? 0)) < 1e-6) &&
    Math.abs(a.sum - b.sum) < 1e-3
  );
}

describe("merging histograms", () => {
  it("loses no value and ignores the order, whatever the bounds", () =>
    fc.assert(
      fc.property(values, bounds, values, bounds, (a, boundsA, b, boundsB) => {
        const [left, right] = [histogramOf(a, boundsA), histogramOf(b, boundsB)];
        const merged = mergeLatency(left, right);
        return countOf(merged) === a.length + b.length && close(merged, mergeLatency(right, left));
      }),
    ));

  it("of the parts of a split equals the whole", () =>
    fc.assert(
      fc.property(values, fc.nat(), (all, cut) => {
        const at = cut % (all.length + 1);
        return close(mergeLatency(histogramOf(all.slice(0, at)), histogramOf(all.slice(at))), histogramOf(all));
      }),
    ));

  it("is associative over three different sets of bounds", () =>
    fc.assert(
      fc.property(values, bounds, values, bounds, values, bounds, (a, ba, b, bb, c, bc) => {
        const [x, y, z] = [histogramOf(a, ba), histogramOf(b, bb), histogramOf(c, bc)];
        return close(mergeLatency(mergeLatency(x, y), z), mergeLatency(x, mergeLatency(y, z)));
      }),
    ));
});

/** Each scheme as it is filled by values. */
const SCHEMES: readonly (readonly [string, (values: readonly number[]) => Latency])[] = [
  ["explicit", histogramOf],
  ["exponential", exponentialOf],
];

const quantiles = fc.oneof(fc.constantFrom(0.5, 0.95, 0.99), fc.double({ min: 0.01, max: 1, noNaN: true }));

describe.each(SCHEMES)("a quantile of an %s histogram", (_scheme, counted) => {
  it("holds the true value between lo and hi, in 10,000 random distributions", () =>
    fc.assert(
      fc.property(distribution, quantiles, (all, q) => {
        const found = quantile(counted(all), q);
        const right = trueQuantile(all, q);
        expect(found).not.toBeNull();
        if (found === null) return;
        expect(right > found.lo || right === 0).toBe(true);
        expect(right).toBeLessThanOrEqual(found.hi ?? Number.POSITIVE_INFINITY);
        expect(found.estimate).toBeGreaterThanOrEqual(found.lo);
        expect(found.estimate).toBeLessThanOrEqual(found.hi ?? Number.POSITIVE_INFINITY);
      }),
      { numRuns: 10_000 },
    ));

  it("meets or breaches a threshold only if the true value does, in 10,000 random distributions", () => {
    const seen = { met: 0, breached: 0, indeterminate: 0 };
    const near = fc.double({ min: 0.5, max: 2, noNaN: true });
    const threshold = fc.oneof(fc.constantFrom(...ISTIO_BOUNDS, 200, 512), near);
    fc.assert(
      fc.property(distribution, quantiles, threshold, (all, q, some) => {
        const right = trueQuantile(all, q);
        // A small number stands for a multiple of the true value, to be near it. No threshold is 0.
        const limit = some < 2 && right > 0 ? some * right : some;
        const found = quantile(counted(all), q);
        const verdict = found === null ? "indeterminate" : thresholdVerdict(found, limit);
        seen[verdict]++;
        if (verdict !== "indeterminate") expect(verdict).toBe(right <= limit ? "met" : "breached");
      }),
      { numRuns: 10_000 },
    );
    expect(Math.min(seen.met, seen.breached, seen.indeterminate)).toBeGreaterThan(100);
  });

  it("of nothing is no data, not zero", () => expect(quantile(counted([]), 0.95)).toBeNull());
});

describe("an estimate", () => {
  it("of an exponential histogram is within 2.17 % of the true value", () =>
    fc.assert(
      fc.property(distribution, quantiles, (all, q) => {
        const counted = exponentialOf(all);
        const right = trueQuantile(all, q);
        // Values over more than three powers of ten take a coarser scale.
        if (counted.scale < 4 || right < 0.001) return;
        expect(Math.abs((quantile(counted, q)?.estimate ?? 0) - right)).toBeLessThanOrEqual(0.0217 * right);
      }),
      { numRuns: 10_000 },
    ));

  it("is never above the greatest value that was measured, nor below the least", () => {
    expect(quantile(exponentialOf([101, 101]), 0.95)).toMatchObject({ estimate: 101, hi: 101 });
    expect(quantile(exponentialOf([103]), 0.5)).toMatchObject({ estimate: 103, hi: 103 });
  });

  it("of less than one request, as `increase` counts them, still has a bucket", () =>
    expect(quantile(explicitLatency([10, 20], [0, 0.4, 0], 6), 0.95)).toEqual({
      estimate: 20,
      lo: 10,
      hi: 20,
      method: "linear",
    }));

  it("in the open last bucket has no upper bound", () =>
    expect(quantile(histogramOf([9_999_999]), 0.95)).toEqual({
      estimate: 3_600_000,
      lo: 3_600_000,
      hi: null,
      method: "at_least",
    }));
});

describe("a threshold", () => {
  it("that is a bound is always decided", () =>
    fc.assert(
      fc.property(distribution, fc.constantFrom(...ISTIO_BOUNDS), (all, threshold) => {
        const found = quantile(histogramOf(all), 0.95);
        expect(found && thresholdVerdict(found, threshold)).not.toBe("indeterminate");
      }),
    ));

  it.each([
    [500, "met"],
    [200, "indeterminate"],
    [100, "breached"],
  ] as const)("of %d ms against values of 120 ms is %s", (threshold, verdict) => {
    const found = quantile(histogramOf(Array.from({ length: 50 }, () => 120)), 0.95);
    expect(found && thresholdVerdict(found, threshold)).toBe(verdict);
  });

  it.each([
    ["is decided: there is no doubt", 500, [120], "explicit", null],
    [
      "lies in a bucket: its bound would help",
      200,
      [120],
      "explicit",
      "cannot tell whether p95 is within 200 ms: it lies between 100 and 250 ms; add 200 to statsHistogramBuckets",
    ],
    [
      "is above every bound",
      7_200_000,
      [5_000_000],
      "explicit",
      "cannot tell whether p95 is within 7200000 ms: it lies above 3600000 ms; add 7200000 to statsHistogramBuckets",
    ],
    [
      "lies in an exponential bucket, which nobody can move",
      200,
      [203, 203],
      "exponential",
      "cannot tell whether p95 is within 200 ms: it lies between 197.4 and 203 ms",
    ],
  ] as const)("that %s", (_name, threshold, all, scheme, doubt) => {
    const found = quantile(scheme === "explicit" ? histogramOf(all) : exponentialOf(all), 0.95);
    expect(found && thresholdDoubt(found, threshold, scheme)).toBe(doubt);
  });
});
