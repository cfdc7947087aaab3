/**
 * Step-up: who asks for something that could do harm proves anew who they are, and what they asked for goes on. The
 * form that was sent travels through the page as it was, so nothing that was typed is lost; it is sent again by the
 * same browser to the same address, where the guard judges it like any other.
 */
import * as v from "valibot";
import { renderStepUp } from "../../web/view/admin/step-up.ts";
import type { StepUpModel } from "../../web/view/admin/doors-model.ts";
import { boardOf } from "../objects/env.ts";
import { adminPage, FORM_MAX, formOf } from "./admin-page.ts";
import { refuse } from "./answer.ts";
import { failedTooOften } from "./failures.ts";
import type { Visitor } from "./guard.ts";
import { passkeysAt } from "./admin-doors.ts";
import { ANSWER_MAX, askForPasskey, assertionOf, partyOf } from "./passkey.ts";
import { keepSession } from "./session-cookie.ts";
import type { AppContext, Route, RouteRequest } from "./table.ts";

/** What was asked for: shown again, and sent again. */
type Asked = StepUpModel["asked"];

/** Asks who they are instead of doing what they asked for. */
export async function askStepUp(
  c: AppContext,
  method: Route["method"],
  body: Uint8Array,
  visitor: Visitor,
): Promise<Response> {
  const isForm =
    method === "GET" || (c.req.header("content-type") ?? "").startsWith("application/x-www-form-urlencoded");
  const { pathname, search } = new URL(c.req.url);
  const wantsPage = (c.req.header("accept") ?? "").includes("text/html");
  if (!wantsPage || (!isForm && body.length > 0) || (method !== "GET" && method !== "POST"))
    return refuse(c, "step_up_required", "Confirm first that it is you: POST /admin/step-up, or sign in again.");
  const fields = method === "GET" ? new URLSearchParams(search) : formOf(body);
  return stepUpPage(
    c,
    visitor,
    { method, action: pathname, fields: [...fields] },
    { isConfirmed: false, problem: null },
  );
}

async function stepUpPage(
  c: AppContext,
  { session }: Visitor,
  asked: Asked,
  said: Pick<StepUpModel, "isConfirmed" | "problem">,
): Promise<Response> {
  const holder = session === null ? null : await boardOf(c.env).session(session);
  const model: StepUpModel = {
    ...said,
    asked,
    pageName: c.env.PAGE_NAME,
    by: holder?.by ?? "",
    isPerson: (holder?.person ?? null) !== null,
    passkeys: partyOf(c) === null ? 0 : (holder?.passkeys ?? 0),
    passkeysAt: (holder?.passkeys ?? 0) > 0 ? passkeysAt(c) : null,
  };
  return adminPage(c, renderStepUp(model), said.isConfirmed ? 200 : 403);
}

async function options(c: AppContext, { visitor }: RouteRequest): Promise<Response> {
  const [party, account] = [partyOf(c), await accountOf(c, visitor)];
  const person = account?.person ?? null;
  if (party === null || person === null || person.passkeys.length === 0)
    return refuse(c, "not_found", "There is no passkey to confirm with here.");
  return c.json(await askForPasskey(c, party, "step-up", visitor.sessionHash ?? "", person));
}

function accountOf(c: AppContext, { session }: Visitor) {
  return session === null ? null : boardOf(c.env).accountView(session);
}

async function byPasskey(c: AppContext, { visitor, body }: RouteRequest): Promise<Response> {
  const party = partyOf(c);
  const used = party === null ? null : await assertionOf(c, party, "step-up", visitor.sessionHash ?? "", body);
  const done =
    used?.ok === true ? await boardOf(c.env).account(visitor.session ?? "", { kind: "stepUp", use: used.value }) : null;
  if (done?.ok !== true || done.value === null) {
    const message = "This passkey does not confirm it. Try again, or use a link.";
    return (await failedTooOften(c, "step-up")) ?? refuse(c, "unauthenticated", message);
  }
  keepSession(c, done.value);
  return c.json({ confirmed: true });
}

const LinkForm = v.object({
  link: v.string(),
  method: v.picklist(["GET", "POST"]),
  action: v.pipe(
    v.string(),
    v.regex(/^\/admin(\/[\w.%~-]+)*$/),
    // However its dots are spelt.
    v.check((path) => new URL(path, "https://nowhere.test").pathname === path),
  ),
  fields: v.pipe(v.string(), v.parseJson(), v.array(v.strictTuple([v.string(), v.string()]))),
});

/** Without script or passkey: a fresh link of their own, whole or only its end. */
async function byLink(c: AppContext, { visitor, body }: RouteRequest): Promise<Response> {
  const form = v.safeParse(LinkForm, Object.fromEntries(formOf(body)));
  if (!form.success) return refuse(c, "request_malformed", "This is not a form of ours. Go back and try again.");
  const { link, method, action, fields } = form.output;
  const asked: Asked = { method, action, fields };
  const token = /[\w-]{43}$/.exec(link.trim())?.[0] ?? "";
  const done = await boardOf(c.env).account(visitor.session ?? "", { kind: "stepUpByLink", token });
  if (!done.ok || done.value === null) {
    const tooOften = await failedTooOften(c, "step-up");
    if (tooOften !== null) return tooOften;
    const problem = "This link is not yours, was used already or is too old. Make a new one.";
    return stepUpPage(c, visitor, asked, { isConfirmed: false, problem });
  }
  keepSession(c, done.value);
  return stepUpPage(c, visitor, asked, { isConfirmed: true, problem: null });
}

const confirm = { policy: "admin", role: "viewer", method: "POST" } as const;

export const stepUpRoutes: readonly Route[] = [
  { ...confirm, path: "/admin/step-up/options", bodyMaxBytes: 1_024, handle: options },
  { ...confirm, path: "/admin/step-up/passkey", bodyMaxBytes: ANSWER_MAX, handle: byPasskey },
  // What was typed comes along, once as it was and once more inside a field.
  { ...confirm, path: "/admin/step-up/link", bodyMaxBytes: 16 * FORM_MAX, handle: byLink },
];
