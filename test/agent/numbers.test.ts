import { mkdtempSync, readlinkSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { Numbers } from "../../agent/numbers.ts";

let folder = "";
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "numbers-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it("on a full disk the book of numbers goes on, and is written anew another time", () => {
  let isFull = false;
  const path = join(folder, "numbers.log");
  /** A disk with room for a line, but for no second copy of the book. */
  const fsync = (fd: number): void => {
    if (isFull && readlinkSync(`/proc/self/fd/${fd}`).endsWith(".draft"))
      throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
  };
  const numbers = new Numbers(path, { fsync, makeRoom: () => false });
  isFull = true;
  for (let id = 1; id < 60_000; id += 500) numbers.assign(Array.from({ length: 500 }, (_, i) => id + i));
  numbers.free(60_000);
  expect(statSync(path).size).toBeGreaterThan(300_000);
  isFull = false;
  numbers.free(60_001);
  expect(statSync(path).size).toBeLessThan(1_000);
  numbers.close();
  const { spool, next, persisted, held } = new Numbers(path);
  expect([spool, next, persisted, held.size]).toEqual([numbers.spool, 60_001, 60_001, 0]);
});
