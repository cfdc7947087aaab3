import { rmSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { HOUR, MINUTE } from "../../protocol/time.ts";
import {
  desired,
  lease,
  leasesConfig,
  PATCH,
  READ,
  resultOf,
  startCluster,
  until,
  untilState,
  type TestCluster,
} from "./cluster.ts";

let cluster: TestCluster;
beforeEach(async () => {
  cluster = await startCluster();
});
afterEach(() => cluster.stop());

const patches = (): readonly string[] => cluster.server.requests().filter((request) => request.startsWith("PATCH"));

describe("a lease that scales", () => {
  it("takes one patch, is said to be applied when the cluster shows it, and one patch brings the exact number back", async () => {
    const agent = cluster.agent();
    const wanted = lease();
    agent.offer(desired(1, [wanted]));
    const applied = await untilState(agent, "applied");
    expect(applied).toMatchObject({ generation: 1, evidence: { replicas: 1, ready: 1 } });
    expect(cluster.shows()).toEqual({
      replicas: 1,
      annotations: {
        maintenance: "true",
        "observatory.edge/prior-replicas": "3",
        "observatory.edge/applied-replicas": "1",
        "observatory.edge/generation": "1",
        "observatory.edge/expires-at": new Date(wanted.expiresAt).toISOString(),
      },
    });
    expect(patches()).toHaveLength(1);

    agent.offer(desired(2, []));
    expect(await untilState(agent, "released")).toMatchObject({ generation: 1, evidence: { replicas: 3, ready: 3 } });
    expect(cluster.shows()).toEqual({ replicas: 3, annotations: { "observatory.edge/generation": "1" } });
    expect(patches()).toHaveLength(2);
    expect(agent.report().observedGeneration).toBe(2);
    expect(cluster.events.map(({ body, subject }) => `${subject} ${String(body["state"])}`)).toEqual([
      "shop/checkout applied",
      "shop/checkout released",
    ]);
  });

  it("is not said to be applied while no controller has observed it", async () => {
    cluster.server.setControllers(false);
    const agent = cluster.agent();
    agent.offer(desired(1, [lease()]));
    await until(() => cluster.shows().replicas === 1);
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(resultOf(agent)).toMatchObject({ state: "pending", reason: expect.stringContaining("not observed") });
    cluster.server.setControllers(true);
    await untilState(agent, "applied");
  });

  it("keeps the first number when a newer lease goes further down", async () => {
    const agent = cluster.agent();
    agent.offer(desired(1, [lease({ replicas: 2 })]));
    await untilState(agent, "applied");
    agent.offer(desired(2, [lease({ replicas: 0, generation: 2 })]));
    await until(() => resultOf(agent)?.generation === 2 && resultOf(agent)?.state === "applied");
    expect(cluster.shows()).toMatchObject({ replicas: 0, annotations: { "observatory.edge/prior-replicas": "3" } });
    agent.offer(desired(3, []));
    await untilState(agent, "released");
    expect(cluster.shows().replicas).toBe(3);
  });

  it("that is given more time holds until then without a change, and says so under its new generation", async () => {
    const agent = cluster.agent();
    const now = Date.now();
    agent.offer(desired(1, [lease({ expiresAt: now + HOUR })]));
    await untilState(agent, "applied");
    for (const generation of [2, 3, 4, 5]) {
      const expiresAt = now + generation * HOUR;
      agent.offer(desired(generation, [lease({ expiresAt, generation })]));
      await until(() => resultOf(agent)?.generation === generation && resultOf(agent)?.state === "applied");
      expect(cluster.shows()).toMatchObject({
        replicas: 1,
        annotations: { "observatory.edge/expires-at": new Date(expiresAt).toISOString() },
      });
    }
    agent.offer(desired(6, []));
    await untilState(agent, "released");
    expect(cluster.shows().replicas).toBe(3);
  });

  it("that is given more time than its target allows holds until its former end, and says why no longer", async () => {
    const targets = [{ ref: "shop/checkout", modes: ["announce", "scale"], floor: 0, maxHours: 2 }];
    const agent = cluster.agent(leasesConfig({ targets }));
    const expiresAt = Date.now() + HOUR;
    agent.offer(desired(1, [lease({ expiresAt })]));
    await untilState(agent, "applied");
    agent.offer(desired(2, [lease({ expiresAt: expiresAt + 2 * HOUR, generation: 2 })]));
    await until(() => resultOf(agent)?.generation === 2);
    expect(resultOf(agent)).toMatchObject({ state: "pending", reason: expect.stringContaining("maxHours") });
    expect(cluster.shows()).toMatchObject({ replicas: 1, annotations: { "observatory.edge/generation": "1" } });
    cluster.clock.aheadMs = HOUR + MINUTE;
    await untilState(agent, "forbidden");
    expect(cluster.shows().replicas).toBe(3);
  });

  it("gives the replicas back and keeps the annotation when it becomes an announcement", async () => {
    const agent = cluster.agent();
    agent.offer(desired(1, [lease()]));
    await untilState(agent, "applied");
    agent.offer(desired(2, [lease({ mode: "announce", replicas: null, generation: 2 })]));
    await until(() => resultOf(agent)?.generation === 2 && resultOf(agent)?.state === "applied");
    expect(cluster.shows()).toMatchObject({ replicas: 3, annotations: { maintenance: "true" } });
    expect(cluster.shows().annotations).not.toHaveProperty("observatory.edge/prior-replicas");
  });

  it("only annotates a deployment that its owner had stopped, and never starts it", async () => {
    cluster.server.scale("shop", "checkout", 0);
    const agent = cluster.agent();
    agent.offer(desired(1, [lease({ replicas: 1 })]));
    await untilState(agent, "applied");
    expect(cluster.shows()).toMatchObject({ replicas: 0, annotations: { maintenance: "true" } });
    expect(cluster.shows().annotations).not.toHaveProperty("observatory.edge/prior-replicas");
    agent.offer(desired(2, []));
    await untilState(agent, "released");
    expect(cluster.shows().replicas).toBe(0);
  });

  it("that only announces leaves replicas alone", async () => {
    const agent = cluster.agent();
    agent.offer(desired(1, [lease({ target: "shop/reports", mode: "announce", replicas: null })]));
    await untilState(agent, "applied", "shop/reports");
    expect(cluster.shows("reports")).toMatchObject({ replicas: 2, annotations: { maintenance: "true" } });
    agent.offer(desired(2, []));
    await untilState(agent, "released", "shop/reports");
    expect(cluster.shows("reports")).toEqual({ replicas: 2, annotations: { "observatory.edge/generation": "1" } });
  });

  it("leaves an annotation that was there before it", async () => {
    cluster.server.annotate("shop", "reports", { maintenance: "true" });
    const agent = cluster.agent();
    agent.offer(desired(1, [lease({ target: "shop/reports", mode: "announce", replicas: null })]));
    await untilState(agent, "applied", "shop/reports");
    agent.offer(desired(2, []));
    await untilState(agent, "released", "shop/reports");
    expect(cluster.shows("reports").annotations).toEqual({ maintenance: "true", "observatory.edge/generation": "1" });
  });
});

describe("the end", () => {
  it("comes by itself with the edge gone, within two seconds, to the exact number", async () => {
    const agent = cluster.agent();
    const expiresAt = Date.now() + 1_500;
    agent.offer(desired(1, [lease({ expiresAt })]));
    await untilState(agent, "applied");
    await until(() => cluster.shows().replicas === 3);
    expect(Date.now() - expiresAt).toBeGreaterThanOrEqual(0);
    expect(Date.now() - expiresAt).toBeLessThan(2_000);
    expect(await untilState(agent, "expired")).toMatchObject({ generation: 1 });
    expect(cluster.shows().annotations).toEqual({ "observatory.edge/generation": "1" });
  });

  it("comes right after a start, from the annotations alone, with disk and edge lost", async () => {
    const first = cluster.agent();
    const expiresAt = Date.now() + 700;
    first.offer(desired(1, [lease({ expiresAt })]));
    await untilState(first, "applied");
    await first.stop();
    await until(() => Date.now() > expiresAt);
    rmSync(`${cluster.dataDir}/leases.json`);
    const second = cluster.agent();
    await untilState(second, "expired");
    expect(cluster.shows().replicas).toBe(3);
  });

  it("waits after a start until the time is known, and then does not come early", async () => {
    const first = cluster.agent();
    first.offer(desired(1, [lease()]));
    await untilState(first, "applied");
    await first.stop();
    Object.assign(cluster.clock, { aheadMs: 2 * HOUR, isKnown: false });
    const second = cluster.agent();
    await untilState(second, "applied");
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect([patches().length, cluster.shows().replicas]).toEqual([1, 1]);
    Object.assign(cluster.clock, { aheadMs: 0, isKnown: true });
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect(cluster.shows().replicas).toBe(1);
    // Known, because nobody could be asked for too long.
    cluster.clock.aheadMs = 2 * HOUR;
    await untilState(second, "expired");
    expect(cluster.shows().replicas).toBe(3);
  });

  it("does not wait for the time where the edge releases", async () => {
    const agent = cluster.agent();
    agent.offer(desired(1, [lease()]));
    await untilState(agent, "applied");
    cluster.clock.isKnown = false;
    agent.offer(desired(2, [lease({ generation: 2, replicas: 2 })]));
    await until(() => resultOf(agent)?.reason === "waits to hear from the edge what time it is");
    expect(cluster.shows().replicas).toBe(1);
    agent.offer(desired(3, []));
    await untilState(agent, "released");
    expect(cluster.shows().replicas).toBe(3);
  });

  it("does not come before its time while the edge is silent", async () => {
    const first = cluster.agent();
    first.offer(desired(1, [lease()]));
    await untilState(first, "applied");
    await first.stop();
    const second = cluster.agent();
    await untilState(second, "applied");
    expect(cluster.shows().replicas).toBe(1);
  });

  it("restores a target that left the configuration", async () => {
    const first = cluster.agent();
    first.offer(desired(1, [lease()]));
    await untilState(first, "applied");
    await first.stop();
    const second = cluster.agent(leasesConfig({ targets: [] }));
    await untilState(second, "released");
    expect(cluster.shows()).toEqual({ replicas: 3, annotations: { "observatory.edge/generation": "1" } });
  });

  it("holds where the configuration says hold", async () => {
    const agent = cluster.agent(
      leasesConfig({ targets: [{ ref: "shop/checkout", modes: ["scale"], floor: 1, onExpiry: "hold" }] }),
    );
    const expiresAt = Date.now() + 600;
    agent.offer(desired(1, [lease({ expiresAt })]));
    await untilState(agent, "applied");
    await until(() => Date.now() > expiresAt + 500);
    expect(cluster.shows().replicas).toBe(1);
    await until(() => resultOf(agent)?.reason.includes("held") === true);
    expect(cluster.events.some(({ body }) => String(body["reason"]).includes("held"))).toBe(true);
  });
});

describe("the cluster's owner wins", () => {
  it("when somebody scales the target: it is left as it is", async () => {
    const agent = cluster.agent();
    agent.offer(desired(1, [lease()]));
    await untilState(agent, "applied");
    cluster.server.scale("shop", "checkout", 5);
    const result = await untilState(agent, "superseded");
    expect(result.reason).toContain("kubectl set replicas to 5");
    expect(cluster.shows()).toEqual({ replicas: 5, annotations: { "observatory.edge/generation": "1" } });
  });

  it("when a person removes the annotation: replicas come back and the same lease is not put in force again", async () => {
    const agent = cluster.agent();
    const wanted = lease();
    agent.offer(desired(1, [wanted]));
    await untilState(agent, "applied");
    cluster.server.annotate("shop", "checkout", { maintenance: null });
    expect(await untilState(agent, "superseded")).toMatchObject({ reason: expect.stringContaining("by hand") });
    expect(cluster.shows()).toEqual({ replicas: 3, annotations: { "observatory.edge/generation": "1" } });
    agent.offer(desired(2, [{ ...wanted, generation: 2 }]));
    await until(() => resultOf(agent)?.generation === 2);
    expect(resultOf(agent)).toMatchObject({ state: "superseded" });
    expect(cluster.shows().replicas).toBe(3);
  });

  it("when a person removes the annotation and scales: the number is left as it is", async () => {
    const agent = cluster.agent();
    agent.offer(desired(1, [lease()]));
    await untilState(agent, "applied");
    cluster.server.scale("shop", "checkout", 5);
    cluster.server.annotate("shop", "checkout", { maintenance: null });
    await untilState(agent, "superseded");
    expect(cluster.shows()).toEqual({ replicas: 5, annotations: { "observatory.edge/generation": "1" } });
  });

  it("when an autoscaler that cannot be seen puts replicas back twice: conflict, and no fight", async () => {
    cluster.server.addAutoscaler("shop", "checkout", 2, { hidden: true });
    const agent = cluster.agent();
    agent.offer(desired(1, [lease()]));
    const result = await untilState(agent, "conflict");
    expect(result.reason).toContain("2 times");
    const count = patches().length;
    expect(count).toBe(3);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(patches()).toHaveLength(count);
    expect(cluster.shows()).toEqual({ replicas: 2, annotations: { "observatory.edge/generation": "1" } });
  });

  it("when a controller answers a try that was written, not one that the API server refused", async () => {
    cluster.server.addAutoscaler("shop", "checkout", 2, { hidden: true });
    const heard: number[] = [];
    cluster.server.onReplicas((ref, replicas) => void (ref === "shop/checkout" && heard.push(replicas)));
    let isStale = false;
    const racing = { ...cluster.client };
    racing.patchDeployment = (namespace, name, patch) => {
      // Another client writes between the agent's read and its second try.
      if (!isStale && cluster.shows().replicas === 2) {
        isStale = true;
        cluster.server.annotate(namespace, name, { touched: "1" });
      }
      return cluster.client.patchDeployment(namespace, name, patch);
    };
    const agent = cluster.agent(leasesConfig(), racing);
    agent.offer(desired(1, [lease()]));
    expect((await untilState(agent, "conflict")).reason).toContain("2 times");
    expect([isStale, heard]).toEqual([true, [1, 2, 1, 2]]);
  });

  it("when a GitOps owner puts replicas back twice: conflict", async () => {
    cluster.server.addOwner("shop", "checkout", 3, "argocd-controller");
    const agent = cluster.agent();
    agent.offer(desired(1, [lease()]));
    expect((await untilState(agent, "conflict")).reason).toContain("argocd-controller");
    expect(cluster.shows().replicas).toBe(3);
  });
});

describe("a dry run", () => {
  it("says what it would patch and patches nothing, neither to apply nor to restore", async () => {
    const first = cluster.agent();
    first.offer(desired(1, [lease({ target: "shop/reports", mode: "announce", replicas: null })]));
    await untilState(first, "applied", "shop/reports");
    await first.stop();
    const before = patches().length;
    const dry = cluster.agent(leasesConfig({ dryRun: true }));
    dry.offer(desired(2, [lease({ generation: 2 })]));
    expect(await untilState(dry, "forbidden")).toMatchObject({
      reason: expect.stringMatching(/leases\.dryRun is true: would patch .*"spec":\{"replicas":1\}/),
    });
    expect(await untilState(dry, "unverified", "shop/reports")).toMatchObject({
      reason: expect.stringContaining('"maintenance":null'),
    });
    expect(cluster.dryRuns).toEqual(expect.arrayContaining([expect.stringMatching(/^shop\/checkout \{/)]));
    expect(patches()).toHaveLength(before);
    expect(cluster.shows().replicas).toBe(3);
  });
});

describe("the API server", () => {
  it("answers 409: read and decided again, at most five times", async () => {
    let stale = 0;
    const racing = { ...cluster.client };
    racing.patchDeployment = (namespace, name, patch) => {
      stale += 1;
      // Another client writes between our read and our patch.
      cluster.server.annotate(namespace, name, { touched: String(stale) });
      return cluster.client.patchDeployment(namespace, name, patch);
    };
    const agent = cluster.agent(leasesConfig(), racing);
    agent.offer(desired(1, [lease()]));
    expect(await untilState(agent, "conflict")).toMatchObject({ reason: expect.stringContaining("5 tries") });
    expect(stale).toBe(5);
    expect(cluster.shows().replicas).toBe(3);
  });

  it("is away: pending, then applied when it is back", async () => {
    cluster.server.fail({ fault: "drop", times: 4 });
    const agent = cluster.agent();
    agent.offer(desired(1, [lease()]));
    await untilState(agent, "pending");
    cluster.server.heal();
    await untilState(agent, "applied");
  });

  it("is away while a lease is in force: unverified, then applied again", async () => {
    const first = cluster.agent();
    first.offer(desired(1, [lease()]));
    await untilState(first, "applied");
    await first.stop();
    cluster.server.fail({ fault: "500", times: 1_000 });
    const second = cluster.agent();
    expect(await untilState(second, "unverified")).toMatchObject({ reason: expect.stringContaining("500") });
    cluster.server.heal();
    await untilState(second, "applied");
    expect(cluster.shows().replicas).toBe(1);
  });
});

it.each([
  ["may not patch", READ, "forbidden", "403"],
  ["may not even read", PATCH, "forbidden", "403"],
])("an account that %s is told so", async (_name, rbac, state, reason) => {
  const other = await startCluster({ rbac });
  const agent = other.agent();
  agent.offer(desired(1, [lease()]));
  expect(await untilState(agent, state as "forbidden")).toMatchObject({ reason: expect.stringContaining(reason) });
  expect(other.shows().replicas).toBe(3);
  await other.stop();
});

it("an announcement without the right to write it is acknowledged, and ends", async () => {
  const other = await startCluster({ rbac: READ });
  const agent = other.agent();
  agent.offer(desired(1, [lease({ mode: "announce", replicas: null })]));
  expect(await untilState(agent, "applied")).toMatchObject({ reason: expect.stringContaining("acknowledged only") });
  expect(other.shows().annotations).toEqual({});
  agent.offer(desired(2, []));
  await untilState(agent, "released");
  await other.stop();
});
