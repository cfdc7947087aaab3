/** Maintenance from the plan to the all-clear: the list, the form, the page of one, and what is done there. */
import { DAY, SECOND } from "../../protocol/time.ts";
import type { Fault } from "../../web/view/admin/model.ts";
import { renderPlanForm } from "../../web/view/admin/plan-form.ts";
import type { ImpactModel, PlanFormModel, PlanPageModel, PlansModel } from "../../web/view/admin/plan-model.ts";
import { renderPlanPage } from "../../web/view/admin/plan-page.ts";
import { renderPlans } from "../../web/view/admin/plans.ts";
import type { Announcing } from "../core/announce.ts";
import { impactOf, impactPlans } from "../core/impact.ts";
import type { Announcement } from "../core/maintenance.ts";
import { endOf, maintenanceStatus } from "../core/maintenance.ts";
import { NOTICE_DAYS_MAX } from "../core/notice-policy.ts";
import { touchedServices } from "../core/verify.ts";
import type { PlanAct } from "../objects/board-plans.ts";
import { boardOf } from "../objects/env.ts";
import type { OperatorView } from "../objects/operator-view.ts";
import { SERIES_SERVICES_MAX, seriesOver } from "../store/series.ts";
import { adminPage, FORM_MAX, formOf } from "./admin-page.ts";
import { noticeDaysOf, planPageModel, plansModel } from "./admin-plan-view.ts";
import { frameOf, targetModels } from "./admin-view.ts";
import { refuseAnnouncement } from "./announce.ts";
import { refuse } from "./answer.ts";
import { historyDatabase } from "./history.ts";
import type { PlanForm } from "./plan-request.ts";
import { planFormOf, prefilled, readMove, readPlan, refusalFault, seriesForm } from "./plan-request.ts";
import type { AppContext, Route, RouteRequest } from "./table.ts";

const LIST = "/admin/maintenance";
/** A page does not wait longer for what only the archive knows. */
const IMPACT_TIMEOUT_MS = 3 * SECOND;

// ── the list ────────────────────────────────────────────────────────────────────────────────────────────────────────

async function showList(c: AppContext): Promise<Response> {
  return listPage(c, { values: {}, faults: [] }, 200);
}

async function listPage(c: AppContext, policy: PlansModel["policy"], status: 200 | 400): Promise<Response> {
  const view = await boardOf(c.env).operatorView([]);
  const now = Date.now();
  return adminPage(c, renderPlans(plansModel(view, policy, now), frameOf(view, now)), status);
}

async function setPolicy(c: AppContext, { body, visitor }: RouteRequest): Promise<Response> {
  const typed = formOf(body).get("days") ?? "";
  const days = /^\d{1,2}$/.test(typed) ? Number(typed) : Infinity;
  if (days > NOTICE_DAYS_MAX) {
    const faults = [{ field: "days", message: `Give a whole number of days, at most ${NOTICE_DAYS_MAX}.` }];
    return listPage(c, { values: { days: typed }, faults }, 400);
  }
  await boardOf(c.env).steer({ kind: "notice.policy", days }, visitor.by ?? "unknown");
  return c.redirect(LIST, 303);
}

// ── planning ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** What is being filled in: a new one, or a series that stands already. */
interface Filled {
  readonly form: PlanForm;
  readonly faults: readonly Fault[];
  readonly status: 200 | 400 | 409;
  readonly series: string | null;
}

async function formPage(
  c: AppContext,
  view: OperatorView,
  { form, faults, status, series }: Filled,
): Promise<Response> {
  const now = Date.now();
  const known = targetModels(view, now);
  const model: PlanFormModel = {
    values: form.values,
    faults,
    action: series === null ? `${LIST}/plan` : `${LIST}/series/${series}`,
    submit: series === null ? "Plan maintenance" : "Change the series",
    title: series === null ? "Plan maintenance" : "A series",
    isSeries: series !== null,
    noticeDays: noticeDaysOf(view),
    pageZone: view.page.timeZone,
    components: view.components.map(({ id, name, group }) => ({
      id,
      name: group === null ? name : `${group} / ${name}`,
      isChosen: form.components.includes(id),
    })),
    targets: known.map((target) => ({
      ...target,
      wish: form.targets.get(`${target.cluster}/${target.service}`) ?? "",
    })),
  };
  const end = series === null ? null : `${LIST}/series/${series}/end`;
  return adminPage(c, renderPlanForm(model, frameOf(view, now), end), status);
}

async function showPlanForm(c: AppContext): Promise<Response> {
  const view = await boardOf(c.env).operatorView();
  const form = prefilled(c.req.query("schedule"), noticeDaysOf(view) * DAY, view.page.timeZone, Date.now());
  return formPage(c, view, { form, faults: [], status: 200, series: null });
}

/** What holds deployments asks for more proof of who asks: the same form, at the door for that. */
function plan(isProved: boolean): Route["handle"] {
  return async (c, { body, visitor }) => {
    const form = planFormOf(formOf(body));
    if (form.targets.size > 0 && !isProved) return c.redirect(`${LIST}/plan/leases`, 307);
    const asked = readPlan(form);
    const refused = async (faults: readonly Fault[], status: 400 | 409): Promise<Response> =>
      formPage(c, await boardOf(c.env).operatorView(), { form, faults, status, series: null });
    if (asked.kind === "faulty") return refused(asked.faults, 400);
    const act: PlanAct =
      asked.kind === "once"
        ? { kind: "maintenance.plan", request: asked.request }
        : { kind: "series.plan", request: asked.request };
    const done = await boardOf(c.env).steer(act, visitor.by ?? "unknown");
    if (!done.ok) return refused([refusalFault(done.failure)], 409);
    return c.redirect(asked.kind === "once" && done.value !== null ? `${LIST}/${done.value.id}` : LIST, 303);
  };
}

// ── series ──────────────────────────────────────────────────────────────────────────────────────────────────────────

async function showSeries(c: AppContext): Promise<Response> {
  const view = await boardOf(c.env).operatorView();
  const series = view.series?.find(({ id }) => id === c.req.param("id"));
  if (series === undefined) return refuse(c, "not_found", "There is no such series.");
  if (series.endedAt !== null)
    return refuse(c, "not_found", "This series was ended; its maintenances are in the list.");
  return formPage(c, view, { form: seriesForm(series), faults: [], status: 200, series: series.id });
}

function changeSeries(isProved: boolean): Route["handle"] {
  return async (c, { body, visitor }) => {
    const id = c.req.param("id") ?? "";
    const form = planFormOf(formOf(body));
    if (form.targets.size > 0 && !isProved) return c.redirect(`${LIST}/series/${id}/leases`, 307);
    const asked = readPlan(form);
    const refused = async (faults: readonly Fault[], status: 400 | 409): Promise<Response> =>
      formPage(c, await boardOf(c.env).operatorView(), { form, faults, status, series: id });
    if (asked.kind !== "series")
      return refused(
        asked.kind === "faulty" ? asked.faults : [{ field: "rule", message: "Choose how it repeats." }],
        400,
      );
    const done = await boardOf(c.env).steer(
      { kind: "series.change", id, request: asked.request },
      visitor.by ?? "unknown",
    );
    if (done.ok) return c.redirect(LIST, 303);
    if (done.failure.code === "unknown") return refuse(c, "not_found", "There is no such series.");
    return refused([refusalFault(done.failure)], 409);
  };
}

async function endSeries(c: AppContext, { visitor }: RouteRequest): Promise<Response> {
  const act = { kind: "series.end", id: c.req.param("id") ?? "" } as const;
  const done = await boardOf(c.env).steer(act, visitor.by ?? "unknown");
  return done.ok ? c.redirect(LIST, 303) : refuseAnnouncement(c, done.failure);
}

// ── one of them ─────────────────────────────────────────────────────────────────────────────────────────────────────

/** The page of what was announced; null if it is a lease that stands alone, or nothing. */
export async function announcedPage(
  c: AppContext,
  view: OperatorView,
  move: PlanPageModel["move"] = { values: {}, faults: [] },
  status: 200 | 400 | 409 = 200,
): Promise<Response | null> {
  const one = view.announcements?.find(({ id }) => id === c.req.param("id"));
  if (one === undefined) return null;
  const [plan, impact] = await Promise.all([boardOf(c.env).plan(one.id), impactModel(c, one, view)]);
  if (plan === null) return null;
  const now = Date.now();
  return adminPage(c, renderPlanPage(planPageModel(one, plan, view, impact, move, now), frameOf(view, now)), status);
}

async function impactModel(c: AppContext, one: Announcement, view: OperatorView): Promise<ImpactModel | null> {
  const now = Date.now();
  if (maintenanceStatus(one, now) === "scheduled" || one.cancelledAt !== undefined) return null;
  const unknown = (why: string): ImpactModel => ({
    requests: null,
    failed: null,
    p95Ms: null,
    usual: null,
    unknown: why,
  });
  const services = touchedServices(one, view.components);
  if (services.length === 0) return unknown("it names no component and no deployment");
  if (services.length > SERIES_SERVICES_MAX) return unknown(`it touches more than ${SERIES_SERVICES_MAX} services`);
  const database = historyDatabase(c, IMPACT_TIMEOUT_MS);
  const over = maintenanceStatus(one, now) === "completed" ? endOf(one) : now;
  const { timeZone } = view.page;
  const found = await Promise.all(
    impactPlans(one.startsAt, over).map((plan) => seriesOver(database, { services, plan, now, timeZone })),
  );
  if (!found.every((answer) => answer.ok)) return unknown("the archive cannot be reached");
  return { ...impactOf(found.map((answer) => answer.value.points[0])), unknown: null };
}

/** Another time; what its clusters hold for it asks for more proof of who asks: the same form, at the door for that. */
function move(isProved: boolean): Route["handle"] {
  return async (c, { body, visitor }) => {
    const id = c.req.param("id") ?? "";
    const form = formOf(body);
    const view = await boardOf(c.env).operatorView([]);
    const one = view.announcements?.find((held) => held.id === id);
    if (one === undefined) return refuse(c, "not_found", "There is no such maintenance.");
    if ((one.plan?.targets.length ?? 0) > 0 && !isProved) return c.redirect(`${LIST}/${id}/move/leases`, 307);
    const { values, faults, request } = readMove(form);
    if (request === null) return again(c, values, faults, 400);
    const done = await boardOf(c.env).announce({ kind: "maintenance.change", id, request }, visitor.by ?? "unknown");
    if (done.ok) return c.redirect(`${LIST}/${id}`, 303);
    const { field, message } = refusalFault(done.failure);
    return again(c, values, [{ field: values.end !== undefined && field === "start" ? "end" : field, message }], 409);
  };
}

async function again(
  c: AppContext,
  values: PlanPageModel["move"]["values"],
  faults: readonly Fault[],
  status: 400 | 409,
): Promise<Response> {
  const page = await announcedPage(c, await boardOf(c.env).operatorView([]), { values, faults }, status);
  return page ?? refuse(c, "not_found", "There is no such maintenance.");
}

/** A button of the page of one: does it, and shows the page again. */
function act(made: (id: string, form: URLSearchParams) => PlanAct): Route["handle"] {
  return async (c, { body, visitor }) =>
    shownAgain(c, await boardOf(c.env).steer(made(c.req.param("id") ?? "", formOf(body)), visitor.by ?? "unknown"));
}

function shownAgain(c: AppContext, done: Announcing<unknown>): Response {
  return done.ok ? c.redirect(`${LIST}/${c.req.param("id") ?? ""}`, 303) : refuseAnnouncement(c, done.failure);
}

async function cancel(c: AppContext, { visitor }: RouteRequest): Promise<Response> {
  const id = c.req.param("id") ?? "";
  return shownAgain(c, await boardOf(c.env).announce({ kind: "maintenance.cancel", id }, visitor.by ?? "unknown"));
}

const shown = { method: "GET", policy: "admin" } as const;
const done = { method: "POST", policy: "admin", role: "operator", bodyMaxBytes: FORM_MAX } as const;

/** Before `/admin/maintenance/:id`, which would take the names for ids. */
export const adminMaintenanceRoutes: readonly Route[] = [
  { ...shown, path: LIST, role: "viewer", handle: showList },
  { ...done, path: `${LIST}/policy`, handle: setPolicy },
  { ...shown, path: `${LIST}/plan`, role: "operator", handle: showPlanForm },
  { ...done, path: `${LIST}/plan`, handle: plan(false) },
  { ...done, path: `${LIST}/plan/leases`, stepUp: true, handle: plan(true) },
  { ...shown, path: `${LIST}/series/:id`, role: "operator", handle: showSeries },
  { ...done, path: `${LIST}/series/:id`, handle: changeSeries(false) },
  { ...done, path: `${LIST}/series/:id/leases`, stepUp: true, handle: changeSeries(true) },
  { ...done, path: `${LIST}/series/:id/end`, handle: endSeries },
  { ...done, path: `${LIST}/:id/verify`, handle: act((id) => ({ kind: "maintenance.verify", id })) },
  { ...done, path: `${LIST}/:id/complete`, handle: act((id) => ({ kind: "maintenance.complete", id })) },
  {
    ...done,
    path: `${LIST}/:id/tick`,
    handle: act((id, form) => ({
      kind: "maintenance.tick",
      id,
      item: form.get("item") ?? "",
      isDone: form.get("done") !== "no",
    })),
  },
  { ...done, path: `${LIST}/:id/move`, handle: move(false) },
  { ...done, path: `${LIST}/:id/move/leases`, stepUp: true, handle: move(true) },
  { ...done, path: `${LIST}/:id/cancel`, handle: cancel },
];
