/** One component's own page: its state, its uptime, and its numbers over a day, a week, a month or a quarter. */
import type { PageComponent, PageIncident, PageMaintenance } from "../../protocol/page.ts";
import { outlookAt } from "../../protocol/page.ts";
import type { Millis } from "../../protocol/time.ts";
import { DAY, MINUTE } from "../../protocol/time.ts";
import type { Chart, Shade, Values } from "./chart.ts";
import { plot, stepText, valueText } from "./chart.ts";
import { dayName, length, moment, shortDay } from "./format.ts";
import type { FrameView } from "./frame.ts";
import { frame } from "./frame.ts";
import { HISTORY_DAYS, historyBars, today } from "./history.ts";
import type { Html } from "./html.ts";
import { markup } from "./html.ts";
import { shadesOf, summary } from "./metrics.ts";
import { pageRegions } from "./regions.ts";
import { shape } from "./shape.ts";
import { monthsOf, sloText } from "./uptime.ts";
import type { Locale } from "./words/locale.ts";

export const CHART_RANGES = ["day", "week", "month", "quarter"] as const;
type ChartRange = (typeof CHART_RANGES)[number];

/** What the archive knows of a component over a range: a step each, oldest first; null is no data. */
export interface ComponentCharts {
  readonly range: ChartRange;
  /** When the archive was asked. */
  readonly at: Millis;
  readonly from: Millis;
  readonly stepMs: number;
  readonly p50: Values;
  readonly p95: Values;
  /** Between what p95 lies surely. */
  readonly lo: Values;
  readonly hi: Values;
  readonly p99: Values;
  readonly errorRatio: Values;
  readonly perSecond: Values;
  readonly limits: { readonly p95Ms: number; readonly errorRatio: number };
}

export interface ComponentView extends FrameView {
  readonly component: string;
  readonly range: ChartRange;
  /** Null while the archive cannot be asked and no copy is left. */
  readonly charts: ComponentCharts | null;
}

/** Older than this they are shown with their age. */
const CHARTS_OLD_MS: Record<ChartRange, number> = {
  day: 10 * MINUTE,
  week: 30 * MINUTE,
  month: 120 * MINUTE,
  quarter: 120 * MINUTE,
};

function componentPath(id: string, range: ChartRange): string {
  return `/components/${id}${range === "day" ? "" : `/${range}`}`;
}

/** The page; null if there is no such component. */
export function renderComponent(view: ComponentView): string | null {
  const { snapshot, now, range, locale } = view;
  const component = snapshot.components.find(({ id }) => id === view.component);
  if (component === undefined) return null;
  const { name, description } = component;
  const { status } = outlookAt(component, now);
  return frame(view, {
    kind: "component",
    title: `${name}: ${locale.status[status]}`,
    description: description ?? `${name} of ${snapshot.page.name}: what it is like now, and its numbers over time`,
    status,
    path: componentPath(component.id, range),
    main: markup`${state(component, view)}${uptime(component, view)}${numbers(component, view)}${announcements(component, view)}`,
  });
}

function state(component: PageComponent, { snapshot, now, locale }: ComponentView): Html {
  const { id, name, group, description } = component;
  const { status } = outlookAt(component, now);
  const regions = pageRegions({ ...snapshot, components: [component] }, now, locale);
  return markup`<div class="top">${group !== null && markup`<p class="crumb">${group}</p>`}<h1>${shape(status)}${name}</h1><p>${locale.status[status]}</p>${description !== null && markup`<p>${description}</p>`}<p class="why" id="w-${id}">${regions[`w-${id}`]}</p><p class="n" id="n-${id}">${regions[`n-${id}`]}</p><p id="asof">as of ${moment(snapshot.generatedAt, now, locale, true)}</p></div>`;
}

function uptime(component: PageComponent, { now, locale }: ComponentView): Html {
  const last = today(now, locale.timeZone);
  const figures = monthsOf(component.days, now, locale);
  return markup`<section class="full"><h2>Uptime</h2><p class="scale"><span>${shortDay(last - HISTORY_DAYS + 1, locale, locale.day)}</span><span>today</span></p>${historyBars(component.days, now, locale, sloText(component.slo, locale))}<dl class="figures">${figures.map(({ name, uptime: ratio }) => markup`<div><dt>${name}</dt><dd>${ratio}</dd></div>`)}</dl></section>`;
}

const RANGE_WORDS: Record<ChartRange, string> = { day: "Day", week: "Week", month: "Month", quarter: "Quarter" };

function numbers(component: PageComponent, view: ComponentView): Html {
  const { charts, range, now, locale } = view;
  const links = CHART_RANGES.map(
    (each) =>
      markup`<a href="${componentPath(component.id, each)}"${each === range && markup` aria-current="page"`}>${RANGE_WORDS[each]}</a> `,
  );
  const head = markup`<div class="head"><h2 id="numbers">Numbers</h2><nav aria-labelledby="numbers">${links}</nav></div>`;
  if (charts === null)
    return markup`<section class="numbers">${head}<p class="empty">The archive cannot be reached at the moment, so there are no charts. What is said above does not need it.</p></section>`;
  const shades = shadesOf(view.log, component.id, now);
  const drawn = chartsOf(charts, shades).map((chart) => figure(chart, now, locale));
  const isOld = now - charts.at > CHARTS_OLD_MS[range];
  return markup`<section class="numbers">${head}${isOld && markup`<p class="late">The archive cannot be reached: the charts are of ${moment(charts.at, now, locale)}, ${length(now - charts.at, locale)} ago.</p>`}${drawn}${table(charts, now, locale)}</section>`;
}

function chartsOf(charts: ComponentCharts, shades: readonly Shade[]): readonly Chart[] {
  const { from, stepMs, p50, p95, p99, lo, hi, errorRatio, perSecond, limits } = charts;
  const common = { from, stepMs, shades };
  const percentiles = [
    { name: "p99", values: p99 },
    { name: "p95", values: p95 },
    { name: "p50", values: p50 },
  ];
  return [
    { ...common, name: "Response time", unit: "ms", lines: percentiles, band: { lo, hi }, limit: limits.p95Ms },
    {
      ...common,
      name: "Error ratio",
      unit: "%",
      lines: [{ name: "", values: errorRatio }],
      limit: limits.errorRatio,
    },
    { ...common, name: "Requests", unit: "req/s", lines: [{ name: "", values: perSecond }] },
  ];
}

function figure(chart: Chart, now: Millis, locale: Locale): Html {
  const { name, lines, from, stepMs, band } = chart;
  const isEmpty = lines.every(({ values }) => values.every((value) => value === null));
  if (isEmpty) return markup`<div class="h large"><h3>${name}</h3><p class="empty">no data in this time</p></div>`;
  const words = summary(chart, now, locale);
  const count = lines[0]?.values.length ?? 0;
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((share) =>
    tickText(from + Math.round(share * (count - 1)) * stepMs, stepMs, locale),
  );
  return markup`<div class="h large"><h3>${name}${band !== undefined && markup` <small>shaded: between what p95 surely lies</small>`}</h3>${plot(chart, `${name}: ${words}`, "large")}<p class="ticks" aria-hidden="true">${ticks.map((tick) => markup`<span>${tick}</span>`)}</p><p>${words}</p></div>`;
}

/** A time of day, or a day. */
function tickText(at: Millis, stepMs: number, locale: Locale): string {
  if (stepMs > 15 * MINUTE) return dayName(at + (stepMs < DAY ? 0 : stepMs / 2), locale);
  return moment(at, at, locale).replace(/ \S+$/, "");
}

/** The same numbers for those who read tables, hear them, or have no pointer. */
function table(charts: ComponentCharts, now: Millis, locale: Locale): Html {
  const { p50, p95, p99, lo, hi, errorRatio, perSecond, from, stepMs } = charts;
  const cell = (values: Values, i: number, unit: Chart["unit"]): string => {
    const value = values[i] ?? null;
    return value === null ? "–" : valueText(value, unit);
  };
  const range = (i: number): string => {
    const low = lo[i] ?? null;
    if (low === null) return "–";
    const high = hi[i] ?? null;
    return high === null ? `over ${valueText(low, "ms")}` : `${valueText(low, "ms")} to ${valueText(high, "ms")}`;
  };
  const rows = perSecond
    .map(
      (_, i) =>
        markup`<tr><th scope="row">${stepText(from + i * stepMs, stepMs, now, locale)}</th><td>${cell(p50, i, "ms")}</td><td>${cell(p95, i, "ms")}</td><td>${range(i)}</td><td>${cell(p99, i, "ms")}</td><td>${cell(errorRatio, i, "%")}</td><td>${cell(perSecond, i, "req/s")}</td></tr>
`,
    )
    .toReversed();
  return markup`<details class="values"><summary>The same as a table</summary><div><table><thead><tr><th scope="col">From</th><th scope="col">p50</th><th scope="col">p95</th><th scope="col">p95 lies in</th><th scope="col">p99</th><th scope="col">Error ratio</th><th scope="col">Requests</th></tr></thead><tbody>${rows}</tbody></table></div></details>`;
}

/** What people announced of it, newest first: the last ten; all is in the page's history. */
const ANNOUNCED_MAX = 10;

function announcements(component: PageComponent, { log, now, locale }: ComponentView): Html {
  const touches = (one: PageIncident | PageMaintenance): boolean => one.components.includes(component.id);
  const incidents = log.incidents.filter(touches).map((one) => ({ at: one.startedAt, html: incidentLine(one) }));
  const maintenances = log.maintenances
    .filter(touches)
    .map((one) => ({ at: one.startsAt, html: maintenanceLine(one) }));
  const lines = [...incidents, ...maintenances].toSorted((a, b) => b.at - a.at).slice(0, ANNOUNCED_MAX);
  return markup`<section><h2>Incidents and maintenance</h2>${lines.length === 0 && markup`<p class="late">Nothing was announced for it.</p>`}<ul class="lines">${lines.map(({ at, html }) => markup`<li>${html}<span>${moment(at, now, locale)}</span></li>`)}</ul><p><a href="/history">All of the history</a></p></section>`;
}

function incidentLine({ id, name, status }: PageIncident): Html {
  return markup`<a href="/incidents/${id}">${name}</a> <small>${status}</small>`;
}

function maintenanceLine({ id, name, status, cancelledAt }: PageMaintenance): Html {
  const word = cancelledAt === undefined ? `maintenance, ${status.replace("_", " ")}` : "maintenance, called off";
  return markup`<a href="/maintenance/${id}">${name}</a> <small>${word}</small>`;
}
