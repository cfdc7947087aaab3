/** What a Cluster holds for Postgres: what it costs, and that it arrives. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { DAY, HOUR, MINUTE, SECOND } from "../../protocol/time.ts";
import { clusterOf } from "../../worker/objects/env.ts";
import { bindings, openSession, windowOf } from "./agent.ts";
import { failDatabase, forgetAll, statementsSeen, storedEvents } from "./database.ts";
import { Sender, alarmOf, eventOf, pass } from "./sender.ts";

const FLUSH_MS = Number(bindings.FLUSH_INTERVAL_MS);

beforeEach(() => vi.useFakeTimers({ toFake: ["Date"], now: Date.now() }));
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

function eventRows(cluster: string): Promise<number> {
  return runInDurableObject(
    clusterOf(bindings, cluster),
    (_, { storage }) => storage.sql.exec<{ n: number }>("SELECT count(*) AS n FROM outbox WHERE total > 0").one().n,
  );
}

describe("a push costs", () => {
  it.each([
    ["one row with windows", ["W", "W"], 1],
    ["one row with events", ["E", "E"], 1],
    ["two rows with both", ["E", "W", "W"], 2],
    ["nothing without records", [], 0],
  ])("%s", async (_name, kinds, rows) => {
    const sender = await Sender.start(`cost-${rows}-${kinds.length}`);
    await sender.push([windowOf(9)]);
    const items = kinds.map((kind, i) => (kind === "W" ? windowOf(i + 1) : eventOf(`event ${i}`)));
    expect(await sender.cost(() => sender.push(items))).toMatchObject({ rowsWritten: rows, alarmsSet: 0 });
  });

  it("nothing when it comes again", async () => {
    const sender = await Sender.start("cost-again");
    const items = [eventOf("again"), windowOf(1)];
    await sender.push(items);
    sender.next = 1;
    expect(await sender.cost(() => sender.push(items))).toMatchObject({ rowsWritten: 0, alarmsSet: 0 });
  });

  it("a handful of rows read when the object wakes for it, whatever two days of events hold", async () => {
    const sender = await Sender.start("cost-ring");
    await openSession(sender.agent);
    await sender.push([eventOf("first")]);
    await runInDurableObject(sender.cluster, (_, { storage }) => {
      for (let position = 2; position <= 2_000; position++) {
        storage.sql.exec(
          `INSERT INTO outbox (slot, position, spool, epoch, first, next, persisted, at, records, bytes, flushed, total, body)
            SELECT slot + ?, ?, spool, epoch, ?, ?, persisted, at, records, bytes, ?, total, body
            FROM outbox WHERE position = 1`,
          position - 1,
          position,
          position,
          position + 1,
          position - 1,
        );
      }
    });
    await evictDurableObject(sender.cluster);
    sender.next = 2_001;
    for (let i = 0; i < 6; i++) await sender.push([windowOf(i + 1)]);
    await evictDurableObject(sender.cluster);
    const { rowsRead } = await sender.cluster.costs();
    expect(rowsRead).toBeGreaterThan(5);
    expect(rowsRead).toBeLessThan(40);
    // And an event among them does not have all of them read either.
    expect((await sender.cost(() => sender.push([eventOf("another")]))).rowsRead).toBeLessThan(10);
  });

  it("no row more for an event than the one whose 48 hours are over", async () => {
    const sender = await Sender.start("cost-reuse");
    await sender.push([eventOf("old")]);
    pass(FLUSH_MS);
    await sender.settled();
    pass(47 * HOUR);
    await sender.push([eventOf("young")]);
    expect(await eventRows("cost-reuse")).toBe(2);
    pass(2 * HOUR);
    expect(await sender.cost(() => sender.push([eventOf("new")]))).toMatchObject({ rowsWritten: 1 });
    expect(await eventRows("cost-reuse")).toBe(2);
  });

  it("at most 1.1 rows an agent-minute, alarms included, for an object that sleeps after each", async () => {
    const sender = await Sender.start("cost-minutes");
    await openSession(sender.agent);
    await sender.push(sender.windows());
    await evictDurableObject(sender.cluster);
    const alarm = { at: Number.POSITIVE_INFINITY, runs: 0 };
    const sum = { rows: 0, alarms: 0, statements: 0, read: 0 };
    const minutes = 20;
    await statementsSeen("cost-minutes");
    for (let second = 0; second < minutes * 60; second += 10) {
      pass(10 * SECOND);
      await sender.push(second % 60 === 0 ? sender.windows() : []);
      alarm.at = (await alarmOf("cost-minutes")) ?? alarm.at;
      if (alarm.at <= Date.now()) {
        alarm.at = Number.POSITIVE_INFINITY;
        alarm.runs++;
        await runDurableObjectAlarm(sender.cluster);
      }
      const costs = await sender.cluster.costs();
      sum.rows += costs.rowsWritten;
      sum.alarms += costs.alarmsSet;
      sum.read += costs.rowsRead;
      sum.statements += costs.statements;
      await evictDurableObject(sender.cluster);
    }
    expect((sum.rows + sum.alarms) / minutes).toBeLessThanOrEqual(1.1);
    expect(alarm.runs).toBeLessThanOrEqual(minutes / 15);
    // Every five minutes or six: nothing is sent again because the object has slept.
    const statements = await statementsSeen("cost-minutes");
    expect([statements, sum.statements]).toEqual([sum.statements, statements]);
    expect(statements).toBeGreaterThanOrEqual(3);
    expect(statements).toBeLessThanOrEqual(minutes / 5);
    expect(sum.read / (minutes * 6)).toBeLessThan(30);
  });
});

describe("a flush", () => {
  it("is begun by the first push after the interval, with or without records", async () => {
    const sender = await Sender.start("flush-1");
    await statementsSeen("flush-1");
    await sender.push([eventOf("one"), windowOf(2), windowOf(1)]);
    pass(FLUSH_MS - SECOND);
    await sender.push();
    expect(await statementsSeen("flush-1")).toBe(0);
    pass(SECOND);
    await sender.settled();
    expect([await statementsSeen("flush-1"), await sender.stored()]).toEqual([1, 2]);
  });

  it("is remembered by the session, without a row", async () => {
    const sender = await Sender.start("flush-2");
    await openSession(sender.agent);
    await sender.push([windowOf(2)]);
    pass(FLUSH_MS);
    expect(await sender.cost(() => sender.settled())).toMatchObject({ rowsWritten: 0 });
    await evictDurableObject(sender.cluster);
    expect(await sender.push()).toMatchObject({ received: 2, persisted: 2 });
  });

  it("is remembered in one row where there is no session", async () => {
    const sender = await Sender.start("flush-3");
    await sender.push([windowOf(2)]);
    pass(FLUSH_MS);
    expect(await sender.cost(() => sender.settled())).toMatchObject({ rowsWritten: 1 });
    await evictDurableObject(sender.cluster);
    expect(await sender.push()).toMatchObject({ received: 2, persisted: 2 });
  });

  it("takes an hour of fifty services in two statements", async () => {
    const sender = await Sender.start("flush-4");
    await failDatabase("flush-4", "away");
    for (let minute = 0; minute < 60; minute++) {
      pass(MINUTE);
      await sender.push(sender.windows());
    }
    await failDatabase("flush-4", null);
    await evictDurableObject(sender.cluster);
    // The alarm is what an object without memory of the failures is left with: no single row goes ahead.
    await runInDurableObject(sender.cluster, (_, { storage }) =>
      storage.sql.exec("DELETE FROM meta WHERE key = 'note'"),
    );
    await evictDurableObject(sender.cluster);
    const before = await statementsSeen("flush-4");
    await runDurableObjectAlarm(sender.cluster);
    expect([(await statementsSeen("flush-4")) - before, await sender.stored()]).toEqual([2, 3_000]);
    expect(await sender.push()).toMatchObject({ persisted: 3_001 });
  });

  it("does not meet a dead Postgres at each push, though the object sleeps after each, and drains when it is back", async () => {
    const sender = await Sender.start("flush-5");
    await openSession(sender.agent);
    await failDatabase("flush-5", "away");
    await sender.push(sender.windows());
    pass(FLUSH_MS);
    for (let second = 0; second < 1_200; second += 10) {
      pass(10 * SECOND);
      await sender.push(second % 60 === 0 ? sender.windows() : []);
      await evictDurableObject(sender.cluster);
    }
    const tried = await statementsSeen("flush-5");
    // 120 pushes in 20 minutes; half a minute lies between two tries on average, a minute at most.
    expect(tried).toBeGreaterThanOrEqual(20);
    expect(tried).toBeLessThan(75);
    await failDatabase("flush-5", null);
    pass(61 * SECOND);
    await sender.settled();
    // One row to see that it is back, then the rest at once.
    expect([(await statementsSeen("flush-5")) - tried, await sender.stored()]).toEqual([2, 21 * 50]);
  });

  it("does not overlap another, whoever asks for it", async () => {
    const sender = await Sender.start("flush-6");
    await failDatabase("flush-6", "hang", 1);
    await sender.push([windowOf(3)]);
    pass(FLUSH_MS);
    await sender.push([windowOf(2)]);
    await sender.cluster.wake();
    await sender.push([windowOf(1)]);
    const [alarm, again] = [runDurableObjectAlarm(sender.cluster), sender.cluster.wake()];
    await expect.poll(() => statementsSeen("flush-6")).toBe(1);
    await again;
    await sender.push();
    expect(await statementsSeen("flush-6")).toBe(1);
    await failDatabase("flush-6", null);
    await alarm;
    pass(MINUTE + SECOND);
    await sender.settled();
    expect(await sender.stored()).toBe(3);
  });

  it("whose commit was not heard of is sent again, without effect", async () => {
    const sender = await Sender.start("flush-7");
    await failDatabase("flush-7", "lose_answer", 1);
    await sender.push([eventOf("lost"), windowOf(1)]);
    pass(FLUSH_MS);
    await sender.push();
    await expect.poll(() => sender.stored()).toBe(1);
    expect(await sender.push()).toMatchObject({ persisted: 1 });
    pass(MINUTE + SECOND);
    await sender.settled();
    expect([await statementsSeen("flush-7"), await sender.stored()]).toEqual([2, 1]);
  });

  it("that something else than Postgres answered counts as none", async () => {
    const sender = await Sender.start("flush-8");
    await failDatabase("flush-8", "garbage", 1);
    await sender.push([windowOf(1)]);
    await runDurableObjectAlarm(sender.cluster);
    expect(await sender.push()).toMatchObject({ received: 2, persisted: 1 });
    pass(MINUTE + SECOND);
    await runDurableObjectAlarm(sender.cluster);
    expect([await sender.push(), await sender.stored()]).toMatchObject([{ persisted: 2 }, 1]);
  });
});

describe("records that cannot be used", () => {
  it.each([
    ["is too old", { ...windowOf(1), at: Math.floor(Date.now() / MINUTE) * MINUTE - 8 * DAY }, "too_old"],
    ["is from the future", { ...windowOf(1), at: Math.floor(Date.now() / MINUTE) * MINUTE + HOUR }, "future"],
    ["is no record", { kind: "window" }, "malformed"],
  ])("one that %s costs its number, and none of its neighbours", async (_name, bad, reason) => {
    const sender = await Sender.start(`rejected-${reason.replace("_", "-")}`);
    const receipt = await sender.push([windowOf(3), bad, eventOf("beside")]);
    expect(receipt).toMatchObject({ received: 4, persisted: 1, rejected: [{ seq: 2, reason }] });
    await runDurableObjectAlarm(sender.cluster);
    expect([await sender.push(), await sender.stored()]).toMatchObject([{ persisted: 4 }, 1]);
  });
});

describe("a Postgres that was restored to an earlier time", () => {
  /** Events of three hours, all in Postgres. */
  async function threeHours(cluster: string): Promise<Sender> {
    const sender = await Sender.start(cluster);
    for (let hour = 0; hour < 3; hour++) {
      await sender.push([eventOf(`hour ${hour}`), windowOf(1)]);
      await runDurableObjectAlarm(sender.cluster);
      pass(HOUR);
    }
    await sender.settled();
    return sender;
  }

  it("gets what is still held once more, as often as it is asked for, with one effect", async () => {
    const sender = await threeHours("again-1");
    const since = Date.now() - DAY;
    await forgetAll("again-1");
    // Three events, and the windows of the last hour, whose slot nobody has used again.
    expect(await sender.cluster.reflush(since)).toBe(4);
    expect([await storedEvents("again-1"), await sender.stored()]).toEqual([3, 1]);
    expect(await sender.cluster.reflush(since)).toBe(4);
    expect([await storedEvents("again-1"), await sender.stored()]).toEqual([3, 1]);
    expect(await sender.push()).toMatchObject({ received: 7, persisted: 7 });
  });

  it("gets only what it may have lost", async () => {
    const sender = await threeHours("again-2");
    // Each hour's row says what was in Postgres when it came: what the hours before had brought.
    expect(await sender.cluster.reflush(Date.now() - 2 * HOUR + 2 * MINUTE)).toBe(3);
    expect(await sender.cluster.reflush(Date.now() - HOUR + 2 * MINUTE)).toBe(2);
  });

  it("gets it though it is away when that is asked for, and the object forgets", async () => {
    const sender = await threeHours("again-3");
    await openSession(sender.agent);
    await sender.push();
    await forgetAll("again-3");
    await failDatabase("again-3", "away");
    expect(await sender.cluster.reflush(Date.now() - DAY)).toBe(4);
    // The agent has freed its records: it must not hear of less than before.
    expect(await sender.push()).toMatchObject({ received: 7, persisted: 7 });
    await evictDurableObject(sender.cluster);
    expect(await sender.push()).toMatchObject({ received: 7, persisted: 7 });
    await failDatabase("again-3", null);
    pass(MINUTE + SECOND);
    await sender.cluster.wake();
    await expect.poll(() => storedEvents("again-3")).toBe(3);
  });
});

it("an object that is rewound under an open session takes nothing for flushed that is not", async () => {
  const sender = await Sender.start("rewound-1");
  await openSession(sender.agent);
  for (let i = 0; i < 3; i++) {
    await sender.push([windowOf(i + 20)]);
    await runDurableObjectAlarm(sender.cluster);
  }
  const received = sender.next;
  expect(await sender.push()).toMatchObject({ received, persisted: received });
  // Its storage goes back to before the first push; the session, and what is noted on it, stays.
  await runInDurableObject(sender.cluster, (_, { storage }) => void storage.sql.exec("DELETE FROM outbox"));
  for (let i = 0; i < 3; i++) {
    await evictDurableObject(sender.cluster);
    await sender.push([windowOf(i + 1)]);
  }
  await evictDurableObject(sender.cluster);
  expect(await sender.push()).toMatchObject({ received: received + 3, persisted: received });
  await runDurableObjectAlarm(sender.cluster);
  expect([await sender.push(), await sender.stored()]).toMatchObject([{ persisted: received + 3 }, 6]);
});
