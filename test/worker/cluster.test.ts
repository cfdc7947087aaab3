import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { createScheduledController } from "cloudflare:test";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { DesiredState } from "../../protocol/lease.ts";
import { agentPath, PUSH_PATH, SESSION_PATH } from "../../protocol/path.ts";
import type { SignedDesired } from "../../protocol/lease.ts";
import type { Cluster } from "../../worker/objects/cluster.ts";
import worker from "../../worker/index.ts";
import { boardOf, clusterOf } from "../../worker/objects/env.ts";
import type { Agent, Receipt } from "./agent.ts";
import {
  NO_LEASES,
  bindings,
  call,
  cli,
  enroll,
  enrolledAgent,
  gzip,
  liveService,
  makeAgent,
  onBoard,
  openSession,
  windowOf,
} from "./agent.ts";
import { fillOutbox } from "./database.ts";

const board = boardOf(bindings);
const FLUSH_MS = Number(bindings.FLUSH_INTERVAL_MS);

afterEach(() => vi.restoreAllMocks());

async function statusOf(name: string): Promise<string | undefined> {
  return (await board.snapshot()).components.find((component) => component.name === name)?.outlook[0]?.status;
}

function publish(name: string, service: string): Promise<Response> {
  return cli("PUT", "/cli/v1/components", { components: [{ name, group: null, services: [service] }] });
}

/** A second agent of the same cluster. */
async function secondAgent(cluster: string): Promise<Agent> {
  const agent = await makeAgent(cluster);
  const { code } = await (await cli("POST", "/cli/v1/enrollments", { cluster })).json<{ code: string }>();
  expect((await enroll(agent, code)).status).toBe(200);
  return agent;
}

/** An object's tables; making them is the first thing that it would store. */
function tablesOf(cluster: string): Promise<readonly unknown[]> {
  return runInDurableObject(clusterOf(bindings, cluster), (_, { storage }) =>
    storage.sql.exec("SELECT name FROM sqlite_master").toArray(),
  );
}

function alarmOf(cluster: string): Promise<number | null> {
  return runInDurableObject(clusterOf(bindings, cluster), (_, { storage }) => storage.getAlarm());
}

async function isDown(): Promise<never> {
  throw new Error("the board is down");
}

describe("with the outbox full", () => {
  it("records are refused, but what is now is heard with and without them", async () => {
    const agent = await enrolledAgent("full-1");
    await publish("Full one", "full-1/shop/checkout");
    await fillOutbox(agent);
    const answer = await agent.push({ epoch: agent.epoch, records: { first: 165, items: [windowOf(2)] } });
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([429, "30"]);
    await expect.poll(() => statusOf("Full one")).toBe("operational");
    expect((await agent.push({ epoch: agent.epoch, records: { first: 165, items: [] } })).status).toBe(200);
  });

  it("an agent that is fenced is not heard", async () => {
    const agent = await enrolledAgent("full-2");
    await publish("Full two", "full-2/shop/checkout");
    await fillOutbox(agent);
    const late = { epoch: agent.epoch - 1, records: { first: 165, items: [windowOf(2)] } };
    expect((await agent.push(late)).status).toBe(409);
    expect((await board.operatorView()).tells.some(({ cluster }) => cluster === "full-2")).toBe(false);
  });
});

describe("a key that is taken away", () => {
  it("ends its own session and silences nobody else", async () => {
    const first = await enrolledAgent("revoke-1");
    const second = await secondAgent("revoke-1");
    await publish("Revoke one", "revoke-1/shop/checkout");
    await second.push({ epoch: first.epoch });
    await expect.poll(() => statusOf("Revoke one")).toBe("operational");
    const session = await openSession(second);
    const closed = vi.fn<(code: number) => void>();
    void session.closed.then(closed);
    expect(await clusterOf(bindings, "revoke-1").revokeKey(first.keyId)).toBe(true);
    expect(await statusOf("Revoke one")).toBe("operational");
    expect((await second.push({ epoch: first.epoch })).status).toBe(200);
    expect(closed).not.toHaveBeenCalled();
    expect(await clusterOf(bindings, "revoke-1").revokeKey(second.keyId)).toBe(true);
    expect(await session.closed).toBe(4401);
    expect(await statusOf("Revoke one")).toBe("unknown");
  });

  it("is refused in the middle of a push, and what that push says is not heard", async () => {
    const agent = await enrolledAgent("revoke-2");
    await publish("Revoke two", "revoke-2/shop/checkout");
    // A push that asks the Board for leases: the key is taken away while it waits for the answer.
    const restore = await onBoard("leasesOf", async () => {
      await clusterOf(bindings, "revoke-2").revokeKey(agent.keyId);
      return [];
    });
    const leases = { ...NO_LEASES, observedGeneration: 7 };
    expect((await agent.push({ epoch: agent.epoch }, { leases })).status).toBe(401);
    restore();
    expect(await statusOf("Revoke two")).toBe("unknown");
    expect((await board.operatorView()).tells.some(({ cluster }) => cluster === "revoke-2")).toBe(false);
  });

  it("is gone at once though the Board is down, which hears of it when it is back", async () => {
    const agent = await enrolledAgent("revoke-3");
    await publish("Revoke three", "revoke-3/shop/checkout");
    await agent.push({ epoch: agent.epoch });
    await expect.poll(() => statusOf("Revoke three")).toBe("operational");
    const session = await openSession(agent);
    const cluster = clusterOf(bindings, "revoke-3");
    const restore = await onBoard("identify", isDown);
    expect(await cluster.revokeKey(agent.keyId)).toBe(true);
    restore();
    expect(await session.closed).toBe(4401);
    expect((await agent.push({ epoch: agent.epoch })).status).toBe(401);
    await evictDurableObject(cluster);
    expect(await alarmOf("revoke-3")).not.toBeNull();
    await runDurableObjectAlarm(cluster);
    const known = (await board.operatorView()).clusters.find((identity) => identity.cluster === "revoke-3");
    expect(known?.keys.map(({ state }) => state)).toEqual(["revoked"]);
    expect(await statusOf("Revoke three")).toBe("unknown");
  });
});

describe("a stranger", () => {
  it("has nothing stored, whichever door is tried", async () => {
    const stranger = await makeAgent("nobody-here");
    expect((await stranger.push()).status).toBe(401);
    expect((await enroll(stranger, "A".repeat(32))).status).toBe(401);
    const upgrade = await call(agentPath(SESSION_PATH, "nobody-here"), { headers: { upgrade: "websocket" } });
    expect(upgrade.status).toBe(404);
    await clusterOf(bindings, "nobody-here").wake();
    expect(await tablesOf("nobody-here")).toEqual([]);
    expect(await alarmOf("nobody-here")).toBeNull();
  });

  it("who knows a key's id costs no more than a hundred checks a minute", async () => {
    const agent = await enrolledAgent("guessed");
    const path = agentPath(PUSH_PATH, "guessed");
    const [body, other] = [await gzip("{}"), await gzip("[]")];
    const forged = async (): Promise<number> => (await agent.request(path, body, { body: other })).status;
    const seen = new Set<number>();
    for (let i = 0; i < 101; i++) seen.add(await forged());
    expect([...seen]).toEqual([401]);
    expect(await forged()).toBe(429);
    // One that names no known key is refused as ever, and learns nothing of the count.
    expect((await (await makeAgent("guessed")).push()).status).toBe(401);
  });
});

describe("a wake", () => {
  it("looks for a lost alarm, and does not send at once what Postgres may have", async () => {
    const agent = await enrolledAgent("wake-1");
    const cluster = clusterOf(bindings, "wake-1");
    await agent.push({ epoch: agent.epoch, records: { first: 1, items: [windowOf(3)] } });
    await runInDurableObject(cluster, (_, { storage }) => storage.deleteAlarm());
    await evictDurableObject(cluster);
    await cluster.wake();
    expect((await alarmOf("wake-1")) ?? 0).toBeGreaterThan(Date.now() + FLUSH_MS - 5_000);
  });

  it("comes every minute to clusters at which facts have waited for too long", async () => {
    const agent = await enrolledAgent("wake-2");
    await agent.push({ epoch: agent.epoch, records: { first: 1, items: [windowOf(3)] } });
    const told = async () => (await board.operatorView()).tells.find(({ cluster }) => cluster === "wake-2");
    await expect.poll(async () => (await told())?.backlog.waiting).toBe(1);
    await runInDurableObject(clusterOf(bindings, "wake-2"), (_, { storage }) => storage.deleteAlarm());
    const wake = () => worker.scheduled(createScheduledController({ scheduledTime: Date.now() }), bindings);
    await wake();
    // They have only just come: the next flush is not due yet.
    expect(await alarmOf("wake-2")).toBeNull();
    const known = await told();
    if (known !== undefined)
      await board.hear({
        ...known,
        heardAt: known.heardAt + 1,
        backlog: { waiting: 1, since: Date.now() - 3 * 60 * 60_000 },
      });
    await wake();
    expect(await alarmOf("wake-2")).not.toBeNull();
  });
});

describe("with a session open", () => {
  it("an object that left memory does not tell the Board again what it told before, but what is new", async () => {
    const agent = await enrolledAgent("told");
    await openSession(agent);
    await agent.push({ epoch: agent.epoch });
    await expect
      .poll(async () => (await board.operatorView()).tells.some(({ cluster }) => cluster === "told"))
      .toBe(true);
    const heard: (string | undefined)[] = [];
    await onBoard("hear", async ({ services }) => void heard.push(services[0]?.status));
    await evictDurableObject(clusterOf(bindings, "told"));
    await agent.push({ epoch: agent.epoch });
    await evictDurableObject(clusterOf(bindings, "told"));
    await agent.push({ epoch: agent.epoch }, { services: [liveService(0.3)] });
    await expect.poll(() => heard).toEqual(["partial_outage"]);
  });
});

describe("records", () => {
  it("of which none can be used are answered 422 with the receipt", async () => {
    const agent = await enrolledAgent("unusable");
    const answer = await agent.push({ epoch: agent.epoch, records: { first: 1, items: ["text", {}] } }, null);
    expect(answer.status).toBe(422);
    expect(await answer.json<Receipt>()).toMatchObject({
      epoch: agent.epoch,
      received: 3,
      rejected: [
        { seq: 1, reason: "malformed" },
        { seq: 2, reason: "malformed" },
      ],
    });
  });

  it("that come again as something else are logged, and the first are kept", async () => {
    const agent = await enrolledAgent("conflict");
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const send = (...items: object[]) => agent.push({ epoch: agent.epoch, records: { first: 1, items } });
    await send(windowOf(3), windowOf(2));
    await send(windowOf(3), windowOf(2), windowOf(1));
    expect(warn).not.toHaveBeenCalled();
    expect((await send(windowOf(3), { ...windowOf(2), requests: 61 })).status).toBe(200);
    expect(warn.mock.calls.flat().map((line) => JSON.parse(String(line)))).toEqual([
      { event: "record_conflict", cluster: "conflict", epoch: agent.epoch, seq: 2, count: 1 },
    ]);
    const bodies = await runInDurableObject(clusterOf(bindings, "conflict"), (_, { storage }) =>
      storage.sql.exec<{ body: string }>("SELECT body FROM outbox").toArray(),
    );
    const requests = bodies.flatMap(({ body }) => [...body.matchAll(/"requests":(\d+)/g)].map(([, n]) => n));
    expect(requests).toEqual(["60", "60", "60"]);
  });
});

describe("a Cluster whose desired state was rewound", () => {
  const request = { name: "A", reason: "b", mode: "announce", replicas: null, hours: 1 } as const;

  async function startLease(cluster: string, service: string): Promise<{ id: string; generation: number }> {
    const started = await board.startMaintenance({ ...request, cluster, service }, "test");
    if (!started.ok) throw new Error("not started");
    const { id } = started.value;
    const generation = async () =>
      (await board.operatorView()).maintenances.find((known) => known.id === id)?.generation;
    await expect.poll(generation).toBeGreaterThan(0);
    return { id, generation: (await generation()) ?? 0 };
  }

  /** Brings the desired state back to what it was before `forget` was run. */
  async function rewound<T>(cluster: Cluster | DurableObjectStub<Cluster>, forget: () => Promise<T>): Promise<T> {
    const stub = cluster as DurableObjectStub<Cluster>;
    const held = await runInDurableObject(stub, (_, { storage }) =>
      storage.sql.exec("SELECT * FROM meta WHERE key = 'desired'").toArray(),
    );
    const forgotten = await forget();
    await runInDurableObject(stub, (_, { storage }) => {
      storage.sql.exec("DELETE FROM meta WHERE key = 'desired'");
      for (const { key, value } of held) storage.sql.exec("INSERT INTO meta VALUES (?, ?)", key, value);
    });
    await evictDurableObject(stub);
    return forgotten;
  }

  async function desiredOf(agent: Agent & { readonly epoch: number }, observed: number): Promise<DesiredState | null> {
    const leases = { ...NO_LEASES, observedGeneration: observed };
    const { desired } = await (
      await agent.push({ epoch: agent.epoch }, { leases })
    ).json<{ desired?: SignedDesired }>();
    return desired === undefined ? null : (JSON.parse(desired.payload) as DesiredState);
  }

  it("gives its agent a newer one, with the leases that the Board still wants", async () => {
    const agent = await enrolledAgent("rewound-1");
    const { id, generation } = await rewound(clusterOf(bindings, "rewound-1"), () =>
      startLease("rewound-1", "shop/checkout"),
    );
    const healed = await desiredOf(agent, generation);
    expect(healed?.generation).toBeGreaterThan(generation);
    expect(healed?.leases).toMatchObject([{ target: "shop/checkout", maintenance: id, generation }]);
    expect(await desiredOf(agent, healed?.generation ?? 0)).toBeNull();
    await board.endMaintenance(id, "test");
    await expect.poll(async () => (await desiredOf(agent, healed?.generation ?? 0))?.leases).toEqual([]);
  });

  it("releases a lease that it has forgotten, and not the one beside it", async () => {
    const agent = await enrolledAgent("rewound-2");
    const cluster = clusterOf(bindings, "rewound-2");
    const [first, second] = await rewound(cluster, async () => [
      await startLease("rewound-2", "shop/checkout"),
      await startLease("rewound-2", "shop/cart"),
    ]);
    await board.endMaintenance(first?.id ?? "", "test");
    await expect
      .poll(async () => (await desiredOf(agent, second?.generation ?? 0))?.leases.map(({ target }) => target))
      .toEqual(["shop/cart"]);
    expect((await desiredOf(agent, second?.generation ?? 0))?.generation).toBeGreaterThan(second?.generation ?? 0);
  });

  it("does not release by a new lease what it has forgotten", async () => {
    const agent = await enrolledAgent("rewound-3");
    const first = await rewound(clusterOf(bindings, "rewound-3"), () => startLease("rewound-3", "shop/checkout"));
    const second = await startLease("rewound-3", "shop/cart");
    const desired = await desiredOf(agent, first.generation);
    expect(desired?.generation).toBe(second.generation);
    expect(desired?.leases.map(({ target }) => target).toSorted()).toEqual(["shop/cart", "shop/checkout"]);
  });

  it("leaves its agent alone while the Board cannot say what is wanted", async () => {
    const agent = await enrolledAgent("rewound-4");
    const { generation } = await rewound(clusterOf(bindings, "rewound-4"), () =>
      startLease("rewound-4", "shop/checkout"),
    );
    const restore = await onBoard("leasesOf", isDown);
    expect(await desiredOf(agent, generation)).toBeNull();
    restore();
    expect((await desiredOf(agent, generation))?.leases).toHaveLength(1);
  });

  it("does not believe a generation from the future", async () => {
    const agent = await enrolledAgent("rewound-5");
    expect(await desiredOf(agent, Number.MAX_SAFE_INTEGER)).toBeNull();
    expect(await tablesOf("rewound-5")).not.toEqual([]);
    const { generation } = await startLease("rewound-5", "shop/checkout");
    expect(generation).toBeLessThan(Date.now() + 60_000);
  });
});
