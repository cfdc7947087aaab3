import type { ComponentStatus } from "../../../protocol/status.ts";
import type { Html } from "../html.ts";
import { markup } from "../html.ts";
import { componentForm } from "./component-form.ts";
import { adminDocument } from "./document.ts";
import { age, button, marked, segment, table } from "./elements.ts";
import type { AdminFrame, ComponentNewModel, ComponentPageModel, OutsideModel } from "./model.ts";
import { target } from "./uptime.ts";
import { clusterLink, READING_HEAD, readingCells } from "./parts.ts";
import { quantileText, ratioText, statusWord } from "../english.ts";

/** What is said of a component and why; then the form that changes it, a section for each of its subjects. */
export function renderComponent(model: ComponentPageModel, frame: AdminFrame): string {
  const { id, name, group, hidden } = model;
  const action = `/admin/components/${segment(id)}`;
  return adminDocument(
    frame,
    "/admin/components",
    group === null ? name : `${group}: ${name}`,
    markup`<p class="soft">${hidden ? "Hidden: known to operators only." : markup`<a href="/components/${segment(id)}">As visitors see it</a>`}</p>
${verdict(model)}
${clusters(model, frame)}
<h2>Services</h2>
${services(model, frame)}
${outside(model, frame)}
<h2>Uptime</h2>
${model.slo !== null && markup`<p>${target(model.slo)}</p>`}
<p><a href="${action}/uptime">Figures, frozen days and corrections</a></p>
<h2>Settings</h2>
${componentForm(model.settings)}
<details class="danger"><summary>Delete ${name}</summary><p>It and its history leave the public page at once. What only should not be seen can be hidden above.</p>${button(`${action}/remove`, `Delete ${name}`, {}, "danger")}</details>`,
  );
}

function verdict({ status, why, reason, disagreement }: ComponentPageModel): Html {
  return markup`<section class="needs"><h2>Now</h2>${marked(
    status,
    markup`<b>${statusWord(status)}</b><br>${reason}`,
    why !== null && markup`<br><small>Visitors read: ${why}</small>`,
    disagreement !== null && markup`<br>The clusters disagree: ${disagreement}.`,
  )}</section>`;
}

const OUTSIDE_MARKS: Record<OutsideModel["state"], readonly [ComponentStatus, string]> = {
  well: ["operational", "answers"],
  slow: ["degraded_performance", "answers slowly"],
  failing: ["partial_outage", "does not answer as it should"],
  unknown: ["unknown", "not known"],
};

/** The other side of the mesh's own evidence: which of the two fails is the first question of an incident. */
function outside({ outside: seen }: ComponentPageModel, frame: AdminFrame): Html | null {
  if (seen === null) return null;
  const [status, word] = OUTSIDE_MARKS[seen.state];
  return markup`<section><h2>From outside</h2>${marked(status, markup`<b>${word}</b>: ${seen.reason}`)}${seen.p95 !== null && markup`<p class="soft">p95 ${quantileText(seen.p95)} in this hour and the one before, good answers only.</p>`}
${table({
  caption: `Last probes of ${seen.url}`,
  head: ["Probe", "Answer"],
  rows: seen.probes.toReversed().map(({ at, words }) => [age(at, frame), words]),
  empty: markup`${seen.url} is asked within a minute.`,
})}</section>`;
}

/** A component of one cluster is its services. */
function clusters({ clusters: list }: ComponentPageModel, frame: AdminFrame): Html | null {
  if (list.length < 2) return null;
  const rows = table({
    caption: "Clusters",
    head: ["Cluster", "State", "Usual traffic", "Last push"],
    rows: list.map(({ cluster, status, reason, trafficShare, heardAt }) => [
      clusterLink(cluster),
      marked(status, statusWord(status), markup`<br><small>${reason}</small>`),
      markup`<span class="number">${trafficShare === null ? "–" : markup`${ratioText(trafficShare)} of it`}</span>`,
      age(heardAt, frame),
    ]),
    empty: "",
  });
  return markup`<h2>Clusters</h2>
${rows}`;
}

function services({ services: list }: ComponentPageModel, frame: AdminFrame): Html {
  return table({
    caption: "Services",
    head: ["Service", "Cluster", ...READING_HEAD],
    rows: list.map((service) => [service.service, clusterLink(service.cluster), ...readingCells(service, frame)]),
    empty: "",
  });
}

/** One that is to be made; services may come later. */
export function renderComponentNew(model: ComponentNewModel, frame: AdminFrame): string {
  return adminDocument(
    frame,
    "/admin/components",
    "New component",
    markup`<p class="soft">What visitors see, under the name that they know. Without services it is unknown until it has some.</p>
${componentForm(model.settings)}
<p class="actions"><a href="/admin/components">Cancel</a></p>`,
  );
}
