import type { PageChange, PageComponent, PageSnapshot } from "../../protocol/page.ts";
import { holdsUntil, pageStatus } from "../../protocol/page.ts";
import type { Millis } from "../../protocol/time.ts";
import { document } from "./document.ts";
import { moment } from "./format.ts";
import { HISTORY_DAYS, historyBars, shortDay, today } from "./history.ts";
import type { Html } from "./html.ts";
import { markup } from "./html.ts";
import { isoText } from "./iso.ts";
import { notices } from "./notice.ts";
import type { Regions } from "./regions.ts";
import { stillRegions } from "./regions.ts";
import { iconUrl } from "./shape.ts";
import { frozenText, sloRule, sloText, uptimeTable } from "./uptime.ts";
import { headline } from "./words.ts";

export interface PageView {
  readonly snapshot: PageSnapshot;
  readonly now: Millis;
  /** The page's own address without a slash at its end. */
  readonly origin: string;
  /** Whether live data cannot be reached, and the snapshot is the last one known. */
  readonly isCopy: boolean;
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
export function renderPage({ snapshot, now, origin, isCopy, chosen }: PageView): string {
  const { page, components } = snapshot;
  const change = pageChange(snapshot);
  const regions = stillRegions(change, now, page.timeZone);
  const sentence = headline(change, now, page.timeZone);
  return document({
    kind: "page",
    canonical: `${origin}${chosen?.path ?? "/"}`,
    title: `${sentence} · ${page.name}`,
    description: `${page.name}: ${sentence}`,
    icon: iconUrl(pageStatus(components, now)),
    generatedAt: change.generatedAt,
    body: markup`<header><p>${page.name}</p></header><main id="days" data-page="${JSON.stringify(change, figures)}" data-zone="${page.timeZone}" data-now="${now}"${chosen && markup` data-own="${chosen.ids.join()}"`} data-first="${today(now, page.timeZone) - HISTORY_DAYS + 1}"><div class="top"><h1 id="headline">${regions["headline"]}</h1><p id="asof">${regions["asof"]}</p><p id="copy"${!isCopy && markup` hidden`}>Live data cannot be reached: this page knows of nothing newer.</p><noscript><p>Without JavaScript this page does not renew itself: reload it for what is now.</p></noscript>${chosen && choice(chosen)}</div><div id="notices">${notices(change, now, page.timeZone)}</div>${components.length === 0 ? emptyPage(change) : groups(snapshot, regions, now)}${late(change, now, page.timeZone)}</main><p class="vh" role="status" id="say"></p>${footer(snapshot, origin, now)}`,
  });
}

/** That this is not all of the page, and the ways to the rest of it. */
function choice({ path, ids, gone }: Chosen): Html {
  const lost = gone > 0 && ` ${gone} of the ${ids.length} that were chosen ${gone === 1 ? "is" : "are"} shown no more.`;
  return markup`<p class="late">This is your own view.${lost} <a href="${path}/choose">Change it</a> · <a href="/">Whole page</a> · <a href="${path}/history.rss">RSS</a> · <a href="${path}/history.atom">Atom</a> · <a href="${path}/maintenance.ics">Calendar</a> · <a href="${path}/badge.svg">Badge</a></p>`;
}

/** Six figures are more than anybody reads, and the other ten are what a page is heavy with. */
function figures(_key: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value;
}

/** What a frame of `/live` would carry for this snapshot: what the script starts from. */
function pageChange({ version, generatedAt, components, maintenances, archive }: PageSnapshot): PageChange {
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
function late({ archive }: PageChange, now: Millis, timeZone: string): Html | null {
  const since = archive?.delayedSince ?? null;
  if (since !== null)
    return markup`<p class="late">History is delayed since ${moment(since, now, timeZone)}: the archive cannot be reached. Live status is not affected.</p>`;
  return archive?.isRestoring === true
    ? markup`<p class="late">History is being restored from the archive. Live status is not affected.</p>`
    : null;
}

function emptyPage({ archive }: PageChange): Html {
  if (archive?.isRestoring === true)
    return markup`<div class="empty"><p>What is shown here is being restored from the archive, so there is nothing to be green yet.</p></div>`;
  return markup`<div class="empty"><p>No component is shown here yet, so there is nothing to be green.</p><p>If this is your page: run <code>npm run -s admin-link</code>, open the link it prints, and publish your services.</p></div>`;
}

function groups({ components, page }: PageSnapshot, regions: Regions, now: Millis): readonly Html[] {
  const names = [...new Set(components.map((component) => component.group))];
  return names.map((name, i) => {
    const members = components.filter((component) => component.group === name);
    return markup`<section><div class="head"><h2>${name ?? (names.length > 1 ? "Other" : "Components")}</h2>${i === 0 && scale(page, now)}</div><ul>${members.map((component) => row(component, regions, now, page.timeZone))}</ul></section>
`;
  });
}

/** Says what the bars span, once, above the first of them. */
function scale(page: PageSnapshot["page"], now: Millis): Html {
  const last = today(now, page.timeZone);
  const first = last - HISTORY_DAYS + 1;
  return markup`<p class="scale"><span><span class="wide">${shortDay(first)}</span><span class="thin">${shortDay(last - 29)}</span></span><a class="thin" href="#days">all 90 days</a><span>today</span></p>`;
}

/** `data-until`: the row is not to be believed from then on. */
function row(component: PageComponent, regions: Regions, now: Millis, timeZone: string): Html {
  const { id } = component;
  const until = holdsUntil([component], now);
  return markup`<li${until < Infinity && markup` data-until="${isoText(until)}"`}><div class="c"><div class="s" id="s-${id}">${regions[`s-${id}`]}</div><p class="a" id="a-${id}">${regions[`a-${id}`]}</p></div><p class="w" id="w-${id}">${regions[`w-${id}`]}</p>${historyBars(component.days, now, timeZone, sloText(component.slo))}<p class="n" id="n-${id}">${regions[`n-${id}`]}</p></li>
`;
}

function footer(snapshot: PageSnapshot, origin: string, now: Millis): Html {
  const { page, frozen, components } = snapshot;
  return markup`<footer>${uptimeTable(snapshot, now)}<details><summary>How uptime is counted</summary><p>Time in major outage counts in full, partial outage 0.3, degraded performance not at all. Maintenance and time without reports are left out, and shown. The result is floored, never rounded up. Days are cut in ${page.timeZone}.${frozenText(frozen)}${sloRule(components)} A bar shows the worst of its day: the higher the mark, the heavier; a hollow bar is a day without data.</p><p>p95 is the time in which 95 of 100 requests were answered; the true value lies surely in the range beside it.${components.some(({ outside }) => outside !== undefined) && " “From outside” is how long its public address takes to answer over the internet, asked each minute."} When reports stop, a component becomes unknown: never operational, never an outage.</p></details><nav><a href="/history">History</a> <a href="/view">Your own view</a> <a href="${origin}/api/v2/summary.json">API</a> <a href="${origin}/api/v2/status.json">Status as JSON</a></nav></footer>`;
}
