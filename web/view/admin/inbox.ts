import type { Html } from "../html.ts";
import { markup, trusted } from "../html.ts";
import { adminDocument } from "./document.ts";
import { button, faultOf, invalid } from "./elements.ts";
import type { InboxModel } from "./inbox-model.ts";
import type { AdminFrame, ServiceModel } from "./model.ts";
import { rateText, statusWord } from "../english.ts";
import { shape } from "../shape.ts";

/** New services wait here until somebody publishes or ignores them. */
export function renderInbox(model: InboxModel, frame: AdminFrame): string {
  const { waiting, form } = model;
  return adminDocument(
    frame,
    "/admin/services",
    "New services",
    markup`<p class="soft">Agents report these, and nobody has decided about them yet. Choose some, then publish or ignore them.</p>
${
  waiting.length === 0
    ? markup`<p class="empty">Nothing waits. <a href="/admin/services">All services</a></p>`
    : markup`<form class="inbox" method="post" action="/admin/services/publish">${faultOf(form.faults, null, "fault-form")}${faultOf(form.faults, "service", "fault-service")}
${namespaces(model)}
${decision(model)}</form>`
}
${ignored(model)}`,
  );
}

function namespaces({ waiting, chosen }: InboxModel): readonly Html[] {
  const places = Map.groupBy(waiting, ({ cluster, service }) => `${cluster}/${service.split("/")[0] ?? ""}`);
  return [...places].map(
    ([place, services]) =>
      markup`<fieldset class="section"><legend>${place.replace("/", " / ")}</legend>
<ul>${services.map((service) => choice(service, chosen))}</ul>
<p><button class="quiet" formaction="/admin/services/ignore" name="pattern" value="${place}/*" formnovalidate>Ignore all of ${place}, and what comes later</button></p></fieldset>`,
  );
}

function choice(
  { cluster, service, status, reason, requestsPerSecond }: ServiceModel,
  chosen: readonly string[],
): Html {
  const ref = `${cluster}/${service}`;
  return markup`<li><label class="choice"><input type="checkbox" name="service" value="${ref}"${chosen.includes(ref) && trusted(" checked")}> <span><b>${service.split("/")[1]}</b> <small>${shape(status)} ${statusWord(status)}: ${reason}${requestsPerSecond !== null && markup` · ${rateText(requestsPerSecond)}`}</small></span></label></li>`;
}

/** What becomes of those that are chosen. */
function decision({ form, groups, components }: InboxModel): Html {
  const { values, faults } = form;
  const as = (value: string, word: string, hint: string): Html =>
    markup`<label class="choice"><input type="radio" name="as" value="${value}"${(values.as ?? "each") === value && trusted(" checked")}> <span><b>${word}</b> <small>${hint}</small></span></label>`;
  return markup`<fieldset class="section"><legend>Publish what is chosen</legend>
${as("each", "Each as a component", "named as the service is; one name in several clusters is one component")}
${as("one", "All as one component", "of this name")}
<div class="field"><label for="name">Name</label><input id="name" name="name" maxlength="255" value="${values.name ?? ""}"${invalid(faults, "name", "fault-name")}>${faultOf(faults, "name", "fault-name")}</div>
${components.length > 0 && as("join", "Add to a component", "that is there already")}
${components.length > 0 && markup`<div class="field"><label for="component">Component</label><select id="component" name="component"${invalid(faults, "component", "fault-component")}>${components.map(({ id, name }) => markup`<option value="${id}"${values.component === id && trusted(" selected")}>${name}</option>`)}</select>${faultOf(faults, "component", "fault-component")}</div>`}
<div class="field"><label for="group">Group of new ones</label><input id="group" name="group" maxlength="255" list="groups" value="${values.group ?? ""}"${invalid(faults, "group", "fault-group")}>${faultOf(faults, "group", "fault-group")}</div>
<datalist id="groups">${groups.map((group) => markup`<option value="${group}">`)}</datalist>
<p class="actions"><button class="primary">Publish</button> <button class="secondary" formaction="/admin/services/ignore" formnovalidate>Ignore</button></p></fieldset>`;
}

function ignored({ ignored: list }: InboxModel): Html | null {
  if (list.length === 0) return null;
  return markup`<details><summary>Ignored (${list.length})</summary><ul class="plain">${list.map((one) => markup`<li><code>${one}</code> ${button("/admin/services/heed", "Take back", { ignored: one })}</li>`)}</ul></details>`;
}
