/**
 * The agent dies before and after every call to the API server, in each of the worlds that a lease may meet. Whatever
 * the moment: in the end the replicas are exactly what they were, or somebody else's and said to be `superseded` or in
 * `conflict`; on the way they never flap, and never fall below what the lease may ask for; and each outcome is told once.
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
const PARALLEL = 24;
/** Lives in which a death's call may fail to come, because another look came at another moment. */
const TRIES_MAX = 4;
/** The first try of each patch, and the list of a start. */
const ESSENTIAL = /(patchDeployment|list) 1$/;
const LIMIT_MS = 45_000;
const PACE = { settlingMs: 25, inForceMs: 60 };
const CHECKOUT = { namespace: "shop", name: "checkout" };

/** `call`: what was asked for the how manieth time, of those that follow one step of the world or one patch. */
type Death = { readonly call: string; readonly when: "before" | "after" };

/** A cluster, the agent that lives in it now, and what happened to the replicas. */
interface Life {
  readonly cluster: TestCluster;
  readonly history: readonly number[];
  /** What the edge wants from now on; agents that are started later are told of it too. */
  wants(generation: number, leases: Parameters<typeof desired>[1]): void;
  /** The edge cannot be reached: what starts now hears nothing. */
  edgeIsGone(): void;
  /** Somebody else does something. */
  meanwhile(act: (cluster: TestCluster) => void): void;
  /** A new process with another configuration takes the place of the one that runs. */
  configure(config: LeasesConfig): Promise<void>;
  /** A second agent on another machine, told the same. */
  rival(): void;
  /** Until the living agent says this of the lease. */
  says(state: string): Promise<void>;
  until(holds: () => boolean): Promise<void>;
  /** The living agent's last word. */
  word(): string;
  /** What the edge is told has happened, each time it is told: `generation state`. */
  told(): readonly string[];
}

/** Plays one life, with one death in it; answers the agent's calls, each by a name of its own, up to that death. */
async function live(death: Death | null, play: (life: Life) => Promise<void>): Promise<readonly string[]> {
  const cluster = await startCluster({}, PACE);
  const history: number[] = [3];
  cluster.server.onReplicas((ref, replicas) => {
    if (ref === "shop/checkout" && history.at(-1) !== replicas) history.push(replicas);
  });
  const calls: string[] = [];
  let step = 0;
  let patches = 0;
  const patchDeployment: KubernetesClient["patchDeployment"] = async (...asked) => {
    const answer = await cluster.client.patchDeployment(...asked);
    if (answer.ok) patches += 1;
    return answer;
  };
  const isLast = (call: string): boolean => {
    const place = `step ${step}, ${patches} patched, ${call}`;
    const name = `${place} ${calls.filter((former) => former.startsWith(place)).length + 1}`;
    calls.push(name);
    return name === death?.call;
  };
  const dying = dyingClient({ ...cluster.client, patchDeployment }, isLast, death?.when ?? "before");
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
      step += 1;
      wanted = desired(generation, leases);
      if (!isEdgeGone) for (const one of [alive(), ...rivals]) one.offer(wanted);
    },
    edgeIsGone: () => void (isEdgeGone = true),
    meanwhile: (act) => {
      step += 1;
      act(cluster);
    },
    configure: async (next) => {
      step += 1;
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
    says: (state) =>
      until(
        () => resultOf(alive())?.state === state,
        LIMIT_MS,
        () => [`waits for ${state}`, resultOf(alive()), history],
      ),
    until: (holds) =>
      until(
        () => (alive(), holds()),
        LIMIT_MS,
        () => [resultOf(alive()), history, cluster.shows()],
      ),
    word: () => resultOf(alive())?.reason ?? "",
    told: () => cluster.events.map(({ body }) => `${String(body["generation"])} ${String(body["state"])}`),
  };
  await play(life);
  await cluster.stop();
  return calls;
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

/** A controller has won: at most two tries, and none after it was said. */
async function leftAlone(life: Life, down: number, hint: string): Promise<void> {
  await life.says("conflict");
  expect(life.word()).toContain(hint);
  await life.until(() => replicas(life) === 3 && isClean(life));
  const { length } = life.history;
  await new Promise((done) => setTimeout(done, 100));
  expect(life.history).toEqual([3, down, 3, down, 3].slice(0, length));
  // What a controller had not yet answered may have been seen, and said.
  expect(life.told().filter((outcome) => outcome !== "1 applied")).toEqual(["1 conflict"]);
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
      await life.says("released");
      expect(life.told()).toEqual(["1 applied", "1 released"]);
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
      await life.says("released");
      expect(life.told()).toEqual(["1 forbidden", "2 applied", "2 released"]);
    },
  ],
  [
    "a GitOps owner that puts replicas back",
    async (life) => {
      life.cluster.server.addOwner("shop", "checkout", 3, "argocd-controller");
      life.wants(1, [lease()]);
      await leftAlone(life, 1, "argocd.argoproj.io/skip-reconcile");
    },
  ],
  [
    "KEDA, which starts what it scales",
    async (life) => {
      const { server } = life.cluster;
      server.addAutoscaler("shop", "checkout", 1, { keda: true });
      server.addOwner("shop", "checkout", 3, "keda-operator");
      life.wants(1, [lease({ replicas: 0 })]);
      await leftAlone(life, 0, "autoscaling.keda.sh/paused-replicas");
    },
  ],
  [
    "a third party that scales meanwhile",
    async (life) => {
      life.wants(1, [lease()]);
      await life.says("applied");
      life.meanwhile(({ server }) => server.scale("shop", "checkout", 5));
      await life.says("superseded");
      await life.until(() => isClean(life));
      life.wants(2, []);
      await new Promise((done) => setTimeout(done, 100));
      expect([life.history, replicas(life)]).toEqual([[3, 1, 5], 5]);
      expect(life.told()).toEqual(["1 applied", "1 superseded"]);
    },
  ],
  [
    "a deployment that is deleted and made anew",
    async (life) => {
      life.wants(1, [lease()]);
      await life.says("applied");
      life.meanwhile(({ server }) => server.remove("shop", "checkout"));
      await life.says("unverified");
      life.meanwhile(({ server }) => server.create({ ...CHECKOUT, replicas: 4 }));
      await life.says("superseded");
      life.wants(2, []);
      await new Promise((done) => setTimeout(done, 100));
      expect([life.history, replicas(life), isClean(life)]).toEqual([[3, 1, 4], 4, true]);
      expect(life.told()).toEqual(["1 applied", "1 superseded"]);
    },
  ],
  [
    "a configuration that no longer has the target",
    async (life) => {
      life.wants(1, [lease()]);
      await life.says("applied");
      await life.configure(leasesConfig({ targets: [] }));
      await restored(life, 1);
      await life.says("released");
      expect(life.told()).toEqual(["1 applied", "1 released"]);
    },
  ],
  [
    "an expiry with nobody to ask",
    async (life) => {
      life.wants(1, [lease()]);
      await life.says("applied");
      life.edgeIsGone();
      life.meanwhile(({ clock }) => (clock.aheadMs = 2 * HOUR));
      await restored(life, 1);
      await life.says("expired");
      expect(life.told()).toEqual(["1 applied", "1 expired"]);
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
      expect([life.history, life.told()]).toEqual([[3, 1], ["1 applied"]]);
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
      await life.says("released");
      // Each tells it, under one id, by which the edge knows it for one.
      const ids = new Map(life.cluster.events.map(({ id }, i) => [id, life.told()[i]]));
      expect([...ids.values()]).toEqual(["1 applied", "1 released"]);
    },
  ],
];

it.each(WORLDS)("a death before and after every call, with %s", { timeout: 120_000 }, async (name, play) => {
  const calls = await live(null, play);
  const deaths = calls.flatMap((call) =>
    (["before", "after"] as const).map((when) => ({ call, when, tries: TRIES_MAX })),
  );
  const failed: string[] = [];
  const missed: string[] = [];
  const worker = async (): Promise<void> => {
    for (let death = deaths.shift(); death !== undefined; death = deaths.shift()) {
      const { call, when, tries } = death;
      const met = await live(death, play).catch((error: unknown) => {
        failed.push(`${name}, ${when} ${call}: ${String(error)}`);
        return null;
      });
      if (met === null || met.includes(call)) continue;
      if (tries > 1) deaths.push({ call, when, tries: tries - 1 });
      else missed.push(`${when} ${call}`);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
  expect(failed).toEqual([]);
  // Of looks that only repeat the one before there may be fewer; what a life cannot do without has been its last call.
  expect(missed.filter((death) => ESSENTIAL.test(death))).toEqual([]);
});
