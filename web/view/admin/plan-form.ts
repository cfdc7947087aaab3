/** The form that plans a maintenance, once or again and again; the same form changes a series. */
import type { Html } from "../html.ts";
import { markup, trusted } from "../html.ts";
import { adminDocument } from "./document.ts";
import { button, faultOf, invalid } from "./elements.ts";
import type { AdminFrame } from "./model.ts";
import type { PlanField, PlanFormModel } from "./plan-model.ts";
import { ONE_CLICK } from "./plans.ts";

export function renderPlanForm(model: PlanFormModel, frame: AdminFrame, end: string | null = null): string {
  const { values, faults, noticeDays, submit, action } = model;
  return adminDocument(
    frame,
    "/admin/maintenance",
    model.title,
    markup`${!model.isSeries && markup`<p class="soft">Fill in: ${ONE_CLICK.map(([schedule, words], i) => markup`${i > 0 && " · "}<a href="/admin/maintenance/plan?schedule=${schedule}">${words}</a>`)}</p>`}
<form class="sheet" method="post" action="${action}">
${faultOf(faults, null, "fault-form")}
${field(model, "name", "Name on the page", markup`<input id="name" name="name" required maxlength="255" value="${values.name ?? ""}"${mark(model, "name")}>`)}
${field(model, "body", "What visitors notice", markup`<textarea id="body" name="body" rows="3" maxlength="5000"${mark(model, "body")}>${values.body ?? ""}</textarea>`, "Who is affected and how. Markdown.")}
${field(model, "start", "Starts", markup`<span class="pair"><input id="start" name="start" type="datetime-local" required value="${values.start ?? ""}"${mark(model, "start")}> ${zone(model)}</span>`)}
${field(model, "hours", "Hours", markup`<input id="hours" name="hours" inputmode="decimal" required value="${values.hours ?? "2"}"${mark(model, "hours")}>`)}
${repeat(model)}
${components(model)}
${targets(model)}
<fieldset><legend>The all-clear</legend>
${choice("closing", "person", values.closing !== "checks", "A person gives it", "after 30 minutes of good checks")}
${choice("closing", "checks", values.closing === "checks", "The checks give it", "by themselves, once they were good for 30 minutes")}
</fieldset>
${!model.isSeries && markup`<label class="choice"><input type="checkbox" name="emergency" value="yes"${values.emergency === "yes" && trusted(" checked")}${mark(model, "emergency")}> <span><b>Emergency</b> <small>Announced less than ${noticeDays} ${noticeDays === 1 ? "day" : "days"} before. Visitors read so.</small></span></label>${faultOf(faults, "emergency", "fault-emergency")}`}
<p class="actions"><button class="primary">${submit}</button> <a href="/admin/maintenance">Cancel</a></p></form>
${end !== null && markup`<h2>End the series</h2><p class="soft">What has not begun is called off; calendars say so.</p>${button(end, "End the series", {}, "quiet danger")}`}`,
  );
}

function mark({ faults }: PlanFormModel, name: PlanField | "components" | "targets"): Html | null {
  return invalid(faults, name, `fault-${name}`);
}

function field({ faults }: PlanFormModel, name: PlanField, label: string, control: Html, hint?: string): Html {
  return markup`<div class="field"><label for="${name}">${label}</label>${control}${hint !== undefined && markup`<small>${hint}</small>`}${faultOf(faults, name, `fault-${name}`)}</div>`;
}

function choice(name: string, value: string, isChecked: boolean, word: string, hint: string): Html {
  return markup`<label class="choice"><input type="radio" name="${name}" value="${value}"${isChecked && trusted(" checked")}> <span><b>${word}</b>${hint !== "" && markup` <small>${hint}</small>`}</span></label>
`;
}

function zone({ values, pageZone }: PlanFormModel): Html {
  const zones = [...new Set([pageZone, "Etc/UTC"])];
  return markup`<select name="zone" aria-label="Time zone">${zones.map((one) => markup`<option value="${one}"${one === values.zone && trusted(" selected")}>${one === "Etc/UTC" ? "UTC" : one}</option>`)}</select>`;
}

const REPEATS = [
  ["once", "Once", ""],
  ["weekly", "Every week", "on that day of the week"],
  ["monthly", "Every month", "on that Sunday, Monday … of the month"],
  ["rule", "By a rule", "as calendars write it"],
] as const;

function repeat(model: PlanFormModel): Html {
  const chosen = model.values.repeat ?? "once";
  const offered = REPEATS.filter(([value]) => value !== "once" || !model.isSeries);
  return markup`<fieldset><legend>Repeats</legend>
${offered.map(([value, word, hint]) => choice("repeat", value, value === chosen, word, hint))}${field(model, "rule", "Rule", markup`<input id="rule" name="rule" maxlength="200" placeholder="FREQ=MONTHLY;BYDAY=-1SU" value="${model.values.rule ?? ""}"${mark(model, "rule")}>`, "Only with a rule. The clock of the zone above counts, summer and winter.")}</fieldset>`;
}

function components({ components: list, faults }: PlanFormModel): Html {
  if (list.length === 0)
    return markup`<p class="soft">No component is published yet; it is announced for the page as a whole.</p>`;
  return markup`<fieldset><legend>Components that visitors see under maintenance</legend><div class="boxes">
${list.map(
  ({
    id,
    name,
    isChosen,
  }) => markup`<label class="choice"><input type="checkbox" name="component" value="${id}"${isChosen && trusted(" checked")}> <span>${name}</span></label>
`,
)}</div>${faultOf(faults, "components", "fault-components")}</fieldset>`;
}

function targets(model: PlanFormModel): Html {
  const { targets: list, faults, values } = model;
  if (list.length === 0) return markup``;
  const isOpen =
    list.some(({ wish }) => wish !== "") || faults.some(({ field: name }) => name === "targets" || name === "reason");
  return markup`<details${isOpen && trusted(" open")}><summary>Deployments that their clusters put into maintenance</summary>
<p class="soft">Asked for when it starts, given back when the work is done or the planned end has come. The agent refuses what its own configuration does not allow.</p>
${list.map(target)}
${faultOf(faults, "targets", "fault-targets")}
${field(model, "reason", "Reason", markup`<input id="reason" name="reason" maxlength="500" value="${values.reason ?? ""}"${mark(model, "reason")}>`, "The clusters' owners read this beside the change.")}</details>`;
}

function target({ cluster, service, replicas, allowed, wish }: PlanFormModel["targets"][number]): Html {
  const ref = `${cluster}/${service}`;
  const now = replicas?.desired ?? null;
  const floor = allowed?.modes.includes("scale") === true ? allowed.floor : null;
  const counts = floor === null ? [] : Array.from({ length: SCALES_SHOWN }, (_, i) => String(floor + i));
  const scales = [
    ...new Set([
      ...counts.filter((count) => now === null || Number(count) < now),
      ...(/^\d+$/.test(wish) ? [wish] : []),
    ]),
  ];
  const options = [
    ["", "Leave as it is"],
    ["announce", "Annotate"],
    ...scales.map((count) => [count, `Scale ${now ?? "?"} → ${count}`]),
  ];
  return markup`<label class="target"><span>${ref}${allowed === null && markup` <small>its agent does not allow it</small>`}</span> <select name="target:${ref}">${options.map(([value = "", word]) => markup`<option value="${value}"${value === wish && trusted(" selected")}>${word}</option>`)}</select></label>
`;
}

const SCALES_SHOWN = 4;
