/** `/admin/incidents/:id/updates/:update`: mending what was said, or taking it back. */
import type { Html } from "../html.ts";
import { markup } from "../html.ts";
import { adminDocument } from "./document.ts";
import { faultOf, invalid, segment } from "./elements.ts";
import { previewOf } from "./incident-form.ts";
import type { CorrectionModel } from "./incident-model.ts";
import { incidentPath, updateEntry } from "./incident-parts.ts";
import type { AdminFrame } from "./model.ts";

export function renderCorrection(model: CorrectionModel, frame: AdminFrame): string {
  const { incident, update, isStale } = model;
  const back = incidentPath(incident.id);
  return adminDocument(
    frame,
    "/admin/incidents",
    "Correct what was said",
    markup`<p class="soft"><a href="${back}">${incident.name}</a></p>
${isStale && stale()}
<h2 class="vh">As it stands</h2><ol class="line">${updateEntry(update, frame)}</ol>
${form(model, `${back}/updates/${segment(update.id)}`)}
${removal(model, `${back}/updates/${segment(update.id)}/delete`)}`,
  );
}

function stale(): Html {
  return markup`<section class="needs conflict" role="alert"><h2>Somebody wrote while you did</h2><p>Above is what stands there now, below what you typed. Yours is not saved yet: saving puts it in the place of theirs.</p></section>`;
}

function form({ values, faults, incident, preview, isStale }: CorrectionModel, action: string): Html {
  return markup`<form class="sheet" method="post" action="${action}">${faultOf(faults, null, "fault-form")}
<input type="hidden" name="revision" value="${values.revision ?? ""}"><input type="hidden" name="shownAt" value="${values.shownAt ?? ""}">
<div class="field"><label for="body">What visitors read</label><textarea id="body" name="body" rows="6" required maxlength="25000"${invalid(faults, "body", "fault-body", "hint-body")}>
${values.body ?? ""}</textarea><small id="hint-body">They read that it was edited, and when. What stood there before is in the audit.</small>${faultOf(faults, "body", "fault-body")}</div>
<div id="preview" class="md preview" role="region" aria-label="Preview">${preview !== null && previewOf(preview)}</div>
<div class="field"><label for="at">When it was so (UTC)</label><input id="at" name="at" type="datetime-local" step="1" required value="${values.at ?? ""}"${invalid(faults, "at", "fault-at")}>${faultOf(faults, "at", "fault-at")}</div>
<p class="actions"><button class="primary">${isStale ? "Save mine in the place of theirs" : "Save"}</button> <button name="act" value="preview" class="secondary">Preview</button> <a href="${incidentPath(incident.id)}">${isStale ? "Drop mine" : "Cancel"}</a></p></form>`;
}

function removal({ canDelete, values }: CorrectionModel, action: string): Html {
  if (!canDelete) return markup`<p class="soft">It is all that was said of this incident, and cannot be deleted.</p>`;
  return markup`<details class="more"><summary>Posted by mistake</summary><form class="sheet" method="post" action="${action}"><input type="hidden" name="revision" value="${values.revision ?? ""}">
<p>It is gone from the page, the feeds and the API, and stays in the audit. Whoever was sent it keeps it.</p><p><button class="danger">Delete this update</button></p></form></details>`;
}
