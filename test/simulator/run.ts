/** Plays seeds. The same seed and rules give the same world, so a failure is told again by playing it once more. */
import type { Violation } from "./oracle.ts";
import { FULL, type Mutant, type Rules } from "./rules.ts";
import { type Play, World } from "./world.ts";

export interface Failure {
  readonly seed: number;
  readonly violation: Violation;
}

/** Plays one seed; null if every rule held. */
export function playSeed(seed: number, play: Play = { rules: FULL }): Failure | null {
  const world = new World(seed, play);
  const violation = attempt(() => world.play());
  return violation === null ? null : { seed, violation };
}

/** The first failure among seeds, null if there is none. */
export function firstFailure(from: number, seeds: number, rules: Rules = FULL): Failure | null {
  for (let seed = from; seed < from + seeds; seed++) {
    const failure = playSeed(seed, { rules });
    if (failure !== null) return failure;
  }
  return null;
}

/** A failure as text: everything that happened until then, what was broken, and how to see it again. */
export function storyOf({ seed, violation }: Failure, mutant: Mutant | null): string {
  const lines: string[] = [];
  playSeed(seed, { rules: mutant?.rules ?? FULL, say: (line) => lines.push(line) });
  const removed = mutant === null ? "the full protocol" : `without a rule: ${mutant.name}`;
  const options = mutant === null ? "" : ` --mutant "${mutant.name}"`;
  const again = `node test/simulator/main.ts --seed ${seed}${options}`;
  return [...lines, `seed ${seed}, ${removed}: ${violation.rule}: ${violation.what}`, again].join("\n");
}

/** A rule of the product that throws is a fault, too. */
function attempt(play: () => Violation | null): Violation | null {
  try {
    return play();
  } catch (error) {
    return { rule: "broken", what: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}
