import type { Html } from "../html.ts";
import { markup } from "../html.ts";
import { age, marked, segment } from "./elements.ts";
import type { AdminFrame, DraftModel } from "./model.ts";
import { clusterLink } from "./parts.ts";
import { moment } from "../english.ts";

/** What alerts and the evidence made, to be published or dismissed. Nothing where there is none. */
export function drafts(list: readonly DraftModel[], frame: AdminFrame): Html | null {
  if (list.length === 0) return null;
  return markup`<section class="needs" id="drafts"><h2>Drafts of incidents</h2>
<p>Alerts and what the services report made these. Visitors see none of it until you publish one.</p>
<ul>${list.map((draft) => markup`<li>${one(draft, frame)}</li>`)}</ul></section>`;
}

function one(draft: DraftModel, frame: AdminFrame): Html {
  const { id, title, cluster, components, cause } = draft;
  const path = `/admin/drafts/${segment(id)}`;
  return markup`${marked(draft.endedAt === null ? "partial_outage" : "operational", markup`<a href="${path}"><b>${title}</b></a>, ${cluster !== "" && markup`in ${clusterLink(cluster)} `}since ${age(draft.startedAt, frame)}. ${lasting(draft, frame)}`)}
<p>${cause}</p>
<p>${components.map(({ name, status }) => marked(status, `${name}: ${status.replaceAll("_", " ")} `))}</p>
<div class="actions"><a class="secondary" href="${path}">Look at it and post it</a></div>`;
}

/** How far its alerts, or the trouble itself, go on. */
export function lasting(draft: DraftModel, { now, timeZone }: AdminFrame): string {
  const { cluster, firing, ended, endedAt, unconfirmedSince } = draft;
  if (cluster === "")
    return endedAt === null ? "No incident says so." : `All is well again since ${moment(endedAt, now, timeZone)}.`;
  if (endedAt !== null) return `All ${ended} of its alerts are over since ${moment(endedAt, now, timeZone)}.`;
  const alerts = firing === 1 ? "1 alert fires." : `${firing} alerts fire.`;
  if (unconfirmedSince === null) return alerts;
  return `${alerts} Nobody has confirmed that since ${moment(unconfirmedSince, now, timeZone)}.`;
}
