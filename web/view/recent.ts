/**
 * The last two weeks below the components, day by day, and each run of quiet days as one line. What is still open has
 * its words at the top of the page, and its name here: its day was not without.
 */
import type { PageIncident, PageMaintenance, PageSnapshot } from "../../protocol/page.ts";
import { isUnresolved } from "../../protocol/page.ts";
import { impactStatus } from "../../protocol/status.ts";
import type { Millis } from "../../protocol/time.ts";
import { DAY } from "../../protocol/time.ts";
import { dayName, length, span } from "./format.ts";
import { today } from "./history.ts";
import type { Html } from "./html.ts";
import { markup } from "./html.ts";
import { markdownText } from "./markdown.ts";
import { shape } from "./shape.ts";
import { fill } from "./words/fill.ts";
import type { Locale } from "./words/locale.ts";

const DAYS = 14;
/** Of what was said last: about three lines. Its own page has all of it. */
const TEXT_CHARS_MAX = 240;

interface Past {
  readonly day: number;
  /** The last day that it reached into: no day between is called quiet. */
  readonly until: number;
  readonly html: Html;
}

/** Null where nobody knows: a version before this one wrote down no incidents. */
export function recentDays({ incidents, maintenances, page }: PageSnapshot, now: Millis, locale: Locale): Html | null {
  if (incidents === undefined) return null;
  const { timeZone, words } = locale;
  const past = [
    ...incidents.map((one) => pastIncident(one, now, locale)),
    ...maintenances.filter(({ status }) => status === "completed").map((one) => pastMaintenance(one, locale)),
  ];
  const last = today(now, timeZone);
  // Before it began nobody looked, but another page may have: what it told was taken over.
  const began = today(page.createdAt, timeZone);
  const lines: Html[] = [];
  let quiet = 0;
  const endRun = (day: number): void => {
    if (quiet > 0) lines.push(line(daysTitle(day + quiet, day + 1, locale), markup`<p>${words.noIncidents}</p>`));
    quiet = 0;
  };
  for (let day = last; day > last - DAYS; day--) {
    const found = past.filter((one) => one.day === day);
    if (day >= began && !past.some((one) => one.day <= day && day <= one.until)) {
      quiet++;
      continue;
    }
    endRun(day);
    if (found.length > 0) lines.push(line(daysTitle(day, day, locale), markup`${found.map(({ html }) => html)}`));
  }
  endRun(last - DAYS);
  return markup`<section id="past"><h2>${words.pastIncidents}</h2>${lines}<p><a href="${locale.base}/history">${words.allOfHistory}</a></p></section>`;
}

/** "Mon 23 Nov – Fri 20 Nov", newest first as everything here. */
function daysTitle(newest: number, oldest: number, locale: Locale): string {
  const title = (day: number): string => dayName(day * DAY, { ...locale, timeZone: "UTC" });
  return newest === oldest ? title(newest) : `${title(newest)} – ${title(oldest)}`;
}

function line(days: string, told: Html): Html {
  return markup`<div><h3>${days}</h3><div>${told}</div></div>`;
}

/** One that is open is told in full above; here it keeps its day from looking quiet. */
function pastIncident(incident: PageIncident, now: Millis, locale: Locale): Past {
  const { id, name, impact, startedAt, resolvedAt, status, updates } = incident;
  const { words, timeZone } = locale;
  const times =
    resolvedAt !== null &&
    ` ${span(startedAt, resolvedAt, startedAt, locale)} · ${fill(words.lasted, { length: length(resolvedAt - startedAt, locale) })}`;
  const text = isUnresolved(incident) ? "" : markdownText(updates[0]?.body ?? "");
  const shown = text.length > TEXT_CHARS_MAX ? `${text.slice(0, TEXT_CHARS_MAX).trimEnd()}…` : text;
  return {
    day: today(startedAt, timeZone),
    until: today(resolvedAt ?? now, timeZone),
    html: markup`<p>${shape(impactStatus(impact))}<a href="${locale.base}/incidents/${id}">${name}</a></p><p class="at"><b>${words.pages.stage[status]}</b>${times}</p>${shown !== "" && markup`<p>${shown}</p>`}`,
  };
}

function pastMaintenance({ id, name, startsAt, endsAt }: PageMaintenance, locale: Locale): Past {
  const { words, timeZone } = locale;
  return {
    day: today(startsAt, timeZone),
    until: today(endsAt, timeZone),
    html: markup`<p>${shape("under_maintenance")}<a href="${locale.base}/maintenance/${id}">${name}</a></p><p class="at"><b>${words.pages.stage.completed}</b> ${span(startsAt, endsAt, startsAt, locale)}</p>`,
  };
}
