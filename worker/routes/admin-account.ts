/** One's own account: who one is, passkeys, sessions. */
import * as v from "valibot";
import { line } from "../../protocol/name.ts";
import type { AccountModel } from "../../web/view/admin/doors-model.ts";
import { renderAccount } from "../../web/view/admin/account.ts";
import type { PeopleRefusal } from "../core/people.ts";
import { NAME_MAX, PASSKEYS_MAX } from "../core/people.ts";
import type { AccountAct, AccountView } from "../objects/board-people.ts";
import { boardOf } from "../objects/env.ts";
import { passkeysAt } from "./admin-doors.ts";
import { adminPage, FORM_MAX, formOf } from "./admin-page.ts";
import { frameOf } from "./admin-view.ts";
import { refuse } from "./answer.ts";
import { ANSWER_MAX, askForNewPasskey, partyOf, registrationOf } from "./passkey.ts";
import { keepSession } from "./session-cookie.ts";
import type { AppContext, Route, RouteRequest } from "./table.ts";

const SAID: Partial<Record<PeopleRefusal, string>> = {
  name_taken: "Somebody has this name. Choose another.",
  name_unusable: "Give your name, as others know you.",
  too_many: `You have ${PASSKEYS_MAX} passkeys. Remove one first.`,
};

const Name = v.pipe(v.string(), v.trim(), v.nonEmpty("Give a name."), line(NAME_MAX));

async function accountPage(
  c: AppContext,
  { visitor }: RouteRequest,
  said: Pick<AccountModel, "values" | "faults"> = { values: {}, faults: [] },
): Promise<Response> {
  const board = boardOf(c.env);
  const [account, view] = await Promise.all([board.accountView(visitor.session ?? ""), board.operatorView([])]);
  if (account === null) return c.redirect("/admin/sign-in", 303);
  return adminPage(
    c,
    renderAccount({ ...accountModel(c, account), ...said }, frameOf(view, Date.now())),
    said.faults.length > 0 ? 400 : 200,
  );
}

function accountModel(c: AppContext, { holder, person, logins }: AccountView): Omit<AccountModel, "values" | "faults"> {
  return {
    name: holder.by,
    role: holder.role,
    isPerson: person !== null,
    passkeys: (person?.passkeys ?? []).map(({ id, name, createdAt, usedAt }) => ({ id, name, createdAt, usedAt })),
    passkeysWork: partyOf(c) !== null,
    canAddPasskey: partyOf(c) !== null && (person?.passkeys.length ?? 0) < PASSKEYS_MAX,
    passkeysAt: passkeysAt(c),
    logins: logins.map(({ id, hash, device, door, createdAt, seenAt }) => ({
      id,
      device,
      door,
      createdAt,
      seenAt,
      isThis: hash === holder.hash,
    })),
  };
}

/** Does it, and keeps the session's new secret if it has one now. */
async function run(c: AppContext, { visitor }: RouteRequest, act: AccountAct): Promise<PeopleRefusal | null> {
  const done = await boardOf(c.env).account(visitor.session ?? "", act);
  if (!done.ok) return done.failure;
  if (done.value !== null) keepSession(c, done.value);
  return null;
}

async function claim(c: AppContext, request: RouteRequest): Promise<Response> {
  const typed = formOf(request.body).get("name") ?? "";
  const name = v.safeParse(Name, typed);
  const refusal = name.success ? await run(c, request, { kind: "claim", name: name.output }) : "name_unusable";
  if (refusal === null) return c.redirect("/admin/account", 303);
  const message = SAID[refusal] ?? "Sign in again: the session is over.";
  return accountPage(c, request, { values: { name: typed }, faults: [{ field: "name", message }] });
}

const id = (c: AppContext): string => c.req.param("id") ?? "";

/** A form of one act on something that may be gone meanwhile. */
function doing(actOf: (c: AppContext, form: URLSearchParams) => AccountAct | null): Route["handle"] {
  return async (c, request) => {
    const act = actOf(c, formOf(request.body));
    if (act === null) return refuse(c, "request_malformed", `Give it a name of at most ${NAME_MAX} characters.`);
    const refusal = await run(c, request, act);
    if (refusal === null) return c.redirect("/admin/account", 303);
    return refuse(c, "not_found", "It is not there any more. Look at your account again.");
  };
}

const name = doing((c, form) => {
  const parsed = v.safeParse(Name, form.get("name"));
  return parsed.success ? { kind: "namePasskey", id: id(c), name: parsed.output } : null;
});
const remove = doing((c) => ({ kind: "removePasskey", id: id(c) }));
const endSession = doing((c) => ({ kind: "endSession", id: id(c) }));
const endOthers = doing(() => ({ kind: "endOthers" }));

async function passkeyOptions(c: AppContext, { visitor }: RouteRequest): Promise<Response> {
  const party = partyOf(c);
  const board = boardOf(c.env);
  const [account, view] = await Promise.all([board.accountView(visitor.session ?? ""), board.operatorView([])]);
  if (party === null || account === null || account.person === null)
    return refuse(c, "not_found", "Passkeys are not set up for this address, or you have no account.");
  return c.json(await askForNewPasskey(c, party, account.holder.hash, account.person, view.page.name));
}

async function addPasskey(c: AppContext, request: RouteRequest): Promise<Response> {
  const party = partyOf(c);
  const made = party && (await registrationOf(c, party, request.visitor.sessionHash ?? "", request.body));
  if (made?.ok !== true) return refuse(c, "request_malformed", "The passkey was not made as it was asked. Try again.");
  const { passkey, challenge } = made.value;
  const parsed = v.safeParse(Name, passkey.name);
  const named = { ...passkey, name: parsed.success ? parsed.output : "Passkey" };
  const refusal = await run(c, request, { kind: "addPasskey", passkey: named, challenge });
  if (refusal === null) return c.json({ next: "/admin/account" }, 201);
  return refuse(c, "conflict", SAID[refusal] ?? "This passkey is here already. Try another.");
}

const own = { policy: "admin", role: "viewer", bodyMaxBytes: FORM_MAX } as const;
const PASSKEYS = "/admin/account/passkeys";

export const accountRoutes: readonly Route[] = [
  { method: "GET", path: "/admin/account", policy: "admin", role: "viewer", handle: (c, r) => accountPage(c, r) },
  {
    method: "GET",
    path: "/admin/account/confirm",
    policy: "admin",
    role: "viewer",
    stepUp: true,
    handle: (c) => c.redirect("/admin/account", 303),
  },
  { method: "POST", path: "/admin/account/claim", ...own, role: "owner", stepUp: true, handle: claim },
  { method: "POST", path: `${PASSKEYS}/options`, ...own, stepUp: true, handle: passkeyOptions },
  { method: "POST", path: PASSKEYS, ...own, bodyMaxBytes: ANSWER_MAX, stepUp: true, handle: addPasskey },
  { method: "POST", path: `${PASSKEYS}/:id/name`, ...own, handle: name },
  { method: "POST", path: `${PASSKEYS}/:id/remove`, ...own, stepUp: true, handle: remove },
  { method: "POST", path: "/admin/account/sessions/end-others", ...own, handle: endOthers },
  { method: "POST", path: "/admin/account/sessions/:id/end", ...own, handle: endSession },
];
