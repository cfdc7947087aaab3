import { describe, expect, it } from "vitest";
import type { ServiceStatus } from "../../worker/core/service.ts";
import { serviceVerdict } from "../../worker/core/service.ts";
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

  it.each([
    [0.01, "operational"],
    [0.011, "degraded_performance"],
    [0.05, "degraded_performance"],
    [0.051, "partial_outage"],
    [0.5, "partial_outage"],
    [0.51, "major_outage"],
  ] as const)("a ratio of %d is %s", (ratio, status) => expect(play(ratio, ratio, ratio).at(-1)).toBe(status));
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
    ["p95 above a bound", [600, 500, 1_000], "degraded_performance"],
    ["p95 that may lie below the limit", [490, 250, 500], "operational"],
    ["p95 in the open last bucket", [3_600_000, 3_600_000, null], "degraded_performance"],
  ] as const)("with a %s: %s is %s", (_name, p95, status) =>
    expect(decide([reading("12:00:10", 0, [...p95]), reading("12:00:20", 0, [...p95])]).status).toBe(status),
  );

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
