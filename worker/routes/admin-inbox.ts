/** Services that wait, and what is decided about them: several at once. */
import * as v from "valibot";
import { renderInbox } from "../../web/view/admin/inbox.ts";
import type { InboxModel } from "../../web/view/admin/inbox-model.ts";
import type { Fault } from "../../web/view/admin/model.ts";
import { readableName } from "../../web/view/english.ts";
import { inbox } from "../core/inbox.ts";
import { inPageOrder } from "../core/order.ts";
import type { ComponentRequest } from "../objects/board-components.ts";
import { boardOf } from "../objects/env.ts";
import { formFrame, frameOf, serviceModels } from "./admin-view.ts";
import { adminPage, formOf } from "./admin-page.ts";
import { refuse } from "./answer.ts";
import { faultsOf, Name, ServiceRef, ServiceSelector } from "./component-request.ts";
import type { AppContext, Route, RouteRequest } from "./table.ts";

/** A thousand services may be chosen at once. */
const BODY_MAX = 131_072;
const CHOSEN_MAX = 1_000;

interface Refused {
  readonly form: URLSearchParams;
  readonly faults: readonly Fault[];
  readonly status: 400 | 409;
}

async function inboxPage(c: AppContext, refused: Refused | null): Promise<Response> {
  const view = await boardOf(c.env).operatorView();
  const now = Date.now();
  const waiting = new Set(inbox(view.tells, view.components, view.page.ignored));
  const model: InboxModel = {
    waiting: serviceModels(view, now).filter(({ cluster, service }) => waiting.has(`${cluster}/${service}`)),
    ignored: view.page.ignored ?? [],
    groups: formFrame(view).groups,
    components: inPageOrder(view.components).map(({ id, name, group }) => ({
      id,
      name: group === null ? name : `${group}: ${name}`,
    })),
    chosen: refused?.form.getAll("service") ?? [],
    form: { values: Object.fromEntries(refused?.form ?? []), faults: refused?.faults ?? [] },
  };
  return adminPage(c, renderInbox(model, frameOf(view, now)), refused?.status ?? 200);
}

const CHOOSE = "Choose a service.";
const Chosen = v.pipe(
  v.array(ServiceRef),
  v.minLength(1, CHOOSE),
  v.maxLength(CHOSEN_MAX, `At most ${CHOSEN_MAX} at once.`),
);
const Group = v.union([
  v.pipe(
    v.literal(""),
    v.transform(() => null),
  ),
  Name,
]);
const PublishForm = v.variant("as", [
  v.object({ as: v.literal("each"), service: Chosen, group: Group }),
  v.object({ as: v.literal("one"), service: Chosen, group: Group, name: Name }),
  v.object({ as: v.literal("join"), service: Chosen, component: v.string() }),
]);

async function publish(c: AppContext, { body, visitor }: RouteRequest): Promise<Response> {
  const form = formOf(body);
  const parsed = v.safeParse(PublishForm, { group: "", ...Object.fromEntries(form), service: form.getAll("service") });
  const again = (faults: readonly Fault[], status: 400 | 409): Promise<Response> =>
    inboxPage(c, { form, faults, status });
  if (!parsed.success) return again(faultsOf(parsed.issues), 400);
  const asked = parsed.output;
  const by = visitor.by ?? "unknown";
  const board = boardOf(c.env);
  if (asked.as === "join") {
    const joined = await board.joinServices(asked.component, asked.service, by);
    if (joined) return c.redirect("/admin/services/inbox", 303);
    return again([{ field: "component", message: "There is no such component any more." }], 409);
  }
  // Those of one name in several clusters stand in for each other.
  const each = asked.as === "one" ? new Map([[asked.name, asked.service]]) : Map.groupBy(asked.service, readableName);
  const requests = [...each].map(([name, services]): ComponentRequest => {
    return { name, group: asked.group, description: null, services, rule: "all" };
  });
  const put = await board.addComponent(requests, by);
  if (put.ok) return c.redirect("/admin/services/inbox", 303);
  const fault =
    put.failure === "exists"
      ? {
          field: asked.as === "one" ? "name" : "group",
          message: "This group has a component of such a name. Choose another.",
        }
      : { field: null, message: "A page has at most 1,000 components." };
  return again([fault], 409);
}

async function ignore(c: AppContext, { body, visitor }: RouteRequest): Promise<Response> {
  const form = formOf(body);
  const named = form.has("pattern") ? form.getAll("pattern") : form.getAll("service");
  const parsed = v.safeParse(v.pipe(v.array(ServiceSelector), v.minLength(1, CHOOSE)), named);
  if (!parsed.success) return inboxPage(c, { form, faults: [{ field: "service", message: CHOOSE }], status: 400 });
  const done = await boardOf(c.env).ignoreServices({ add: parsed.output }, visitor.by ?? "unknown");
  if (done) return c.redirect("/admin/services/inbox", 303);
  const message = "At most 2,000 services are ignored by name. Ignore all of a namespace instead.";
  return inboxPage(c, { form, faults: [{ field: null, message }], status: 409 });
}

async function heed(c: AppContext, { body, visitor }: RouteRequest): Promise<Response> {
  const ignored = formOf(body).get("ignored");
  if (ignored === null) return refuse(c, "request_malformed", "Say which one.");
  await boardOf(c.env).ignoreServices({ remove: [ignored] }, visitor.by ?? "unknown");
  return c.redirect("/admin/services/inbox", 303);
}

const act = (path: string, handle: Route["handle"]): Route => ({
  method: "POST",
  path: `/admin/services/${path}`,
  policy: "admin",
  role: "operator",
  bodyMaxBytes: BODY_MAX,
  handle,
});

export const inboxRoutes: readonly Route[] = [
  { method: "GET", path: "/admin/services/inbox", policy: "admin", role: "viewer", handle: (c) => inboxPage(c, null) },
  act("publish", publish),
  act("ignore", ignore),
  act("heed", heed),
];
