import fc from "fast-check";
import { expect, it } from "vitest";
import { knownRecord } from "../../agent/core/wire.ts";
import { downscale, exponentialOf } from "../../protocol/exponential.ts";
import { countOf, quantile } from "../../protocol/latency.ts";
import type { WindowRecord } from "../../protocol/record.ts";
import { distribution, trueQuantile } from "../support/latencies.ts";
import { windowRecord } from "../support/facts.ts";

it("an exponential histogram as powers of two bounds what it bounded, or says nothing", () =>
  fc.assert(
    fc.property(distribution, fc.integer({ min: -2, max: 4 }), (all, scale) => {
      const exponential = downscale(exponentialOf(all), scale);
      const { latency } = knownRecord({ ...windowRecord(0), latency: exponential }, []) as WindowRecord;
      const found = latency && quantile(latency, 0.95);
      if (latency === null || found === null) {
        expect(exponential.scale).toBeLessThan(0);
        return;
      }
      const right = trueQuantile(all, 0.95);
      expect(right >= found.lo && right <= (found.hi ?? Number.POSITIVE_INFINITY)).toBe(true);
      expect(countOf(latency)).toBe(all.length);
    }),
  ));

it("what an edge knows goes as it is", () => {
  const record = { ...windowRecord(0), latency: exponentialOf([3]) };
  expect(knownRecord(record, ["exponential"])).toBe(record);
  expect(knownRecord(windowRecord(0), [])).toEqual(windowRecord(0));
});
