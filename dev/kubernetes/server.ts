/**
 * A Kubernetes API server in this process: as much of one as the agent relies on, told apart from a real one by
 * nothing that `test/agent/kubernetes-contract.test.ts` can see. It binds 127.0.0.1 only.
 */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Rule } from "./access.ts";
import { Controllers, uidOf, type PodState } from "./controllers.ts";
import { mergePatch, Objects, type AddOn, type JsonObject, type KubernetesObject } from "./objects.ts";
import { handle, write, type Fault, type Interceptor, type World } from "./requests.ts";
import {
  autoscalerOf,
  certificateOf,
  deploymentOf,
  podOf,
  readState,
  secretOf,
  stateSaver,
  type DeploymentSeed,
} from "./seeds.ts";
import * as refuse from "./status.ts";
import type { WatchFaults } from "./watch.ts";
import { asJson, written } from "./writes.ts";

export type { Rule } from "./access.ts";

export interface KubernetesServerOptions {
  readonly port?: number;
  /** Bearer token → user. */
  readonly tokens: Readonly<Record<string, string>>;
  readonly rbac: readonly Rule[];
  readonly deployments: readonly DeploymentSeed[];
  /** Leases of elections, as `namespace/name`: manifests make them, accounts may not. */
  readonly leases?: readonly string[];
  /** Keeps replicas and annotations over a restart of this process. */
  readonly stateFile?: string;
  readonly controllerDelayMs?: number;
  readonly podReadyMs?: number;
  readonly reverterDelayMs?: number;
  readonly bookmarkMs?: number;
  /** Versions of the autoscaling group, the preferred one first. None: as on a server without the group. */
  readonly autoscaling?: readonly string[];
  readonly addOns?: readonly AddOn[];
}

export interface KubernetesServer {
  readonly url: string;
  readonly port: number;
  stop(): Promise<void>;
  /** Every connection ends, and nothing answers for a while. What was compacted stays so. */
  restart(downMs: number): Promise<void>;
  /** As the API shows it now. */
  deployment(namespace: string, name: string): KubernetesObject;
  pods(namespace: string): readonly KubernetesObject[];
  lease(namespace: string, name: string): KubernetesObject | undefined;
  /** Another client scales the deployment, by `/scale` as kubectl does. */
  scale(namespace: string, name: string, replicas: number, manager?: string): void;
  /** Another client writes annotations; null removes one. */
  annotate(namespace: string, name: string, annotations: Readonly<Record<string, string | null>>): void;
  remove(namespace: string, name: string): void;
  /** Made anew after `remove`, with a uid of its own. */
  create(seed: DeploymentSeed): void;
  /** Puts one pod of the deployment into a state; answers its name. */
  setPodState(namespace: string, deployment: string, state: PodState): string;
  /** Pods that no controller looks after, each ready and about `bytes` long. */
  addPods(namespace: string, deployment: string, count: number, bytes: number): void;
  /** A Secret of any type; its values are text, and are served as base64. */
  addSecret(namespace: string, name: string, type: string, data: Readonly<Record<string, string>>): void;
  /** What cert-manager says of a certificate. */
  addCertificate(namespace: string, name: string, spec: JsonObject, status: JsonObject): void;
  /** Deletes an object of any kind. */
  drop(plural: string, namespace: string, name: string): void;
  /** Writes over fields of an object's status, as its controller would. */
  setStatus(plural: string, namespace: string, name: string, status: JsonObject): void;
  /** An event of type Warning about an object. */
  warn(
    namespace: string,
    about: { readonly kind: string; readonly name: string },
    reason: string,
    message: string,
  ): void;
  /** An HPA with a minimum. Not visible in lists if `hidden`, as to an account that may not see HPAs. */
  addAutoscaler(namespace: string, name: string, min: number, options?: AutoscalerOptions): void;
  /** A GitOps owner that puts replicas back. */
  addOwner(namespace: string, name: string, replicas: number, manager: string): void;
  removeReverters(namespace: string, name: string): void;
  fail(fault: Fault): void;
  heal(): void;
  /** Everything before now can no longer be watched or continued. */
  compact(): void;
  readonly watches: WatchFaults;
  openWatches(): number;
  /** Watches that are open now go silent, without a word to either side. */
  stall(): void;
  /** Cuts every connection. */
  cut(): void;
  /** Off: the controllers stand still, so nothing is observed. */
  setControllers(running: boolean): void;
  /** Hears of every call before it is carried out and before it is answered, and may cut it there. */
  intercept(interceptor: Interceptor): void;
  /** Hears of every `spec.replicas` of a deployment that changes. */
  onReplicas(heard: (ref: string, replicas: number) => void): void;
  /** From now on these tokens are good, and no others. */
  tokens(tokens: Readonly<Record<string, string>>): void;
  /** Every request so far, as `METHOD path?query`; the newest 10,000. */
  requests(): readonly string[];
  /** Those that no rule of `rbac` allowed. */
  refused(): readonly string[];
}

interface AutoscalerOptions {
  readonly hidden?: boolean;
  /** Made by KEDA for a ScaledObject. */
  readonly keda?: boolean;
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
  for (const ref of options.leases ?? []) objects.put("leases", leaseOf(ref));
  controllers.wakeAll([...new Set(options.deployments.map((seed) => seed.namespace))]);
  const world = worldOf(options, objects);
  const saver = stateSaver(options.stateFile, objects, options.deployments);
  let server = await listen(world, options.port ?? 0);
  const { port } = server.address() as AddressInfo;
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    stop: async () => {
      controllers.stop();
      saver.stop();
      for (const end of world.watches.open) end();
      await close();
    },
    restart: async (downMs) => {
      await close();
      world.snapshots.clear();
      await new Promise((resolve) => setTimeout(resolve, downMs));
      server = await listen(world, port);
    },
    ...handles(world, controllers),
    cut: () => server.closeAllConnections(),
  };
}

function worldOf(options: KubernetesServerOptions, objects: Objects): World {
  return {
    tokens: options.tokens,
    rbac: options.rbac,
    served: { autoscaling: options.autoscaling ?? ["v2"], addOns: options.addOns ?? [] },
    bookmarkMs: options.bookmarkMs ?? 60_000,
    objects,
    snapshots: new Map(),
    watches: { open: new Set(), stalledBefore: 0, swallowNext: 0, resetNextLine: false },
    intercept: () => "go",
    faults: [],
    log: [],
    refused: [],
  };
}

async function listen(world: World, port: number): Promise<Server> {
  const server = createServer((request, response) => {
    handle(world, request, response).catch((error: unknown) => {
      // A fault of this server's own must not look like one of the API's.
      console.error("kubernetes server:", error);
      const { code, body } = refuse.internalError();
      if (!response.headersSent) write(response, code, body);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  return server;
}

type Handles = Omit<KubernetesServer, "url" | "port" | "stop" | "cut" | "restart">;

function handles(world: World, controllers: Controllers): Handles {
  const { objects } = world;
  const found = (plural: string, namespace: string, name: string): KubernetesObject => {
    const object = objects.get(plural, namespace, name);
    if (object === undefined) throw new Error(`no ${plural} ${namespace}/${name}`);
    return object;
  };
  const deployment = (namespace: string, name: string): KubernetesObject => found("deployments", namespace, name);
  return {
    deployment,
    pods: (namespace) => objects.list("pods", namespace),
    lease: (namespace, name) => objects.get("leases", namespace, name),
    scale: (namespace, name, replicas, manager = "kubectl") =>
      controllers.scale(namespace, name, replicas, manager, "scale"),
    annotate: (namespace, name, annotations) => {
      const former = deployment(namespace, name);
      const merged = mergePatch(asJson(former), { metadata: { annotations } });
      objects.put("deployments", written(former, merged, "kubectl-annotate"));
    },
    remove: (namespace, name) => objects.delete("deployments", namespace, name),
    create: (seed) => void objects.put("deployments", deploymentOf(seed, undefined)),
    setPodState: (namespace, name, state) => controllers.setPodState(namespace, name, state),
    addPods: (namespace, name, count, bytes) => {
      for (let i = 0; i < count; i++) objects.put("pods", podOf(namespace, name, i, bytes));
    },
    addSecret: (namespace, name, type, data) => void objects.put("secrets", secretOf(namespace, name, type, data)),
    addCertificate: (namespace, name, spec, status) =>
      void objects.put("certificates", certificateOf(namespace, name, spec, status)),
    drop: (plural, namespace, name) => objects.delete(plural, namespace, name),
    setStatus: (plural, namespace, name, status) => {
      const former = found(plural, namespace, name);
      objects.put(plural, { ...former, status: { ...former.status, ...status } });
    },
    warn: (namespace, about, reason, message) =>
      void objects.put("events", eventOf(namespace, about, reason, message, objects.version)),
    addAutoscaler: (namespace, name, min, { hidden = false, keda = false } = {}) => {
      if (!hidden) objects.put("horizontalpodautoscalers", autoscalerOf(namespace, name, min, keda));
      controllers.addAutoscaler(namespace, name, min);
    },
    addOwner: (namespace, name, replicas, manager) => controllers.addOwner(namespace, name, replicas, manager),
    removeReverters: (namespace, name) => {
      for (const own of [name, `keda-hpa-${name}`]) objects.delete("horizontalpodautoscalers", namespace, own);
      controllers.removeReverters(namespace, name);
    },
    ...faults(world, controllers),
    onReplicas: (heard) => {
      const last = new Map<string, unknown>();
      objects.onChange(({ plural, object: { metadata, spec } }) => {
        const ref = `${metadata.namespace}/${metadata.name}`;
        if (plural !== "deployments" || last.get(ref) === spec["replicas"]) return;
        last.set(ref, spec["replicas"]);
        heard(ref, Number(spec["replicas"]));
      });
    },
    requests: () => world.log,
    refused: () => world.refused,
  };
}

type Faults =
  | "fail"
  | "heal"
  | "compact"
  | "watches"
  | "stall"
  | "setControllers"
  | "intercept"
  | "tokens"
  | "openWatches";

function faults(world: World, controllers: Controllers): Pick<Handles, Faults> {
  return {
    fail: (fault) => void world.faults.push(fault),
    heal: () => void (world.faults = []),
    compact: () => {
      world.objects.compact();
      world.snapshots.clear();
    },
    watches: world.watches,
    openWatches: () => world.watches.open.size,
    stall: () => void (world.watches.stalledBefore = performance.now()),
    setControllers: (running) => {
      controllers.running = running;
      if (running) controllers.wakeAll(world.objects.namespaces());
    },
    tokens: (tokens) => void (world.tokens = tokens),
    intercept: (interceptor) => void (world.intercept = interceptor),
  };
}

function leaseOf(ref: string): KubernetesObject {
  const [namespace = "", name = ""] = ref.split("/");
  return {
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    metadata: {
      name,
      namespace,
      uid: uidOf(`lease/${ref}`),
      resourceVersion: "",
      creationTimestamp: new Date().toISOString(),
    },
    spec: {},
    status: {},
  };
}

function eventOf(
  namespace: string,
  about: { readonly kind: string; readonly name: string },
  reason: string,
  message: string,
  number: number,
): KubernetesObject {
  const name = `${about.name}.${number.toString(16)}`;
  const creationTimestamp = new Date().toISOString();
  return {
    apiVersion: "v1",
    kind: "Event",
    metadata: { name, namespace, uid: uidOf(`event/${namespace}/${name}`), resourceVersion: "", creationTimestamp },
    spec: {},
    status: {},
    more: {
      involvedObject: { kind: about.kind, name: about.name, namespace },
      reason,
      message,
      type: "Warning",
      count: 1,
      lastTimestamp: creationTimestamp,
    },
  };
}
