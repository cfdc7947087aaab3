import {
  appendFileSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MINUTE } from "../../protocol/time.ts";
import { RecordSchema, type EventRecord, type FactRecord, type WindowRecord } from "../../protocol/record.ts";
import { is } from "valibot";
import { Numbers } from "../../agent/numbers.ts";
import { Spool } from "../../agent/spool.ts";

const NOW = 1_795_392_000_000;
let folder = "";
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "spool-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function open(dataDir = folder, bytesMax?: number, fsync?: (fd: number) => void): Spool {
  const fail = (message: string): never => {
    throw new Error(message);
  };
  return new Spool({
    dataDir,
    fail,
    ...(bytesMax === undefined ? {} : { bytesMax }),
    ...(fsync === undefined ? {} : { fsync }),
  });
}

function window(minute: number, service = "shop/cart", requests = 1): WindowRecord {
  return { kind: "window", service, at: NOW + minute * MINUTE, spanMs: MINUTE, requests, errors: 0, latency: null };
}

function event(n: number): EventRecord {
  return { kind: "pod.oom_killed", id: n.toString(16).padStart(32, "0"), at: NOW + n, subject: "shop/cart", body: {} };
}

function all(spool: Spool): readonly FactRecord[] {
  return spool.batch(spool.base, 500, 1e9).items;
}

function keys(records: readonly FactRecord[]): string[] {
  return records.map((record) =>
    record.kind === "window" ? `${record.service} ${(record.at - NOW) / MINUTE}` : record.kind,
  );
}

describe("a spool", () => {
  it("numbers events oldest first, then windows newest first", () => {
    const spool = open();
    spool.append([window(0), window(1), event(2)], NOW);
    spool.append([event(3), window(2)], NOW);
    expect(keys(all(spool))).toEqual(["pod.oom_killed", "pod.oom_killed", "shop/cart 2", "shop/cart 1", "shop/cart 0"]);
  });

  it("numbers what is recent newest first, then the backlog oldest first in at most half of a batch", () => {
    const spool = open();
    const windows = Array.from({ length: 100 }, (_, i) => window(i));
    spool.append(windows, NOW, NOW + 100 * MINUTE);
    // Minutes 90 to 99 are recent, and of the older ones half of 40 go along.
    const recent = Array.from({ length: 10 }, (_, i) => `shop/cart ${99 - i}`);
    const backlog = Array.from({ length: 20 }, (_, i) => `shop/cart ${i}`);
    expect(keys(spool.batch(1, 40, 1e9).items)).toEqual([...recent, ...backlog]);
    expect(keys(spool.batch(31, 40, 1e9).items)).toEqual(backlog.map((_, i) => `shop/cart ${20 + i}`));
  });

  it("gives the backlog at most half of a batch's bytes", () => {
    const spool = open();
    spool.append(
      Array.from({ length: 100 }, (_, i) => window(i)),
      NOW,
    );
    const bytes = (items: readonly FactRecord[]): number => JSON.stringify(items).length;
    const { items } = spool.batch(1, 500, 8_000);
    const backlog = items.slice(11);
    expect(bytes(backlog)).toBeGreaterThan(1_500);
    expect(bytes(backlog)).toBeLessThan(4_000);
  });

  it("keeps numbers and records over a restart and sends the very same again", () => {
    const first = open();
    first.append([window(0), window(1), event(2)], NOW, NOW);
    const sent = first.batch(1, 2, 1e9);
    first.close();
    const second = open();
    expect(second.id).toBe(first.id);
    expect(second.next).toBe(3);
    expect(second.closedUntil).toBe(NOW);
    expect(second.batch(1, 2, 1e9)).toEqual(sent);
    expect(second.batch(1, 500, 1e9).items).toHaveLength(3);
  });

  it("frees at persisted and never gives a number twice, also when it is empty", () => {
    const spool = open();
    spool.append([window(0), window(1)], NOW);
    all(spool);
    spool.acknowledge(2);
    expect(spool.base).toBe(2);
    expect(all(spool)).toHaveLength(1);
    spool.acknowledge(3);
    spool.close();
    const again = open();
    expect([again.base, again.next, again.waiting]).toEqual([3, 3, 0]);
    again.append([window(2)], NOW);
    expect(again.batch(1, 500, 1e9)).toMatchObject({ first: 3, items: [window(2)] });
  });

  it("frees nothing beyond what it has numbered", () => {
    const spool = open();
    spool.append([window(0), window(1)], NOW);
    spool.batch(1, 1, 1e9);
    spool.acknowledge(1_000);
    expect([spool.base, spool.next, spool.waiting]).toEqual([2, 2, 1]);
  });

  it("keeps a batch within its bytes, but always sends one record", () => {
    const spool = open();
    spool.append([window(0), window(1), window(2)], NOW);
    expect(spool.batch(1, 500, 10).items).toHaveLength(1);
    expect(spool.batch(1, 500, 250).items).toHaveLength(1);
    expect(spool.batch(1, 500, 1_000).items).toHaveLength(3);
  });

  it("ends when the disk cannot be sure, and is whole when it is opened again", () => {
    let isBroken = false;
    const spool = open(folder, undefined, () => {
      if (isBroken) throw new Error("EIO");
    });
    spool.append([window(0)], NOW);
    isBroken = true;
    expect(() => spool.append([window(1)], NOW)).toThrow("EIO");
    expect(() => spool.batch(1, 500, 1e9)).toThrow("EIO");
    expect(keys(all(open()))).toContain("shop/cart 0");
  });

  it("ends also when the disk is not sure for want of room: what it has of the bytes that were written nobody knows", () => {
    let isFull = false;
    const spool = open(folder, undefined, () => {
      if (isFull) throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
    });
    spool.append([window(0)], NOW);
    isFull = true;
    expect(() => spool.append([window(1)], NOW)).toThrow("is full: free some of it");
    expect(() => spool.batch(1, 500, 1e9)).toThrow("is full: free some of it");
    const reopened = open();
    const seen = keys(all(reopened));
    expect(seen).toContain("shop/cart 0");
    expect([reopened.damagedAtStart, new Set(seen).size]).toEqual([0, seen.length]);
  });

  it("keeps all of its reserve, also after a kill that left a part of it", () => {
    const reserve = join(folder, "spool", "reserve");
    open().close();
    truncateSync(reserve, 1_000);
    open().close();
    expect(statSync(reserve).size).toBe(1_048_576);
  });

  it("numbers anew in another epoch, and the number goes on rising", () => {
    const spool = open();
    spool.adopt(7, 1);
    spool.append([window(0), window(1)], NOW);
    all(spool);
    spool.adopt(9, 1);
    expect([spool.epoch, spool.base, spool.next, spool.waiting]).toEqual([9, 3, 3, 2]);
    expect(spool.batch(1, 500, 1e9)).toMatchObject({ first: 3 });
    const { id } = spool;
    spool.renew();
    expect(spool.epoch).toBeNull();
    expect(spool.id).not.toBe(id);
    expect(spool.next).toBe(5);
  });

  it("puts a declared gap in the place of a record that the edge refuses", () => {
    const spool = open();
    spool.append([window(0), window(1)], NOW);
    all(spool);
    spool.setAside(1);
    const expected = [{ kind: "gap", reason: "refused", count: 1, at: window(1).at }, window(0)];
    expect(all(spool)).toMatchObject(expected);
    expect(all(spool).every((record) => is(RecordSchema, record))).toBe(true);
    // A later transaction must not bring the refused record back.
    spool.append([event(9)], NOW);
    spool.close();
    expect(all(open()).slice(0, 2)).toMatchObject(expected);
  });
});

/** A copy of the data folder in which one file ends at `bytes`. */
function tornCopy(name: string, bytes: number): string {
  const copy = mkdtempSync(join(tmpdir(), "torn-"));
  cpSync(folder, copy, { recursive: true });
  truncateSync(join(copy, "spool", name), bytes);
  return copy;
}

describe("after a kill at any byte", () => {
  it("a minute is there with all its windows and its mark, or not at all, and what was durable before always is", () => {
    const spool = open();
    spool.append([window(0, "shop/a"), window(0, "shop/b"), event(1)], NOW, NOW + MINUTE);
    const path = join(folder, "spool", "00000001.segment");
    const before = statSync(path).size;
    spool.append([window(1, "shop/a"), window(1, "shop/b")], NOW, NOW + 2 * MINUTE);
    const whole = statSync(path).size;
    spool.close();
    for (let bytes = before; bytes <= whole; bytes++) {
      const copy = tornCopy("00000001.segment", bytes);
      const reopened = open(copy);
      const isWhole = bytes === whole;
      expect(reopened.closedUntil, `at byte ${bytes}`).toBe(NOW + (isWhole ? 2 : 1) * MINUTE);
      expect(reopened.waiting).toBe(isWhole ? 5 : 3);
      expect(reopened.damagedAtStart).toBe(0);
      // Closed again, it takes the place of what is there.
      reopened.append([window(1, "shop/a")], NOW, NOW + 2 * MINUTE);
      reopened.close();
      expect(open(copy).waiting).toBe(isWhole ? 5 : 4);
      rmSync(copy, { recursive: true });
    }
  });

  it("a number that could have left is known, and one that could not is free", () => {
    const spool = open();
    spool.append([window(0), window(1), window(2)], NOW);
    spool.batch(1, 1, 1e9);
    const path = join(folder, "spool", "numbers.log");
    const before = statSync(path).size;
    spool.batch(2, 1, 1e9);
    const whole = statSync(path).size;
    spool.close();
    for (let bytes = before; bytes <= whole; bytes++) {
      const copy = tornCopy("numbers.log", bytes);
      const reopened = open(copy);
      expect(reopened.next, `at byte ${bytes}`).toBe(bytes === whole ? 3 : 2);
      expect(reopened.id).toBe(spool.id);
      expect(keys(reopened.batch(1, 500, 1e9).items)).toEqual(["shop/cart 2", "shop/cart 1", "shop/cart 0"]);
      reopened.close();
      rmSync(copy, { recursive: true });
    }
  });

  it("garbage behind the last record is cut off", () => {
    const spool = open();
    spool.append([window(0)], NOW);
    spool.close();
    appendFileSync(join(folder, "spool", "00000001.segment"), Buffer.alloc(4_096, 0));
    const reopened = open();
    expect(reopened.waiting).toBe(1);
    reopened.append([window(1)], NOW);
    reopened.close();
    expect(open().waiting).toBe(2);
  });

  it("any history of closing, sending, freeing and being killed loses nothing and gives no number twice", () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant("append" as const), n: fc.integer({ min: 1, max: 4 }) }),
      fc.record({ do: fc.constant("send" as const), n: fc.integer({ min: 1, max: 6 }) }),
      fc.record({ do: fc.constant("free" as const), n: fc.integer({ min: 0, max: 5 }) }),
      fc.record({ do: fc.constant("kill" as const), n: fc.integer({ min: 1, max: 80 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const dataDir = mkdtempSync(join(tmpdir(), "history-"));
        let spool = open(dataDir);
        const numbered = new Map<number, string>();
        const appended = new Set<string>();
        let minute = 0;
        for (const { do: what, n } of steps) {
          if (what === "append") {
            const windows = Array.from({ length: n }, (_, i) => window(minute, `shop/s${i}`));
            spool.append(windows, NOW, NOW + ++minute * MINUTE);
            for (const key of keys(windows)) appended.add(key);
          } else if (what === "send") {
            const { first, items } = spool.batch(spool.base, n, 1e9);
            keys(items).forEach((key, i) => {
              if ((numbered.get(first + i) ?? key) !== key)
                throw new Error(`number ${first + i} is ${numbered.get(first + i)} and ${key}`);
              numbered.set(first + i, key);
            });
          } else if (what === "free") {
            spool.acknowledge(Math.min(spool.base + n, spool.next));
          } else {
            spool.close();
            // A write that was cut short: the beginning of a frame behind what is durable.
            appendFileSync(
              join(dataDir, "spool", "00000001.segment"),
              Buffer.from([n, 0, 0, 0, 1, 2, 3, 4, 5].slice(0, n)),
            );
            appendFileSync(
              join(dataDir, "spool", "numbers.log"),
              Buffer.from([100, 0, 0, 0, 1, 2, 3, 4, 5].slice(0, n)),
            );
            spool = open(dataDir);
            if (spool.closedUntil !== (minute === 0 ? null : NOW + minute * MINUTE))
              throw new Error("the mark of closed minutes is lost");
          }
        }
        const freed = [...numbered].filter(([seq]) => seq < spool.base).map(([, key]) => key);
        const held = keys(spool.batch(spool.base, 500, 1e9).items);
        const seen = [...freed, ...held].toSorted();
        spool.close();
        rmSync(dataDir, { recursive: true });
        // Backfill may be rationed, so that some still wait for a number; here all minutes are recent.
        if (minute <= 10 && JSON.stringify(seen) !== JSON.stringify([...appended].toSorted()))
          throw new Error(`${seen.join()} is not ${[...appended].join()}`);
      }),
      { numRuns: 60 },
    );
  });
});

describe("decay on the disk", () => {
  function flip(name: string, at: number): void {
    const path = join(folder, "spool", name);
    const bytes = readFileSync(path);
    bytes[at] = (bytes[at] ?? 0) ^ 0x40;
    writeFileSync(path, bytes);
  }

  it("at any byte of a record costs this record, which is declared under its number", () => {
    const spool = open();
    const path = join(folder, "spool", "00000001.segment");
    spool.append([window(0)], NOW);
    const from = statSync(path).size;
    spool.append([window(1)], NOW);
    const to = statSync(path).size;
    spool.append([window(2)], NOW);
    expect(keys(all(spool))).toEqual(["shop/cart 2", "shop/cart 1", "shop/cart 0"]);
    spool.close();
    const original = readFileSync(path);
    const recordEnd = from + original.readUInt32LE(from) + 8;
    expect(recordEnd).toBeLessThan(to);
    for (let at = from; at < recordEnd; at++) {
      const copy = mkdtempSync(join(tmpdir(), "decay-"));
      cpSync(folder, copy, { recursive: true });
      const bytes = Buffer.from(original);
      bytes[at] = (bytes[at] ?? 0) ^ 0x10;
      writeFileSync(join(copy, "spool", "00000001.segment"), bytes);
      const reopened = open(copy);
      expect(reopened.damagedAtStart, `at byte ${at}`).toBe(1);
      expect(all(reopened)).toMatchObject([window(2), { kind: "gap", reason: "damaged", count: 1 }, window(0)]);
      const said = all(reopened);
      reopened.close();
      const again = open(copy);
      expect(again.damagedAtStart).toBe(0);
      expect(all(again)).toEqual(said);
      again.close();
      rmSync(copy, { recursive: true });
    }
  });

  it("of records without a number is declared once with their count", () => {
    const spool = open();
    spool.append([window(0)], NOW);
    const path = join(folder, "spool", "00000001.segment");
    const from = statSync(path).size;
    spool.append([window(1), window(2), window(3)], NOW);
    spool.close();
    flip("00000001.segment", from + 30);
    const reopened = open();
    expect(reopened.damagedAtStart).toBe(1);
    expect(keys(all(reopened))).toEqual(["gap", "shop/cart 3", "shop/cart 2", "shop/cart 0"]);
    reopened.close();
    expect(open().damagedAtStart).toBe(0);
  });

  it("of the book of numbers leads to a new identity that sends everything again", () => {
    const spool = open();
    spool.append([window(0), window(1)], NOW);
    spool.adopt(7, 1);
    spool.batch(1, 1, 1e9);
    spool.batch(2, 1, 1e9);
    spool.close();
    flip("numbers.log", 40);
    const reopened = open();
    expect(reopened.renewedBecause).not.toBeNull();
    expect(reopened.id).not.toBe(spool.id);
    expect(reopened.epoch).toBeNull();
    expect(reopened.waiting).toBe(2);
    expect(reopened.next).toBe(3);
    expect(reopened.batch(1, 500, 1e9)).toEqual({ first: 3, items: [window(1), window(0)] });
  });
});

describe("a full spool", () => {
  const many = (minute: number): WindowRecord[] =>
    Array.from({ length: 1_000 }, (_, i) =>
      window(minute, `shop/service-${i}-of-a-name-that-takes-a-hundred-bytes-on-disk`),
    );

  it("keeps what has its number, and refuses new windows rather than events", () => {
    const spool = open(folder, 200_000);
    for (const records of [many(0), Array.from({ length: 1_000 }, (_, i) => event(i))]) {
      spool.append(records, NOW);
      while (spool.waiting > 0) spool.batch(spool.next, 500, 1e9);
    }
    expect(spool.next).toBe(2_001);
    spool.append([window(1), window(1, "shop/other"), event(5)], NOW);
    expect(spool.batch(spool.next, 500, 1e9).items).toMatchObject([
      event(5),
      { kind: "gap", reason: "spool_full", count: 2 },
    ]);
  });

  it("drops windows that the edge would refuse as too old", () => {
    const spool = open();
    spool.append([window(0)], NOW);
    spool.append([window(8 * 24 * 60)], NOW + 8 * 24 * 60 * MINUTE);
    expect(all(spool)).toMatchObject([{ kind: "gap", reason: "refused", count: 1, at: NOW }, window(8 * 24 * 60)]);
  });

  it("drops nothing for its age while nobody knows what time it is", () => {
    const spool = open();
    spool.append([window(0)], NOW);
    spool.append([window(8 * 24 * 60)], null);
    expect(all(spool)).toMatchObject([window(8 * 24 * 60), window(0)]);
  });

  it("gives segments back to the disk once Postgres has their records", () => {
    const spool = open();
    for (let minute = 0; minute < 100; minute++) spool.append(many(minute), NOW, NOW + minute * MINUTE);
    const segments = (): number =>
      readdirSync(join(folder, "spool")).filter((name) => name.endsWith(".segment")).length;
    expect(segments()).toBeGreaterThan(2);
    while (spool.waiting > 0) {
      spool.batch(spool.next, 500, 1e9);
      spool.acknowledge(spool.next);
    }
    expect(segments()).toBe(1);
    spool.close();
    const reopened = open();
    expect([reopened.damagedAtStart, reopened.waiting, reopened.base]).toEqual([0, 0, 100_001]);
    expect(reopened.closedUntil).toBe(NOW + 99 * MINUTE);
    // The book forgets what is gone, though it was not written anew since.
    reopened.renew();
    reopened.close();
    const { freed } = new Numbers(join(folder, "spool", "numbers.log"));
    expect(freed.size).toBeLessThan(20_000);
  });

  it("follows the moment until which windows are closed back, when a wrong clock had put it into the future", () => {
    const spool = open();
    spool.append([], NOW, NOW + 60 * MINUTE);
    spool.append([window(1)], NOW, NOW + MINUTE);
    spool.close();
    expect(open().closedUntil).toBe(NOW + MINUTE);
  });
});
