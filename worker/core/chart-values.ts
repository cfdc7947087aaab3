/** What charts draw: a series as rows of numbers, a step each. Pure; `store/series` asks, this spells out. */
import type { ChartValues, Values } from "../../protocol/charts.ts";
import type { Quantile } from "../../protocol/latency.ts";
import type { Millis } from "../../protocol/time.ts";
import { DAY_STEP_MS, DAY_STEPS } from "./day.ts";
import type { Range, SeriesPlan, SeriesPoint } from "./series.ts";
import { evenPlan, ratesOf, seriesPlan } from "./series.ts";

export type ChartRange = Exclude<Range, "hour">;

/** Steps of a chart: a day in quarters of an hour, as on the first view. */
export function chartPlan(range: ChartRange, now: Millis, timeZone: string): SeriesPlan {
  return range === "day" ? evenPlan(now, DAY_STEP_MS, DAY_STEPS) : seriesPlan(range, now, timeZone);
}

/** More figures than anybody sees. */
const FIGURES = 4;

/** The numbers of each slot of a plan. A point that reaches over several slots is what was seen in each of them. */
export function chartValues(plan: SeriesPlan, points: readonly SeriesPoint[], now: Millis): ChartValues {
  const rates = ratesOf(points, now);
  const perSlot = plan.slots.map(({ from }) => points.findIndex((point) => point.from <= from && from < point.to));
  const values = (of: (point: SeriesPoint, index: number) => number | null | undefined): Values =>
    perSlot.map((index) => {
      const point = points[index];
      const value = point === undefined ? null : (of(point, index) ?? null);
      return value === null ? null : Number(value.toPrecision(FIGURES));
    });
  const quantile = (q: "p50" | "p95" | "p99", part: keyof Pick<Quantile, "estimate" | "lo" | "hi">): Values =>
    values(({ seen }) => seen?.[q]?.[part]);
  return {
    from: plan.from,
    stepMs: plan.stepMs,
    p50: quantile("p50", "estimate"),
    p95: quantile("p95", "estimate"),
    lo: quantile("p95", "lo"),
    hi: quantile("p95", "hi"),
    p99: quantile("p99", "estimate"),
    errorRatio: values(({ seen }) => (seen === null || seen.requests === 0 ? null : seen.errors / seen.requests)),
    perSecond: values((_, index) => rates[index]?.perSecond),
  };
}
