import type { ComponentStatus } from "../../../protocol/status.ts";
import type { Html, Part } from "../html.ts";
import { markup, trusted } from "../html.ts";
import { adminDocument } from "./document.ts";
import { age, button, faultOf, invalid, marked, segment, table } from "./elements.ts";
import type { AdminFrame, ComponentField, ComponentPageModel, OutsideModel } from "./model.ts";
import { limitFields } from "./limits.ts";
import { target } from "./uptime.ts";
import { clusterLink, READING_HEAD, readingCells } from "./parts.ts";
import { quantileText, ratioText, statusWord } from "../english.ts";

/** What stands below a field, and is read out with it. */
const HINTS: Readonly<Partial<Record<ComponentField, string>>> = {
  group: "Components of one group stand together. Empty for none.",
  services: "One a line: cluster/namespace/name. Visitors never read these names.",
  url: "Asked each minute from the Internet, as a visitor would; any answer but 200 to 299 within 10 s is a failure. Empty: it is not asked.",
  "slo.target": "Percent of 30 days, 50 to 99.999. Empty: none.",
};

/** What is said of a component and why; then the form that changes it, a section for each of its subjects. */
export function renderComponent(model: ComponentPageModel, frame: AdminFrame): string {
  const { id, name, group, form } = model;
  const action = `/admin/components/${segment(id)}`;
  return adminDocument(
    frame,
    "/admin/services",
    group === null ? name : `${group}: ${name}`,
    markup`${verdict(model)}
${clusters(model, frame)}
<h2>Services</h2>
${services(model, frame)}
${outside(model, frame)}
<h2>Uptime</h2>
${model.slo !== null && markup`<p>${target(model.slo)}</p>`}
<p><a href="${action}/uptime">Figures, frozen days and corrections</a></p>
<h2>Settings</h2>
<form class="sheet" method="post" action="${action}">
${faultOf(form.faults, null, "fault-form")}
${section("On the page", [
  field(model, "name", "Name", input(model, "name", 'required maxlength="255"')),
  field(model, "group", "Group", input(model, "group", 'maxlength="255"')),
  field(model, "description", "Description", input(model, "description", 'maxlength="1000"')),
])}
${section("What it stands for", [field(model, "services", "Services", area(model, "services")), rule(model)])}
${limits(model)}
${section("From outside", [
  field(model, "url", "Public address", input(model, "url", 'type="url" maxlength="500" placeholder="https://"')),
])}
${section("Promise", [
  field(model, "slo.target", "Target", input(model, "slo.target", 'inputmode="decimal" size="8" placeholder="99.9"')),
  checkbox(model, "slo.isPublic", "Visitors read the target and what is left of it"),
])}
<p class="actions"><button class="primary">Save</button></p></form>
<details class="danger"><summary>Unpublish ${name}</summary><p>It and its history leave the public page at once.</p>${button(`${action}/remove`, `Unpublish ${name}`, {}, "danger")}</details>`,
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
    head: ["Cluster", "state", "usual traffic", "last push"],
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

function section(title: string, fields: readonly Part[]): Html {
  return markup`<fieldset class="section"><legend>${title}</legend>${fields}</fieldset>`;
}

function rule(model: ComponentPageModel): Html {
  const { values, faults } = model.form;
  const choice = (value: string, word: string, hint: string): Html =>
    markup`<label class="choice"><input type="radio" name="rule" value="${value}"${values.rule === value && trusted(" checked")}> <span><b>${word}</b> <small>${hint}</small></span></label>`;
  return markup`<fieldset><legend>It is well while</legend>
${choice("all", "All are", "as bad as the worst; a cluster with little of the traffic makes it no worse than partly out")}
${choice("any", "Any is", "clusters that stand in for each other")}
${choice("quorum", "A number of them are", "of its clusters; with one cluster, of its services")}
${faultOf(faults, "rule", "fault-rule")}
${field(model, "quorum", "That number", input(model, "quorum", 'type="number" min="1" max="100" step="1" inputmode="numeric"'))}</fieldset>`;
}

function checkbox({ form }: ComponentPageModel, name: ComponentField, word: string): Html {
  return markup`<label class="choice"><input type="checkbox" name="${name}" value="yes"${form.values[name] === "yes" && trusted(" checked")}> <span>${word}</span></label>`;
}

function limits({ form, defaults }: ComponentPageModel): Html {
  return section("Limits", [
    markup`<p class="soft">Two of the last three readings above a limit raise it, three below clear it. Empty: the number shown in grey, which is <a href="/admin/limits">the page's</a>.</p>`,
    limitFields({ form, defaults }),
  ]);
}

/** `attributes` are our own constants. */
function input({ form }: ComponentPageModel, name: ComponentField, attributes: string): Html {
  return markup`<input id="${name}" name="${name}" ${trusted(attributes)} value="${form.values[name] ?? ""}"${said(form, name)}>`;
}

function area({ form }: ComponentPageModel, name: ComponentField): Html {
  const text = form.values[name] ?? "";
  return markup`<textarea id="${name}" name="${name}" rows="${Math.max(2, text.split("\n").length)}" spellcheck="false" required${said(form, name)}>${text}</textarea>`;
}

function said({ faults }: ComponentPageModel["form"], name: ComponentField): Html | null {
  return invalid(faults, name, `fault-${name}`, HINTS[name] === undefined ? null : `hint-${name}`);
}

function field({ form }: ComponentPageModel, name: ComponentField, label: string, control: Html): Html {
  const hint = HINTS[name];
  return markup`<div class="field"><label for="${name}">${label}</label>${control}${hint !== undefined && markup`<small id="hint-${name}">${hint}</small>`}${faultOf(form.faults, name, `fault-${name}`)}</div>`;
}
