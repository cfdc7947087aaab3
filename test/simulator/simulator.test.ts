import { describe, expect, it } from "vitest";
import { FULL, MUTANTS } from "./rules.ts";
import { firstFailure, playSeed, storyOf } from "./run.ts";

/** In `npm test`; a million at a time by `node test/simulator/main.ts`. */
const SEEDS = 20_000;
/** Each weakened rule must show within this many. */
const MUTANT_SEEDS = 2_000;

it(`nothing is lost and nothing doubled in ${SEEDS} worlds`, () => {
  const failure = firstFailure(1, SEEDS);
  expect(failure === null ? "clean" : storyOf(failure, null)).toBe("clean");
});

describe("a rule that is taken away is missed", () => {
  it.each(MUTANTS.map((mutant) => [mutant.name, mutant] as const))("%s", (_name, mutant) =>
    expect(firstFailure(1, MUTANT_SEEDS, mutant.rules)).not.toBeNull(),
  );
});

it("the same seed tells the same story", () => {
  const tell = (): readonly string[] => {
    const lines: string[] = [];
    playSeed(4_711, { rules: FULL, say: (line) => lines.push(line) });
    return lines;
  };
  const first = tell();
  expect(first.length).toBeGreaterThan(10);
  expect(tell()).toEqual(first);
});
