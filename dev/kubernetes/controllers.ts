/** What a cluster does by itself: deployments get pods and a status, an autoscaler and a GitOps owner put replicas back. */
import { createHash } from "node:crypto";
import { isObject, type JsonObject, type KubernetesObject, type ManagedFields, type Objects } from "./objects.ts";

export interface Timing {
  /** From a change of a deployment to its pods and its `observedGeneration`, ms. */
  readonly controllerDelayMs: number;
  /** From a pod's start to its readiness, ms. */
  readonly podReadyMs: number;
  /** From a change of a deployment to the autoscaler's or the GitOps owner's answer, ms. */
  readonly reverterDelayMs: number;
}

export type PodState =
  | { readonly state: "running" }
  | { readonly state: "waiting"; readonly reason: string; readonly restartCount?: number }
  | { readonly state: "oom_killed"; readonly finishedAt: string };

/** Something that owns `spec.replicas`; null instead of a number where it leaves the deployment alone. */
interface Reverter {
  readonly manager: string;
  readonly wants: (replicas: number) => number | null;
}

export class Controllers {
  readonly #objects: Objects;
  readonly #timing: Timing;
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #reverters = new Map<string, Reverter[]>();
  readonly #due = new Set<string>();
  #podNumber = 0;
  /** Off: deployments keep the status they have, as if the controller manager were down. */
  running = true;

  constructor(objects: Objects, timing: Timing) {
    this.#objects = objects;
    this.#timing = timing;
    objects.onChange(({ plural, object, type }) => {
      if (plural === "deployments" && type !== "DELETED") this.#wake(object.metadata.namespace, object.metadata.name);
    });
  }

  /** Puts back what is below `min`. As on a real server, 0 replicas disable it. */
  addAutoscaler(namespace: string, name: string, min: number): void {
    this.#addReverter(namespace, name, {
      manager: "kube-controller-manager",
      wants: (replicas) => (replicas === 0 || replicas >= min ? null : min),
    });
  }

  addOwner(namespace: string, name: string, replicas: number, manager: string): void {
    this.#addReverter(namespace, name, { manager, wants: (current) => (current === replicas ? null : replicas) });
  }

  removeReverters(namespace: string, name: string): void {
    this.#reverters.delete(`${namespace}/${name}`);
  }

  /** Changes replicas as another client does. */
  scale(namespace: string, name: string, replicas: number, manager: string, subresource: string): void {
    const object = this.#objects.get("deployments", namespace, name);
    if (object === undefined) throw new Error(`no deployment ${namespace}/${name}`);
    this.#objects.put("deployments", withReplicas(object, replicas, manager, subresource));
  }

  setPodState(namespace: string, deployment: string, next: PodState): string {
    const pod = podsOf(this.#objects, namespace, deployment)[0];
    if (pod === undefined) throw new Error(`no pod of ${namespace}/${deployment}`);
    const [former] = containersOf(pod);
    const status = podStatus(deployment, containerId(pod, former), restartsOf(former), next);
    this.#objects.put("pods", { ...pod, status });
    this.#wake(namespace, deployment);
    return pod.metadata.name;
  }

  /** Brings every deployment in line; needed once, after the first ones were stored. */
  wakeAll(namespaces: readonly string[]): void {
    for (const namespace of namespaces) {
      for (const { metadata } of this.#objects.list("deployments", namespace)) this.#wake(namespace, metadata.name);
    }
  }

  stop(): void {
    this.running = false;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  #addReverter(namespace: string, name: string, reverter: Reverter): void {
    const key = `${namespace}/${name}`;
    this.#reverters.set(key, [...(this.#reverters.get(key) ?? []), reverter]);
    this.#wake(namespace, name);
  }

  #wake(namespace: string, name: string): void {
    const key = `${namespace}/${name}`;
    if (this.#due.has(key)) return;
    this.#due.add(key);
    this.#later(this.#timing.controllerDelayMs, () => {
      this.#due.delete(key);
      if (this.running) this.#reconcile(namespace, name);
    });
    for (const reverter of this.#reverters.get(key) ?? []) {
      this.#later(this.#timing.reverterDelayMs, () => this.#revert(namespace, name, reverter));
    }
  }

  #revert(namespace: string, name: string, reverter: Reverter): void {
    const object = this.#objects.get("deployments", namespace, name);
    if (object === undefined || !(this.#reverters.get(`${namespace}/${name}`) ?? []).includes(reverter)) return;
    const wanted = reverter.wants(replicasOf(object));
    if (wanted !== null) this.scale(namespace, name, wanted, reverter.manager, "scale");
  }

  #reconcile(namespace: string, name: string): void {
    const object = this.#objects.get("deployments", namespace, name);
    if (object === undefined) return;
    const wanted = replicasOf(object);
    const pods = podsOf(this.#objects, namespace, name);
    for (const pod of pods.slice(wanted)) this.#objects.delete("pods", namespace, pod.metadata.name);
    for (let n = pods.length; n < wanted; n++) this.#startPod(object);
    const now = podsOf(this.#objects, namespace, name);
    const ready = now.filter(isReady).length;
    const { conditions } = object.status;
    this.#objects.put("deployments", {
      ...object,
      status: {
        ...(conditions === undefined ? {} : { conditions }),
        observedGeneration: object.metadata.generation ?? 1,
        replicas: now.length,
        updatedReplicas: now.length,
        readyReplicas: ready,
        availableReplicas: ready,
        unavailableReplicas: now.length - ready,
      },
    });
  }

  #startPod(deployment: KubernetesObject): void {
    const { namespace, name } = deployment.metadata;
    const hash = createHash("sha256").update(name).digest("hex").slice(0, 10);
    const suffix = createHash("sha256")
      .update(`${name}${this.#podNumber++}${process.hrtime.bigint()}`)
      .digest("hex")
      .slice(0, 5);
    const pod: KubernetesObject = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: {
        name: `${name}-${hash}-${suffix}`,
        namespace,
        uid: uidOf(`pod/${namespace}/${name}-${hash}-${suffix}`),
        resourceVersion: "",
        creationTimestamp: new Date().toISOString(),
        labels: { app: name, "pod-template-hash": hash },
        ownerReferences: [
          {
            apiVersion: "apps/v1",
            kind: "ReplicaSet",
            name: `${name}-${hash}`,
            uid: uidOf(`${name}-${hash}`),
            controller: true,
          },
        ],
      },
      spec: { containers: [{ name, image: `example.invalid/${name}:1` }] },
      status: { phase: "Pending", containerStatuses: [] },
    };
    this.#objects.put("pods", pod);
    this.#later(this.#timing.podReadyMs, () => {
      const current = this.#objects.get("pods", namespace, pod.metadata.name);
      if (current === undefined || containersOf(current).length > 0) return;
      this.#objects.put("pods", {
        ...current,
        status: podStatus(name, containerId(current, undefined), 0, { state: "running" }),
      });
      this.#wake(namespace, name);
    });
  }

  #later(delayMs: number, act: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, delayMs);
    this.#timers.add(timer);
  }
}

/** The object with other replicas, a new generation and a new owner of the field; itself where nothing changes. */
function withReplicas(
  object: KubernetesObject,
  replicas: number,
  manager: string,
  subresource: string,
): KubernetesObject {
  if (replicasOf(object) === replicas) return object;
  const { metadata } = object;
  return {
    ...object,
    metadata: {
      ...metadata,
      generation: (metadata.generation ?? 1) + 1,
      managedFields: replicasOwnedBy(metadata.managedFields, manager, subresource),
    },
    spec: { ...object.spec, replicas },
  };
}

/** `managedFields` after `manager` has set `spec.replicas`: the field leaves everybody else's entry. */
export function replicasOwnedBy(
  former: readonly ManagedFields[] | undefined,
  manager: string,
  subresource: string,
): ManagedFields[] {
  const entry: ManagedFields = {
    manager,
    operation: "Update",
    apiVersion: "apps/v1",
    time: new Date().toISOString(),
    fieldsType: "FieldsV1",
    fieldsV1: { "f:spec": { "f:replicas": {} } },
    ...(subresource === "" ? {} : { subresource }),
  };
  const others = (former ?? [])
    .filter((other) => other.manager !== manager)
    .map((other) => ({ ...other, fieldsV1: withoutReplicas(other.fieldsV1) }))
    .filter((other) => Object.keys(other.fieldsV1).length > 0);
  return [...others, entry];
}

function withoutReplicas(fields: JsonObject): JsonObject {
  const { "f:spec": spec, ...rest } = fields;
  if (!isObject(spec)) return fields;
  const { "f:replicas": _replicas, ...others } = spec;
  return Object.keys(others).length === 0 ? rest : { ...rest, "f:spec": others };
}

export function replicasOf(object: KubernetesObject): number {
  return Number(object.spec["replicas"] ?? 1);
}

export function uidOf(text: string): string {
  const hex = createHash("sha256").update(text).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

function podsOf(objects: Objects, namespace: string, deployment: string): KubernetesObject[] {
  return objects.list("pods", namespace).filter((pod) => pod.metadata.labels?.["app"] === deployment);
}

function containersOf(pod: KubernetesObject): JsonObject[] {
  const statuses = pod.status["containerStatuses"];
  return Array.isArray(statuses) ? statuses.filter(isObject) : [];
}

function isReady(pod: KubernetesObject): boolean {
  return containersOf(pod).some((container) => container["ready"] === true);
}

function restartsOf(container: JsonObject | undefined): number {
  return Number(container?.["restartCount"] ?? 0);
}

function containerId(pod: KubernetesObject, container: JsonObject | undefined): string {
  const former = container?.["containerID"];
  return typeof former === "string"
    ? former
    : `containerd://${createHash("sha256").update(pod.metadata.uid).digest("hex")}`;
}

function podStatus(name: string, containerID: string, restarts: number, next: PodState): JsonObject {
  const base = { name, image: `example.invalid/${name}:1`, containerID };
  const startedAt = new Date().toISOString();
  switch (next.state) {
    case "running":
      return {
        phase: "Running",
        containerStatuses: [
          { ...base, ready: true, restartCount: restarts, state: { running: { startedAt } }, lastState: {} },
        ],
      };
    case "waiting": {
      const restartCount = next.restartCount ?? restarts + 1;
      const terminated = { exitCode: 1, reason: "Error", containerID, startedAt, finishedAt: startedAt };
      const state = { waiting: { reason: next.reason, message: `back-off restarting failed container ${name}` } };
      return {
        phase: "Running",
        containerStatuses: [{ ...base, ready: false, restartCount, state, lastState: { terminated } }],
      };
    }
    case "oom_killed": {
      const terminated = { exitCode: 137, reason: "OOMKilled", containerID, startedAt, finishedAt: next.finishedAt };
      return {
        phase: "Running",
        containerStatuses: [
          {
            ...base,
            ready: true,
            restartCount: restarts + 1,
            state: { running: { startedAt } },
            lastState: { terminated },
          },
        ],
      };
    }
  }
}
