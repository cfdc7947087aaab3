/**
 * The agent dies before and after every call to the API server, in each of the worlds that a lease may meet. Whatever
 * the moment: in the end the replicas are exactly what they were, or somebody else's and said to be `superseded` or in
 * `conflict`; on the way they never flap, and never fall below what the lease may ask for.
 */
import { expect, it } from "vitest";
import type { Actuator } from "../../agent/actuator.ts";
import type { LeasesConfig } from "../../agent/core/lease.ts";
import type { KubernetesClient } from "../../agent/kubernetes/client.ts";
import { HOUR } from "../../protocol/time.ts";
import {
  desired,
  dyingClient,
  lease,
  leasesConfig,
  resultOf,
  startCluster,
  until,
  type TestCluster,
} from "./cluster.ts";

/** Worlds at once. */
const PARALLEL = 12;
const LIMIT_MS = 45_000;
const PACE = { settlingMs: 25, inForceMs: 60 };
const CHECKOUT = { namespace: "shop", name: "checkout" };

type Death = { readonly call: number; readonly when: "before" | "after" };

/** A cluster, the agent that lives in it now, and what happened to the replicas. */
interface Life {
  readonly cluster: TestCluster;
  readonly history: readonly number[];
  /** What the edge wants from now on; agents that are started later are told of it too. */
  wants(generation: number, leases: Parameters<typeof desired>[1]): void;
  /** The edge cannot be reached: what starts now hears nothing. */
  edgeIsGone(): void;
  /** A new process with another configuration takes the place of the one that runs. */
  configure(config: LeasesConfig): Promise<void>;
  /** A second agent on another machine, told the same. */
  rival(): void;
  /** Until the living agent says this of the lease. */
  says(...states: readonly string[]): Promise<void>;
  until(holds: () => boolean): Promise<void>;
  /** The living agent's last word. */
  word(): string;
}

async function live(death: Death | null, play: (life: Life) => Promise<void>): Promise<number> {
  const cluster = await startCluster({}, PACE);
  const history: number[] = [3];
  cluster.server.onReplicas((ref, replicas) => {
    if (ref === "shop/checkout" && history.at(-1) !== replicas) history.push(replicas);
  });
  const calls = { count: 0 };
  const dying = dyingClient(
    counted(cluster.client, calls),
    death?.call ?? Number.POSITIVE_INFINITY,
    death?.when ?? "before",
  );
  let config = leasesConfig();
  let wanted: ReturnType<typeof desired> | null = null;
  let isEdgeGone = false;
  let hasDied = false;
  const rivals: Actuator[] = [];
  let agent = cluster.agent(config, dying.client);
  const start = (client: KubernetesClient): void => {
    agent = cluster.agent(config, client);
    if (wanted !== null && !isEdgeGone) agent.offer(wanted);
  };
  /** The agent that lives; where the first one has died, the one that was started in its place. */
  const alive = (): Actuator => {
    if (dying.dead() && !hasDied) {
      hasDied = true;
      start(cluster.client);
    }
    return agent;
  };
  const life: Life = {
    cluster,
    history,
    wants: (generation, leases) => {
      wanted = desired(generation, leases);
      if (!isEdgeGone) for (const one of [alive(), ...rivals]) one.offer(wanted);
    },
    edgeIsGone: () => void (isEdgeGone = true),
    configure: async (next) => {
      config = next;
      const former = alive();
      // What has died never answers, so nothing is waited for.
      await Promise.race([former.stop(), new Promise((done) => setTimeout(done, 50))]);
      start(hasDied ? cluster.client : dying.client);
    },
    rival: () => {
      const other = cluster.agent(config, cluster.client, "other");
      if (wanted !== null) other.offer(wanted);
      rivals.push(other);
    },
    says: (...states) =>
      until(
        () => states.includes(resultOf(alive())?.state ?? ""),
        LIMIT_MS,
        () => [resultOf(alive()), history],
      ),
    until: (holds) =>
      until(
        () => (alive(), holds()),
        LIMIT_MS,
        () => [resultOf(alive()), history, cluster.shows()],
      ),
    word: () => resultOf(alive())?.reason ?? "",
  };
  await play(life);
  await cluster.stop();
  return calls.count;
}

/** Counts the calls of an undisturbed life, so that each of them can be the last one. */
function counted(client: KubernetesClient, calls: { count: number }): KubernetesClient {
  const through = <R>(send: () => R): R => {
    calls.count += 1;
    return send();
  };
  return {
    ...client,
    list: (resource, namespace) => through(() => client.list(resource, namespace)),
    deployment: (namespace, name) => through(() => client.deployment(namespace, name)),
    patchDeployment: (namespace, name, patch) => through(() => client.patchDeployment(namespace, name, patch)),
    autoscalers: (namespace) => through(() => client.autoscalers(namespace)),
  };
}

const MARKS = /^(maintenance|observatory\.edge\/(prior|applied|expires))/;
const isClean = ({ cluster }: Life): boolean =>
  !Object.keys(cluster.shows().annotations).some((key) => MARKS.test(key));
const replicas = ({ cluster }: Life): number => cluster.shows().replicas;
/** Former pods are back, nothing is left on the deployment, and the number went down once and up once. */
async function restored(life: Life, down: number): Promise<void> {
  await life.until(() => replicas(life) === 3 && isClean(life));
  expect(life.history).toEqual([3, down, 3]);
}

/** Each plays one lease to its end and says what must be true. */
const WORLDS: readonly (readonly [name: string, play: (life: Life) => Promise<void>])[] = [
  [
    "plain",
    async (life) => {
      life.wants(1, [lease()]);
      await life.says("applied");
      life.wants(2, []);
      await restored(life, 1);
      await life.says("released", "");
    },
  ],
  [
    "an autoscaler, under which only 0 holds",
    async (life) => {
      life.cluster.server.addAutoscaler("shop", "checkout", 2);
      life.wants(1, [lease({ replicas: 1 })]);
      await life.says("forbidden");
      expect(life.history).toEqual([3]);
      life.wants(2, [lease({ replicas: 0, generation: 2 })]);
      await life.says("applied");
      life.wants(3, []);
      await restored(life, 0);
    },
  ],
  [
    "a GitOps owner that puts replicas back",
    async (life) => {
      life.cluster.server.addOwner("shop", "checkout", 3, "argocd-controller");
      life.wants(1, [lease()]);
      await life.says("conflict");
      expect(life.word()).toContain("argocd.argoproj.io/skip-reconcile");
      await life.until(() => replicas(life) === 3 && isClean(life));
      // Two tries, and no third one.
      await new Promise((done) => setTimeout(done, 150));
      expect(life.history.filter((number) => number === 1).length).toBeLessThanOrEqual(2);
      expect(replicas(life)).toBe(3);
    },
  ],
  [
    "KEDA, which starts what it scales",
    async (life) => {
      const { server } = life.cluster;
      server.addAutoscaler("shop", "checkout", 1, { keda: true });
      server.addOwner("shop", "checkout", 3, "keda-operator");
      life.wants(1, [lease({ replicas: 0 })]);
      await life.says("conflict");
      expect(life.word()).toContain("autoscaling.keda.sh/paused-replicas");
      await life.until(() => replicas(life) === 3 && isClean(life));
      await new Promise((done) => setTimeout(done, 150));
      expect(life.history.filter((number) => number === 0).length).toBeLessThanOrEqual(2);
    },
  ],
  [
    "a third party that scales meanwhile",
    async (life) => {
      life.wants(1, [lease()]);
      await life.says("applied");
      life.cluster.server.scale("shop", "checkout", 5);
      await life.says("superseded");
      await life.until(() => isClean(life));
      life.wants(2, []);
      await new Promise((done) => setTimeout(done, 100));
      expect([life.history, replicas(life)]).toEqual([[3, 1, 5], 5]);
    },
  ],
  [
    "a deployment that is deleted and made anew",
    async (life) => {
      const { server } = life.cluster;
      life.wants(1, [lease()]);
      await life.says("applied");
      server.remove("shop", "checkout");
      await life.says("unverified");
      server.create({ ...CHECKOUT, replicas: 4 });
      await life.says("superseded");
      life.wants(2, []);
      await new Promise((done) => setTimeout(done, 100));
      expect([life.history, replicas(life), isClean(life)]).toEqual([[3, 1, 4], 4, true]);
    },
  ],
  [
    "a configuration that no longer has the target",
    async (life) => {
      life.wants(1, [lease()]);
      await life.says("applied");
      await life.configure(leasesConfig({ targets: [] }));
      await restored(life, 1);
    },
  ],
  [
    "an expiry with nobody to ask",
    async (life) => {
      life.wants(1, [lease()]);
      await life.says("applied");
      life.edgeIsGone();
      life.cluster.clock.aheadMs = 2 * HOUR;
      await restored(life, 1);
      await life.says("expired");
    },
  ],
  [
    "an edge that cannot be reached for a while",
    async (life) => {
      // Gone at once: who starts after a death knows from the disk alone what was wanted.
      life.wants(1, [lease()]);
      life.edgeIsGone();
      await life.says("applied");
      await life.configure(leasesConfig());
      await life.says("applied");
      await new Promise((done) => setTimeout(done, 150));
      expect(life.history).toEqual([3, 1]);
    },
  ],
  [
    "two agents that both act",
    async (life) => {
      life.wants(1, [lease()]);
      life.rival();
      await life.says("applied");
      await life.until(() => replicas(life) === 1);
      life.wants(2, []);
      await restored(life, 1);
    },
  ],
];

it.each(WORLDS)("a death before or after every call, with %s", { timeout: 120_000 }, async (name, play) => {
  const calls = await live(null, play);
  expect(calls).toBeGreaterThan(4);
  // A wait's own looks repeat the one before: what follows this many calls has been played.
  const deaths = Array.from({ length: Math.min(calls, 14) }, (_, i) => i + 1).flatMap((call) =>
    (["before", "after"] as const).map((when): Death => ({ call, when })),
  );
  const failed: string[] = [];
  const worker = async (): Promise<void> => {
    for (let death = deaths.shift(); death !== undefined; death = deaths.shift()) {
      const { call, when } = death;
      await live(death, play).catch((error: unknown) => failed.push(`${name}, ${when} call ${call}: ${String(error)}`));
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
  expect(failed).toEqual([]);
});
