/** All components in the order of the page, and what gives them another one. */
import * as v from "valibot";
import { line } from "../../protocol/name.ts";
import { renderComponents } from "../../web/view/admin/components.ts";
import type { ComponentsModel, ListedGroup, MovedModel } from "../../web/view/admin/components-model.ts";
import type { Component } from "../core/component.ts";
import { componentVerdict } from "../core/component.ts";
import type { Branch, Move } from "../core/order.ts";
import { groupsBeside, inPageOrder, pageTree } from "../core/order.ts";
import { boardOf } from "../objects/env.ts";
import type { OperatorView } from "../objects/operator-view.ts";
import { evidenceOf, frameOf } from "./admin-view.ts";
import { adminPage, FORM_MAX, formOf } from "./admin-page.ts";
import { refuse } from "./answer.ts";
import type { AppContext, Route, RouteRequest } from "./table.ts";

async function componentsPage(c: AppContext, refused: ComponentsModel["refused"] = null): Promise<Response> {
  const view = await boardOf(c.env).operatorView();
  const now = Date.now();
  const moved = movedModel(c.req.query("moved") ?? "", c.req.query("by") ?? "", view.components);
  const model = { groups: listed(view, now), moved, refused };
  return adminPage(c, renderComponents(model, frameOf(view, now)), refused === null ? 200 : 409);
}

function listed({ components, ...view }: OperatorView, now: number): readonly ListedGroup[] {
  const evidence = evidenceOf(view);
  const group = ({ name, own, groups }: Branch<Component>): ListedGroup => ({
    name,
    own: own.map((one) => ({
      id: one.id,
      name: one.name,
      group: one.group,
      status: componentVerdict(one, evidence, now).status,
      hidden: one.hidden === true,
      services: one.services.length,
    })),
    groups: groups.map(group),
  });
  return pageTree(components).map(group);
}

/** Where it stands now: who does not see the page hears it. */
function movedModel(key: string, by: string, components: readonly Component[]): MovedModel | null {
  const order = inPageOrder(components);
  const direction = by === "up" || by === "down" ? by : null;
  if (key.startsWith("group:")) {
    const group = key === "group:" ? null : key.slice("group:".length);
    const beside = groupsBeside(order, group);
    const at = beside.indexOf(group) + 1;
    const name = group ?? "What has no group";
    return at === 0 ? null : { key, by: direction, says: `${name} is now group ${at} of ${beside.length}.` };
  }
  const found = order.find(({ id }) => id === key);
  if (found === undefined) return null;
  const own = order.filter(({ group }) => group === found.group);
  const where = found.group === null ? "without a group" : `in ${found.group}`;
  const says = `${found.name} is now ${own.indexOf(found) + 1} of ${own.length} ${where}.`;
  return { key, by: direction, says };
}

const Text = line(255);
/** An empty name of a group is that of what has none. */
const Group = v.pipe(
  Text,
  v.trim(),
  v.transform((name) => (name === "" ? null : name)),
);
const By = v.picklist(["up", "down"]);
const MoveForm = v.union([
  v.object({ component: Text, by: By }),
  v.object({ component: Text, to: Group, before: Text }),
  v.object({ group: Group, by: By }),
  v.object({ group: Group, before: Text }),
]);

function moveOf(form: v.InferOutput<typeof MoveForm>): Move {
  if ("component" in form)
    return "by" in form ? form : { component: form.component, group: form.to, before: form.before || null };
  if ("by" in form) return form;
  // Behind all others, or in front of one: what has no group may be that one.
  const { group, before } = form;
  return { group, beside: before === "" ? null : { before: before === "group:" ? null : before.slice(6) } };
}

async function order(c: AppContext, { body, visitor }: RouteRequest): Promise<Response> {
  const parsed = v.safeParse(MoveForm, Object.fromEntries(formOf(body)));
  if (!parsed.success) return refuse(c, "request_malformed", "That is no move. Load the page again.");
  const move = moveOf(parsed.output);
  const done = await boardOf(c.env).arrange({ move }, visitor.by ?? "unknown");
  if (!done.ok && done.failure === "exists")
    return refuse(c, "conflict", "That group has a component of this name already. Rename one of them first.");
  const key = "component" in move ? move.component : `group:${move.group ?? ""}`;
  const by = "by" in move ? move.by : "";
  return c.redirect(`/admin/components?${new URLSearchParams({ moved: key, by }).toString()}`, 303);
}

async function rename(c: AppContext, { body, visitor }: RouteRequest): Promise<Response> {
  const form = formOf(body);
  const from = form.get("from") ?? "";
  const to = form.get("to") ?? "";
  const parsed = v.safeParse(Group, to);
  if (!parsed.success) return componentsPage(c, { from, to, message: "At most 255 letters of one line." });
  const done = await boardOf(c.env).arrange({ rename: { from, to: parsed.output } }, visitor.by ?? "unknown");
  if (done.ok || done.failure === "unknown") return c.redirect("/admin/components", 303);
  const message = "There a component of the same name stands already. Rename one of them first.";
  return componentsPage(c, { from, to, message });
}

export const componentsRoutes: readonly Route[] = [
  { method: "GET", path: "/admin/components", policy: "admin", role: "viewer", handle: (c) => componentsPage(c) },
  {
    method: "POST",
    path: "/admin/components/order",
    policy: "admin",
    role: "operator",
    bodyMaxBytes: FORM_MAX,
    handle: order,
  },
  {
    method: "POST",
    path: "/admin/components/rename",
    policy: "admin",
    role: "operator",
    bodyMaxBytes: FORM_MAX,
    handle: rename,
  },
];
