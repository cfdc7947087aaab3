/** `/maintenance/:id`: when it is, what it touches, and what was said of it. */
import type { MaintenanceStatus, PageMaintenance } from "../../protocol/page.ts";
import type { ComponentStatus } from "../../protocol/status.ts";
import type { Millis } from "../../protocol/time.ts";
import { momentTag, spanTag } from "./dates.ts";
import { length } from "./english.ts";
import type { FrameView } from "./frame.ts";
import { frame } from "./frame.ts";
import { markup } from "./html.ts";
import { DESCRIPTION_CHARS } from "./incident.ts";
import { markdownText } from "./markdown.ts";
import { shape } from "./shape.ts";
import { namesOf, timeline } from "./timeline.ts";

const MAINTENANCE_WORDS = {
  scheduled: "Scheduled",
  in_progress: "In progress",
  verifying: "Verifying",
  completed: "Completed",
} as const satisfies Record<MaintenanceStatus, string>;

/** "Scheduled", or that it was called off. */
export function maintenanceWord({ status, cancelledAt }: PageMaintenance): string {
  return cancelledAt === undefined ? MAINTENANCE_WORDS[status] : "Cancelled";
}

/** Null if there is no such maintenance. */
export function renderMaintenancePage(view: FrameView, id: string): string | null {
  const { log, snapshot, now } = view;
  const maintenance = log.maintenances.find((one) => one.id === id);
  if (maintenance === undefined) return null;
  const { timeZone } = snapshot.page;
  const { name, startsAt, endsAt, cancelledAt, updates = [] } = maintenance;
  const names = namesOf(maintenance.components, snapshot.components, updates);
  const word = maintenanceWord(maintenance);
  const isOver = cancelledAt !== undefined || maintenance.status === "completed";
  const status: ComponentStatus = isOver ? "operational" : "under_maintenance";
  const main = markup`<div class="top"><p class="code">Maintenance</p><h1>${shape("under_maintenance")}${name}</h1><p class="lead">${word}${when(maintenance, isOver, now)}</p></div><dl><div><dt>${cancelledAt === undefined ? "When" : "Was planned for"}</dt><dd>${spanTag(startsAt, endsAt, timeZone)}${!isOver && markup`<br/><a href="/maintenance/${id}/event.ics">Add to calendar</a>`}</dd></div>${cancelledAt !== undefined && markup`<div><dt>Cancelled</dt><dd>${momentTag(cancelledAt, timeZone)}</dd></div>`}${names.length > 0 && markup`<div><dt>Affects</dt><dd>${names.join(", ")}</dd></div>`}</dl>${updates.length > 0 && markup`<h2>Updates</h2>${timeline(updates, MAINTENANCE_WORDS, timeZone)}`}`;
  return frame(view, {
    title: name,
    description: `${word}. ${markdownText(updates[0]?.body ?? "").slice(0, DESCRIPTION_CHARS)}`.trim(),
    status,
    path: `/maintenance/${id}`,
    main,
  });
}

/** How far it is, in the words of a page that is a few seconds old at most. */
function when({ startsAt, endsAt }: PageMaintenance, isOver: boolean, now: Millis): string {
  if (isOver) return "";
  if (now < startsAt) return ` · begins in ${length(startsAt - now)}`;
  return now < endsAt ? ` · ends in ${length(endsAt - now)}` : " · its planned end has passed";
}
