import type { Html } from "../html.ts";
import { markup } from "../html.ts";
import { delayText } from "./archive.ts";
import { adminDocument } from "./document.ts";
import { drafts } from "./drafts.ts";
import { age, marked, table } from "./elements.ts";
import type { AdminFrame, AdminHomeModel, MaintenanceModel, PendingKeyModel } from "./model.ts";
import { clusterLink, heard, maintenanceChange, maintenanceLink, standingMark } from "./parts.ts";
import { clusterPath } from "./fleet-parts.ts";
import { openTable } from "./incident-parts.ts";
import { isOpen, standing } from "./steps.ts";
import { moment } from "../english.ts";

export function renderAdminHome(model: AdminHomeModel, frame: AdminFrame): string {
  return adminDocument(
    frame,
    "/admin",
    "Home",
    markup`${report(model)}
${model.incidents.length > 0 && markup`<h2>Open incidents</h2>${openTable(model.incidents, frame)}`}
${needs(model, frame)}
${drafts(model.drafts, frame)}
<h2>Clusters</h2>
${clusters(model)}
<h2>Maintenances</h2>
${maintenances(model.maintenances, frame)}`,
  );
}

/** What an operator comes for at night. The form has what is unwell chosen already. */
function report({ uncovered }: AdminHomeModel): Html {
  const named = uncovered.slice(0, 5);
  const rest = uncovered.length - named.length;
  return markup`<p class="actions"><a class="primary" href="/admin/incidents/new">Report an incident</a> <a class="secondary" href="/admin/maintenance/new">Start maintenance</a> <a href="/admin/services">Publish services</a></p>
${named.length > 0 && markup`<p class="unwell">Unwell, and no incident says so: ${named.map(({ name, status }) => markup`${marked(status, `${name}, ${status.replaceAll("_", " ")}`)} `)}${rest > 0 && `and ${rest} more`}</p>`}`;
}

/** What a human has to look at now, heaviest first. */
function needs(model: AdminHomeModel, frame: AdminFrame): Html {
  const { now, timeZone } = frame;
  const open = model.maintenances.filter((m) => isOpen(m, now));
  const troubled = open.filter((m) => ["refused", "overtaken"].includes(standing(m, now)));
  const items: Html[] = [
    ...model.pendingKeys.map((key) => pendingKey(key, frame)),
    ...troubled.map((m) =>
      marked("major_outage", maintenanceLink(m), ` in ${m.cluster}: ${m.result?.reason ?? "refused"}`),
    ),
    ...model.drafts
      .filter(({ endedAt }) => endedAt === null)
      .map(({ title }) => marked("partial_outage", markup`<a href="#drafts">${title}</a>: a draft waits for you.`)),
    ...model.clusters
      .filter((cluster) => cluster.state === "silent")
      .map((cluster) =>
        marked("unknown", clusterLink(cluster.name), markup` is silent. Last push `, heard(cluster, frame)),
      ),
    ...model.clusters.flatMap((cluster) =>
      cluster.sources
        .filter((source) => source.state !== "ok" && cluster.state === "reporting")
        .map((source) =>
          marked(
            source.state === "down" ? "major_outage" : "degraded_performance",
            clusterLink(cluster.name),
            `: ${source.name} is ${source.state}. ${source.detail ?? ""}`,
          ),
        ),
    ),
    ...model.plans.map(({ id, name, startsAt }) =>
      marked(
        "under_maintenance",
        maintenanceLink({ id, name }),
        startsAt > now ? ` begins at ${moment(startsAt, now, timeZone)}.` : " is under way.",
      ),
    ),
    ...open
      .filter((m) => !troubled.includes(m))
      .map((m) =>
        marked(
          "under_maintenance",
          maintenanceLink(m),
          ` is open in ${m.cluster} until ${moment(m.endsAt, now, timeZone)}.`,
        ),
      ),
  ];
  const { inbox = 0 } = frame;
  if (inbox > 0 && model.components > 0)
    items.push(
      marked(
        "unknown",
        markup`${inbox === 1 ? "A new service waits" : `${inbox} new services wait`}. <a href="/admin/services/inbox">Publish or ignore</a>`,
      ),
    );
  if (model.archive !== null) items.push(delayText(model.archive, frame));
  if (model.components === 0 && model.clusters.some((cluster) => cluster.services > 0)) {
    items.push(marked("unknown", markup`The public page is empty. <a href="/admin/services">Publish services</a>`));
  }
  return markup`<section class="needs"><h2>Needs you now</h2>${items.length === 0 ? marked("operational", "Nothing.") : markup`<ul>${items.map((item) => markup`<li>${item}</li>`)}</ul>`}</section>`;
}

function pendingKey({ cluster, requestedAt }: PendingKeyModel, frame: AdminFrame): Html {
  return marked(
    "unknown",
    markup`An agent asks to speak for ${clusterLink(cluster)} since ${age(requestedAt, frame)}. <a href="${clusterPath(cluster, "keys")}">Compare its fingerprint</a>`,
  );
}

/** How many speak; the trouble of each is said above. */
function clusters({ clusters: list }: AdminHomeModel): Html {
  if (list.length === 0)
    return markup`<p class="empty">No cluster yet. <a href="/admin/clusters/new">Let one join</a>: an agent in it tells what its mesh sees.</p>`;
  const reporting = list.filter(({ state }) => state === "reporting").length;
  return markup`<p>${reporting} of ${list.length} ${list.length === 1 ? "cluster reports" : "clusters report"}. <a href="/admin/clusters">Clusters and their agents</a></p>`;
}

function maintenances(list: readonly MaintenanceModel[], frame: AdminFrame): Html {
  const sorted = list.toSorted(
    (a, b) => Number(isOpen(b, frame.now)) - Number(isOpen(a, frame.now)) || b.startsAt - a.startsAt,
  );
  return table({
    caption: "Maintenances",
    head: ["Maintenance", "State", "Target", "Change", "From", "Until", "By"],
    rows: sorted.map((m) => [
      maintenanceLink(m),
      standingMark(m, frame),
      `${m.cluster}/${m.service}`,
      maintenanceChange(m),
      moment(m.startsAt, frame.now, frame.timeZone),
      moment(m.endedAt ?? m.endsAt, frame.now, frame.timeZone),
      m.by,
    ]),
    empty: markup`No maintenance yet. <a href="/admin/maintenance/new">Start one</a> when a deployment needs it.`,
  });
}
