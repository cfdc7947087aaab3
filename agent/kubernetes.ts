/**
 * A thin client of the Kubernetes API: what the agent needs and nothing else (`reference/kubernetes.md` 1 says why not
 * the official one). Every call has a deadline, every body a bound, every refusal a type.
 */
import { readFileSync } from "node:fs";
import * as http from "node:http";
import * as https from "node:https";
import * as v from "valibot";
import { failure, success, type Result } from "../protocol/result.ts";

const ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";
/** A service account's token rotates about hourly; its file is read again after this, ms. */
const TOKEN_READ_MS = 60_000;
/** Deadline of a call, its body included, ms. */
const CALL_TIMEOUT_MS = 10_000;
/** A page of 500 large deployments is about 5 MB. */
const BODY_BYTES_MAX = 16 * 1024 * 1024;
/** One object of a watch; the API server's own limit on an object is 1.5 MB. */
const LINE_BYTES_MAX = 4 * 1024 * 1024;
/** client-go's page size. */
const PAGE_LIMIT = 500;
/** A list that needs more pages than this is not a namespace the agent can watch. */
const PAGES_MAX = 200;
/** A `Retry-After` above this is not believed, ms. */
const RETRY_AFTER_MAX_MS = 60_000;
/** The name under which the API server records what the agent changed. */
export const FIELD_MANAGER = "observatory-agent";

const Namespaces = v.pipe(
  v.array(v.pipe(v.string(), v.regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, "must be the name of a namespace"))),
  v.minLength(1),
  v.maxLength(50),
);
const Url = v.pipe(
  v.string(),
  v.url(),
  v.check((text) => !URL.canParse(text) || safeUrl(new URL(text)), "must be https, or http on 127.0.0.1"),
);

/** `sources.kubernetes` of agent.yaml. */
export const KubernetesConfigSchema = v.union([
  v.strictObject({ inCluster: v.literal(true), namespaces: Namespaces }),
  v.strictObject({ url: Url, tokenFile: v.string(), caFile: v.optional(v.string()), namespaces: Namespaces }),
]);
export type KubernetesConfig = Readonly<v.InferOutput<typeof KubernetesConfigSchema>>;

function safeUrl(url: URL): boolean {
  return url.protocol === "https:" || (url.protocol === "http:" && url.hostname === "127.0.0.1");
}

/**
 * Why a call brought nothing. `status` is the API server's own word (`Status` body: `reason` such as Conflict,
 * Forbidden, NotFound, Expired); `retryAfterMs` is its wish, null if it has none.
 */
export type KubernetesRefusal =
  | { readonly kind: "unreachable" | "timeout" | "malformed" | "too_large"; readonly message: string }
  | {
      readonly kind: "status";
      readonly code: number;
      readonly reason: string;
      readonly message: string;
      readonly retryAfterMs: number | null;
    };
export type Answered<T> = Promise<Result<T, KubernetesRefusal>>;

const Count = v.optional(v.pipe(v.number(), v.integer(), v.minValue(0)), 0);
const Text = v.optional(v.string(), "");
const MetaSchema = v.object({
  name: v.string(),
  namespace: Text,
  uid: Text,
  resourceVersion: v.string(),
  generation: Count,
  annotations: v.optional(v.record(v.string(), v.string()), {}),
  deletionTimestamp: v.optional(v.nullable(v.string()), null),
});
const ManagedSchema = v.object({
  manager: Text,
  operation: Text,
  subresource: Text,
  fieldsV1: v.optional(v.unknown()),
});

/** Only these fields are kept of an object: a watch of large ones stays small. */
const DeploymentSchema = v.object({
  metadata: v.object({ ...MetaSchema.entries, managedFields: v.optional(v.array(ManagedSchema), []) }),
  spec: v.object({ replicas: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0)), 1) }),
  status: v.optional(v.object({ observedGeneration: Count, replicas: Count, readyReplicas: Count }), {}),
});
export type Deployment = Readonly<v.InferOutput<typeof DeploymentSchema>>;

const TerminatedSchema = v.object({
  reason: Text,
  exitCode: v.optional(v.number(), 0),
  finishedAt: v.optional(v.nullable(v.string()), null),
  containerID: Text,
});
const StateSchema = v.optional(
  v.object({
    waiting: v.optional(v.object({ reason: Text, message: Text })),
    terminated: v.optional(TerminatedSchema),
  }),
  {},
);
const ContainerStatusSchema = v.object({
  name: v.string(),
  containerID: Text,
  restartCount: Count,
  state: StateSchema,
  lastState: StateSchema,
});
export type ContainerStatus = Readonly<v.InferOutput<typeof ContainerStatusSchema>>;

const PodSchema = v.object({
  metadata: v.object({
    ...MetaSchema.entries,
    labels: v.optional(v.record(v.string(), v.string()), {}),
    ownerReferences: v.optional(v.array(v.object({ kind: v.string(), name: v.string() })), []),
  }),
  status: v.optional(
    v.object({
      containerStatuses: v.optional(v.array(ContainerStatusSchema), []),
      initContainerStatuses: v.optional(v.array(ContainerStatusSchema), []),
    }),
    {},
  ),
});
export type Pod = Readonly<v.InferOutput<typeof PodSchema>>;

const AutoscalerSchema = v.object({
  metadata: v.object({ name: v.string() }),
  spec: v.object({ scaleTargetRef: v.object({ kind: v.string(), name: v.string() }) }),
});
export type Autoscaler = Readonly<v.InferOutput<typeof AutoscalerSchema>>;

/** A kind of object: where it is served, and what of it is kept. */
export interface Resource<T> {
  readonly group: string;
  readonly plural: string;
  readonly schema: v.GenericSchema<unknown, T>;
}
export const DEPLOYMENTS: Resource<Deployment> = {
  group: "apis/apps/v1",
  plural: "deployments",
  schema: DeploymentSchema,
};
export const PODS: Resource<Pod> = { group: "api/v1", plural: "pods", schema: PodSchema };
const AUTOSCALER_GROUPS = ["apis/autoscaling/v2", "apis/autoscaling/v2beta2"] as const;

interface Listed<T> {
  readonly items: readonly T[];
  readonly resourceVersion: string;
}

export type WatchType = "ADDED" | "MODIFIED" | "DELETED";

/**
 * How a watch ended. `closed`: by the server, as every watch is after a while; `expired`: its version was compacted
 * (410); `unusable`: a line that says nothing known; `silent`: not a byte for too long; `refused`: it never began.
 */
type WatchEnd =
  | { readonly end: "closed" | "expired" | "unusable" | "silent" | "stopped"; readonly resourceVersion: string }
  | { readonly end: "refused"; readonly resourceVersion: string; readonly refusal: KubernetesRefusal };

interface WatchOptions<T> {
  readonly resourceVersion: string;
  /** The server ends the watch after this, s. */
  readonly timeoutSeconds: number;
  /** Without a byte for this long the connection is taken for dead, ms. */
  readonly silenceMs: number;
  readonly onChange: (type: WatchType, object: T) => void;
  /** Called when the server has answered, and at every byte after. */
  readonly onSign: () => void;
  readonly signal: AbortSignal;
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
  close(): void;
}

const StatusSchema = v.object({ kind: v.literal("Status"), code: v.number(), reason: Text, message: Text });
const PageSchema = v.object({
  metadata: v.object({ resourceVersion: Text, continue: Text }),
  items: v.optional(v.nullable(v.array(v.unknown())), []),
});

interface Answer {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly body: string;
}

/** A client for one API server. Reads no file before the first call, so that a wrong path is a refusal, not a crash. */
export function createKubernetesClient(config: KubernetesConfig): KubernetesClient {
  const transport = createTransport(config);
  return {
    namespaces: config.namespaces,
    list: (resource, namespace) => listAll(transport, resource, namespace),
    watch: (resource, namespace, options) => watch(transport, resource, namespace, options),
    deployment: (namespace, name) => one(transport, "GET", objectPath(namespace, name)),
    patchDeployment: (namespace, name, patch) =>
      one(transport, "PATCH", `${objectPath(namespace, name)}?fieldManager=${FIELD_MANAGER}`, patch),
    autoscalers: (namespace) => listAutoscalers(transport, namespace),
    close: () => transport.agent.destroy(),
  };
}

function objectPath(namespace: string, name: string): string {
  return `/${DEPLOYMENTS.group}/namespaces/${encodeURIComponent(namespace)}/${DEPLOYMENTS.plural}/${encodeURIComponent(name)}`;
}

async function one(transport: Transport, method: "GET" | "PATCH", path: string, patch?: object): Answered<Deployment> {
  const answer = await call(transport, method, path, patch);
  if (!answer.ok) return answer;
  const object = v.safeParse(DeploymentSchema, parseJson(answer.value.body));
  return object.success
    ? success(object.output)
    : failure(malformed(`a deployment of an unknown shape: ${object.issues[0].message}`));
}

/**
 * Every object of a namespace, in pages. A `continue` token that was compacted meanwhile (410) starts the list again,
 * once: a list of two versions would be a state that never was.
 */
async function listAll<T>(transport: Transport, resource: Resource<T>, namespace: string): Answered<Listed<T>> {
  const first = await listPages(transport, resource, namespace);
  if (first.ok || first.failure.kind !== "status" || first.failure.code !== 410) return first;
  return listPages(transport, resource, namespace);
}

async function listPages<T>(transport: Transport, resource: Resource<T>, namespace: string): Answered<Listed<T>> {
  const items: T[] = [];
  let token = "";
  for (let pages = 0; pages < PAGES_MAX; pages++) {
    const query = new URLSearchParams({ limit: String(PAGE_LIMIT), ...(token === "" ? {} : { continue: token }) });
    const answer = await call(transport, "GET", `${collectionPath(resource, namespace)}?${query.toString()}`);
    if (!answer.ok) return answer;
    const page = v.safeParse(PageSchema, parseJson(answer.value.body));
    if (!page.success) return failure(malformed(`a list of an unknown shape: ${page.issues[0].message}`));
    for (const item of page.output.items ?? []) {
      const object = v.safeParse(resource.schema, item);
      if (!object.success)
        return failure(malformed(`one of ${resource.plural} has an unknown shape: ${object.issues[0].message}`));
      items.push(object.output);
    }
    token = page.output.metadata.continue;
    if (token === "") return success({ items, resourceVersion: page.output.metadata.resourceVersion });
  }
  return failure({
    kind: "too_large",
    message: `${resource.plural} of ${namespace} need more than ${PAGES_MAX} pages`,
  });
}

function collectionPath(resource: Resource<unknown>, namespace: string): string {
  return `/${resource.group}/namespaces/${encodeURIComponent(namespace)}/${resource.plural}`;
}

/** The group's version is found by asking: v2 from 1.23 on, v2beta2 before. 404 on both: not installed. */
async function listAutoscalers(transport: Transport, namespace: string): Answered<readonly Autoscaler[]> {
  for (const group of AUTOSCALER_GROUPS) {
    const resource: Resource<Autoscaler> = { group, plural: "horizontalpodautoscalers", schema: AutoscalerSchema };
    const listed = await listAll(transport, resource, namespace);
    if (listed.ok) return success(listed.value.items);
    if (listed.failure.kind !== "status" || listed.failure.code !== 404) return listed;
  }
  return success([]);
}

async function watch<T>(
  transport: Transport,
  resource: Resource<T>,
  namespace: string,
  options: WatchOptions<T>,
): Promise<WatchEnd> {
  const query = new URLSearchParams({
    watch: "true",
    allowWatchBookmarks: "true",
    resourceVersion: options.resourceVersion,
    timeoutSeconds: String(options.timeoutSeconds),
  });
  // The head has a deadline, and so has a refusal; in a stream the watchdog listens for silence.
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(), CALL_TIMEOUT_MS);
  const signal = AbortSignal.any([deadline.signal, options.signal]);
  const opened = await open(
    transport,
    "GET",
    `${collectionPath(resource, namespace)}?${query.toString()}`,
    undefined,
    signal,
  );
  let { resourceVersion } = options;
  if (!opened.ok || opened.value.statusCode !== 200) {
    const answer = opened.ok ? await bodyOf(opened.value) : opened;
    clearTimeout(timer);
    if (options.signal.aborted) return { end: "stopped", resourceVersion };
    const refusal = deadline.signal.aborted ? timeout() : answer.ok ? refusalOf(answer.value) : answer.failure;
    const isExpired = refusal.kind === "status" && refusal.code === 410;
    return isExpired ? { end: "expired", resourceVersion } : { end: "refused", resourceVersion, refusal };
  }
  clearTimeout(timer);
  const response = opened.value;
  options.onSign();
  let silent = false;
  response.setTimeout(options.silenceMs, () => {
    silent = true;
    response.destroy();
  });
  const stop = (): void => void response.destroy();
  options.signal.addEventListener("abort", stop, { once: true });
  try {
    for await (const text of lines(response, options.onSign)) {
      const took = takeLine(resource, text, options.onChange);
      if (took.end !== null) return { end: took.end, resourceVersion };
      ({ resourceVersion } = took);
    }
    return { end: options.signal.aborted ? "stopped" : silent ? "silent" : "closed", resourceVersion };
  } finally {
    options.signal.removeEventListener("abort", stop);
    response.destroy();
  }
}

const WatchLineSchema = v.object({ type: v.string(), object: v.unknown() });
const VersionSchema = v.object({ metadata: v.object({ resourceVersion: v.string() }) });
type Taken = { readonly end: null; readonly resourceVersion: string } | { readonly end: "expired" | "unusable" };

/** One line of a watch: handed on, or the reason to list again. */
function takeLine<T>(resource: Resource<T>, text: string, onChange: WatchOptions<T>["onChange"]): Taken {
  const line = v.safeParse(WatchLineSchema, parseJson(text));
  if (!line.success) return { end: "unusable" };
  const { type, object } = line.output;
  if (type === "ERROR") {
    const status = v.safeParse(StatusSchema, object);
    return { end: status.success && status.output.code === 410 ? "expired" : "unusable" };
  }
  const version = v.safeParse(VersionSchema, object);
  if (!version.success) return { end: "unusable" };
  const { resourceVersion } = version.output.metadata;
  if (type === "BOOKMARK") return { end: null, resourceVersion };
  const parsed = v.safeParse(resource.schema, object);
  if (!parsed.success || (type !== "ADDED" && type !== "MODIFIED" && type !== "DELETED")) return { end: "unusable" };
  onChange(type, parsed.output);
  return { end: null, resourceVersion };
}

/** The lines of a stream; one may span chunks. A connection that breaks ends them; so does a line past its bound, as "". */
async function* lines(response: http.IncomingMessage, onSign: () => void): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for await (const chunk of response) {
      onSign();
      rest += decoder.decode(chunk as Uint8Array, { stream: true });
      const parts = rest.split("\n");
      rest = parts.pop() ?? "";
      for (const part of parts) if (part !== "") yield part;
      if (rest.length > LINE_BYTES_MAX) {
        yield "";
        return;
      }
    }
  } catch {
    // Reset, or cut by the watchdog: what is left of the line is not an event, and the follower resumes from the last one.
  }
}

interface Transport {
  readonly base: URL;
  readonly agent: http.Agent | https.Agent;
  readonly token: () => Result<string, KubernetesRefusal>;
  readonly ca: () => Result<Buffer | null, KubernetesRefusal>;
}

function createTransport(config: KubernetesConfig): Transport {
  const place = "inCluster" in config ? inClusterPlace() : config;
  const base = new URL(place.url);
  const options = { keepAlive: true, maxSockets: 32, keepAliveMsecs: 30_000 };
  let token: { readonly text: string; readonly readAt: number } | null = null;
  let ca: Buffer | null = null;
  return {
    base,
    agent: base.protocol === "https:" ? new https.Agent(options) : new http.Agent(options),
    token: () => {
      // A monotonic clock: the wall clock may be set, and a token must be read again all the same.
      if (token !== null && performance.now() - token.readAt < TOKEN_READ_MS) return success(token.text);
      const file = readNamed(place.tokenFile);
      if (!file.ok) return token === null ? file : success(token.text);
      token = { text: file.value.toString("utf8").trim(), readAt: performance.now() };
      return success(token.text);
    },
    ca: () => {
      if (ca !== null || place.caFile === undefined) return success(ca);
      const file = readNamed(place.caFile);
      if (file.ok) ca = file.value;
      return file;
    },
  };
}

function inClusterPlace(): { readonly url: string; readonly tokenFile: string; readonly caFile: string } {
  const host = process.env["KUBERNETES_SERVICE_HOST"] ?? "kubernetes.default.svc";
  const port = process.env["KUBERNETES_SERVICE_PORT"] ?? "443";
  const name = host.includes(":") ? `[${host}]` : host;
  return { url: `https://${name}:${port}`, tokenFile: `${ACCOUNT}/token`, caFile: `${ACCOUNT}/ca.crt` };
}

function readNamed(path: string): Result<Buffer, KubernetesRefusal> {
  try {
    return success(readFileSync(path));
  } catch (error) {
    return failure({ kind: "unreachable", message: `cannot read ${path}: ${errorText(error)}` });
  }
}

/** A whole call: its answer if it is 2xx, else a refusal. */
async function call(transport: Transport, method: string, path: string, patch?: object): Answered<Answer> {
  const deadline = AbortSignal.timeout(CALL_TIMEOUT_MS);
  const opened = await open(transport, method, path, patch, deadline);
  const answer = opened.ok ? await bodyOf(opened.value) : opened;
  if (!answer.ok) {
    return deadline.aborted ? failure(timeout()) : answer;
  }
  return answer.value.status >= 200 && answer.value.status < 300 ? answer : failure(refusalOf(answer.value));
}

/** Sends a request and waits for the head of its answer. `signal` ends it, and the body after it, at any time. */
async function open(
  transport: Transport,
  method: string,
  path: string,
  patch: object | undefined,
  signal: AbortSignal,
): Answered<http.IncomingMessage> {
  const token = transport.token();
  const ca = transport.ca();
  if (!token.ok) return token;
  if (!ca.ok) return ca;
  const body = patch === undefined ? null : JSON.stringify(patch);
  const headers: http.OutgoingHttpHeaders = {
    accept: "application/json",
    authorization: `Bearer ${token.value}`,
    "user-agent": FIELD_MANAGER,
    ...(body === null
      ? {}
      : { "content-type": "application/merge-patch+json", "content-length": Buffer.byteLength(body) }),
  };
  const { promise, resolve } = Promise.withResolvers<Result<http.IncomingMessage, KubernetesRefusal>>();
  const refuse = (error: unknown): void => resolve(failure({ kind: "unreachable", message: errorText(error) }));
  try {
    const secure = ca.value === null ? {} : { ca: ca.value };
    const requester = transport.base.protocol === "https:" ? https : http;
    const request = requester.request(new URL(path, transport.base), {
      method,
      headers,
      agent: transport.agent,
      signal,
      ...secure,
    });
    // Stays for the life of the socket: an error after the answer has begun must not become an uncaught one.
    request.on("error", refuse);
    request.on("response", (response) => resolve(success(response)));
    request.end(body ?? undefined);
  } catch (error) {
    // A token with a line break in it is refused by node:http itself.
    refuse(error);
  }
  return promise;
}

async function bodyOf(response: http.IncomingMessage): Answered<Answer> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response) {
      const part = chunk as Uint8Array;
      bytes += part.length;
      if (bytes > BODY_BYTES_MAX) {
        response.destroy();
        return failure({ kind: "too_large", message: `an answer of more than ${BODY_BYTES_MAX} bytes` });
      }
      chunks.push(part);
    }
  } catch (error) {
    return failure({ kind: "unreachable", message: errorText(error) });
  }
  const body = Buffer.concat(chunks).toString("utf8");
  return success({ status: response.statusCode ?? 0, retryAfter: response.headers["retry-after"], body });
}

function refusalOf(answer: Answer): KubernetesRefusal {
  const status = v.safeParse(StatusSchema, parseJson(answer.body));
  const seconds = Number(answer.retryAfter ?? Number.NaN);
  return {
    kind: "status",
    code: answer.status,
    reason: status.success ? status.output.reason : "",
    message: status.success ? status.output.message : `HTTP ${answer.status}`,
    retryAfterMs: Number.isFinite(seconds) && seconds >= 0 ? Math.min(seconds * 1_000, RETRY_AFTER_MAX_MS) : null,
  };
}

/** The value of a JSON text, or undefined, which no schema takes. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function timeout(): KubernetesRefusal {
  return { kind: "timeout", message: `no answer within ${CALL_TIMEOUT_MS / 1_000} s` };
}

function malformed(message: string): KubernetesRefusal {
  return { kind: "malformed", message };
}

function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as NodeJS.ErrnoException;
  // An AggregateError (both address families refused) has an empty message.
  return error.message === "" ? (code ?? error.name) : error.message;
}

/** A refusal in one line, for states and reasons. */
export function refusalText(refusal: KubernetesRefusal): string {
  const { message } = refusal;
  return refusal.kind === "status"
    ? `API server: ${refusal.code} ${refusal.reason || "?"}: ${message}`
    : `API server ${refusal.kind}: ${message}`;
}
