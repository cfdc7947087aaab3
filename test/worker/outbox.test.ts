/** What leaves for people outside, to receivers on this machine that fail in every way: none lost, none with a new key. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { DAY, HOUR, MINUTE, SECOND } from "../../protocol/time.ts";
import type { Message } from "../../worker/core/notify-message.ts";
import type { AnnounceAct } from "../../worker/objects/board-announcements.ts";
import { boardOf, outboxOf } from "../../worker/objects/env.ts";
import type { ChannelDone, ChannelRequest } from "../../worker/objects/outbox-channels.ts";
import type { ReceiverView } from "../../worker/objects/outbox.ts";
import { sealerOf } from "../../worker/objects/sealing.ts";
import { bindings, cli } from "./agent.ts";
import { pass } from "./sender.ts";

const SITE = (env as unknown as { readonly OUTSIDE_URL: string }).OUTSIDE_URL;
const outbox = outboxOf(bindings);
const board = boardOf(bindings);

interface Posted {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

beforeEach(() => vi.useFakeTimers({ toFake: ["Date"], now: Date.now() }));
afterEach(async () => {
  vi.useRealTimers();
  for (const { id } of (await outbox.view()).receivers) await outbox.run({ kind: "channel.remove", id }, "ada");
});

/** From now on the receiver of that name answers so. */
async function answers(name: string, how: number | string): Promise<void> {
  await fetch(`${SITE}/set/${name}`, { method: "PUT", body: String(how) });
}

async function posted(name: string): Promise<readonly Posted[]> {
  return (await fetch(`${SITE}/posted/named/${name}`)).json<Posted[]>();
}

const keysOf = async (name: string) => (await posted(name)).map(({ headers }) => headers["webhook-id"]);

async function add(name: string, facts: Partial<ChannelRequest> = {}): Promise<ChannelDone> {
  const request: ChannelRequest = {
    kind: "webhook",
    name,
    url: `${SITE}/named/${name}`,
    key: null,
    topics: ["incident", "maintenance"],
    own: "status.test",
    ...facts,
  };
  const done = await outbox.run({ kind: "channel.add", request }, "ada");
  if (!done.ok) throw new Error(JSON.stringify(done.failure));
  return done.value;
}

function message(key: string, facts: Partial<Message> = {}): Message {
  return {
    key: `incident:${key}`,
    subject: "incident:one",
    topic: "incident",
    step: "investigating",
    isFirst: true,
    isOver: false,
    impact: "major",
    title: "Checkout is slow",
    text: "We look at it.",
    components: ["Checkout"],
    at: Date.now(),
    window: null,
    page: { name: "Acme", url: null },
    url: null,
    ...facts,
  };
}

async function receiver(name: string): Promise<ReceiverView> {
  const found = (await outbox.view()).receivers.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
}

/** Until no request is under way; the alarm waits for all that were when it rang. */
const landed = () => expect.poll(async () => (await receiverNames()).every((one) => one.last !== null)).toBe(true);
const receiverNames = async () => (await outbox.view()).receivers;

async function later(ms: number): Promise<void> {
  pass(ms);
  await runDurableObjectAlarm(outbox);
}

describe("a receiver that fails", () => {
  it.each([
    [500, "500"],
    [302, "302: redirects are not followed"],
    ["torn", "the connection failed"],
  ])("with %s is asked again with the same key until it answers", async (how, said) => {
    const name = `fails-${how}`;
    await answers(name, how);
    await add(name);
    await outbox.take([message(name)]);
    await expect.poll(async () => (await receiver(name)).last).toMatchObject({ said, isGood: false });
    expect((await outbox.view()).waiting).toMatchObject([{ attempts: 1, said }]);

    await answers(name, 200);
    await evictDurableObject(outbox);
    // Not before its time.
    await later(SECOND);
    expect(await posted(name)).toHaveLength(1);
    await later(6 * SECOND);
    const { id } = await receiver(name);
    await expect.poll(async () => (await outbox.view()).delivered).toMatchObject([{ attempts: 2, said: "200" }]);
    expect(await keysOf(name)).toEqual([1, 2].map(() => `msg_${id}:incident:${name}`));
    expect((await outbox.view()).waiting).toEqual([]);
  });

  it("with nothing, with half of an answer, or a letter now and then has not answered when the time is up", async () => {
    const names = ["hang", "stall", "drip"];
    for (const how of names) {
      await answers(`slow-${how}`, how);
      await add(`slow-${how}`);
    }
    await outbox.take([message("slow")]);
    const said = "no whole answer within 15 s";
    await expect.poll(async () => (await outbox.view()).waiting.map((one) => one.said)).toEqual([said, said, said]);

    for (const how of names) await answers(`slow-${how}`, 200);
    await later(6 * SECOND);
    await expect.poll(async () => (await outbox.view()).delivered.length).toBe(3);
    for (const how of names) {
      const keys = await keysOf(`slow-${how}`);
      expect([keys.length, new Set(keys).size]).toEqual([2, 1]);
    }
  });

  it("with a body without an end has answered: no more of it is read than a few words", async () => {
    await answers("endless", "endless");
    await add("endless");
    await outbox.take([message("endless")]);
    await expect.poll(async () => (await outbox.view()).delivered).toMatchObject([{ said: "200" }]);
  });

  it("with a redirect is not followed anywhere", async () => {
    await answers("redirected", "redirect");
    await add("redirected");
    await outbox.take([message("redirected")]);
    await expect.poll(async () => (await receiver("redirected")).last?.said).toContain("302");
    expect(await (await fetch(`${SITE}/hits/status/200/redirected`)).text()).toBe("0");
  });

  it("with 429 is left alone with everything for as long as it asks for", async () => {
    await answers("busy", 429);
    await add("busy");
    await outbox.take([message("busy")]);
    await expect.poll(async () => (await receiver("busy")).last?.said).toBe("429");
    await outbox.take([message("busy-2", { subject: "incident:two" })]);
    await later(110 * SECOND);
    expect(await posted("busy")).toHaveLength(1);
    await answers("busy", 200);
    await later(11 * SECOND);
    await expect.poll(async () => (await posted("busy")).length).toBe(3);
  });

  it("with 400 has a dead letter, which an operator sees and sends again under the same key", async () => {
    await answers("picky", 400);
    await add("picky");
    await outbox.take([message("picky")]);
    await expect.poll(async () => (await outbox.view()).dead).toMatchObject([{ attempts: 1, said: "400" }]);
    await later(DAY);
    expect(await posted("picky")).toHaveLength(1);

    await answers("picky", 200);
    const [dead] = (await outbox.view()).dead;
    expect(await outbox.replay({ delivery: dead?.id ?? "" }, "ada")).toEqual({ again: 1, overtaken: 0 });
    await expect.poll(async () => (await outbox.view()).delivered).toHaveLength(1);
    expect(new Set(await keysOf("picky")).size).toBe(1);
    expect((await outbox.view()).dead).toEqual([]);
    const acts = (await board.audit()).recent.map(({ act, subject, by }) => [act, subject, by].join(" "));
    expect(acts).toContain("delivery.replay picky ada");
    expect(acts).toContain("channel.add picky ada");
    expect(await outbox.replay({ delivery: dead?.id ?? "" }, "ada")).toEqual({ again: 0, overtaken: 0 });
  });

  it("with 410 is told nothing until somebody turns it on, and nothing of that is lost", async () => {
    await answers("gone", 410);
    const { receiver: one } = await add("gone");
    await outbox.take([message("gone-1"), message("gone-2")]);
    await expect.poll(async () => (await receiver("gone")).state).toBe("gone");
    await outbox.take([message("gone-3")]);
    expect((await receiver("gone")).dead).toBe(3);
    expect(await posted("gone")).toHaveLength(1);

    await answers("gone", 200);
    await outbox.run({ kind: "channel.resume", id: one.id }, "ada");
    expect(await outbox.replay({ receiver: one.id }, "ada")).toEqual({ again: 3, overtaken: 0 });
    await expect.poll(async () => (await outbox.view()).delivered).toHaveLength(3);
    expect((await keysOf("gone")).slice(1)).toEqual([1, 2, 3].map((n) => `msg_${one.id}:incident:gone-${n}`));
  });

  it("for three days and more has a dead letter in the end", async () => {
    await answers("never", 500);
    await add("never");
    await outbox.take([message("never")]);
    await landed();
    for (let i = 0; i < 12; i++) await later(30 * HOUR);
    await expect.poll(async () => (await outbox.view()).dead).toMatchObject([{ attempts: 10, said: "500" }]);
    expect(new Set(await keysOf("never")).size).toBe(1);
    expect(await posted("never")).toHaveLength(10);
  });

  it("again and again is left alone, is tried with one, and then gets all at once", async () => {
    await answers("storm", 500);
    await add("storm");
    const all = Array.from({ length: 20 }, (_, i) => message(`storm-${i}`, { subject: `incident:${i}` }));
    await outbox.take(all);
    await expect.poll(async () => (await receiver("storm")).breaker.failures).toBeGreaterThanOrEqual(5);
    const before = (await posted("storm")).length;
    expect(before).toBeLessThanOrEqual(7);
    await later(30 * SECOND);
    expect(await posted("storm")).toHaveLength(before);

    await answers("storm", 200);
    await later(2 * MINUTE);
    await expect.poll(async () => (await outbox.view()).delivered.length).toBe(20);
    expect((await receiver("storm")).breaker).toEqual({ failures: 0, openUntil: 0 });
    expect(new Set(await keysOf("storm")).size).toBe(20);
  });
});

it("a receiver that answers again gets what waits at once, and not when it would have been tried", async () => {
  await answers("back", 500);
  await add("back");
  await outbox.take([message("back-1")]);
  await landed();
  await later(6 * SECOND);
  await expect.poll(async () => (await outbox.view()).waiting).toMatchObject([{ attempts: 2 }]);
  await answers("back", 200);
  await outbox.take([message("back-2", { subject: "incident:two" })]);
  await expect.poll(async () => (await outbox.view()).delivered.length).toBe(2);
});

describe("what is taken", () => {
  it("twice is told once, each step of a thing after the one before it", async () => {
    await answers("order", 500);
    await add("order");
    const steps = [message("order-1"), message("order-2", { isFirst: false }), message("order-3", { isOver: true })];
    await outbox.take(steps);
    await landed();
    await outbox.take(steps);
    await answers("order", 200);
    await later(6 * SECOND);
    await expect.poll(async () => (await posted("order")).length).toBe(4);
    const { id } = await receiver("order");
    expect(await keysOf("order")).toEqual([1, 1, 2, 3].map((n) => `msg_${id}:incident:order-${n}`));
  });

  it("goes to whoever asked for it, and to others while one hangs", async () => {
    await answers("slow", "hang");
    await answers("quick", 200);
    await add("slow");
    await add("quick", { topics: ["maintenance"] });
    await outbox.take([message("both"), message("both-2", { topic: "maintenance", subject: "maintenance:one" })]);
    await expect.poll(async () => (await outbox.view()).delivered.length).toBe(1);
    expect((await posted("quick")).map(({ body }) => (JSON.parse(body) as { type: string }).type)).toEqual([
      "maintenance.investigating",
    ]);
  });

  it("does not begin an alert anew at PagerDuty that has ended", async () => {
    await answers("pager", 400);
    await add("pager", { kind: "pagerduty", key: "a".repeat(32) });
    await outbox.take([message("pd-1")]);
    await expect.poll(async () => (await outbox.view()).dead).toHaveLength(1);
    await answers("pager", 202);
    await outbox.take([message("pd-2", { isOver: true, step: "resolved" })]);
    await expect.poll(async () => (await outbox.view()).delivered).toHaveLength(1);
    const { id } = await receiver("pager");
    expect(await outbox.replay({ receiver: id }, "ada")).toEqual({ again: 0, overtaken: 1 });
  });
});

describe("a secret", () => {
  it("is in no answer and not on disk, and its address is not either", async () => {
    await answers("canary-path", 200);
    const { secret, receiver: one } = await add("canary-path");
    expect(secret).toMatch(/^whsec_/);
    const view = JSON.stringify(await outbox.view());
    const disk = await runInDurableObject(outbox, (_, { storage }) =>
      JSON.stringify(storage.sql.exec("SELECT * FROM receiver").toArray()),
    );
    for (const text of [view, disk]) {
      expect(text).not.toContain("named/canary");
      expect(text).not.toContain((secret ?? "").slice(8, 20));
    }
    expect(view).toContain(one.id);
  });

  it("moved to another receiver's place opens nothing there", async () => {
    await answers("mine", 200);
    await answers("theirs", 200);
    await add("mine");
    await add("theirs");
    const [mine, theirs] = [await receiver("mine"), await receiver("theirs")];
    await runInDurableObject(outbox, (_, { storage }) => {
      storage.sql.exec(
        "UPDATE receiver SET sealed = (SELECT sealed FROM receiver WHERE id = ?) WHERE id = ?",
        mine.id,
        theirs.id,
      );
    });
    const tested = await outbox.run({ kind: "channel.test", id: theirs.id }, "ada");
    expect(tested).toMatchObject({ ok: true, value: { tested: { isGood: false } } });
    expect(await posted("mine")).toEqual([]);
  });

  it("that is replaced signs for a day beside the new one", async () => {
    await answers("rotated", 200);
    const { receiver: one } = await add("rotated");
    const count = async (): Promise<number | undefined> => {
      await outbox.run({ kind: "channel.test", id: one.id }, "ada");
      return (await posted("rotated")).at(-1)?.headers["webhook-signature"]?.split(" ").length;
    };
    expect(await count()).toBe(1);
    await outbox.run({ kind: "channel.rotate", id: one.id }, "ada");
    expect(await count()).toBe(2);
    pass(DAY + SECOND);
    expect(await count()).toBe(1);
  });

  it("is sealed with the newest key, and the one before is needed no more", async () => {
    await answers("resealed", 200);
    await add("resealed");
    const { id } = await receiver("resealed");
    const place = `outbox/receiver/${id}/credentials`;
    const sealedNow = (sealed?: string): Promise<string> =>
      runInDurableObject(outbox, (_, { storage: { sql } }) => {
        if (sealed !== undefined) sql.exec("UPDATE receiver SET sealed = ? WHERE id = ?", sealed, id);
        return sql.exec<{ sealed: string }>("SELECT sealed FROM receiver WHERE id = ?", id).one().sealed;
      });
    const before = { ...bindings, SEALING_KEY: btoa("k".repeat(32)) };
    const [ours, theirs] = [await sealerOf(bindings), await sealerOf(before)];
    const opened = (await ours?.open(await sealedNow(), place)) ?? "";
    const old = (await theirs?.seal(opened, place)) ?? "";
    expect([ours?.isOld(old), await ours?.open(old, place)]).toEqual([true, null]);
    const both = await sealerOf({ ...bindings, SEALING_KEY_BEFORE: before.SEALING_KEY });
    expect(await both?.open(old, place)).toBe(opened);

    await sealedNow(old);
    await evictDurableObject(outbox);
    Object.assign(bindings, { SEALING_KEY_BEFORE: before.SEALING_KEY });
    await outbox.wake();
    expect(await ours?.open(await sealedNow(), place)).toBe(opened);
  });

  it.each([
    ["slack", "https://hooks.slack.com.example.com/services/T/B/X", "hooks.slack.com"],
    ["pagerduty", "https://events.example.com/v2/enqueue", "events.pagerduty.com"],
    ["teams", "https://evillogic.azure.com/workflows/x", "logic.azure.com"],
    ["teams", "https://logic.azure.com.example.com/workflows/x", "logic.azure.com"],
    ["webhook", "https://169.254.169.254/latest", "IP address"],
    ["webhook", "https://status.test/", "public"],
  ] as const)("of %s is not sent to %s", async (kind, url, words) => {
    const facts = { kind, url, name: "x", key: "a".repeat(32), topics: [], own: "status.test" };
    const done = await outbox.run({ kind: "channel.add", request: facts }, "ada");
    expect(done).toMatchObject({ ok: false, failure: { code: "address", message: expect.stringContaining(words) } });
  });
});

it.each(["https://prod-12.westeurope.logic.azure.com:443/workflows/x/triggers/manual/paths/invoke?sig=y"])(
  "Teams is told at the address of a workflow: %s",
  async (url) => expect((await add("workflow", { kind: "teams", url })).receiver.host).toContain("logic.azure.com"),
);

describe("what people say on the page", () => {
  it("is told from the first word to the last, and a correction is no news", async () => {
    await answers("page", 200);
    await add("page");
    const opened = await cli("POST", "/cli/v1/incidents", { name: "Told", body: "It began." });
    const { incident } = await opened.json<{ incident: { id: string } }>();
    const [held] = (await board.operatorView([])).incidents ?? [];
    const first = held?.updates[0];
    const mended = {
      kind: "incident.correct",
      id: incident.id,
      update: first?.id ?? "",
      request: { body: "So it began." },
    };
    expect(await board.announce(mended as AnnounceAct, "ada")).toMatchObject({ ok: true });
    await cli("POST", `/cli/v1/incidents/${incident.id}/updates`, { status: "resolved", body: "It is over." });
    await runDurableObjectAlarm(board);
    await expect.poll(async () => (await posted("page")).length).toBe(2);
    const bodies = (await posted("page")).map(({ body }) => JSON.parse(body) as { type: string; data: object });
    expect(bodies).toMatchObject([
      { type: "incident.created", data: { id: incident.id, name: "Told", body: "It began." } },
      { type: "incident.resolved", data: { id: incident.id, status: "resolved", body: "It is over." } },
    ]);
    expect(await runInDurableObject(board, (_, { storage }) => waiting(storage))).toBe(0);
  });

  it("stands in the Board until the Outbox has it", async () => {
    await answers("kept", 200);
    await add("kept");
    const stays = await runInDurableObject(board, async (one, { storage }) => {
      const request = { name: "Kept", body: "It began.", components: [] };
      const done = one.announce({ kind: "incident.open", request }, "ada");
      // The act and its message are one write; nothing was awaited yet.
      const count = waiting(storage);
      await done;
      return count;
    });
    expect(stays).toBe(1);
    await expect.poll(async () => (await posted("kept")).length).toBe(1);
  });
});

function waiting(storage: DurableObjectStorage): number {
  return Number(storage.sql.exec("SELECT count(*) AS n FROM work WHERE kind = 'message'").one()["n"]);
}
