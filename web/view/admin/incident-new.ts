import type { Html } from "../html.ts";
import { markup } from "../html.ts";
import { adminDocument } from "./document.ts";
import { age, marked, segment } from "./elements.ts";
import { incidentForm } from "./incident-form.ts";
import type { IncidentNewModel } from "./incident-model.ts";
import type { AdminFrame, DraftModel } from "./model.ts";

export function renderIncidentNew({ form, templates, draft }: IncidentNewModel, frame: AdminFrame): string {
  return adminDocument(
    frame,
    "/admin/incidents",
    "Report an incident",
    markup`${draft !== null && origin(draft, frame)}${templates.length > 0 && markup`<p class="templates"><span class="soft">Begin with:</span> ${templates.map(({ id, title }) => markup`<a class="chip" href="/admin/incidents/new?template=${segment(id)}">${title}</a> `)} <a class="soft" href="/admin/templates">Edit these</a></p>`}
${incidentForm(form, { action: "/admin/incidents", isNew: true, button: "Post this incident", cancel: "/admin" })}`,
  );
}

function origin(draft: DraftModel, frame: AdminFrame): Html {
  return markup`<section class="needs">${marked("partial_outage", markup`From the draft <a href="/admin/drafts/${segment(draft.id)}">${draft.title}</a>: since ${age(draft.startedAt, frame)}. ${draft.cause}`)}</section>`;
}
