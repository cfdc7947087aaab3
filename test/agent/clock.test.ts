import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createClock, type Clock } from "../../agent/clock.ts";
import { HOUR, SECOND } from "../../protocol/time.ts";

const NOW = 1_795_392_000_000;
let folder = "";
let elapsed = 0;
/** How far the raw clock is ahead of the true time. */
let ahead = 0;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "clock-"));
  [elapsed, ahead] = [0, 0];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const truth = (): number => NOW + elapsed;
const start = (): Clock => createClock(() => truth() + ahead, { monotonic: () => elapsed, dataDir: folder });
/** An exchange with the edge that takes `takesMs`. */
function exchange(clock: Clock, takesMs = 20): void {
  const sentAt = clock.raw();
  elapsed += takesMs;
  clock.learn(sentAt, clock.raw(), truth() - takesMs / 2);
}

describe("the clock", () => {
  it("is confirmed by the edge's first answer", () => {
    const clock = start();
    expect(clock.isConfirmed()).toBe(false);
    exchange(clock);
    expect(clock.isConfirmed()).toBe(true);
  });

  it("has to do when the edge does not answer for 30 s, or as long as the caller can wait", () => {
    const clock = start();
    elapsed = 19_999;
    expect(clock.isConfirmed(20 * SECOND)).toBe(false);
    elapsed = 20_000;
    expect([clock.isConfirmed(20 * SECOND), clock.isConfirmed()]).toEqual([true, false]);
    elapsed = 30_000;
    expect(clock.isConfirmed()).toBe(true);
  });

  it.each([HOUR, -HOUR, 6 * SECOND])("is in doubt after a step of %i ms, until the edge is heard", (step) => {
    const clock = start();
    exchange(clock);
    elapsed += 10 * SECOND;
    ahead = step;
    expect(clock.isConfirmed()).toBe(false);
    exchange(clock);
    expect(clock.isConfirmed()).toBe(true);
    expect(Math.abs(clock.now() - truth())).toBeLessThan(20);
    ahead = 0;
    expect(clock.isConfirmed()).toBe(false);
    exchange(clock);
    expect([clock.isConfirmed(), clock.skewMs()]).toEqual([true, 0]);
  });

  it("is not in doubt while it is only slewed", () => {
    const clock = start();
    exchange(clock);
    for (let i = 0; i < 1_000; i++) {
      elapsed += SECOND;
      ahead += 10;
      clock.now();
    }
    expect(clock.isConfirmed()).toBe(true);
  });

  it("learns nothing from an exchange during which it was set", () => {
    const clock = start();
    const sentAt = clock.raw();
    ahead = HOUR;
    elapsed += 20;
    clock.learn(sentAt, clock.raw(), truth());
    expect([clock.isConfirmed(), clock.skewMs()]).toEqual([false, 0]);
  });

  it("knows its offset after a restart, and waits for the edge to confirm it", () => {
    ahead = HOUR;
    exchange(start());
    const second = start();
    expect(Math.abs(second.now() - truth())).toBeLessThan(20);
    expect(second.isConfirmed()).toBe(false);
  });

  it("does not write while the offset stays", () => {
    ahead = HOUR;
    const clock = start();
    exchange(clock);
    const written = readFileSync(join(folder, "clock.json"), "utf8");
    writeFileSync(join(folder, "clock.json"), "damaged");
    exchange(clock, 18);
    expect(readFileSync(join(folder, "clock.json"), "utf8")).toBe("damaged");
    expect(JSON.parse(written)).toEqual({ offsetMs: -HOUR });
    expect(start().skewMs()).toBe(0);
  });
});
