/** One request to the in-process API server: who asks, whether they may, and the answer that a real server would give. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { allowed, askedOf, targetOf, verbOf, type Rule, type Target } from "./access.ts";
import { uidOf } from "./controllers.ts";
import {
  groupVersions,
  isObject,
  mergePatch,
  shown,
  type Json,
  type JsonObject,
  type Kind,
  type KubernetesObject,
  type Objects,
  type Served,
} from "./objects.ts";
import * as refuse from "./status.ts";
import { selector, versionOf, watch, type WatchFaults } from "./watch.ts";
import { asJson, asObject, problemOf, written } from "./writes.ts";

const BODY_BYTES_MAX = 3 * 1024 * 1024;
/** Lists whose next page can still be asked for. */
const SNAPSHOTS_MAX = 50;
const REQUESTS_KEPT = 10_000;

/** The next `times` requests that match are answered so instead. `hang` never answers; `drop` cuts the connection. */
export interface Fault {
  readonly fault: "403" | "429" | "500" | "503" | "hang" | "drop";
  readonly times: number;
  readonly retryAfterSeconds?: number;
  readonly method?: string;
  /** A part of the path and query. */
  readonly path?: string;
}

/** What stands between a call and its caller: `cut` before it is carried out, or after, when nobody hears of it. */
export type Interceptor = (call: string, when: "before" | "after") => "go" | "cut";

export interface World {
  tokens: Readonly<Record<string, string>>;
  readonly rbac: readonly Rule[];
  readonly served: Served;
  readonly bookmarkMs: number;
  readonly objects: Objects;
  readonly snapshots: Map<string, { readonly version: number; readonly items: readonly KubernetesObject[] }>;
  readonly watches: WatchFaults & { readonly open: Set<() => void> };
  intercept: Interceptor;
  faults: Fault[];
  log: string[];
  /** Requests that no rule allows. */
  readonly refused: string[];
}

interface Call {
  readonly world: World;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly query: URLSearchParams;
  readonly line: string;
  readonly user: string;
}

export async function handle(world: World, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? "/", "http://127.0.0.1");
  const line = `${request.method} ${url.pathname}${url.search}`;
  world.log = [...world.log.slice(1 - REQUESTS_KEPT), line];
  const fault = takeFault(world, request);
  if (fault !== null) return applyFault(fault, response);
  if (world.intercept(line, "before") === "cut") return void response.destroy();
  const user = world.tokens[(request.headers.authorization ?? "").replace(/^Bearer /, "")];
  const call: Call = { world, request, response, query: url.searchParams, line, user: user ?? "" };
  if (user === undefined) return answer(call, refuse.unauthorized());
  if (url.pathname === "/readyz" || url.pathname === "/livez") return void response.end("ok");
  const group = /^\/apis\/([^/]+)$/.exec(url.pathname)?.[1];
  if (group !== undefined) return answerGroup(call, group);
  if (url.pathname === REVIEWS && request.method === "POST") return answerReview(call);
  const target = targetOf(url.pathname, world.served);
  if (target === null) return answer(call, refuse.unknownPath());
  return answerTarget(call, target);
}

function answerTarget(call: Call, target: Target): void | Promise<void> {
  const { world, request, response, query, user } = call;
  const { kind, namespace, name } = target;
  const verb = verbOf(request.method ?? "", target, query);
  if (verb === null) return answer(call, refuse.methodNotAllowed());
  if (!allowed(world.rbac, user, verb, askedOf(target))) {
    world.refused.push(call.line);
    return answer(call, refuse.forbidden(user, verb, target));
  }
  if (verb === "watch") return watch(world.objects, kind, namespace, query, response, world.watches, world.bookmarkMs);
  if (verb === "list") return answerList(call, target);
  if (verb === "create") return answerCreate(call, target);
  const found = world.objects.get(kind.plural, namespace, name);
  if (found === undefined) return answer(call, refuse.notFound(kind, name));
  switch (verb) {
    case "get":
      return send(call, 200, { ...shown(found), apiVersion: versionOf(kind) });
    case "patch":
      return answerPatch(call, target, found);
    case "update":
      return answerUpdate(call, target, found);
    case "delete":
      world.objects.delete(kind.plural, namespace, name);
      return send(call, 200, { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success" });
  }
}

const REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

/** Every account may ask what it may do: `system:basic-user`. */
async function answerReview(call: Call): Promise<void> {
  const body = parse((await bodyOf(call.request)) ?? "");
  const asked = asObject(asObject(asObject(body)["spec"])["resourceAttributes"]);
  const text = (key: string): string => {
    const value = asked[key];
    return typeof value === "string" ? value : "";
  };
  const subresource = text("subresource");
  const resource = subresource === "" ? text("resource") : `${text("resource")}/${subresource}`;
  const question = { group: text("group"), resource, namespace: text("namespace"), name: text("name") };
  const isAllowed = allowed(call.world.rbac, call.user, text("verb"), question);
  send(call, 201, { ...asObject(body), status: { allowed: isAllowed } });
}

function answerGroup(call: Call, name: string): void {
  const versions = groupVersions(name, call.world.served).map((version) => {
    return { groupVersion: `${name}/${version}`, version };
  });
  const [preferredVersion] = versions;
  if (preferredVersion === undefined) return answer(call, refuse.unknownPath());
  send(call, 200, { kind: "APIGroup", apiVersion: "v1", name, versions, preferredVersion });
}

function takeFault(world: World, request: IncomingMessage): Fault | null {
  const at = world.faults.findIndex(
    (fault) => (fault.method ?? request.method) === request.method && (request.url ?? "").includes(fault.path ?? ""),
  );
  const fault = world.faults[at];
  if (fault === undefined) return null;
  const rest = fault.times > 1 ? [{ ...fault, times: fault.times - 1 }] : [];
  world.faults = world.faults.toSpliced(at, 1, ...rest);
  return fault;
}

function applyFault(fault: Fault, response: ServerResponse): void {
  switch (fault.fault) {
    case "429":
      return refused(response, refuse.tooManyRequests(fault.retryAfterSeconds ?? 1));
    case "403":
      return refused(response, refuse.forbiddenByPolicy());
    case "500":
      return refused(response, refuse.internalError());
    case "503":
      return void response
        .writeHead(503, { "retry-after": String(fault.retryAfterSeconds ?? 1) })
        .end("apiserver is shutting down");
    case "drop":
      return void response.destroy();
    case "hang":
      return;
  }
}

function refused(response: ServerResponse, { code, body, headers }: refuse.Refusal): void {
  write(response, code, body, headers);
}

function answerList(call: Call, target: Target): void {
  const { world, query } = call;
  const { kind } = target;
  const limit = Number(query.get("limit") ?? 0) || Number.POSITIVE_INFINITY;
  const token = query.get("continue") ?? "";
  const resumed = token === "" ? null : /^(.+)\.(\d+)$/.exec(Buffer.from(token, "base64url").toString());
  const id = resumed?.[1] ?? `${world.objects.version}-${Math.random()}`;
  const snapshot =
    resumed === null
      ? { version: world.objects.version, items: listed(world, target, query) }
      : world.snapshots.get(id);
  if (snapshot === undefined) {
    return answer(
      call,
      refuse.expired("The provided continue parameter is too old to display a consistent list result."),
    );
  }
  const start = Number(resumed?.[2] ?? 0);
  const end = Math.min(snapshot.items.length, start + limit);
  const remaining = snapshot.items.length - end;
  if (remaining > 0) remember(world, id, snapshot);
  const more =
    remaining > 0 ? { continue: Buffer.from(`${id}.${end}`).toString("base64url"), remainingItemCount: remaining } : {};
  // Items of a list carry neither kind nor version, as on a real server.
  const items = snapshot.items.slice(start, end).map((item) => {
    const { apiVersion: _version, kind: _kind, ...rest } = shown(item);
    return rest;
  });
  send(call, 200, {
    kind: `${kind.kind}List`,
    apiVersion: versionOf(kind),
    metadata: { resourceVersion: String(snapshot.version), ...more },
    items,
  });
}

function listed(world: World, { kind, namespace }: Target, query: URLSearchParams): readonly KubernetesObject[] {
  return world.objects.list(kind.plural, namespace).filter(selector(query));
}

function remember(
  world: World,
  id: string,
  snapshot: { readonly version: number; readonly items: readonly KubernetesObject[] },
): void {
  world.snapshots.set(id, snapshot);
  const [oldest] = world.snapshots.keys();
  if (world.snapshots.size > SNAPSHOTS_MAX && oldest !== undefined) world.snapshots.delete(oldest);
}

async function answerPatch(call: Call, target: Target, found: KubernetesObject): Promise<void> {
  const { world, request, query } = call;
  const { kind, namespace, name, subresource } = target;
  if ((request.headers["content-type"] ?? "").split(";")[0] !== "application/merge-patch+json") {
    return answer(call, refuse.unsupportedMediaType());
  }
  const text = await bodyOf(request);
  if (text === null) return answer(call, refuse.tooLarge());
  const patch = parse(text);
  if (!isObject(patch))
    return answer(call, refuse.badRequest("error decoding patch: json: cannot unmarshal into Go value"));
  // Read again: the body may have taken longer than another client's write.
  const current = world.objects.get(kind.plural, namespace, name) ?? found;
  if (isStale(patch, current)) return answer(call, refuse.conflict(kind, name));
  const merged = mergePatch(asJson(current), patch);
  const problem = problemOf(kind, name, merged);
  if (problem !== null) return answer(call, problem);
  const manager = query.get("fieldManager") ?? (request.headers["user-agent"] ?? "unknown").split("/")[0] ?? "unknown";
  const next =
    subresource === "status"
      ? { ...current, status: asObject(asObject(merged)["status"]) }
      : written(current, merged, manager);
  send(call, 200, shown(world.objects.put(kind.plural, next)));
}

function isStale(body: JsonObject, current: KubernetesObject): boolean {
  const wanted = asObject(body["metadata"])["resourceVersion"];
  return wanted !== undefined && wanted !== "" && wanted !== current.metadata.resourceVersion;
}

/** Only of kinds that have no controllers here: a Lease, an Event. */
async function answerUpdate(call: Call, { kind, namespace, name }: Target, found: KubernetesObject): Promise<void> {
  const body = parse((await bodyOf(call.request)) ?? "");
  if (!isObject(body)) return answer(call, refuse.badRequest("the object provided is unrecognized"));
  const { objects } = call.world;
  const current = objects.get(kind.plural, namespace, name) ?? found;
  if (isStale(body, current)) return answer(call, refuse.conflict(kind, name));
  const problem = timesProblem(kind, body);
  if (problem !== null) return answer(call, problem);
  send(call, 200, shown(objects.put(kind.plural, { ...current, spec: asObject(body["spec"]) })));
}

async function answerCreate(call: Call, { kind, namespace }: Target): Promise<void> {
  const body = parse((await bodyOf(call.request)) ?? "");
  const name = asObject(asObject(body)["metadata"])["name"];
  if (!isObject(body) || typeof name !== "string") return answer(call, refuse.badRequest("name is required"));
  const { objects } = call.world;
  if (objects.get(kind.plural, namespace, name) !== undefined) return answer(call, refuse.alreadyExists(kind, name));
  const problem = timesProblem(kind, body);
  if (problem !== null) return answer(call, problem);
  send(call, 201, shown(objects.put(kind.plural, created(kind, namespace, name, body))));
}

function created(kind: Kind, namespace: string, name: string, body: JsonObject): KubernetesObject {
  const metadata = {
    name,
    namespace,
    uid: uidOf(`${kind.plural}/${namespace}/${name}`),
    resourceVersion: "",
    creationTimestamp: new Date().toISOString(),
    ...(kind.plural === "deployments" ? { generation: 1 } : {}),
  };
  return { apiVersion: versionOf(kind), kind: kind.kind, metadata, spec: asObject(body["spec"]), status: {} };
}

/** A MicroTime has exactly six digits of a second. */
function timesProblem(kind: Kind, body: JsonObject): refuse.Refusal | null {
  const { renewTime, acquireTime } = asObject(body["spec"]);
  const isMicro = (time: Json | undefined): boolean =>
    time === undefined || time === null || (typeof time === "string" && /T\d\d:\d\d:\d\d\.\d{6}(Z|[+-])/.test(time));
  if (kind.plural !== "leases" || (isMicro(renewTime) && isMicro(acquireTime))) return null;
  return refuse.badRequest(
    `Lease in version "v1" cannot be handled as a Lease: parsing time: cannot parse as "2006-01-02T15:04:05.000000Z07:00"`,
  );
}

function parse(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

async function bodyOf(request: IncomingMessage): Promise<string | null> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += (chunk as Uint8Array).length;
    if (bytes > BODY_BYTES_MAX) return null;
    chunks.push(chunk as Uint8Array);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function answer(call: Call, refusal: refuse.Refusal): void {
  send(call, refusal.code, refusal.body, refusal.headers);
}

/** The only way out, so that a caller's death after the deed can be played. */
function send(
  { world, response, line }: Call,
  code: number,
  body: object,
  headers: Readonly<Record<string, string>> = {},
): void {
  if (world.intercept(line, "after") === "cut") return void response.destroy();
  write(response, code, body, headers);
}

export function write(
  response: ServerResponse,
  code: number,
  body: object,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(code, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
}
