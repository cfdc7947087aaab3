/** Histograms of given values, and values as services take them. */
import fc from "fast-check";
import { explicitLatency, ISTIO_BOUNDS } from "../../protocol/latency.ts";
import type { ExplicitLatency } from "../../protocol/latency.ts";

/** A histogram of given values, as a mesh would count them. */
export function histogramOf(values: readonly number[], bounds: readonly number[] = ISTIO_BOUNDS): ExplicitLatency {
  const counts = Array.from({ length: bounds.length + 1 }, () => 0);
  for (const value of values) {
    const found = bounds.findIndex((bound) => value <= bound);
    const i = found === -1 ? bounds.length : found;
    counts[i] = (counts[i] ?? 0) + 1;
  }
  return explicitLatency(
    bounds,
    counts,
    values.reduce((sum, value) => sum + value, 0),
  );
}

/** The value of rank `ceil(q · n)`. */
export function trueQuantile(values: readonly number[], q: number): number {
  return values.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(q * values.length) - 1)] ?? 0;
}

type Shape = (dice: () => number) => number;

/** Normally distributed, by Box and Muller. */
function normal(dice: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - dice())) * Math.cos(2 * Math.PI * dice());
}

/** The shapes of `reference/mesh-metrics.md` 3, and two more: `median` in ms, `spread` 0 to 1. */
const SHAPES: readonly ((median: number, spread: number) => Shape)[] = [
  (median, spread) => (dice) => median * Math.exp((0.1 + spread) * normal(dice)),
  (median, spread) => (dice) => median / (1 - dice()) ** (1 / (1 + 2 * spread)),
  (median, spread) => (dice) => (dice() < 0.9 + 0.1 * spread ? median : 40 * median) * (0.9 + 0.2 * dice()),
  (median, spread) => (dice) => median * (1 - spread + 2 * spread * dice()),
  // Whole milliseconds, many of them equal, some on bounds.
  (median, spread) => (dice) => Math.round(median * (1 + spread * dice())),
];

/** Samples in ms of random distributions: each run of a property is another one. */
export const distribution = fc
  .record({
    shape: fc.constantFrom(...SHAPES),
    median: fc.double({ min: 0.05, max: 20_000, noNaN: true }),
    spread: fc.double({ min: 0, max: 1, noNaN: true }),
    count: fc.integer({ min: 1, max: 300 }),
    seed: fc.integer(),
  })
  .map(({ shape, median, spread, count, seed }) => {
    const sample = shape(median, spread);
    const dice = diceOf(seed);
    return Array.from({ length: count }, () => sample(dice));
  });

/** Numbers in [0, 1) that depend on the seed alone (mulberry32). */
function diceOf(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
