/** The rows read as the runbook's "Metrics Review" does. */
import { describe, expect, it } from "vitest";
import { exponentialOf } from "../../protocol/exponential.ts";
import type { ExplicitLatency } from "../../protocol/latency.ts";
import type { ReviewVerdict, Traffic } from "../../worker/core/overview.ts";
import {
  ofThose,
  reviewCertificates,
  reviewErrors,
  reviewP95,
  reviewRate,
  trafficOf,
} from "../../worker/core/overview.ts";

function traffic(facts: Partial<Traffic>): Traffic {
  return { requestsPerSecond: 100, errorRatio: 0, p95: null, ...facts };
}

describe("request rate: baseline ±20 %", () => {
  const week = [100, 90, 110, 100, 500, 95, 105];
  it.each<[string, number | null, readonly number[] | null, ReviewVerdict]>([
    ["as usual", 100, week, "ok"],
    ["20 % above", 120, week, "ok"],
    ["more than 20 % above", 120.1, week, "warning"],
    ["20 % below", 80, week, "ok"],
    ["more than 20 % below", 79.9, week, "warning"],
    ["none at all", 0, week, "warning"],
    ["with two days of history", 100, [100, 100], "unknown"],
    ["with three days of history", 100, [100, 100, 100], "ok"],
    ["where no traffic is usual", 100, [0, 0, 0], "unknown"],
    ["with Postgres away", 100, null, "unknown"],
    ["while nothing reports", null, week, "unknown"],
  ])("%s", (_name, requestsPerSecond, usual, verdict) =>
    expect(reviewRate(traffic({ requestsPerSecond }), usual).verdict).toBe(verdict),
  );

  it("is held against the middle of the days: one busy day makes no baseline", () => {
    expect(reviewRate(traffic({}), week).baseline?.requestsPerSecond).toBe(100);
    expect(reviewRate(traffic({}), [100, 110, 90, 200]).baseline?.requestsPerSecond).toBe(105);
  });
});

describe("error rate: <1 % (alert if >5 %)", () => {
  it.each<[number | null, ReviewVerdict]>([
    [0, "ok"],
    [0.0099, "ok"],
    [0.01, "warning"],
    [0.05, "warning"],
    [0.0501, "alert"],
    [null, "unknown"],
  ])("%s is %s", (errorRatio, verdict) => expect(reviewErrors(traffic({ errorRatio })).verdict).toBe(verdict));

  it("says the number and the limit", () =>
    expect([0.072, 0.0501].map((errorRatio) => reviewErrors(traffic({ errorRatio })).reason)).toEqual([
      "error ratio 7.2 %, limit 5 %",
      "error ratio 5.01 %, limit 5 %",
    ]));
});

describe("p95 latency: <200 ms (alert if >500 ms)", () => {
  it.each<[string, number, number | null, ReviewVerdict]>([
    ["below 200", 100, 200, "ok"],
    ["across 200: the default bounds cannot tell", 100, 250, "indeterminate"],
    ["between the limits", 250, 500, "warning"],
    ["across 500", 400, 600, "indeterminate"],
    ["above 500", 500, 1_000, "alert"],
    ["in the open last bucket", 3_600_000, null, "alert"],
  ])("%s", (_name, lo, hi, verdict) =>
    expect(reviewP95(traffic({ p95: { estimate: lo, lo, hi } as NonNullable<Traffic["p95"]> })).verdict).toBe(verdict),
  );
  it("is unknown of nothing, and names the bound that is missing", () => {
    expect(reviewP95(traffic({})).verdict).toBe("unknown");
    const p95 = { estimate: 200, lo: 100, hi: 250 } as NonNullable<Traffic["p95"]>;
    expect(reviewP95(traffic({ p95 })).reason).toContain("add 200 to statsHistogramBuckets");
  });
  it("names no bound where buckets cannot be chosen", () => {
    const { p95 } = trafficOf([{ traffic: null, latency: null, exponential: exponentialOf([201, 203]) }]);
    expect(reviewP95(traffic({ p95 }))).toEqual({
      verdict: "indeterminate",
      reason: "p95 lies in (197, 203] ms: cannot tell whether it is within 200 ms",
    });
  });
  it("of two schemes is the worse one's", () => {
    const slow = { traffic: null, latency: null, exponential: exponentialOf([900]) };
    const fast = { traffic: null, latency: { scheme: "explicit", bounds: [100], counts: [9, 0], sum: 9 } } as const;
    expect(reviewP95(trafficOf([fast, slow])).verdict).toBe("alert");
  });
});

describe("certificate health: 0 (alert if >0)", () => {
  it.each<[string, Parameters<typeof reviewCertificates>[0], ReviewVerdict, RegExp]>([
    [
      "none expiring",
      { expiring: 0, unknown: 0, sources: 1, notReporting: 0, isBlind: false, isOld: false },
      "ok",
      /^0 expiring/,
    ],
    [
      "one expiring",
      { expiring: 1, unknown: 0, sources: 1, notReporting: 0, isBlind: false, isOld: false },
      "alert",
      /^1 expiring/,
    ],
    [
      "a blind source is not good news",
      { expiring: 0, unknown: 0, sources: 2, notReporting: 1, isBlind: false, isOld: false },
      "unknown",
      /1 of 2 sources not reporting/,
    ],
    [
      "unreadable ones are not either",
      { expiring: 0, unknown: 1, sources: 1, notReporting: 0, isBlind: false, isOld: false },
      "unknown",
      /1 unknown/,
    ],
    [
      "what was known long ago is not good news",
      { expiring: 0, unknown: 0, sources: 1, notReporting: 0, isBlind: false, isOld: true },
      "unknown",
      /when it could be reached last/,
    ],
    [
      "and stays bad news",
      { expiring: 1, unknown: 0, sources: 1, notReporting: 0, isBlind: false, isOld: true },
      "alert",
      /when it could be reached last/,
    ],
    [
      "of sources that are all blind no number is said",
      { expiring: 0, unknown: 3, sources: 2, notReporting: 2, isBlind: true, isOld: false },
      "unknown",
      /^nobody knows: none of 2 sources sees anything now, 3 certificates were seen before$/,
    ],
    [
      "nobody looks",
      { expiring: 0, unknown: 0, sources: 0, notReporting: 0, isBlind: false, isOld: false },
      "unknown",
      /no agent looks/,
    ],
    ["Postgres away", null, "unknown", /cannot be reached/],
  ])("%s", (_name, known, verdict, reason) =>
    expect(reviewCertificates(known)).toEqual({ verdict, reason: expect.stringMatching(reason) }),
  );
});

describe("a mesh of which a part is silent", () => {
  it.each<[string, ReviewVerdict, number, ReviewVerdict, string]>([
    ["is not well because the rest is", "ok", 6, "unknown", "said; 4 of 10 services do not report"],
    ["is as bad as what reports", "alert", 6, "alert", "said; 4 of 10 services do not report"],
    ["that reports again is judged by all of it", "ok", 10, "ok", "said"],
    ["of nobody is unknown for its own reason", "unknown", 0, "unknown", "said"],
  ])("%s", (_name, verdict, reporting, expected, reason) =>
    expect(ofThose({ verdict, reason: "said" }, 10, reporting)).toEqual({ verdict: expected, reason }),
  );
});

describe("traffic of all services", () => {
  const latency = (counts: readonly number[]): ExplicitLatency => ({
    scheme: "explicit",
    bounds: [100, 500],
    counts,
    sum: 1,
  });
  it("adds rates over each one's own span, weighs errors by requests, and merges counts", () => {
    const found = trafficOf([
      { traffic: { requests: 600, errors: 60, spanMs: 60_000 }, latency: latency([95, 0, 0]) },
      { traffic: { requests: 600, errors: 0, spanMs: 20_000 }, latency: latency([0, 5, 0]) },
      { traffic: null, latency: null },
    ]);
    expect(found).toMatchObject({ requestsPerSecond: 40, errorRatio: 0.025, p95: { lo: 0, hi: 100 } });
  });
  it("of none is no data, never zero; of nobody's requests no ratio", () => {
    expect(trafficOf([])).toEqual({ requestsPerSecond: null, errorRatio: null, p95: null });
    const idle = { traffic: { requests: 0, errors: 0, spanMs: 20_000 }, latency: null };
    expect(trafficOf([idle])).toEqual({ requestsPerSecond: 0, errorRatio: null, p95: null });
  });
});
