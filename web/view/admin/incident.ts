/** `/admin/incidents/:id`: what stands, what is said next, and all that was said. */
import { length, moment } from "../english.ts";
import type { Html } from "../html.ts";
import { markup } from "../html.ts";
import { adminDocument } from "./document.ts";
import { age, faultOf, invalid, marked, segment } from "./elements.ts";
import { incidentForm, previewOf, remindFields } from "./incident-form.ts";
import type { IncidentPageModel, PostmortemModel } from "./incident-model.ts";
import { incidentPath, isDue, isOver, nextAction, openMark, updateEntry } from "./incident-parts.ts";
import type { AdminFrame } from "./model.ts";

export function renderIncidentPage(model: IncidentPageModel, frame: AdminFrame): string {
  const { id, updates } = model;
  const path = incidentPath(id);
  const form = incidentForm(model.form, {
    action: `${path}/updates`,
    isNew: false,
    button: model.conflict === null ? "Post this update" : "Post mine after theirs",
    cancel: path,
  });
  const propose = markup`<p><a class="chip" href="${path}?propose=resolved#update">It is over: propose the words, with what was measured</a></p>`;
  const update = markup`<h2 id="update">${isOver(model) ? "Say more of it" : "Post an update"}</h2>${!isOver(model) && model.conflict === null && propose}${form}`;
  return adminDocument(
    frame,
    "/admin/incidents",
    model.name,
    markup`<div id="incident" data-incident="${id}" data-revision="${model.revision}">${standing(model, frame)}</div>
${model.conflict !== null && conflict(model, frame)}
<div class="split"><div>${isOver(model) && model.conflict === null ? markup`<details class="more"><summary>Say more of it, or open it again</summary>${update}</details>` : update}
${model.postmortem !== null && postmortem(model, model.postmortem, frame)}</div>
<div><h2>What was said</h2>
<ol class="line">${updates.map((one) => updateEntry(one, frame, markup`<p><a href="${path}/updates/${segment(one.id)}">Correct</a></p>`))}</ol>
${reminder(model, frame)}</div></div>
${rare(model, frame)}`,
  );
}

function standing(model: IncidentPageModel, frame: AdminFrame): Html {
  const { id, status, impact, isByHand, impactReason, startedAt, resolvedAt, components, unarchivedSince } = model;
  const { now, timeZone } = frame;
  const why = isByHand ? `, set by hand${impactReason === null ? "" : `: ${impactReason}`}` : "";
  const fact = (name: string, value: Html | string): Html => markup`<div><dt>${name}</dt><dd>${value}</dd></div>`;
  return markup`<p class="lead">${marked(isOver(model) ? "operational" : openMark(impact), markup`<b>${status}</b> · ${impact}${why}`)}</p>
${!isOver(model) && markup`<p>${isDue(model, now) ? marked("degraded_performance", nextAction(model, frame)) : nextAction(model, frame)}</p>`}
${unarchivedSince !== null && markup`<p>${marked("degraded_performance", markup`Its newest state is not in Postgres yet, since ${moment(unarchivedSince, now, timeZone)}. Nothing is lost: visitors have it, and it is sent when <a href="/admin/archive">the archive</a> takes it.`)}</p>`}
<dl>${fact("Began", age(startedAt, frame))}${resolvedAt !== null && fact("Resolved", markup`${moment(resolvedAt, now, timeZone)}, after ${length(resolvedAt - startedAt)}`)}${components.length > 0 && fact("Affects", components.join(", "))}${fact("Visitors read", markup`<a href="/incidents/${segment(id)}">its public page</a>`)}</dl>`;
}

function conflict({ conflict: found, id, revision }: IncidentPageModel, frame: AdminFrame): Html | null {
  if (found === null) return null;
  const { theirs } = found;
  return markup`<section class="needs conflict" role="alert"><h2>Somebody wrote while you did</h2>
<p>Nothing is lost, and yours is not posted yet. ${theirs.length > 0 ? "This is what they said:" : "They changed something other than what was said: it is shown above."}</p>
${theirs.length > 0 && markup`<ol class="line">${theirs.map((one) => updateEntry(one, frame))}</ol>`}
<p>Below is what you typed. Change it if theirs says it already.</p>
<p class="actions"><button class="primary" form="incident-form">Post mine after theirs</button> <a class="secondary" href="${incidentPath(id)}?seen=${revision}">Drop mine</a></p></section>`;
}

// ── after it ────────────────────────────────────────────────────────────────────────────────────────────────────────

function postmortem({ id, revision }: IncidentPageModel, model: PostmortemModel, frame: AdminFrame): Html {
  const { values, faults, saved, preview, conflict: theirs } = model;
  const state =
    saved === null
      ? markup`<p class="soft">What happened, why, and what was done so that it does not happen again. Visitors read it once you publish it.</p>`
      : markup`<p class="soft">A draft: saved by ${saved.by}, ${age(saved.at, frame)}. Visitors see nothing of it.</p>`;
  const stale =
    theirs !== null &&
    markup`<section class="needs conflict" role="alert"><h3>Somebody changed it while you wrote</h3><p>Theirs, as it stands now:</p><pre>${theirs}</pre><p>Yours is below and not saved. Saving puts it in the place of theirs.</p></section>`;
  return markup`<h2 id="postmortem">Postmortem</h2>${stale}
<form class="sheet" id="postmortem-form" method="post" action="${incidentPath(id)}/postmortem">${state}
<input type="hidden" name="revision" value="${values.revision ?? revision}">
<div class="field"><label for="postmortem-body">Postmortem</label><textarea id="postmortem-body" name="body" rows="8" maxlength="25000"${invalid(faults, "body", "fault-postmortem")}>
${values.body ?? ""}</textarea>${faultOf(faults, "body", "fault-postmortem")}</div>
${preview !== null && markup`<div class="md preview">${previewOf(preview)}</div>`}
<p class="actions"><button class="secondary" name="act" value="save">Save the draft</button> <button class="secondary" name="act" value="preview">Preview it</button> <button class="primary" name="act" value="publish">Publish it</button></p></form>`;
}

/** Set, moved or taken away without a word to visitors. */
function reminder(model: IncidentPageModel, { now, timeZone }: AdminFrame): Html | null {
  const { id, reminder: set } = model;
  if (isOver(model)) return null;
  const due = set !== null && set.at <= now;
  const words =
    set !== null &&
    `${set.by} is reminded ${due ? "since" : "at"} ${moment(set.at, now, timeZone)}${set.isPublic ? ", and visitors read that the next update comes by then" : ""}.`;
  return markup`<h2 id="reminder">Reminder</h2>${words !== false && markup`<p>${marked(due ? "degraded_performance" : "operational", words)}</p>`}
<form class="sheet" method="post" action="${incidentPath(id)}/remind">${remindFields(set === null ? "" : String(set.minutes), set?.isPublic ?? false)}
<p><button class="secondary">${set === null ? "Set the reminder" : "Change the reminder"}</button></p></form>`;
}

function rare(model: IncidentPageModel, { now, timeZone }: AdminFrame): Html | null {
  const { id, others, deletableUntil, revision } = model;
  if (others.length === 0 && deletableUntil === null) return null;
  const options = others.map((one) => markup`<option value="${one.id}">${one.name}</option>`);
  const merge =
    others.length > 0 &&
    markup`<form class="sheet" method="post" action="${incidentPath(id)}/merge"><input type="hidden" name="revision" value="${revision}">
<div class="field"><label for="into">Merge it into</label><select id="into" name="into">${options}</select><small>They become one, under the other’s name. What was said here stands in its time line, and this one’s address leads there.</small></div>
<p><button class="danger">Merge</button></p></form>`;
  const remove =
    deletableUntil !== null &&
    markup`<form class="sheet" method="post" action="${incidentPath(id)}/delete"><input type="hidden" name="revision" value="${revision}">
<p>Opened by mistake? It can be deleted until ${moment(deletableUntil, now, timeZone)}; after that it is resolved. It is gone from the page, the feeds and the API, and stays in the audit.</p>
<label class="choice"><input type="checkbox" name="sure" value="yes" required> <span>Delete “${model.name}” with all that was said of it</span></label>
<p><button class="danger">Delete</button></p></form>`;
  return markup`<details class="more" id="rare"><summary>Merge or delete</summary>${merge}${remove}</details>`;
}
