/** What the admin's pages of incidents show alike. */
import type { IncidentStatus } from "../../../protocol/page.ts";
import type { ComponentStatus, Indicator } from "../../../protocol/status.ts";
import { impactStatus } from "../../../protocol/status.ts";
import { MINUTE } from "../../../protocol/time.ts";
import type { Millis } from "../../../protocol/time.ts";
import { length, moment, statusWord } from "../english.ts";
import type { Html } from "../html.ts";
import { markup } from "../html.ts";
import { renderMarkdown } from "../markdown.ts";
import { shape } from "../shape.ts";
import { age, marked, segment, table } from "./elements.ts";
import type { AdminUpdateModel, IncidentSummary } from "./incident-model.ts";
import type { AdminFrame } from "./model.ts";

/** Visitors wait for a word after that. */
const SILENT_MS = 30 * MINUTE;

export function isOver({ status }: { readonly status: IncidentStatus }): boolean {
  return status === "resolved" || status === "postmortem";
}

export function incidentPath(id: string): string {
  return `/admin/incidents/${segment(id)}`;
}

export function incidentLink({ id, name }: Pick<IncidentSummary, "id" | "name">): Html {
  return markup`<a href="${incidentPath(id)}">${name}</a>`;
}

/** An incident that is open is not well, also where nothing was said of a component. */
export function openMark(impact: Indicator): ComponentStatus {
  return impact === "none" ? "unknown" : impactStatus(impact);
}

/** "◆ identified · major" */
export function incidentMark({ status, impact }: Pick<IncidentSummary, "status" | "impact">): Html {
  return marked(isOver({ status }) ? "operational" : openMark(impact), `${status} · ${impact}`);
}

/** What an operator does next, and why. */
export function nextAction(incident: IncidentSummary, { now, timeZone }: AdminFrame): string {
  const { status, saidAt, reminder } = incident;
  if (reminder !== null && reminder.at <= now) return `An update is due since ${moment(reminder.at, now, timeZone)}.`;
  if (now - saidAt >= SILENT_MS) return `Nothing was said for ${length(now - saidAt)}: post an update.`;
  if (status === "monitoring") return "Resolve it once it stays well.";
  return status === "identified" ? "Say when it is mended." : "Say what you found.";
}

export function isDue({ reminder, saidAt }: IncidentSummary, now: Millis): boolean {
  return (reminder !== null && reminder.at <= now) || now - saidAt >= SILENT_MS;
}

export function openTable(list: readonly IncidentSummary[], frame: AdminFrame): Html {
  return table({
    caption: "Open incidents",
    head: ["Incident", "State", "Began", "Last word", "Next"],
    rows: list.map((one) => [
      incidentLink(one),
      incidentMark(one),
      age(one.startedAt, frame),
      age(one.saidAt, frame),
      markup`${isDue(one, frame.now) ? marked("degraded_performance", nextAction(one, frame)) : nextAction(one, frame)} <a href="${incidentPath(one.id)}#update">Post an update</a>`,
    ]),
    empty: "No incident is open.",
  });
}

/** What was said at one moment, as an operator reads it; `more` stands below. */
export function updateEntry(update: AdminUpdateModel, frame: AdminFrame, more: Html | null = null): Html {
  const { id, status, body, by, displayAt, createdAt, updatedAt, affected } = update;
  const { now, timeZone } = frame;
  const written = Math.abs(createdAt - displayAt) >= MINUTE ? `, written ${moment(createdAt, now, timeZone)}` : "";
  const edited = updatedAt - createdAt >= MINUTE ? `, edited ${moment(updatedAt, now, timeZone)}` : "";
  const turns = affected.filter(({ from, to }) => from !== to);
  return markup`<li id="u-${id}"><h3>${status}</h3><p class="soft">${age(displayAt, frame)} · ${by}${written}${edited}</p><div class="md">${renderMarkdown(body)}</div>${turns.length > 0 && markup`<ul class="turns">${turns.map(({ name, from, to }) => markup`<li>${name}: ${shape(from)} ${statusWord(from)} → ${shape(to)} ${statusWord(to)}</li>`)}</ul>`}${more}</li>
`;
}
