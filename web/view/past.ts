/** `/history` and `/history/2026-11`: what happened in a month, and what it left of the uptime. */
import type { DayTally, PageComponent, PageIncident, PageMaintenance } from "../../protocol/page.ts";
import { isUnresolved } from "../../protocol/page.ts";
import type { ComponentStatus } from "../../protocol/status.ts";
import { COMPONENT_STATUSES } from "../../protocol/status.ts";
import type { Millis } from "../../protocol/time.ts";
import { uptimeRatio } from "../../protocol/uptime.ts";
import { dayOfMonth, longSpan, monthName } from "./dates.ts";
import { length, uptimeText } from "./english.ts";
import { shortDay } from "./format.ts";
import type { FrameView } from "./frame.ts";
import { frame } from "./frame.ts";
import { dayNumber } from "./history.ts";
import type { Html } from "./html.ts";
import { markup } from "./html.ts";
import { INCIDENT_WORDS } from "./incident.ts";
import { maintenanceWord } from "./maintenance.ts";
import type { Month, PastEntry } from "./months.ts";
import { daysOfMonth, monthAt, thisMonth } from "./months.ts";
import { shape } from "./shape.ts";
import { IMPACT_SHAPES, namesOf } from "./timeline.ts";
import { tallyText } from "./uptime.ts";
import type { LiveLocale } from "./words/locale.ts";

/** @param asked "2026-11"; null for the month that is now. Null if there is no such month in the page's history. */
export function renderPast(view: FrameView, asked: string | null): string | null {
  const { snapshot, log, now } = view;
  const { page, components } = snapshot;
  const found = monthAt(snapshot, log, asked ?? thisMonth(page.timeZone, now), now);
  if (found === null) return null;
  const name = monthName(found.month);
  const main = markup`<div class="top"><p class="code">History</p><h1>${name}</h1>${ways(found)}</div>${entries(found, view)}${uptimeOf(components, found, view.locale)}`;
  return frame(view, {
    title: name,
    description: `${page.name}: what happened in ${name}.`,
    status: "operational",
    path: asked === null ? "/history" : `/history/${found.month}`,
    main,
  });
}

function ways({ before, after }: Month): Html {
  const way = (month: string, word: string): Html =>
    markup`<a href="/history/${month}" rel="${word}">${monthName(month)}</a>`;
  return markup`<nav class="ways">${before !== null && way(before, "prev")} ${after !== null && way(after, "next")}</nav>`;
}

function entries({ month, after, entries: all }: Month, { snapshot, now }: FrameView): Html {
  if (all.length > 0)
    return markup`<ol class="past">${all.map((entry) => line(entry, snapshot.components, now, snapshot.page.timeZone))}</ol>`;
  return markup`<p class="empty">No incident and no maintenance in ${monthName(month)}${after === null && " so far"}.</p>`;
}

/** What a line is drawn as, where it leads, and how it went. */
type Line = readonly [mark: ComponentStatus, href: string, words: string];

function line(entry: PastEntry, components: readonly PageComponent[], now: Millis, timeZone: string): Html {
  const [mark, href, words] =
    entry.kind === "incident" ? incidentLine(entry.it, now) : maintenanceLine(entry.it, timeZone);
  const { name, components: ids, updates = [] } = entry.it;
  const names = namesOf(ids, components, updates);
  return markup`<li><p class="at">${dayOfMonth(entry.at, timeZone)}</p><h3>${shape(mark)}<a href="${href}">${name}</a></h3><p>${words}${names.length > 0 && ` · ${names.join(", ")}`}</p></li>
`;
}

function incidentLine(incident: PageIncident, now: Millis): Line {
  const { id, status, impact, startedAt, resolvedAt } = incident;
  const lasted = length((resolvedAt ?? now) - startedAt);
  const words = isUnresolved(incident) ? `${INCIDENT_WORDS[status]}, open for ${lasted}` : `Resolved after ${lasted}`;
  return [IMPACT_SHAPES[impact], `/incidents/${id}`, words];
}

function maintenanceLine(maintenance: PageMaintenance, timeZone: string): Line {
  const when = longSpan(maintenance.startsAt, maintenance.endsAt, timeZone);
  return ["under_maintenance", `/maintenance/${maintenance.id}`, `${maintenanceWord(maintenance)} · ${when}`];
}

/** Each component's share of the month, of the days that are kept. */
function uptimeOf(components: readonly PageComponent[], { month, after }: Month, locale: LiveLocale): Html {
  const kept = components.map(({ name, days }) => ({ name, days: daysOfMonth(days, month) }));
  const first = kept.flatMap(({ days }) => days.slice(0, 1).map(({ day }) => day)).toSorted()[0];
  if (first === undefined)
    return markup`<h2>Uptime</h2><p class="empty">No day of ${monthName(month)} is kept: uptime by day goes back 90 days.</p>`;
  const note = [
    !first.endsWith("-01") && `Of the days from ${shortDay(dayNumber(first), locale, locale.day)} on.`,
    after === null && "This month so far.",
  ].filter((text) => text !== false);
  const rows = kept.map(({ name, days }) => {
    const tallies = days.map(({ ms }) => ms);
    const ratio = uptimeRatio(tallies);
    return markup`<tr><th scope="row">${name}<small>${ratio === null ? "no data" : tallyText(sumTallies(tallies), locale)}</small></th><td>${ratio === null ? "–" : uptimeText(ratio)}</td></tr>`;
  });
  return markup`<h2>Uptime</h2>${note.length > 0 && markup`<p class="note">${note.join(" ")}</p>`}<table><tbody>${rows}</tbody></table>`;
}

function sumTallies(tallies: readonly DayTally["ms"][]): DayTally["ms"] {
  const sum: Partial<Record<ComponentStatus, number>> = {};
  for (const status of COMPONENT_STATUSES) {
    const spent = tallies.reduce((total, ms) => total + (ms[status] ?? 0), 0);
    if (spent > 0) sum[status] = spent;
  }
  return sum;
}
