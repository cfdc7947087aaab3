/** Whatever dies in the middle of a push, a flush or an alarm: nothing is lost, nothing is doubled, nobody waits for ever. */
import { abortAllDurableObjects, evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { MINUTE, SECOND } from "../../protocol/time.ts";
import { boardOf } from "../../worker/objects/env.ts";
import type { Cluster } from "../../worker/objects/cluster.ts";
import { bindings, openSession, windowOf } from "./agent.ts";
import { failDatabase, statementsSeen, storedEvents } from "./database.ts";
import { Sender, alarmOf, eventOf, pass } from "./sender.ts";

/** More turns of the event loop than an alarm takes when nothing is in its way. */
const TURNS_MAX = 12;

beforeEach(() => vi.useFakeTimers({ toFake: ["Date"], now: Date.now() }));
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** Lets whatever is under way go on for so many turns of the event loop. */
async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setTimeout(resolve, 0));
}

const deaths: readonly (readonly [string, (sender: Sender) => Promise<void>])[] = [
  ["aborted", () => abortAllDurableObjects()],
  ["evicted", async (sender) => evictDurableObject(sender.cluster).catch(() => {})],
];

/** What the runtime is asked for in the course of a push; before and after each an object can die. */
const steps: readonly (readonly [string, (storage: DurableObjectStorage) => [object, string]])[] = [
  ["the import of the key", () => [crypto.subtle, "importKey"]],
  ["the digest", () => [crypto.subtle, "digest"]],
  ["the check of the signature", () => [crypto.subtle, "verify"]],
  ["the setting of the alarm", (storage) => [Object.getPrototypeOf(storage) as object, "setAlarm"]],
];

/** Has the object die when it has got to this step, or has passed it. Answers whether it got there. */
async function dieAt(
  sender: Sender,
  when: "before" | "after",
  host: (storage: DurableObjectStorage) => [object, string],
): Promise<() => boolean> {
  const [state, [object, method]] = await runInDurableObject(sender.cluster, (_, held) => [held, host(held.storage)]);
  let isReached = false;
  const real = Reflect.get(object, method) as (...args: unknown[]) => Promise<unknown>;
  const restore = (): void => void Reflect.set(object, method, real);
  const gone = (): void => state.abort("the machine is gone");
  Reflect.set(object, method, function (this: unknown, ...args: unknown[]) {
    restore();
    isReached = true;
    if (when === "before") gone();
    return real.apply(this, args).finally(gone);
  });
  onTestFinished(restore);
  return () => isReached;
}

/** Sends until it is taken, as the agent does. */
async function pushed(sender: Sender, items: readonly object[]): Promise<void> {
  const { next } = sender;
  await expect
    .poll(() =>
      sender.push(items).then(
        ({ received }) => received,
        () => 0,
      ),
    )
    .toBe(next + items.length);
}

describe.each(["before", "after"] as const)("an object that dies %s", (when) => {
  it.each(steps)("%s has kept all of a push or nothing, and takes it when it comes again", async (step, host) => {
    const cluster = `push-${when}-${step.replaceAll(" ", "-")}`;
    const sender = await Sender.start(cluster);
    const items = [eventOf(step), windowOf(1)];
    const push = await sender.prepare(items);
    // It has just woken, so it knows nothing that it could skip.
    await evictDurableObject(sender.cluster);
    const reached = await dieAt(sender, when, host);
    const answered = await push().then(
      () => true,
      () => false,
    );
    // The alarm is set when all is decided; after it the answer may have left.
    expect([reached(), answered]).toEqual([true, answered && when === "after" && step.includes("alarm")]);
    await pushed(sender, items);
    await runDurableObjectAlarm(sender.cluster);
    expect([await sender.stored(), await storedEvents(cluster)]).toEqual([1, 1]);
    expect(await sender.push()).toMatchObject({ received: 3, persisted: 3 });
  });
});

describe.each(deaths)("an object that is %s", (how, die) => {
  it("after any turn of an alarm sends what it had not sent, and sets the next alarm while something waits", async () => {
    const sender = await Sender.start(`alarm-${how}`);
    for (let turn = 0; turn < TURNS_MAX; turn++) {
      await pushed(sender, [eventOf(`turn ${turn}`), windowOf(turn + 1)]);
      const alarm = runDurableObjectAlarm(sender.cluster).catch(() => false);
      await turns(turn);
      await die(sender);
      await alarm;
      await sender.cluster.wake();
      const { persisted, received } = await sender.push();
      expect(persisted === received || (await alarmOf(sender.agent.cluster)) !== null).toBe(true);
    }
    await runDurableObjectAlarm(sender.cluster);
    expect([await sender.stored(), await storedEvents(sender.agent.cluster)]).toEqual([TURNS_MAX, TURNS_MAX]);
    expect(await sender.push()).toMatchObject({ persisted: 1 + 2 * TURNS_MAX });
  });

  it.each(["hang", "late_answer"] as const)(
    "while Postgres keeps a flush waiting (%s) sends it again",
    async (fault) => {
      const cluster = `flush-${how}-${fault.replace("_", "-")}`;
      const sender = await Sender.start(cluster);
      await openSession(sender.agent);
      await failDatabase(cluster, fault, 1);
      await sender.push([eventOf("waits"), windowOf(1)]);
      pass(6 * MINUTE);
      await sender.push();
      await expect.poll(() => statementsSeen(cluster)).toBe(1);
      const death = die(sender);
      await turns(3);
      await failDatabase(cluster, null);
      await death;
      await expect
        .poll(() =>
          sender.push().then(
            ({ persisted }) => persisted,
            () => 0,
          ),
        )
        .toBeGreaterThan(0);
      // Until then the agent is told nothing that is not so.
      pass(2 * MINUTE);
      await sender.settled();
      expect([await sender.stored(), await storedEvents(cluster)]).toEqual([1, 1]);
    },
  );
});

describe("an alarm", () => {
  it("that fires twice, and at the same time, sends once", async () => {
    const sender = await Sender.start("twice");
    await statementsSeen("twice");
    await sender.push([eventOf("once"), windowOf(1)]);
    await runInDurableObject(sender.cluster, async (object: Cluster) => {
      await Promise.all([object.alarm(), object.alarm()]);
      await object.alarm();
    });
    expect([await statementsSeen("twice"), await sender.stored(), await storedEvents("twice")]).toEqual([1, 1, 1]);
    expect(await alarmOf("twice")).not.toBeNull();
  });

  it.each(["away", "garbage"] as const)("that fails seven times (%s) comes an eighth time", async (fault) => {
    const cluster = `seven-${fault}`;
    const sender = await Sender.start(cluster);
    await failDatabase(cluster, fault);
    await sender.push([windowOf(1)]);
    for (let time = 1; time <= 7; time++) {
      // Without memory of an agent that pushes it is this alarm alone that tries again.
      await evictDurableObject(sender.cluster);
      expect(await runDurableObjectAlarm(sender.cluster)).toBe(true);
      const next = (await alarmOf(cluster)) ?? 0;
      expect(next).toBeGreaterThanOrEqual(Date.now());
      expect(next).toBeLessThanOrEqual(Date.now() + 5 * MINUTE);
      pass(Math.max(0, next - Date.now()));
    }
    expect(await statementsSeen(cluster)).toBe(7);
    await failDatabase(cluster, null);
    expect(await runDurableObjectAlarm(sender.cluster)).toBe(true);
    expect([await sender.stored(), (await sender.push()).persisted]).toEqual([1, 2]);
  });

  it("that throws seven times is set again each time, and then does its work", async () => {
    const sender = await Sender.start("throws");
    await sender.push([windowOf(1)]);
    const rename = (from: string, to: string) =>
      runInDurableObject(
        sender.cluster,
        (_, { storage }) => void storage.sql.exec(`ALTER TABLE ${from} RENAME TO ${to}`),
      );
    await rename("outbox", "elsewhere");
    const logged = vi.spyOn(console, "error").mockImplementation(() => {});
    for (let time = 1; time <= 7; time++) {
      expect(await runDurableObjectAlarm(sender.cluster)).toBe(true);
      expect(await alarmOf("throws")).not.toBeNull();
    }
    expect(logged.mock.calls.flat().filter((line) => String(line).includes("flush_broken"))).toHaveLength(7);
    await rename("elsewhere", "outbox");
    await runDurableObjectAlarm(sender.cluster);
    expect([await sender.stored(), (await sender.push()).persisted]).toEqual([1, 2]);
  });
});

describe("a Board that dies", () => {
  it("while an agent is told of delays neither push nor flush", async () => {
    const sender = await Sender.start("board-dies");
    const gone = runInDurableObject(boardOf(bindings), (_, state) => state.abort("the machine is gone")).catch(
      () => {},
    );
    await sender.push([windowOf(1)]);
    await gone;
    pass(5 * MINUTE + SECOND);
    await sender.settled();
    expect(await sender.stored()).toBe(1);
  });
});
