import { describe, expect, it } from "vitest";
import { DAY, MINUTE, SECOND } from "../../protocol/time.ts";
import { clustersToWake, delaysOf, isUpkeepDue } from "../../worker/core/archive.ts";
import type { Backlog, Tell } from "../../worker/core/component.ts";
import { NOON, tell } from "../support/facts.ts";

const FLUSH_MS = 5 * MINUTE;
const NOTHING: Backlog = { waiting: 0, since: null };

function waits(cluster: string, since: number | null, heardAt = NOON, at?: number): Tell {
  const backlog = { waiting: since === null ? 0 : 7, since, ...(at === undefined ? {} : { at }) };
  return { ...tell(heardAt, [], cluster), backlog };
}

describe("facts are late", () => {
  it.each([
    ["never, if nothing waits", NOTHING, [waits("a", null)], []],
    ["not while they wait as a matter of course", NOTHING, [waits("a", NOON - 15 * MINUTE)], []],
    ["after three flushes and two pushes", NOTHING, [waits("a", NOON - 15 * MINUTE - 21 * SECOND)], ["a"]],
    [
      "as the Cluster saw it, not as an old tell looks now",
      NOTHING,
      [waits("a", NOON - 20 * MINUTE, NOON - 19 * MINUTE)],
      [],
    ],
    ["as was learnt since", NOTHING, [waits("a", NOON - 20 * MINUTE, NOON - 19 * MINUTE, NOON)], ["a"]],
    ["at the page itself too", { waiting: 2, since: NOON - 16 * MINUTE }, [], [null]],
    ["oldest first", { waiting: 2, since: NOON - 16 * MINUTE }, [waits("a", NOON - 20 * MINUTE)], ["a", null]],
  ] as const)("%s", (_name, own, tells, places) => {
    expect(delaysOf(own, tells, FLUSH_MS, NOON).map(({ cluster }) => cluster)).toEqual(places);
  });
});

describe("clusters that are woken", () => {
  it("are those at which facts should have left by now", () => {
    const tells = [waits("a", NOON - 11 * MINUTE), waits("b", NOON - 9 * MINUTE), waits("c", null)];
    expect(clustersToWake(tells, FLUSH_MS, NOON)).toEqual(["a"]);
  });

  it("are at most 50 a minute, and every one in its turn", () => {
    const tells = Array.from({ length: 120 }, (_, i) => waits(`c${i}`, NOON - 20 * MINUTE));
    const turns = [0, 1, 2].map((minutes) => clustersToWake(tells, FLUSH_MS, NOON + minutes * MINUTE));
    expect(turns.map((turn) => turn.length)).toEqual([50, 50, 50]);
    expect(new Set(turns.flat()).size).toBe(120);
  });
});

it.each([
  ["at first", null, null, true],
  ["a day after it was done", NOON - DAY, NOON - DAY, true],
  ["not before", NOON - DAY + 1, null, false],
  ["again a quarter of an hour after it failed", NOON - 2 * DAY, NOON - 15 * MINUTE, true],
  ["and not sooner", NOON - 2 * DAY, NOON - 14 * MINUTE, false],
])("tables are looked after %s", (_name, doneAt, triedAt, isDue) =>
  expect(isUpkeepDue(doneAt, triedAt, NOON)).toBe(isDue),
);
