/** `/incidents/:id`: one incident from its newest word back to its first. */
import type { PageIncident } from "../../protocol/page.ts";
import { isUnresolved } from "../../protocol/page.ts";
import type { Indicator } from "../../protocol/status.ts";
import { momentTag } from "./dates.ts";
import { length } from "./english.ts";
import type { FrameView } from "./frame.ts";
import { frame } from "./frame.ts";
import type { Html } from "./html.ts";
import { markup } from "./html.ts";
import { markdownText } from "./markdown.ts";
import { shape } from "./shape.ts";
import { IMPACT_SHAPES, namesOf, timeline } from "./timeline.ts";

export const INCIDENT_WORDS = {
  investigating: "Investigating",
  identified: "Identified",
  monitoring: "Monitoring",
  resolved: "Resolved",
  postmortem: "Postmortem",
} as const satisfies Record<PageIncident["status"], string>;

const IMPACT_WORDS = {
  none: "no impact",
  maintenance: "maintenance",
  minor: "minor impact",
  major: "major impact",
  critical: "critical impact",
} as const satisfies Record<Indicator, string>;

/** Characters of an update that a search engine or a card shows of a document. */
export const DESCRIPTION_CHARS = 200;

/** Null if there is no such incident. */
export function renderIncident(view: FrameView, id: string): string | null {
  const { log, snapshot, now } = view;
  const incident = log.incidents.find((one) => one.id === id);
  if (incident === undefined) return null;
  const { timeZone } = snapshot.page;
  const names = namesOf(incident.components, snapshot.components, incident.updates);
  const state = isUnresolved(incident) ? IMPACT_SHAPES[incident.impact] : "operational";
  const main = markup`<div class="top"><p class="code">Incident</p><h1>${shape(state)}${incident.name}</h1><p class="lead">${INCIDENT_WORDS[incident.status]} · ${IMPACT_WORDS[incident.impact]}</p></div>${facts(incident, names, now, timeZone)}<h2>Updates</h2>${timeline(incident.updates, INCIDENT_WORDS, timeZone)}`;
  return frame(view, {
    title: incident.name,
    description: [
      `${INCIDENT_WORDS[incident.status]}.`,
      markdownText(incident.updates[0]?.body ?? "").slice(0, DESCRIPTION_CHARS),
    ].join(" "),
    status: state,
    path: `/incidents/${id}`,
    main,
  });
}

function facts(incident: PageIncident, names: readonly string[], now: number, timeZone: string): Html {
  const { startedAt, resolvedAt } = incident;
  const lasted = length((resolvedAt ?? now) - startedAt);
  const end =
    resolvedAt === null
      ? markup`<div><dt>Still open</dt><dd>after ${lasted}</dd></div>`
      : markup`<div><dt>Resolved</dt><dd>${momentTag(resolvedAt, timeZone)}, after ${lasted}</dd></div>`;
  return markup`<dl><div><dt>Began</dt><dd>${momentTag(startedAt, timeZone)}</dd></div>${end}${names.length > 0 && markup`<div><dt>Affects</dt><dd>${names.join(", ")}</dd></div>`}</dl>`;
}
