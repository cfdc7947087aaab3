/**
 * What others than agents send in, each behind a token of one cluster, and the operator's hand on those tokens. The
 * Cluster checks the token and decides what is news.
 */
import * as v from "valibot";
import { ClusterName } from "../../protocol/name.ts";
import { NOTIFICATION_BYTES_MAX } from "../objects/alertmanager.ts";
import { INGEST_TOKENS_MAX } from "../core/ingest.ts";
import { boardOf, clusterOf } from "../objects/env.ts";
import { refuse } from "./answer.ts";
import { withJson } from "./cli.ts";
import { failedTooOften } from "./failures.ts";
import { ingestOf } from "./guard.ts";
import type { AppContext, Route, RouteRequest } from "./table.ts";

/** 200 for what was taken in, known or not. Alertmanager tries a 5xx again, and drops what any 4xx answers. */
async function alertmanager(c: AppContext, { body }: RouteRequest): Promise<Response> {
  const shown = ingestOf(c);
  if (shown === null) return refuse(c, "unauthenticated", "The token is not spelt as one.");
  const taken = await clusterOf(c.env, shown.cluster).ingestAlerts(shown.secret, body);
  if (taken.ok) return c.json(taken.value);
  const { code, message } = taken.failure;
  const tooOften = code === "unauthenticated" ? await failedTooOften(c, "ingest") : null;
  return tooOften ?? refuse(c, code, message);
}

// ── tokens ──────────────────────────────────────────────────────────────────────────────────────────────────────────

const Of = v.strictObject({ cluster: ClusterName });
const Revoked = v.strictObject({ cluster: ClusterName, id: v.pipe(v.string(), v.regex(/^[a-z0-9]{12}$/)) });

const createToken = withJson(Of, async (c, { cluster }, by) => {
  const made = await clusterOf(c.env, cluster).createIngestToken(cluster);
  if (made === null)
    return refuse(c, "conflict", `${cluster} has ${INGEST_TOKENS_MAX} tokens. Revoke one that nobody uses.`);
  await boardOf(c.env).note("ingest.create", `${cluster}/${made.id}`, by);
  return c.json({ cluster, ...made }, 201);
});

async function listTokens(c: AppContext): Promise<Response> {
  const cluster = v.safeParse(ClusterName, c.req.param("cluster"));
  if (!cluster.success) return refuse(c, "not_found", "There is no such cluster.");
  const iso = (at: number): string => new Date(at).toISOString();
  const tokens = await clusterOf(c.env, cluster.output).ingestTokens();
  return c.json({
    tokens: tokens.map(({ id, createdAt, revokedAt }) => {
      return { id, createdAt: iso(createdAt), revokedAt: revokedAt === null ? null : iso(revokedAt) };
    }),
  });
}

const revokeToken = withJson(Revoked, async (c, { cluster, id }, by) => {
  if (!(await clusterOf(c.env, cluster).revokeIngestToken(id)))
    return refuse(c, "not_found", `${cluster} has no token "${id}". List them: npm run -s ingest -- tokens ${cluster}`);
  await boardOf(c.env).note("ingest.revoke", `${cluster}/${id}`, by);
  return c.json({ cluster, id });
});

const CLI_BODY_MAX = 4_096;

export const ingestRoutes: readonly Route[] = [
  {
    method: "POST",
    path: "/ingest/alertmanager",
    policy: "ingest",
    bodyMaxBytes: NOTIFICATION_BYTES_MAX,
    handle: alertmanager,
  },
  { method: "POST", path: "/cli/v1/ingest/tokens", policy: "cli", bodyMaxBytes: CLI_BODY_MAX, handle: createToken },
  { method: "GET", path: "/cli/v1/ingest/:cluster/tokens", policy: "cli", handle: listTokens },
  { method: "POST", path: "/cli/v1/ingest/revoke", policy: "cli", bodyMaxBytes: CLI_BODY_MAX, handle: revokeToken },
];
