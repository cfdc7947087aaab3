import fc from "fast-check";
import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { exponentialLatency, exponentialOf, indexOf, ZERO_MAX_MS } from "../../protocol/exponential.ts";
import { countOf, LatencySchema, quantile } from "../../protocol/latency.ts";
import { latencyOfOtlp } from "../../protocol/otlp.ts";
import { distribution, trueQuantile } from "../support/latencies.ts";

/** A point as an SDK makes it: the finest scale at which its values fit into 160 buckets. */
function pointOf(values: readonly number[], scaleMax: number) {
  for (let scale = scaleMax; ; scale--) {
    const indexes = values.map((value) => indexOf(scale, value));
    const offset = Math.min(...indexes);
    const length = Math.max(...indexes) - offset + 1;
    if (length > 160) continue;
    const counts = Array.from({ length }, (_, i) => indexes.filter((index) => index === offset + i).length);
    return {
      timeUnixNano: "1795392000000000000",
      count: String(values.length),
      sum: values.reduce((a, b) => a + b, 0),
      scale,
      zeroCount: "0",
      positive: { offset, bucketCounts: counts.map(String) },
      negative: {},
      flags: 0,
      min: Math.min(...values),
      max: Math.max(...values),
    };
  }
}

const durations = distribution
  .map((values) => values.filter((value) => value > ZERO_MAX_MS))
  .filter((all) => all.length > 0);

describe("a data point of OTLP", () => {
  it.each(["ms", "s"] as const)("in %s holds the true quantile between its bounds, at any scale", (unit) =>
    fc.assert(
      fc.property(durations, fc.integer({ min: 0, max: 20 }), (all, scale) => {
        const point = pointOf(unit === "ms" ? all : all.map((value) => value / 1_000), scale);
        const latency = latencyOfOtlp(point, unit);
        const found = latency && quantile(latency, 0.95);
        const right = trueQuantile(all, 0.95);
        expect(v.is(LatencySchema, latency)).toBe(true);
        expect(latency && countOf(latency)).toBe(all.length);
        // What was in seconds and is in milliseconds again may differ in its last digit.
        expect(right * (1 + 1e-12) > (found?.lo ?? right)).toBe(true);
        expect(right * (1 - 1e-12)).toBeLessThanOrEqual(found?.hi ?? Number.POSITIVE_INFINITY);
      }),
    ),
  );

  it("in milliseconds is what we would have counted ourselves", () =>
    fc.assert(
      fc.property(durations, fc.integer({ min: 4, max: 20 }), (all, scale) => {
        const { sum, ...own } = exponentialOf(all);
        expect(latencyOfOtlp(pointOf(all, scale), "ms")).toMatchObject(own);
        expect(latencyOfOtlp(pointOf(all, scale), "ms")?.sum).toBeCloseTo(sum, 6);
      }),
    ));

  it("without what protobuf leaves out is empty, or zeros", () => {
    expect(latencyOfOtlp({}, "ms")).toEqual(exponentialOf([]));
    const zeros = exponentialLatency({ scale: 0, zeros: 3, buckets: new Map(), sum: 0 });
    expect(latencyOfOtlp({ zeroCount: "3" }, "ms")).toEqual(zeros);
  });

  it.each([
    ["is none", "histogram"],
    ["has values below zero", { negative: { bucketCounts: ["0", "1"] } }],
    ["has zeros that may be five", { zeroCount: "2", zeroThreshold: 5 }],
    ["has buckets longer than any duration", { scale: 0, positive: { offset: 70, bucketCounts: ["1"] } }],
    ["has more buckets than anybody needs", { positive: { bucketCounts: Array.from({ length: 1_025 }, () => "1") } }],
    ["has a count that is none", { positive: { bucketCounts: ["-1"] } }],
    ["has a scale that nobody has", { scale: 21 }],
  ])("that %s says nothing", (_name, point) => expect(latencyOfOtlp(point, "ms")).toBeNull());

  it("in seconds whose buckets are wider than a power of two says nothing", () =>
    expect(latencyOfOtlp({ scale: -1, positive: { bucketCounts: ["1"] } }, "s")).toBeNull());
});
