import type { PageChange, PageComponent, PageSnapshot } from "../../protocol/page.ts";
import { holdsUntil, pageVerdict, shownStatus } from "../../protocol/page.ts";
import type { Millis } from "../../protocol/time.ts";
import { document } from "./document.ts";
import { moment, shortDay } from "./format.ts";
import { headline } from "./headline.ts";
import { HISTORY_DAYS, historyBars, today } from "./history.ts";
import type { Html } from "./html.ts";
import { json, markup } from "./html.ts";
import { isoText } from "./iso.ts";
import { notices } from "./notice.ts";
import type { Regions } from "./regions.ts";
import { stillRegions } from "./regions.ts";
import { frozenText, sloRule, sloText, uptimeTable } from "./uptime.ts";
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

/** The whole public page as one document: it needs nothing else to be read. */
export function renderPage({ snapshot, now, origin, isCopy, locale, chosen }: PageView): string {
  const { page, components } = snapshot;
  const { words } = locale;
  const change = pageChange(snapshot);
  const regions = stillRegions(change, now, locale);
  const sentence = headline(change, now, locale);
  return document({
    kind: "page",
    locale,
    address: { origin, path: chosen?.path ?? "/" },
    title: `${sentence} · ${page.name}`,
    description: `${page.name}: ${sentence}`,
    status: shownStatus(pageVerdict(snapshot, now)),
    generatedAt: change.generatedAt,
    body: markup`<header><p>${page.name}</p></header><main id="days" data-page='${json(change, figures)}' data-now="${now}"${chosen && markup` data-own="${chosen.ids.join()}"`} data-first="${today(now, locale.timeZone) - HISTORY_DAYS + 1}"><div class="top"><h1 id="headline">${regions["headline"]}</h1><p id="asof">${regions["asof"]}</p><p id="copy"${!isCopy && markup` hidden`}>${words.copy}</p><noscript><p>${words.noScript}</p></noscript>${chosen && choice(chosen, locale)}</div><div id="notices">${notices(change, now, locale)}</div>${components.length === 0 ? emptyPage(change, locale) : groups(snapshot, regions, now, locale)}${late(change, now, locale)}</main><p class="vh" role="status" id="say"></p>${footer(snapshot, origin, now, locale)}`,
  });
}

/** That this is not all of the page, and the ways to the rest of it. */
function choice({ path, ids, gone }: Chosen, locale: Locale): Html {
  const { words } = locale;
  const lost = gone > 0 && ` ${counted(words.ownGone, gone, locale, { total: ids.length })}`;
  return markup`<p class="late">${words.ownView}${lost} <a href="${locale.base}${path}/choose">${words.ownChange}</a> · <a href="${home(locale)}">${words.wholePage}</a> · <a href="${path}/history.rss">RSS</a> · <a href="${path}/history.atom">Atom</a> · <a href="${path}/maintenance.ics">${words.calendar}</a> · <a href="${path}/badge.svg">${words.badge}</a></p>`;
}

/** Six figures are more than anybody reads, and the other ten are what a page is heavy with. */
export function figures(_key: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value;
}

/** What a frame of `/live` would carry for this snapshot: what the script starts from. */
export function pageChange({ version, generatedAt, components, maintenances, archive }: PageSnapshot): PageChange {
  return {
    version,
    generatedAt,
    components: components.map(({ id, name, outlook, heardAt, p95, errorRatio, requestsPerSecond, outside }) => {
      return { id, name, outlook, heardAt, p95, errorRatio, requestsPerSecond, ...(outside && { outside }) };
    }),
    maintenances,
    ...(archive === undefined ? {} : { archive }),
  };
}

/** What is missing of history, and that nothing else is. The script does not render it: an open page fetches it anew. */
function late({ archive }: PageChange, now: Millis, locale: Locale): Html | null {
  const { words } = locale;
  const since = archive?.delayedSince ?? null;
  if (since !== null) return markup`<p class="late">${fill(words.late, { at: moment(since, now, locale) })}</p>`;
  return archive?.isRestoring === true ? markup`<p class="late">${words.restoring}</p>` : null;
}

function emptyPage({ archive }: PageChange, { words }: Locale): Html {
  if (archive?.isRestoring === true) return markup`<div class="empty"><p>${words.emptyRestoring}</p></div>`;
  const command = markup`<code>npm run -s admin-link</code>`;
  return markup`<div class="empty"><p>${words.empty}</p><p>${filled(words.emptyNext, { command })}</p></div>`;
}

function groups({ components }: PageSnapshot, regions: Regions, now: Millis, locale: Locale): readonly Html[] {
  const { words } = locale;
  const names = [...new Set(components.map((component) => component.group))];
  return names.map((name, i) => {
    const members = components.filter((component) => component.group === name);
    return markup`<section><div class="head"><h2>${name ?? (names.length > 1 ? words.otherGroup : words.components)}</h2>${i === 0 && scale(now, locale)}</div><ul>${members.map((component) => row(component, regions, now, locale))}</ul></section>
`;
  });
}

/** Says what the bars span, once, above the first of them. */
function scale(now: Millis, locale: Locale): Html {
  const { words, timeZone } = locale;
  const last = today(now, timeZone);
  const first = last - HISTORY_DAYS + 1;
  return markup`<p class="scale"><span><span class="wide">${shortDay(first, locale, locale.day)}</span><span class="thin">${shortDay(last - 29, locale, locale.day)}</span></span><a class="thin" href="#days">${fill(words.allDays, { n: HISTORY_DAYS })}</a><span>${words.today}</span></p>`;
}

/** `data-until`: the row is not to be believed from then on. */
function row(component: PageComponent, regions: Regions, now: Millis, locale: Locale): Html {
  const { id } = component;
  const until = holdsUntil([component], now);
  return markup`<li${until < Infinity && markup` data-until="${isoText(until)}"`}><div class="c"><div class="s" id="s-${id}">${regions[`s-${id}`]}</div><p class="a" id="a-${id}">${regions[`a-${id}`]}</p></div><p class="w" id="w-${id}">${regions[`w-${id}`]}</p>${historyBars(component.days, now, locale, sloText(component.slo, locale))}<p class="n" id="n-${id}">${regions[`n-${id}`]}</p></li>
`;
}

function footer(snapshot: PageSnapshot, origin: string, now: Millis, locale: Locale): Html {
  const { frozen, components } = snapshot;
  const { words, timeZone } = locale;
  const isProbed = components.some(({ outside }) => outside !== undefined);
  return markup`<footer>${uptimeTable(snapshot, now, locale)}<details><summary>${words.counting}</summary><p>${fill(words.countingRule, { zone: timeZone })}${frozenText(frozen, locale)}${sloRule(components, locale)} ${words.countingBars}</p><p>${words.countingP95}${isProbed && ` ${words.countingOutside}`} ${words.countingSilence}</p></details><nav><a href="${locale.base}/history">${words.pastLink}</a> <a href="${locale.base}/view">${words.ownViewLink}</a> <a href="${origin}/api/v2/summary.json">${words.api}</a> <a href="${origin}/api/v2/status.json">${words.statusJson}</a></nav></footer>`;
}
