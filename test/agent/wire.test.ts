import fc from "fast-check";
import { expect, it } from "vitest";
import { knownLive, knownRecord } from "../../agent/core/wire.ts";
import { downscale, exponentialOf } from "../../protocol/exponential.ts";
import { countOf, quantile } from "../../protocol/latency.ts";
import type { Live } from "../../protocol/push.ts";
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

it("what a source is blind to goes only to an edge that knows the word", () => {
  const state = { state: "stale", detail: "secret: 403", okAt: 1 } as const;
  const leases = { observedGeneration: 0, targets: [], allowed: [] } as unknown as Live["leases"];
  const live: Live = { at: 1, services: [], sources: { certificates: { ...state, blind: ["secret"] } }, leases };
  expect(knownLive(live, ["compact", "certificates"]).sources).toEqual(live.sources);
  expect(knownLive(live, ["compact"]).sources).toEqual({ certificates: state });
  expect(knownLive({ ...live, sources: {} }, []).sources).toEqual({});
});

it("the morning list goes only to an edge that knows it", () => {
  const leases = { observedGeneration: 0, targets: [], allowed: [] } as unknown as Live["leases"];
  const live: Live = { at: 1, services: [], sources: {}, leases, health: { prometheus: null, workloads: null } };
  expect(knownLive(live, ["compact", "detector"])).not.toHaveProperty("health");
  expect(knownLive(live, ["health"]).health).toEqual(live.health);
});
