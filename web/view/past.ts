/** `/history` and `/history/2026-11`: what happened in a month, and what it left of the uptime. */
import type { DayTally, PageComponent, PageIncident, PageMaintenance } from "../../protocol/page.ts";
import { isUnresolved } from "../../protocol/page.ts";
import type { ComponentStatus } from "../../protocol/status.ts";
import { COMPONENT_STATUSES, impactStatus } from "../../protocol/status.ts";
import type { Millis } from "../../protocol/time.ts";
import { uptimeRatio } from "../../protocol/uptime.ts";
import { longSpan, monthName } from "./dates.ts";
import { dayName, length, shortDay, uptimeText } from "./format.ts";
import type { FrameView } from "./frame.ts";
import { frame } from "./frame.ts";
import { dayNumber } from "./history.ts";
import type { Html } from "./html.ts";
import { markup } from "./html.ts";
import { maintenanceWord } from "./maintenance.ts";
import type { Month, PastEntry } from "./months.ts";
import { daysOfMonth, monthAt, thisMonth } from "./months.ts";
import { shape } from "./shape.ts";
import { namesOf } from "./timeline.ts";
import { counting, tallyText } from "./uptime.ts";
import { fill } from "./words/fill.ts";
import type { Locale } from "./words/locale.ts";

/** @param asked "2026-11"; null for the month that is now. Null if there is no such month in the page's history. */
export function renderPast(view: FrameView, asked: string | null): string | null {
  const { snapshot, log, now, locale } = view;
  const { page, components } = snapshot;
  const found = monthAt(snapshot, log, asked ?? thisMonth(page.timeZone, now), now);
  if (found === null) return null;
  const { words } = locale;
  const name = monthName(found.month, locale);
  const main = markup`<div class="top"><p class="code">${words.pastLink}</p><h1 id="month">${name}</h1>${ways(found, locale)}</div>${entries(found, view)}${uptimeOf(components, found, locale)}${asked === null && kept(log, locale)}${counting(snapshot, now, locale)}`;
  return frame(view, {
    title: name,
    description: fill(words.pages.pastOf, { page: page.name, month: name }),
    status: null,
    path: asked === null ? "/history" : `/history/${found.month}`,
    main,
  });
}

/** How the promise of an early notice was kept; nothing where no maintenance began. */
function kept({ notice }: FrameView["log"], { words }: Locale): Html | null {
  const shares = (notice?.shares ?? []).filter(({ of }) => of > 0);
  if (notice === undefined || shares.length === 0) return null;
  return markup`<p>${shares.map(({ days, met, of }) => `${fill(words.pages.kept, { notice: notice.days, met, of, days })} `)}</p>`;
}

function ways({ before, after }: Month, locale: Locale): Html {
  const way = (month: string, rel: string): Html =>
    markup`<a href="${locale.base}/history/${month}" rel="${rel}">${monthName(month, locale)}</a>`;
  return markup`<nav class="ways" aria-labelledby="month">${before !== null && way(before, "prev")} ${after !== null && way(after, "next")}</nav>`;
}

function entries({ month, after, entries: all }: Month, { snapshot, now, locale }: FrameView): Html {
  if (all.length > 0)
    return markup`<ol class="past">${all.map((entry) => line(entry, snapshot.components, now, locale))}</ol>`;
  const { quietMonth, quietSoFar } = locale.words.pages;
  return markup`<p class="empty">${fill(after === null ? quietSoFar : quietMonth, { month: monthName(month, locale) })}</p>`;
}

/** What a line is drawn as, where it leads, and how it went. */
type Line = readonly [mark: ComponentStatus, path: string, words: string];

function line(entry: PastEntry, components: readonly PageComponent[], now: Millis, locale: Locale): Html {
  const [mark, path, words] =
    entry.kind === "incident" ? incidentLine(entry.it, now, locale) : maintenanceLine(entry.it, locale);
  const { name, components: ids, updates = [] } = entry.it;
  const names = namesOf(ids, components, updates);
  return markup`<li><p class="at">${dayName(entry.at, locale)}</p><h2>${shape(mark)}<a href="${locale.base}${path}"><bdi>${name}</bdi></a></h2><p>${words}${names.length > 0 && ` · ${names.join(", ")}`}</p></li>
`;
}

function incidentLine(incident: PageIncident, now: Millis, locale: Locale): Line {
  const { id, status, impact, startedAt, resolvedAt } = incident;
  const { openFor, resolvedAfter, stage } = locale.words.pages;
  const lasted = length((resolvedAt ?? now) - startedAt, locale);
  const words = fill(isUnresolved(incident) ? openFor : resolvedAfter, { status: stage[status], length: lasted });
  return [impactStatus(impact), `/incidents/${id}`, words];
}

function maintenanceLine(maintenance: PageMaintenance, locale: Locale): Line {
  const when = longSpan(maintenance.startsAt, maintenance.endsAt, locale);
  return ["under_maintenance", `/maintenance/${maintenance.id}`, `${maintenanceWord(maintenance, locale)} · ${when}`];
}

/** Each component's share of the month, of the days that are kept. */
function uptimeOf(components: readonly PageComponent[], { month, after }: Month, locale: Locale): Html {
  const { uptime, daysFrom, monthSoFar, notKept } = locale.words.pages;
  const kept = components.map(({ name, days }) => ({ name, days: daysOfMonth(days, month) }));
  const first = kept.flatMap(({ days }) => days.slice(0, 1).map(({ day }) => day)).toSorted()[0];
  if (first === undefined)
    return markup`<h2>${uptime}</h2><p class="empty">${fill(notKept, { month: monthName(month, locale) })}</p>`;
  const note = [
    !first.endsWith("-01") && fill(daysFrom, { day: shortDay(dayNumber(first), locale, locale.day) }),
    after === null && monthSoFar,
  ].filter((text) => text !== false);
  const rows = kept.map(({ name, days }) => {
    const tallies = days.map(({ ms }) => ms);
    const ratio = uptimeRatio(tallies);
    return markup`<tr><th scope="row"><bdi>${name}</bdi><small>${ratio === null ? locale.noData : tallyText(sumTallies(tallies), locale)}</small></th><td>${ratio === null ? "–" : uptimeText(ratio, locale)}</td></tr>`;
  });
  return markup`<h2>${uptime}</h2>${note.length > 0 && markup`<p class="note">${note.join(" · ")}</p>`}<table><tbody>${rows}</tbody></table>`;
}

function sumTallies(tallies: readonly DayTally["ms"][]): DayTally["ms"] {
  const sum: Partial<Record<ComponentStatus, number>> = {};
  for (const status of COMPONENT_STATUSES) {
    const spent = tallies.reduce((total, ms) => total + (ms[status] ?? 0), 0);
    if (spent > 0) sum[status] = spent;
  }
  return sum;
}
