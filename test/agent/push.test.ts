import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createClock } from "../../agent/clock.ts";
import { sessionRest } from "../../agent/core/rest.ts";
import { Keyring, type Identity } from "../../agent/identity.ts";
import { Pusher, PushLoop } from "../../agent/push.ts";
import { startSession, type Session } from "../../agent/session.ts";
import { Spool } from "../../agent/spool.ts";
import type { ApiErrorCode } from "../../protocol/error.ts";
import { spreadService } from "../../protocol/compact.ts";
import { exponentialOf } from "../../protocol/exponential.ts";
import { PushSchema, type Live, type LiveService, type Push, type Reading } from "../../protocol/push.ts";
import { MINUTE } from "../../protocol/time.ts";
import type { Topology } from "../../protocol/topology.ts";
import type { WindowRecord } from "../../protocol/record.ts";
import { is } from "valibot";
import { histogramOf } from "../support/latencies.ts";
import { isSigned, startTestEdge, type Reply, type TestEdge } from "./edge.ts";

const NOW = 1_795_392_000_000;
const EPOCH = 7;
let folder = "";
let edge: TestEdge;
let spool: Spool;
let identity: Identity;
let desired: unknown[] = [];
let logged: string[] = [];
let raw = NOW;
let session: Session | null = null;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "push-"));
  edge = await startTestEdge();
  spool = openSpool();
  spool.adopt(EPOCH, 1);
  identity = new Keyring(folder);
  desired = [];
  logged = [];
  raw = NOW;
});
afterEach(async () => {
  const stopped = session?.stop();
  await edge.close();
  await stopped;
  session = null;
  spool.close();
  rmSync(folder, { recursive: true, force: true });
});

function openSpool(): Spool {
  return new Spool({
    dataDir: folder,
    fail: (message) => {
      throw new Error(message);
    },
  });
}

const live: Live = { at: NOW, services: [], sources: {}, leases: { observedGeneration: 0, targets: [], allowed: [] } };
const clock = createClock(() => raw);

/** What the pusher and the session have in common. */
function shared() {
  return {
    edge: edge.url,
    cluster: "demo",
    identity,
    clock,
    onDesired: (state: unknown): void => void desired.push(state),
    random: () => 0.5,
    log: (_level: string, message: string): void => void logged.push(message),
  };
}

function pusher(): Pusher {
  return new Pusher({ ...shared(), spool, intervalMs: 10_000, live: () => live, session: () => session });
}

const OPENED = JSON.stringify({ type: "opened", serverTime: NOW, push: true });

/** Opens a session at which the edge says this first. */
async function openSession(opened = OPENED): Promise<Session> {
  edge.takeSessions(opened);
  const started = startSession({ ...shared(), observedGeneration: () => 0 });
  session = started;
  await expect.poll(() => started.isOpen()).toBe(true);
  return started;
}

/** Which ways the pushes came. */
function ways(): readonly string[] {
  return edge.received.map(({ via }) => via);
}

function windows(count: number): WindowRecord[] {
  return Array.from({ length: count }, (_, i) => ({
    kind: "window",
    service: `shop/s${i}`,
    at: NOW - MINUTE,
    spanMs: MINUTE,
    requests: 1,
    errors: 0,
    latency: null,
  }));
}

/** A receipt for everything that came; `persisted` as given. */
function receipt(persisted: number, more: object = {}) {
  return (push: Push): Reply => ({
    status: 200,
    body: {
      epoch: EPOCH,
      received: push.records.first + push.records.items.length,
      persisted,
      rejected: [],
      serverTime: NOW,
      nextPushMs: 10_000,
      ...more,
    },
  });
}

function refusal(status: number, code: ApiErrorCode, more: { expected?: number; retryAfter?: string } = {}) {
  return (): Reply => ({
    status,
    body: {
      error: { code, message: "why", ...(more.expected === undefined ? {} : { expected: more.expected }) },
      serverTime: NOW,
    },
    ...(more.retryAfter === undefined ? {} : { headers: { "retry-after": more.retryAfter } }),
  });
}

describe("a push", () => {
  it("is the contract's, compressed and signed over the bytes that travel", async () => {
    spool.append(windows(3), NOW);
    edge.answer(receipt(1));
    await pusher().pushOnce();
    const [sent] = edge.received;
    expect(sent?.path).toBe("/agent/v1/push?cluster=demo");
    expect(is(PushSchema, sent?.push)).toBe(true);
    expect(sent?.push.records).toMatchObject({ first: 1, items: [{ kind: "window" }, {}, {}] });
    expect(sent !== undefined && isSigned(edge.url, sent, identity.publicKey)).toBe(true);
    expect(sent !== undefined && isSigned(edge.url, { ...sent, raw: Buffer.from("else") }, identity.publicKey)).toBe(
      false,
    );
  });

  it("asks for an epoch first, with the live part and without records", async () => {
    spool.renew();
    spool.append(windows(1), NOW);
    edge.answer(receipt(1), receipt(1));
    const push = pusher();
    const opened = await push.pushOnce();
    expect(edge.received[0]?.push).toMatchObject({ epoch: null, live: { at: NOW }, records: { items: [] } });
    expect([spool.epoch, opened.waitMs]).toEqual([EPOCH, 250]);
    await push.pushOnce();
    expect(edge.received[1]?.push).toMatchObject({ epoch: EPOCH, records: { first: 1 } });
    expect(edge.received[1]?.push.records.items).toHaveLength(1);
  });

  it("asks what the edge knows before it gives a number: its disk may be a copy of a while ago", async () => {
    spool.append(windows(2), NOW);
    edge.answer(receipt(1));
    await pusher().pushOnce();
    spool.close();
    // Since the copy was made its original has sent three records more.
    spool = openSpool();
    spool.append([{ ...windows(1)[0], at: NOW - 2 * MINUTE } as WindowRecord], NOW);
    const later = { received: 6 };
    edge.answer(
      receipt(1, later),
      receipt(1, { ...later, epoch: EPOCH + 1 }),
      receipt(1, { ...later, epoch: EPOCH + 1 }),
    );
    const push = pusher();
    for (let i = 0; i < 3; i++) await push.pushOnce();
    const sent = edge.received
      .slice(1)
      .map(({ push: { epoch, records } }) => [epoch, records.first, records.items.length]);
    // Asked, opened under a new identity, and all three under numbers that nobody gave before.
    expect(sent).toEqual([
      [EPOCH, 1, 0],
      [null, expect.any(Number), 0],
      [EPOCH + 1, 6, 3],
    ]);
  });

  it("carries the live part although a backlog drains", async () => {
    spool.append(windows(900), NOW);
    edge.answer(receipt(1));
    const push = pusher();
    expect(await push.pushOnce()).toMatchObject({ accepted: true, waitMs: 250 });
    expect(await push.pushOnce()).toMatchObject({ accepted: true, waitMs: 10_000 });
    expect(edge.received.map(({ push: { live: l, records } }) => [l?.at, records.first, records.items.length])).toEqual(
      [
        [NOW, 1, 500],
        [NOW, 501, 400],
      ],
    );
  });
});

/** The table of answers holds whichever way they come. */
describe.each(["post", "session"] as const)("the answer, by %s,", (way) => {
  beforeEach(async () => {
    if (way === "session") await openSession();
  });

  it("200 frees below persisted, sends on from received and hands on the desired state", async () => {
    spool.append(windows(4), NOW);
    const state = { payload: "{}", keyId: "k", signature: "s" };
    edge.answer(receipt(3, { desired: state, rejected: [{ seq: 2, reason: "too_old" }], nextPushMs: 20_000 }));
    const outcome = await pusher().pushOnce();
    expect(outcome).toMatchObject({ accepted: true, held: false, waitMs: 20_000 });
    expect([spool.base, spool.next]).toEqual([3, 5]);
    expect(desired).toEqual([state]);
    expect(logged).toContain("the edge rejected records; they are not sent again");
  });

  it("422 with a receipt is handled as 200", async () => {
    spool.append(windows(1), NOW);
    edge.answer((push) => ({ ...(receipt(2)(push) as object), status: 422 }) as Reply);
    expect((await pusher().pushOnce()).accepted).toBe(true);
    expect(spool.base).toBe(2);
  });

  it.each([
    ["401 waits a minute and more", 401, "unauthenticated", {}, 63_000],
    ["403 waits a minute and more", 403, "forbidden", {}, 63_000],
    ["415 waits a minute and more", 415, "version_unsupported", {}, 63_000],
    ["429 waits as told", 429, "outbox_full", { retryAfter: "7" }, 7_350],
    ["503 waits as told", 503, "unavailable", { retryAfter: "30" }, 31_500],
    ["503 without a word waits a little", 503, "unavailable", {}, 5_250],
    ["500 has an unknown outcome and comes again with jitter", 500, "internal", {}, 500],
  ] as const)("%s and keeps everything", async (_name, status, code, more, waitMs) => {
    spool.append(windows(2), NOW);
    edge.answer(refusal(status, code, more), receipt(1));
    const push = pusher();
    expect(await push.pushOnce()).toMatchObject({ accepted: false, held: true, fenced: false, waitMs });
    await push.pushOnce();
    expect(edge.received[1]?.push.records).toEqual(edge.received[0]?.push.records);
    expect(spool.base).toBe(1);
    expect(ways()).toEqual([way, way]);
  });

  it("none at all has an unknown outcome, and waits double up to the interval", async () => {
    spool.append(windows(1), NOW);
    edge.answer(() => "hang up");
    const push = pusher();
    const waits: number[] = [];
    for (let i = 0; i < 8; i++) waits.push((await push.pushOnce()).waitMs);
    expect(waits).toEqual([500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000]);
    expect(new Set(edge.received.map(({ push: p }) => JSON.stringify(p.records))).size).toBe(1);
  });

  it("409 fenced ends the process and changes nothing", async () => {
    spool.append(windows(1), NOW);
    edge.answer(refusal(409, "fenced"));
    expect(await pusher().pushOnce()).toMatchObject({ fenced: true });
    expect([spool.epoch, spool.base]).toEqual([EPOCH, 1]);
  });

  it("409 gap resends from the expected number", async () => {
    spool.append(windows(5), NOW);
    edge.answer(receipt(1), refusal(409, "gap", { expected: 3 }), receipt(1));
    const push = pusher();
    await push.pushOnce();
    expect(await push.pushOnce()).toMatchObject({ accepted: false, waitMs: 0 });
    await push.pushOnce();
    expect(edge.received[2]?.push.records).toMatchObject({ first: 3, items: [{ service: "shop/s2" }, {}, {}] });
  });

  it("of an edge that was set back makes the agent send again what it holds", async () => {
    spool.append(windows(3), NOW);
    edge.answer(receipt(1), receipt(1, { received: 1 }), receipt(1));
    const push = pusher();
    await push.pushOnce();
    await push.pushOnce();
    await push.pushOnce();
    expect(edge.received[2]?.push.records).toEqual(edge.received[0]?.push.records);
  });

  it("from an edge that knows numbers of the future makes a new spool, so that nothing looks old", async () => {
    spool.append(windows(1), NOW);
    edge.answer(receipt(1, { received: 900 }), receipt(1, { epoch: 8 }));
    const { id } = spool;
    const push = pusher();
    await push.pushOnce();
    expect(spool.id).not.toBe(id);
    await push.pushOnce();
    expect(edge.received[1]?.push).toMatchObject({ epoch: null });
    expect([spool.epoch, spool.waiting]).toEqual([8, 1]);
  });

  it("corrects the clock, also from a refusal", async () => {
    raw = NOW + 3_600_000;
    edge.answer(refusal(401, "unauthenticated"), receipt(1));
    const push = pusher();
    await push.pushOnce();
    await push.pushOnce();
    expect(edge.received[1]?.push).toMatchObject({ sentAt: NOW, skewMs: 3_600_000 });
    if (way === "post")
      expect(String(edge.received[1]?.headers["signature-input"])).toContain(`created=${NOW / 1_000}`);
    expect(ways()).toEqual([way, way]);
  });
});

describe.each(["post", "session"] as const)("a push that the edge calls malformed, by %s,", (way) => {
  beforeEach(async () => {
    if (way === "session") await openSession();
  });
  afterEach(() => expect(new Set(ways())).toEqual(new Set([way])));

  /** An edge that refuses every push with the record of this service in it. */
  function refusing(service: string) {
    return (push: Push): Reply =>
      push.records.items.some((item) => (item as WindowRecord).service === service)
        ? refusal(400, "push_malformed")()
        : receipt(1)(push);
  }

  it("is halved until the poison stands alone; it is set aside under its number and its neighbours arrive", async () => {
    spool.append(windows(8), NOW);
    edge.answer(refusing("shop/s5"));
    const push = pusher();
    const arrived = new Map<number, unknown>();
    for (let i = 0; i < 20 && arrived.size < 8; i++) {
      const { accepted } = await push.pushOnce();
      const { first, items } = edge.received.at(-1)?.push.records ?? { first: 0, items: [] };
      if (accepted) items.forEach((item, at) => arrived.set(first + at, item));
    }
    const sent = [...arrived.values()] as WindowRecord[];
    expect(sent.filter(({ kind }) => kind === "window")).toHaveLength(7);
    expect(sent).toContainEqual(expect.objectContaining({ kind: "gap", reason: "refused", count: 1 }));
    expect(spool.next).toBe(9);
  });

  it("because of its live part loses no record: the live part is left out for a minute", async () => {
    spool.append(windows(2), NOW);
    edge.answer((push) => (push.live === null ? receipt(1)(push) : refusal(413, "push_too_large")()));
    const push = pusher();
    await push.pushOnce();
    expect(await push.pushOnce()).toMatchObject({ accepted: true });
    await push.pushOnce();
    expect(edge.received.map(({ push: p }) => [p.live !== null, p.records.items.length])).toEqual([
      [true, 2],
      [false, 2],
      [false, 0],
    ]);
    raw = NOW + 61_000;
    await push.pushOnce();
    expect(edge.received.at(-1)?.push.live).not.toBeNull();
  });

  it("whatever it holds sets few records aside before the agent waits for people", async () => {
    spool.append(windows(40), NOW);
    edge.answer(refusal(400, "push_malformed"));
    const push = pusher();
    const waits: number[] = [];
    for (let i = 0; i < 40; i++) waits.push((await push.pushOnce()).waitMs);
    expect(waits).toContain(60_000);
    edge.answer(receipt(1));
    await push.pushOnce();
    const gaps = edge.received
      .at(-1)
      ?.push.records.items.filter((item) => (item as WindowRecord | { kind: "gap" }).kind === "gap");
    expect(gaps?.length).toBeLessThanOrEqual(10);
  });
});

/** A session says milliseconds, and nothing but the edge can answer over one that it has opened. */
describe("services and windows as tuples", () => {
  const service = { service: "shop/cart", readings: [], latency: null, replicas: { ready: 3, desired: 3 } };
  const tuple = ["shop/cart", [], null, [], [3, 3]];
  const busy = (): Pusher =>
    new Pusher({ ...shared(), spool, intervalMs: 10_000, live: () => ({ ...live, services: [service] }) });
  const sent = (): readonly unknown[] => edge.received.map(({ push: p }) => p.live?.services[0]);
  const takes = receipt(1, { accepts: ["compact", "what comes later"] });

  it("go only to an edge whose last receipt said that it takes them", async () => {
    edge.answer(receipt(1), takes, receipt(1), receipt(1));
    const push = busy();
    for (let i = 0; i < 4; i++) await push.pushOnce();
    expect(sent()).toEqual([service, service, tuple, service]);
  });

  it("are objects again for an edge that was set back to a release that refuses them, and nothing is given up", async () => {
    edge.answer(takes, refusal(400, "push_malformed"), receipt(1));
    const push = busy();
    await push.pushOnce();
    const [window] = windows(1);
    spool.append(windows(1), NOW);
    await push.pushOnce();
    await push.pushOnce();
    expect(sent()).toEqual([service, tuple, service]);
    // What an edge cannot read it would refuse record by record, for ever: the push names it, and is refused whole.
    expect(edge.received.map(({ push: { uses, records } }) => [uses, records.items[0]])).toEqual([
      [undefined, undefined],
      [["compact"], ["shop/s0", NOW - MINUTE, MINUTE, 1, 0, null, []]],
      [undefined, window],
    ]);
  });
});

describe("a large mesh", () => {
  const readings = [20, 10, 0].map((ago): Reading => ({
    at: NOW - ago * 1_000,
    spanMs: MINUTE,
    requests: 1234.57,
    errors: 31.4159,
    p95: [123.456, 100, 250],
  }));
  const latency = {
    scheme: "explicit" as const,
    bounds: "istio" as const,
    counts: Array<number>(20).fill(1234.56),
    sum: 1,
  };
  const mesh = (size: number): Live => ({
    ...live,
    services: Array.from({ length: size }, (_, i) => ({
      service: `namespace-${i % 20}/service-name-${i}`,
      readings,
      latency,
      replicas: { ready: 3, desired: 3 },
    })),
  });

  it.each([
    [400, true],
    [1_000, false],
  ])("of %d services has three readings of each: clearing takes so many. Histograms: %s", async (size, has) => {
    const takes = receipt(1, { accepts: ["compact"] });
    edge.answer(takes, takes);
    const push = new Pusher({ ...shared(), spool, intervalMs: 10_000, live: () => mesh(size) });
    await push.pushOnce();
    await push.pushOnce();
    const services = edge.received.at(-1)?.push.live?.services.map((one) => spreadService(one) as LiveService) ?? [];
    expect(services).toHaveLength(size);
    expect(new Set(services.map((one) => `${one.readings.length} ${one.latency !== null}`))).toEqual(
      new Set([`3 ${has}`]),
    );
  });
});

describe("exponential histograms", () => {
  const values = [0, 3, 30, 300];
  const exponential = exponentialOf(values);
  const powers = histogramOf(
    values,
    Array.from({ length: 22 }, (_, i) => 2 ** (i - 1)),
  );
  const service = { service: "shop/cart", readings: [], latency: exponential, replicas: null };
  const native = (): Pusher =>
    new Pusher({ ...shared(), spool, intervalMs: 10_000, live: () => ({ ...live, services: [service] }) });
  const sent = () =>
    edge.received.map(({ push: p }) => [
      p.live?.services[0]?.latency,
      ...p.records.items.map((item) => (item as WindowRecord).latency),
    ]);

  it("go as they are only to an edge whose last receipt said that it takes them, to others as powers of two", async () => {
    edge.answer(receipt(2), receipt(3, { accepts: ["compact", "exponential"] }), receipt(4));
    const push = native();
    for (const window of windows(3)) {
      spool.append([{ ...window, latency: exponential }], NOW);
      await push.pushOnce();
    }
    expect(sent()).toEqual([
      [powers, powers],
      [powers, powers],
      [exponential, exponential],
    ]);
  });

  it("cost an edge that was set back to a release that refuses them nothing", async () => {
    spool.append(
      windows(1).map((window) => ({ ...window, latency: exponential })),
      NOW,
    );
    edge.answer(receipt(1, { accepts: ["exponential"] }), refusal(400, "push_malformed"), receipt(2));
    const push = native();
    for (let i = 0; i < 3; i++) await push.pushOnce();
    expect(sent().map(([now]) => now)).toEqual([powers, exponential, powers]);
  });
});

describe("who calls whom", () => {
  const graph = (at: number) => ({
    at,
    spanMs: MINUTE,
    workloads: ["shop/a", "shop/b"],
    edges: [[0, 1, 5, 0]],
    left: 0,
  });
  let seen: ReturnType<typeof graph> | null = graph(NOW);
  const busy = (): Pusher =>
    new Pusher({ ...shared(), spool, intervalMs: 10_000, live: () => live, topology: () => seen as Topology | null });
  const sent = () => edge.received.map(({ push: p }) => p.live?.topology?.at ?? null);
  const takes = receipt(1, { accepts: ["topology"] });
  beforeEach(() => (seen = graph(NOW)));

  it("goes only with a push after a receipt that accepts it, and once", async () => {
    edge.answer(receipt(1), takes, takes, takes, receipt(1), takes);
    const push = busy();
    for (let i = 0; i < 4; i++) await push.pushOnce();
    expect(sent()).toEqual([null, null, NOW, null]);
    seen = graph(NOW + MINUTE);
    await push.pushOnce();
    seen = graph(NOW + 2 * MINUTE);
    await push.pushOnce();
    expect(sent().slice(4)).toEqual([NOW + MINUTE, null]);
  });

  it("goes again after a push that nobody answered", async () => {
    edge.answer(takes, () => ({ status: 502, body: "" }), takes);
    const push = busy();
    for (let i = 0; i < 3; i++) await push.pushOnce();
    expect(sent()).toEqual([null, NOW, NOW]);
  });

  it("is left out for an edge that was set back to a release that refuses it, and what is now still goes", async () => {
    edge.answer(takes, refusal(400, "push_malformed"), receipt(1));
    const push = busy();
    for (let i = 0; i < 3; i++) await push.pushOnce();
    expect(sent()).toEqual([null, NOW, null]);
    expect(edge.received.at(-1)?.push.live).not.toBeNull();
  });

  it("is nothing where nobody has looked yet", async () => {
    seen = null;
    edge.answer(takes, takes);
    const push = busy();
    for (let i = 0; i < 2; i++) await push.pushOnce();
    expect(sent()).toEqual([null, null]);
  });
});

describe("what only a POST can meet", () => {
  it("200 without a receipt acknowledges nothing", async () => {
    spool.append(windows(1), NOW);
    edge.answer(() => ({ status: 200, body: "<html>sign in</html>" }));
    expect(await pusher().pushOnce()).toMatchObject({ accepted: false, waitMs: 500 });
    expect(spool.base).toBe(1);
  });

  it("503 until a date waits for it by the edge's clock, however wrong the own one is", async () => {
    raw = NOW - 3_600_000;
    edge.answer(refusal(503, "unavailable", { retryAfter: new Date(NOW + 7_000).toUTCString() }));
    expect(await pusher().pushOnce()).toMatchObject({ held: true, waitMs: 7_350 });
  });

  it("a 400 of something that is not the edge costs no record", async () => {
    spool.append(windows(1), NOW);
    edge.answer(() => ({ status: 400, body: "<html>Bad Request</html>" }));
    const push = pusher();
    for (let i = 0; i < 5; i++) await push.pushOnce();
    edge.answer(receipt(1));
    await push.pushOnce();
    expect(edge.received.at(-1)?.push.records.items).toEqual(windows(1));
  });
});

describe("over the session", () => {
  it("a push is the contract's, and the receipt frees and brings desired state", async () => {
    await openSession();
    spool.append(windows(3), NOW);
    const state = { payload: "{}", keyId: "k", signature: "s" };
    edge.answer(receipt(3, { desired: state }));
    expect(await pusher().pushOnce()).toMatchObject({ accepted: true, waitMs: 10_000 });
    expect(ways()).toEqual(["session"]);
    expect(is(PushSchema, edge.received[0]?.push)).toBe(true);
    expect([spool.base, desired]).toEqual([3, [state]]);
  });

  it("no push goes to an edge that does not announce them", async () => {
    await openSession('{"type":"opened","serverTime":1795392000000}');
    edge.answer(receipt(1));
    await pusher().pushOnce();
    expect(ways()).toEqual(["post"]);
  });

  it.each([
    ["that ends meanwhile", "hang up", 2_000],
    ["that is dead without a word", "silence", 6_000],
  ] as const)(
    "a push under a session %s goes by POST at once, with the same records",
    async (_name, reply, withinMs) => {
      const opened = await openSession();
      spool.append(windows(3), NOW);
      edge.answer(() => reply, receipt(1));
      const since = performance.now();
      expect(await pusher().pushOnce()).toMatchObject({ accepted: true });
      expect(performance.now() - since).toBeLessThan(withinMs);
      expect(ways()).toEqual(["session", "post"]);
      expect(edge.received[1]?.push).toEqual(edge.received[0]?.push);
      expect(opened.isOpen()).toBe(false);
    },
  );

  it("an answer that comes after its push was given up is not another push's", async () => {
    await openSession();
    spool.append(windows(2), NOW);
    // The edge answers a push that this session never carried, then the one under way.
    edge.answer((push) => {
      const late = { type: "receipt", id: 7, receipt: { ...(receipt(9)(push) as { body: object }).body } };
      edge.sessions[0]?.send(JSON.stringify(late));
      return receipt(1)(push);
    });
    await pusher().pushOnce();
    expect([spool.base, ways()]).toEqual([1, ["session"]]);
  });

  it("a push that the edge could not read is known by being the one under way", async () => {
    await openSession();
    spool.append(windows(1), NOW);
    edge.answer(() => {
      const refused = refusal(400, "push_malformed")() as { body: object };
      edge.sessions[0]?.send(JSON.stringify({ type: "refused", id: null, status: 400, ...refused.body }));
      return "silence";
    });
    expect(await pusher().pushOnce()).toMatchObject({ accepted: false, waitMs: 250 });
    expect(ways()).toEqual(["session"]);
  });

  it("nothing is tried for a while after a push was lost there, though the session is open again", async () => {
    const opened = await openSession();
    edge.answer(() => "hang up", receipt(1));
    const push = pusher();
    await push.pushOnce();
    await expect.poll(() => opened.isOpen()).toBe(true);
    await push.pushOnce();
    expect(ways()).toEqual(["session", "post", "post"]);
  });

  it.each([4401, 4409])("a session that was closed with %i stops no push", async (code) => {
    const opened = await openSession();
    edge.answer(receipt(1));
    edge.sessions[0]?.close(code);
    await expect.poll(() => opened.isOpen()).toBe(false);
    expect(await pusher().pushOnce()).toMatchObject({ accepted: true });
    expect(ways()).toEqual(["post"]);
  });

  it("goes the last push of an agent that stops", async () => {
    const opened = await openSession();
    edge.answer(receipt(1));
    const loop = new PushLoop(pusher(), 10_000, () => {});
    await loop.stop(1_500);
    await opened.stop();
    expect(ways()).toEqual(["session"]);
  });
});

it("pushes return to a session ever more rarely after each was lost there", () =>
  expect([1, 2, 3, 9, 10, 40].map(sessionRest)).toEqual([10_000, 20_000, 40_000, 2_560_000, 3_600_000, 3_600_000]));
