import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { exponentialOf } from "../../protocol/exponential.ts";
import type { LiveService, Reading } from "../../protocol/push.ts";
import type { ServiceStatus, ServiceVerdict } from "../../worker/core/service.ts";
import { serviceVerdict } from "../../worker/core/service.ts";
import { THRESHOLDS } from "../../worker/core/thresholds.ts";
import { at, liveService, reading } from "../support/facts.ts";

const scope = (liveAt: number, blind = false) => ({ liveAt, intervalMs: 10_000, blind });

/** Feeds error ratios, one reading each 10 s, as an agent with a memory of three does; what was decided after each. */
function play(...ratios: readonly number[]): readonly ServiceStatus[] {
  const readings = ratios.map((ratio, i) => reading(`12:00:${String(i * 10).padStart(2, "0")}`, ratio));
  const decided: ServiceStatus[] = [];
  readings.forEach((newest, i) => {
    const service = liveService(readings.slice(Math.max(0, i - 2), i + 1));
    decided.push(serviceVerdict(decided.at(-1) ?? null, service, scope(newest.at)).status);
  });
  return decided;
}

describe("error ratios over readings", () => {
  it("one bad reading among good ones is noise", () =>
    expect(play(0, 0, 0.3, 0, 0)).toEqual(["operational", "operational", "operational", "operational", "operational"]));

  it("two of three raise, three good ones clear", () =>
    expect(play(0, 0.3, 0.3, 0, 0, 0)).toEqual([
      "operational",
      "operational",
      "partial_outage",
      "partial_outage",
      "partial_outage",
      "operational",
    ]));

  it("a flapping service does not flap on the page", () =>
    expect(new Set(play(0, 0.3, 0.3, 0, 0.3, 0).slice(2))).toEqual(new Set(["partial_outage"])));
});

/** Three equal readings of `ratio` and `p95`. */
const steady = (ratio: number, p95: Reading["p95"] = [120, 100, 250], requests = 1_000) =>
  ["12:00:00", "12:00:10", "12:00:20"].map((clock) => reading(clock, ratio, p95, requests));

describe("the runbook's thresholds, each on both sides", () => {
  const judge = (readings: readonly Reading[]) => serviceVerdict(null, liveService(readings), scope(at("12:00:20")));

  it.each([
    ["Error Rate <1%", 0, [120, 100, 250], "operational", "within all limits"],
    ["Error Rate <1%, at the limit", 0.01, [120, 100, 250], "operational", "within all limits"],
    [
      "above 1 %",
      0.0101,
      [120, 100, 250],
      "degraded_performance",
      "error ratio 1.01 % over the last 3 readings, limit 1 %",
    ],
    [
      "at 5 %, not yet above",
      0.05,
      [120, 100, 250],
      "degraded_performance",
      "error ratio 5 % over the last 3 readings, limit 1 %",
    ],
    [
      "alert if >5%",
      0.0501,
      [120, 100, 250],
      "partial_outage",
      "error ratio 5.01 % over the last 3 readings, limit 5 %",
    ],
    ["half fail", 0.5, [120, 100, 250], "partial_outage", "error ratio 50 % over the last 3 readings, limit 5 %"],
    [
      "more than half fail",
      0.501,
      [120, 100, 250],
      "major_outage",
      "error ratio 50.1 % over the last 3 readings, limit 50 %",
    ],
    ["P95 surely at most 500ms", 0, [490, 250, 500], "operational", "within all limits"],
    [
      "P95 where nobody can tell",
      0,
      [600, 250, 1_000],
      "operational",
      "errors within limits; cannot tell whether p95 is within 500 ms: it lies between 250 and 1000 ms; add 500 to statsHistogramBuckets",
    ],
    [
      "P95 surely >500ms",
      0,
      [600, 500, 1_000],
      "degraded_performance",
      "p95 above 500 ms over the last 3 readings, limit 500 ms",
    ],
    [
      "P95 in the open last bucket",
      0,
      [3_600_000, 3_600_000, null],
      "degraded_performance",
      "p95 above 3600000 ms over the last 3 readings, limit 500 ms",
    ],
    [
      "failing and slow: the failing is said",
      0.07,
      [600, 500, 1_000],
      "partial_outage",
      "error ratio 7 % over the last 3 readings, limit 5 %",
    ],
  ] as const)("%s: %d, p95 %s", (_name, ratio, p95, status, reason) =>
    expect(judge(steady(ratio, [...p95]))).toMatchObject({ status, reason }),
  );

  it.each(["operational", null] as const)(
    "names no bound to add where buckets cannot be chosen (%s before)",
    (before) => {
      const service = { ...liveService(steady(0, [498, 487, 509])), latency: exponentialOf([498]) };
      expect(serviceVerdict(before, service, scope(at("12:00:20")))).toEqual({
        status: "operational",
        reason: "errors within limits; cannot tell whether p95 is within 500 ms: it lies between 487 and 509 ms",
        why: null,
      });
    },
  );

  it.each([
    [4, "operational", "errors within limits; 4 requests are too few for a p95"],
    [5, "degraded_performance", "p95 above 500 ms over the last 3 readings, limit 500 ms"],
  ] as const)("a minimum of 5 requests: %d slow ones are %s", (requests, status, reason) =>
    expect(judge(steady(0, [600, 500, 1_000], requests))).toMatchObject({ status, reason }),
  );

  it.each([
    [4, 2, "unknown"],
    [5, 2, "partial_outage"],
    [4, 0, "operational"],
    [1, 0, "operational"],
    [0, 0, "unknown"],
  ] as const)("a minimum of 5 requests: %d of which %d failed are %s", (requests, errors, status) => {
    const readings = steady(errors / Math.max(1, requests), null, requests);
    expect(serviceVerdict(null, liveService(readings, null), scope(at("12:00:20"))).status).toBe(status);
  });
});

it.each([
  ["surely below a limit between bounds", [90, 50, 100], "operational"],
  ["perhaps above it: nothing is said that is not known", [184, 100, 250], "operational"],
  ["surely above it", [300, 250, 500], "degraded_performance"],
] as const)("a p95 %s", (_name, p95, status) => {
  const service = liveService(steady(0, [...p95]));
  expect(serviceVerdict(null, service, scope(at("12:00:20")), { ...THRESHOLDS, p95Ms: 200 }).status).toBe(status);
});

describe("raise after 2 of 3, clear after 3", () => {
  const judge = (previous: ServiceStatus | null, ...ratios: readonly number[]) => {
    const readings = steady(0).map((one, i) => ({ ...one, errors: one.requests * (ratios[i] ?? 0) }));
    const { status, reason } = serviceVerdict(previous, liveService(readings), scope(at("12:00:20")));
    return [status, reason];
  };
  it.each([
    ["operational", [0, 0, 0.3], "operational", "within all limits"],
    ["operational", [0, 0.3, 0.3], "partial_outage", "error ratio 30 % in 2 of the last 3 readings, limit 5 %"],
    ["operational", [0.3, 0, 0.3], "partial_outage", "error ratio 30 % in 2 of the last 3 readings, limit 5 %"],
    // The second worst decides: one reading of a major outage does not make one.
    ["operational", [0.3, 0.02, 0.9], "partial_outage", "error ratio 90 % in 2 of the last 3 readings, limit 5 %"],
    [
      "partial_outage",
      [0.3, 0, 0],
      "partial_outage",
      "recovering: 1 of 3 readings above its limit, and 3 better ones in a row clear it",
    ],
    [
      "major_outage",
      [0.9, 0.3, 0.3],
      "major_outage",
      "recovering: 1 of 3 readings above its limit, and 3 better ones in a row clear it",
    ],
    ["major_outage", [0.3, 0.3, 0], "partial_outage", "error ratio 30 % in 2 of the last 3 readings, limit 5 %"],
    ["partial_outage", [0, 0, 0], "operational", "within all limits"],
    ["unknown", [0, 0, 0.3], "unknown", "one bad reading, not enough to tell: error ratio 30 %"],
    ["unknown", [0, 0, 0], "operational", "within all limits"],
  ] as const)("was %s, readings of %s: %s", (previous, ratios, status, reason) =>
    expect(judge(previous, ...ratios)).toEqual([status, reason]),
  );
});

describe("a verdict", () => {
  const now = at("12:00:20");
  const decide = (...args: Parameters<typeof liveService>) => serviceVerdict(null, liveService(...args), scope(now));

  it("gives its reason with numbers to operators and in words to visitors", () =>
    expect(decide([reading("12:00:00", 0.072), reading("12:00:10", 0.072), reading("12:00:20", 0.072)])).toEqual({
      status: "partial_outage",
      reason: "error ratio 7.2 % over the last 3 readings, limit 5 %",
      why: "About 7 of 100 requests fail.",
    }));

  it.each([
    [
      "no ready replica is a major outage, whatever the metrics say",
      [reading("12:00:20", 0)],
      { ready: 0, desired: 3 },
      "major_outage",
    ],
    ["scaled to zero is not down", [], { ready: 0, desired: 0 }, "unknown"],
    ["ready replicas without traffic are evidence", [], { ready: 2, desired: 3 }, "operational"],
    ["nothing at all is unknown", [], null, "unknown"],
    ["metrics from a future that a clock believed in are no evidence", [reading("13:00:20", 0)], null, "unknown"],
    ["metrics from before three intervals are no evidence", [reading("11:59:49", 0)], null, "unknown"],
    ["a few requests of which some failed prove nothing", [reading("12:00:20", 0.5, null, 4)], null, "unknown"],
    ["a few requests that all went well are evidence", [reading("12:00:20", 0, null, 2)], null, "operational"],
    ["no request at all is none", [reading("12:00:20", 0, null, 0)], null, "unknown"],
    [
      "one bad reading of a service never seen well is not yet an outage, nor health",
      [reading("12:00:20", 0.3)],
      null,
      "unknown",
    ],
  ] as const)("%s", (_name, readings, replicas, status) => expect(decide([...readings], replicas).status).toBe(status));
});

describe("missing traffic: stays as it was, then says so, never an outage", () => {
  const ready = { ready: 3, desired: 3 };
  /** What is said, reading by reading, of a service that had requests which failed at `ratio`, and then none. */
  function quiet(ratio: number, replicas: LiveService["replicas"]): readonly (readonly string[])[] {
    const readings = [0, 10, 20, 30, 40, 50].map((second) =>
      reading(`12:00:${String(second).padStart(2, "0")}`, second < 30 ? ratio : 0, null, second < 30 ? 100 : 0),
    );
    const said: ServiceVerdict[] = [];
    for (const [i, { at: now }] of readings.entries()) {
      const service = liveService(readings.slice(Math.max(0, i - 2), i + 1), replicas);
      said.push(serviceVerdict(said.at(-1)?.status ?? null, service, scope(now)));
    }
    return said.slice(2).map(({ status, reason }) => [status, reason]);
  }

  it.each([
    [
      "well, with ready replicas",
      0,
      ready,
      [
        ["operational", "within all limits"],
        ["operational", "within all limits"],
        ["operational", "within all limits"],
        ["operational", "3 of 3 replicas are ready; no requests"],
      ],
    ],
    [
      "well, and nobody reports replicas",
      0,
      null,
      [
        ["operational", "within all limits"],
        ["operational", "within all limits"],
        ["operational", "within all limits"],
        ["unknown", "no requests, and no replicas are reported"],
      ],
    ],
    [
      "failing, with ready replicas",
      0.3,
      ready,
      [
        ["partial_outage", "error ratio 30 % over the last 3 readings, limit 5 %"],
        ["partial_outage", "error ratio 30 % over the last 2 readings, limit 5 %"],
        ["partial_outage", "not refuted: 1 of 1 readings above its limit, and 3 better ones in a row clear it"],
        ["unknown", "no requests; 3 of 3 replicas are ready, which refutes no failure seen before"],
      ],
    ],
  ] as const)("%s", (_name, ratio, replicas, said) => expect(quiet(ratio, replicas)).toEqual(said));

  it.each([
    ["the source of metrics is blind", "operational", [], true, ready, "operational", null],
    ["the source of metrics is blind, and it failed before", "partial_outage", [], true, ready, "unknown", null],
    ["no metrics at all", "operational", [], false, null, "unknown", null],
    ["switched off", "operational", [], false, { ready: 0, desired: 0 }, "unknown", "It is switched off."],
    [
      "no requests, never seen before",
      null,
      steady(0, null, 0),
      false,
      null,
      "unknown",
      "No requests reach it, so nothing can be said of it.",
    ],
    [
      "every one of a few requests fails, ready or not",
      "operational",
      steady(1, null, 3),
      false,
      ready,
      "unknown",
      "Too few requests reach it to tell.",
    ],
    [
      "one of a few requests failed once",
      "operational",
      [reading("12:00:20", 1, null, 3)],
      false,
      ready,
      "operational",
      null,
    ],
  ] as const)("%s: was %s", (_name, previous, readings, blind, replicas, status, why) =>
    expect(serviceVerdict(previous, liveService([...readings], replicas), scope(at("12:00:20"), blind))).toMatchObject({
      status,
      why,
    }),
  );

  it("is never an outage: only what was read, or replicas that are not ready, can be", () =>
    fc.assert(
      fc.property(
        fc.constantFrom(null, "operational", "unknown", "degraded_performance", "partial_outage", "major_outage"),
        fc.constantFrom(null, { ready: 1, desired: 3 }, { ready: 3, desired: 3 }, { ready: 0, desired: 0 }),
        fc.integer({ min: 0, max: 3 }),
        fc.boolean(),
        (previous, replicas, known, blind) => {
          const service = liveService(steady(0, null, 0).slice(0, known), replicas);
          const { status } = serviceVerdict(previous, service, scope(at("12:00:20"), blind));
          const mayBeGreen = replicas !== null && replicas.ready > 0 && (previous ?? "operational") === "operational";
          return mayBeGreen ? status === "operational" : status === "unknown";
        },
      ),
    ));
});

describe("replicas beside metrics", () => {
  const now = at("12:00:20");
  const none = { ready: 0, desired: 3 };
  const ready = { ready: 3, desired: 3 };
  /** What is said of it while nothing is ready, and after that, without a request all the while. */
  function restarted(before: ServiceStatus | null): readonly (readonly [ServiceStatus, string])[] {
    const down = serviceVerdict(before, liveService([], none), scope(now));
    const kept = down.readings === undefined ? down.status : down.readings;
    const back = serviceVerdict(kept, liveService([], ready), scope(now));
    return [down, back].map(({ status, reason }) => [status, reason]);
  }

  it.each([
    ["well", "operational", "operational", "3 of 3 replicas are ready; no metrics are reported"],
    ["new", null, "operational", "3 of 3 replicas are ready; no metrics are reported"],
    [
      "failing",
      "partial_outage",
      "unknown",
      "no metrics are reported; 3 of 3 replicas are ready, which refutes no failure seen before",
    ],
  ] as const)("what was %s before none was ready is that again after it", (_name, before, status, reason) =>
    expect(restarted(before)).toEqual([
      ["major_outage", "0 of 3 replicas are ready"],
      [status, reason],
    ]),
  );

  it("what readings say goes on being counted while none is ready", () =>
    expect(serviceVerdict("operational", liveService(steady(0.3), none), scope(now))).toMatchObject({
      status: "major_outage",
      readings: "partial_outage",
    }));
});

describe("one bad reading alone, as after an agent's restart or its hours of silence", () => {
  const now = at("12:00:20");
  const bad = reading("12:00:20", 1);
  const judge = (previous: ServiceStatus | null, replicas: LiveService["replicas"], readings = [bad]) =>
    serviceVerdict(previous, liveService(readings, replicas), scope(now));

  it.each([
    ["was well, by a verdict of whatever age", "operational", null, "unknown"],
    ["was well, and no replica is ready", "operational", { ready: 0, desired: 0 }, "unknown"],
    ["was well, and its replicas are ready", "operational", { ready: 3, desired: 3 }, "operational"],
    ["was never seen well", null, { ready: 3, desired: 3 }, "unknown"],
  ] as const)("of what %s", (_name, previous, replicas, status) => {
    const verdict = judge(previous, replicas);
    expect(verdict.status).toBe(status);
    expect(verdict.reason).toMatch(/one bad reading, not enough to tell: error ratio 100 %$/);
  });

  it("is noise once a good one follows", () => {
    const { readings = null } = judge("operational", null);
    const next = [{ ...bad, at: bad.at - 10_000 }, reading("12:00:20", 0)];
    expect(judge(readings, null, next).status).toBe("operational");
  });
});

describe("a service that nobody asks", () => {
  const now = at("12:00:20");
  const ready = { ready: 3, desired: 3 };
  const idle = (previous: ServiceStatus | null, replicas: LiveService["replicas"]) =>
    serviceVerdict(previous, liveService(steady(0, null, 0), replicas), scope(now));

  it.each([
    [null, "operational"],
    ["operational", "operational"],
    ["partial_outage", "unknown"],
    ["unknown", "unknown"],
  ] as const)("and was %s, once its replicas are reported later than it is: %s", (previous, status) => {
    const first = idle(previous, null);
    expect(first.status).toBe("unknown");
    expect(idle(first.readings === undefined ? first.status : first.readings, ready).status).toBe(status);
  });
});

describe("an outage whose evidence dries up", () => {
  const now = at("12:00:20");
  const ready = { ready: 3, desired: 3 };
  const after = (readings: Parameters<typeof liveService>[0], blind = false) =>
    serviceVerdict("partial_outage", liveService(readings, ready), scope(now, blind)).status;

  it.each([
    ["the source of metrics went blind", [], true, "unknown"],
    ["traffic stopped", [reading("12:00:20", 0, null, 0)], false, "unknown"],
    ["a few requests fail", [reading("12:00:20", 1, null, 3)], false, "unknown"],
    ["one good reading came, after an agent's restart", [reading("12:00:20", 0)], false, "partial_outage"],
    ["two good readings came", [reading("12:00:10", 0), reading("12:00:20", 0)], false, "partial_outage"],
    [
      "three good readings came",
      [reading("12:00:00", 0), reading("12:00:10", 0), reading("12:00:20", 0)],
      false,
      "operational",
    ],
  ] as const)("because %s", (_name, readings, blind, status) => expect(after([...readings], blind)).toBe(status));

  it("stays unknown on ready replicas alone: they were ready while it failed", () =>
    expect(serviceVerdict("unknown", liveService([], ready), scope(now, true)).status).toBe("unknown"));

  it("and a healthy one is not made sick by a blind source while its replicas are ready", () =>
    expect(serviceVerdict("operational", liveService([], ready), scope(now, true)).status).toBe("operational"));
});
