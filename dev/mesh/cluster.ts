/** The cluster that the demo's services run in: their deployments, and an account for the agent as narrow as a real one. */
import { setTimeout as pause } from "node:timers/promises";
import { startKubernetesServer, type KubernetesServer, type Rule } from "../kubernetes/server.ts";
import { ENTRANCE, REPLICAS, SERVICES } from "./topology.ts";

/** The agent's service account. */
const ACCOUNT = "system:serviceaccount:observatory:observatory-agent";
const READY_TIMEOUT_MS = 5_000;
const READY_POLL_MS = 20;

export interface Cluster {
  readonly server: KubernetesServer;
  /** Pods that take requests. */
  readyPods(namespace: string, name: string): number;
}

/** Starts the API server and resolves once the deployments have their pods. `token` is the agent's bearer token. */
export async function startCluster(options: {
  port: number;
  token: string;
  stateFile: string | null;
}): Promise<Cluster> {
  const server = await startKubernetesServer({
    port: options.port,
    tokens: { [options.token]: ACCOUNT },
    rbac: accountRules(),
    deployments: SERVICES.map(({ namespace, name }) => ({ namespace, name, replicas: REPLICAS })),
    ...(options.stateFile === null ? {} : { stateFile: options.stateFile }),
  });
  const readyPods = (namespace: string, name: string): number =>
    Number(server.deployment(namespace, name).status["readyReplicas"] ?? 0);
  const settled = (): boolean =>
    SERVICES.every(
      ({ namespace, name }) =>
        readyPods(namespace, name) === Number(server.deployment(namespace, name).spec["replicas"]),
    );
  for (const deadline = Date.now() + READY_TIMEOUT_MS; !settled() && Date.now() < deadline;) await pause(READY_POLL_MS);
  return { server, readyPods };
}

/** What `agent/deploy` grants: reading in the services' namespaces, and patching named deployments. */
function accountRules(): Rule[] {
  const namespaces = [...new Set(SERVICES.map((spec) => spec.namespace))];
  const reading = { user: ACCOUNT, verbs: ["get", "list", "watch"], namespaces };
  const names = SERVICES.map((spec) => spec.name).filter((name) => name !== ENTRANCE);
  return [
    { ...reading, groups: ["apps"], resources: ["deployments", "replicasets"] },
    { ...reading, groups: [""], resources: ["pods", "events"] },
    { ...reading, groups: ["autoscaling"], resources: ["horizontalpodautoscalers"] },
    { user: ACCOUNT, verbs: ["patch"], groups: ["apps"], resources: ["deployments"], namespaces, names },
  ];
}
