/** The cluster that the demo's services run in: their deployments, and an account for the agent as narrow as a real one. */
import { setTimeout as pause } from "node:timers/promises";
import { manifestsOf, renderChart } from "../chart/chart.ts";
import { rulesOf } from "../kubernetes/rbac.ts";
import { startKubernetesServer, type KubernetesServer, type Rule } from "../kubernetes/server.ts";
import { ENTRANCE, REPLICAS, SERVICES } from "./topology.ts";

/** The agent's service account, under the chart's own names. */
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

/** What the chart grants: reading in the services' namespaces, and patching all of them but the entrance. */
function accountRules(): Rule[] {
  const namespaces = [...new Set(SERVICES.map((spec) => spec.namespace))];
  const targets = SERVICES.filter(({ name }) => name !== ENTRANCE).map(({ namespace, name }) => {
    return { ref: `${namespace}/${name}`, modes: ["announce", "scale"] };
  });
  const sources = { kubernetes: { inCluster: true, namespaces } };
  return rulesOf(manifestsOf(renderChart({ edge: "-", cluster: "demo", sources, leases: { targets } })));
}
