/**
 * The one table of routes, and the only way to mount one: a route without a policy does not compile. From the table
 * come the handlers, the caps on bodies, the 405s, /openapi.json, and the tests that try every route against every door.
 */
import type { Context, Hono } from "hono";
import { cors } from "hono/cors";
import type * as v from "valibot";
import type { Role, Scope } from "../core/access.ts";
import type { Env } from "../objects/env.ts";
import { readBody } from "../objects/body.ts";
import { askStepUp } from "./admin-step-up.ts";
import { refuse } from "./answer.ts";
import type { Visitor } from "./guard.ts";
import { crossSite, guard } from "./guard.ts";
import { inEveryLanguage } from "./tongue.ts";
import { isForm, keepTyped } from "./typed.ts";

export interface AppEnv {
  readonly Bindings: Env;
}
export type AppContext = Context<AppEnv>;

/**
 * `public`: anybody; what changes something, from our own pages alone. `anyone`: programs and pages of other sites as
 * well, to whom no cookie of ours means anything. `agent`: signed requests, checked by the Cluster itself. `ingest`: a token of one cluster's inputs,
 * checked by it too. `cli`: the operator's key.
 * `read`: a session, or a token whose scope is the route's or `read`. `admin`: a session of a role.
 */
type Policy = "public" | "anyone" | "agent" | "ingest" | "cli" | "read" | "admin";

/** What /openapi.json says of a route, by the schemas that validate: `query` the question, and a test every `answer`. */
export interface ApiDescription {
  readonly summary: string;
  readonly query?: v.ObjectSchema<v.ObjectEntries, undefined>;
  /** The body of a 200; null if it is metrics as text. */
  readonly answer: v.GenericSchema | null;
}

/** What programs read has a scope and a description, what people do a role: without them it does not compile. */
type Door =
  | { readonly policy: "read"; readonly scope: Scope; readonly api: ApiDescription }
  | {
      readonly policy: "admin";
      /** The least that a session must have. */
      readonly role: Role;
      /** Whether they must have proved within minutes who they are: for leases, keys, people, exports. */
      readonly stepUp?: true;
      readonly api?: ApiDescription;
    }
  | { readonly policy: Exclude<Policy, "read" | "admin">; readonly api?: ApiDescription };

export type Route = Door & {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  readonly path: string;
  /** Served behind each language too: "/de/history". Its render is spoken. */
  readonly isSpoken?: true;
  /** Absent: always. What a deployment did not set up is not there. */
  readonly isOffered?: (env: Env) => boolean;
  /** Bytes of a body; none is read without it. */
  readonly bodyMaxBytes?: number;
  readonly handle: (c: AppContext, request: RouteRequest) => Response | Promise<Response>;
};

export interface RouteRequest {
  readonly visitor: Visitor;
  readonly body: Uint8Array;
}

/** Mounts every route, and an answer for each other method on the same paths. */
export function mount(app: Hono<AppEnv>, routes: readonly Route[]): void {
  // Statuspage's clients run on every site: they may read what is there, and what is not.
  app.use("/api/v2/*", cors({ origin: "*", allowMethods: ["GET", "HEAD", "POST", "DELETE"], maxAge: 86_400 }));
  for (const route of routes) app.on(route.method, pathsOf(route), (c) => answer(c, route));
  for (const path of new Set(routes.flatMap(pathsOf))) {
    const here = routes.filter((route) => pathsOf(route).includes(path));
    app.all(path, (c) => {
      const offered = here.filter((route) => route.isOffered?.(c.env) !== false);
      if (offered.length === 0) return refuseNothing(c);
      const allow = offered.flatMap(({ method }) => (method === "GET" ? ["GET", "HEAD"] : [method]));
      c.header("allow", allow.join(", "));
      return refuse(c, "method_not_allowed", `This address answers to ${allow.join(", ")}.`);
    });
  }
}

function pathsOf({ path, isSpoken }: Route): string[] {
  return isSpoken === true ? [...inEveryLanguage(path)] : [path];
}

/** What is theirs is kept by no cache, and is what it says it is. */
function isOperators({ policy, path }: Route): boolean {
  return policy === "admin" || policy === "cli" || policy === "read" || path.startsWith("/admin");
}

function refuseNothing(c: AppContext): Response {
  return refuse(c, "not_found", "There is nothing at this address.");
}

async function answer(c: AppContext, route: Route): Promise<Response> {
  // Nothing here has a name of other letters, and an answer's headers could not say it again.
  const isNamed = Object.values(c.req.param()).every((name) => /^[\x21-\x7e]*$/.test(name));
  if (!isNamed || route.isOffered?.(c.env) === false) return refuseNothing(c);
  if (isOperators(route)) {
    c.header("cache-control", "no-store");
    c.header("x-content-type-options", "nosniff");
  }
  const cap = route.bodyMaxBytes ?? 0;
  // What a page of ours sends is read before it is judged: a refusal shows what was typed.
  const typed = route.policy === "admin" && isForm(c) && !crossSite(c) ? await readBody(c.req.raw, cap) : null;
  if (typed?.ok === true) keepTyped(c, typed.value);
  const admitted = await guard(c, route);
  if (!admitted.ok) return admitted.failure;
  const body = typed ?? (await readBody(c.req.raw, cap));
  if (body.ok) {
    const who = admitted.value;
    if ("stepUp" in who) return askStepUp(c, route.method, body.value, who.stepUp);
    return route.handle(c, { visitor: who, body: body.value });
  }
  if (route.policy === "agent") return refuse(c, "push_too_large", `The body is larger than ${cap} bytes.`);
  return refuse(c, "request_too_large", `The body is larger than ${cap} bytes.`);
}
