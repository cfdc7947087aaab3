/**
 * How unusual a point of a series is, from 0 to 1, and why.
 *
 * Three deviations, each in robust sigmas: of the point from its hour of the day ("normal at noon, wrong at 3 a.m."), of
 * the point from everything ("extreme at any hour"), and of the mean of the last hour from everything (a shift that no
 * single point shows). Each is ranked among its own past (tail.ts), and the rarest of the three decides:
 *
 *   score = min(1, −log10 p / 3.2)      0.85 is once in 525 points, 0.90 once in 759, 1 once in 1,585 or rarer
 *
 * A point is judged by what was learnt before it, and learnt afterwards, by the caller: so a score depends on the past
 * alone, and what must not be learnt (maintenance) is simply not.
 */
import type { Level, Usual } from "./baseline.ts";
import { Tail, type TailState } from "./tail.ts";
import { TUNING, type Tuning } from "./tuning.ts";

/** No spread is smaller than this share of the median, or than nothing at all. */
const MEDIAN_SHARE_MIN = 0.001;
const SPREAD_MIN = 1e-9;
/** "Once in a million" is the most that is said. */
const SURPRISE_SAID_MAX = 6;
/** A smaller deviation, of a mean one over the root of its points, is rare in one of 20 points at most, however rare it is. */
const SIGMAS_MIN = 3;
const SMALL_SURPRISE_MAX = Math.log10(20);

export type DeviationKind = "hour" | "extreme" | "shift";

/** One way in which a point can be unusual. `expected` ± `spread` is what it was compared with, `observed` what was. */
export interface Deviation {
  readonly kind: DeviationKind;
  readonly observed: number;
  readonly expected: number;
  readonly spread: number;
  /** Signed: below 0 is less than expected. */
  readonly sigmas: number;
  /** It was as large as this in one of so many past points. */
  readonly onceIn: number;
}

type Compared = Omit<Deviation, "onceIn">;

export interface Judgement {
  /** 0 to 1. */
  readonly score: number;
  /** The rarest first. */
  readonly deviations: readonly Deviation[];
}

/** Enough to go on as if nothing had happened. */
export interface DetectorState {
  readonly tails: Readonly<Record<DeviationKind, TailState>>;
  readonly recent: readonly number[];
}

/** The past deviations of one series. What is usual comes with each point: a trailing history, or a baseline that was learnt. */
export class Detector {
  readonly #tails: Readonly<Record<DeviationKind, Tail>>;
  readonly #recent: number[];
  readonly #tuning: Tuning;

  constructor(state: DetectorState | null = null, tuning = TUNING) {
    this.#tuning = tuning;
    const tail = (kind: DeviationKind): Tail => new Tail(tuning, state?.tails[kind]);
    this.#tails = { hour: tail("hour"), extreme: tail("extreme"), shift: tail("shift") };
    this.#recent = [...(state?.recent ?? [])];
  }

  /**
   * @param noise the standard deviation that counting alone gives this value, in its unit: 20 requests a minute are now 16
   * and now 24, and that is nothing
   */
  judge(value: number, usual: Usual, noise = 0): Judgement {
    const deviations = this.#deviations(value, usual, noise).map((deviation) => {
      const surprise = this.#tails[deviation.kind].surprise(sizeOf(deviation.sigmas));
      const most = this.#isLarge(deviation) ? SURPRISE_SAID_MAX : SMALL_SURPRISE_MAX;
      return { ...deviation, onceIn: 10 ** Math.min(surprise, most) };
    });
    const sorted = deviations.toSorted((a, b) => b.onceIn - a.onceIn);
    return { score: Math.min(1, Math.log10(sorted[0]?.onceIn ?? 1) / this.#tuning.surpriseMax), deviations: sorted };
  }

  /** Takes in a point that was judged. */
  learn(value: number, usual: Usual, noise = 0): void {
    for (const { kind, sigmas } of this.#deviations(value, usual, noise)) this.#tails[kind].add(sizeOf(sigmas));
    this.pass(value);
  }

  /** Takes notice of a point that must not count as usual: it belongs to the level of now, and to nothing else. */
  pass(value: number): void {
    this.#recent.push(value);
    if (this.#recent.length >= this.#tuning.shiftPoints) this.#recent.shift();
  }

  /** What is rare may still be nothing: of a series that hardly moves, a hair more than ever is news to nobody. */
  #isLarge({ kind, sigmas }: Compared): boolean {
    return Math.abs(sigmas) >= (kind === "shift" ? SIGMAS_MIN / Math.sqrt(this.#tuning.shiftPoints) : SIGMAS_MIN);
  }

  /** That from the hour is missing while nobody knows what the hour is like. */
  #deviations(value: number, { all, hour }: Usual, noise: number): readonly Compared[] {
    const share = this.#tuning.spreadShare * all.spread;
    const floor = Math.max(share, MEDIAN_SHARE_MIN * Math.abs(all.median), noise, SPREAD_MIN);
    let sum = value;
    for (const one of this.#recent) sum += one;
    const compare = (kind: DeviationKind, observed: number, level: Level): Compared => {
      const spread = Math.max(level.spread, floor);
      return { kind, observed, expected: level.median, spread, sigmas: (observed - level.median) / spread };
    };
    return [
      compare("extreme", value, all),
      compare("shift", sum / (this.#recent.length + 1), all),
      ...(hour === null ? [] : [compare("hour", value, hour)]),
    ];
  }

  state(): DetectorState {
    const { hour, extreme, shift } = this.#tails;
    return {
      tails: { hour: hour.state(), extreme: extreme.state(), shift: shift.state() },
      recent: [...this.#recent],
    };
  }
}

/** How rare a point must be to reach a score: once in so many. */
export function onceInAt(score: number): number {
  return 10 ** (score * TUNING.surpriseMax);
}

function sizeOf(sigmas: number): number {
  return Math.log1p(Math.abs(sigmas));
}
