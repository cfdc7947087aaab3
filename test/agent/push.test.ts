import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createClock } from "../../agent/clock.ts";
import { loadIdentity, type Identity } from "../../agent/identity.ts";
import { Pusher } from "../../agent/push.ts";
import { Spool } from "../../agent/spool.ts";
import type { ApiErrorCode } from "../../protocol/error.ts";
import { PushSchema, type Live, type Push } from "../../protocol/push.ts";
import { MINUTE } from "../../protocol/time.ts";
import type { WindowRecord } from "../../protocol/record.ts";
import { is } from "valibot";
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

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "push-"));
  edge = await startTestEdge();
  spool = openSpool();
  spool.adopt(EPOCH, 1);
  identity = loadIdentity(folder);
  desired = [];
  logged = [];
  raw = NOW;
});
afterEach(async () => {
  await edge.close();
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

function pusher(): Pusher {
  const onDesired = (state: unknown): void => void desired.push(state);
  const log = (_level: string, message: string): void => void logged.push(message);
  return new Pusher({
    edge: edge.url,
    cluster: "demo",
    spool,
    identity,
    clock,
    intervalMs: 10_000,
    live: () => live,
    onDesired,
    random: () => 0.5,
    log,
  });
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

describe("the answer", () => {
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

  it("200 without a receipt acknowledges nothing", async () => {
    spool.append(windows(1), NOW);
    edge.answer(() => ({ status: 200, body: "<html>sign in</html>" }));
    expect(await pusher().pushOnce()).toMatchObject({ accepted: false, waitMs: 500 });
    expect(spool.base).toBe(1);
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
  });

  it("none at all has an unknown outcome, and waits double up to a minute", async () => {
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
    expect(String(edge.received[1]?.headers["signature-input"])).toContain(`created=${NOW / 1_000}`);
  });
});

describe("a push that the edge calls malformed", () => {
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

  it("by something that is not the edge costs no record", async () => {
    spool.append(windows(1), NOW);
    edge.answer(() => ({ status: 400, body: "<html>Bad Request</html>" }));
    const push = pusher();
    for (let i = 0; i < 5; i++) await push.pushOnce();
    edge.answer(receipt(1));
    await push.pushOnce();
    expect(edge.received.at(-1)?.push.records.items).toEqual(windows(1));
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
