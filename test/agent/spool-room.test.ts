import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Spool, type SpoolOptions } from "../../agent/spool.ts";
import { DAY, HOUR, MINUTE } from "../../protocol/time.ts";
import type { FactRecord } from "../../protocol/record.ts";
import { close, drain, event, lengths, NOON, sums, window, windowsOf } from "./spool-facts.ts";

let folder = "";
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "room-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function open(bytesMax: number, dataDir = folder, options: Partial<SpoolOptions> = {}): Spool {
  const fail = (message: string): never => {
    throw new Error(message);
  };
  return new Spool({ dataDir, bytesMax, fail, ...options });
}

function bytesOnDisk(dataDir = folder): number {
  const names = readdirSync(join(dataDir, "spool")).filter((name) => name !== "reserve");
  return names.reduce((sum, name) => sum + statSync(join(dataDir, "spool", name)).size, 0);
}

describe("a spool that runs out of room", () => {
  it("makes the oldest windows five minutes long, and loses no request", () => {
    const spool = open(100_000);
    close(spool, 0, 600, 1);
    expect(bytesOnDisk()).toBeLessThan(110_000);
    spool.close();
    const reopened = open(100_000);
    expect(reopened.damagedAtStart).toBe(0);
    const records = drain(reopened);
    expect(sums(records)).toEqual({ minutes: 600, requests: 600 * 4_308, lost: 0 });
    expect(Object.keys(lengths(records))).toEqual(["1", "5"]);
    const oldestWhole = Math.min(
      ...windowsOf(records)
        .filter(({ spanMs }) => spanMs === MINUTE)
        .map(({ at }) => at),
    );
    const newestCoarse = Math.max(
      ...windowsOf(records)
        .filter(({ spanMs }) => spanMs > MINUTE)
        .map(({ at }) => at),
    );
    expect(newestCoarse).toBeLessThan(oldestWhole);
  });

  it("makes hours of them only once all but the last minutes are five minutes long", () => {
    const spool = open(100_000);
    close(spool, 0, 3_000, 1);
    const records = drain(spool);
    expect(sums(records)).toEqual({ minutes: 3_000, requests: 3_000 * 4_308, lost: 0 });
    expect(lengths(records)).toMatchObject({ 60: expect.any(Number) as number, 5: expect.any(Number) as number });
    const newestHour = Math.max(
      ...windowsOf(records)
        .filter(({ spanMs }) => spanMs === HOUR)
        .map(({ at }) => at),
    );
    const oldestFive = Math.min(
      ...windowsOf(records)
        .filter(({ spanMs }) => spanMs === 5 * MINUTE)
        .map(({ at }) => at),
    );
    expect(newestHour).toBeLessThan(oldestFive);
  });

  it("holds seven days of 2 services in a 25th of its room, as of 50 in all of it, and nothing is lost", () => {
    const spool = open((64 / 25) * 1_048_576);
    close(spool, 0, 7 * 1_440, 2);
    expect(bytesOnDisk()).toBeLessThan((65 / 25) * 1_048_576);
    const records = drain(spool);
    expect(sums(records)).toEqual({ minutes: 7 * 1_440 * 2, requests: 7 * 1_440 * 2 * 4_308, lost: 0 });
    expect(Object.keys(lengths(records))).toEqual(["1", "5"]);
  });

  it("holds three days of 2 services in a 25th of its room whole, even if every window has its number, so that none may be merged", () => {
    const spool = open((64 / 25) * 1_048_576);
    for (let minute = 0; minute < 3 * 1_440; minute += 10) {
      close(spool, minute, minute + 10, 2);
      while (spool.waiting > 0) spool.batch(spool.next, 500, 1e9);
    }
    const records = drain(spool);
    expect(sums(records)).toMatchObject({ minutes: 3 * 1_440 * 2, lost: 0 });
    expect(lengths(records)).toEqual({ 1: 3 * 1_440 * 2 });
  });

  it("then drops the oldest in one gap that counts minutes, and keeps every event", () => {
    const spool = open(60_000);
    for (let n = 0; n < 20; n++) spool.append([event(n)], NOON);
    close(spool, 0, 3 * 1_440, 3);
    expect(bytesOnDisk()).toBeLessThan(65_000);
    spool.close();
    const reopened = open(60_000);
    const records = drain(reopened);
    const { minutes, lost } = sums(records);
    expect(minutes + lost).toBe(3 * 1_440 * 3);
    expect(minutes).toBeGreaterThan(4_000);
    expect(records.filter(({ kind }) => kind === "pod.oom_killed")).toHaveLength(20);
    const gaps = records.filter((record) => record.kind === "gap");
    expect(gaps).toMatchObject([{ reason: "spool_full", at: NOON }]);
    // It ends where the first window begins that is still held.
    expect(gaps[0]?.until).toBeLessThanOrEqual(Math.min(...windowsOf(records).map(({ at }) => at)) + HOUR);
  });

  it("makes nothing coarser of a service that misses a minute in every bucket, and does not stop at it", () => {
    const spool = open(60_000);
    for (let minute = 0; minute < 1_500; minute += 5) {
      const end = NOON + (minute + 5) * MINUTE;
      const both = [0, 1, 2, 3, 4].flatMap((n) => [window(minute + n, 0), window(minute + n, 1)]);
      spool.append(both.toSpliced(4, 1), end, end);
    }
    expect(bytesOnDisk()).toBeLessThan(65_000);
    const records = drain(spool);
    const { minutes, lost } = sums(records);
    expect(minutes + lost).toBe(1_500 + 1_200);
    const services = [0, 1].map((n) =>
      records.filter((r) => r.kind === "window" && r.service === window(0, n).service),
    );
    expect(Object.keys(lengths(services[0] ?? []))).toEqual(["1"]);
    expect(lengths(services[1] ?? [])).toMatchObject({ 5: expect.any(Number) as number });
  });

  it("declares what a copy of it loses under another id, unless it is the same loss", () => {
    const spool = open(60_000);
    close(spool, 0, 3_000, 3);
    spool.close();
    const copy = `${folder}-copy`;
    cpSync(folder, copy, { recursive: true });
    const gapsOf = (dataDir: string, until: number): FactRecord[] => {
      const each = open(60_000, dataDir);
      close(each, 3_000, until, 3);
      const gaps = drain(each).filter(({ kind }) => kind === "gap");
      each.close();
      return gaps;
    };
    const [own, copied] = [gapsOf(folder, 3_600), gapsOf(copy, 4_200)];
    rmSync(copy, { recursive: true });
    const byId = new Map(own.map((gap) => ["id" in gap ? gap.id : "", gap]));
    expect(own.length).toBeGreaterThan(0);
    expect(copied).not.toEqual(own);
    for (const gap of copied) if ("id" in gap) expect(byId.get(gap.id) ?? gap).toEqual(gap);
  });

  it("refuses new windows in one gap while all that it holds has its number", () => {
    const spool = open(30_000);
    while (bytesOnDisk() < 30_000) {
      close(spool, spool.next, spool.next + 5, 1);
      drain(spool);
    }
    const held = drain(spool);
    const first = spool.next + 100;
    close(spool, first, first + 40, 1);
    const gaps = drain(spool).slice(held.length);
    expect(gaps).toMatchObject([
      { kind: "gap", reason: "spool_full", count: 40, at: NOON + first * MINUTE, until: NOON + (first + 40) * MINUTE },
    ]);
    spool.acknowledge(spool.next);
    close(spool, first + 40, first + 50, 1);
    expect(windowsOf(drain(spool))).toHaveLength(10);
  });

  it("drops events last, and counts each of them however often there was no room", () => {
    const spool = open(20_000);
    for (let n = 0; n < 600; n++) spool.append([event(n)], NOON + n);
    spool.adopt(1_000, 1);
    const records = drain(spool);
    const dropped = records.reduce((sum, record) => sum + (record.kind === "gap" ? record.count : 0), 0);
    const events = records.filter(({ kind }) => kind === "pod.oom_killed").length;
    expect(dropped).toBeGreaterThan(0);
    expect(events + dropped).toBe(600);
  });

  it("drops what is older than a week, counted by its minutes", () => {
    const spool = open(100_000);
    close(spool, 0, 600, 1);
    const later = NOON + 7 * DAY + 300 * MINUTE;
    spool.append([], later, later);
    spool.append([], later + 10 * MINUTE, later + 10 * MINUTE);
    const records = drain(spool);
    const gaps = records.filter((record) => record.kind === "gap");
    expect(gaps).toMatchObject([{ reason: "refused", at: NOON }]);
    expect(sums(records)).toMatchObject({ minutes: 290, lost: 310 });
  });
});

describe("a window that had a number once", () => {
  it.each([
    ["the edge has another epoch", (spool: Spool) => spool.adopt(9, 1)],
    ["the spool is renewed", (spool: Spool) => spool.renew()],
    ["the book of numbers is lost", () => rmSync(join(folder, "spool", "numbers.log"))],
  ])("never becomes coarser after %s", (_name, happens) => {
    const spool = open(60_000);
    spool.adopt(7, 1);
    close(spool, 0, 100, 1);
    const numbered = windowsOf(drain(spool));
    happens(spool);
    spool.close();
    const reopened = open(60_000);
    close(reopened, 100, 600, 1);
    const records = drain(reopened);
    const { minutes, lost } = sums(records);
    expect(minutes + lost).toBe(600);
    expect(lengths(records)["5"]).toBeGreaterThan(0);
    const kept = windowsOf(records).filter(({ at }) => at < NOON + 100 * MINUTE);
    expect(kept.toSorted((a, b) => a.at - b.at)).toEqual(numbered.toSorted((a, b) => a.at - b.at));
  });

  it("never becomes coarser in a spool that was restored from a copy of before it had one", () => {
    const spool = open(60_000);
    spool.adopt(7, 1);
    close(spool, 0, 100, 1);
    spool.close();
    const reopened = open(60_000);
    // The edge has received 100 records of it, which this book never numbered.
    reopened.renew();
    reopened.adopt(8, 101);
    close(reopened, 100, 600, 1);
    const kept = windowsOf(drain(reopened)).filter(({ at }) => at < NOON + 100 * MINUTE);
    expect(kept).toHaveLength(100);
    expect(kept.every(({ spanMs }) => spanMs === MINUTE)).toBe(true);
  });

  it("never becomes coarser when its minute is closed again by a clock that was set back", () => {
    const spool = open(60_000);
    close(spool, 0, 50, 1);
    drain(spool);
    spool.acknowledge(spool.next);
    // The clock had been ahead: minutes 40 to 49 are closed again.
    for (let minute = 40; minute < 50; minute++) {
      const end = NOON + (minute + 1) * MINUTE;
      spool.append([window(minute)], end, end);
    }
    spool.close();
    const reopened = open(60_000);
    close(reopened, 50, 600, 1);
    const records = drain(reopened);
    expect(lengths(records)["5"]).toBeGreaterThan(0);
    const again = windowsOf(records).filter(({ at }) => at < NOON + 50 * MINUTE);
    expect(again.map(({ spanMs }) => spanMs)).toEqual(Array.from({ length: 10 }, () => MINUTE));
  });
});

describe("a minute that is closed again, because a clock was set back, and is held in a coarser window", () => {
  it.each([
    ["waits for its number", () => [], false],
    ["has its number", drain, false],
    ["waits, and the agent was started again", () => [], true],
  ])("is not there twice while that %s", (_name, happens, restarts) => {
    let spool = open(60_000);
    close(spool, 0, 400, 1);
    happens(spool);
    if (restarts) {
      spool.close();
      spool = open(60_000);
    }
    const [from, until] = [198, 207];
    for (let minute = from; minute < until; minute += 3) {
      const end = NOON + (minute + 3) * MINUTE;
      // Another service has nothing coarser: its windows are taken.
      const windows = [0, 1, 2].flatMap((n) => [window(minute + n), window(minute + n, 1)]);
      expect(spool.append(windows, end, end)).toBe(true);
      expect(spool.closedUntil).toBe(end);
    }
    spool.close();
    const reopened = open(60_000);
    expect(reopened.damagedAtStart).toBe(0);
    const records = drain(reopened);
    expect(lengths(records)["5"]).toBeGreaterThan(40);
    expect(sums(records)).toMatchObject({ minutes: 400 + until - from, lost: 0 });
  });
});

describe("a kill while the spool makes room", () => {
  it("at any fsync leaves each minute there once or declared", () => {
    const BYTES = 20_000;
    const before = open(BYTES);
    before.append([event(1)], NOON);
    close(before, 0, 60, 1);
    before.close();
    let fsyncs = 0;
    for (let dies = 1; dies <= fsyncs + 1; dies++) {
      const copy = mkdtempSync(join(tmpdir(), "kill-"));
      cpSync(folder, copy, { recursive: true });
      let left = dies;
      const fsync = (): void => {
        if (--left === 0) throw new Error("EIO");
      };
      const spool = open(BYTES, copy, { fsync });
      let closed = 60;
      try {
        for (; closed < 300; closed += 10) close(spool, closed, closed + 10, 1);
      } catch {
        // As after a kill: the file may hold what was written and not made sure of.
      }
      fsyncs = Math.max(fsyncs, dies - Math.max(0, left));
      const reopened = open(BYTES, copy);
      const until = reopened.closedUntil ?? 0;
      expect(until, `fsync ${dies}`).toBeGreaterThanOrEqual(NOON + closed * MINUTE);
      const records = drain(reopened);
      const { minutes, lost } = sums(records);
      expect(minutes + lost, `fsync ${dies}`).toBe((until - NOON) / MINUTE);
      expect(records.filter(({ kind }) => kind === "pod.oom_killed")).toHaveLength(1);
      expect(reopened.damagedAtStart).toBe(0);
      rmSync(copy, { recursive: true });
    }
    expect(fsyncs).toBeGreaterThan(30);
  });
});

describe("a bit that turns in a file of the spool", () => {
  /** A copy of the folder in which one bit of a file is another. */
  function turned(name: string, bytes: Buffer, at: number): string {
    const copy = mkdtempSync(join(tmpdir(), "bit-"));
    cpSync(folder, copy, { recursive: true });
    const decayed = Buffer.from(bytes);
    decayed[at] = (decayed[at] ?? 0) ^ 0x04;
    writeFileSync(join(copy, "spool", name), decayed);
    return copy;
  }

  /** Two coarser windows, plain ones, an event; in the end a transaction of windows alone. */
  function history(): void {
    const spool = open(1_000_000);
    spool.append([event(1)], NOON);
    close(spool, 0, 30, 1);
    spool.close();
    // Less room than before: the next minutes make coarser what is old.
    const tight = open(8_000);
    close(tight, 30, 31, 1);
    expect(tight.waiting).toBeLessThan(20);
    close(tight, 31, 32, 1);
    tight.close();
  }

  it("loses no minute without a word and counts none twice, whichever frame it is in", () => {
    history();
    const [name = ""] = readdirSync(join(folder, "spool")).filter((each) => each.endsWith(".segment"));
    const bytes = readFileSync(join(folder, "spool", name));
    for (let at = 0; at < bytes.length; at += 17) {
      const copy = turned(name, bytes, at);
      const spool = open(1_000_000, copy);
      const records = drain(spool);
      const { minutes, lost } = sums(records);
      // What is closed is what the source does not read again.
      const closed = ((spool.closedUntil ?? NOON) - NOON) / MINUTE;
      const isMerged = lost > 0 && minutes + lost < closed;
      const missing = isMerged ? 5 : lost;
      expect(minutes + missing, `byte ${at}`).toBeGreaterThanOrEqual(closed);
      const events = records.filter(({ kind }) => kind === "pod.oom_killed").length;
      expect(events + lost, `byte ${at}`).toBeGreaterThan(0);
      spool.close();
      rmSync(copy, { recursive: true });
    }
  });
});
