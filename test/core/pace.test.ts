import { expect, it } from "vitest";
import { PUSHES_AT_ONCE_MAX, PUSHES_PER_S_MAX, RESTED, withPush } from "../../worker/core/pace.ts";
import { NOON } from "../support/facts.ts";

/** How many of these pushes are let through, `everyMs` apart. */
function letThrough(pushes: number, everyMs: number): number {
  let [pace, taken] = [RESTED, 0];
  for (let i = 0; i < pushes; i++) {
    const next = withPush(pace, NOON + i * everyMs);
    if (next === null) continue;
    [pace, taken] = [next, taken + 1];
  }
  return taken;
}

it.each([
  ["at once: as many as two minutes allow", 10_000, 0, PUSHES_AT_ONCE_MAX],
  ["a backlog that drains at four a second is never slowed", 100_000, 250, 100_000],
  ["a hundred a second: in the long run a fifth", 100_000, 10, PUSHES_AT_ONCE_MAX + 1_000 * PUSHES_PER_S_MAX - 1],
])("pushes %s", (_name, pushes, everyMs, taken) => expect(letThrough(pushes, everyMs)).toBe(taken));

it("rest makes good, but never more than at once is allowed", () => {
  const spent = { left: 0, at: NOON };
  expect(withPush(spent, NOON + 49)).toBeNull();
  expect(withPush(spent, NOON + 50)).not.toBeNull();
  expect(withPush(spent, NOON + 86_400_000)?.left).toBe(PUSHES_AT_ONCE_MAX - 1);
  // A clock that was set back gives nothing and takes nothing.
  expect(withPush({ left: 5, at: NOON }, NOON - 60_000)?.left).toBe(4);
});
