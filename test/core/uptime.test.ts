import { describe, expect, it } from "vitest";
import { DAY, HOUR } from "../../protocol/time.ts";
import { flooredRatio, lostMs } from "../../protocol/uptime.ts";
import type { SeriesPoint } from "../../worker/core/series.ts";
import type { StatusSpan } from "../../worker/core/uptime.ts";
import { requestUptime, spansOf, timeUptime } from "../../worker/core/uptime.ts";
import { at } from "../support/facts.ts";

const morning = { from: at("00:00:00"), to: at("10:00:00") };
const span = (from: string, to: string, status: StatusSpan["status"]): StatusSpan => ({
  from: at(`${from}:00`),
  to: at(`${to}:00`),
  status,
});
const up = span("00:00", "10:00", "operational");

describe("uptime by time", () => {
  it.each([
    [
      "one hour of ten was lost",
      [
        span("00:00", "01:00", "operational"),
        span("01:00", "02:00", "major_outage"),
        span("02:00", "10:00", "operational"),
      ],
      0.9,
    ],
    [
      "a partial outage counts 0.3",
      [span("00:00", "09:00", "operational"), span("09:00", "10:00", "partial_outage")],
      0.97,
    ],
    ["degraded is up", [span("00:00", "10:00", "degraded_performance")], 1],
    [
      "an outage is said twice for the same hour",
      [up, span("01:00", "02:00", "major_outage"), span("01:00", "02:00", "major_outage")],
      0.9,
    ],
    [
      "the heavier of two counts",
      [up, span("01:00", "03:00", "partial_outage"), span("02:00", "03:00", "major_outage")],
      0.87,
    ],
    ["what began before is cut at the edge", [up, { ...span("00:00", "01:00", "major_outage"), from: 0 }], 0.9],
    ["what ends later is cut at the edge", [up, { ...span("09:00", "10:00", "major_outage"), to: 9e15 }], 0.9],
    [
      "maintenance covers the outage in it",
      [up, span("01:00", "02:00", "major_outage"), span("01:00", "02:00", "under_maintenance")],
      1,
    ],
    [
      "silence hides no outage",
      [
        span("00:00", "10:00", "unknown"),
        span("00:00", "01:00", "major_outage"),
        span("01:00", "10:00", "operational"),
      ],
      0.9,
    ],
    ["nothing was observed", [span("00:00", "10:00", "unknown")], null],
    ["there is nothing at all", [], null],
  ] as const)("when %s", (_name, spans, ratio) => expect(timeUptime([...spans], morning).ratio).toBe(ratio));

  it("leaves maintenance and silence out, and shows them", () => {
    const spans = [
      span("00:00", "01:00", "under_maintenance"),
      span("01:00", "03:00", "unknown"),
      span("03:00", "10:00", "operational"),
    ];
    expect(timeUptime(spans, morning)).toMatchObject({ ratio: 1, maintenanceMs: HOUR, unknownMs: 2 * HOUR });
  });

  it("never shows a loss as 1, however short: a millisecond of a quarter", () => {
    const quarter = { from: 0, to: 90 * DAY };
    const spans = [
      { ...quarter, status: "operational" as const },
      { from: 5, to: 6, status: "partial_outage" as const },
    ];
    expect(timeUptime(spans, quarter).ratio).toBe(0.999999);
  });

  it("lets a change hold until the next, and the last until the end", () => {
    const change = (clock: string, status: StatusSpan["status"]) => ({ component: "c", at: at(clock), status });
    expect(spansOf([change("01:00:00", "operational"), change("02:00:00", "major_outage")], at("03:00:00"))).toEqual([
      span("01:00", "02:00", "operational"),
      span("02:00", "03:00", "major_outage"),
    ]);
  });
});

describe("uptime by requests", () => {
  const point = (requests: number, errors: number): SeriesPoint => ({
    from: 0,
    to: 1,
    gap: false,
    seen: { requests, errors, coverage: 1, p50: null, p95: null, p99: null },
  });
  it.each([
    ["every tenth failed", [point(90, 9), point(10, 1)], 0.9],
    ["points weigh by their requests", [point(1, 1), point(99, 0)], 0.99],
    ["one of a thousand million failed", [point(1e9, 1)], 0.999999],
    ["one of more than floats can tell failed", [point(1e17, 1)], 0.999999],
    ["counts are extrapolated beyond themselves", [point(1, 1.0005)], 0],
    ["nobody asked", [point(0, 0)], null],
    ["nothing was seen", [{ ...point(0, 0), seen: null }], null],
  ])("when %s", (_name, points, ratio) => expect(requestUptime(points).ratio).toBe(ratio));
});

it.each([
  [1, 2, 1],
  [0.999_999, 2, 0.99],
  [0.29, 2, 0.29],
  [1 - 1e-16, 4, 0.9999],
  [0, 2, 0],
])("%f is floored to %i digits as %f", (ratio, digits, floored) => expect(flooredRatio(ratio, digits)).toBe(floored));

it.each([
  ["a millisecond in part is one", [{ partial_outage: 1 }], 1],
  ["ten in part are three, whatever floats make of it", [{ partial_outage: 10 }], 3],
  ["parts add up before they are rounded", [{ partial_outage: 1 }, { partial_outage: 1 }, { partial_outage: 1 }], 1],
  ["an outage is all of it", [{ major_outage: 7, degraded_performance: 5, unknown: 3, under_maintenance: 2 }], 7],
] as const)("time lost: %s", (_name, tallies, ms) => expect(lostMs(tallies)).toBe(ms));
