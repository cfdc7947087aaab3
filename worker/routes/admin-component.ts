/** The page of one component: what is said of it and why, and the form that makes or changes it. */
import * as v from "valibot";
import { renderComponent, renderComponentNew } from "../../web/view/admin/component.ts";
import type { ComponentField, ComponentFormModel, Fault } from "../../web/view/admin/model.ts";
import type { Component } from "../core/component.ts";
import { revisionOf } from "../core/component.ts";
import { chosenBy, isPattern, written } from "../core/selector.ts";
import type { ComponentRequest } from "../objects/board-components.ts";
import { boardOf } from "../objects/env.ts";
import type { OperatorView } from "../objects/operator-view.ts";
import { componentPageModel, formFrame, frameOf, previewModel } from "./admin-view.ts";
import { sloModel } from "./admin-uptime.ts";
import { adminPage, FORM_MAX, formOf } from "./admin-page.ts";
import { refuse } from "./answer.ts";
import {
  addressFault,
  ComponentRequestSchema,
  faultsOf,
  NEW_VALUES,
  requestOf,
  valuesOf,
} from "./component-request.ts";
import type { AppContext, Route, RouteRequest } from "./table.ts";

type Values = Readonly<Partial<Record<ComponentField, string>>>;

/** What the form shows where it is not just the component as it is. */
interface Shown {
  readonly values: Values;
  readonly faults: readonly Fault[];
  readonly status: 200 | 400 | 409;
  /** What would be made of it, where it can be told. */
  readonly request: ComponentRequest | null;
  /** Somebody changed it since: both versions are shown. */
  readonly isOvertaken?: true;
}

async function componentPage(c: AppContext, shown: Shown | null): Promise<Response> {
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
  const settings = settingsOf(view, component, shown, now);
  const model = componentPageModel(view, component, components, { slo: uptime && sloModel(uptime), settings }, now);
  return adminPage(c, renderComponent(model, frameOf(view, now)), shown?.status ?? 200);
}

async function newPage(c: AppContext, shown: Shown | null): Promise<Response> {
  const view = await boardOf(c.env).operatorView();
  const now = Date.now();
  const group = c.req.query("group")?.slice(0, 255) ?? "";
  const begun = shown ?? { values: { ...NEW_VALUES, group }, faults: [], status: 200, request: null };
  const settings = settingsOf(view, null, begun, now);
  return adminPage(c, renderComponentNew({ settings }, frameOf(view, now)), begun.status);
}

function settingsOf(
  view: OperatorView,
  component: Component | null,
  shown: Shown | null,
  now: number,
): ComponentFormModel {
  const values = shown?.values ?? (component === null ? NEW_VALUES : valuesOf(component));
  const request = shown?.request ?? null;
  return {
    ...formFrame(view),
    action: component === null ? "/admin/components/new" : `/admin/components/${component.id}`,
    submit: component === null ? "Create" : "Save",
    // Who was overtaken has seen both by now, and decides.
    revision: component === null ? null : shown?.isOvertaken ? revisionOf(component) : (values.revision ?? ""),
    held: component !== null && shown?.isOvertaken ? valuesOf(component) : null,
    form: { values, faults: shown?.faults ?? [] },
    preview: request === null ? null : previewModel(wouldBe(request, component, view, now), component, view, now),
  };
}

/** The component that a form asks for. Nobody keeps it. */
function wouldBe(request: ComponentRequest, held: Component | null, view: OperatorView, now: number): Component {
  const { services, quorum, thresholds, slo, url, name, group, description, rule } = request;
  const chosen = services.some(isPattern)
    ? { ...written(chosenBy(services, { services: [] }, view.tells, now)), selector: services }
    : { services };
  return {
    id: held?.id ?? "",
    name,
    group,
    description,
    rule,
    ...chosen,
    ...(quorum && { quorum }),
    ...(thresholds && { thresholds }),
    ...(slo && { slo }),
    ...(url && { url }),
    position: held?.position ?? 0,
    createdAt: held?.createdAt ?? now,
    updatedAt: now,
  };
}

/** What a form asks for, or the form again with what is wrong with it. */
function read(c: AppContext, values: Values): Shown {
  const parsed = v.safeParse(ComponentRequestSchema, requestOf(values));
  if (!parsed.success) return { values, faults: faultsOf(parsed.issues), status: 400, request: null };
  const fault = addressFault(c, parsed.output);
  if (fault === null) return { values, faults: [], status: 200, request: parsed.output };
  return { values, faults: [{ field: "url", message: `${fault}.` }], status: 400, request: null };
}

const NAMED_ALIKE = "This group has another component of that name. Choose another name or group.";

async function change(c: AppContext, { body, visitor }: RouteRequest): Promise<Response> {
  const values: Values = Object.fromEntries(formOf(body));
  const shown = read(c, values);
  if (shown.request === null) return componentPage(c, shown);
  const id = c.req.param("id") ?? "";
  const by = visitor.by ?? "unknown";
  const changed = await boardOf(c.env).changeComponent(id, shown.request, by, values.revision);
  if (changed.ok) return c.redirect(`/admin/components/${id}`, 303);
  if (changed.failure === "unknown") return gone(c);
  if (changed.failure === "exists")
    return componentPage(c, { ...shown, faults: [{ field: "name", message: NAMED_ALIKE }], status: 409 });
  const message = "Somebody changed this component meanwhile. Both versions are shown: save again to keep yours.";
  return componentPage(c, { ...shown, faults: [{ field: null, message }], status: 409, isOvertaken: true });
}

async function create(c: AppContext, { body, visitor }: RouteRequest): Promise<Response> {
  const shown = read(c, Object.fromEntries(formOf(body)));
  if (shown.request === null) return newPage(c, shown);
  const put = await boardOf(c.env).addComponent(shown.request, visitor.by ?? "unknown");
  if (put.ok) return c.redirect(`/admin/components/${put.value[0]?.id ?? ""}`, 303);
  const fault =
    put.failure === "exists"
      ? { field: "name", message: NAMED_ALIKE }
      : { field: null, message: "A page has at most 1,000 components." };
  return newPage(c, { ...shown, faults: [fault], status: 409 });
}

function asked(c: AppContext): Shown {
  return read(c, Object.fromEntries(new URL(c.req.url).searchParams));
}

function gone(c: AppContext): Response {
  return refuse(c, "not_found", "There is no such component any more.");
}

export const componentRoutes: readonly Route[] = [
  { method: "GET", path: "/admin/components/new", policy: "admin", role: "operator", handle: (c) => newPage(c, null) },
  {
    method: "POST",
    path: "/admin/components/new",
    policy: "admin",
    role: "operator",
    bodyMaxBytes: FORM_MAX,
    handle: create,
  },
  {
    method: "GET",
    path: "/admin/components/new/preview",
    policy: "admin",
    role: "operator",
    handle: (c) => newPage(c, asked(c)),
  },
  {
    method: "GET",
    path: "/admin/components/:id",
    policy: "admin",
    role: "viewer",
    handle: (c) => componentPage(c, null),
  },
  {
    method: "GET",
    path: "/admin/components/:id/preview",
    policy: "admin",
    role: "operator",
    handle: (c) => componentPage(c, asked(c)),
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
