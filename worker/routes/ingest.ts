/**
 * What others than agents send in, each behind a token of one cluster, and the operator's hand on those tokens. The
 * Cluster checks the token and decides what is news.
 */
import * as v from "valibot";
import type { ApiErrorCode } from "../../protocol/error.ts";
import { ClusterName } from "../../protocol/name.ts";
import { NOTIFICATION_BYTES_MAX } from "../objects/alertmanager.ts";
import { INGEST_TOKENS_MAX } from "../core/ingest.ts";
import { REFUSAL_STATUS, RETRY_AFTER_S } from "../core/refusal.ts";
import { OTLP_BYTES_MAX } from "../objects/otlp-body.ts";
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

/** gRPC's numbers for what OTLP's answers carry: a `Status`, whatever the encoding. */
const STATUS_CODES: Readonly<Record<string, number>> = {
  request_malformed: 3,
  forbidden: 7,
  too_many_attempts: 8,
  request_too_large: 8,
  version_unsupported: 12,
  unavailable: 14,
  unauthenticated: 16,
};

function refuseExport(c: AppContext, code: ApiErrorCode, message: string): Response {
  const retryAfterS = RETRY_AFTER_S[code];
  if (retryAfterS !== undefined) c.header("retry-after", String(retryAfterS));
  c.header("cache-control", "no-store");
  return c.json({ code: STATUS_CODES[code] ?? 13, message }, REFUSAL_STATUS[code]);
}

/** An `ExportMetricsServiceRequest` in JSON. Only 429, 502, 503 and 504 are tried again, as OTLP/HTTP has it. */
async function metrics(c: AppContext, { body }: RouteRequest): Promise<Response> {
  const shown = ingestOf(c);
  if (shown === null) return refuseExport(c, "unauthenticated", "The token is not spelt as one.");
  const type = (c.req.header("content-type") ?? "").split(";")[0]?.trim().toLowerCase();
  if (type !== "application/json") {
    const message = `Content-Type is ${type || "missing"}: only application/json is read. Set encoding: json in otlphttp.`;
    return refuseExport(c, "version_unsupported", message);
  }
  const encoding = (c.req.header("content-encoding") ?? "identity").trim().toLowerCase();
  if (encoding !== "gzip" && encoding !== "identity")
    return refuseExport(c, "version_unsupported", `Content-Encoding ${encoding} is not read: set compression: gzip.`);
  const taken = await clusterOf(c.env, shown.cluster).ingestMetrics(shown.secret, body, encoding === "gzip");
  if (taken.ok) {
    const { rejected, message } = taken.value;
    // A 64-bit integer is text in protobuf's JSON.
    const partialSuccess = { rejectedDataPoints: String(rejected), errorMessage: message };
    return c.json(message === "" ? {} : { partialSuccess });
  }
  const { code, message } = taken.failure;
  if (code === "unauthenticated" && (await failedTooOften(c, "ingest")) !== null)
    return refuseExport(c, "too_many_attempts", "Too many attempts failed. Wait ten minutes.");
  return refuseExport(c, code, message);
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
  {
    method: "POST",
    path: "/ingest/otlp/v1/metrics",
    policy: "ingest",
    bodyMaxBytes: OTLP_BYTES_MAX,
    handle: metrics,
  },
  { method: "POST", path: "/cli/v1/ingest/tokens", policy: "cli", bodyMaxBytes: CLI_BODY_MAX, handle: createToken },
  { method: "GET", path: "/cli/v1/ingest/:cluster/tokens", policy: "cli", handle: listTokens },
  { method: "POST", path: "/cli/v1/ingest/revoke", policy: "cli", bodyMaxBytes: CLI_BODY_MAX, handle: revokeToken },
];
