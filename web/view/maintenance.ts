/** `/maintenance/:id`: when it is, what it touches, and what was said of it. */
import type { PageMaintenance } from "../../protocol/page.ts";
import { momentTag, spanTag } from "./dates.ts";
import { length } from "./format.ts";
import type { FrameView } from "./frame.ts";
import { frame } from "./frame.ts";
import type { Html } from "./html.ts";
import { markup } from "./html.ts";
import { DESCRIPTION_CHARS } from "./incident.ts";
import { markdownText } from "./markdown.ts";
import { shape } from "./shape.ts";
import { affectedFact, fact, timeline } from "./timeline.ts";
import { fill } from "./words/fill.ts";
import type { Locale } from "./words/locale.ts";

/** "Scheduled", or that it was called off. */
export function maintenanceWord({ status, cancelledAt }: PageMaintenance, { words }: Locale): string {
  return words.pages.stage[cancelledAt === undefined ? status : "cancelled"];
}

/** Null if there is no such maintenance. */
export function renderMaintenancePage(view: FrameView, id: string): string | null {
  const { log, snapshot, locale } = view;
  const maintenance = log.maintenances.find((one) => one.id === id);
  if (maintenance === undefined) return null;
  const { name, components, updates = [] } = maintenance;
  const word = maintenanceWord(maintenance, locale);
  const main = markup`<div class="top"><p class="code">${maintenance.emergency === true ? locale.words.pages.emergency : locale.words.pages.maintenance}</p><h1>${shape("under_maintenance")}<bdi>${name}</bdi></h1><p class="lead">${word}${progress(maintenance, view)}</p></div><dl>${moments(maintenance, locale)}${confirmed(maintenance, locale)}${affectedFact(components, snapshot.components, updates, locale)}</dl>${timeline(updates, locale)}`;
  return frame(view, {
    title: name,
    description: `${word}. ${markdownText(updates[0]?.body ?? "").slice(0, DESCRIPTION_CHARS)}`.trim(),
    status: isOver(maintenance) ? null : "under_maintenance",
    path: `/maintenance/${id}`,
    main,
  });
}

function isOver({ status, cancelledAt }: PageMaintenance): boolean {
  return cancelledAt !== undefined || status === "completed";
}

/** How far it is, in the words of a page that is a few seconds old at most. */
function progress(maintenance: PageMaintenance, { now, locale }: FrameView): string {
  const { startsAt, endsAt } = maintenance;
  const { beginsIn, endsIn, overdue } = locale.words.pages;
  // The work is done: its planned end says nothing any more.
  if (isOver(maintenance) || maintenance.status === "verifying") return "";
  if (now < startsAt) return ` · ${fill(beginsIn, { length: length(startsAt - now, locale) })}`;
  return ` · ${now < endsAt ? fill(endsIn, { length: length(endsAt - now, locale) }) : overdue}`;
}

/** Clusters are counted and never named. */
function confirmed({ clusters }: PageMaintenance, { words }: Locale): Html | null {
  if (clusters === undefined) return null;
  return fact(words.pages.statusNow, fill(words.pages.clusters, { n: clusters.confirmed, of: clusters.of }));
}

function moments(maintenance: PageMaintenance, locale: Locale): Html {
  const { id, startsAt, endsAt, cancelledAt } = maintenance;
  const { pages } = locale.words;
  const span = spanTag(startsAt, endsAt, locale);
  if (cancelledAt !== undefined)
    return markup`${fact(pages.wasPlanned, span)}${fact(pages.stage.cancelled, momentTag(cancelledAt, locale))}`;
  const take = markup`<br/><a href="/maintenance/${id}/event.ics">${pages.addToCalendar}</a>`;
  return fact(pages.when, markup`${span}${!isOver(maintenance) && take}`);
}
