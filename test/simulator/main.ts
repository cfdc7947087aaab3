/**
 * Plays many seeds, or one with its time line.
 *
 *   node test/simulator/main.ts --seeds 1000000 --from 1
 *   node test/simulator/main.ts --seed 4711 [--mutant "freed at received"]
 *   node test/simulator/main.ts --mutants [--seeds 2000]
 */
import { parseArgs } from "node:util";
import { FULL, MUTANTS } from "./rules.ts";
import { playSeed, storyOf } from "./run.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "2000" },
    from: { type: "string", default: "1" },
    seed: { type: "string" },
    mutant: { type: "string" },
    mutants: { type: "boolean", default: false },
    failures: { type: "string", default: "1" },
  },
});
const mutant = MUTANTS.find(({ name }) => name === values.mutant) ?? null;
if (values.mutant !== undefined && mutant === null) throw new Error(`no mutant is called ${values.mutant}`);
const play = { rules: mutant?.rules ?? FULL };
const [from, seeds] = [Number(values.from), Number(values.seeds)];

if (values.seed !== undefined) tellOne(Number(values.seed));
else if (values.mutants) tellMutants();
else playMany();

function tellOne(seed: number): void {
  const failure = playSeed(seed, play);
  if (failure !== null) {
    console.log(storyOf(failure, mutant));
    process.exitCode = 1;
  } else playSeed(seed, { ...play, say: console.log });
}

function tellMutants(): void {
  for (const removed of MUTANTS) {
    const begun = performance.now();
    const bad = new Map<string, number>();
    let first: number | null = null;
    for (let seed = from; seed < from + seeds; seed++) {
      const failure = playSeed(seed, { rules: removed.rules });
      if (failure === null) continue;
      first ??= seed;
      bad.set(failure.violation.rule, (bad.get(failure.violation.rule) ?? 0) + 1);
    }
    const total = [...bad.values()].reduce((a, b) => a + b, 0);
    const kinds = [...bad].map(([rule, count]) => `${count} ${rule}`).join(", ");
    console.log(
      `${total === 0 ? "NOT CAUGHT" : `${total} bad`} of ${seeds}, first ${first}: ${removed.name} (${kinds}) ${Math.round(performance.now() - begun)} ms`,
    );
    if (total === 0) process.exitCode = 1;
  }
}

function playMany(): void {
  const begun = performance.now();
  let told = begun;
  let failures = 0;
  for (let seed = from; seed < from + seeds; seed++) {
    const failure = playSeed(seed, play);
    if (failure !== null) {
      failures++;
      console.log(
        failures === 1
          ? storyOf(failure, mutant)
          : `seed ${seed}: ${failure.violation.rule}: ${failure.violation.what.split("\n")[0]}`,
      );
      if (failures >= Number(values.failures)) break;
    }
    const now = performance.now();
    if (now - told < 5_000) continue;
    told = now;
    const done = seed - from + 1;
    const rate = (done * 1_000) / (now - begun);
    console.log(`${done} of ${seeds} seeds, ${Math.round(rate)}/s, ${Math.round((seeds - done) / rate)} s to go`);
  }
  const seconds = (performance.now() - begun) / 1_000;
  console.log(
    `${failures} failures in ${seeds} seeds from ${from}: ${seconds.toFixed(1)} s, ${Math.round(seeds / seconds)}/s`,
  );
  process.exitCode = failures === 0 ? 0 : 1;
}
