/** The small charts of the first view: the last day, a figure each, nothing to learn before they are read. */
import type { Values } from "../../protocol/charts.ts";
import type { MetricKind, PageIncident, PageMaintenance, PageMetric, PageSnapshot } from "../../protocol/page.ts";
import type { Millis } from "../../protocol/time.ts";
import type { Chart, Shade, Unit } from "./chart.ts";
import { plot, stepText, valueText } from "./chart.ts";
import { length } from "./format.ts";
import type { Html } from "./html.ts";
import { markup } from "./html.ts";
import { fill, filled } from "./words/fill.ts";
import type { Locale } from "./words/locale.ts";
import type { ChartWords } from "./words/words.ts";

const METRIC_UNITS = { p95: "ms", error_ratio: "%", request_rate: "req/s" } as const satisfies Record<MetricKind, Unit>;

const METRIC_NAMES = {
  p95: "p95Time",
  error_ratio: "errorRatio",
  request_rate: "requests",
} as const satisfies Record<MetricKind, keyof ChartWords>;

/** What a metric is called: as an operator named it, else what its kind is. */
function metricName({ name, kind }: Pick<PageMetric, "name" | "kind">, { words }: Locale): string {
  return name === "" ? words.chart[METRIC_NAMES[kind]] : name;
}

/** The charts that the page has, beside each other; nothing where it has none. */
export function metricCharts(snapshot: PageSnapshot, now: Millis, locale: Locale): Html | null {
  const metrics = snapshot.metrics?.filter(({ values }) => values.length > 1) ?? [];
  if (metrics.length === 0) return null;
  const figures = metrics.map((metric) => figure(metric, shadesOf(snapshot, metric.component, now), now, locale));
  return markup`<section class="day"><h2>${locale.words.chart.lastDay}</h2><div>${figures}</div></section>
`;
}

function figure(metric: PageMetric, shades: readonly Shade[], now: Millis, locale: Locale): Html {
  const { kind, from, stepMs, values, lo, hi, limit } = metric;
  const name = metricName(metric, locale);
  const chart: Chart = {
    name,
    unit: METRIC_UNITS[kind],
    from,
    stepMs,
    lines: [{ name: "", values }],
    shades,
    ...(lo !== undefined && hi !== undefined && { band: { lo, hi } }),
    ...(limit !== undefined && { limit }),
  };
  const label = `${name}: ${summary(chart, now, locale)}`;
  return markup`<div class="h" data-steps="${values.length}"><h3>${name}</h3>${plot(chart, label, locale)}<p>${caption(chart, now, locale)}</p></div>`;
}

/** "<b>184 ms</b> now, highest 620 ms". The step that is under way may be too young to have a value. */
function caption({ lines, unit, from, stepMs }: Chart, now: Millis, locale: Locale): Html {
  const { chart, noDataYet } = locale.words;
  const values = lines[0]?.values ?? [];
  const newest = valueNow(values, (now - from) / stepMs);
  const top = highestOf(values);
  if (top === null) return markup`${noDataYet}`;
  const highest = valueText(top.value, unit, locale);
  if (newest === null) return filled(chart.noneHighest, { highest });
  return filled(chart.nowHighest, { value: markup`<b>${valueText(newest, unit, locale)}</b>`, highest });
}

/** The picture in words: what is now, what was worst and when, and how long nothing was seen. */
export function summary({ lines, unit, from, stepMs }: Chart, now: Millis, locale: Locale): string {
  const { chart } = locale.words;
  const told = lines.map(({ name, values }) => {
    const top = highestOf(values);
    if (top === null) return `${name} ${locale.noData}`.trim();
    const newest = valueNow(values, (now - from) / stepMs);
    const at = stepText(from + top.index * stepMs, stepMs, now, locale);
    const highest = valueText(top.value, unit, locale);
    const value = newest === null ? "" : valueText(newest, unit, locale);
    return `${name} ${fill(newest === null ? chart.noneHighestAt : chart.nowHighestAt, { value, highest, at })}`.trim();
  });
  const steps = lines[0]?.values ?? [];
  const gaps = steps.filter((value) => value === null).length;
  if (gaps > 0 && gaps < steps.length) told.push(fill(chart.gaps, { length: length(gaps * stepMs, locale) }));
  return told.join("; ");
}

/** The value of the step under way, or while that is too young of the one before it; what is older is not of now. */
function valueNow(values: Values, steps: number): number | null {
  return values[Math.floor(steps)] ?? values[Math.floor(steps) - 1] ?? null;
}

function highestOf(values: Values): { readonly value: number; readonly index: number } | null {
  let found: { readonly value: number; readonly index: number } | null = null;
  for (const [index, value] of values.entries())
    if (value !== null && (found === null || value > found.value)) found = { value, index };
  return found;
}

/** What was announced for a component, or for any of them, and has begun. */
export function shadesOf(
  { incidents = [], maintenances }: Pick<PageSnapshot, "incidents" | "maintenances">,
  component: string | null,
  now: Millis,
): readonly Shade[] {
  const touches = ({ components }: PageIncident | PageMaintenance): boolean =>
    component === null || components.includes(component);
  return [
    ...incidents
      .filter(touches)
      .map(({ startedAt, resolvedAt }) => ({ kind: "incident" as const, from: startedAt, to: resolvedAt ?? now })),
    ...maintenances
      .filter((one) => touches(one) && one.cancelledAt === undefined && one.startsAt <= now)
      .map((one) => ({ kind: "maintenance" as const, from: one.startsAt, to: endOf(one, now) })),
  ];
}

/** One whose planned end has passed is still under way until somebody ends it. */
function endOf({ status, endsAt }: PageMaintenance, now: Millis): Millis {
  return status === "completed" ? endsAt : now;
}
