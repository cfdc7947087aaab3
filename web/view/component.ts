/** One component's own page: its state, its uptime, and its numbers over a day, a week, a month or a quarter. */
import type { ChartValues, Values } from "../../protocol/charts.ts";
import type { PageComponent, PageIncident, PageMaintenance } from "../../protocol/page.ts";
import { outlookAt } from "../../protocol/page.ts";
import type { Millis } from "../../protocol/time.ts";
import { DAY, MINUTE } from "../../protocol/time.ts";
import type { Chart, Shade } from "./chart.ts";
import { plot, stepText, valueText } from "./chart.ts";
import { dayName, length, moment, shortDay } from "./format.ts";
import type { FrameView } from "./frame.ts";
import { frame } from "./frame.ts";
import { HISTORY_DAYS, historyBars, today } from "./history.ts";
import type { Html } from "./html.ts";
import { markup } from "./html.ts";
import { shadesOf, summary } from "./metrics.ts";
import { livingFacts } from "./living.ts";
import { stillRegions } from "./regions.ts";
import { shownFirst } from "./shown.ts";
import { monthsOf, shows, sloText } from "./uptime.ts";
import { fill } from "./words/fill.ts";
import type { Locale } from "./words/locale.ts";
import type { ChartWords } from "./words/words.ts";

export const CHART_RANGES = ["day", "week", "month", "quarter"] as const;
type ChartRange = (typeof CHART_RANGES)[number];

/** What the archive knows of a component over a range: a step each, oldest first; null is no data. */
export interface ComponentCharts extends ChartValues {
  readonly range: ChartRange;
  /** When the archive was asked. */
  readonly at: Millis;
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

/** Whether a page says of charts how old they are, and that the archive cannot be reached. */
export function areOld({ at, range }: Pick<ComponentCharts, "at" | "range">, now: Millis): boolean {
  return now - at > CHARTS_OLD_MS[range];
}

function componentPath(id: string, range: ChartRange): string {
  return `/components/${id}${range === "day" ? "" : `/${range}`}`;
}

/** The page; null if there is no such component. */
export function renderComponent(view: ComponentView): string | null {
  const { snapshot, now, range, locale } = view;
  const component = snapshot.components.find(({ id }) => id === view.component);
  if (component === undefined) return null;
  const { id, name, description } = component;
  const { words } = locale;
  return frame(view, {
    kind: "component",
    title: name,
    description: description ?? fill(words.chart.about, { name: `${name} · ${snapshot.page.name}` }),
    status: outlookAt(component, now).status,
    path: componentPath(id, range),
    own: componentPath(id, "day"),
    living: livingFacts(shownFirst({ ...snapshot, components: [component] }, now, locale), now),
    main: markup`${state(component, view)}${shows(component, "uptime") && uptime(component, view)}${shows(component, "numbers") && numbers(component, view)}${announcements(component, view)}<p class="vh" role="status" id="say"></p>`,
  });
}

function state(component: PageComponent, { snapshot, now, locale }: ComponentView): Html {
  const { name, group, description } = component;
  const { words } = locale;
  const regions = stillRegions(shownFirst({ ...snapshot, components: [component] }, now, locale), now, locale);
  return markup`<div class="top">${group !== null && markup`<p class="crumb">${group}</p>`}<h1>${name}</h1>${description !== null && markup`<p>${description}</p>`}<div class="one" id="s-0">${regions["s-0"]}</div><p class="why" id="w-0">${regions["w-0"]}</p><p class="n" id="n-0">${regions["n-0"]}</p><p id="asof">${regions["asof"]}</p><noscript><p>${words.noScript}</p></noscript></div>`;
}

function uptime(component: PageComponent, { now, locale }: ComponentView): Html {
  const { words } = locale;
  const last = today(now, locale.timeZone);
  const months = monthsOf(component.days, now, locale);
  return markup`<section class="full"><h2>${words.chart.uptime}</h2><p class="scale"><span>${shortDay(last - HISTORY_DAYS + 1, locale, locale.day)}</span><span>${words.today}</span></p>${historyBars(component.days, now, locale, sloText(component.slo, locale))}<dl class="figures">${months.map(({ name, uptime: ratio }) => markup`<div><dt>${name}</dt><dd>${ratio}</dd></div>`)}</dl></section>`;
}

function numbers(component: PageComponent, view: ComponentView): Html {
  const { charts, range, now, locale } = view;
  const { chart } = locale.words;
  const links = CHART_RANGES.map(
    (each) =>
      markup`<a href="${locale.base}${componentPath(component.id, each)}"${each === range && markup` aria-current="page"`}>${chart[each]}</a> `,
  );
  const head = markup`<div class="head"><h2 id="numbers">${chart.numbers}</h2><nav aria-labelledby="numbers">${links}</nav></div>`;
  if (charts === null) return markup`<section class="numbers">${head}<p class="empty">${chart.away}</p></section>`;
  const shades = shadesOf(view.log, component.id, now);
  const drawn = chartsOf(charts, shades, chart).map((one) => figure(one, now, locale));
  const old = fill(chart.old, { at: moment(charts.at, now, locale), age: length(now - charts.at, locale) });
  return markup`<section class="numbers">${head}${areOld(charts, now) && markup`<p class="late">${old}</p>`}${drawn}${table(charts, now, locale)}</section>`;
}

function chartsOf(charts: ComponentCharts, shades: readonly Shade[], words: ChartWords): readonly Chart[] {
  const { from, stepMs, p50, p95, p99, lo, hi, errorRatio, perSecond, limits } = charts;
  const common = { from, stepMs, shades };
  const percentiles = [
    { name: "p99", values: p99 },
    { name: "p95", values: p95 },
    { name: "p50", values: p50 },
  ];
  return [
    { ...common, name: words.responseTime, unit: "ms", lines: percentiles, band: { lo, hi }, limit: limits.p95Ms },
    {
      ...common,
      name: words.errorRatio,
      unit: "%",
      lines: [{ name: "", values: errorRatio }],
      limit: limits.errorRatio,
    },
    { ...common, name: words.requests, unit: "req/s", lines: [{ name: "", values: perSecond }] },
  ];
}

function figure(chart: Chart, now: Millis, locale: Locale): Html {
  const { name, lines, from, stepMs, band } = chart;
  const { words } = locale;
  const isEmpty = lines.every(({ values }) => values.every((value) => value === null));
  if (isEmpty) return markup`<div class="h large"><h3>${name}</h3><p class="empty">${words.chart.none}</p></div>`;
  const said = summary(chart, now, locale);
  const count = lines[0]?.values.length ?? 0;
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((share) =>
    tickText(from + Math.round(share * (count - 1)) * stepMs, stepMs, locale),
  );
  return markup`<div class="h large" data-steps="${count}"><h3>${name}${band !== undefined && markup` <small>${words.chart.band}</small>`}</h3>${plot(chart, `${name}: ${said}`, locale, "large")}<p class="ticks" aria-hidden="true">${ticks.map((tick) => markup`<span>${tick}</span>`)}</p><p>${said}</p></div>`;
}

/** A time of day, or a day. */
function tickText(at: Millis, stepMs: number, locale: Locale): string {
  if (stepMs > 15 * MINUTE) return dayName(at + (stepMs < DAY ? 0 : stepMs / 2), locale);
  return moment(at, at, locale).replace(/ \S+$/, "");
}

/** The same numbers for those who read tables, hear them, or have no pointer. */
function table(charts: ComponentCharts, now: Millis, locale: Locale): Html {
  const { p50, p95, p99, lo, hi, errorRatio, perSecond, from, stepMs } = charts;
  const { chart } = locale.words;
  const cell = (values: Values, i: number, unit: Chart["unit"]): string => {
    const value = values[i] ?? null;
    return value === null ? "–" : valueText(value, unit, locale);
  };
  const range = (i: number): string => {
    const low = lo[i] ?? null;
    if (low === null) return "–";
    const high = hi[i] ?? null;
    const value = valueText(low, "ms", locale);
    return high === null
      ? fill(chart.over, { value })
      : fill(chart.between, { low: value, high: valueText(high, "ms", locale) });
  };
  const rows = perSecond
    .map(
      (_, i) =>
        markup`<tr><th scope="row">${stepText(from + i * stepMs, stepMs, now, locale)}</th><td>${cell(p50, i, "ms")}</td><td>${cell(p95, i, "ms")}</td><td>${range(i)}</td><td>${cell(p99, i, "ms")}</td><td>${cell(errorRatio, i, "%")}</td><td>${cell(perSecond, i, "req/s")}</td></tr>
`,
    )
    .toReversed();
  return markup`<details class="values"><summary>${chart.table}</summary><div tabindex="0" role="group" aria-labelledby="numbers"><table><thead><tr><th scope="col">${chart.from}</th><th scope="col">p50</th><th scope="col">p95</th><th scope="col">${chart.liesIn}</th><th scope="col">p99</th><th scope="col">${chart.errorRatio}</th><th scope="col">${chart.requests}</th></tr></thead><tbody>${rows}</tbody></table></div></details>`;
}

/** What people announced of it, newest first: the last ten; all is in the page's history. */
const ANNOUNCED_MAX = 10;

function announcements(component: PageComponent, { log, now, locale }: ComponentView): Html {
  const { chart } = locale.words;
  const touches = (one: PageIncident | PageMaintenance): boolean => one.components.includes(component.id);
  const lines = [
    ...log.incidents.filter(touches).map(({ id, name, startedAt }) => {
      return { at: startedAt, path: `/incidents/${id}`, name, kind: chart.incident };
    }),
    ...log.maintenances.filter(touches).map(({ id, name, startsAt }) => {
      return { at: startsAt, path: `/maintenance/${id}`, name, kind: chart.maintenance };
    }),
  ];
  const newest = lines.toSorted((a, b) => b.at - a.at).slice(0, ANNOUNCED_MAX);
  const items = newest.map(
    ({ at, path, name, kind }) =>
      markup`<li><a href="${locale.base}${path}">${name}</a> <span>${kind}, ${moment(at, now, locale)}</span></li>`,
  );
  return markup`<section><h2>${chart.announced}</h2>${items.length === 0 ? markup`<p class="late">${chart.nothingAnnounced}</p>` : markup`<ul class="lines">${items}</ul>`}<p><a href="${locale.base}/history">${chart.pastOf}</a></p></section>`;
}
