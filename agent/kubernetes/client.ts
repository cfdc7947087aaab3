/**
 * A thin client of the Kubernetes API: what the agent needs and nothing else (`reference/kubernetes.md` 1 says why not
 * the official one). Every refusal has a type.
 */
import * as v from "valibot";
import { failure, success, type Result } from "../../protocol/result.ts";
import { parseJson } from "../http.ts";
import { inTurn } from "../turn.ts";
import type { KubernetesConfig } from "./config.ts";
import {
  AUTOSCALERS,
  collectionPath,
  DEPLOYMENTS,
  LeaderLeaseSchema,
  type Autoscaler,
  type Deployment,
  type LeaderLease,
  type Resource,
} from "./objects.ts";
import { isStatus, malformed, type Answered, type KubernetesRefusal } from "./refusal.ts";
import { createTransport, FIELD_MANAGER, type Body, type Transport } from "./transport.ts";
import { watch, type WatchEnd, type WatchOptions } from "./watch.ts";

/** client-go's page size. */
const PAGE_LIMIT = 500;
/** A list that needs more pages than this is not a namespace the agent can watch. */
const PAGES_MAX = 200;

/** A page may hold so many times what the first did. */
const PAGE_GROWTH_MAX = 10;

export interface Listed<T> {
  readonly items: readonly T[];
  /** `metadata.name` and `metadata.resourceVersion` of each, in the same order. */
  readonly versions: readonly (readonly [name: string, resourceVersion: string])[];
  readonly resourceVersion: string;
}

/** One question to the server's own authorizer: may this account do so? `name` empty: whatever the name. */
export interface Access {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
}

export interface KubernetesClient {
  readonly namespaces: readonly string[];
  list<T>(resource: Resource<T>, namespace: string): Answered<Listed<T>>;
  watch<T>(resource: Resource<T>, namespace: string, options: WatchOptions<T>): Promise<WatchEnd>;
  deployment(namespace: string, name: string): Answered<Deployment>;
  /** One merge-patch (RFC 7386). With `metadata.resourceVersion` in it, a stale one is answered 409 Conflict. */
  patchDeployment(namespace: string, name: string, patch: object): Answered<Deployment>;
  /** The HorizontalPodAutoscalers of a namespace; none where the group is not installed. */
  autoscalers(namespace: string): Answered<readonly Autoscaler[]>;
  /** The newest of `versions` that the server serves of a group; null where the group is not installed. */
  groupVersion(group: string, versions: readonly string[]): Answered<string | null>;
  /** A coordination.k8s.io Lease. */
  lease(namespace: string, name: string): Answered<LeaderLease>;
  /** Writes it whole; a stale `resourceVersion` is answered 409 Conflict. */
  putLease(namespace: string, name: string, lease: LeaderLease): Answered<LeaderLease>;
  mayI(access: Access): Answered<boolean>;
  close(): void;
}

/**
 * A client for one API server. Reads no file before the first call, so that a wrong path is a refusal, not a crash.
 *
 * @param oneByOne lists of all namespaces begin together, at the start and when the API server was away, and each holds
 *   a page whole
 */
export function createKubernetesClient(config: KubernetesConfig, oneByOne = inTurn()): KubernetesClient {
  const transport = createTransport(config);
  const deployment = (namespace: string, name: string): string => objectPath(DEPLOYMENTS, namespace, name);
  const groupVersion: KubernetesClient["groupVersion"] = (group, versions) => discover(transport, group, versions);
  return {
    namespaces: config.namespaces,
    list: (resource, namespace) => oneByOne(() => listAll(transport, resource, namespace)),
    watch: (resource, namespace, options) => watch(transport, resource, namespace, options),
    deployment: (namespace, name) => one(transport, DEPLOYMENTS.schema, "GET", deployment(namespace, name)),
    patchDeployment: (namespace, name, patch) =>
      one(transport, DEPLOYMENTS.schema, "PATCH", `${deployment(namespace, name)}?fieldManager=${FIELD_MANAGER}`, {
        type: "application/merge-patch+json",
        value: patch,
      }),
    autoscalers: (namespace) => listAutoscalers(transport, namespace),
    groupVersion,
    lease: (namespace, name) => one(transport, LeaderLeaseSchema, "GET", leasePath(namespace, name)),
    putLease: (namespace, name, lease) => {
      const value = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", ...lease };
      return one(transport, LeaderLeaseSchema, "PUT", leasePath(namespace, name), { type: "application/json", value });
    },
    mayI: (access) => mayI(transport, access),
    close: () => transport.close(),
  };
}

function objectPath(resource: Resource<unknown>, namespace: string, name: string): string {
  return `${collectionPath(resource, namespace)}/${encodeURIComponent(name)}`;
}

function leasePath(namespace: string, name: string): string {
  const resource = { group: "apis/coordination.k8s.io/v1", plural: "leases", schema: LeaderLeaseSchema };
  return objectPath(resource, namespace, name);
}

async function one<T>(
  transport: Transport,
  schema: v.GenericSchema<unknown, T>,
  method: "GET" | "PATCH" | "PUT" | "POST",
  path: string,
  body?: Body,
): Answered<T> {
  const answer = await transport.call(method, path, body);
  return answer.ok ? parsed(schema, parseJson(answer.value.body), "an object") : answer;
}

function parsed<T>(schema: v.GenericSchema<unknown, T>, value: unknown, what: string): Result<T, KubernetesRefusal> {
  const object = v.safeParse(schema, value);
  if (object.success) return success(object.output);
  return failure(malformed(`${what} of an unknown shape: ${object.issues[0].message}`));
}

/**
 * Every object of a namespace, in pages. A `continue` token that was compacted meanwhile (410) starts the list again,
 * once: a list of two versions would be a state that never was.
 */
async function listAll<T>(transport: Transport, resource: Resource<T>, namespace: string): Answered<Listed<T>> {
  const first = await listPages(transport, resource, namespace);
  return first.ok || !isStatus(first.failure, 410) ? first : listPages(transport, resource, namespace);
}

const Text = v.optional(v.string(), "");
const PageSchema = v.object({
  metadata: v.object({ resourceVersion: Text, continue: Text }),
  items: v.optional(v.nullable(v.array(v.unknown())), []),
});
const VersionSchema = v.object({ metadata: v.object({ name: v.string(), resourceVersion: Text }) });

/** What is kept of an object is made page by page, so that no more than one page is held whole. */
async function listPages<T>(transport: Transport, resource: Resource<T>, namespace: string): Answered<Listed<T>> {
  const items: T[] = [];
  const versions: (readonly [string, string])[] = [];
  let limit = resource.pageLimit ?? PAGE_LIMIT;
  let bytes = 0;
  let token = "";
  for (let pages = 0; pages < PAGES_MAX; pages++) {
    const query = new URLSearchParams({
      limit: String(limit),
      ...resource.select,
      ...(token === "" ? {} : { continue: token }),
    });
    const answer = await transport.call("GET", `${collectionPath(resource, namespace)}?${query.toString()}`);
    if (!answer.ok) return answer;
    const page = parsed(PageSchema, parseJson(answer.value.body), `a list of ${resource.plural}`);
    if (!page.ok) return page;
    for (const item of page.value.items ?? []) {
      const object = parsed(resource.schema, item, `one of ${resource.plural}`);
      const version = parsed(VersionSchema, item, `one of ${resource.plural}`);
      if (!object.ok) return object;
      if (!version.ok) return version;
      items.push(object.value);
      versions.push([version.value.metadata.name, version.value.metadata.resourceVersion]);
    }
    bytes += answer.value.body.length;
    limit = nextLimit(resource, bytes / Math.max(1, items.length), limit);
    const { metadata } = page.value;
    token = metadata.continue;
    if (token === "") return success({ items, versions, resourceVersion: metadata.resourceVersion });
  }
  const message = `${resource.plural} of ${namespace} need more than ${PAGES_MAX} pages`;
  return failure({ kind: "too_large", message });
}

/** As many objects as fit into a page by what those before have weighed. */
function nextLimit(
  { pageBytes, pageLimit = PAGE_LIMIT }: Resource<unknown>,
  objectBytes: number,
  last: number,
): number {
  if (pageBytes === undefined) return last;
  return Math.max(1, Math.min(pageLimit * PAGE_GROWTH_MAX, Math.floor(pageBytes / objectBytes)));
}

const GroupSchema = v.object({ versions: v.array(v.object({ version: v.string() })) });

/** Versions are asked for, not assumed; 404 means that the group is not installed, which is not "none". */
async function discover(transport: Transport, group: string, versions: readonly string[]): Answered<string | null> {
  const answer = await one(transport, GroupSchema, "GET", `/apis/${encodeURIComponent(group)}`);
  if (!answer.ok) return isStatus(answer.failure, 404) ? success(null) : answer;
  const served = answer.value.versions.map(({ version }) => version);
  return success(versions.find((version) => served.includes(version)) ?? null);
}

async function listAutoscalers(transport: Transport, namespace: string): Answered<readonly Autoscaler[]> {
  const version = await discover(transport, AUTOSCALERS.group, AUTOSCALERS.versions);
  if (!version.ok) return version;
  if (version.value === null) return success([]);
  const listed = await listAll(transport, AUTOSCALERS.of(version.value), namespace);
  return listed.ok ? success(listed.value.items) : listed;
}

const ReviewSchema = v.object({ status: v.object({ allowed: v.boolean() }) });

async function mayI(transport: Transport, { verb, group, resource, namespace, name }: Access): Answered<boolean> {
  const resourceAttributes = { verb, group, resource, namespace, ...(name === "" ? {} : { name }) };
  const kind = { apiVersion: "authorization.k8s.io/v1", kind: "SelfSubjectAccessReview" };
  const answer = await one(transport, ReviewSchema, "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {
    type: "application/json",
    value: { ...kind, spec: { resourceAttributes } },
  });
  return answer.ok ? success(answer.value.status.allowed) : answer;
}
