/** What an operator says of an incident: the form that opens one, and the one that says more of it. */
import { INCIDENT_STATUSES } from "../../../protocol/page.ts";
import type { ComponentStatus, Indicator } from "../../../protocol/status.ts";
import { COMPONENT_STATUSES, impactOf, impactStatus, INDICATORS, isIndicatorWorse } from "../../../protocol/status.ts";
import { statusWord } from "../english.ts";
import type { Html } from "../html.ts";
import { markup, trusted } from "../html.ts";
import { renderMarkdown } from "../markdown.ts";
import { shape } from "../shape.ts";
import { faultOf, invalid, marked } from "./elements.ts";
import type { AffectedChoice, IncidentField, IncidentFormModel } from "./incident-model.ts";

/** Steps that the form offers; a postmortem has a form of its own. */
const STEPS = INCIDENT_STATUSES.filter((status) => status !== "postmortem");
/** What can be said of a component by hand: silence is no statement, and maintenance is announced elsewhere. */
export const SAYABLE: readonly ComponentStatus[] = COMPONENT_STATUSES.filter(
  (status) => status !== "unknown" && status !== "under_maintenance",
);
const REMIND_MINUTES = [15, 30, 60, 120];

/** @param of what is asked first, and what the button says. The cursor is in a new one's name, unless a draft is to be read first */
export function incidentForm(
  model: IncidentFormModel,
  of: { readonly action: string; readonly isNew: boolean; readonly button: string; readonly cancel: string },
): Html {
  const { values, faults } = model;
  const hidden = (["key", "revision", "draft"] as const).map(
    (name) => values[name] !== undefined && markup`<input type="hidden" name="${name}" value="${values[name]}">`,
  );
  return markup`<form class="sheet" id="incident-form" method="post" action="${of.action}" data-impact="${model.impactSoFar}">
${hidden}${faultOf(faults, null, "fault-form")}
${of.isNew && nameField(model, values.draft === undefined)}
${steps(model)}
${components(model)}
${bodyField(model)}
${impactField(model, of.isNew)}
${whenField(model, of.isNew)}
${remindField(model)}
<p class="actions"><button class="primary">${of.button}</button> <button name="act" value="preview" class="secondary" formnovalidate>Preview</button> <a href="${of.cancel}">Cancel</a></p></form>`;
}

function nameField(model: IncidentFormModel, isFirst: boolean): Html {
  const hint = "Say who is affected and what they see: “Some payments fail”.";
  return field(
    model,
    "name",
    "What visitors read as its name",
    markup`<input id="name" name="name" required maxlength="255" autocomplete="off"${isFirst && trusted(" autofocus")} value="${model.values.name ?? ""}"${invalid(model.faults, "name", "fault-name", "hint-name")}>`,
    hint,
  );
}

function steps(model: IncidentFormModel): Html {
  const { values, faults } = model;
  const chosen = values.status ?? "investigating";
  const radios = STEPS.map(
    (status) =>
      markup`<label><input type="radio" name="status" value="${status}"${status === chosen && trusted(" checked")}> ${status}</label>`,
  );
  return markup`<fieldset class="stages"><legend>Where you are</legend><div>${radios}</div>${faultOf(faults, "status", "fault-status")}</fieldset>`;
}

// ── components ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** More components than these are found by typing: a thousand lists of states are nothing to look through. */
const LISTED_MAX = 40;
/** Empty rows to name components in; more come with each preview. */
const EMPTY_ROWS = 5;

function components(model: IncidentFormModel): Html {
  const { components: all, faults } = model;
  const isSpokenOf = ({ said, chosen }: AffectedChoice): boolean => said !== null || chosen !== null;
  const spokenOf = all.filter(isSpokenOf);
  // Where nearly all is unwell, or silent, that is a list as long as the other one.
  const unwell = all.filter((one) => !isSpokenOf(one) && isUnwell(one.now));
  const near = [...spokenOf, ...unwell.slice(0, Math.max(0, LISTED_MAX - spokenOf.length))];
  const shown = new Set(near);
  const far = all.filter((one) => !shown.has(one));
  const areWell = far.every(({ now }) => !isUnwell(now));
  const rest =
    far.length > 0 &&
    markup`<details class="more"${(near.length === 0 || model.added.length > 0) && trusted(" open")}><summary>${near.length === 0 ? `All ${far.length} are well` : `${far.length} more${areWell ? (far.length === 1 ? " is well" : " are well") : ""}`}</summary>${far.length > LISTED_MAX ? rows(model, far) : markup`<div class="affected">${far.map(choice)}</div>`}</details>`;
  return markup`<fieldset><legend>What is affected</legend>${all.length === 0 && markup`<p class="soft">No component is on the page yet. The incident can be posted without any.</p>`}
<div class="affected">${near.map(choice)}</div>${rest}${faultOf(faults, "components", "fault-components")}</fieldset>`;
}

function rows({ added, faults }: IncidentFormModel, far: readonly AffectedChoice[]): Html {
  const empty = { name: "", status: "partial_outage" as const };
  const typed = [...added, ...Array.from({ length: EMPTY_ROWS }, () => empty)];
  return markup`<p class="soft" id="hint-add">Type a part of a name. Rows that stay empty say nothing; a preview gives more of them.</p>
${typed.map(({ name, status }, i) => markup`<div class="add"><input name="add.${i}" list="all-components" autocomplete="off" maxlength="600" aria-label="Component" value="${name}"${invalid(name === "" ? [] : faults, "components", "fault-components", "hint-add")}> <select name="add.${i}.status" aria-label="How it is">${SAYABLE.map((one) => markup`<option value="${one}"${one === status && trusted(" selected")}>${statusWord(one)}</option>`)}</select></div>`)}
<datalist id="all-components">${far.map(({ group, name }) => markup`<option value="${group === null ? name : `${group} / ${name}`}">`)}</datalist>`;
}

function isUnwell(status: ComponentStatus): boolean {
  return status !== "operational" && status !== "under_maintenance";
}

function choice({ id, name, group, now, said, chosen }: AffectedChoice): Html {
  const leave = said === null ? "not affected" : `as said: ${statusWord(said)}`;
  // What was chosen stays, whatever it is.
  const offered = SAYABLE.some((status) => status === chosen) || chosen === null ? SAYABLE : [...SAYABLE, chosen];
  const options = offered.map(
    (status) =>
      markup`<option value="${status}"${status === chosen && trusted(" selected")}>${statusWord(status)}</option>`,
  );
  return markup`<label><span>${shape(now)} ${group !== null && markup`<small>${group} /</small> `}${name}</span> <select name="c.${id}"><option value="">${leave}</option>${options}</select></label>`;
}

// ── text ────────────────────────────────────────────────────────────────────────────────────────────────────────────

function bodyField(model: IncidentFormModel): Html {
  const hint = "Markdown. Who is affected, since when, what is being done, when you say more.";
  const area = markup`<textarea id="body" name="body" rows="5" required maxlength="25000"${invalid(model.faults, "body", "fault-body", "hint-body")}>
${model.values.body ?? ""}</textarea>`;
  return markup`${field(model, "body", "What visitors read", area, hint)}${previewRegion(model.preview)}`;
}

/** The browser fills it while somebody types; without a script the button does. */
function previewRegion(text: string | null): Html {
  return markup`<div id="preview" class="md preview" aria-label="Preview" role="region">${text !== null && previewOf(text)}</div>`;
}

/** The same inert renderer as visitors' pages have. */
export function previewOf(text: string): Html {
  return text.trim() === "" ? markup`` : renderMarkdown(text);
}

// ── impact, moment, reminder ────────────────────────────────────────────────────────────────────────────────────────

/** What visitors read of its impact, if it is not set by hand. The browser says it anew with each choice. */
export function impactRegion(soFar: Indicator, chosen: readonly ComponentStatus[]): Html {
  const here = impactOf(chosen);
  const impact = isIndicatorWorse(here, soFar) ? here : soFar;
  return marked(impactStatus(impact), markup`Impact: <b>${impact}</b>, by what is said of the components`);
}

function impactField(model: IncidentFormModel, isNew: boolean): Html {
  const { components: all, impactSoFar, values, faults } = model;
  const chosen = all.flatMap((one) => one.chosen ?? []);
  const isByHand = (values.impact ?? "") !== "";
  const options = INDICATORS.map(
    (impact) => markup`<option value="${impact}"${impact === values.impact && trusted(" selected")}>${impact}</option>`,
  );
  const select = markup`<select id="impact" name="impact"${invalid(faults, "impact", "fault-impact")}><option value="">As computed</option>${options}</select>`;
  const reason = markup`<input id="impactReason" name="impactReason" maxlength="500" value="${values.impactReason ?? ""}"${invalid(faults, "impactReason", "fault-impactReason", "hint-impactReason")}>`;
  const isOpen =
    isByHand || faults.some(({ field: of }) => of === "impact" || of === "impactReason" || (of === "name" && !isNew));
  return markup`<div id="impact-now" aria-live="polite">${isByHand ? marked(impactStatus(INDICATORS.find((one) => one === values.impact) ?? "none"), markup`Impact: <b>${values.impact}</b>, set by hand`) : impactRegion(impactSoFar, chosen)}</div>
<details class="more"${isOpen && trusted(" open")}><summary>${isNew ? "Another impact" : "Another name or impact"}</summary><div class="sheet">
${!isNew && nameField(model, false)}${field(model, "impact", "Impact", select)}
${field(model, "impactReason", "Why it is not the computed one", reason, "For operators: visitors do not read it. It is kept in the audit.")}</div></details>`;
}

function whenField(model: IncidentFormModel, isNew: boolean): Html {
  const { values, faults } = model;
  const fields = ["at", "endAt", "endBody"] as const;
  const isFaulty = fields.some((name) => faults.some(({ field: of }) => of === name));
  // A draft knows when it was: that is said, and need not be looked at.
  const isOpen = isFaulty || (values.draft === undefined && fields.some((name) => (values[name] ?? "") !== ""));
  const { at = "" } = values;
  const summary = at === "" ? "It was earlier" : `It began ${at.replace("T", " ")} UTC`;
  const time = (name: "at" | "endAt"): Html =>
    markup`<input id="${name}" name="${name}" type="datetime-local" value="${values[name] ?? ""}"${invalid(faults, name, `fault-${name}`, `hint-${name}`)}>`;
  const over =
    isNew &&
    markup`${field(model, "endAt", "Over since (UTC)", time("endAt"), "If it is over already. Further updates can be added afterwards, each at its moment.")}
${field(
  model,
  "endBody",
  "What visitors read of its end",
  markup`<textarea id="endBody" name="endBody" rows="3" maxlength="25000"${invalid(faults, "endBody", "fault-endBody")}>
${values.endBody ?? ""}</textarea>`,
)}`;
  return markup`<details class="more"${isOpen && trusted(" open")}><summary>${summary}</summary><div class="sheet">
${field(model, "at", "When it was so (UTC)", time("at"), "Empty is now. Visitors read when it was written, too.")}${over}</div></details>`;
}

function remindField({ values, faults }: IncidentFormModel): Html {
  return markup`${remindFields(values.remind ?? "", values.promise === "yes")}${faultOf(faults, "remind", "fault-remind")}`;
}

/** In how many minutes somebody wants to be reminded to say more, and whether visitors read it. */
export function remindFields(chosen: string, isPublic: boolean): Html {
  // An interval that was said elsewhere stays one that can be chosen.
  const all = new Set([...REMIND_MINUTES, ...(/^[1-9]\d{0,3}$/.test(chosen) ? [Number(chosen)] : [])]);
  const options = [...all]
    .toSorted((a, b) => a - b)
    .map(
      (minutes) =>
        markup`<option value="${minutes}"${String(minutes) === chosen && trusted(" selected")}>in ${minutes % 60 === 0 ? `${minutes / 60} h` : `${minutes} min`}</option>`,
    );
  return markup`<div class="remind"><label>Remind me to say more <select name="remind"><option value="">not</option>${options}</select></label>
<label><input type="checkbox" name="promise" value="yes"${isPublic && trusted(" checked")}> and tell visitors when</label></div>`;
}

function field({ faults }: IncidentFormModel, name: IncidentField, label: string, control: Html, hint?: string): Html {
  return markup`<div class="field"><label for="${name}">${label}</label>${control}${hint !== undefined && markup`<small id="hint-${name}">${hint}</small>`}${faultOf(faults, name, `fault-${name}`)}</div>`;
}
