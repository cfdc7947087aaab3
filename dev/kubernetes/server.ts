/**
 * A Kubernetes API server in this process: as much of one as the agent relies on, told apart from a real one by
 * nothing that `test/agent/kubernetes-contract.test.ts` can see. It binds 127.0.0.1 only.
 */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Controllers, replicasOf, replicasOwnedBy, uidOf, type PodState } from "./controllers.ts";
import {
  isObject,
  KINDS,
  mergePatch,
  Objects,
  type Json,
  type JsonObject,
  type Kind,
  type KubernetesObject,
} from "./objects.ts";
import * as refuse from "./status.ts";
import { watch, type WatchFaults } from "./watch.ts";

const BODY_BYTES_MAX = 3 * 1024 * 1024;
/** Lists whose next page can still be asked for. */
const SNAPSHOTS_MAX = 50;
const STATE_SAVE_MS = 50;
const DOMAIN_ANNOTATIONS_MAX = 256 * 1024;

/** What a user may do. `*` stands for all; without `names` every name, and only then list, watch and create. */
export interface Rule {
  readonly user: string;
  readonly verbs: readonly string[];
  readonly groups: readonly string[];
  readonly resources: readonly string[];
  readonly namespaces: readonly string[];
  readonly names?: readonly string[];
}

interface DeploymentSeed {
  readonly namespace: string;
  readonly name: string;
  readonly replicas: number;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** The next `times` requests that match are answered so instead. `hang` never answers; `drop` cuts the connection. */
interface Fault {
  readonly fault: "429" | "500" | "503" | "hang" | "drop";
  readonly times: number;
  readonly retryAfterSeconds?: number;
  readonly method?: string;
  /** A part of the path and query. */
  readonly path?: string;
}

export interface KubernetesServerOptions {
  readonly port?: number;
  /** Bearer token → user. */
  readonly tokens: Readonly<Record<string, string>>;
  readonly rbac: readonly Rule[];
  readonly deployments: readonly DeploymentSeed[];
  /** Keeps replicas and annotations over a restart of this process. */
  readonly stateFile?: string;
  readonly controllerDelayMs?: number;
  readonly podReadyMs?: number;
  readonly reverterDelayMs?: number;
  readonly bookmarkMs?: number;
  /** false: HPAs are not served at all, as on a server without the group. */
  readonly autoscaling?: boolean;
}

export interface KubernetesServer {
  readonly url: string;
  readonly port: number;
  stop(): Promise<void>;
  /** As the API shows it now. */
  deployment(namespace: string, name: string): KubernetesObject;
  pods(namespace: string): readonly KubernetesObject[];
  /** Another client scales the deployment, by `/scale` as kubectl does. */
  scale(namespace: string, name: string, replicas: number, manager?: string): void;
  /** Another client writes annotations; null removes one. */
  annotate(namespace: string, name: string, annotations: Readonly<Record<string, string | null>>): void;
  remove(namespace: string, name: string): void;
  /** Puts one pod of the deployment into a state; answers its name. */
  setPodState(namespace: string, deployment: string, state: PodState): string;
  /** An HPA with a minimum. Not visible in lists if `hidden`, as to an account that may not see HPAs. */
  addAutoscaler(namespace: string, name: string, min: number, hidden?: boolean): void;
  /** A GitOps owner that puts replicas back. */
  addOwner(namespace: string, name: string, replicas: number, manager: string): void;
  removeReverters(namespace: string, name: string): void;
  fail(fault: Fault): void;
  heal(): void;
  /** Everything before now can no longer be watched or continued. */
  compact(): void;
  readonly watches: WatchFaults;
  /** Cuts every connection. */
  cut(): void;
  /** Off: the controllers stand still, so nothing is observed. */
  setControllers(running: boolean): void;
  /** Every request so far, as `METHOD path?query`; the newest 10,000. */
  requests(): readonly string[];
}

interface World {
  readonly options: KubernetesServerOptions;
  readonly objects: Objects;
  readonly snapshots: Map<string, { readonly version: number; readonly items: readonly KubernetesObject[] }>;
  readonly watches: WatchFaults & { readonly open: Set<() => void>; resetNextLine: boolean };
  faults: Fault[];
  log: string[];
}

export async function startKubernetesServer(options: KubernetesServerOptions): Promise<KubernetesServer> {
  const state = readState(options.stateFile);
  const objects = new Objects(state.version);
  const controllers = new Controllers(objects, {
    controllerDelayMs: options.controllerDelayMs ?? 50,
    podReadyMs: options.podReadyMs ?? 100,
    reverterDelayMs: options.reverterDelayMs ?? 100,
  });
  for (const seed of options.deployments)
    objects.put("deployments", deploymentOf(seed, state.deployments[`${seed.namespace}/${seed.name}`]));
  controllers.wakeAll([...new Set(options.deployments.map((seed) => seed.namespace))]);
  const world: World = { options, objects, snapshots: new Map(), watches: watchFaults(), faults: [], log: [] };
  const saver = stateSaver(options.stateFile, objects, options.deployments);
  const server = createServer((request, response) => {
    handle(world, request, response).catch((error: unknown) => {
      // A fault of this server's own must not look like one of the API's.
      console.error("kubernetes server:", error);
      if (!response.headersSent) answer(response, refuse.internalError());
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    stop: async () => {
      controllers.stop();
      saver.stop();
      for (const close of world.watches.open) close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
    ...handles(world, controllers),
    cut: () => server.closeAllConnections(),
  };
}

type Handles = Omit<KubernetesServer, "url" | "port" | "stop" | "cut">;

function handles(world: World, controllers: Controllers): Handles {
  const { objects } = world;
  const deployment = (namespace: string, name: string): KubernetesObject => {
    const found = objects.get("deployments", namespace, name);
    if (found === undefined) throw new Error(`no deployment ${namespace}/${name}`);
    return found;
  };
  return {
    deployment,
    pods: (namespace) => objects.list("pods", namespace),
    scale: (namespace, name, replicas, manager = "kubectl") =>
      controllers.scale(namespace, name, replicas, manager, "scale"),
    annotate: (namespace, name, annotations) => {
      const former = deployment(namespace, name);
      objects.put(
        "deployments",
        written(former, mergePatch(asJson(former), { metadata: { annotations } }), "kubectl-annotate"),
      );
    },
    remove: (namespace, name) => objects.delete("deployments", namespace, name),
    setPodState: (namespace, name, state) => controllers.setPodState(namespace, name, state),
    addAutoscaler: (namespace, name, min, hidden = false) => {
      if (!hidden) objects.put("horizontalpodautoscalers", autoscalerOf(namespace, name, min));
      controllers.addAutoscaler(namespace, name, min);
    },
    addOwner: (namespace, name, replicas, manager) => controllers.addOwner(namespace, name, replicas, manager),
    removeReverters: (namespace, name) => {
      objects.delete("horizontalpodautoscalers", namespace, name);
      controllers.removeReverters(namespace, name);
    },
    fail: (fault) => void world.faults.push(fault),
    heal: () => void (world.faults = []),
    compact: () => {
      objects.compact();
      world.snapshots.clear();
    },
    watches: world.watches,
    setControllers: (running) => {
      controllers.running = running;
      if (running) controllers.wakeAll(world.options.deployments.map((seed) => seed.namespace));
    },
    requests: () => world.log,
  };
}

interface Target {
  readonly kind: Kind;
  readonly namespace: string;
  readonly name: string;
  readonly subresource: string;
}

async function handle(world: World, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? "/", "http://127.0.0.1");
  world.log = [...world.log.slice(-9_999), `${request.method} ${url.pathname}${url.search}`];
  const fault = takeFault(world, request);
  if (fault !== null) return applyFault(fault, response);
  const user = world.options.tokens[(request.headers.authorization ?? "").replace(/^Bearer /, "")];
  if (user === undefined) return answer(response, refuse.unauthorized());
  if (url.pathname === "/readyz" || url.pathname === "/livez") return void response.end("ok");
  const target = targetOf(url.pathname, world.options.autoscaling !== false);
  if (target === null) return answer(response, refuse.unknownPath());
  const verb = verbOf(request.method ?? "", target, url.searchParams);
  if (verb === null) return answer(response, refuse.methodNotAllowed());
  const { kind, namespace, name, subresource } = target;
  if (!allowed(world.options.rbac, user, verb, target)) {
    return answer(response, refuse.forbidden(user, verb, kind, subresource, namespace, name));
  }
  if (verb === "watch")
    return watch(
      world.objects,
      kind,
      namespace,
      url.searchParams,
      response,
      world.watches,
      world.options.bookmarkMs ?? 60_000,
    );
  if (verb === "list") return answerList(world, target, url.searchParams, response);
  const found = world.objects.get(kind.plural, namespace, name);
  if (found === undefined) return answer(response, refuse.notFound(kind, name));
  if (verb === "get") return send(response, 200, found);
  return answerPatch(world, target, found, request, response, url.searchParams);
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
      return answer(response, refuse.tooManyRequests(fault.retryAfterSeconds ?? 1));
    case "500":
      return answer(response, refuse.internalError());
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

/** `/api/v1/…` and `/apis/GROUP/VERSION/…`, of the whole cluster or of one namespace. */
function targetOf(path: string, autoscaling: boolean): Target | null {
  const match =
    /^\/(?:api\/v1|apis\/([^/]+)\/([^/]+))(?:\/namespaces\/([^/]+))?\/([a-z]+)(?:\/([^/]+))?(?:\/([a-z]+))?$/.exec(
      path,
    );
  if (match === null) return null;
  const [, group = "", version = "v1", namespace = "", plural, name = "", subresource = ""] = match;
  const kind = KINDS.find((one) => one.group === group && one.version === version && one.plural === plural);
  if (kind === undefined || (kind.group === "autoscaling" && !autoscaling)) return null;
  if (subresource !== "" && subresource !== "status") return null;
  return { kind, namespace, name: decodeURIComponent(name), subresource };
}

function verbOf(method: string, target: Target, query: URLSearchParams): "get" | "list" | "watch" | "patch" | null {
  if (method === "GET" && target.name === "")
    return query.get("watch") === "true" || query.get("watch") === "1" ? "watch" : "list";
  if (method === "GET") return "get";
  return method === "PATCH" && target.name !== "" ? "patch" : null;
}

/** Names cannot limit list and watch: a rule with names does not grant them. */
function allowed(
  rules: readonly Rule[],
  user: string,
  verb: string,
  { kind, namespace, name, subresource }: Target,
): boolean {
  const resource = subresource === "" ? kind.plural : `${kind.plural}/${subresource}`;
  const covers = (list: readonly string[], value: string): boolean => list.includes("*") || list.includes(value);
  return rules.some(
    (rule) =>
      rule.user === user &&
      covers(rule.verbs, verb) &&
      covers(rule.groups, kind.group) &&
      covers(rule.resources, resource) &&
      covers(rule.namespaces, namespace) &&
      (rule.names === undefined || (name !== "" && rule.names.includes(name))),
  );
}

function answerList(world: World, target: Target, query: URLSearchParams, response: ServerResponse): void {
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
      response,
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
  const items = snapshot.items.slice(start, end).map(({ apiVersion: _version, kind: _kind, ...item }) => item);
  send(response, 200, {
    kind: `${kind.kind}List`,
    apiVersion: kind.group === "" ? kind.version : `${kind.group}/${kind.version}`,
    metadata: { resourceVersion: String(snapshot.version), ...more },
    items,
  });
}

function listed(world: World, { kind, namespace }: Target, query: URLSearchParams): readonly KubernetesObject[] {
  const named = /^metadata\.name=(.+)$/.exec(query.get("fieldSelector") ?? "")?.[1];
  const label = /^([^=,]+)=([^=,]+)$/.exec(query.get("labelSelector") ?? "");
  return world.objects
    .list(kind.plural, namespace)
    .filter(
      ({ metadata }) =>
        (named === undefined || metadata.name === named) &&
        (label === null || metadata.labels?.[label[1] ?? ""] === label[2]),
    );
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

async function answerPatch(
  world: World,
  target: Target,
  found: KubernetesObject,
  request: IncomingMessage,
  response: ServerResponse,
  query: URLSearchParams,
): Promise<void> {
  const { kind, namespace, name, subresource } = target;
  if ((request.headers["content-type"] ?? "").split(";")[0] !== "application/merge-patch+json") {
    return answer(response, refuse.unsupportedMediaType());
  }
  const text = await bodyOf(request);
  if (text === null) return answer(response, refuse.tooLarge());
  const patch = parse(text);
  if (!isObject(patch))
    return answer(response, refuse.badRequest("error decoding patch: json: cannot unmarshal into Go value"));
  // Read again: the body may have taken longer than another client's write.
  const current = world.objects.get(kind.plural, namespace, name) ?? found;
  const wanted = isObject(patch["metadata"]) ? patch["metadata"]["resourceVersion"] : undefined;
  if (wanted !== undefined && wanted !== current.metadata.resourceVersion)
    return answer(response, refuse.conflict(kind, name));
  const merged = mergePatch(asJson(current), patch);
  const problem = problemOf(kind, name, merged);
  if (problem !== null) return answer(response, problem);
  const manager = query.get("fieldManager") ?? (request.headers["user-agent"] ?? "unknown").split("/")[0] ?? "unknown";
  const next =
    subresource === "status"
      ? { ...current, status: asObject(asObject(merged)["status"]) }
      : written(current, merged, manager);
  send(response, 200, world.objects.put(kind.plural, next));
}

function problemOf(kind: Kind, name: string, merged: Json): refuse.Refusal | null {
  const object = asObject(merged);
  const { replicas } = asObject(object["spec"]);
  if (kind.plural === "deployments" && replicas !== undefined) {
    if (typeof replicas !== "number" || !Number.isInteger(replicas)) {
      return refuse.badRequest(
        `Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal into Go struct field DeploymentSpec.spec.replicas of type int32`,
      );
    }
    if (replicas < 0)
      return refuse.invalid(kind, name, "spec.replicas", String(replicas), "must be greater than or equal to 0");
  }
  const annotations = asObject(asObject(object["metadata"])["annotations"]);
  if (Object.values(annotations).some((value) => typeof value !== "string")) {
    return refuse.badRequest(
      `Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal into Go struct field ObjectMeta.metadata.annotations of type string`,
    );
  }
  const wrong = Object.keys(annotations).find(
    (key) => !/^([a-z0-9.-]{1,253}\/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/.test(key),
  );
  if (wrong !== undefined)
    return refuse.invalid(
      kind,
      name,
      "metadata.annotations",
      JSON.stringify(wrong),
      "name part must consist of alphanumeric characters",
    );
  const bytes = Buffer.byteLength(JSON.stringify(annotations));
  return bytes > DOMAIN_ANNOTATIONS_MAX
    ? refuse.invalid(kind, name, "metadata.annotations", "", "Too long: must have at most 262144 bytes")
    : null;
}

/**
 * The object as a client's write leaves it: what the server owns is kept, `generation` rises with the spec and, for
 * deployments, with the metadata's annotations (measured on 1.20).
 */
function written(current: KubernetesObject, merged: Json, manager: string): KubernetesObject {
  const object = asObject(merged);
  const metadata = asObject(object["metadata"]);
  const spec = asObject(object["spec"]);
  const annotations = asObject(metadata["annotations"]) as Record<string, string>;
  const differs = (a: unknown, b: unknown): boolean => JSON.stringify(sorted(a)) !== JSON.stringify(sorted(b));
  const isMoved = differs(spec, current.spec) || differs(annotations, current.metadata.annotations ?? {});
  const scaled = spec["replicas"] !== current.spec["replicas"];
  const { annotations: _former, ...kept } = current.metadata;
  return {
    ...current,
    metadata: {
      ...kept,
      ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
      generation: (kept.generation ?? 1) + (isMoved ? 1 : 0),
      ...(scaled ? { managedFields: replicasOwnedBy(kept.managedFields, manager, "") } : {}),
    },
    spec,
  };
}

function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => [key, sorted(item)]),
  );
}

function asJson(object: KubernetesObject): Json {
  return structuredClone(object) as unknown as Json;
}

function asObject(value: Json | undefined): JsonObject {
  return isObject(value) ? value : {};
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

function answer(response: ServerResponse, refusal: refuse.Refusal): void {
  send(response, refusal.code, refusal.body, refusal.headers);
}

function send(
  response: ServerResponse,
  code: number,
  body: object,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(code, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
}

function watchFaults(): World["watches"] {
  const open = new Set<() => void>();
  return { open, stalled: false, resetNextLine: false };
}

interface SavedDeployment {
  readonly replicas: number;
  readonly generation: number;
  readonly annotations: { [key: string]: string };
}

interface SavedState {
  readonly version: number;
  readonly deployments: { readonly [key: string]: SavedDeployment };
}

/** Versions of a restarted server must not be ones that a client has already seen. */
const VERSION_SKIP = 1_000;

function readState(file: string | undefined): SavedState {
  if (file === undefined) return { version: 1_000, deployments: {} };
  try {
    const saved = JSON.parse(readFileSync(file, "utf8")) as SavedState;
    return { version: saved.version + VERSION_SKIP, deployments: saved.deployments };
  } catch {
    // The first start, or a file cut off by a crash of a demo: both begin with what was seeded.
    return { version: 1_000, deployments: {} };
  }
}

function stateSaver(file: string | undefined, objects: Objects, seeds: readonly DeploymentSeed[]): { stop(): void } {
  if (file === undefined) return { stop: () => {} };
  const save = (): void => {
    const deployments: { [key: string]: SavedDeployment } = {};
    for (const { namespace, name } of seeds) {
      const object = objects.get("deployments", namespace, name);
      if (object === undefined) continue;
      const { generation = 1, annotations = {} } = object.metadata;
      deployments[`${namespace}/${name}`] = { replicas: replicasOf(object), generation, annotations };
    }
    writeFileSync(`${file}.new`, JSON.stringify({ version: objects.version, deployments } satisfies SavedState));
    renameSync(`${file}.new`, file);
  };
  let timer: NodeJS.Timeout | null = null;
  const unsubscribe = objects.onChange(({ plural }) => {
    if (plural !== "deployments" || timer !== null) return;
    timer = setTimeout(() => {
      timer = null;
      save();
    }, STATE_SAVE_MS);
  });
  return {
    stop: () => {
      unsubscribe();
      if (timer !== null) clearTimeout(timer);
      save();
    },
  };
}

function deploymentOf(seed: DeploymentSeed, saved: SavedDeployment | undefined): KubernetesObject {
  const { namespace, name } = seed;
  const annotations = saved?.annotations ?? { ...seed.annotations };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: {
      name,
      namespace,
      uid: uidOf(`deployment/${namespace}/${name}`),
      resourceVersion: "",
      generation: saved?.generation ?? 1,
      creationTimestamp: new Date().toISOString(),
      labels: { app: name },
      ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
      managedFields: replicasOwnedBy([], "kubectl-client-side-apply", ""),
    },
    spec: {
      replicas: saved?.replicas ?? seed.replicas,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { containers: [{ name, image: `example.invalid/${name}:1` }] },
      },
    },
    status: {},
  };
}

function autoscalerOf(namespace: string, name: string, min: number): KubernetesObject {
  return {
    apiVersion: "autoscaling/v2",
    kind: "HorizontalPodAutoscaler",
    metadata: {
      name,
      namespace,
      uid: uidOf(`hpa/${namespace}/${name}`),
      resourceVersion: "",
      creationTimestamp: new Date().toISOString(),
    },
    spec: { scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name }, minReplicas: min, maxReplicas: 10 },
    status: {},
  };
}
