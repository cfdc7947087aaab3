/** The page of one component: what is said of it and why, and the form that changes it. */
import * as v from "valibot";
import { renderComponent } from "../../web/view/admin/component.ts";
import { renderLimits } from "../../web/view/admin/limits.ts";
import type { ComponentField, Fault } from "../../web/view/admin/model.ts";
import { THRESHOLDS } from "../core/thresholds.ts";
import { boardOf } from "../objects/env.ts";
import { componentPageModel, frameOf } from "./admin-view.ts";
import { sloModel } from "./admin-uptime.ts";
import { adminPage, FORM_MAX, formOf } from "./admin-page.ts";
import { refuse } from "./answer.ts";
import {
  addressFault,
  ComponentRequestSchema,
  faultsOf,
  limitsOf,
  LimitsRequestSchema,
  limitValues,
  requestOf,
  valuesOf,
} from "./component-request.ts";
import type { AppContext, Route, RouteRequest } from "./table.ts";

interface Refused {
  readonly values: Readonly<Partial<Record<ComponentField, string>>>;
  readonly faults: readonly Fault[];
  readonly status: 400 | 409;
}

async function componentPage(c: AppContext, refused: Refused | null): Promise<Response> {
  const id = c.req.param("id") ?? "";
  // A Board of the release before cannot tell, while a deploy goes out: the page does without.
  const uptimeAsked = boardOf(c.env)
    .uptimeOf(id)
    .catch(() => null);
  const [view, uptime, { components }] = await Promise.all([
    boardOf(c.env).operatorView(),
    uptimeAsked,
    boardOf(c.env).snapshot(),
  ]);
  const component = view.components.find((one) => one.id === id);
  if (component === undefined) return gone(c);
  const now = Date.now();
  const form = refused ?? { values: valuesOf(component), faults: [] };
  const model = componentPageModel(view, component, components, { slo: uptime && sloModel(uptime), form }, now);
  return adminPage(c, renderComponent(model, frameOf(view, now)), refused?.status ?? 200);
}

async function change(c: AppContext, { body, visitor }: RouteRequest): Promise<Response> {
  const values: Refused["values"] = Object.fromEntries(formOf(body));
  const parsed = v.safeParse(ComponentRequestSchema, requestOf(values));
  if (!parsed.success) return componentPage(c, { values, faults: faultsOf(parsed.issues), status: 400 });
  const fault = addressFault(c, parsed.output);
  if (fault !== null)
    return componentPage(c, { values, faults: [{ field: "url", message: `${fault}.` }], status: 400 });
  const id = c.req.param("id") ?? "";
  const changed = await boardOf(c.env).changeComponent(id, parsed.output, visitor.by ?? "unknown");
  if (changed.ok) return c.redirect(`/admin/components/${id}`, 303);
  if (changed.failure === "unknown") return gone(c);
  const message = "This group has another component of that name. Choose another name or group.";
  return componentPage(c, { values, faults: [{ field: "name", message }], status: 409 });
}

async function limitsPage(c: AppContext, refused: Pick<Refused, "values" | "faults"> | null): Promise<Response> {
  const view = await boardOf(c.env).operatorView([]);
  const form = refused ?? { values: limitValues(view.page.thresholds ?? {}), faults: [] };
  const model = { form, defaults: limitValues(THRESHOLDS) };
  return adminPage(c, renderLimits(model, frameOf(view, Date.now())), refused === null ? 200 : 400);
}

async function setLimits(c: AppContext, { body, visitor }: RouteRequest): Promise<Response> {
  const values: Refused["values"] = Object.fromEntries(formOf(body));
  const parsed = v.safeParse(LimitsRequestSchema, { thresholds: limitsOf(values) });
  if (!parsed.success) return limitsPage(c, { values, faults: faultsOf(parsed.issues) });
  await boardOf(c.env).setLimits(parsed.output.thresholds, visitor.by ?? "unknown");
  return c.redirect("/admin/limits", 303);
}

function gone(c: AppContext): Response {
  return refuse(c, "not_found", "There is no such component any more.");
}

export const componentRoutes: readonly Route[] = [
  { method: "GET", path: "/admin/limits", policy: "admin", role: "viewer", handle: (c) => limitsPage(c, null) },
  {
    method: "POST",
    path: "/admin/limits",
    policy: "admin",
    role: "operator",
    bodyMaxBytes: FORM_MAX,
    handle: setLimits,
  },
  {
    method: "GET",
    path: "/admin/components/:id",
    policy: "admin",
    role: "viewer",
    handle: (c) => componentPage(c, null),
  },
  {
    method: "POST",
    path: "/admin/components/:id",
    policy: "admin",
    role: "operator",
    bodyMaxBytes: FORM_MAX,
    handle: change,
  },
];
