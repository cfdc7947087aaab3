/**
 * Incidents in the admin. Forms work without JavaScript: what is refused is shown again as it was typed. Each carries
 * the revision that its writer saw and a number of its own, so that two who write at once lose nothing, and a form that
 * is sent twice is posted once.
 */
import type { ComponentStatus } from "../../protocol/status.ts";
import { worse } from "../../protocol/status.ts";
import type { Millis } from "../../protocol/time.ts";
import { SECOND } from "../../protocol/time.ts";
import { length, moment } from "../../web/view/english.ts";
import { previewOf } from "../../web/view/admin/incident-form.ts";
import type { PostmortemModel } from "../../web/view/admin/incident-model.ts";
import { renderIncidentNew } from "../../web/view/admin/incident-new.ts";
import { renderIncidentPage } from "../../web/view/admin/incident.ts";
import { renderIncidents } from "../../web/view/admin/incidents.ts";
import type { Fault } from "../../web/view/admin/model.ts";
import { addedRows, withAdded } from "../core/added.ts";
import { AFFECTED_MAX } from "../core/announce.ts";
import type { AnnounceRefusal, Announcing } from "../core/announce.ts";
import type { Component } from "../core/component.ts";
import type { Incident } from "../core/incident.ts";
import { affectedNow, isUnresolved } from "../core/incident.ts";
import type { Failed } from "../core/resolution.ts";
import { failedOf, resolutionPlan, resolutionText } from "../core/resolution.ts";
import type { Template } from "../core/template.ts";
import { filled, templatesOf } from "../core/template.ts";
import { visible } from "../core/visibility.ts";
import type { AnnounceAct, Announces } from "../objects/board-announcements.ts";
import { freshId } from "../objects/crypto.ts";
import { boardOf } from "../objects/env.ts";
import type { OperatorView } from "../objects/operator-view.ts";
import { openDatabase } from "../store/database.ts";
import { SERIES_SERVICES_MAX, seriesOver } from "../store/series.ts";
import { adminPage, formOf } from "./admin-page.ts";
import type { Values } from "./admin-incident-form.ts";
import { openRequest, remindRequest, updateRequest } from "./admin-incident-form.ts";
import type { Shown } from "./admin-incident-model.ts";
import {
  chosenOf,
  formModel,
  incidentPageModel,
  incidentsModel,
  seenNow,
  templateFacts,
  uncoveredOf,
  updateValues,
} from "./admin-incident-model.ts";
import { draftModels, frameOf } from "./admin-view.ts";
import { REMIND_WANTED } from "./announce-request.ts";
import { refuse } from "./answer.ts";
import { refuseAnnouncement } from "./announce.ts";
import type { AppContext, Route, RouteRequest } from "./table.ts";

/** Two texts of 25,000 characters, and what is said of 1,000 components. */
const INCIDENT_FORM_MAX = 262_144;

/** An operator waits: what is not known by then is not known. */
const ARCHIVE_TIMEOUT_MS = 2 * SECOND;

/** An update that is posted from a form that is shown anew has a number of its own. */
export const freshKey = (): string => `${freshId()}${freshId()}`;

export interface Looked {
  /** With the components that visitors see, and no others: what is hidden has no name that an incident may say. */
  readonly view: OperatorView;
  /** All of them. */
  readonly all: readonly Component[];
  /** What visitors see of each component now, by id. */
  readonly seen: ReadonlyMap<string, ComponentStatus>;
  readonly now: Millis;
}

export async function look(c: AppContext): Promise<Looked> {
  const board = boardOf(c.env);
  const [view, snapshot] = await Promise.all([board.operatorView([]), board.snapshot()]);
  const now = Date.now();
  const { components: all } = view;
  const components = all.filter(({ hidden }) => hidden !== true);
  return { view: { ...view, components }, all, seen: seenNow(snapshot, now), now };
}

export const valuesOf = (body: Uint8Array): Values => Object.fromEntries(formOf(body));
const idOf = (c: AppContext): string => c.req.param("id") ?? "";
const byOf = ({ visitor }: RouteRequest): string => visitor.by ?? "unknown";

/** A refusal beside the field that it is about; null if it is not about what was typed. */
function faultOf({ code, which }: AnnounceRefusal): Fault | null {
  switch (code) {
    case "in_future":
      return { field: "at", message: "It must not be in the future: times here are UTC." };
    case "order":
      return { field: "endAt", message: `That cannot be: ${which}.` };
    case "too_long":
      return { field: "body", message: "All its updates together are too long to be kept. Shorten it." };
    case "unknown_component":
      return { field: "components", message: "One of them was taken off the page meanwhile. Choose again." };
    case "too_many":
      return { field: null, message: `There are too many ${which}: end some of them first.` };
    default:
      return null;
  }
}

// ── list and new ────────────────────────────────────────────────────────────────────────────────────────────────────

async function list(c: AppContext): Promise<Response> {
  const view = await boardOf(c.env).operatorView([]);
  const page = Number(c.req.query("page") ?? "1");
  const now = Date.now();
  const model = incidentsModel(view, Number.isInteger(page) ? page : 1, now);
  return adminPage(c, renderIncidents(model, frameOf(view, now)));
}

/** The troubled components are chosen already; a template says more. A draft has a page of its own. */
async function showNew(c: AppContext): Promise<Response> {
  const draft = c.req.query("draft");
  if (draft !== undefined) return c.redirect(`/admin/drafts/${encodeURIComponent(draft)}`, 303);
  const looked = await look(c);
  const template = templatesOf(looked.view.page).find(({ id }) => id === c.req.query("template"));
  const evident = fromEvidence(looked);
  const begun = template === undefined ? evident : fromTemplate(template, looked, evident);
  return newPage(c, looked, { values: { ...begun, key: freshKey() }, faults: [], isPreview: false }, 200);
}

/** As many as one incident may speak of. */
function fromEvidence({ view, seen }: Looked): Values {
  return Object.fromEntries(
    uncoveredOf(view, seen)
      .slice(0, AFFECTED_MAX)
      .map(({ id }) => [`c.${id}`, seen.get(id) ?? ""]),
  );
}

/** What is unwell is at least as bad as the template says. */
function fromTemplate({ name, body, status, affected }: Template, { view, now }: Looked, evident: Values): Values {
  const ids = Object.keys(evident);
  const names = view.components.filter(({ id }) => ids.includes(`c.${id}`)).map((one) => one.name);
  const statuses = [...chosenOf(evident)].map(([id, to]) => [id, worse(to, affected)] as const);
  const said = statuses.length === 0 ? [affected] : statuses.map(([, to]) => to);
  const facts = templateFacts(view, { names, statuses: said, since: now }, now);
  const fields = statuses.map(([id, to]) => [`c.${id}`, to]);
  return { name: filled(name, facts), body: filled(body, facts), status, ...Object.fromEntries(fields) };
}

function newPage(c: AppContext, { view, seen, now }: Looked, shown: Shown, status: 200 | 400 | 409): Response {
  const form = formModel(view.components, seen, null, shown);
  const draft = draftModels(view, now).find(({ id }) => id === shown.values["draft"]) ?? null;
  const templates = templatesOf(view.page);
  return adminPage(c, renderIncidentNew({ form, templates, draft }, frameOf(view, now)), status);
}

/** What was typed, with the components that were named in rows as what they are. */
async function typed(
  c: AppContext,
  { body }: RouteRequest,
): Promise<{ readonly values: Values; readonly faults: readonly Fault[] }> {
  const typedIn = valuesOf(body);
  if (addedRows(typedIn).length === 0) return { values: typedIn, faults: [] };
  const { values, unknown } = withAdded(typedIn, (await look(c)).view.components);
  const faults = unknown.map((name) => {
    const message = `There is no single component “${name}”. Choose one of those proposed.`;
    return { field: "components", message };
  });
  return { values, faults };
}

async function open(c: AppContext, request: RouteRequest): Promise<Response> {
  const { values, faults } = await typed(c, request);
  const now = Date.now();
  if (values["act"] === "preview") return newPage(c, await look(c), { values, faults, isPreview: true }, 200);
  const parsed = openRequest(values, now);
  if (!parsed.ok || faults.length > 0) {
    const all = [...faults, ...(parsed.ok ? [] : parsed.failure)];
    return newPage(c, await look(c), { values, faults: all, isPreview: false }, 400);
  }
  const board = boardOf(c.env);
  const { draft } = values;
  if (draft !== undefined) {
    const published = await board.publishDraft(draft, parsed.value, byOf(request));
    if (published.ok) return opened(c, values, published.value);
    // Sent twice, or somebody else was there before: what it became is what they want to see.
    const incident = published.failure.draft?.decided?.incident ?? null;
    if (incident !== null) return c.redirect(`/admin/incidents/${incident}`, 303);
    const message =
      "This draft is gone: somebody dismissed it meanwhile. Post it as an incident of its own if it is one.";
    const { draft: _, ...rest } = values;
    return newPage(c, await look(c), { values: rest, faults: [{ field: null, message }], isPreview: false }, 409);
  }
  return opened(c, values, await board.announce({ kind: "incident.open", request: parsed.value }, byOf(request)));
}

async function opened(c: AppContext, values: Values, done: Announcing<Announces>): Promise<Response> {
  if (done.ok) return c.redirect(`/admin/incidents/${done.value.id}`, 303);
  const fault = faultOf(done.failure);
  if (fault === null) return refuseAnnouncement(c, done.failure);
  return newPage(c, await look(c), { values, faults: [fault], isPreview: false }, 409);
}

// ── one incident ────────────────────────────────────────────────────────────────────────────────────────────────────

interface PageState {
  /** Null: where things are now, with nothing typed. */
  readonly shown: Shown | null;
  /** The revision that whoever typed had seen, if it is another by now. */
  readonly conflict: Millis | null;
  readonly postmortem: (Pick<PostmortemModel, "values" | "faults"> & Partial<PostmortemModel>) | null;
}

const NOTHING: PageState = { shown: null, conflict: null, postmortem: null };

export async function incidentPage(
  c: AppContext,
  id: string,
  state: Partial<PageState>,
  status: 200 | 400 | 409,
): Promise<Response> {
  const looked = await look(c);
  const incident = looked.view.incidents?.find((one) => one.id === id);
  if (incident === undefined)
    return refuse(c, "not_found", "There is no such incident. It was deleted or merged, or is old.");
  return adminPage(c, pageOf(incident, looked, { ...NOTHING, ...state }), status);
}

function pageOf(incident: Incident, { view, seen, now }: Looked, { shown, conflict, postmortem }: PageState): string {
  const fresh = updateValues(incident, view, freshKey());
  const asked: Shown =
    shown === null
      ? { values: fresh, faults: [], isPreview: false }
      : { ...shown, values: conflict === null ? shown.values : { ...shown.values, revision: fresh["revision"] ?? "" } };
  const form = formModel(view.components, seen, incident, asked);
  return renderIncidentPage(incidentPageModel(incident, view, form, { conflict, postmortem }, now), frameOf(view, now));
}

/** With the end proposed: what was measured, as far as it is known. */
async function show(c: AppContext): Promise<Response> {
  const id = idOf(c);
  if (c.req.query("propose") !== "resolved") return incidentPage(c, id, {}, 200);
  const looked = await look(c);
  const incident = looked.view.incidents?.find((one) => one.id === id);
  if (incident === undefined || !isUnresolved(incident)) return incidentPage(c, id, {}, 200);
  const body = await proposal(c, incident, looked);
  const values = { ...updateValues(incident, looked.view, freshKey()), status: "resolved", body };
  return incidentPage(c, id, { shown: { values, faults: [], isPreview: true } }, 200);
}

async function proposal(c: AppContext, incident: Incident, { view, now }: Looked): Promise<string> {
  const { startedAt } = incident;
  const ids = affectedNow(incident).map(({ component }) => component);
  const components = view.components.filter(({ id }) => ids.includes(id));
  // Visitors read it: what they do not know is not named, unless nothing else is and they read none of it.
  const known = visible(components);
  return resolutionText({
    components: (known.length === 0 ? components : known).map(({ name }) => name),
    length: length(now - startedAt),
    time: moment(startedAt, now, view.page.timeZone),
    failed: await failedSince(c, [...new Set(components.flatMap(({ services }) => services))], startedAt, view, now),
  });
}

/** Null if the archive cannot be reached, or if one look is not enough. */
async function failedSince(
  c: AppContext,
  services: readonly string[],
  startedAt: Millis,
  { page: { timeZone } }: OperatorView,
  now: Millis,
): Promise<Failed | null> {
  const plan = resolutionPlan(startedAt, now);
  if (plan === null || services.length === 0 || services.length > SERIES_SERVICES_MAX) return null;
  const { DATABASE_URL: url, NEON_FETCH_ENDPOINT: fetchEndpoint } = c.env;
  const database = openDatabase({ url, fetchEndpoint, timeoutMs: ARCHIVE_TIMEOUT_MS });
  const found = await seriesOver(database, { services, plan, now, timeZone });
  return found.ok ? failedOf(found.value.points) : null;
}

async function update(c: AppContext, request: RouteRequest): Promise<Response> {
  const { values, faults } = await typed(c, request);
  const id = idOf(c);
  if (values["act"] === "preview") return incidentPage(c, id, { shown: { values, faults, isPreview: true } }, 200);
  const { view } = await look(c);
  const incident = view.incidents?.find((one) => one.id === id);
  if (incident === undefined) return refuse(c, "not_found", "There is no such incident. It was deleted or merged.");
  const parsed = updateRequest(values, incident, Date.now());
  if (!parsed.ok || faults.length > 0) {
    const all = [...faults, ...(parsed.ok ? [] : parsed.failure)];
    return incidentPage(c, id, { shown: { values, faults: all, isPreview: false } }, 400);
  }
  const act: AnnounceAct = { kind: "incident.update", id, request: parsed.value };
  return done(c, id, await boardOf(c.env).announce(act, byOf(request)), values);
}

async function done(c: AppContext, id: string, announced: Announcing<Announces>, values: Values): Promise<Response> {
  if (announced.ok) return c.redirect(`/admin/incidents/${announced.value.id}`, 303);
  const shown = { values, faults: [], isPreview: false };
  if (announced.failure.code === "stale")
    return incidentPage(c, id, { shown, conflict: Number(values["revision"]) }, 409);
  const fault = faultOf(announced.failure);
  return fault === null
    ? refuseAnnouncement(c, announced.failure)
    : incidentPage(c, id, { shown: { ...shown, faults: [fault] } }, 400);
}

/** Sets a reminder anew, or takes it away; nothing is said to visitors but by when more comes. */
async function remind(c: AppContext, { body, visitor }: RouteRequest): Promise<Response> {
  const id = idOf(c);
  const asked = remindRequest(valuesOf(body), Date.now());
  if (!asked.ok) return refuse(c, "request_malformed", `${REMIND_WANTED} Nothing was changed.`);
  const act: AnnounceAct = { kind: "incident.remind", id, request: asked.value };
  const set = await boardOf(c.env).announce(act, visitor.by ?? "unknown");
  return set.ok ? c.redirect(`/admin/incidents/${id}#reminder`, 303) : refuseAnnouncement(c, set.failure);
}

/** What a text would read like: the browser asks while somebody types. */
function preview(c: AppContext, { body }: RouteRequest): Response {
  return c.html(previewOf(formOf(body).get("body") ?? "").text, 200, { "cache-control": "no-store" });
}

const read = { policy: "admin", role: "viewer" } as const;
export const responds = { policy: "admin", role: "responder", bodyMaxBytes: INCIDENT_FORM_MAX } as const;

export const incidentRoutes: readonly Route[] = [
  { method: "GET", path: "/admin/incidents", ...read, handle: list },
  { method: "GET", path: "/admin/incidents/new", policy: "admin", role: "responder", handle: showNew },
  { method: "POST", path: "/admin/incidents", ...responds, handle: open },
  { method: "POST", path: "/admin/incidents/preview", ...responds, handle: preview },
  { method: "GET", path: "/admin/incidents/:id", ...read, handle: show },
  // Whoever asks again for what a form answered.
  {
    method: "GET",
    path: "/admin/incidents/:id/updates",
    ...read,
    handle: (c) => c.redirect(`/admin/incidents/${idOf(c)}`, 303),
  },
  { method: "POST", path: "/admin/incidents/:id/updates", ...responds, handle: update },
  { method: "POST", path: "/admin/incidents/:id/remind", ...responds, handle: remind },
];
