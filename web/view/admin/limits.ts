import type { Html } from "../html.ts";
import { markup, trusted } from "../html.ts";
import { adminDocument } from "./document.ts";
import { faultOf, invalid } from "./elements.ts";
import type { AdminFrame, LimitField, LimitsModel } from "./model.ts";

/** What every component is judged by that has no limits of its own. */
export function renderLimits(model: LimitsModel, frame: AdminFrame): string {
  return adminDocument(
    frame,
    "/admin/components",
    "Limits",
    markup`<form class="sheet" method="post" action="/admin/limits">
<p class="soft">What every component is judged by that has no limits of its own. Two of the last three readings above a limit raise it, three below clear it. Empty: the runbook's, shown in grey.</p>
${faultOf(model.form.faults, null, "fault-form")}
${limitFields(model)}
<p class="actions"><button class="primary">Save</button> <a href="/admin/services">Cancel</a></p></form>`,
  );
}

const FIELDS: readonly (readonly [LimitField, string, string])[] = [
  ["thresholds.errorRatioDegraded", "Degraded above, % of requests that fail", 'step="any" min="0" max="100"'],
  ["thresholds.errorRatioPartial", "Partial outage above, %", 'step="any" min="0" max="100"'],
  ["thresholds.errorRatioMajor", "Major outage above, %", 'step="any" min="0" max="100"'],
  ["thresholds.p95Ms", "Degraded above, p95 in ms", 'step="any" min="1" max="3600000"'],
  ["thresholds.requestsMin", "Requests a reading needs to count failures, or a p95", 'step="1" min="1" max="1000000"'],
];

export function limitFields({ form, defaults }: LimitsModel): readonly Html[] {
  return FIELDS.map(
    ([name, label, attributes]) =>
      markup`<div class="field"><label for="${name}">${label}</label><input id="${name}" name="${name}" type="number" inputmode="decimal" ${trusted(attributes)} placeholder="${defaults[name]}" value="${form.values[name] ?? ""}"${invalid(form.faults, name, `fault-${name}`)}>${faultOf(form.faults, name, `fault-${name}`)}</div>`,
  );
}
