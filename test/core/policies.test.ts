import { describe, expect, it } from "vitest";
import type { Push } from "../../protocol/push.ts";
import type { Tell } from "../../worker/core/component.ts";
import { componentVerdict } from "../../worker/core/component.ts";
import { policiesOf, RUNBOOK } from "../../worker/core/policies.ts";
import type { Judge } from "../../worker/core/tell.ts";
import { isNews, newsOf, statusesOf, tellOf } from "../../worker/core/tell.ts";
import { THRESHOLDS, thresholdFault } from "../../worker/core/thresholds.ts";
import { NOON, at, component, liveService, push, reading } from "../support/facts.ts";

const strict = component({ id: "strict000000", thresholds: { errorRatioPartial: 0.02 } });
const plain = component({ id: "plain0000000", name: "Plain" });

/** A tell of one service whose last readings failed at these ratios, ten seconds apart, the last one at `clock`. */
function telling(judge: Judge, ratios: readonly number[], clock = "12:00:20"): Tell {
  const now = at(clock);
  const readings = ratios.map((ratio, i) => ({
    ...reading("12:00:00", ratio),
    at: now - (ratios.length - 1 - i) * 10_000,
  }));
  const live = {
    at: now,
    services: [liveService(readings)],
    sources: {},
    leases: { observedGeneration: 0, targets: [], allowed: [] },
  } as unknown as NonNullable<Push["live"]>;
  return tellOf("eu-1", push({}), live, judge, { waiting: 0, since: null }, now);
}

describe("the limits that a cluster judges by", () => {
  it("are the runbook's where nobody said otherwise, and cost nothing", () => {
    expect(policiesOf("eu-1", [plain])).toBe(RUNBOOK);
    const tell = telling({ policies: RUNBOOK, statuses: {} }, [0.03, 0.03, 0.03]);
    expect(tell).not.toHaveProperty("policies");
    expect(tell.services[0]).not.toHaveProperty("own");
  });

  it("are a component's own for its services there, and the page's for what it does not name", () => {
    const wide = component({ services: ["eu-1/shop/checkout", "us-1/shop/cart"], thresholds: { p95Ms: 250 } });
    const { base, own } = policiesOf("eu-1", [wide, plain], { errorRatioDegraded: 0.02 });
    expect(base).toEqual({ ...THRESHOLDS, errorRatioDegraded: 0.02 });
    expect(own).toEqual({
      "shop/checkout": [{ component: wide.id, thresholds: { ...THRESHOLDS, errorRatioDegraded: 0.02, p95Ms: 250 } }],
    });
  });

  it("have a name that changes with each of them, and with nothing else", () => {
    const name = (...components: Parameters<typeof policiesOf>[1]) => policiesOf("eu-1", components).hash;
    expect(name(strict)).toBe(name({ ...strict, name: "Renamed" }, plain));
    const others = [{ errorRatioPartial: 0.03 }, { errorRatioPartial: 0.02, p95Ms: 100 }];
    const names = [name(strict), ...others.map((thresholds) => name({ ...strict, thresholds }))];
    expect(new Set(names).size).toBe(3);
  });
});

describe("a component with limits of its own", () => {
  const policies = policiesOf("eu-1", [strict, plain]);

  it("is judged by them, and its neighbour by the runbook's, from the same readings", () => {
    const tell = telling({ policies, statuses: {} }, [0.03, 0.03, 0.03]);
    const evidence = { tells: new Map([["eu-1", tell]]), maintenances: [], outside: new Map() };
    expect(componentVerdict(strict, evidence, NOON).status).toBe("partial_outage");
    expect(componentVerdict(plain, evidence, NOON).status).toBe("degraded_performance");
    expect(tell.services[0]?.own?.[strict.id]?.reason).toBe("error ratio 3 % over the last 3 readings, limit 2 %");
  });

  it("is steadied by what was said by them, not by the runbook's", () => {
    let statuses = statusesOf(telling({ policies, statuses: {} }, [0.03, 0.03, 0.03]), {});
    expect(statuses).toEqual({
      "shop/checkout": "degraded_performance",
      "shop/checkout@strict000000": "partial_outage",
    });
    const tell = telling({ policies, statuses }, [0.03, 0, 0]);
    expect(tell.services[0]?.own?.[strict.id]?.status).toBe("partial_outage");
    expect(statusesOf(tell, statuses)).toBe(statuses);
    statuses = statusesOf(telling({ policies, statuses }, [0, 0, 0]), statuses);
    expect(statuses["shop/checkout@strict000000"]).toBe("operational");
  });

  it("is judged by the runbook's until its cluster knows, and again when they are taken away", () => {
    const before = telling({ policies: RUNBOOK, statuses: {} }, [0.03, 0.03, 0.03]);
    const after = telling({ policies, statuses: {} }, [0.03, 0.03, 0.03]);
    const judged = (tell: Tell, subject = strict) =>
      componentVerdict(subject, { tells: new Map([["eu-1", tell]]), maintenances: [], outside: new Map() }, NOON)
        .status;
    expect(judged(before)).toBe("degraded_performance");
    expect(judged(after, component({ id: strict.id }))).toBe("degraded_performance");
  });

  it("is news when it changes, and when the limits do", () => {
    const judge = { policies, statuses: {} };
    const good = telling(judge, [0.012, 0.012, 0.012]);
    const bad = telling(judge, [0.03, 0.03, 0.03]);
    // By the runbook's limits both are degraded.
    expect(good.services[0]?.status).toBe(bad.services[0]?.status);
    expect(isNews(good, bad)).toBe(true);
    expect(newsOf(null, good).hash).not.toBe(newsOf(null, bad).hash);
    expect(newsOf(newsOf(null, bad), telling(judge, [0.04, 0.03, 0.03])).hash).toBe(newsOf(null, bad).hash);
    expect(isNews(bad, { ...bad, policies: "other" })).toBe(true);
  });
});

it.each([
  ["nothing", {}, null],
  ["all at once", { errorRatioDegraded: 0.001, errorRatioPartial: 0.002, errorRatioMajor: 0.003 }, null],
  ["degraded as high as partly out", { errorRatioDegraded: 0.05 }, null],
  ["degraded above partly out", { errorRatioDegraded: 0.06 }, "errorRatioDegraded"],
  ["partly out below degraded", { errorRatioPartial: 0.005 }, "errorRatioDegraded"],
  ["partly out above out", { errorRatioPartial: 0.6 }, "errorRatioPartial"],
] as const)("of limits that are given, %s: %j is wrong of %s", (_name, given, fault) =>
  expect(thresholdFault(given)?.of ?? null).toBe(fault),
);
