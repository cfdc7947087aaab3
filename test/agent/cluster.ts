/** A cluster for the actuator's tests: the in-process API server, an edge's key, and an agent that can die at any call. */
import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as v from "valibot";
import { manifestsOf, renderChart } from "../../dev/chart/chart.ts";
import { rulesOf } from "../../dev/kubernetes/rbac.ts";
import { startActuator, type Actuator, type LeasePace } from "../../agent/actuator.ts";
import { LeasesConfigSchema, type LeasesConfig } from "../../agent/core/lease.ts";
import { createKubernetesClient, type KubernetesClient } from "../../agent/kubernetes/client.ts";
import {
  startKubernetesServer,
  type KubernetesServer,
  type KubernetesServerOptions,
  type Rule,
} from "../../dev/kubernetes/server.ts";
import {
  canonicalJson,
  desiredStateMessage,
  type Lease,
  type LeaseResult,
  type SignedDesired,
} from "../../protocol/lease.ts";
import type { EventRecord } from "../../protocol/record.ts";
import { HOUR } from "../../protocol/time.ts";

/** An agent syncs every step to its disk, and on a busy one that is most of a test's time. */
const MEMORY_DISK = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

const USER = "system:serviceaccount:observatory:observatory-agent";
const TOKEN = "agent-token";

/** What the chart grants to an agent of this configuration: more than that fails the test. */
const GRANTED = rulesOf(
  manifestsOf(
    renderChart({
      edge: "https://status.example.com",
      cluster: "eu-1",
      sources: { kubernetes: { inCluster: true, namespaces: ["shop"] } },
      leases: { targets: ["shop/checkout", "shop/reports"].map((ref) => ({ ref, modes: ["announce", "scale"] })) },
    }),
  ),
);
export const READ: readonly Rule[] = GRANTED.filter(({ verbs }) => !verbs.includes("patch"));
export const PATCH: readonly Rule[] = GRANTED.filter(({ verbs }) => verbs.includes("patch"));

const edge = generateKeyPairSync("ed25519");
const rawKey = Buffer.from(edge.publicKey.export({ format: "jwk" }).x ?? "", "base64url");
export const EDGE_KEY = rawKey.toString("base64");
export const KEY_ID = createHash("sha256").update(rawKey).digest().subarray(0, 16).toString("base64url");

export function lease(over: Partial<Lease> = {}): Lease {
  const now = Date.now();
  return {
    target: "shop/checkout",
    mode: "scale",
    replicas: 1,
    generation: 1,
    notBefore: now - 1_000,
    expiresAt: now + HOUR,
    maintenance: "abcdefghijkl",
    reason: "new disks",
    by: "ada",
    ...over,
  };
}

/** Signs any text as the edge would. */
export function signText(payload: string): SignedDesired {
  const digest = createHash("sha256").update(desiredStateMessage(payload)).digest();
  return { payload, keyId: KEY_ID, signature: sign(null, digest, edge.privateKey).toString("base64") };
}

export function desired(generation: number, leases: readonly Lease[], cluster = "eu-1"): SignedDesired {
  return signText(canonicalJson({ v: 1, cluster, generation, leases: leases.map((one) => ({ ...one })) }));
}

export function leasesConfig(over: object = {}): LeasesConfig {
  return v.parse(LeasesConfigSchema, {
    edgeKeys: [EDGE_KEY],
    budget: { maxShareOfTargets: 1 },
    targets: [
      { ref: "shop/checkout", modes: ["announce", "scale"], floor: 0, maxHours: 24 },
      { ref: "shop/reports", modes: ["announce"] },
    ],
    ...over,
  });
}

export interface TestCluster {
  readonly server: KubernetesServer;
  readonly client: KubernetesClient;
  readonly dataDir: string;
  readonly events: EventRecord[];
  /** What dry runs would have patched: `ref patch`. */
  readonly dryRuns: string[];
  /** `disk`: of an agent on another machine; without it, the folder that all agents of one machine follow one another in. */
  agent(config?: LeasesConfig, client?: KubernetesClient | null, disk?: string): Actuator;
  /** What the agents take for the time, and whether they know it. */
  readonly clock: { aheadMs: number; isKnown: boolean };
  /** The deployment in the words of the tests: replicas and the lease's annotations. */
  shows(name?: string): { readonly replicas: number; readonly annotations: Readonly<Record<string, string>> };
  stop(): Promise<void>;
}

export async function startCluster(
  options: Partial<KubernetesServerOptions> = {},
  pace?: LeasePace,
): Promise<TestCluster> {
  const dataDir = mkdtempSync(join(MEMORY_DISK, "actuator-"));
  const tokenFile = join(dataDir, "token");
  writeFileSync(tokenFile, `${TOKEN}\n`);
  const server = await startKubernetesServer({
    tokens: { [TOKEN]: USER },
    rbac: [...READ, ...PATCH],
    deployments: [
      { namespace: "shop", name: "checkout", replicas: 3 },
      { namespace: "shop", name: "reports", replicas: 2 },
    ],
    controllerDelayMs: 5,
    podReadyMs: 10,
    reverterDelayMs: 20,
    ...options,
  });
  const client = createKubernetesClient({ url: server.url, tokenFile, namespaces: ["shop"] });
  const actuators: Actuator[] = [];
  const events: EventRecord[] = [];
  const dryRuns: string[] = [];
  const clock = { aheadMs: 0, isKnown: true };
  await until(() => server.deployment("shop", "checkout").status["readyReplicas"] === 3);
  return {
    server,
    client,
    dataDir,
    events,
    dryRuns,
    clock,
    agent: (config = leasesConfig(), own: KubernetesClient | null = client, disk = ".") => {
      const onEvent = (event: EventRecord): void => void events.push(event);
      const now = (): number => Date.now() + clock.aheadMs;
      const actuator = startActuator({
        client: own,
        leases: config,
        cluster: "eu-1",
        dataDir: join(dataDir, disk),
        now,
        ...(pace === undefined ? {} : { pace }),
        isTimeKnown: () => clock.isKnown,
        onChange: () => {},
        onEvent,
        onDryRun: (ref, patch) => void dryRuns.push(`${ref} ${patch}`),
      });
      actuators.push(actuator);
      return actuator;
    },
    shows: (name = "checkout") => {
      const { spec, metadata } = server.deployment("shop", name);
      return { replicas: Number(spec["replicas"]), annotations: metadata.annotations ?? {} };
    },
    stop: async () => {
      // The dead among them wait for ever for an answer.
      await Promise.race([
        Promise.all(actuators.map((actuator) => actuator.stop())),
        new Promise((end) => setTimeout(end, 50)),
      ]);
      client.close();
      await server.stop();
      if (options.rbac === undefined && server.refused().length > 0)
        throw new Error(`the chart does not grant ${server.refused().join(", ")}`);
      rmSync(dataDir, { recursive: true });
    },
  };
}

/** Waits for something that must come; fails with what it saw last. */
export async function until(holds: () => boolean, limitMs = 8_000, seen: () => unknown = () => ""): Promise<void> {
  const giveUpAt = performance.now() + limitMs;
  while (!holds()) {
    if (performance.now() > giveUpAt) throw new Error(`did not come within ${limitMs} ms: ${JSON.stringify(seen())}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export function resultOf(actuator: Actuator, target = "shop/checkout"): LeaseResult | undefined {
  return actuator.report().targets.find((result) => result.target === target);
}

export async function untilState(
  actuator: Actuator,
  state: LeaseResult["state"],
  target = "shop/checkout",
): Promise<LeaseResult> {
  await until(
    () => resultOf(actuator, target)?.state === state,
    8_000,
    () => resultOf(actuator, target),
  );
  const result = resultOf(actuator, target);
  if (result === undefined) throw new Error(`no result of ${target}`);
  return result;
}

/** The name of a method of the client, as it is sent. */
type Call = Exclude<keyof KubernetesClient, "namespaces" | "close">;

/**
 * A client whose process dies at the call that `isLast` picks: before it is sent, or after the server has taken it but
 * before the agent hears so. What is under way at a death, or comes after it, never answers.
 */
export function dyingClient(
  client: KubernetesClient,
  isLast: (call: Call) => boolean,
  when: "before" | "after",
): { readonly client: KubernetesClient; dead(): boolean } {
  let isDead = false;
  const never = new Promise<never>(() => {});
  const through = async <T>(call: Call, send: () => Promise<T>): Promise<T> => {
    if (isDead) return never;
    isDead = isLast(call);
    if (isDead && when === "before") return never;
    const answer = await send();
    return isDead ? never : answer;
  };
  return {
    dead: () => isDead,
    client: {
      namespaces: client.namespaces,
      list: (resource, namespace) => through("list", () => client.list(resource, namespace)),
      watch: (resource, namespace, options) => through("watch", () => client.watch(resource, namespace, options)),
      deployment: (namespace, name) => through("deployment", () => client.deployment(namespace, name)),
      patchDeployment: (namespace, name, patch) =>
        through("patchDeployment", () => client.patchDeployment(namespace, name, patch)),
      autoscalers: (namespace) => through("autoscalers", () => client.autoscalers(namespace)),
      groupVersion: (group, versions) => through("groupVersion", () => client.groupVersion(group, versions)),
      lease: (namespace, name) => through("lease", () => client.lease(namespace, name)),
      putLease: (namespace, name, lease) => through("putLease", () => client.putLease(namespace, name, lease)),
      mayI: (access) => through("mayI", () => client.mayI(access)),
      close: () => {},
    },
  };
}
