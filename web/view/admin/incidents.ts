import { length, moment } from "../english.ts";
import type { Html } from "../html.ts";
import { markup } from "../html.ts";
import { adminDocument } from "./document.ts";
import { marked, table } from "./elements.ts";
import type { IncidentsModel, IncidentSummary } from "./incident-model.ts";
import { incidentLink, incidentMark, openTable } from "./incident-parts.ts";
import type { AdminFrame } from "./model.ts";

/** `/admin/incidents`: what is open, then what is over, newest first. */
export function renderIncidents(model: IncidentsModel, frame: AdminFrame): string {
  return adminDocument(
    frame,
    "/admin/incidents",
    "Incidents",
    markup`<p class="actions"><a class="primary" href="/admin/incidents/new">Report an incident</a> <a class="secondary" href="/admin/templates">Templates</a></p>
${model.unarchived !== null && waiting(model.unarchived, frame)}
<h2>Open</h2>
${openTable(model.open, frame)}
<h2>Past</h2>
${past(model.past, frame)}
${pager(model)}`,
  );
}

/** Names of those that wait; the archive's own page has the rest. */
const NAMED_MAX = 3;

function waiting({ names, since }: NonNullable<IncidentsModel["unarchived"]>, { now, timeZone }: AdminFrame): Html {
  const more = names.length - NAMED_MAX;
  const which = `${names.slice(0, NAMED_MAX).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
  return markup`<p>${marked("degraded_performance", markup`Not in Postgres yet, since ${moment(since, now, timeZone)}: ${which}. Nothing is lost: visitors have it, and it is sent when <a href="/admin/archive">the archive</a> takes it.`)}</p>`;
}

function past(list: readonly IncidentSummary[], { now, timeZone }: AdminFrame): Html {
  return table({
    caption: "Past incidents",
    head: ["Incident", "State", "Began", "Lasted", "Components"],
    rows: list.map((one) => [
      incidentLink(one),
      incidentMark(one),
      moment(one.startedAt, now, timeZone),
      one.resolvedAt === null ? "–" : length(one.resolvedAt - one.startedAt),
      one.components.length === 0 ? "–" : one.components.join(", "),
    ]),
    empty: "None yet. What is resolved stands here.",
  });
}

function pager({ page, pages }: IncidentsModel): Html | null {
  if (pages <= 1) return null;
  const link = (to: number, word: string): Html | false =>
    to >= 1 && to <= pages && markup`<a href="/admin/incidents?page=${to}">${word}</a> `;
  return markup`<nav aria-label="Pages" class="pager">${link(page - 1, "Newer")}<span class="soft">Page ${page} of ${pages}</span> ${link(page + 1, "Older")}</nav>`;
}
