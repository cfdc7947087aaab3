/** The operator's hand on what is announced. Stored by the Board alone: it works while Postgres is down. */
import * as v from "valibot";
import type { Millis } from "../../protocol/time.ts";
import type { AnnounceRefusal } from "../core/announce.ts";
import { isShown, publicIncident } from "../core/announced.ts";
import type { Incident } from "../core/incident.ts";
import { newestFirst } from "../core/incident.ts";
import type { Announcement, Maintenance } from "../core/maintenance.ts";
import { maintenanceStatus } from "../core/maintenance.ts";
import type { AnnounceAct, Announces } from "../objects/board-announcements.ts";
import { boardOf } from "../objects/env.ts";
import type { OperatorView } from "../objects/operator-view.ts";
import {
  IncidentSchema,
  IncidentUpdateSchema,
  MaintenanceChangeSchema,
  MaintenanceSchema,
  MaintenanceUpdateSchema,
} from "./announce-request.ts";
import { refuse } from "./answer.ts";
import { withJson } from "./cli.ts";
import type { AppContext, Route } from "./table.ts";

/** A text of 25,000 characters in UTF-8, and a hundred components. */
const BODY_MAX = 262_144;

/** What each refusal means, and what to do. */
export function refuseAnnouncement(c: AppContext, { code, which }: AnnounceRefusal): Response {
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
      return refuse(c, "conflict", `A planned maintenance is announced ${which} before it starts.`);
    case "rule":
      return refuse(c, "request_malformed", which);
    case "busy":
      return refuse(c, "conflict", `"${which}" has a maintenance already. End it first.`);
  }
}

/** Where visitors read it. */
function publicOrigin(c: AppContext, view: Pick<OperatorView, "page"> | null): string {
  return view?.page.brand?.origin ?? new URL(c.req.url).origin;
}

const iso = (at: Millis): string => new Date(at).toISOString();

function incidentAnswer(origin: string, incident: Incident) {
  const { id, name, status, impact, startedAt, updates } = publicIncident(incident, []);
  const url = `${origin}/incidents/${id}`;
  return { id, name, status, impact, startedAt: iso(startedAt), updates: updates.length, url };
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
  if (!done.ok) return refuseAnnouncement(c, done.failure);
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

const idOf = (c: AppContext): string => c.req.param("id") ?? "";
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
  { method: "GET", path: "/cli/v1/maintenances", policy: "cli", handle: listMaintenances },
  { method: "POST", path: "/cli/v1/maintenances", ...written, handle: announce },
  { method: "POST", path: "/cli/v1/maintenances/:id/updates", ...written, handle: updateMaintenance },
  { method: "POST", path: "/cli/v1/maintenances/:id/change", ...written, handle: changeMaintenance },
  { method: "POST", path: "/cli/v1/maintenances/:id/cancel", ...written, handle: cancelMaintenance },
];
