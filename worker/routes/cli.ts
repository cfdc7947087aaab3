/** What the command line asks of a running system. The operator's key opens it. */
import * as v from "valibot";
import { ClusterName, line } from "../../protocol/name.ts";
import { ROLES, SCOPES } from "../core/access.ts";
import { NAME_MAX } from "../core/people.ts";
import { THRESHOLDS } from "../core/thresholds.ts";
import { parseJson } from "../objects/body.ts";
import { boardOf, clusterOf } from "../objects/env.ts";
import { linkUrl, PEOPLE_SAID } from "./admin-people.ts";
import { refuse } from "./answer.ts";
import { addressFault, ComponentRequestSchema, LimitsRequestSchema } from "./component-request.ts";
import { MomentRequest } from "./moment.ts";
import type { AppContext, Route, RouteRequest } from "./table.ts";

const BODY_MAX = 262_144;

const LinkRequest = v.strictObject({
  as: v.optional(v.pipe(v.string(), v.trim(), v.nonEmpty(), line(NAME_MAX))),
  role: v.optional(v.picklist(ROLES)),
  forgetPasskeys: v.optional(v.boolean()),
});
const Token = v.strictObject({ scope: v.picklist(SCOPES) });
const Enrollment = v.strictObject({ cluster: ClusterName, pending: v.optional(v.boolean(), false) });
const Components = v.strictObject({ components: v.pipe(v.array(ComponentRequestSchema), v.maxLength(500)) });

/** A handler behind a checked JSON body. An empty body counts as {}. */
export function withJson<Schema extends v.GenericSchema>(
  schema: Schema,
  handle: (c: AppContext, input: v.InferOutput<Schema>, by: string) => Promise<Response>,
): Route["handle"] {
  return async (c: AppContext, { body, visitor }: RouteRequest) => {
    const json = body.length === 0 ? { ok: true as const, value: {} } : parseJson(body, 8);
    if (!json.ok) return refuse(c, "request_malformed", "The body is not JSON.");
    const parsed = v.safeParse(schema, json.value, { abortEarly: true });
    if (parsed.success) return handle(c, parsed.output, visitor.by ?? "unknown");
    const [issue] = parsed.issues;
    return refuse(c, "request_malformed", `${v.getDotPath(issue) ?? "body"}: ${issue.message}`);
  };
}

/** A link for whoever holds the operator's key, or a way back in for somebody by name. */
const createLink = withJson(LinkRequest, async (c, { as: name, role = null, forgetPasskeys = false }, by) => {
  if (name === undefined) {
    const link = await boardOf(c.env).createLink();
    return c.json({ url: linkUrl(c, link), expiresAt: link.expiresAt }, 201);
  }
  const done = await boardOf(c.env).changePeople({ kind: "recover", name, role, forgetPasskeys }, by);
  if (done.ok && done.value.link !== null) {
    const { link, person } = done.value;
    return c.json({ url: linkUrl(c, link), expiresAt: link.expiresAt, name: person.name, role: person.role }, 201);
  }
  const refusal = done.ok ? "unknown" : done.failure;
  if (refusal === "unknown")
    return refuse(c, "not_found", `Nobody here is called "${name}". For a new account say which role.`);
  return refuse(c, "conflict", PEOPLE_SAID[refusal]);
});

const createToken = withJson(Token, async (c, { scope }) =>
  c.json({ token: await boardOf(c.env).createToken(scope) }, 201),
);

const createEnrollment = withJson(Enrollment, async (c, { cluster, pending }, by) => {
  const code = await clusterOf(c.env, cluster).createCode(cluster, pending);
  await boardOf(c.env).note("code.create", cluster, by);
  return c.json({ cluster, ...code }, 201);
});

const putComponents = withJson(Components, async (c, { components }, by) => {
  for (const [i, component] of components.entries()) {
    const fault = addressFault(c, component);
    if (fault !== null) return refuse(c, "request_malformed", `components.${i}.url: ${fault}`);
  }
  const put = await boardOf(c.env).putComponents(components, by);
  if (put.ok) return c.json({ components: put.value });
  return refuse(c, "conflict", "A page has at most 1,000 components.");
});

const putLimits = withJson(LimitsRequestSchema, async (c, { thresholds }, by) => {
  await boardOf(c.env).setLimits(thresholds, by);
  return c.json({ thresholds: { ...THRESHOLDS, ...thresholds } });
});

async function clusters(c: AppContext): Promise<Response> {
  const view = await boardOf(c.env).operatorView([]);
  return c.json({
    clusters: view.clusters.map(({ cluster, keys }) => {
      const tell = view.tells.find((told) => told.cluster === cluster);
      return {
        name: cluster,
        state: keys.at(-1)?.state ?? "waiting",
        heardAt: tell?.heardAt ?? null,
        agentVersion: tell?.agentVersion ?? null,
        services: tell?.reports ?? 0,
      };
    }),
  });
}

/** What a cluster costs since its object woke: `Costs`. The bench reads it. */
async function cost(c: AppContext): Promise<Response> {
  const cluster = v.safeParse(ClusterName, c.req.param("cluster"));
  if (!cluster.success) return refuse(c, "not_found", "There is no such cluster.");
  return c.json(await clusterOf(c.env, cluster.output).costs());
}

const Reflush = v.strictObject({
  since: v.pipe(
    MomentRequest,
    v.check((at) => at <= Date.now(), "must have passed"),
  ),
  cluster: v.optional(v.nullable(ClusterName), null),
});

/** Begins to send again what a restored Postgres may have lost; how far it is, `reflushed` says. */
const reflush = withJson(Reflush, async (c, { since, cluster }, by) => {
  const begun = await boardOf(c.env).reflush(since, cluster, by);
  if (begun.ok) return c.json(begun.value, 202);
  if (begun.failure === "under_way") return refuse(c, "conflict", "One is under way. Wait until it is done.");
  return refuse(c, "not_found", `There is no cluster "${cluster}". Their names are on the page /admin.`);
});

async function reflushed(c: AppContext): Promise<Response> {
  const latest = await boardOf(c.env).reflushed();
  return latest === null ? refuse(c, "not_found", "Nothing was sent again yet.") : c.json(latest);
}

export const cliRoutes: readonly Route[] = [
  { method: "POST", path: "/cli/v1/admin-links", policy: "cli", bodyMaxBytes: BODY_MAX, handle: createLink },
  { method: "POST", path: "/cli/v1/tokens", policy: "cli", bodyMaxBytes: BODY_MAX, handle: createToken },
  { method: "POST", path: "/cli/v1/enrollments", policy: "cli", bodyMaxBytes: BODY_MAX, handle: createEnrollment },
  { method: "PUT", path: "/cli/v1/components", policy: "cli", bodyMaxBytes: BODY_MAX, handle: putComponents },
  { method: "PUT", path: "/cli/v1/limits", policy: "cli", bodyMaxBytes: BODY_MAX, handle: putLimits },
  { method: "POST", path: "/cli/v1/reflush", policy: "cli", bodyMaxBytes: BODY_MAX, handle: reflush },
  { method: "GET", path: "/cli/v1/reflush", policy: "cli", handle: reflushed },
  { method: "GET", path: "/cli/v1/clusters", policy: "cli", handle: clusters },
  { method: "GET", path: "/cli/v1/clusters/:cluster/cost", policy: "cli", handle: cost },
  {
    method: "GET",
    path: "/cli/v1/board/cost",
    policy: "cli",
    handle: async (c) => c.json(await boardOf(c.env).costs()),
  },
];
