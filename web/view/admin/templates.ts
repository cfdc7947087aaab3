/** `/admin/templates`: texts to begin an incident with, as operators change them. */
import { INCIDENT_STATUSES } from "../../../protocol/page.ts";
import { statusWord } from "../english.ts";
import type { Html } from "../html.ts";
import { markup, trusted } from "../html.ts";
import { adminDocument } from "./document.ts";
import { button, faultOf, invalid, marked, segment, table } from "./elements.ts";
import { previewOf, SAYABLE } from "./incident-form.ts";
import type { AdminFrame } from "./model.ts";
import type { TemplateField, TemplateFormModel, TemplateModel, TemplatesModel } from "./template-model.ts";

/** An incident does not begin with its end. */
const STATUSES = INCIDENT_STATUSES.filter((status) => status !== "resolved" && status !== "postmortem");

export function renderTemplates({ templates, areOurs, hasRoom }: TemplatesModel, frame: AdminFrame): string {
  return adminDocument(
    frame,
    "/admin/incidents",
    "Incident templates",
    markup`<p class="soft"><a href="/admin/incidents">Incidents</a></p>
<p class="soft">What a report can begin with, in one click. ${areOurs ? "These are those that every page begins with: change one and they are yours." : "These are yours."}</p>
<p class="actions">${hasRoom ? markup`<a class="primary" href="/admin/templates/new">New template</a>` : markup`<span class="soft">There are as many as fit. Delete one to make another.</span>`}</p>
${table({
  caption: "Incident templates",
  head: ["Template", "Begins as", "What visitors read"],
  rows: templates.map(row),
  empty: "There is none: a report begins with an empty form. Make one, or go back to ours below.",
})}
${!areOurs && markup`<details class="more" id="ours"><summary>Back to ours</summary><p>The templates that every page begins with take the place of all of yours. What yours said stays in the audit.</p>${button("/admin/templates/default", "Take ours instead", {}, "danger")}</details>`}`,
  );
}

function row({ id, title, status, affected, name, body }: TemplateModel) {
  return [
    markup`<a href="/admin/templates/${segment(id)}">${title}</a>`,
    marked(affected, `${status}, ${statusWord(affected)}`),
    markup`<b>${name}</b><br><span class="soft">${body}</span>`,
  ];
}

export function renderTemplateForm(model: TemplateFormModel, frame: AdminFrame): string {
  const { id, values, faults, variables } = model;
  const action = id === null ? "/admin/templates" : `/admin/templates/${segment(id)}`;
  const hint = markup`Markdown. Filled in when it is used: ${variables.map(({ word, means }, i) => markup`${i > 0 && ", "}<code>{{${word}}}</code> ${means}`)}.`;
  return adminDocument(
    frame,
    "/admin/incidents",
    id === null ? "New template" : "Edit a template",
    markup`<p class="soft"><a href="/admin/templates">Incident templates</a></p>
<form class="sheet" method="post" action="${action}" data-preview="/admin/templates/preview" data-region="sample" data-posts>
${faultOf(faults, null, "fault-form")}<input type="hidden" name="revision" value="${values.revision ?? ""}">
${field(model, "title", "What its button says", markup`<input id="title" name="title" required maxlength="60" autocomplete="off" value="${values.title ?? ""}"${invalid(faults, "title", "fault-title")}>`)}
${field(model, "name", "What visitors read as the incident’s name", markup`<input id="name" name="name" required maxlength="255" autocomplete="off" value="${values.name ?? ""}"${invalid(faults, "name", "fault-name")}>`)}
${field(model, "body", "What visitors read", markup`<textarea id="body" name="body" rows="5" required maxlength="2000"${invalid(faults, "body", "fault-body", "hint-body")}>\n${values.body ?? ""}</textarea>`, hint)}
<fieldset class="stages"><legend>Where you are then</legend><div>${STATUSES.map((status) => markup`<label><input type="radio" name="status" value="${status}"${status === (values.status ?? "investigating") && trusted(" checked")}> ${status}</label>`)}</div>${faultOf(faults, "status", "fault-status")}</fieldset>
${field(model, "affected", "What is said of what is unwell, at least", markup`<select id="affected" name="affected"${invalid(faults, "affected", "fault-affected")}>${SAYABLE.map((status) => markup`<option value="${status}"${status === (values.affected ?? "partial_outage") && trusted(" selected")}>${statusWord(status)}</option>`)}</select>`)}
${sample(model)}
<p class="actions"><button class="primary">Save</button> <button class="secondary" formaction="/admin/templates/preview${id !== null && `?of=${segment(id)}`}" formnovalidate>Preview</button> <a href="/admin/templates">Cancel</a></p></form>
${id !== null && removal(id, model)}`,
  );
}

function field(model: TemplateFormModel, name: TemplateField, label: string, control: Html, hint?: Html): Html {
  return markup`<div class="field"><label for="${name}">${label}</label>${control}${hint !== undefined && markup`<small id="hint-${name}">${hint}</small>`}${faultOf(model.faults, name, `fault-${name}`)}</div>`;
}

/** How it will read: the browser asks for it anew while somebody types, a button does without a script. */
function sample({ sample: { name, body } }: TemplateFormModel): Html {
  return markup`<div id="sample" class="md preview" role="region" aria-label="How it will read">${name !== "" && markup`<p><b>${name}</b></p>`}${previewOf(body)}</div>`;
}

function removal(id: string, { values }: TemplateFormModel): Html {
  return markup`<details class="more"><summary>Delete it</summary><p>Incidents that began with it stay as they are.</p>${button(`/admin/templates/${segment(id)}/delete`, "Delete this template", { revision: values.revision ?? "" }, "danger")}</details>`;
}
