/** The page of one component: what is said of it and why, and the form that changes it. */
import * as v from "valibot";
import { renderComponent } from "../../web/view/admin/component.ts";
import type { ComponentField, Fault } from "../../web/view/admin/model.ts";
import { boardOf } from "../objects/env.ts";
import { componentPageModel, frameOf } from "./admin-view.ts";
import { sloModel } from "./admin-uptime.ts";
import { adminPage, FORM_MAX, formOf } from "./admin-page.ts";
import { refuse } from "./answer.ts";
import { addressFault, ComponentRequestSchema, faultsOf, requestOf, valuesOf } from "./component-request.ts";
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
  const [view, uptime] = await Promise.all([boardOf(c.env).operatorView(), uptimeAsked]);
  const component = view.components.find((one) => one.id === id);
  if (component === undefined) return gone(c);
  const now = Date.now();
  const form = refused ?? { values: valuesOf(component), faults: [] };
  const model = componentPageModel(view, component, uptime && sloModel(uptime), form, now);
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

function gone(c: AppContext): Response {
  return refuse(c, "not_found", "There is no such component any more.");
}

export const componentRoutes: readonly Route[] = [
  { method: "GET", path: "/admin/components/:id", policy: "admin", handle: (c) => componentPage(c, null) },
  { method: "POST", path: "/admin/components/:id", policy: "admin", bodyMaxBytes: FORM_MAX, handle: change },
];
