/**
 * The objects of the in-process API server, with the versions that every client of a real one relies on: a global,
 * rising `resourceVersion` that changes only when an object does, and a log of changes that watches replay and that can
 * be compacted away.
 */
import { isDeepStrictEqual } from "node:util";

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

export interface ManagedFields {
  manager: string;
  operation: "Update";
  apiVersion: string;
  time: string;
  fieldsType: "FieldsV1";
  fieldsV1: JsonObject;
  subresource?: string;
}

interface Meta {
  name: string;
  namespace: string;
  uid: string;
  resourceVersion: string;
  generation?: number;
  creationTimestamp: string;
  annotations?: { [key: string]: string };
  labels?: { [key: string]: string };
  ownerReferences?: { apiVersion: string; kind: string; name: string; uid: string; controller: boolean }[];
  managedFields?: ManagedFields[];
}

export interface KubernetesObject {
  apiVersion: string;
  kind: string;
  metadata: Meta;
  spec: JsonObject;
  status: JsonObject;
  /** What stands beside metadata, spec and status: an Event has only that. */
  more?: JsonObject;
}

/** The object as it is served: an Event has neither spec nor status, a Lease no status. */
export function shown({ spec, status, more, ...rest }: KubernetesObject): JsonObject {
  const parts = {
    ...(more === undefined ? { spec } : more),
    ...(rest.kind === "Lease" || more !== undefined ? {} : { status }),
  };
  return { ...(rest as unknown as JsonObject), ...parts };
}

/** A kind as the server serves it. */
export interface Kind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
}

const KINDS: readonly Kind[] = [
  { group: "apps", version: "v1", kind: "Deployment", plural: "deployments" },
  { group: "apps", version: "v1", kind: "ReplicaSet", plural: "replicasets" },
  { group: "", version: "v1", kind: "Pod", plural: "pods" },
  { group: "", version: "v1", kind: "Event", plural: "events" },
  { group: "", version: "v1", kind: "Secret", plural: "secrets" },
  { group: "coordination.k8s.io", version: "v1", kind: "Lease", plural: "leases" },
];
/** Not part of Kubernetes: there where it was installed. */
const CERTIFICATE: Kind = { group: "cert-manager.io", version: "v1", kind: "Certificate", plural: "certificates" };
export type AddOn = "cert-manager";
const AUTOSCALER = { group: "autoscaling", kind: "HorizontalPodAutoscaler", plural: "horizontalpodautoscalers" };

/** What is served besides `KINDS`. */
export interface Served {
  /** The versions of that group, the preferred one first; it has been renamed between releases. */
  readonly autoscaling: readonly string[];
  readonly addOns: readonly AddOn[];
}

export function kindOf(group: string, version: string, plural: string, { autoscaling, addOns }: Served): Kind | null {
  if (group === AUTOSCALER.group && plural === AUTOSCALER.plural && autoscaling.includes(version))
    return { ...AUTOSCALER, version };
  return (
    [...KINDS, ...addOnKinds(addOns)].find(
      (one) => one.group === group && one.version === version && one.plural === plural,
    ) ?? null
  );
}

/** The versions served of a group; none where it is not installed. */
export function groupVersions(group: string, { autoscaling, addOns }: Served): readonly string[] {
  if (group === AUTOSCALER.group) return autoscaling;
  return [
    ...new Set(
      [...KINDS, ...addOnKinds(addOns)]
        .filter((one) => one.group === group && group !== "")
        .map(({ version }) => version),
    ),
  ];
}

function addOnKinds(addOns: readonly AddOn[]): readonly Kind[] {
  return addOns.includes("cert-manager") ? [CERTIFICATE] : [];
}

export interface Change {
  readonly version: number;
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly plural: string;
  readonly object: KubernetesObject;
}

/** Changes kept for watches that resume. A real server keeps five minutes of them. */
const LOG_MAX = 10_000;

export class Objects {
  readonly #objects = new Map<string, KubernetesObject>();
  readonly #watchers = new Set<(change: Change) => void>();
  #log: Change[] = [];
  #version: number;
  #compactedAt = 0;

  constructor(version: number) {
    this.#version = version;
    this.#compactedAt = version;
  }

  get version(): number {
    return this.#version;
  }

  /** Below this version nothing can be replayed. */
  get compactedAt(): number {
    return this.#compactedAt;
  }

  get(plural: string, namespace: string, name: string): KubernetesObject | undefined {
    return this.#objects.get(keyOf(plural, namespace, name));
  }

  /** In the order of their names, as etcd lists them. */
  list(plural: string, namespace: string): KubernetesObject[] {
    const prefix = keyOf(plural, namespace, "");
    return [...this.#objects]
      .filter(([key]) => key.startsWith(prefix))
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([, object]) => object);
  }

  namespaces(): readonly string[] {
    return [...new Set([...this.#objects.values()].map(({ metadata }) => metadata.namespace))];
  }

  /** Stores what differs from what is there; a write that changes nothing keeps its version. */
  put(plural: string, object: KubernetesObject): KubernetesObject {
    const { namespace, name } = object.metadata;
    const former = this.get(plural, namespace, name);
    if (former !== undefined && isDeepStrictEqual(former, object)) return former;
    this.#version += 1;
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(this.#version) } };
    this.#objects.set(keyOf(plural, namespace, name), stored);
    this.#tell({ version: this.#version, type: former === undefined ? "ADDED" : "MODIFIED", plural, object: stored });
    return stored;
  }

  delete(plural: string, namespace: string, name: string): void {
    const former = this.get(plural, namespace, name);
    if (former === undefined) return;
    this.#version += 1;
    this.#objects.delete(keyOf(plural, namespace, name));
    const object = { ...former, metadata: { ...former.metadata, resourceVersion: String(this.#version) } };
    this.#tell({ version: this.#version, type: "DELETED", plural, object });
  }

  changesSince(version: number): readonly Change[] {
    return this.#log.filter((change) => change.version > version);
  }

  onChange(watcher: (change: Change) => void): () => void {
    this.#watchers.add(watcher);
    return () => void this.#watchers.delete(watcher);
  }

  compact(): void {
    this.#compactedAt = this.#version;
    this.#log = [];
  }

  #tell(change: Change): void {
    this.#log.push(change);
    if (this.#log.length > LOG_MAX) this.#compactedAt = this.#log.shift()?.version ?? this.#compactedAt;
    for (const watcher of this.#watchers) watcher(change);
  }
}

function keyOf(plural: string, namespace: string, name: string): string {
  return `${plural}/${namespace}/${name}`;
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** RFC 7386. */
export function mergePatch(target: Json | undefined, patch: Json): Json {
  if (!isObject(patch)) return patch;
  const result: JsonObject = isObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = mergePatch(result[key], value);
  }
  return result;
}
