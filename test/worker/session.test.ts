/** Pushes over the session: the same rules as over HTTP, on a socket that was proved once. */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { PUSH_BYTES_MAX } from "../../protocol/limits.ts";
import type { Cluster } from "../../worker/objects/cluster.ts";
import { boardOf, clusterOf } from "../../worker/objects/env.ts";
import {
  NO_LEASES,
  bindings,
  connectSession,
  enrolledAgent,
  gzip,
  liveService,
  onBoard,
  openSession,
  proofOf,
  pushBody,
  windowOf,
} from "./agent.ts";
import { fillOutbox } from "./database.ts";
import { pass } from "./sender.ts";

const board = boardOf(bindings);

async function heardAt(cluster: string): Promise<number> {
  return (await board.operatorView()).tells.find((tell) => tell.cluster === cluster)?.heardAt ?? 0;
}

/** What the proved socket of a cluster remembers. */
function attachments(cluster: string): Promise<readonly Record<string, unknown>[]> {
  return runInDurableObject(clusterOf(bindings, cluster), (_, state) =>
    state.getWebSockets().map((socket) => socket.deserializeAttachment() as Record<string, unknown>),
  );
}

function frame(push: object, id: number): Promise<Uint8Array> {
  return gzip(JSON.stringify({ type: "push", id, push }));
}

/** Has frames delivered `atOnce` at a time: this runtime delivers the next only when the last is done, and promises nothing. */
async function deliver(cluster: string, frames: readonly Uint8Array[], atOnce = frames.length): Promise<void> {
  await runInDurableObject(clusterOf(bindings, cluster), async (instance: Cluster, state) => {
    const [socket] = state.getWebSockets();
    if (socket === undefined) throw new Error("no session");
    for (let from = 0; from < frames.length; from += atOnce) {
      const next = frames.slice(from, from + atOnce);
      await Promise.all(next.map((bytes) => instance.webSocketMessage(socket, Uint8Array.from(bytes).buffer)));
    }
  });
}

/** A Board that keeps those who ask it for leases waiting. */
async function slowBoard(): Promise<{ readonly isAsked: () => boolean; readonly answer: () => void }> {
  let [isAsked, answers] = [false, false];
  await onBoard("leasesOf", async () => {
    isAsked = true;
    while (!answers) await new Promise((resolve) => setTimeout(resolve, 5));
    return [];
  });
  return { isAsked: () => isAsked, answer: () => void (answers = true) };
}

describe("a push over the session", () => {
  it("is announced, received, answered as over HTTP, and replayed without effect over either", async () => {
    const agent = await enrolledAgent("over-1");
    const session = await openSession(agent);
    expect(session.heard[0]).toMatchObject({ type: "opened", push: true });
    const facts = { epoch: agent.epoch, records: { first: 1, items: [windowOf(3), windowOf(2)] } };
    expect(await session.push(facts)).toMatchObject({
      type: "receipt",
      id: 1,
      receipt: { epoch: agent.epoch, received: 3, persisted: 1, rejected: [], nextPushMs: 10_000 },
    });
    const cluster = clusterOf(bindings, "over-1");
    const before = (await cluster.costs()).rowsWritten;
    expect(await session.push(facts)).toMatchObject({ type: "receipt", id: 2, receipt: { received: 3 } });
    expect(await (await agent.push(facts)).json()).toMatchObject({ received: 3, persisted: 1 });
    expect((await cluster.costs()).rowsWritten - before).toBe(0);
    await expect.poll(() => heardAt("over-1")).toBeGreaterThan(0);
  });

  it("opens an epoch, and brings the desired state that is due", async () => {
    const agent = await enrolledAgent("over-2");
    const session = await openSession(agent);
    expect(await session.push({ epoch: null }, null)).toMatchObject({ receipt: { epoch: agent.epoch } });
    const request = { name: "A", reason: "b", mode: "announce", replicas: null, hours: 1 } as const;
    await session.push({ epoch: agent.epoch });
    await board.startMaintenance({ ...request, cluster: "over-2", service: "shop/checkout" }, "test");
    await expect.poll(() => session.heard.some(({ type }) => type === "desired")).toBe(true);
    const due = await session.push({ epoch: agent.epoch });
    expect(due).toMatchObject({ receipt: { desired: { payload: expect.stringContaining("shop/checkout") } } });
    const { generation } = JSON.parse((due.type === "receipt" && due.receipt.desired?.payload) || "{}");
    const answer = await session.push(
      { epoch: agent.epoch },
      { leases: { ...NO_LEASES, observedGeneration: generation } },
    );
    expect(answer.type === "receipt" && answer.receipt).not.toHaveProperty("desired");
  });

  it("goes on over an object that leaves memory between any two", async () => {
    const agent = await enrolledAgent("over-3");
    const session = await openSession(agent);
    for (let seq = 1; seq <= 4; seq++) {
      const facts = { epoch: agent.epoch, records: { first: seq, items: [windowOf(10 - seq)] } };
      expect(await session.push(facts)).toMatchObject({ type: "receipt", id: seq, receipt: { received: seq + 1 } });
      await evictDurableObject(clusterOf(bindings, "over-3"));
    }
    const [kept] = await attachments("over-3");
    expect(kept).toMatchObject({ keyId: agent.keyId, heardAt: expect.any(Number), intervalMs: 10_000 });
    // The runtime's bound is 2,048 bytes; a host name may have 253 characters where this one has 11.
    expect(JSON.stringify(kept).length + 253).toBeLessThan(1_024);
  });

  it("is taken in after the one before it, though that one has to wait, however the runtime delivers them", async () => {
    const agent = await enrolledAgent("over-4");
    const session = await openSession(agent);
    const slow = await slowBoard();
    const leases = { ...NO_LEASES, observedGeneration: 7 };
    const push = (first: number, live: object): Promise<Uint8Array> =>
      frame(pushBody({ epoch: agent.epoch, records: { first, items: [windowOf(9 - first)] } }, live), first);
    const [first, second] = [await push(1, { leases }), await push(2, {})];
    const delivered = deliver("over-4", [first, second]);
    await expect.poll(slow.isAsked).toBe(true);
    slow.answer();
    await delivered;
    await expect.poll(() => session.heard.length).toBeGreaterThan(2);
    expect(session.heard.filter(({ type }) => type === "receipt" || type === "refused")).toMatchObject([
      { id: 1, receipt: { received: 2 } },
      { id: 2, receipt: { received: 3 } },
    ]);
  });
});

describe("what is refused over the session", () => {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  const facts = (change: object): object => pushBody({ epoch: 5, ...change }, null);

  it.each<readonly [string, number, string, number | null, () => Promise<Uint8Array>]>([
    ["is no gzip", 400, "push_malformed", null, async () => bytes("hello")],
    ["is longer than a push may be", 413, "push_too_large", null, async () => new Uint8Array(PUSH_BYTES_MAX + 1)],
    ["is a bomb", 413, "push_too_large", null, () => gzip(new Uint8Array(20_000_000))],
    ["is deep", 400, "push_malformed", null, () => gzip("[".repeat(100_000))],
    ["has a key twice", 400, "push_malformed", null, () => gzip('{"type":"push","id":9,"id":9,"push":{}}')],
    ["is no frame", 400, "push_malformed", null, () => gzip(JSON.stringify(facts({})))],
    ["has a number that is none", 400, "push_malformed", null, () => gzip('{"type":"push","id":0,"push":{}}')],
    ["holds no push", 400, "push_malformed", 9, () => frame({ v: 1 }, 9)],
    ["holds a push with an unknown field", 400, "push_malformed", 9, () => frame(facts({ more: 1 }), 9)],
    ["holds a push of another version", 415, "version_unsupported", 9, () => frame({ v: 2, more: 1 }, 9)],
    ["is of an old epoch", 409, "fenced", 9, () => frame(facts({}), 9)],
  ])("a frame that %s: %i %s", async (_name, status, code, id, make) => {
    const agent = await enrolledAgent("refused-1");
    const session = await openSession(agent);
    const cluster = clusterOf(bindings, "refused-1");
    const before = (await cluster.costs()).rowsWritten;
    const answer = await session.answerTo(await make());
    expect(answer).toMatchObject({ type: "refused", id, status, error: { code } });
    expect(answer.type === "refused" && Math.abs(Date.now() - answer.serverTime)).toBeLessThan(5_000);
    expect((await cluster.costs()).rowsWritten - before).toBe(0);
    // The session outlives it.
    expect(await session.push({ epoch: agent.epoch })).toMatchObject({ type: "receipt" });
  });

  it("carries the same facts as the answer to a POST", async () => {
    const agent = await enrolledAgent("refused-2");
    const session = await openSession(agent);
    const skipped = { epoch: agent.epoch, records: { first: 9, items: [windowOf(1)] } };
    expect(await session.push(skipped)).toMatchObject({ status: 409, error: { code: "gap", expected: 1 } });
    const unusable = { epoch: agent.epoch, records: { first: 1, items: ["text", {}] } };
    expect(await session.push(unusable, null)).toMatchObject({
      status: 422,
      error: { code: "push_unusable" },
      receipt: { received: 3, rejected: [{ seq: 1 }, { seq: 2 }] },
    });
    expect(await session.push({ v: 2 })).toMatchObject({ status: 415, error: { versions: [1, 1] } });
  });

  it("says when to come back if too many facts wait for Postgres", async () => {
    const agent = await enrolledAgent("refused-3");
    await fillOutbox(agent);
    const session = await openSession(agent);
    const full = await session.push({ epoch: agent.epoch, records: { first: 165, items: [windowOf(2)] } });
    expect(full).toMatchObject({ status: 429, retryAfterMs: 30_000, error: { code: "outbox_full" } });
  });

  it("closes a socket that has proved nothing", async () => {
    const agent = await enrolledAgent("refused-4");
    const session = await connectSession("refused-4");
    session.send(await frame(pushBody({ epoch: agent.epoch }, null), 1));
    expect(await session.closed).toBe(4401);
    expect(session.heard).toEqual([]);
  });

  it.each([
    ["at once", () => Promise.resolve()],
    ["after the object left memory", () => evictDurableObject(clusterOf(bindings, "refused-10"))],
  ])("opens no session with a proof that opened one before, %s", async (_name, meanwhile) => {
    const agent = await enrolledAgent("refused-10");
    const proof = await proofOf(agent);
    const session = await openSession(agent, proof);
    await meanwhile();
    expect(await (await openSession(agent, proof)).closed).toBe(4401);
    expect(await session.push({ epoch: agent.epoch })).toMatchObject({ type: "receipt" });
  });

  it("looks at no more proofs after a hundred that failed, and still at what is POSTed", async () => {
    const agent = await enrolledAgent("refused-11");
    await connectSession("refused-11");
    const forged = { ...(JSON.parse(await proofOf(agent)) as object), signature: "A".repeat(86) + "==" };
    await runInDurableObject(clusterOf(bindings, "refused-11"), async (instance: Cluster, state) => {
      const [socket] = state.getWebSockets();
      if (socket === undefined) throw new Error("no session");
      for (let i = 0; i <= 100; i++) await instance.webSocketMessage(socket, JSON.stringify(forged));
    });
    expect(await (await openSession(agent)).closed).toBe(4401);
    expect((await agent.push({ epoch: agent.epoch })).status).toBe(200);
  });

  it("closes the session of a key that was taken away while its push waited, and nothing of it is heard", async () => {
    const agent = await enrolledAgent("refused-5");
    const session = await openSession(agent);
    await onBoard("leasesOf", async () => {
      await clusterOf(bindings, "refused-5").revokeKey(agent.keyId);
      return [];
    });
    const leases = { ...NO_LEASES, observedGeneration: 7 };
    await expect(session.push({ epoch: agent.epoch }, { leases })).rejects.toThrow("closed: 4401");
    expect(await heardAt("refused-5")).toBe(0);
  });

  it("takes nothing more from a session that was replaced, not even what waited already", async () => {
    const agent = await enrolledAgent("refused-6");
    const first = await openSession(agent);
    const slow = await slowBoard();
    const leases = { ...NO_LEASES, observedGeneration: 7 };
    const push = (seq: number, live: object): Promise<Uint8Array> =>
      frame(pushBody({ epoch: agent.epoch, records: { first: seq, items: [windowOf(9 - seq)] } }, live), seq);
    const delivered = deliver("refused-6", [await push(1, { leases }), await push(2, {})]);
    await expect.poll(slow.isAsked).toBe(true);
    const second = await openSession(agent);
    expect(await first.closed).toBe(4409);
    slow.answer();
    await delivered;
    expect(await second.push({ epoch: agent.epoch })).toMatchObject({ type: "receipt", receipt: { received: 2 } });
  });

  it("lets few pushes wait for the one before them", async () => {
    const agent = await enrolledAgent("refused-7");
    const session = await openSession(agent);
    const push = await frame(pushBody({ epoch: agent.epoch }, {}), 1);
    await deliver("refused-7", Array<Uint8Array>(10).fill(push));
    await expect.poll(() => session.heard.length).toBe(11);
    const tooFast = { id: null, status: 429, retryAfterMs: 5_000, error: { code: "too_many_attempts" } };
    const refused = session.heard.filter(({ type }) => type === "refused");
    expect(refused).toMatchObject(Array(6).fill(tooFast));
    expect(await session.push({ epoch: agent.epoch })).toMatchObject({ type: "receipt" });
  });

  it("slows a session that pushes without end", async () => {
    const agent = await enrolledAgent("refused-9");
    const session = await openSession(agent);
    const junk = new TextEncoder().encode("hello");
    await deliver("refused-9", Array<Uint8Array>(3_000).fill(junk), 4);
    await expect.poll(() => session.heard.length).toBe(3_001);
    const codes = session.heard.map((message) => (message.type === "refused" ? message.error.code : ""));
    expect(codes.slice(1, 2_401)).toEqual(Array(2_400).fill("push_malformed"));
    expect(codes.at(-1)).toBe("too_many_attempts");
  });

  it("answers a push that broke something here, so that the agent need not wait for nothing", async () => {
    const agent = await enrolledAgent("refused-8");
    const session = await openSession(agent);
    const error = vi.spyOn(console, "error").mockImplementation(() => {});
    onTestFinished(() => error.mockRestore());
    await runInDurableObject(clusterOf(bindings, "refused-8"), (_, { storage }) => {
      storage.sql.exec("ALTER TABLE outbox RENAME TO elsewhere");
    });
    const facts = { epoch: agent.epoch, records: { first: 1, items: [windowOf(3)] } };
    expect(await session.push(facts)).toMatchObject({ type: "refused", status: 500, error: { code: "internal" } });
    await runInDurableObject(clusterOf(bindings, "refused-8"), (_, { storage }) => {
      storage.sql.exec("ALTER TABLE elsewhere RENAME TO outbox");
    });
    expect(await session.push(facts)).toMatchObject({ type: "receipt", receipt: { received: 2 } });
  });
});

it("a session that ends is told at once, counted from the push that came over it", async () => {
  const agent = await enrolledAgent("ended-1");
  const session = await openSession(agent);
  await session.push({ epoch: agent.epoch }, { services: [liveService(0)] });
  await expect.poll(() => heardAt("ended-1")).toBeGreaterThan(0);
  const hushed: unknown[] = [];
  await onBoard("hush", async (...args) => void hushed.push(args));
  const [kept] = await attachments("ended-1");
  await evictDurableObject(clusterOf(bindings, "ended-1"));
  session.close();
  const heard = Number(kept?.["heardAt"]);
  await expect.poll(() => hushed).toEqual([["ended-1", heard, heard + 30_000]]);
});

describe("an agent that is heard again, well by one reading, after an outage", () => {
  const one = (errorRatio: number) => {
    const service = liveService(errorRatio);
    return { services: [{ ...service, readings: service.readings.slice(-1) }] };
  };
  afterEach(() => void vi.useRealTimers());

  it.each([
    ["of ten seconds, as of a restart", 10_000, "partial_outage"],
    ["of an hour, in which the page called it unknown", 3_600_000, "operational"],
  ] as const)("and a silence %s", async (_name, silentMs, status) => {
    const cluster = `silent-${silentMs}`;
    const agent = await enrolledAgent(cluster);
    const session = await openSession(agent);
    const said: (string | undefined)[] = [];
    const hushed: string[] = [];
    await onBoard("hear", async ({ services }) => void said.push(services[0]?.status));
    await onBoard("hush", async (...[who]) => void hushed.push(who));
    await session.push({ epoch: agent.epoch }, { services: [liveService(0.3)] });
    session.close();
    await expect.poll(() => hushed).toEqual([cluster]);
    await evictDurableObject(clusterOf(bindings, cluster));
    pass(silentMs);
    await openSession(agent).then((again) => again.push({ epoch: agent.epoch }, one(0)));
    await expect.poll(() => said.length).toBe(2);
    // And it is remembered as it was judged, over the object's death.
    await evictDurableObject(clusterOf(bindings, cluster));
    await agent.push({ epoch: agent.epoch }, one(0));
    await expect.poll(() => said.at(-1)).toBe(status);
    expect(said.slice(0, 2)).toEqual(["partial_outage", status]);
  });
});
