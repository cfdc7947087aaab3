/** The operator's hand on what is announced. Stored by the Board alone: it works while Postgres is down. */
import * as v from "valibot";
import type { Millis } from "../../protocol/time.ts";
import { MINUTE } from "../../protocol/time.ts";
import type { AnnounceRefusal } from "../core/announce.ts";
import { isShown, publicIncident } from "../core/announced.ts";
import type { Incident } from "../core/incident.ts";
import { incidentImpact, incidentStatus, newestFirst } from "../core/incident.ts";
import type { Announcement, Maintenance } from "../core/maintenance.ts";
import { maintenanceStatus } from "../core/maintenance.ts";
import type { AnnounceAct, Announces } from "../objects/board-announcements.ts";
import { boardOf } from "../objects/env.ts";
import type { OperatorView } from "../objects/operator-view.ts";
import {
  CorrectionSchema,
  GuardedSchema,
  IncidentSchema,
  IncidentUpdateSchema,
  MaintenanceChangeSchema,
  MaintenanceSchema,
  MaintenanceUpdateSchema,
  MergeSchema,
  PostmortemSchema,
  RemindSchema,
} from "./announce-request.ts";
import { refuse } from "./answer.ts";
import { withJson } from "./cli.ts";
import type { AppContext, Route } from "./table.ts";

/** A text of 25,000 characters in UTF-8, and a hundred components. */
const BODY_MAX = 262_144;

/** What each refusal means, and what to do. `sent` is said again to whoever wrote beside somebody else. */
export function refuseAnnouncement(
  c: AppContext,
  { code, which, current }: AnnounceRefusal,
  sent: unknown = null,
): Response {
  switch (code) {
    case "unknown":
      return refuse(c, "not_found", `There is nothing announced with the id "${which}".`);
    case "unknown_component":
      return refuse(
        c,
        "request_malformed",
        `components: there is no "${which}". Give an id, a name, or "group / name".`,
      );
    case "ambiguous_component":
      return refuse(
        c,
        "request_malformed",
        `components: several are called "${which}". Say "group / name", or give its id.`,
      );
    case "too_many":
      return refuse(c, "conflict", `There are too many ${which}: end some of them first.`);
    case "too_long":
      return refuse(c, "request_too_large", "All its updates together are too long to be kept. Open another.");
    case "is_over":
      return refuse(c, "conflict", "It is over.");
    case "in_future":
      return refuse(c, "request_malformed", `${which}: must not be in the future.`);
    case "order":
      return refuse(c, "conflict", `That cannot be: ${which}.`);
    case "notice":
      return refuse(
        c,
        "conflict",
        `A planned maintenance is announced ${which} before it starts. Choose a later time, or call it an emergency, which visitors read.`,
      );
    case "rule":
      return refuse(c, "request_malformed", which);
    case "busy":
      return refuse(c, "conflict", `"${which}" has a maintenance already. End it first.`);
    case "stale":
      return refuse(
        c,
        "conflict",
        "Somebody changed it since you looked. Read `held`, and send yours again with its revision, or drop it.",
        { ...(current !== undefined && { held: incidentHeld(current) }), sent },
      );
    case "last_update":
      return refuse(c, "conflict", "It is the last of its updates: correct it, or delete the incident.");
    case "too_old":
      return refuse(
        c,
        "conflict",
        "Visitors, feeds and mails have had it for an hour: resolve it, and say what it was.",
      );
  }
}

/** An incident in full, as operators have it. */
function incidentHeld(incident: Incident) {
  const { id, name, impact, impactReason, startedAt, writtenAt, updates, postmortem } = incident;
  return {
    id,
    name,
    status: incidentStatus(incident),
    impact: incidentImpact(incident),
    ...(impact !== null && { impactReason: impactReason ?? null }),
    startedAt: iso(startedAt),
    revision: writtenAt,
    updates: updates.toReversed().map((update) => ({
      id: update.id,
      status: update.status,
      body: update.body,
      at: iso(update.displayAt),
      by: update.by,
      components: update.affected.map(({ name: component, to }) => ({ component, status: to })),
    })),
    ...(postmortem !== undefined && { postmortem: { ...postmortem, at: iso(postmortem.at) } }),
  };
}

/** Where visitors read it. */
export function publicOrigin(c: AppContext, view: Pick<OperatorView, "page"> | null): string {
  return view?.page.brand?.origin ?? new URL(c.req.url).origin;
}

export const iso = (at: Millis): string => new Date(at).toISOString();

function incidentAnswer(origin: string, incident: Incident) {
  const { id, name, status, impact, startedAt, updates } = publicIncident(incident, []);
  const url = `${origin}/incidents/${id}`;
  const revision = incident.writtenAt;
  return { id, name, status, impact, startedAt: iso(startedAt), updates: updates.length, revision, url };
}

/** `url` is null of one that visitors cannot see: no component stands on its target. */
function maintenanceAnswer(
  origin: string,
  maintenance: Announcement | Maintenance,
  view: Pick<OperatorView, "components"> | null,
  now: Millis,
) {
  const { id, name, startsAt, endsAt, cancelledAt, updates = [] } = maintenance;
  return {
    id,
    name,
    status: maintenanceStatus(maintenance, now),
    startsAt: iso(startsAt),
    endsAt: iso(endsAt),
    cancelledAt: cancelledAt === undefined ? null : iso(cancelledAt),
    updates: updates.length,
    url: view === null || isShown(maintenance, view.components) ? `${origin}/maintenance/${id}` : null,
  };
}

async function announced(c: AppContext, act: AnnounceAct, by: string, status: 200 | 201): Promise<Response> {
  const done = await boardOf(c.env).announce(act, by);
  if (!done.ok) return refuseAnnouncement(c, done.failure, "request" in act ? act.request : null);
  // It stands already: an address is nothing that its answer may fail for.
  const view = await boardOf(c.env)
    .operatorView([])
    .catch(() => null);
  const origin = publicOrigin(c, view);
  const answer = isIncident(done.value)
    ? { incident: incidentAnswer(origin, done.value) }
    : { maintenance: maintenanceAnswer(origin, done.value, view, Date.now()) };
  return c.json(answer, status);
}

function isIncident(one: Announces): one is Incident {
  return "impact" in one;
}

export const idOf = (c: AppContext): string => c.req.param("id") ?? "";
const Empty = v.strictObject({});

const open = withJson(IncidentSchema, (c, request, by) => announced(c, { kind: "incident.open", request }, by, 201));

const update = withJson(IncidentUpdateSchema, (c, request, by) =>
  announced(c, { kind: "incident.update", id: idOf(c), request }, by, 201),
);

const announce = withJson(MaintenanceSchema, (c, { lease, ...request }, by) =>
  announced(c, { kind: "maintenance.announce", request, lease }, by, 201),
);

const updateMaintenance = withJson(MaintenanceUpdateSchema, (c, request, by) =>
  announced(c, { kind: "maintenance.update", id: idOf(c), request }, by, 201),
);

const changeMaintenance = withJson(MaintenanceChangeSchema, (c, request, by) =>
  announced(c, { kind: "maintenance.change", id: idOf(c), request }, by, 200),
);

const cancelMaintenance = withJson(Empty, (c, _, by) =>
  announced(c, { kind: "maintenance.cancel", id: idOf(c) }, by, 200),
);

const updateOf = (c: AppContext): string => c.req.param("update") ?? "";

const correct = withJson(CorrectionSchema, (c, request, by) =>
  announced(c, { kind: "incident.correct", id: idOf(c), update: updateOf(c), request }, by, 200),
);

const erase = withJson(GuardedSchema, (c, request, by) =>
  announced(c, { kind: "incident.erase", id: idOf(c), update: updateOf(c), request }, by, 200),
);

const remove = withJson(GuardedSchema, (c, request, by) =>
  announced(c, { kind: "incident.delete", id: idOf(c), request }, by, 200),
);

const merge = withJson(MergeSchema, (c, { into, ...request }, by) =>
  announced(c, { kind: "incident.merge", id: idOf(c), into, request }, by, 200),
);

const postmortem = withJson(PostmortemSchema, (c, request, by) =>
  announced(c, { kind: "incident.postmortem", id: idOf(c), request }, by, 200),
);

const remind = withJson(RemindSchema, (c, { minutes, isPublic }, by) => {
  const request = minutes === null ? null : { at: Date.now() + minutes * MINUTE, isPublic };
  return announced(c, { kind: "incident.remind", id: idOf(c), request }, by, 200);
});

/** One in full, with its revision, the ids of its updates, and when somebody is reminded to say more. */
async function showIncident(c: AppContext): Promise<Response> {
  const view = await boardOf(c.env).operatorView([]);
  const found = view.incidents?.find(({ id }) => id === idOf(c));
  if (found === undefined) return refuse(c, "not_found", `There is no incident "${idOf(c)}".`);
  const reminder = view.reminders?.find(({ incident }) => incident === found.id);
  const { at = 0, isPublic, by } = reminder ?? {};
  return c.json({
    incident: { ...incidentHeld(found), ...(reminder !== undefined && { reminder: { at: iso(at), isPublic, by } }) },
  });
}

/** All that the Board keeps, newest first. */
async function listIncidents(c: AppContext): Promise<Response> {
  const view = await boardOf(c.env).operatorView([]);
  const origin = publicOrigin(c, view);
  return c.json({ incidents: newestFirst(view.incidents ?? []).map((one) => incidentAnswer(origin, one)) });
}

async function listMaintenances(c: AppContext): Promise<Response> {
  const view = await boardOf(c.env).operatorView([]);
  const { announcements = [], maintenances } = view;
  const origin = publicOrigin(c, view);
  const now = Date.now();
  const all = [...announcements, ...maintenances].toSorted((a, b) => b.startsAt - a.startsAt);
  return c.json({ maintenances: all.map((one) => maintenanceAnswer(origin, one, view, now)) });
}

const written = { policy: "cli", bodyMaxBytes: BODY_MAX } as const;

export const announceRoutes: readonly Route[] = [
  { method: "GET", path: "/cli/v1/incidents", policy: "cli", handle: listIncidents },
  { method: "POST", path: "/cli/v1/incidents", ...written, handle: open },
  { method: "POST", path: "/cli/v1/incidents/:id/updates", ...written, handle: update },
  { method: "GET", path: "/cli/v1/incidents/:id", policy: "cli", handle: showIncident },
  { method: "POST", path: "/cli/v1/incidents/:id/updates/:update/correct", ...written, handle: correct },
  { method: "POST", path: "/cli/v1/incidents/:id/updates/:update/delete", ...written, handle: erase },
  { method: "POST", path: "/cli/v1/incidents/:id/merge", ...written, handle: merge },
  { method: "POST", path: "/cli/v1/incidents/:id/delete", ...written, handle: remove },
  { method: "POST", path: "/cli/v1/incidents/:id/postmortem", ...written, handle: postmortem },
  { method: "POST", path: "/cli/v1/incidents/:id/remind", ...written, handle: remind },
  { method: "GET", path: "/cli/v1/maintenances", policy: "cli", handle: listMaintenances },
  { method: "POST", path: "/cli/v1/maintenances", ...written, handle: announce },
  { method: "POST", path: "/cli/v1/maintenances/:id/updates", ...written, handle: updateMaintenance },
  { method: "POST", path: "/cli/v1/maintenances/:id/change", ...written, handle: changeMaintenance },
  { method: "POST", path: "/cli/v1/maintenances/:id/cancel", ...written, handle: cancelMaintenance },
];
