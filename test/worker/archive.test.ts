/** What a Cluster holds for Postgres: what it costs, and that it arrives. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { HOUR, MINUTE, SECOND } from "../../protocol/time.ts";
import type { Costs } from "../../worker/objects/meter.ts";
import { clusterOf } from "../../worker/objects/env.ts";
import { windowCount } from "../../worker/store/queries.ts";
import type { Agent, Receipt } from "./agent.ts";
import { bindings, enrolledAgent, openSession, windowOf } from "./agent.ts";
import { database, failDatabase, statementsSeen } from "./database.ts";

const FLUSH_MS = Number(bindings.FLUSH_INTERVAL_MS);
type Enrolled = Agent & { readonly epoch: number };

beforeEach(() => vi.useFakeTimers({ toFake: ["Date"], now: Date.now() }));
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** The clock goes on; nothing waits for it. */
function pass(ms: number): void {
  vi.setSystemTime(Date.now() + ms);
}

function eventOf(subject: string): object {
  const id = Array.from(subject.padEnd(16), (letter) => letter.charCodeAt(0).toString(16).padStart(2, "0")).join("");
  return { kind: "pod.oom_killed", id: id.slice(0, 32), at: Date.now(), subject, body: {} };
}

/** An agent that numbers what it sends, as the real one does. */
class Sender {
  next = 1;
  persisted = 1;
  readonly agent: Enrolled;

  constructor(agent: Enrolled) {
    this.agent = agent;
  }

  static async start(cluster: string): Promise<Sender> {
    return new Sender(await enrolledAgent(cluster));
  }

  async push(items: readonly object[] = []): Promise<Receipt> {
    const records = { first: this.next, items };
    const answer = await this.agent.push({ epoch: this.agent.epoch, base: this.persisted, records });
    if (answer.status !== 200) throw new Error(`${answer.status} ${await answer.text()}`);
    const receipt = await answer.json<Receipt>();
    this.next = receipt.received;
    this.persisted = receipt.persisted;
    return receipt;
  }

  /** Fifty services' windows of the minute before. */
  windows(): readonly object[] {
    return Array.from({ length: 50 }, (_, i) => windowOf(1, `shop/service-${i}`));
  }

  get cluster() {
    return clusterOf(bindings, this.agent.cluster);
  }

  /** What these acts cost, over as many lives of the object as they take, if none of them ends one. */
  async cost(act: () => Promise<unknown>): Promise<Costs> {
    const before = await this.cluster.costs();
    await act();
    const after = await this.cluster.costs();
    const minus = (name: "rowsWritten" | "rowsRead" | "alarmsSet" | "statements"): number => after[name] - before[name];
    return {
      ...after,
      rowsWritten: minus("rowsWritten"),
      rowsRead: minus("rowsRead"),
      alarmsSet: minus("alarmsSet"),
      statements: minus("statements"),
    };
  }

  /** Until what was sent with the last push has arrived. */
  async settled(): Promise<void> {
    await expect.poll(async () => (await this.push()).persisted, { timeout: 5_000 }).toBe(this.next);
  }

  stored(): Promise<number> {
    return windowCount(database(), this.agent.cluster).then((count) => (count.ok ? count.value : -1));
  }
}

function alarmOf(cluster: string): Promise<number | null> {
  return runInDurableObject(clusterOf(bindings, cluster), (_, { storage }) => storage.getAlarm());
}

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
    const minutes = 30;
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
    expect(statements).toBeGreaterThanOrEqual(5);
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

describe("an object of the release before", () => {
  const SPOOL = "5".repeat(32);

  /** A row as that release writes it, in its own words. */
  function keep({ sql }: DurableObjectStorage, slot: number, epoch: number, first: number, persisted: number): void {
    const records = [
      { seq: first, record: windowOf(first + 10, `shop/of-${epoch}`) },
      { seq: first + 1, record: eventOf(`${epoch % 997} ${first}`) },
    ];
    sql.exec(
      "INSERT OR REPLACE INTO outbox (slot, spool, epoch, first, next, persisted, at, records, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
      slot,
      SPOOL,
      epoch,
      first,
      first + 2,
      persisted,
      Date.now(),
      2,
      JSON.stringify(records),
    );
  }

  async function before(cluster: string): Promise<Sender> {
    const sender = await Sender.start(cluster);
    const { epoch } = sender.agent;
    await runInDurableObject(sender.cluster, (_, { storage }) => {
      storage.sql.exec("DROP TABLE outbox");
      storage.sql.exec(
        `CREATE TABLE IF NOT EXISTS outbox (slot INTEGER PRIMARY KEY, spool TEXT NOT NULL, epoch INTEGER NOT NULL,
          first INTEGER NOT NULL, next INTEGER NOT NULL, persisted INTEGER NOT NULL, at INTEGER NOT NULL,
          records INTEGER NOT NULL, body TEXT NOT NULL)`,
      );
      storage.sql.exec(
        "UPDATE meta SET value = ? WHERE key = 'marks'",
        JSON.stringify({ spool: SPOOL, epoch, next: 1, persisted: 1 }),
      );
      // One is in Postgres, one is left over from an older epoch, two wait; slots are in no order.
      keep(storage, 3, epoch, 1, 1);
      keep(storage, 2, epoch - 5, 7, 7);
      keep(storage, 1, epoch, 3, 3);
      keep(storage, 4, epoch, 5, 3);
    });
    await evictDurableObject(sender.cluster);
    sender.next = 7;
    sender.persisted = 3;
    return sender;
  }

  it("goes on with its epoch and its watermarks, and its records arrive", async () => {
    const sender = await before("upgrade-1");
    expect(await sender.push([windowOf(1)])).toMatchObject({ received: 8, persisted: 3 });
    await runDurableObjectAlarm(sender.cluster);
    expect([await sender.push(), await sender.stored()]).toMatchObject([{ persisted: 8 }, 4]);
    await evictDurableObject(sender.cluster);
    expect(await sender.push()).toMatchObject({ received: 8, persisted: 8 });
  });

  it("that came back for a while loses nothing that either release received", async () => {
    const sender = await before("upgrade-2");
    await sender.push([eventOf("between"), windowOf(1)]);
    await runInDurableObject(sender.cluster, (_, { storage }) => keep(storage, 5, sender.agent.epoch, 9, 3));
    await evictDurableObject(sender.cluster);
    sender.next = 11;
    expect(await sender.push([windowOf(2)])).toMatchObject({ received: 12, persisted: 3 });
    await runDurableObjectAlarm(sender.cluster);
    expect([await sender.push(), await sender.stored()]).toMatchObject([{ persisted: 12 }, 6]);
    // It also writes where this release has windows that are in Postgres.
    await sender.push([eventOf("alone")]);
    await runInDurableObject(sender.cluster, (_, { storage }) => {
      storage.sql.exec("DELETE FROM outbox WHERE slot > 1 AND slot < 100");
      keep(storage, 1, sender.agent.epoch, 13, 13);
    });
    await evictDurableObject(sender.cluster);
    await runDurableObjectAlarm(sender.cluster);
    sender.next = 15;
    expect([await sender.push(), await sender.stored()]).toMatchObject([{ persisted: 15 }, 7]);
  });

  it("that came back and deleted rows leaves no note that would later be taken for true", async () => {
    const sender = await Sender.start("upgrade-3");
    for (let i = 0; i < 3; i++) {
      await sender.push([windowOf(i + 10)]);
      await runDurableObjectAlarm(sender.cluster);
    }
    await runInDurableObject(sender.cluster, (_, { storage }) => {
      const marks = { spool: SPOOL, epoch: sender.agent.epoch, next: 4, persisted: 4 };
      storage.sql.exec("DELETE FROM outbox");
      storage.sql.exec("UPDATE meta SET value = ? WHERE key = 'marks'", JSON.stringify(marks));
    });
    for (let i = 0; i < 3; i++) {
      await evictDurableObject(sender.cluster);
      await sender.push([windowOf(i + 1)]);
    }
    await evictDurableObject(sender.cluster);
    expect(await sender.push()).toMatchObject({ received: 7, persisted: 4 });
    await runDurableObjectAlarm(sender.cluster);
    expect(await sender.stored()).toBe(6);
  });
});
