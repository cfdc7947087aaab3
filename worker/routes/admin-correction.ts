/** What was said of an incident and is not so, in the admin: corrections, deletions, merging, and postmortems. */
import { renderCorrection } from "../../web/view/admin/correction.ts";
import type { CorrectionModel } from "../../web/view/admin/incident-model.ts";
import type { Fault } from "../../web/view/admin/model.ts";
import type { Announcing } from "../core/announce.ts";
import type { Incident, IncidentUpdate } from "../core/incident.ts";
import type { Announces } from "../objects/board-announcements.ts";
import type { IncidentAct } from "../objects/board-incidents.ts";
import { boardOf } from "../objects/env.ts";
import { adminPage } from "./admin-page.ts";
import type { Values } from "./admin-incident-form.ts";
import { correctionRequest, revisionOf, unix } from "./admin-incident-form.ts";
import { updateModel } from "./admin-incident-model.ts";
import { freshKey, incidentPage, responds, valuesOf } from "./admin-incident.ts";
import { frameOf } from "./admin-view.ts";
import { refuse } from "./answer.ts";
import { refuseAnnouncement } from "./announce.ts";
import type { AppContext, Route, RouteRequest } from "./table.ts";

interface Typed {
  readonly values: Values;
  readonly faults: readonly Fault[];
  readonly isStale: boolean;
  readonly isPreview: boolean;
}

const idOf = (c: AppContext): string => c.req.param("id") ?? "";
const updateIdOf = (c: AppContext): string => c.req.param("update") ?? "";
const GONE = "There is no such update any more. Somebody deleted it, or its incident.";

// ── one update ──────────────────────────────────────────────────────────────────────────────────────────────────────

async function correctionPage(c: AppContext, typed: Typed | null, status: 200 | 400 | 409): Promise<Response> {
  const view = await boardOf(c.env).operatorView([]);
  const incident = view.incidents?.find((one) => one.id === idOf(c));
  const update = incident?.updates.find(({ id }) => id === updateIdOf(c));
  if (incident === undefined || update === undefined) return refuse(c, "not_found", GONE);
  return adminPage(c, renderCorrection(correctionModel(incident, update, typed), frameOf(view, Date.now())), status);
}

function correctionModel(incident: Incident, update: IncidentUpdate, typed: Typed | null): CorrectionModel {
  const revision = String(incident.writtenAt);
  const shownAt = new Date(update.displayAt).toISOString().slice(0, 19);
  const stands = { body: update.body, at: shownAt, shownAt, revision };
  const { values, faults, isStale, isPreview } = typed ?? {
    values: stands,
    faults: [],
    isStale: false,
    isPreview: false,
  };
  return {
    incident: { id: incident.id, name: incident.name },
    update: updateModel(update),
    canDelete: incident.updates.length > 1,
    values: isStale ? { ...values, revision } : values,
    faults,
    isStale,
    preview: isPreview ? (values["body"] ?? "") : null,
  };
}

async function correct(c: AppContext, request: RouteRequest): Promise<Response> {
  const values = valuesOf(request.body);
  const typed: Typed = { values, faults: [], isStale: false, isPreview: false };
  if (values["act"] === "preview") return correctionPage(c, { ...typed, isPreview: true }, 200);
  const parsed = correctionRequest(values);
  if (!parsed.ok) return correctionPage(c, { ...typed, faults: parsed.failure }, 400);
  const act = { kind: "incident.correct", id: idOf(c), update: updateIdOf(c), request: parsed.value } as const;
  const done = await run(c, act, request);
  if (done.ok) return c.redirect(`/admin/incidents/${idOf(c)}`, 303);
  const { code } = done.failure;
  if (code === "stale") return correctionPage(c, { ...typed, isStale: true }, 409);
  if (code === "unknown") return refuse(c, "not_found", GONE);
  if (code === "in_future")
    return correctionPage(c, { ...typed, faults: [{ field: "at", message: "It must not be in the future." }] }, 400);
  return refuseAnnouncement(c, done.failure);
}

async function erase(c: AppContext, request: RouteRequest): Promise<Response> {
  const asked = revisionOf(valuesOf(request.body));
  const done = await run(c, { kind: "incident.erase", id: idOf(c), update: updateIdOf(c), request: asked }, request);
  if (done.ok) return c.redirect(`/admin/incidents/${idOf(c)}`, 303);
  if (done.failure.code === "stale") return correctionPage(c, null, 409);
  return done.failure.code === "unknown" ? refuse(c, "not_found", GONE) : refuseAnnouncement(c, done.failure);
}

// ── a whole incident ────────────────────────────────────────────────────────────────────────────────────────────────

async function merge(c: AppContext, request: RouteRequest): Promise<Response> {
  const values = valuesOf(request.body);
  const into = values["into"] ?? "";
  return gone(
    c,
    await run(c, { kind: "incident.merge", id: idOf(c), into, request: revisionOf(values) }, request),
    into,
  );
}

async function remove(c: AppContext, request: RouteRequest): Promise<Response> {
  const values = valuesOf(request.body);
  if (values["sure"] !== "yes")
    return refuse(c, "request_malformed", "Tick the box to delete it. Nothing was changed.");
  return gone(c, await run(c, { kind: "incident.delete", id: idOf(c), request: revisionOf(values) }, request), "");
}

/** After an incident ceased to be one of its own: what somebody wrote meanwhile is shown first. */
async function gone(c: AppContext, done: Announcing<Announces>, into: string): Promise<Response> {
  if (done.ok) return c.redirect(into === "" ? "/admin/incidents" : `/admin/incidents/${into}`, 303);
  return done.failure.code === "stale" ? incidentPage(c, idOf(c), {}, 409) : refuseAnnouncement(c, done.failure);
}

// ── postmortem ──────────────────────────────────────────────────────────────────────────────────────────────────────

async function postmortem(c: AppContext, request: RouteRequest): Promise<Response> {
  const values = valuesOf(request.body);
  const id = idOf(c);
  const body = unix(values["body"] ?? "");
  const typed = { values: { body, revision: values["revision"] ?? "" }, faults: [] };
  if (values["act"] === "preview") return incidentPage(c, id, { postmortem: { ...typed, preview: body } }, 200);
  const checked = correctionRequest({ body: body === "" ? " " : body });
  const isPublished = values["act"] === "publish";
  if (!checked.ok && (isPublished || body.trim() !== ""))
    return incidentPage(c, id, { postmortem: { ...typed, faults: checked.failure } }, 400);
  const { revision } = revisionOf(values);
  const act: IncidentAct = isPublished
    ? {
        kind: "incident.update",
        id,
        request: { status: "postmortem", body, components: [], revision, key: freshKey() },
      }
    : { kind: "incident.postmortem", id, request: { body, revision } };
  const done = await run(c, act, request);
  if (done.ok) return c.redirect(`/admin/incidents/${id}#postmortem`, 303);
  if (done.failure.code !== "stale") return refuseAnnouncement(c, done.failure);
  const { current } = done.failure;
  const conflict = current?.postmortem?.body ?? "";
  const fresh = { ...typed.values, revision: String(current?.writtenAt ?? "") };
  return incidentPage(c, id, { postmortem: { ...typed, values: fresh, conflict } }, 409);
}

async function run(c: AppContext, act: IncidentAct, { visitor }: RouteRequest): Promise<Announcing<Announces>> {
  return boardOf(c.env).announce(act, visitor.by ?? "unknown");
}

const ONE = "/admin/incidents/:id/updates/:update";

export const correctionRoutes: readonly Route[] = [
  { method: "GET", path: ONE, policy: "admin", role: "responder", handle: (c) => correctionPage(c, null, 200) },
  { method: "POST", path: ONE, ...responds, handle: correct },
  { method: "POST", path: `${ONE}/delete`, ...responds, handle: erase },
  { method: "POST", path: "/admin/incidents/:id/merge", ...responds, handle: merge },
  { method: "POST", path: "/admin/incidents/:id/delete", ...responds, handle: remove },
  { method: "POST", path: "/admin/incidents/:id/postmortem", ...responds, handle: postmortem },
];
