/** The operator's pages. Forms work without JavaScript: a POST does one thing and answers with where to look. */
import * as v from "valibot";
import { LEASE_MODES } from "../../protocol/lease.ts";
import { ClusterName, line } from "../../protocol/name.ts";
import { renderArchive } from "../../web/view/admin/archive.ts";
import { renderAdminHome } from "../../web/view/admin/home.ts";
import { renderMaintenance } from "../../web/view/admin/maintenance.ts";
import { renderMaintenanceNew } from "../../web/view/admin/maintenance-new.ts";
import type {
  ArchivePageModel,
  Fault,
  MaintenanceField,
  MaintenanceNewModel,
  ServicesModel,
} from "../../web/view/admin/model.ts";
import { renderServices } from "../../web/view/admin/services.ts";
import { splitService } from "../core/component.ts";
import type { MaintenanceRequest } from "../core/maintenance.ts";
import { maintenanceFaults, operatorMaintenance } from "../core/maintenance.ts";
import { boardOf } from "../objects/env.ts";
import { RELAY_ADMIN, SESSION_HEADER } from "../objects/relay.ts";
import { archiveModel, frameOf, homeModel, serviceModels, targetModels } from "./admin-view.ts";
import { alertRoutes } from "./admin-alerts.ts";
import { eventRoutes } from "./admin-events.ts";
import { fleetRoutes } from "./admin-fleet.ts";
import { keyRoutes } from "./admin-keys.ts";
import { accountRoutes } from "./admin-account.ts";
import { componentRoutes } from "./admin-component.ts";
import { componentsRoutes } from "./admin-components.ts";
import { doorRoutes } from "./admin-doors.ts";
import { channelRoutes } from "./admin-channels.ts";
import { adminDetectorRoutes } from "./admin-detector.ts";
import { peopleRoutes } from "./admin-people.ts";
import { stepUpRoutes } from "./admin-step-up.ts";
import { correctionRoutes } from "./admin-correction.ts";
import { incidentRoutes, look } from "./admin-incident.ts";
import { adminDraftRoutes } from "./admin-draft.ts";
import { templateRoutes } from "./admin-templates.ts";
import { adminUptimeRoutes } from "./admin-uptime.ts";
import { inboxRoutes } from "./admin-inbox.ts";
import { pageSettingsRoutes } from "./admin-page-settings.ts";
import { limitsRoutes } from "./admin-limits.ts";
import { adminMaintenanceRoutes, announcedPage } from "./admin-maintenance.ts";
import { adminPage, FORM_MAX, formMoment, formOf } from "./admin-page.ts";
import { refuse } from "./answer.ts";
import { ServiceRef } from "./component-request.ts";
import type { AppContext, Route, RouteRequest } from "./table.ts";

// ── start page ──────────────────────────────────────────────────────────────────────────────────────────────────────

async function home(c: AppContext): Promise<Response> {
  const { view, seen, now } = await look(c);
  return adminPage(c, renderAdminHome(homeModel(view, seen, now), frameOf(view, now)));
}

// ── services and components ─────────────────────────────────────────────────────────────────────────────────────────

async function showServices(c: AppContext): Promise<Response> {
  return servicesPage(c, c.req.query("q")?.slice(0, 100) ?? "", null);
}

async function servicesPage(c: AppContext, query: string, refused: ServicesModel["refused"]): Promise<Response> {
  const view = await boardOf(c.env).operatorView();
  const now = Date.now();
  const wanted = query.trim().toLowerCase();
  const services = serviceModels(view, now).filter(({ cluster, service, published }) =>
    [`${cluster}/${service}`, ...published.map(({ name }) => name)].some((text) => text.toLowerCase().includes(wanted)),
  );
  return adminPage(c, renderServices({ query, services, refused }, frameOf(view, now)), refused === null ? 200 : 400);
}

const PublishForm = v.object({
  service: ServiceRef,
  name: v.pipe(line(255), v.trim(), v.nonEmpty("Give it the name that visitors know.")),
  group: v.pipe(line(255), v.trim()),
});

async function publish(c: AppContext, { body, visitor }: RouteRequest): Promise<Response> {
  const form = Object.fromEntries(formOf(body));
  const parsed = v.safeParse(PublishForm, { group: "", ...form });
  if (!parsed.success) {
    const faults = parsed.issues.map((issue): Fault => ({ field: v.getDotPath(issue), message: issue.message }));
    return servicesPage(c, "", { values: form, faults });
  }
  const { service, name, group } = parsed.output;
  const request = {
    name,
    group: group === "" ? null : group,
    description: null,
    services: [service],
    rule: "all",
  } as const;
  const put = await boardOf(c.env).addComponent(request, visitor.by ?? "unknown");
  if (put.ok) return c.redirect("/admin/services", 303);
  const faults: readonly Fault[] =
    put.failure === "exists"
      ? [{ field: "name", message: "This group has a component of that name. Choose another name or group." }]
      : [{ field: null, message: "A page has at most 1,000 components." }];
  return servicesPage(c, "", { values: form, faults });
}

async function unpublish(c: AppContext, { visitor }: RouteRequest): Promise<Response> {
  const removed = await boardOf(c.env).removeComponent(c.req.param("id") ?? "", visitor.by ?? "unknown");
  return removed ? c.redirect("/admin/services", 303) : refuse(c, "not_found", "There is no such component any more.");
}

// ── maintenance ─────────────────────────────────────────────────────────────────────────────────────────────────────

async function showMaintenanceNew(c: AppContext): Promise<Response> {
  const target = c.req.query("target");
  return maintenanceForm(c, target === undefined ? {} : { target }, [], 200);
}

async function maintenanceForm(
  c: AppContext,
  values: MaintenanceNewModel["values"],
  faults: readonly Fault[],
  status: 200 | 400 | 409,
): Promise<Response> {
  const view = await boardOf(c.env).operatorView();
  const now = Date.now();
  return adminPage(
    c,
    renderMaintenanceNew({ targets: targetModels(view, now), values, faults }, frameOf(view, now)),
    status,
  );
}

const MaintenanceForm = v.object({
  target: v.pipe(
    v.string(),
    v.check((ref) => v.is(ServiceRef, ref), "Choose a deployment."),
  ),
  mode: v.picklist(LEASE_MODES, "Choose what happens."),
  replicas: v.pipe(
    v.string(),
    v.regex(/^\d{0,4}$/, "Give a whole number."),
    v.transform((digits) => (digits === "" ? null : Number(digits))),
  ),
  reason: line(500),
  name: line(255),
  hours: v.pipe(
    v.string(),
    v.regex(/^\d{1,2}([.,]\d{1,3})?$/, "Give hours as a number, for example 4 or 0.5."),
    v.transform((text) => Number(text.replace(",", "."))),
  ),
});

async function startMaintenance(c: AppContext, { body, visitor }: RouteRequest): Promise<Response> {
  const values: Partial<Record<MaintenanceField, string>> = Object.fromEntries(formOf(body));
  const parsed = v.safeParse(MaintenanceForm, { replicas: "", reason: "", name: "", hours: "4", ...values });
  if (!parsed.success) {
    const faults = parsed.issues.map((issue): Fault => ({ field: v.getDotPath(issue), message: issue.message }));
    return maintenanceForm(c, values, faults, 400);
  }
  const { target, ...asked } = parsed.output;
  const request: MaintenanceRequest = { ...asked, ...splitService(target) };
  const faults = Object.entries(maintenanceFaults(request)).map(([field, message]) => ({ field, message }));
  if (faults.length > 0) return maintenanceForm(c, values, faults, 400);
  const started = await boardOf(c.env).startMaintenance(request, visitor.by ?? "unknown");
  if (started.ok) return c.redirect(`/admin/maintenance/${started.value.id}`, 303);
  const message = "Another maintenance of this deployment is in force. End it first.";
  return maintenanceForm(c, values, [{ field: "target", message }], 409);
}

async function showMaintenance(c: AppContext): Promise<Response> {
  const view = await boardOf(c.env).operatorView([]);
  const announced = await announcedPage(c, view);
  if (announced !== null) return announced;
  const maintenance = view.maintenances.find(({ id }) => id === c.req.param("id"));
  if (maintenance === undefined) return refuse(c, "not_found", "There is no such maintenance.");
  const { cluster, service } = maintenance;
  const components = view.components.filter(({ services }) => services.includes(`${cluster}/${service}`));
  const now = Date.now();
  const model = {
    maintenance: operatorMaintenance(maintenance, now),
    components: components.map(({ name }) => name),
  };
  return adminPage(c, renderMaintenance(model, frameOf(view, now)));
}

async function endMaintenance(c: AppContext, { visitor }: RouteRequest): Promise<Response> {
  const ended = await boardOf(c.env).endMaintenance(c.req.param("id") ?? "", visitor.by ?? "unknown");
  if (ended === null) return refuse(c, "not_found", "There is no such maintenance.");
  return c.redirect(`/admin/maintenance/${ended.id}`, 303);
}

// ── archive ─────────────────────────────────────────────────────────────────────────────────────────────────────────

async function archivePage(
  c: AppContext,
  values: ArchivePageModel["values"],
  faults: readonly Fault[],
  status: 200 | 400 | 409,
): Promise<Response> {
  const board = boardOf(c.env);
  const [view, reflush] = await Promise.all([board.operatorView([]), board.reflushed()]);
  const clusters = view.clusters.map(({ cluster }) => cluster);
  const now = Date.now();
  const model = { archive: archiveModel(view), reflush, clusters, values, faults };
  return adminPage(c, renderArchive(model, frameOf(view, now)), status);
}

const ReflushForm = v.object({
  since: v.pipe(
    formMoment,
    v.check((at) => at <= Date.now(), "Give a moment that has passed: times here are UTC."),
  ),
  cluster: v.union([v.literal(""), ClusterName], "Choose a cluster, or all."),
});

async function reflush(c: AppContext, { body, visitor }: RouteRequest): Promise<Response> {
  const values: ArchivePageModel["values"] = Object.fromEntries(formOf(body));
  const parsed = v.safeParse(ReflushForm, { cluster: "", ...values });
  if (!parsed.success) {
    const faults = parsed.issues.map((issue): Fault => ({ field: v.getDotPath(issue), message: issue.message }));
    return archivePage(c, values, faults, 400);
  }
  const { since, cluster } = parsed.output;
  const begun = await boardOf(c.env).reflush(since, cluster === "" ? null : cluster, visitor.by ?? "unknown");
  if (begun.ok) return c.redirect("/admin/archive", 303);
  if (begun.failure === "unknown_cluster")
    return archivePage(c, values, [{ field: "cluster", message: "Choose a cluster, or all." }], 400);
  const message = "One is under way. Wait until it is done.";
  return archivePage(c, values, [{ field: null, message }], 409);
}

function live(c: AppContext, { visitor }: RouteRequest): Promise<Response> | Response {
  if (c.req.header("upgrade") !== "websocket") return refuse(c, "request_malformed", "This address is a WebSocket.");
  const request = new Request(c.req.raw);
  request.headers.set(SESSION_HEADER, visitor.sessionHash ?? "");
  return c.env.RELAY.getByName(RELAY_ADMIN).fetch(request);
}

export const adminRoutes: readonly Route[] = [
  ...doorRoutes,
  ...stepUpRoutes,
  ...accountRoutes,
  ...peopleRoutes,
  ...channelRoutes,
  { method: "GET", path: "/admin", policy: "admin", role: "viewer", handle: home },
  { method: "GET", path: "/admin/live", policy: "admin", role: "viewer", handle: live },
  ...keyRoutes,
  ...fleetRoutes,
  ...eventRoutes,
  ...alertRoutes,
  ...incidentRoutes,
  ...correctionRoutes,
  ...templateRoutes,
  ...adminDraftRoutes,
  ...adminDetectorRoutes,
  {
    method: "GET",
    path: "/admin/archive",
    policy: "admin",
    role: "viewer",
    handle: (c) => archivePage(c, {}, [], 200),
  },
  {
    method: "POST",
    path: "/admin/archive/reflush",
    policy: "admin",
    role: "owner",
    stepUp: true,
    bodyMaxBytes: FORM_MAX,
    handle: reflush,
  },
  { method: "GET", path: "/admin/services", policy: "admin", role: "viewer", handle: showServices },
  {
    method: "POST",
    path: "/admin/components",
    policy: "admin",
    role: "operator",
    bodyMaxBytes: FORM_MAX,
    handle: publish,
  },
  ...inboxRoutes,
  ...pageSettingsRoutes,
  ...componentsRoutes,
  ...componentRoutes,
  ...limitsRoutes,
  ...adminUptimeRoutes,
  {
    method: "POST",
    path: "/admin/components/:id/remove",
    policy: "admin",
    role: "operator",
    bodyMaxBytes: FORM_MAX,
    handle: unpublish,
  },
  ...adminMaintenanceRoutes,
  { method: "GET", path: "/admin/maintenance/new", policy: "admin", role: "viewer", handle: showMaintenanceNew },
  {
    method: "POST",
    path: "/admin/maintenance",
    policy: "admin",
    role: "operator",
    stepUp: true,
    bodyMaxBytes: FORM_MAX,
    handle: startMaintenance,
  },
  { method: "GET", path: "/admin/maintenance/:id", policy: "admin", role: "viewer", handle: showMaintenance },
  {
    method: "POST",
    path: "/admin/maintenance/:id/end",
    policy: "admin",
    role: "operator",
    bodyMaxBytes: FORM_MAX,
    handle: endMaintenance,
  },
];
