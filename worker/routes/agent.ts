/** The agent's doors. The Cluster object checks who it is; here only what costs nothing is checked. */
import * as v from "valibot";
import { PUSH_BYTES_MAX } from "../../protocol/limits.ts";
import { ClusterName } from "../../protocol/name.ts";
import { ENROLL_PATH, PUSH_PATH, ROTATE_PATH, SESSION_PATH } from "../../protocol/path.ts";
import { EnrollSchema } from "../../protocol/push.ts";
import { PROTOCOL_VERSION, PROTOCOL_VERSION_OLDEST, versionServed } from "../../protocol/version.ts";
import { parseJson } from "../objects/body.ts";
import { clusterOf } from "../objects/env.ts";
import type { SignedHead } from "../objects/signed.ts";
import { claimOf } from "../objects/signed.ts";
import { refuse } from "./answer.ts";
import { failedTooOften } from "./failures.ts";
import type { AppContext, Route, RouteRequest } from "./table.ts";

function headOf(c: AppContext): SignedHead {
  const { headers } = c.req.raw;
  return {
    method: c.req.method,
    targetUri: c.req.url,
    contentType: headers.get("content-type") ?? "",
    contentDigest: headers.get("content-digest"),
    signatureInput: headers.get("signature-input"),
    signature: headers.get("signature"),
  };
}

function clusterName(c: AppContext): string | null {
  const parsed = v.safeParse(ClusterName, c.req.query("cluster"));
  return parsed.success ? parsed.output : null;
}

async function push(c: AppContext, { body }: RouteRequest): Promise<Response> {
  const cluster = clusterName(c);
  const head = headOf(c);
  if (cluster === null || claimOf(head, Date.now()) === null) {
    return refuse(c, "unauthenticated", "The push is not signed, or its signature's time does not fit serverTime.");
  }
  const answer = await clusterOf(c.env, cluster).push(head, body);
  if (answer.ok) return Response.json(answer.value);
  const { code, message, expected, versions, receipt } = answer.failure;
  // Its numbers are consumed: the agent learns that from the receipt, as it does from every other.
  if (receipt !== undefined) return c.json(receipt, 422);
  const [oldest, newest] = versions ?? [];
  return refuse(c, code, message, {
    ...(expected === undefined ? {} : { expected }),
    ...(oldest === undefined || newest === undefined ? {} : { versions: [oldest, newest] }),
  });
}

async function enroll(c: AppContext, { body }: RouteRequest): Promise<Response> {
  const json = parseJson(body, 2);
  const version = json.ok ? v.safeParse(v.object({ v: v.number() }), json.value) : null;
  if (version?.success === true && !versionServed(version.output.v)) {
    const versions = [PROTOCOL_VERSION_OLDEST, PROTOCOL_VERSION] as const;
    return refuse(c, "version_unsupported", `Versions ${versions.join(" to ")} are served here.`, { versions });
  }
  const parsed = json.ok ? v.safeParse(EnrollSchema, json.value) : null;
  if (parsed === null || !parsed.success) return refuse(c, "request_malformed", "This is not an enrolment.");
  const { cluster } = parsed.output;
  const answer = await clusterOf(c.env, cluster).enroll(headOf(c), body, parsed.output);
  if (answer.ok) return c.json(answer.value);
  return (await failedTooOften(c, "enroll")) ?? refuse(c, answer.failure.code, answer.failure.message);
}

async function rotate(c: AppContext, { body }: RouteRequest): Promise<Response> {
  const cluster = clusterName(c);
  const head = headOf(c);
  if (cluster === null || claimOf(head, Date.now()) === null)
    return refuse(c, "unauthenticated", "This is not signed, or its signature's time does not fit serverTime.");
  const answer = await clusterOf(c.env, cluster).rotate(head, body);
  return answer.ok ? c.json(answer.value) : refuse(c, answer.failure.code, answer.failure.message);
}

function session(c: AppContext): Promise<Response> | Response {
  const cluster = clusterName(c);
  if (cluster === null) return refuse(c, "request_malformed", "Say which cluster: ?cluster=NAME");
  if (c.req.header("upgrade") !== "websocket") return refuse(c, "request_malformed", "This address is a WebSocket.");
  return clusterOf(c.env, cluster).fetch(c.req.raw);
}

export const agentRoutes: readonly Route[] = [
  { method: "POST", path: ENROLL_PATH, policy: "agent", bodyMaxBytes: 4_096, handle: enroll },
  { method: "POST", path: PUSH_PATH, policy: "agent", bodyMaxBytes: PUSH_BYTES_MAX, handle: push },
  { method: "POST", path: ROTATE_PATH, policy: "agent", bodyMaxBytes: 4_096, handle: rotate },
  { method: "GET", path: SESSION_PATH, policy: "agent", handle: session },
];
