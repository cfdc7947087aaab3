import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Latency } from "../../protocol/latency.ts";
import {
  ISTIO_BOUNDS,
  boundsOf,
  countOf,
  explicitLatency,
  mergeLatency,
  quantile,
  thresholdVerdict,
} from "../../protocol/latency.ts";

/** A histogram of given values, as a mesh would count them. */
function histogramOf(values: readonly number[], bounds: readonly number[] = ISTIO_BOUNDS): Latency {
  const counts = Array.from({ length: bounds.length + 1 }, () => 0);
  for (const value of values) {
    const found = bounds.findIndex((bound) => value <= bound);
    const i = found === -1 ? bounds.length : found;
    counts[i] = (counts[i] ?? 0) + 1;
  }
  return explicitLatency(
    bounds,
    counts,
    values.reduce((sum, value) => sum + value, 0),
  );
}

const values = fc.array(fc.double({ min: 0.01, max: 100_000, noNaN: true }), { minLength: 1, maxLength: 200 });
const bounds = fc
  .uniqueArray(fc.integer({ min: 1, max: 60_000 }), { minLength: 1, maxLength: 30 })
  .map((list) => list.toSorted((a, b) => a - b));

function close(a: Latency, b: Latency): boolean {
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

describe("a quantile", () => {
  it("holds the true value between lo and hi", () =>
    fc.assert(
      fc.property(values, fc.double({ min: 0.01, max: 1, noNaN: true }), (all, q) => {
        const true_ = all.toSorted((a, b) => a - b)[Math.ceil(q * all.length) - 1] ?? 0;
        const found = quantile(histogramOf(all), q);
        return found !== null && true_ > found.lo - 1e-9 && (found.hi === null || true_ <= found.hi);
      }),
      { numRuns: 10_000 },
    ));

  it("of nothing is no data, not zero", () => expect(quantile(histogramOf([]), 0.95)).toBeNull());

  it("of less than one request, as `increase` counts them, still has a bucket", () =>
    expect(quantile(explicitLatency([10, 20], [0, 0.4, 0], 6), 0.95)).toEqual({ estimate: 20, lo: 10, hi: 20 }));

  it("in the open last bucket has no upper bound", () =>
    expect(quantile(histogramOf([9_999_999]), 0.95)).toEqual({ estimate: 3_600_000, lo: 3_600_000, hi: null }));
});

describe("a threshold", () => {
  it("that is a bound is decided exactly, and any other never wrongly", () =>
    fc.assert(
      fc.property(values, fc.integer({ min: 1, max: 20_000 }), (all, threshold) => {
        const true_ = all.toSorted((a, b) => a - b)[Math.ceil(0.95 * all.length) - 1] ?? 0;
        const found = quantile(histogramOf(all), 0.95);
        const verdict = found === null ? "indeterminate" : thresholdVerdict(found, threshold);
        if (ISTIO_BOUNDS.includes(threshold) && verdict === "indeterminate") return false;
        return verdict === "indeterminate" || (verdict === "met") === true_ <= threshold;
      }),
      { numRuns: 5_000 },
    ));

  it.each([
    [500, "met"],
    [200, "indeterminate"],
    [100, "breached"],
  ] as const)("of %d ms against values of 120 ms is %s", (threshold, verdict) => {
    const found = quantile(histogramOf(Array.from({ length: 50 }, () => 120)), 0.95);
    expect(found && thresholdVerdict(found, threshold)).toBe(verdict);
  });
});
