/**
 * What is usual for a series: the median and the spread of its past, as a whole and by the hour of the day.
 *
 * Medians and quartiles, because means and standard deviations are bent for days by the very outliers that a detector
 * looks for. Hours are those of UTC: a daylight saving change moves what is usual by an hour, and a week unlearns it.
 */
import { DAY, HOUR, type Millis } from "../../protocol/time.ts";

const HOURS = 24;
/** Fewer points say nothing of an hour: then the whole is all there is to compare with. */
const HOUR_POINTS_MIN = 4;
/** Nothing is usual yet before this many points. */
const POINTS_MIN = 30;
/** Between the quartiles of a normal distribution lie 1.35 standard deviations. */
const QUARTILES_APART = 1.35;
/** Where the quartiles coincide (a counter that is mostly 0) a tenth of what lies between the 2nd and the 98th percentile. */
const RIM_SHARE = 0.1;
const RIMS_APART = 4.1;

/** `spread` is in the unit of the values: a standard deviation, as far as the quartiles tell of one. */
export interface Level {
  readonly median: number;
  readonly spread: number;
}

/** What is usual at one moment. `hour` is null while its hour of the day has not been seen often enough. */
export interface Usual {
  readonly all: Level;
  readonly hour: Level | null;
}

/** What was learnt, to be kept: 25 levels. */
export interface Baseline {
  readonly all: Level;
  readonly hours: readonly (Level | null)[];
}

function hourOf(at: Millis): number {
  return Math.floor(at / HOUR) % HOURS;
}

export function usualAt({ all, hours }: Baseline, at: Millis): Usual {
  return { all, hour: hours[hourOf(at)] ?? null };
}

/** The same as plain numbers: of 1,500 series as objects it takes 3 MB. */
export class PackedBaseline {
  /** Of the whole and of each hour its median and its spread; NaN of an hour that is not known. */
  readonly #numbers = new Float64Array(2 * (1 + HOURS)).fill(Number.NaN);
  /** What was asked for last: an hour has twelve points. */
  #hour = -1;
  #usual: Usual | null = null;

  constructor({ all, hours }: Baseline) {
    for (const [i, level] of [all, ...hours].entries())
      if (level !== null) this.#numbers.set([level.median, level.spread], 2 * i);
  }

  usual(at: Millis): Usual {
    const hour = hourOf(at);
    if (this.#usual !== null && this.#hour === hour) return this.#usual;
    const level = this.#level(1 + hour);
    this.#hour = hour;
    this.#usual = { all: this.#level(0), hour: Number.isNaN(level.median) ? null : level };
    return this.#usual;
  }

  #level(i: number): Level {
    return { median: this.#numbers[2 * i] ?? Number.NaN, spread: this.#numbers[2 * i + 1] ?? Number.NaN };
  }
}

/** Points in columns: as objects, those of a week are as much garbage as the agent else makes in a minute. */
export interface Points {
  readonly at: Float64Array;
  readonly value: Float64Array;
}

/** Of all these points at once; null of too few. */
export function baselineOf({ at, value }: Points): Baseline | null {
  if (value.length < POINTS_MIN) return null;
  const counts = new Uint32Array(HOURS);
  for (const one of at) counts[hourOf(one)] = (counts[hourOf(one)] ?? 0) + 1;
  // Hour by hour, each behind the one before it.
  const ends = counts.map((_, hour) => counts.subarray(0, hour).reduce((sum, count) => sum + count, 0));
  const byHour = new Float64Array(value.length);
  value.forEach((one, i) => {
    const hour = hourOf(at[i] ?? 0);
    byHour[ends[hour] ?? 0] = one;
    ends[hour] = (ends[hour] ?? 0) + 1;
  });
  return {
    all: levelOf(value.toSorted(), value.length),
    hours: Array.from(counts, (count, hour) => {
      const end = ends[hour] ?? 0;
      return count < HOUR_POINTS_MIN ? null : levelOf(byHour.subarray(end - count, end).sort(), count);
    }),
  };
}

/** The newest points of a series, always in order, so that what is usual costs two look-ups. */
export class History {
  readonly #values: Float64Array;
  readonly #hours: Uint8Array;
  readonly #all = new Sorted();
  readonly #byHour = Array.from({ length: HOURS }, () => new Sorted());
  #added = 0;
  #from: Millis | null = null;

  /** @param pointsMax the newest so many count */
  constructor(pointsMax: number) {
    this.#values = new Float64Array(pointsMax);
    this.#hours = new Uint8Array(pointsMax);
  }

  /** The newest point; the oldest leaves if there are too many. */
  add(at: Millis, value: number): void {
    this.#from ??= at;
    const slot = this.#added % this.#values.length;
    if (this.#added >= this.#values.length) {
      const oldest = this.#values[slot] ?? 0;
      this.#all.remove(oldest);
      this.#byHour[this.#hours[slot] ?? 0]?.remove(oldest);
    }
    const hour = hourOf(at);
    this.#values[slot] = value;
    this.#hours[slot] = hour;
    this.#added++;
    this.#all.add(value);
    this.#byHour[hour]?.add(value);
  }

  /** Null while there are too few points. */
  usual(at: Millis): Usual | null {
    if (this.#all.size < POINTS_MIN) return null;
    // What an hour is like is known from other days, not from its own beginning.
    const isAnotherDay = at - (this.#from ?? at) >= DAY;
    return { all: this.#all.level(), hour: isAnotherDay ? this.#hour(hourOf(at)) : null };
  }

  #hour(hour: number): Level | null {
    const values = this.#byHour[hour];
    return values === undefined || values.size < HOUR_POINTS_MIN ? null : values.level();
  }
}

/** Values in order. Moving a few kilobytes in memory is faster than any tree at this size. */
class Sorted {
  #values = new Float64Array(64);
  size = 0;

  add(value: number): void {
    if (this.size === this.#values.length) {
      const wider = new Float64Array(2 * this.size);
      wider.set(this.#values);
      this.#values = wider;
    }
    const place = this.#place(value);
    this.#values.copyWithin(place + 1, place, this.size);
    this.#values[place] = value;
    this.size++;
  }

  remove(value: number): void {
    const place = this.#place(value);
    this.#values.copyWithin(place, place + 1, this.size);
    this.size--;
  }

  level(): Level {
    return levelOf(this.#values, this.size);
  }

  /** Of the first value that is not smaller. */
  #place(value: number): number {
    let [low, high] = [0, this.size];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#values[middle] ?? 0) < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** @param sorted of which the first `size` count */
function levelOf(sorted: ArrayLike<number>, size: number): Level {
  const quantile = (share: number): number => {
    const rank = share * (size - 1);
    const below = Math.floor(rank);
    const low = sorted[below] ?? 0;
    return rank === below ? low : low + (rank - below) * ((sorted[below + 1] ?? low) - low);
  };
  const apart = (from: number): number => quantile(1 - from) - quantile(from);
  const spread = Math.max(apart(0.25) / QUARTILES_APART, (RIM_SHARE * apart(0.02)) / RIMS_APART);
  return { median: quantile(0.5), spread };
}
