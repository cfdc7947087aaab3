import { describe, expect, it } from "vitest";
import { FAILED_SIGNATURES_MAX, isBarred, NO_FAILURES, withFailure } from "../../worker/core/attempts.ts";
import type { Watermarks } from "../../worker/core/cluster.ts";
import { conflictsOf, openEpoch, step } from "../../worker/core/cluster.ts";
import { DAY, MINUTE } from "../../protocol/time.ts";
import { NOON, push, windowRecord } from "../support/facts.ts";

const SPOOL = "a".repeat(32);
const LATER = NOON + 10 * MINUTE;
const held: Watermarks = { spool: SPOOL, epoch: 1_000, next: 5, persisted: 3 };

function numbers(result: ReturnType<typeof step>): readonly number[] {
  return result.kind === "accepted" ? result.fresh.map(({ seq }) => seq) : [];
}

describe("a push", () => {
  it.each([
    ["continues where the last one ended", { base: 3, first: 5, items: [windowRecord(0), windowRecord(1)] }, [5, 6], 7],
    ["that is a replay changes nothing", { base: 3, first: 3, items: [windowRecord(0), windowRecord(1)] }, [], 5],
    ["that overlaps adds only what is new", { base: 3, first: 4, items: [windowRecord(0), windowRecord(1)] }, [5], 6],
    ["without records moves nothing", { base: 3, first: 5, items: [] }, [], 5],
    [
      "from a spool that freed further than a rewound object knows heals it",
      { base: 9, first: 9, items: [windowRecord(0)] },
      [9],
      10,
    ],
    ["of a higher epoch is adopted at its base", { epoch: 2_000, base: 2, first: 2, items: [windowRecord(0)] }, [2], 3],
  ])("%s", (_name, facts, fresh, next) => {
    const result = step(held, push(facts), LATER);
    expect(numbers(result)).toEqual(fresh);
    expect(result).toMatchObject({ kind: "accepted", watermarks: { next } });
  });

  it("says whether anything must be written", () => {
    expect(step(held, push({ base: 3, first: 3, items: [windowRecord(0)] }), LATER)).toMatchObject({ changed: false });
    expect(step(held, push({ base: 3, first: 5, items: [windowRecord(0)] }), LATER)).toMatchObject({ changed: true });
  });

  it("that skips numbers is told which one is expected", () =>
    expect(step(held, push({ base: 3, first: 6, items: [windowRecord(0)] }), LATER)).toEqual({
      kind: "gap",
      expected: 5,
    }));

  it("of an older epoch is fenced", () =>
    expect(step(held, push({ epoch: 999, base: 3, first: 5 }), LATER)).toEqual({ kind: "fenced", epoch: 1_000 }));

  it.each([
    ["an object without memory", null],
    ["one that holds an epoch", held],
  ])("of an epoch that no edge can have given out is refused by %s", (_name, marks) => {
    const most = LATER + MINUTE;
    expect(step(marks, push({ epoch: Number.MAX_SAFE_INTEGER }), LATER)).toEqual({ kind: "implausible", most });
    expect(step(marks, push({ epoch: most + 1 }), LATER)).toMatchObject({ kind: "implausible" });
    expect(step(marks, push({ epoch: most }), LATER)).toMatchObject({ kind: "accepted" });
  });

  it("of the held epoch is taken however far the clock went back", () =>
    expect(step({ ...held, epoch: NOON + DAY }, push({ epoch: NOON + DAY, base: 3, first: 5 }), NOON)).toMatchObject({
      kind: "accepted",
    }));

  it("to an object without memory starts at the agent's base", () =>
    expect(step(null, push({ base: 40, first: 40, items: [windowRecord(0)] }), LATER)).toMatchObject({
      watermarks: { next: 41, persisted: 40, epoch: 1_000 },
    }));

  it("with a poison record loses none of its neighbours, and the poison consumes its number", () => {
    const items = [windowRecord(0), { kind: "window", service: "no slash" }, "text", windowRecord(1)];
    const result = step(held, push({ base: 3, first: 5, items }), LATER);
    expect(numbers(result)).toEqual([5, 8]);
    expect(result).toMatchObject({
      rejected: [
        { seq: 6, reason: "malformed" },
        { seq: 7, reason: "malformed" },
      ],
      watermarks: { next: 9 },
    });
  });

  it.each([
    ["ends more than a minute ahead", windowRecord(11), "future"],
    ["is older than seven days", { ...windowRecord(0), at: NOON - 7 * DAY }, "too_old"],
    ["has more errors than requests", { ...windowRecord(0), errors: 99 }, "malformed"],
    ["starts between two minutes", { ...windowRecord(0), at: NOON + 1 }, "malformed"],
    ["has a negative count", { ...windowRecord(0), requests: -1 }, "malformed"],
    ["has a key of its own", { ...windowRecord(0), __proto__x: 1 }, "malformed"],
  ])("refuses a window that %s", (_name, item, reason) =>
    expect(step(held, push({ base: 3, first: 5, items: [item] }), LATER)).toMatchObject({
      rejected: [{ seq: 5, reason }],
    }),
  );
});

describe("the same number with other content", () => {
  const kept = [0, 1, 2].map((minutes) => ({ seq: 5 + minutes, record: windowRecord(minutes) }));
  it.each([
    ["the same again", 5, [windowRecord(0), windowRecord(1), windowRecord(2)], []],
    ["the same, spelled in another order", 7, [Object.fromEntries(Object.entries(windowRecord(2)).toReversed())], []],
    ["another count in the middle", 5, [windowRecord(0), { ...windowRecord(1), requests: 61 }, windowRecord(2)], [6]],
    ["something that is no record", 5, ["text"], [5]],
    ["only what nobody holds", 8, [windowRecord(9)], []],
  ])("%s", (_name, first, items, conflicts) => expect(conflictsOf(kept, { first, items })).toEqual(conflicts));
});

describe("failed signatures", () => {
  const failed = (count: number) => {
    let failures = NO_FAILURES;
    for (let i = 0; i < count; i++) failures = withFailure(failures, NOON + i);
    return failures;
  };
  it.each([
    ["none", 0, 0, false],
    ["as many as may fail", FAILED_SIGNATURES_MAX, 1_000, false],
    ["one more", FAILED_SIGNATURES_MAX + 1, 1_000, true],
    ["one more, a minute ago", FAILED_SIGNATURES_MAX + 1, MINUTE, false],
  ])("%s: %i, looked at after %i ms → %s", (_name, count, afterMs, barred) =>
    expect(isBarred(failed(count), NOON + afterMs)).toBe(barred),
  );
});

describe("an epoch", () => {
  it("is given again to the spool that holds it", () => expect(openEpoch(held, SPOOL, 3, NOON)).toBe(held));
  it("of a new spool is above every earlier one, and at least the clock", () => {
    expect(openEpoch(held, "b".repeat(32), 1, NOON)).toEqual({
      spool: "b".repeat(32),
      epoch: NOON,
      next: 1,
      persisted: 1,
    });
    expect(openEpoch({ ...held, epoch: NOON + 5 }, "b".repeat(32), 1, NOON).epoch).toBe(NOON + 6);
  });
});
