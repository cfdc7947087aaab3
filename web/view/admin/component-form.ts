/** The form that makes or changes a component, a section for each of its subjects, and what it would do. */
import type { Html, Part } from "../html.ts";
import { markup, trusted } from "../html.ts";
import { faultOf, invalid, marked } from "./elements.ts";
import { limitFields } from "./limits.ts";
import type { ComponentField, ComponentFormModel, ComponentPreviewModel } from "./model.ts";
import { statusWord } from "../english.ts";

/** What stands below a field, and is read out with it. */
const HINTS: Readonly<Partial<Record<ComponentField, string>>> = {
  group: "Components of one group stand together; “Region / Cluster” is a group within another. Empty for none.",
  services:
    "One a line: cluster/namespace/name, or namespace/name for every cluster. * stands for any letters: shop/* is all of shop, and what comes later. Visitors never read these names.",
  url: "Asked each minute from the Internet, as a visitor would; any answer but 200 to 299 within 10 s is a failure. Empty: it is not asked.",
  "slo.target": "Percent of 30 days, 50 to 99.999. Empty: none.",
  startsOn: "Days before it are not shown. Empty: from its first day on this page.",
};

export function componentForm(model: ComponentFormModel): Html {
  const { action, form, groups, revision, submit } = model;
  return markup`<form class="sheet" id="component-form" method="post" action="${action}" data-preview="${action}/preview" data-region="preview">
${faultOf(form.faults, null, "fault-form")}
${revision !== null && markup`<input type="hidden" name="revision" value="${revision}">`}
${section("On the page", [
  field(model, "name", "Name", input(model, "name", 'required maxlength="255"')),
  field(model, "group", "Group", input(model, "group", 'maxlength="255" list="groups"')),
  markup`<datalist id="groups">${groups.map((group) => markup`<option value="${group}">`)}</datalist>`,
  field(model, "description", "Description", input(model, "description", 'maxlength="1000"')),
])}
${section("What it stands for", [field(model, "services", "Services", area(model, "services")), rule(model), preview(model.preview)])}
${visibility(model)}
${limits(model)}
${folded(
  "From outside",
  ["url"],
  [field(model, "url", "Public address", input(model, "url", 'type="url" maxlength="500" placeholder="https://"'))],
  model,
)}
${folded(
  "Promise",
  ["slo.target"],
  [
    field(model, "slo.target", "Target", input(model, "slo.target", 'inputmode="decimal" size="8" placeholder="99.9"')),
    checkbox(model, "slo.isPublic", "Visitors read the target and what is left of it"),
  ],
  model,
)}
<p class="actions"><button class="primary">${submit}</button> <button class="secondary" formmethod="get" formaction="${action}/preview" formnovalidate>Preview</button></p></form>`;
}

/** Services that are named one by one in a preview. */
const NAMED_MAX = 12;

/** What the component would be now. */
function preview(model: ComponentPreviewModel | null): Html {
  return markup`<div id="preview" class="preview" role="status">${model === null ? markup`<p class="soft">Preview shows what matches, and what the component would be now.</p>` : previewRegion(model)}</div>`;
}

function previewRegion({ status, reason, why, services, empty, isLater }: ComponentPreviewModel): Html {
  const named = services.slice(0, NAMED_MAX);
  const rest = services.length - named.length;
  return markup`<p>${marked(status, markup`With this it would be <b>${statusWord(status)}</b> now: ${reason}`, why !== null && markup`<br><small>Visitors would read: ${why}</small>`)}</p>
<p class="soft">${services.length === 0 ? "It stands for no service." : `It stands for ${services.length} ${services.length === 1 ? "service" : "services"}:`}</p>
<ul>${named.map((one) => markup`<li>${marked(one.status, markup`<code>${one.ref}</code>`, markup` <small>${one.reason}</small>`)}</li>`)}</ul>
${rest > 0 && markup`<p class="soft">and ${rest} more.</p>`}
${isLater && markup`<p class="soft">Changed limits count from the next report of its clusters on: this is by the limits of now.</p>`}
${empty.map((selector) => markup`<p class="soft"><code>${selector}</code> matches nothing yet. What is reported later joins by itself.</p>`)}`;
}

function visibility(model: ComponentFormModel): Html {
  return section("Who sees it", [
    markup`<fieldset><legend class="vh">Visibility</legend>
${radio(model, "visibility", "public", "Everybody", "it stands on the public page")}
${radio(model, "visibility", "hidden", "Operators only", "nothing public names it: no page, feed, badge or answer of the API")}</fieldset>`,
    checkbox(model, "shows.uptime", "Visitors see its history and uptime"),
    checkbox(model, "shows.numbers", "Visitors see its numbers and charts"),
    field(model, "startsOn", "Start date", input(model, "startsOn", 'type="date"')),
  ]);
}

/** What few components need: it stands open where anything is said, or wrong. */
function folded(
  title: string,
  names: readonly ComponentField[],
  fields: readonly Part[],
  { form, held }: ComponentFormModel,
): Html {
  const isOpen = names.some(
    (name) => (form.values[name] ?? "") !== (held?.[name] ?? "") || (form.values[name] ?? "") !== "",
  );
  const isFaulty = form.faults.some(({ field: of }) => names.some((name) => name === of));
  return markup`<details class="section"${(isOpen || isFaulty) && trusted(" open")}><summary>${title}</summary>${fields}</details>`;
}

function section(title: string, fields: readonly Part[]): Html {
  return markup`<fieldset class="section"><legend>${title}</legend>${fields}</fieldset>`;
}

function radio({ form }: ComponentFormModel, name: ComponentField, value: string, word: string, hint: string): Html {
  return markup`<label class="choice"><input type="radio" name="${name}" value="${value}"${form.values[name] === value && trusted(" checked")}> <span><b>${word}</b> <small>${hint}</small></span></label>`;
}

function rule(model: ComponentFormModel): Html {
  return markup`<fieldset><legend>It is well while</legend>
${radio(model, "rule", "all", "All are", "as bad as the worst; a cluster with little of the traffic makes it no worse than partly out")}
${radio(model, "rule", "any", "Any is", "clusters that stand in for each other")}
${radio(model, "rule", "quorum", "A number of them are", "of its clusters; with one cluster, of its services")}
${faultOf(model.form.faults, "rule", "fault-rule")}
${field(model, "quorum", "That number", input(model, "quorum", 'type="number" min="1" max="100" step="1" inputmode="numeric"'))}</fieldset>`;
}

function checkbox({ form }: ComponentFormModel, name: ComponentField, word: string): Html {
  return markup`<label class="choice"><input type="checkbox" name="${name}" value="yes"${form.values[name] === "yes" && trusted(" checked")}> <span>${word}</span></label>`;
}

const LIMITS = [
  "thresholds.errorRatioDegraded",
  "thresholds.errorRatioPartial",
  "thresholds.errorRatioMajor",
  "thresholds.p95Ms",
  "thresholds.requestsMin",
] as const;

function limits(model: ComponentFormModel): Html {
  const { form, defaults } = model;
  const fields = [
    markup`<p class="soft">Two of the last three readings above a limit raise it, three below clear it. Empty: the number shown in grey, which is <a href="/admin/limits">the page's</a>.</p>`,
    limitFields({ form, defaults }),
  ];
  return folded("Limits", LIMITS, fields, model);
}

/** `attributes` are our own constants. */
function input({ form }: ComponentFormModel, name: ComponentField, attributes: string): Html {
  return markup`<input id="${name}" name="${name}" ${trusted(attributes)} value="${form.values[name] ?? ""}"${said(form, name)}>`;
}

function area({ form }: ComponentFormModel, name: ComponentField): Html {
  const text = form.values[name] ?? "";
  return markup`<textarea id="${name}" name="${name}" rows="${Math.max(2, text.split("\n").length)}" spellcheck="false"${said(form, name)}>${text}</textarea>`;
}

function said({ faults }: ComponentFormModel["form"], name: ComponentField): Html | null {
  return invalid(faults, name, `fault-${name}`, HINTS[name] === undefined ? null : `hint-${name}`);
}

function field({ form, held }: ComponentFormModel, name: ComponentField, label: string, control: Html): Html {
  const hint = HINTS[name];
  const now = held?.[name];
  return markup`<div class="field"><label for="${name}">${label}</label>${control}${hint !== undefined && markup`<small id="hint-${name}">${hint}</small>`}${now !== undefined && now !== (form.values[name] ?? "") && markup`<p class="held">Now stands: ${now === "" ? "nothing" : markup`<code>${now}</code>`}</p>`}${faultOf(form.faults, name, `fault-${name}`)}</div>`;
}
