/** Where the Kubernetes contract is tried: the in-process server, and the one that KUBECONFIG names. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createKubernetesClient, type KubernetesClient } from "../../agent/kubernetes/client.ts";
import { startKubernetesServer, type KubernetesServer } from "../../dev/kubernetes/server.ts";
import { call, limitedAccount, readKubeconfig, type Access } from "./kubernetes-calls.ts";

/** A world to try the contract in: its owner's raw requests, and the agent's client under a token. */
export interface World {
  readonly name: string;
  start(): Promise<{
    readonly access: Access;
    readonly namespace: string;
    readonly client: KubernetesClient | null;
    /** An account that may read the deployment `two`, by name, and do nothing else. */
    readonly limited: Access;
    stop(): Promise<void>;
  }>;
}

const folder = mkdtempSync(join(tmpdir(), "contract-"));

const inProcess: World = {
  name: "the in-process server",
  start: async () => {
    const all = { verbs: ["*"], groups: ["*"], resources: ["*"] };
    const server: KubernetesServer = await startKubernetesServer({
      tokens: { owner: "owner", limited: "limited" },
      rbac: [
        { user: "owner", ...all, namespaces: ["contract"] },
        {
          user: "limited",
          verbs: ["get", "list"],
          groups: ["apps"],
          resources: ["deployments"],
          namespaces: ["contract"],
          names: ["two"],
        },
      ],
      leases: ["contract/observatory-contract"],
      deployments: [
        { namespace: "contract", name: "one", replicas: 1 },
        { namespace: "contract", name: "two", replicas: 0 },
        { namespace: "contract", name: "three", replicas: 0 },
      ],
    });
    writeFileSync(join(folder, "token"), "owner");
    const client = createKubernetesClient({
      url: server.url,
      tokenFile: join(folder, "token"),
      namespaces: ["contract"],
    });
    const access = { url: server.url, headers: { authorization: "Bearer owner" }, tls: {} };
    const limited = { ...access, headers: { authorization: "Bearer limited" } };
    return { access, namespace: "contract", client, limited, stop: () => server.stop() };
  },
};

function realServer(kubeconfig: string): World {
  return {
    name: "the server of KUBECONFIG",
    start: async () => {
      const access = readKubeconfig(kubeconfig, folder);
      const namespace = process.env["KUBERNETES_TEST_NAMESPACE"] ?? "observatory-contract";
      const path = `/apis/apps/v1/namespaces/${namespace}/deployments`;
      for (const [name, replicas] of [
        ["one", 1],
        ["two", 0],
        ["three", 0],
      ] as const) {
        await call(access, "DELETE", `${path}/${name}`);
        const template = {
          metadata: { labels: { app: name } },
          spec: { containers: [{ name, image: "registry.k8s.io/pause:3.9" }] },
        };
        const spec = { replicas, selector: { matchLabels: { app: name } }, template };
        await call(access, "POST", path, { apiVersion: "apps/v1", kind: "Deployment", metadata: { name }, spec });
      }
      const leases = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`;
      await call(access, "DELETE", `${leases}/observatory-contract`);
      await call(access, "POST", leases, {
        apiVersion: "coordination.k8s.io/v1",
        kind: "Lease",
        metadata: { name: "observatory-contract" },
      });
      if (access.token !== null) writeFileSync(join(folder, "token"), access.token);
      const config = {
        url: access.url,
        tokenFile: join(folder, "token"),
        ...(access.caFile === null ? {} : { caFile: access.caFile }),
        namespaces: [namespace],
      };
      // A user with a client certificate has no token: the raw requests are tried all the same.
      const client = access.token === null ? null : createKubernetesClient(config);
      const account = await limitedAccount(access, namespace);
      const stop = async (): Promise<void> => {
        await account.remove();
        for (const name of ["one", "two", "three"]) await call(access, "DELETE", `${path}/${name}`);
        await call(access, "DELETE", `${leases}/observatory-contract`);
      };
      return { access, namespace, client, limited: account.access, stop };
    },
  };
}

const kubeconfig = process.env["KUBECONFIG"];
export const worlds = [inProcess, ...(kubeconfig === undefined ? [] : [realServer(kubeconfig)])];
