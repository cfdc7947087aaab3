/** What every component is judged by that has no limits of its own. */
import * as v from "valibot";
import { renderLimits } from "../../web/view/admin/limits.ts";
import type { Fault, LimitField } from "../../web/view/admin/model.ts";
import { THRESHOLDS } from "../core/thresholds.ts";
import { boardOf } from "../objects/env.ts";
import { frameOf } from "./admin-view.ts";
import { adminPage, FORM_MAX, formOf } from "./admin-page.ts";
import { faultsOf, limitsOf, LimitsRequestSchema, limitValues } from "./component-request.ts";
import type { AppContext, Route, RouteRequest } from "./table.ts";

interface Refused {
  readonly values: Readonly<Partial<Record<LimitField, string>>>;
  readonly faults: readonly Fault[];
}

async function limitsPage(c: AppContext, refused: Refused | null): Promise<Response> {
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

export const limitsRoutes: readonly Route[] = [
  { method: "GET", path: "/admin/limits", policy: "admin", role: "viewer", handle: (c) => limitsPage(c, null) },
  {
    method: "POST",
    path: "/admin/limits",
    policy: "admin",
    role: "operator",
    bodyMaxBytes: FORM_MAX,
    handle: setLimits,
  },
];
