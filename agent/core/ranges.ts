/** Numbers as sorted [first, last] runs. */
export function ranges(values: Iterable<number>): [number, number][] {
  const runs: [number, number][] = [];
  for (const value of [...values].toSorted((a, b) => a - b)) {
    const run = runs.at(-1);
    if (run !== undefined && run[1] === value - 1) run[1] = value;
    else runs.push([value, value]);
  }
  return runs;
}
