import { describe, expect, it } from "vitest";
import type { PageMetric, PageSnapshot } from "../../protocol/page.ts";
import { explicitLatency } from "../../protocol/latency.ts";
import { DAY, HOUR, MINUTE, SECOND } from "../../protocol/time.ts";
import { chartPlan, chartValues } from "../../worker/core/chart-values.ts";
import { displayDocument } from "../../worker/core/metrics-display.ts";
import { seriesPoints } from "../../worker/core/series.ts";
import { NOON } from "../support/facts.ts";

const NOW = NOON + 7 * MINUTE;
const latency = explicitLatency([100, 250, 500], [0, 900, 0, 0], 0);

describe("the numbers of a chart", () => {
  it("stand in each slot, and null where nothing was seen", () => {
    const plan = chartPlan("day", NOW, "Etc/UTC");
    const row = (slot: number) => ({ slot, requests: 900, errors: 9, coveredMs: 15 * MINUTE, reach: 0, latency });
    const points = seriesPoints(plan, { rows: [row(93), row(94)], gaps: [], services: 1 }, NOW);
    const { p95, lo, hi, errorRatio, perSecond, from, stepMs } = chartValues(plan, points, NOW);
    expect([p95.length, from, stepMs]).toEqual([96, NOON + 15 * MINUTE - DAY, 15 * MINUTE]);
    expect([p95, lo, hi, errorRatio, perSecond].map((row) => row.slice(-3))).toEqual([
      [242.5, 242.5, null],
      [100, 100, null],
      [250, 250, null],
      [0.01, 0.01, null],
      [1, 1, null],
    ]);
  });

  it("stand in every slot that one rare scrape reaches over", () => {
    const plan = chartPlan("day", NOW, "Etc/UTC");
    const reach = (plan.slots[92]?.to ?? 0) + 15 * MINUTE;
    const row = { slot: 92, requests: 1_800, errors: 0, coveredMs: 30 * MINUTE, reach, latency };
    const points = seriesPoints(plan, { rows: [row], gaps: [], services: 1 }, NOW);
    expect(chartValues(plan, points, NOW).perSecond.slice(-4)).toEqual([1, 1, null, null]);
  });
});

describe("/metrics-display", () => {
  const metric = { id: "requestrate0", name: "", kind: "request_rate", component: null } as PageMetric;
  const page = { id: "p", name: "Acme", timeZone: "Etc/UTC", createdAt: NOON - DAY };
  const snapshot = { page, metrics: [metric] } as unknown as PageSnapshot;
  const perSecond = Array.from({ length: 96 }, (_, i) => (i < 90 ? null : i));
  const charts = { from: NOON + 15 * MINUTE - DAY, stepMs: 15 * MINUTE, perSecond, p95: [], errorRatio: [] };
  const told = displayDocument(snapshot, metric.id, "day", charts, NOW);

  it("has a value for each five minutes that were seen, by the second", () => {
    const data = told?.metrics[0]?.data ?? [];
    expect(told?.period).toEqual({ count: 288, interval: 300, identifier: "day" });
    expect(data.slice(-4)).toEqual([
      { timestamp: (NOON - 10 * MINUTE) / SECOND, value: 94 },
      { timestamp: (NOON - 5 * MINUTE) / SECOND, value: 94 },
      { timestamp: NOON / SECOND, value: 95 },
      { timestamp: (NOON + 5 * MINUTE) / SECOND, value: 95 },
    ]);
    expect(data).toHaveLength(17);
  });

  it("sums up what is there", () => {
    const data = told?.metrics[0]?.data ?? [];
    const sum = data.reduce((total, { value }) => total + value, 0);
    expect(told?.summary).toEqual({ sum, mean: sum / 17, last: 95 });
    expect(told?.metrics[0]?.metric).toMatchObject({ id: metric.id, name: "Requests", metrics_provider_id: null });
  });

  it("adds up no percentiles", () => {
    const p95 = { ...metric, id: "responsetime", kind: "p95" } as PageMetric;
    const values = { ...charts, p95: charts.perSecond };
    const shown = displayDocument({ ...snapshot, metrics: [p95] }, p95.id, "day", values, NOW);
    expect([shown?.metrics[0]?.data.length, shown?.summary]).toEqual([17, { sum: null, mean: null, last: 95 }]);
  });

  it("is empty, and not an error, while the archive is away", () => {
    const empty = displayDocument(snapshot, metric.id, "week", null, NOW);
    expect([empty?.metrics[0]?.data, empty?.summary]).toEqual([[], { sum: 0, mean: null, last: null }]);
    expect(empty?.period).toEqual({ count: 336, interval: 1_800, identifier: "week" });
  });

  it("is nothing for a chart that the page has not", () =>
    expect(displayDocument(snapshot, "nothing00000", "day", charts, NOW)).toBeNull());

  it("repeats an hour's value for both of its halves", () => {
    const hours = { ...charts, from: NOON - 167 * HOUR, stepMs: HOUR, perSecond: [...Array(166).fill(null), 5, 7] };
    const week = displayDocument(snapshot, metric.id, "week", hours, NOW);
    expect(week?.metrics[0]?.data.map(({ value }) => value)).toEqual([5, 5, 7]);
  });
});
