import type { PageBrand, PageComponent, PageSnapshot } from "../../protocol/page.ts";
import { holdsUntil, pageVerdict, shownStatus } from "../../protocol/page.ts";
import type { Millis } from "../../protocol/time.ts";
import { REST_SHEET } from "./assets.generated.ts";
import { brandLinks } from "./brand.ts";
import { document } from "./document.ts";
import { moment, shortDay } from "./format.ts";
import type { Group } from "./groups.ts";
import { flatGroups, groupsOf, isOpen } from "./groups.ts";
import { head } from "./head.ts";
import { headline } from "./headline.ts";
import { HISTORY_DAYS, historyBars, today } from "./history.ts";
import type { Html } from "./html.ts";
import { markup, trusted } from "./html.ts";
import { isoText } from "./iso.ts";
import { livingFacts } from "./living.ts";
import { metricCharts } from "./metrics.ts";
import { notices } from "./notice.ts";
import { recentDays } from "./recent.ts";
import type { Regions } from "./regions.ts";
import { stillRegions } from "./regions.ts";
import { shapeSheet } from "./shape.ts";
import { shownFirst } from "./shown.ts";
import { shows, sloText } from "./uptime.ts";
import { counted, fill, filled } from "./words/fill.ts";
import type { Locale } from "./words/locale.ts";
import { home } from "./words/locale.ts";

export interface PageView {
  readonly snapshot: PageSnapshot;
  readonly now: Millis;
  /** The page's own address without a slash at its end. */
  readonly origin: string;
  /** Whether live data cannot be reached, and the snapshot is the last one known. */
  readonly isCopy: boolean;
  /** The language to speak, and the page's zone. */
  readonly locale: Locale;
  /** Of a visitor's own view; absent where all of the page is shown. */
  readonly chosen?: Chosen;
}

/** A visitor's own view of the page: its one address, and how many of the components in it are shown no more. */
interface Chosen {
  readonly path: string;
  readonly ids: readonly string[];
  readonly gone: number;
}

/**
 * The whole public page as one document: it needs nothing else to be read. What a reader came for, the headline and what
 * is announced, stands before everything that is not needed to paint it, and before the rest of the style: a browser
 * waits there for that sheet, which is an address with all of it, and paints meanwhile what it has.
 */
export function renderPage({ snapshot, now, origin, isCopy, locale, chosen }: PageView): string {
  const { page, components, brand } = snapshot;
  const { words } = locale;
  const address = { origin, path: chosen?.path ?? "/" };
  const change = shownFirst(snapshot, now, locale);
  const regions = stillRegions(change, now, locale);
  const sentence = headline(change, change.incident, now, locale);
  return document({
    kind: "page",
    locale,
    address,
    title: `${sentence} · ${page.name}`,
    description: `${page.name}: ${sentence}`,
    status: shownStatus(pageVerdict(snapshot, now)),
    generatedAt: change.generatedAt,
    brand,
    body: markup`${head(snapshot, { path: address.path, own: chosen?.path ?? "" }, locale)}<main id="days"><div class="top"><h1 id="headline">${regions["headline"]}</h1><p id="asof">${regions["asof"]}</p><p id="copy"${!isCopy && markup` hidden`}>${words.copy}</p><noscript><p>${words.noScript}</p></noscript>${chosen && choice(chosen, locale)}</div><div id="notices">${notices(snapshot, now, locale)}</div><link rel="stylesheet" href="${trusted(REST_SHEET)}"/>${shapeSheet()}${components.length === 0 ? emptyPage(snapshot, locale) : markup`${scale(now, locale)}${groups({ snapshot, regions, now, locale })}`}${late(snapshot, now, locale)}${metricCharts(snapshot, now, locale)}${recentDays(snapshot, now, locale)}${livingFacts(change, now, chosen?.ids)}</main><p class="vh" role="status" id="say"></p>${footer(origin, brand, locale)}`,
  });
}

/** That this is not all of the page, and the ways to the rest of it. */
function choice({ path, ids, gone }: Chosen, locale: Locale): Html {
  const { words } = locale;
  const lost = gone > 0 && ` ${counted(words.ownGone, gone, locale, { total: ids.length })}`;
  return markup`<p class="late">${words.ownView}${lost} <a href="${locale.base}${path}/choose">${words.ownChange}</a> · <a href="${home(locale)}">${words.wholePage}</a> · <a href="${path}/badge.svg">${words.badge}</a></p>`;
}

/** What is missing of history, and that nothing else is. The script does not render it: an open page fetches it anew. */
function late({ archive }: PageSnapshot, now: Millis, locale: Locale): Html | null {
  const { words } = locale;
  const since = archive?.delayedSince ?? null;
  if (since !== null) return markup`<p class="late">${fill(words.late, { at: moment(since, now, locale) })}</p>`;
  return archive?.isRestoring === true ? markup`<p class="late">${words.restoring}</p>` : null;
}

function emptyPage({ archive }: PageSnapshot, { words }: Locale): Html {
  if (archive?.isRestoring === true) return markup`<div class="empty"><p>${words.emptyRestoring}</p></div>`;
  const command = markup`<code>npm run -s admin-link</code>`;
  return markup`<div class="empty"><p>${words.empty}</p><p>${filled(words.emptyNext, { command })}</p></div>`;
}

interface Context {
  readonly snapshot: PageSnapshot;
  readonly regions: Regions;
  readonly now: Millis;
  readonly locale: Locale;
}

function groups(context: Context): readonly Html[] {
  const tree = groupsOf(context.snapshot.components);
  const order = flatGroups(tree);
  return tree.map((group) => section(group, order, context));
}

function section(group: Group, order: readonly Group[], context: Context): Html {
  const { snapshot, regions, now, locale } = context;
  const { components } = snapshot;
  const { words } = locale;
  const index = order.indexOf(group);
  const name = group.name ?? (group.all.length < components.length ? words.otherGroup : words.components);
  const rows = group.own.flatMap((i) => {
    const component = components[i];
    return component === undefined ? [] : [row(component, i, regions, now, locale)];
  });
  return markup`<details class="g" id="d-${index}"${isOpen(group, components, now) && markup` open`}><summary><h2>${name}</h2><span id="g-${index}">${regions[`g-${index}`]}</span></summary>${rows.length > 0 && markup`<ul>${rows}</ul>`}${group.groups.map((one) => section(one, order, context))}</details>
`;
}

/** Says what the bars span, once, above the first of them. */
function scale(now: Millis, locale: Locale): Html {
  const { words, timeZone } = locale;
  const last = today(now, timeZone);
  const first = last - HISTORY_DAYS + 1;
  return markup`<p class="scale"><span><span class="wide">${shortDay(first, locale, locale.day)}</span><span class="thin">${shortDay(last - 29, locale, locale.day)}</span></span><a class="thin" href="#days">${fill(words.allDays, { n: HISTORY_DAYS })}</a><span>${words.today}</span></p>`;
}

/** `data-until`: the row is not to be believed from then on. */
function row(component: PageComponent, i: number, regions: Regions, now: Millis, locale: Locale): Html {
  const { id, name } = component;
  const until = holdsUntil([component], now);
  return markup`<li${until < Infinity && markup` data-until="${isoText(until)}"`}><div class="c"><h3><a href="${locale.base}/components/${id}">${name}</a></h3><div class="s" id="s-${i}">${regions[`s-${i}`]}</div><p class="a" id="a-${i}">${regions[`a-${i}`]}</p></div><p class="w" id="w-${i}">${regions[`w-${i}`]}</p>${bars(component, now, locale)}<p class="n" id="n-${i}">${regions[`n-${i}`]}</p></li>
`;
}

/** Where none are shown their place is kept, so that all numbers stand below each other. */
function bars(component: PageComponent, now: Millis, locale: Locale): Html {
  return shows(component, "uptime")
    ? historyBars(component.days, now, locale, sloText(component.slo, locale))
    : markup`<div></div>`;
}

function footer(origin: string, brand: PageBrand | undefined, { words, base }: Locale): Html {
  return markup`<footer><nav><a href="${base}/history">${words.pastLink}</a> <a href="${base}/history#counting">${words.counting}</a> <a href="${base}/view">${words.ownViewLink}</a> <a href="${origin}/api/v2/summary.json">${words.api}</a>${brandLinks(brand)}</nav></footer>`;
}
