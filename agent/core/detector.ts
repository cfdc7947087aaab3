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
    const deviations = this.#deviations(value, usual, noise)
      .map((deviation) => ({ ...deviation, onceIn: this.#onceIn(deviation.kind, deviation.sigmas) }))
      .toSorted((a, b) => b.onceIn - a.onceIn);
    return { score: this.#scoreOf(deviations[0]?.onceIn ?? 1), deviations };
  }

  /** The same score without its reasons, which few points need: those of a day are megabytes of garbage. */
  score(value: number, { all, hour }: Usual, noise = 0): number {
    const floor = this.#floor(all, noise);
    const whole = this.#onceIn("extreme", sigmasOf(value, all, floor));
    const shift = this.#onceIn("shift", sigmasOf(this.#now(value), all, floor));
    const ofHour = hour === null ? 1 : this.#onceIn("hour", sigmasOf(value, hour, floor));
    return this.#scoreOf(Math.max(whole, shift, ofHour));
  }

  #onceIn(kind: DeviationKind, sigmas: number): number {
    const surprise = this.#tails[kind].surprise(sizeOf(sigmas));
    return 10 ** Math.min(surprise, this.#isLarge(kind, sigmas) ? SURPRISE_SAID_MAX : SMALL_SURPRISE_MAX);
  }

  #scoreOf(onceIn: number): number {
    return Math.min(1, Math.log10(onceIn) / this.#tuning.surpriseMax);
  }

  /** Takes in a point that was judged. */
  learn(value: number, usual: Usual, noise = 0): void {
    const { all, hour } = usual;
    const floor = this.#floor(all, noise);
    // Not by way of lists: of a week of points they were 20 MB of garbage.
    this.#tails.extreme.add(sizeOf(sigmasOf(value, all, floor)));
    this.#tails.shift.add(sizeOf(sigmasOf(this.#now(value), all, floor)));
    if (hour !== null) this.#tails.hour.add(sizeOf(sigmasOf(value, hour, floor)));
    this.pass(value);
  }

  /** Takes notice of a point that must not count as usual: it belongs to the level of now, and to nothing else. */
  pass(value: number): void {
    const recent = this.#recent;
    recent.push(value);
    if (recent.length < this.#tuning.shiftPoints) return;
    // By hand: what the language has for it makes garbage of each number.
    for (let i = 1; i < recent.length; i++) recent[i - 1] = recent[i] ?? 0;
    recent.pop();
  }

  /** What is rare may still be nothing: of a series that hardly moves, a hair more than ever is news to nobody. */
  #isLarge(kind: DeviationKind, sigmas: number): boolean {
    return Math.abs(sigmas) >= (kind === "shift" ? SIGMAS_MIN / Math.sqrt(this.#tuning.shiftPoints) : SIGMAS_MIN);
  }

  /** That from the hour is missing while nobody knows what the hour is like. */
  #deviations(value: number, { all, hour }: Usual, noise: number): readonly Compared[] {
    const floor = this.#floor(all, noise);
    const compare = (kind: DeviationKind, observed: number, level: Level): Compared => {
      const sigmas = sigmasOf(observed, level, floor);
      return { kind, observed, expected: level.median, spread: Math.max(level.spread, floor), sigmas };
    };
    return [
      compare("extreme", value, all),
      compare("shift", this.#now(value), all),
      ...(hour === null ? [] : [compare("hour", value, hour)]),
    ];
  }

  /** No spread is smaller. */
  #floor({ median, spread }: Level, noise: number): number {
    return Math.max(this.#tuning.spreadShare * spread, MEDIAN_SHARE_MIN * Math.abs(median), noise, SPREAD_MIN);
  }

  /** The level of now. */
  #now(value: number): number {
    let sum = value;
    // As a list's own iterator goes, each number would be garbage twice.
    for (let i = 0; i < this.#recent.length; i++) sum += this.#recent[i] ?? 0;
    return sum / (this.#recent.length + 1);
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

function sigmasOf(observed: number, { median, spread }: Level, floor: number): number {
  return (observed - median) / Math.max(spread, floor);
}

function sizeOf(sigmas: number): number {
  return Math.log1p(Math.abs(sigmas));
}
