/** Rows that the release before wrote, and what it makes of this one's if it comes back. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { windowOf } from "./agent.ts";
import { Sender, eventOf } from "./sender.ts";

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

  it("that came back and wrote over flushed rows finds none of its own counted as flushed", async () => {
    const sender = await Sender.start("upgrade-4");
    for (let i = 0; i < 3; i++) {
      await sender.push([windowOf(i + 20)]);
      await runDurableObjectAlarm(sender.cluster);
    }
    await runInDurableObject(sender.cluster, (_, { storage }) => {
      for (let i = 0; i < 3; i++) keep(storage, i + 1, sender.agent.epoch, 4 + 2 * i, 4);
    });
    await evictDurableObject(sender.cluster);
    sender.next = 10;
    expect(await sender.push()).toMatchObject({ received: 10, persisted: 4 });
    await runDurableObjectAlarm(sender.cluster);
    expect([await sender.push(), await sender.stored()]).toMatchObject([{ persisted: 10 }, 6]);
  });
});
