/** What happened in the clusters, newest first, a page at a time. */
import type { Millis } from "../../../protocol/time.ts";
import type { Html } from "../html.ts";
import { markup, trusted } from "../html.ts";
import { moment } from "../english.ts";
import { adminDocument } from "./document.ts";
import { age, faultOf, invalid, marked, table } from "./elements.ts";
import { EVENT_GROUPS, EVENT_WORDS } from "./event-words.ts";
import type { EventModel, EventsModel } from "./fleet-model.ts";
import { clusterTabs } from "./fleet-parts.ts";
import type { AdminFrame } from "./model.ts";
import { clusterLink } from "./parts.ts";

export function renderEvents(model: EventsModel, frame: AdminFrame): string {
  const cluster = model.form.values.cluster ?? "";
  return adminDocument(
    frame,
    cluster === "" ? "/admin/events" : "/admin/clusters",
    cluster === "" ? "Events" : `Events of ${cluster}`,
    markup`${model.clusters.includes(cluster) && clusterTabs(cluster, "Events")}${filter(model)}
${events(model, frame)}${pages(model)}`,
  );
}

function filter({ form: { values, faults }, clusters, components }: EventsModel): Html {
  const groups = Object.entries(EVENT_GROUPS).map(([id, { word }]) => [id, word] as const);
  return markup`<form class="filters" method="get" action="/admin/events">
${choice(
  "cluster",
  "Cluster",
  "all",
  clusters.map((name) => [name, name]),
  values.cluster,
)}
${choice("kind", "What", "all that matters", groups, values.kind)}
${choice(
  "component",
  "Component",
  "all",
  components.map(({ id, name }) => [id, name]),
  values.component,
)}
${(["from", "until"] as const).map(
  (
    field,
  ) => markup`<div class="field"><label for="${field}">${field === "from" ? "From" : "Until"} (UTC)</label><input id="${field}" name="${field}" type="datetime-local" value="${values[field] ?? ""}"${invalid(faults, field, `fault-${field}`)}>${faultOf(faults, field, `fault-${field}`)}</div>
`,
)}<p class="actions"><button class="secondary">Show</button> <a href="/admin/events">Show all</a></p>${faultOf(faults, null, "fault-form")}</form>`;
}

function choice(
  name: string,
  word: string,
  all: string,
  options: readonly (readonly [string, string])[],
  chosen = "",
): Html {
  return markup`<div class="field"><label for="${name}">${word}</label><select id="${name}" name="${name}"><option value="">${all}</option>${options.map(([value, text]) => markup`<option value="${value}"${value === chosen && trusted(" selected")}>${text}</option>`)}</select></div>
`;
}

function events({ events: list, form }: EventsModel, frame: AdminFrame): Html {
  if (list === null)
    return markup`<p class="empty">${marked("unknown", "History cannot be read: Postgres does not answer, or took too long. Narrow it down, or ask again in a minute; nothing else here needs it.")}</p>`;
  const isNarrow = Object.values(form.values).some((value) => value !== "");
  const ofOne = (form.values.cluster ?? "") !== "";
  return table({
    caption: "Events",
    head: ["What", ...(ofOne ? [] : ["Cluster"]), "Of", "When", "Facts"],
    rows: list.map((event) => [
      EVENT_WORDS[event.kind],
      ...(ofOne ? [] : [clusterLink(event.cluster)]),
      event.subject,
      age(event.at, frame),
      markup`<small>${eventFacts(event, frame)}</small>`,
    ]),
    empty: isNarrow
      ? "Nothing of this kind happened then. Facts travel to the archive for up to a minute."
      : "No event yet: certificates, crash loops, anomalies and what became of leases appear here.",
  });
}

/** Numbers from this on are moments; no count or size of an event comes near. */
const MOMENT_MIN = 1_000_000_000_000;

/** Facts that are read at a glance; the rest are there for whoever wants them. */
const FACTS_SHOWN = 4;

/** The agent's own sentence where it has one: the numbers are in it. */
function eventFacts({ body }: EventModel, { now, timeZone }: AdminFrame): Html | string {
  if (typeof body["says"] === "string") return body["says"];
  const facts = Object.entries(body)
    .filter(([, value]) => value !== null)
    .map(([key, value]) => `${key} ${factText(value, now, timeZone)}`);
  const [first, rest] = [facts.slice(0, FACTS_SHOWN).join(" · "), facts.slice(FACTS_SHOWN)];
  if (rest.length === 0) return first;
  return markup`${first}<details class="facts"><summary>${rest.length} more</summary>${rest.join(" · ")}</details>`;
}

function factText(value: unknown, now: Millis, timeZone: string): string {
  if (typeof value === "number" && value >= MOMENT_MIN) return moment(value, now, timeZone);
  return typeof value === "string" ? value : JSON.stringify(value);
}

function pages({ newer, older }: EventsModel): Html | null {
  if (newer === null && older === null) return null;
  return markup`<nav class="pages" aria-label="More events">${newer !== null && markup`<a class="secondary" rel="prev" href="${newer}">Newer</a> `}${older !== null && markup`<a class="secondary" rel="next" href="${older}">Older</a>`}</nav>`;
}
