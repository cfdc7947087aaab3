/** Texts to begin an incident with: listed, written, deleted, and ours again. Forms work without JavaScript. */
import type { Fault } from "../../web/view/admin/model.ts";
import type { TemplateFormModel } from "../../web/view/admin/template-model.ts";
import { renderTemplateForm, renderTemplates } from "../../web/view/admin/templates.ts";
import { COMPONENT_STATUSES } from "../../protocol/status.ts";
import type { Millis } from "../../protocol/time.ts";
import { inPageOrder } from "../core/order.ts";
import type { TemplateAct, TemplateRefusal } from "../core/template.ts";
import { filled, templateRevision, TEMPLATES_MAX, templatesOf, VARIABLES } from "../core/template.ts";
import { boardOf } from "../objects/env.ts";
import type { OperatorView } from "../objects/operator-view.ts";
import { checked, unix } from "./admin-incident-form.ts";
import { templateFacts } from "./admin-incident-model.ts";
import { adminPage, FORM_MAX, formOf } from "./admin-page.ts";
import { frameOf } from "./admin-view.ts";
import { refuse } from "./answer.ts";
import type { AppContext, Route, RouteRequest } from "./table.ts";
import { TemplateSchema } from "./template-request.ts";

const GONE = "There is no such template any more. Somebody deleted it.";
const variables = Object.entries(VARIABLES).map(([word, means]) => ({ word, means }));
const idOf = (c: AppContext): string => c.req.param("id") ?? "";

type Values = TemplateFormModel["values"];

async function list(c: AppContext): Promise<Response> {
  const view = await boardOf(c.env).operatorView([]);
  const templates = templatesOf(view.page);
  const areOurs = view.page.incidentTemplates === undefined;
  const model = { templates, areOurs, hasRoom: templates.length < TEMPLATES_MAX };
  return adminPage(c, renderTemplates(model, frameOf(view, Date.now())));
}

async function formPage(
  c: AppContext,
  id: string | null,
  typed: { readonly values: Values; readonly faults: readonly Fault[] } | null,
  status: 200 | 400 | 409 = 200,
): Promise<Response> {
  const view = await boardOf(c.env).operatorView([]);
  const held = templatesOf(view.page).find((one) => one.id === id);
  if (id !== null && held === undefined) return refuse(c, "not_found", GONE);
  const now = Date.now();
  const stands: Values = held === undefined ? {} : { ...held, revision: templateRevision(held) };
  const { values, faults } = typed ?? { values: stands, faults: [] };
  const model: TemplateFormModel = { id, values, faults, variables, sample: sampleOf(values, view, now) };
  return adminPage(c, renderTemplateForm(model, frameOf(view, now)), status);
}

/** As it would read now, of the page's first component. */
function sampleOf({ name = "", body = "", affected }: Values, view: OperatorView, now: Millis) {
  const [first] = inPageOrder(view.components.filter(({ hidden }) => hidden !== true));
  const status = COMPONENT_STATUSES.find((one) => one === affected) ?? "partial_outage";
  const names = first === undefined ? [] : [first.name];
  const facts = templateFacts(view, { names, statuses: [status], since: now }, now);
  return { name: filled(name, facts), body: filled(unix(body), facts) };
}

/** Nothing is kept of it. */
async function preview(c: AppContext, { body }: RouteRequest): Promise<Response> {
  const values: Values = Object.fromEntries(formOf(body));
  const parsed = read(values);
  return formPage(c, c.req.query("of") ?? null, { values, faults: parsed.ok ? [] : parsed.failure });
}

function read({ title = "", name = "", status, affected, body = "" }: Values) {
  return checked(TemplateSchema, { title, name, status, affected, body: unix(body) });
}

async function save(c: AppContext, request: RouteRequest, id: string | null): Promise<Response> {
  const values: Values = Object.fromEntries(formOf(request.body));
  const parsed = read(values);
  if (!parsed.ok) return formPage(c, id, { values, faults: parsed.failure }, 400);
  const done = await act(c, { kind: "put", id, revision: values.revision ?? "", template: parsed.value }, request);
  if (done.ok) return c.redirect("/admin/templates", 303);
  return refused(c, id, values, done.failure);
}

/** Who was overtaken sees both: theirs in the fields, and beside each what stands there now. */
function refused(
  c: AppContext,
  id: string | null,
  values: Values,
  { code, held }: TemplateRefusal,
): Promise<Response> | Response {
  switch (code) {
    case "unknown":
      return refuse(c, "not_found", GONE);
    case "too_many":
      return formPage(c, id, { values, faults: [{ field: null, message: TOO_MANY }] }, 409);
    case "same_title":
      return formPage(c, id, { values, faults: [{ field: "title", message: "Another template is called so." }] }, 409);
    case "stale": {
      const other = (["title", "name", "status", "affected", "body"] as const).filter(
        (field) => held !== null && held[field] !== unix(values[field] ?? ""),
      );
      const faults: readonly Fault[] = [
        { field: null, message: "Somebody changed it meanwhile. Both are shown: save again to keep yours." },
        ...other.map((field) => ({ field, message: `Now stands: ${held?.[field] ?? ""}` })),
      ];
      const revision = held === null ? "" : templateRevision(held);
      return formPage(c, id, { values: { ...values, revision }, faults }, 409);
    }
  }
}

const TOO_MANY = `There are ${TEMPLATES_MAX} templates, which is as many as fit. Delete one first.`;

async function remove(c: AppContext, request: RouteRequest): Promise<Response> {
  const revision = formOf(request.body).get("revision") ?? "";
  const done = await act(c, { kind: "remove", id: idOf(c), revision }, request);
  if (done.ok) return c.redirect("/admin/templates", 303);
  if (done.failure.code === "unknown") return refuse(c, "not_found", GONE);
  const message = "Somebody changed it meanwhile: this is how it stands now. Nothing was deleted.";
  const { held } = done.failure;
  const values: Values = held === null ? {} : { ...held, revision: templateRevision(held) };
  return formPage(c, idOf(c), { values, faults: [{ field: null, message }] }, 409);
}

async function reset(c: AppContext, request: RouteRequest): Promise<Response> {
  await act(c, { kind: "reset" }, request);
  return c.redirect("/admin/templates", 303);
}

async function act(c: AppContext, asked: TemplateAct, { visitor }: RouteRequest) {
  return boardOf(c.env).templates(asked, visitor.by ?? "unknown");
}

const viewed = { policy: "admin", role: "viewer" } as const;
const writes = { policy: "admin", role: "operator", bodyMaxBytes: FORM_MAX } as const;

export const templateRoutes: readonly Route[] = [
  { method: "GET", path: "/admin/templates", ...viewed, handle: list },
  { method: "GET", path: "/admin/templates/new", ...viewed, handle: (c) => formPage(c, null, null) },
  { method: "POST", path: "/admin/templates", ...writes, handle: (c, request) => save(c, request, null) },
  { method: "POST", path: "/admin/templates/preview", ...writes, handle: preview },
  { method: "POST", path: "/admin/templates/default", ...writes, handle: reset },
  { method: "GET", path: "/admin/templates/:id", ...viewed, handle: (c) => formPage(c, idOf(c), null) },
  { method: "POST", path: "/admin/templates/:id", ...writes, handle: (c, request) => save(c, request, idOf(c)) },
  { method: "POST", path: "/admin/templates/:id/delete", ...writes, handle: remove },
];
