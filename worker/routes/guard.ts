/** Who is asking, and may they. One function per policy; the table says which applies. */
import type { Role, Scope } from "../core/access.ts";
import { includesRole, isFresh, opens } from "../core/access.ts";
import { readIngestToken } from "../core/ingest.ts";
import { secretsEqual } from "../objects/crypto.ts";
import { boardOf } from "../objects/env.ts";
import type { Result } from "../../protocol/result.ts";
import type { Millis } from "../../protocol/time.ts";
import { failure, success } from "../../protocol/result.ts";
import { refuse } from "./answer.ts";
import { sessionCookie } from "./session-cookie.ts";
import type { AppContext, Route } from "./table.ts";

/** `by` is how the audit names them; null for the public and for agents. `session` is the cookie's secret. */
export interface Visitor {
  readonly by: string | null;
  /** What they may do in the admin; null for whoever came by another door. */
  readonly role: Role | null;
  readonly session: string | null;
  readonly sessionHash: string | null;
}

/** Who holds a session, and when they last proved it. */
interface Held {
  readonly visitor: Visitor;
  readonly role: Role;
  readonly verifiedAt: Millis;
}

type AdminRoute = Extract<Route, { readonly policy: "admin" }>;

const NOBODY: Visitor = { by: null, role: null, session: null, sessionHash: null };

/** Somebody who may do it once they have proved anew who they are. */
export interface StepUp {
  readonly stepUp: Visitor;
}

/** Admits a request, or answers why not. */
export async function guard(c: AppContext, route: Route): Promise<Result<Visitor | StepUp, Response>> {
  switch (route.policy) {
    case "agent":
    case "anyone":
      return success(NOBODY);
    case "public":
      return route.method !== "GET" && crossSite(c) ? failure(refuseCrossSite(c)) : success(NOBODY);
    case "ingest":
      return ingestOf(c) === null ? failure(refuseIngest(c)) : success(NOBODY);
    case "cli":
      return guardCli(c);
    case "read":
      return guardRead(c, route.scope);
    case "admin":
      return guardAdmin(c, route);
  }
}

/** An unsafe request must come from a page of this very origin: no form or script elsewhere can borrow the cookie. */
export function crossSite(c: AppContext): boolean {
  const site = c.req.header("sec-fetch-site");
  return c.req.header("origin") !== new URL(c.req.url).origin || (site !== undefined && site !== "same-origin");
}

function refuseCrossSite(c: AppContext): Response {
  return refuse(c, "cross_site", "The request did not come from a page of this site.");
}

function bearer(c: AppContext): string | null {
  return /^Bearer ([\w.~+/=-]{16,512})$/.exec(c.req.header("authorization") ?? "")?.[1] ?? null;
}

/** The token of a cluster's inputs that was shown, as it is spelt: the Cluster alone knows whether it is good. */
export function ingestOf(c: AppContext): ReturnType<typeof readIngestToken> {
  const shown = bearer(c);
  return shown === null ? null : readIngestToken(shown);
}

function refuseIngest(c: AppContext): Response {
  const message = "This needs a token of a cluster's inputs, as Authorization: Bearer ….";
  return refuse(c, "unauthenticated", `${message} Make one: npm run -s ingest -- token CLUSTER`);
}

async function guardCli(c: AppContext): Promise<Result<Visitor, Response>> {
  const shown = bearer(c);
  if (shown !== null && (await secretsEqual(shown, c.env.OPERATOR_KEY)))
    return success({ ...NOBODY, by: "command line" });
  return failure(refuse(c, "unauthenticated", "This needs the operator's key of this deployment."));
}

async function guardRead(c: AppContext, asked: Scope): Promise<Result<Visitor, Response>> {
  const shown = bearer(c);
  const held = shown === null ? null : await boardOf(c.env).tokenScope(shown);
  if (held !== null && opens(held, asked)) return success({ ...NOBODY, by: `${held} token` });
  const holder = await sessionOf(c);
  if (holder !== null) return success(holder.visitor);
  const token = `npm run -s token -- ${asked}`;
  if (held !== null)
    return failure(refuse(c, "forbidden", `This token is for ${held}. Make one that opens this: ${token}`));
  return failure(refuse(c, "unauthenticated", `This needs a token, as Authorization: Bearer …. Make one: ${token}`));
}

async function guardAdmin(c: AppContext, route: AdminRoute): Promise<Result<Visitor | StepUp, Response>> {
  const isUpgrade = c.req.header("upgrade") !== undefined;
  if ((route.method !== "GET" || isUpgrade) && crossSite(c) && !(isUpgrade && sameOrigin(c)))
    return failure(refuseCrossSite(c));
  const holder = await sessionOf(c);
  if (holder !== null) return admitted(c, route, holder);
  if (route.method === "GET" && !isUpgrade) return failure(c.redirect("/admin/sign-in", 303));
  return failure(refuse(c, "unauthenticated", "The session is over. Sign in and send it again; nothing was changed."));
}

function admitted(
  c: AppContext,
  route: AdminRoute,
  { visitor, role, verifiedAt }: Held,
): Result<Visitor | StepUp, Response> {
  if (!includesRole(role, route.role)) {
    const message = `This needs the role ${route.role}, and yours is ${role}. Ask an owner of this page for it.`;
    return failure(refuse(c, "forbidden", message));
  }
  if (route.stepUp !== true || isFresh(verifiedAt, Date.now())) return success(visitor);
  return success({ stepUp: visitor });
}

/** A WebSocket's upgrade carries `Origin`; browsers differ in the other header. */
export function sameOrigin(c: AppContext): boolean {
  return c.req.header("origin") === new URL(c.req.url).origin;
}

async function sessionOf(c: AppContext): Promise<Held | null> {
  const session = sessionCookie(c);
  const known = session === null ? null : await boardOf(c.env).session(session, isSomebody(c));
  if (known === null) return null;
  const { by, hash, verifiedAt } = known;
  // While a deploy goes out the Board may be of the release before, where every session was an owner's.
  const role: Role = (known.role as Role | undefined) ?? "owner";
  return { role, verifiedAt: verifiedAt ?? 0, visitor: { by, role, session, sessionHash: hash } };
}

/** Whether somebody is there: what an open page asks for by itself keeps no session from ending. */
function isSomebody(c: AppContext): boolean {
  return c.req.method !== "GET" || !["empty", "websocket"].includes(c.req.header("sec-fetch-dest") ?? "");
}
