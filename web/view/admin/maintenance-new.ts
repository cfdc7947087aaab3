import type { Html } from "../html.ts";
import { markup, trusted } from "../html.ts";
import { allowedText } from "./fleet-parts.ts";
import { consequenceRegion, HOURS_DEFAULT, HOURS_MAX, targetRef } from "./consequence.ts";
import { adminDocument } from "./document.ts";
import { faultOf, invalid } from "./elements.ts";
import type { AdminFrame, MaintenanceField, MaintenanceNewModel, TargetModel } from "./model.ts";

export function renderMaintenanceNew(model: MaintenanceNewModel, frame: AdminFrame): string {
  const { targets } = model;
  return adminDocument(
    frame,
    "/admin/maintenance",
    "Start maintenance",
    targets.length === 0 ? noTarget() : form(model, frame),
  );
}

function noTarget(): Html {
  return markup`<p class="empty">No deployment is reported yet. The agent's kubernetes source reports them; <a href="/admin/clusters">its state</a> says what is missing.</p>`;
}

function form(model: MaintenanceNewModel, frame: AdminFrame): Html {
  const { targets, values, faults } = model;
  const mode = values.mode === "scale" ? "scale" : "announce";
  const checked = trusted(" checked");
  return markup`<form class="sheet" id="maintenance-form" method="post" action="/admin/maintenance" data-targets="${JSON.stringify(targets)}">
${faultOf(faults, null, "fault-form")}
${field(model, "target", "Target", markup`<select id="target" name="target" required${invalid(faults, "target", "fault-target")}><option value="">Choose a deployment</option>${targets.map((target) => option(target, values.target))}</select>`)}
<fieldset><legend>What the cluster does</legend>
<label class="choice"><input type="radio" name="mode" value="announce"${mode === "announce" && checked}> <span><b>Announce</b> <small>annotates the deployment; everything keeps running</small></span></label>
<label class="choice"><input type="radio" name="mode" value="scale"${mode === "scale" && checked}> <span><b>Scale</b> <small>also sets how many pods it has</small></span></label>
${faultOf(faults, "mode", "fault-mode")}</fieldset>
${field(model, "replicas", "Replicas", input(model, "replicas", 'type="number" min="0" max="1000" step="1" inputmode="numeric"'), "Only with Scale.")}
${field(model, "name", "Name on the page", input(model, "name", 'required maxlength="100"'), "Visitors read this. Say what they will notice.")}
${field(model, "reason", "Reason", input(model, "reason", 'required maxlength="500"'), "The cluster's owner reads this beside the change.")}
${field(model, "hours", "Hours at most", input(model, "hours", `type="number" min="0.1" max="${HOURS_MAX}" step="any" required`, HOURS_DEFAULT), `At most ${HOURS_MAX}. The agent restores by itself then, also if it cannot reach us.`)}
<div id="consequence" aria-live="polite">${consequenceRegion(targets, values, frame)}</div>
<p class="actions"><button class="primary">Start maintenance</button> <a href="/admin">Cancel</a></p></form>`;
}

function option(target: TargetModel, chosen: string | undefined): Html {
  const ref = targetRef(target);
  const count =
    target.replicas === null ? "replicas not known" : `${target.replicas.ready} of ${target.replicas.desired} ready`;
  const silent = target.reporting ? "" : ", silent";
  return markup`<option value="${ref}"${ref === chosen && trusted(" selected")}>${ref}: ${count}; agent allows ${allowedText(target.allowed)}${silent}</option>`;
}

/** `attributes` are our own constants. */
function input(
  { values, faults }: MaintenanceNewModel,
  name: MaintenanceField,
  attributes: string,
  fallback = "",
): Html {
  return markup`<input id="${name}" name="${name}" ${trusted(attributes)} value="${values[name] ?? fallback}"${invalid(faults, name, `fault-${name}`)}>`;
}

function field(
  { faults }: MaintenanceNewModel,
  name: MaintenanceField,
  label: string,
  control: Html,
  hint?: string,
): Html {
  return markup`<div class="field"><label for="${name}">${label}</label>${control}${hint !== undefined && markup`<small>${hint}</small>`}${faultOf(faults, name, `fault-${name}`)}</div>`;
}
