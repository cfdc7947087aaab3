/** Where the objects of the in-process API server come from: seeds, and what a former run left in its file. */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { replicasOf, replicasOwnedBy, uidOf } from "./controllers.ts";
import type { KubernetesObject, Objects } from "./objects.ts";

const STATE_SAVE_MS = 50;

export interface DeploymentSeed {
  readonly namespace: string;
  readonly name: string;
  readonly replicas: number;
  readonly annotations?: Readonly<Record<string, string>>;
}

interface SavedDeployment {
  readonly replicas: number;
  readonly generation: number;
  readonly annotations: { [key: string]: string };
}

export interface SavedState {
  readonly version: number;
  readonly deployments: { readonly [key: string]: SavedDeployment };
}

/** Versions of a restarted server must not be ones that a client has already seen. */
const VERSION_SKIP = 1_000;

export function readState(file: string | undefined): SavedState {
  if (file === undefined) return { version: 1_000, deployments: {} };
  try {
    const saved = JSON.parse(readFileSync(file, "utf8")) as SavedState;
    return { version: saved.version + VERSION_SKIP, deployments: saved.deployments };
  } catch {
    // The first start, or a file cut off by a crash of a demo: both begin with what was seeded.
    return { version: 1_000, deployments: {} };
  }
}

export function stateSaver(
  file: string | undefined,
  objects: Objects,
  seeds: readonly DeploymentSeed[],
): { stop(): void } {
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

export function deploymentOf(seed: DeploymentSeed, saved: SavedDeployment | undefined): KubernetesObject {
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

export function autoscalerOf(namespace: string, name: string, min: number, keda: boolean): KubernetesObject {
  const own = keda ? `keda-hpa-${name}` : name;
  return {
    apiVersion: "autoscaling/v2",
    kind: "HorizontalPodAutoscaler",
    metadata: {
      name: own,
      namespace,
      uid: uidOf(`hpa/${namespace}/${own}`),
      resourceVersion: "",
      creationTimestamp: new Date().toISOString(),
      ...(keda ? { labels: { "scaledobject.keda.sh/name": name } } : {}),
    },
    spec: { scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name }, minReplicas: min, maxReplicas: 10 },
    status: { currentReplicas: min, desiredReplicas: min },
  };
}

/** A ready pod of a deployment, filled up to about `bytes` with what real pods carry and nobody here reads. */
export function podOf(namespace: string, deployment: string, number: number, bytes: number): KubernetesObject {
  const name = `${deployment}-6d5f9c7b8-${number.toString(36).padStart(5, "0")}`;
  const containerID = `containerd://${uidOf(`${namespace}/${name}/container`).replaceAll("-", "").repeat(2)}`;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace,
      uid: uidOf(`pod/${namespace}/${name}`),
      resourceVersion: "",
      creationTimestamp: new Date().toISOString(),
      labels: { app: deployment, "pod-template-hash": "6d5f9c7b8" },
      ownerReferences: [
        {
          apiVersion: "apps/v1",
          kind: "ReplicaSet",
          name: `${deployment}-6d5f9c7b8`,
          uid: uidOf(deployment),
          controller: true,
        },
      ],
    },
    spec: { containers: [{ name: "app", env: [{ name: "FILL", value: "x".repeat(Math.max(0, bytes - 1_200)) }] }] },
    status: {
      phase: "Running",
      containerStatuses: [
        { name: "app", ready: true, restartCount: 0, containerID, state: { running: {} }, lastState: {} },
      ],
    },
  };
}

export function secretOf(
  namespace: string,
  name: string,
  type: string,
  data: Readonly<Record<string, string>>,
): KubernetesObject {
  const encoded = Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString("base64")] as const);
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: metaOf("secret", namespace, name),
    spec: {},
    status: {},
    more: { type, data: Object.fromEntries(encoded) },
  };
}

export function certificateOf(
  namespace: string,
  name: string,
  spec: KubernetesObject["spec"],
  status: KubernetesObject["status"],
): KubernetesObject {
  const metadata = metaOf("certificate", namespace, name);
  return { apiVersion: "cert-manager.io/v1", kind: "Certificate", metadata, spec, status };
}

function metaOf(kind: string, namespace: string, name: string): KubernetesObject["metadata"] {
  const uid = uidOf(`${kind}/${namespace}/${name}`);
  return { name, namespace, uid, resourceVersion: "", creationTimestamp: new Date().toISOString() };
}
