import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Spool } from "../../agent/spool.ts";
import { close, drain, event, lengths, NOON, sums, windowsOf } from "./spool-facts.ts";

let folder = "";
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "records-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("a spool that runs out of records", () => {
  const few = (recordsMax: number): Spool => {
    const fail = (message: string): never => {
      throw new Error(message);
    };
    return new Spool({ dataDir: folder, recordsMax, fail });
  };

  it("makes the oldest windows coarser, as one that runs out of bytes does", () => {
    const spool = few(500);
    close(spool, 0, 1_500, 1);
    spool.close();
    const reopened = few(500);
    expect(reopened.damagedAtStart).toBe(0);
    expect(reopened.waiting).toBeLessThanOrEqual(0.8 * 500);
    const records = drain(reopened);
    expect(sums(records)).toEqual({ minutes: 1_500, requests: 1_500 * 4_308, lost: 0 });
    expect(Object.keys(lengths(records))).toEqual(["1", "5"]);
  });

  it("then drops the oldest in one gap, and keeps every event", () => {
    const spool = few(200);
    for (let n = 0; n < 20; n++) spool.append([event(n)], NOON);
    close(spool, 0, 1_440, 12);
    const records = drain(spool);
    expect(records.length).toBeLessThanOrEqual(180);
    const { minutes, lost } = sums(records);
    expect(minutes + lost).toBe(1_440 * 12);
    expect(lost).toBeGreaterThan(0);
    expect(records.filter(({ kind }) => kind === "pod.oom_killed")).toHaveLength(20);
    expect(records.filter(({ kind }) => kind === "gap")).toMatchObject([{ reason: "spool_full", at: NOON }]);
  });

  it("refuses new windows in one gap while all that it holds has its number, and takes them again when it is freed", () => {
    const spool = few(100);
    for (let minute = 0; minute < 120; minute += 10) {
      close(spool, minute, minute + 10, 1);
      drain(spool);
    }
    expect(sums(drain(spool))).toMatchObject({ minutes: 90, lost: 30 });
    spool.acknowledge(spool.next);
    close(spool, 120, 130, 1);
    expect(windowsOf(drain(spool))).toHaveLength(10);
  });

  it("remembers little of what was merged, dropped or freed", () => {
    const spool = few(500);
    close(spool, 0, 6_000, 1);
    spool.close();
    const frames = readdirSync(join(folder, "spool"))
      .filter((name) => name.endsWith(".segment"))
      .flatMap((name) => readFileSync(join(folder, "spool", name), "utf8").match(/"w":\[/g) ?? []);
    // Of 6,000 windows and what they were merged into.
    expect(frames.length).toBeLessThan(550);
  });
});
