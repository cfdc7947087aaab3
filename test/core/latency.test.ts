/** A histogram's way from a push to the page, whichever its scheme. */
import { describe, expect, it } from "vitest";
import { exponentialOf } from "../../protocol/exponential.ts";
import { quantile } from "../../protocol/latency.ts";
import type { Latency } from "../../protocol/latency.ts";
import type { Live } from "../../protocol/push.ts";
import { RUNBOOK } from "../../worker/core/policies.ts";
import { publicSnapshot } from "../../worker/core/snapshot.ts";
import type { Tell } from "../../worker/core/component.ts";
import { tellOf } from "../../worker/core/tell.ts";
import { component, liveService, NOON, push, reading } from "../support/facts.ts";
import { histogramOf } from "../support/latencies.ts";

const FINE = exponentialOf([100, 110, 120, 180]);
const COARSE = histogramOf([100, 110]);

function tellsOf(latency: Latency, cluster = "eu-1"): Tell {
  const service = { ...liveService([reading("12:00:00", 0)]), latency };
  const leases = { observedGeneration: 0, targets: [], allowed: [] };
  const live: Live = { at: NOON, services: [service], sources: {}, leases };
  return tellOf(cluster, push({}), live, { policies: RUNBOOK, statuses: {} }, { waiting: 0, since: null }, NOON);
}

describe("a told service", () => {
  it.each([
    ["explicit", COARSE, { latency: COARSE }],
    ["exponential, beside what a Board of before reads", FINE, { latency: null, exponential: FINE }],
  ])("has a histogram: %s", (_name, latency, told) => {
    const { latency: explicit, exponential } = tellsOf(latency).services[0] ?? {};
    expect({ latency: explicit, ...(exponential !== undefined && { exponential }) }).toEqual(told);
  });
});

describe("a component's p95", () => {
  const p95Of = (...tells: readonly Tell[]) =>
    publicSnapshot(
      {
        version: 1,
        page: { id: "page00000000", name: "Acme", timeZone: "Etc/UTC", createdAt: NOON },
        components: [component({ services: tells.map(({ cluster }) => `${cluster}/shop/checkout`) })],
        maintenances: [],
        tells: new Map(tells.map((tell) => [tell.cluster, tell])),
        outside: new Map(),
        changes: new Map(),
        archive: { delayedSince: null, isRestoring: false },
      },
      NOON,
    ).components[0]?.p95;

  it("says how it was read", () => {
    expect(p95Of(tellsOf(COARSE))).toEqual({ estimate: 250, lo: 100, hi: 250, method: "linear" });
    expect(p95Of(tellsOf(FINE))).toMatchObject({ method: "midpoint", hi: 180 });
  });

  it("over clusters that count in two schemes is both, that of more requests first", () =>
    expect(p95Of(tellsOf(COARSE, "us-1"), tellsOf(FINE))).toEqual({
      ...quantile(FINE, 0.95),
      also: quantile(COARSE, 0.95),
    }));
});
