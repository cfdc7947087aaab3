/**
 * How rare a deviation is among a series' own past ones.
 *
 * Sigmas mean something else for every series: healthy data with heavy tails pass 3.5 of them thousands of times. So a
 * deviation is measured against those that were there before: by its rank as far as they reach, and beyond by the
 * exponential tail of those that exceed the 98th percentile (peaks over threshold).
 *
 *   p(d) = (1 + #{ h ≥ d }) / (n + 1)                            up to the percentile u
 *   p(d) = (1 + #{ h > u }) / (n + 1) · exp(−(d − u) / β)        beyond, β = mean excess over u
 *
 * What is counted are the buckets of log(1 + |sigmas|), 1 KB at most, instead of 4,000 numbers: a rank is then that of
 * the whole bucket, which errs on the quiet side.
 */
import type { Tuning } from "./tuning.ts";

const BUCKETS = 256;
/** In log(1 + |sigmas|): 256 of them reach to 9 million sigmas. */
const BUCKET_WIDTH = 1 / 16;
/** Few series ever need all of them: there is room for so many, and for as many more whenever one is beyond them. */
const ROOM = 32;
/** Fewer deviations say nothing of how rare one is. */
const WEIGHT_MIN = 30;

/** The buckets that are not empty: index, weight, index, weight… */
export type TailState = readonly number[];

export class Tail {
  #weights = new Float32Array(ROOM);
  readonly #tuning: Tuning;
  #weight = 0;

  constructor(tuning: Tuning, state: TailState = []) {
    this.#tuning = tuning;
    this.#makeRoom(state.at(-2) ?? 0);
    for (let i = 0; i < state.length; i += 2) this.#weights[state[i] ?? 0] = state[i + 1] ?? 0;
    this.#weight = this.#sum();
  }

  /** @param size of a deviation, log(1 + |sigmas|) */
  add(size: number): void {
    const bucket = bucketOf(size);
    this.#makeRoom(bucket);
    this.#weights[bucket] = (this.#weights[bucket] ?? 0) + 1;
    this.#weight++;
    if (this.#weight < this.#tuning.tailWeight) return;
    for (let i = 0; i < this.#weights.length; i++) this.#weights[i] = (this.#weights[i] ?? 0) / 2;
    this.#weight = this.#sum();
  }

  /** −log10 of how often a deviation of at least this size was seen, 0 at least; 0 while too few were seen. */
  surprise(size: number): number {
    const seen = this.#weight;
    if (seen < WEIGHT_MIN) return 0;
    let above = 0;
    let excess = 0;
    let edge = this.#weights.length - 1;
    for (; edge > 0; edge--) {
      const weight = this.#weights[edge] ?? 0;
      if (above + weight >= seen * this.#tuning.tailShare) break;
      above += weight;
      excess += weight * edge;
    }
    const bucket = bucketOf(size);
    // Nothing has ever been beyond the edge: that is all that can be said.
    const beyond = Math.log10(seen + 1) - Math.log10(1 + above);
    if (bucket > edge && above === 0) return beyond;
    if (bucket > edge) {
      const meanExcess = (excess / above - edge) * BUCKET_WIDTH;
      return beyond + ((size - (edge + 0.5) * BUCKET_WIDTH) / meanExcess) * Math.LOG10E;
    }
    let least = above;
    for (let i = edge; i >= bucket; i--) least += this.#weights[i] ?? 0;
    return Math.max(0, Math.log10(seen + 1) - Math.log10(1 + least));
  }

  state(): TailState {
    return [...this.#weights].flatMap((weight, bucket) => (weight === 0 ? [] : [bucket, weight]));
  }

  #makeRoom(bucket: number): void {
    if (bucket < this.#weights.length) return;
    const wider = new Float32Array(ROOM * Math.ceil((bucket + 1) / ROOM));
    wider.set(this.#weights);
    this.#weights = wider;
  }

  #sum(): number {
    let sum = 0;
    for (let i = 0; i < this.#weights.length; i++) sum += this.#weights[i] ?? 0;
    return sum;
  }
}

function bucketOf(size: number): number {
  return Math.min(BUCKETS - 1, Math.floor(size / BUCKET_WIDTH));
}
