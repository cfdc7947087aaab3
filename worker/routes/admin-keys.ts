/** Who may speak for a cluster: codes that let an agent join, keys that wait, and keys that are taken away. */
import * as v from "valibot";
import { ClusterName } from "../../protocol/name.ts";
import { agentYaml } from "../../web/view/agent-yaml.ts";
import { renderKeys } from "../../web/view/admin/cluster-keys.ts";
import { renderClusterNew, renderEnrolment } from "../../web/view/admin/cluster-new.ts";
import type { ClusterField, ClusterNewModel, KeysModel } from "../../web/view/admin/fleet-model.ts";
import type { Fault } from "../../web/view/admin/model.ts";
import { confirmsFingerprint } from "../core/identity.ts";
import { boardOf, clusterOf } from "../objects/env.ts";
import { clusterModel, tellOf } from "./admin-cluster-model.ts";
import { isOwner, NO_CLUSTER } from "./admin-fleet.ts";
import { adminPage, FORM_MAX, formOf } from "./admin-page.ts";
import { frameOf } from "./admin-view.ts";
import { refuse } from "./answer.ts";
import type { Visitor } from "./guard.ts";
import type { AppContext, Route, RouteRequest } from "./table.ts";

// ── a cluster joins ─────────────────────────────────────────────────────────────────────────────────────────────────

const NAMESPACES_MAX = 50;

const NewForm = v.object({
  name: v.pipe(
    v.string(),
    v.trim(),
    v.check((name) => v.is(ClusterName, name) && name !== "new", "Give a name of a-z, 0-9 and -, at most 63 of them."),
  ),
  prometheus: v.pipe(
    v.string(),
    v.trim(),
    v.check(
      (url) => url === "" || /^https?:$/.test(URL.parse(url)?.protocol ?? ""),
      "Give an address that begins with http:// or https://.",
    ),
  ),
  namespaces: v.pipe(
    v.string(),
    v.transform((text) => [...new Set(text.split(/[\s,]+/).filter((name) => name !== ""))]),
    v.maxLength(NAMESPACES_MAX, `Give at most ${NAMESPACES_MAX}.`),
    v.everyItem((name) => v.is(ClusterName, name), "Give names of namespaces with commas between: a-z, 0-9 and -."),
  ),
});

async function newPage(c: AppContext, form: ClusterNewModel["form"], status: 200 | 400 | 409): Promise<Response> {
  const view = await boardOf(c.env).operatorView([]);
  return adminPage(c, renderClusterNew({ form }, frameOf(view, Date.now())), status);
}

async function add(c: AppContext, { body, visitor }: RouteRequest): Promise<Response> {
  const values: Partial<Record<ClusterField, string>> = Object.fromEntries(formOf(body));
  const parsed = v.safeParse(NewForm, { name: "", prometheus: "", namespaces: "", ...values });
  if (!parsed.success) {
    const faults = parsed.issues.map((issue): Fault => ({
      field: v.getDotPath(issue)?.split(".")[0] ?? null,
      message: issue.message,
    }));
    return newPage(c, { values, faults }, 400);
  }
  const { name, prometheus, namespaces } = parsed.output;
  const { clusters } = await boardOf(c.env).operatorView([]);
  if (clusters.some(({ cluster }) => cluster === name)) {
    const message = "There is one of this name. Make a code for its agent on its page of keys, or choose another name.";
    return newPage(c, { values, faults: [{ field: "name", message }] }, 409);
  }
  return giveCode(c, name, visitor, { namespaces, prometheus: prometheus === "" ? null : prometheus });
}

/** Makes a code, and shows it: nobody can ask for it again. */
async function giveCode(
  c: AppContext,
  cluster: string,
  visitor: Visitor,
  wishes: Parameters<typeof agentYaml>[2],
): Promise<Response> {
  const made = await clusterOf(c.env, cluster).createCode(cluster, true);
  await boardOf(c.env).note("code.create", cluster, visitor.by ?? "unknown");
  const view = await boardOf(c.env).operatorView([]);
  const yaml = agentYaml(
    new URL(c.req.url).origin,
    { cluster, ...made, expiresAt: new Date(made.expiresAt).toISOString() },
    wishes,
  );
  return adminPage(c, renderEnrolment({ cluster, yaml, expiresAt: made.expiresAt }, frameOf(view, Date.now())), 201);
}

async function newCode(c: AppContext, { visitor }: RouteRequest): Promise<Response> {
  const { clusters } = await boardOf(c.env).operatorView([]);
  const known = clusters.find(({ cluster }) => cluster === c.req.param("cluster"));
  if (known === undefined) return refuse(c, "not_found", NO_CLUSTER);
  return giveCode(c, known.cluster, visitor, { namespaces: [], prometheus: null });
}

// ── keys ────────────────────────────────────────────────────────────────────────────────────────────────────────────

const NO_KEY = "There is no such key. It may have been replaced; look at the cluster again.";

async function keysPage(
  c: AppContext,
  visitor: Visitor,
  form: KeysModel["form"],
  status: 200 | 400,
): Promise<Response> {
  const view = await boardOf(c.env).operatorView([]);
  const identity = view.clusters.find(({ cluster }) => cluster === c.req.param("cluster"));
  if (identity === undefined) return refuse(c, "not_found", NO_CLUSTER);
  const now = Date.now();
  const cluster = clusterModel(identity, tellOf(view, identity.cluster), now);
  const canRotate = tellOf(view, identity.cluster)?.agent?.knows.includes("rotate") === true;
  const model = { cluster, keys: identity.keys, mayChange: isOwner(visitor), canRotate, form };
  return adminPage(c, renderKeys(model, frameOf(view, now)), status);
}

/** Lets an agent in whose fingerprint somebody has compared: they say what the agent printed. */
async function accept(c: AppContext, { body, visitor }: RouteRequest): Promise<Response> {
  const { keyId = "", fingerprint = "" } = Object.fromEntries(formOf(body)) as Record<string, string>;
  const { clusters } = await boardOf(c.env).operatorView([]);
  const identity = clusters.find(({ cluster }) => cluster === c.req.param("cluster"));
  const key = identity?.keys.find((known) => known.keyId === keyId && known.state === "pending");
  if (identity === undefined || key === undefined) return refuse(c, "not_found", NO_KEY);
  if (!confirmsFingerprint(fingerprint, key.fingerprint)) {
    const message =
      "This is not the key that asks. If you copied it from the agent’s own log, somebody else has used the code: turn this key away, and make a new code.";
    return keysPage(c, visitor, { values: { keyId, fingerprint }, faults: [{ field: "fingerprint", message }] }, 400);
  }
  return keyAct(c, "acceptKey", identity.cluster, keyId, visitor);
}

async function rotate(c: AppContext, { body, visitor }: RouteRequest): Promise<Response> {
  const cluster = v.safeParse(ClusterName, c.req.param("cluster"));
  if (!cluster.success) return refuse(c, "not_found", NO_KEY);
  return keyAct(c, "rotateKey", cluster.output, formOf(body).get("keyId") ?? "", visitor);
}

async function revoke(c: AppContext, { body, visitor }: RouteRequest): Promise<Response> {
  const cluster = v.safeParse(ClusterName, c.req.param("cluster"));
  if (!cluster.success) return refuse(c, "not_found", NO_KEY);
  return keyAct(c, "revokeKey", cluster.output, formOf(body).get("keyId") ?? "", visitor);
}

/** As the audit calls them. */
const ACTS = { acceptKey: "key.accept", revokeKey: "key.revoke", rotateKey: "key.rotate" } as const;

async function keyAct(
  c: AppContext,
  act: keyof typeof ACTS,
  cluster: string,
  keyId: string,
  visitor: Visitor,
): Promise<Response> {
  if (!(await clusterOf(c.env, cluster)[act](keyId))) return refuse(c, "not_found", NO_KEY);
  await boardOf(c.env).note(ACTS[act], `${cluster}/${keyId}`, visitor.by ?? "unknown");
  return c.redirect(`/admin/clusters/${cluster}/keys`, 303);
}

const PATH = "/admin/clusters/:cluster";
const NOTHING = { values: {}, faults: [] };
const owner = { policy: "admin", role: "owner", stepUp: true, bodyMaxBytes: FORM_MAX } as const;

export const keyRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/admin/clusters/new",
    policy: "admin",
    role: "owner",
    handle: (c) => newPage(c, NOTHING, 200),
  },
  { method: "POST", path: "/admin/clusters", ...owner, handle: add },
  {
    method: "GET",
    path: `${PATH}/keys`,
    policy: "admin",
    role: "viewer",
    handle: (c, { visitor }) => keysPage(c, visitor, NOTHING, 200),
  },
  { method: "POST", path: `${PATH}/code`, ...owner, handle: newCode },
  { method: "POST", path: `${PATH}/accept`, ...owner, handle: accept },
  { method: "POST", path: `${PATH}/rotate`, ...owner, handle: rotate },
  { method: "POST", path: `${PATH}/revoke`, ...owner, handle: revoke },
];
