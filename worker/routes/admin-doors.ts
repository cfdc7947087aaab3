/** The doors of the admin: a one-time link, a passkey, Cloudflare Access. Each ends in the same session. */
import { renderSignIn } from "../../web/view/admin/sign-in.ts";
import type { SignInModel } from "../../web/view/admin/doors-model.ts";
import { deviceOf } from "../core/access.ts";
import type { Arriving } from "../objects/board.ts";
import { freshSecret } from "../objects/crypto.ts";
import { boardOf } from "../objects/env.ts";
import { accessAddress, accessOf, accessToken, addressHash } from "./access-token.ts";
import { adminPage, FORM_MAX, formOf } from "./admin-page.ts";
import { refuse } from "./answer.ts";
import { failedTooOften } from "./failures.ts";
import { ANSWER_MAX, askForPasskey, assertionOf, CHALLENGE_LIFETIME_MS, partyOf } from "./passkey.ts";
import { doorCookie, dropSession, keepDoor, keepSession, sessionCookie } from "./session-cookie.ts";
import type { AppContext, Route, RouteRequest } from "./table.ts";

/** Opening the link spends nothing: mail scanners and previews open links too. The button on it does. */
function showSignIn(c: AppContext): Response {
  return signInPage(c, { token: c.req.query("token")?.slice(0, 128) ?? null, problem: null }, 200);
}

function signInPage(c: AppContext, said: Pick<SignInModel, "token" | "problem">, status: 200 | 401): Response {
  const model: SignInModel = {
    ...said,
    pageName: c.env.PAGE_NAME,
    passkeys: partyOf(c) !== null,
    passkeysAt: passkeysAt(c),
    access: accessOf(c.env) !== null && accessToken(c.req.raw.headers) !== null,
  };
  return adminPage(c, renderSignIn(model), status);
}

/** On a laptop the page is open by its address, and passkeys want a name. */
export function passkeysAt(c: AppContext): string | null {
  const url = new URL(c.req.url);
  return url.hostname === "127.0.0.1" ? `${url.protocol}//localhost:${url.port}` : null;
}

function arriving(c: AppContext): Arriving {
  return { device: deviceOf(c.req.header("user-agent") ?? ""), instead: sessionCookie(c) };
}

async function signIn(c: AppContext, { body }: RouteRequest): Promise<Response> {
  const secret = await boardOf(c.env).redeemLink(formOf(body).get("token") ?? "", arriving(c));
  if (secret === null) {
    const tooOften = await failedTooOften(c, "sign-in");
    if (tooOften !== null) return tooOften;
    const problem = "This link was used already or is too old. Make a new one.";
    return signInPage(c, { token: null, problem }, 401);
  }
  keepSession(c, secret);
  return c.redirect(await firstPage(c, secret), 303);
}

/** Who has no passkey yet and could have one is shown where. */
async function firstPage(c: AppContext, secret: string): Promise<string> {
  const holder = await boardOf(c.env).session(secret);
  const isNew = holder !== null && holder.person !== null && holder.passkeys === 0 && partyOf(c) !== null;
  return isNew ? "/admin/account" : "/admin";
}

async function signOut(c: AppContext, { visitor }: RouteRequest): Promise<Response> {
  if (visitor.session !== null) await boardOf(c.env).endSession(visitor.session);
  dropSession(c);
  return c.redirect("/admin/sign-in", 303);
}

async function passkeyOptions(c: AppContext): Promise<Response> {
  const party = partyOf(c);
  if (party === null) return refuse(c, "not_found", "Passkeys are not set up for this address.");
  const nonce = freshSecret();
  keepDoor(c, nonce, CHALLENGE_LIFETIME_MS);
  c.header("cache-control", "no-store");
  return c.json(await askForPasskey(c, party, "sign-in", nonce, null));
}

async function passkeySignIn(c: AppContext, { body }: RouteRequest): Promise<Response> {
  const [party, nonce] = [partyOf(c), doorCookie(c)];
  const used = party === null || nonce === null ? null : await assertionOf(c, party, "sign-in", nonce, body);
  const secret = used?.ok === true ? await boardOf(c.env).redeemPasskey(used.value, arriving(c)) : null;
  if (secret === null) {
    // The Board writes down those that it refuses itself.
    if (used?.ok !== true) await boardOf(c.env).refuseSignIn("passkey");
    const message = "This passkey does not open this page. Try again, or sign in by a link.";
    return (await failedTooOften(c, "sign-in")) ?? refuse(c, "unauthenticated", message);
  }
  keepSession(c, secret);
  c.header("cache-control", "no-store");
  return c.json({ next: "/admin" });
}

async function accessSignIn(c: AppContext): Promise<Response> {
  const [access, token] = [accessOf(c.env), accessToken(c.req.raw.headers)];
  const address = access === null || token === null ? null : await accessAddress(access, token);
  const known = address === null ? null : await addressHash(c.env, address);
  const secret = known === null ? null : await boardOf(c.env).redeemAccess(known, arriving(c));
  if (secret === null) {
    if (known === null) await boardOf(c.env).refuseSignIn("access");
    const problem =
      "Nobody here is known by what Cloudflare Access says of you. Ask an owner of this page to invite you.";
    return (await failedTooOften(c, "sign-in")) ?? signInPage(c, { token: null, problem }, 401);
  }
  keepSession(c, secret);
  return c.redirect("/admin", 303);
}

export const doorRoutes: readonly Route[] = [
  { method: "GET", path: "/admin/sign-in", policy: "public", handle: showSignIn },
  { method: "POST", path: "/admin/sign-in", policy: "public", bodyMaxBytes: FORM_MAX, handle: signIn },
  { method: "POST", path: "/admin/sign-in/options", policy: "public", bodyMaxBytes: 1_024, handle: passkeyOptions },
  {
    method: "POST",
    path: "/admin/sign-in/passkey",
    policy: "public",
    bodyMaxBytes: ANSWER_MAX,
    handle: passkeySignIn,
  },
  {
    method: "POST",
    path: "/admin/sign-in/access",
    policy: "public",
    isOffered: (env) => accessOf(env) !== null,
    bodyMaxBytes: 1_024,
    handle: accessSignIn,
  },
  { method: "POST", path: "/admin/sign-out", policy: "admin", role: "viewer", bodyMaxBytes: FORM_MAX, handle: signOut },
];
