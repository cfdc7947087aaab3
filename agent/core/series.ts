/** One series on its own, point by point: what is usual is learnt from its last 7 days while they pass. */
import { DAY, type Millis } from "../../protocol/time.ts";
import { History } from "./baseline.ts";
import { Detector, type Judgement } from "./detector.ts";
import { THRESHOLD } from "../../protocol/detector.ts";
import { QUIET, raise, type Raised, type Raising } from "./raise.ts";
import { TUNING } from "./tuning.ts";

/** Before a day has been seen nobody can say what is usual at an hour of it. */
const LEARNING_MS = DAY;
/** Hourly series need longer: a rank among fewer points is worth little. */
const LEARNING_POINTS = 100;

export interface Point {
  readonly at: Millis;
  /** Null: there was none. It is not a zero. */
  readonly value: number | null;
}

export interface Scored {
  /** 0 to 1; null of a missing point and while learning. */
  readonly score: number | null;
  readonly judgement: Judgement | null;
  readonly act: Raised["act"];
}

/** The detector of `npm run detect`. It knows the points so far, in the order in which they came, and nothing else. */
export class Series {
  readonly #history: History;
  readonly #detector: Detector;
  readonly #refractoryPoints: number;
  #raising: Raising = QUIET;
  #points = 0;
  #from: Millis | null = null;

  constructor(tuning = TUNING) {
    this.#history = new History(tuning.historyPoints);
    this.#detector = new Detector(null, tuning);
    this.#refractoryPoints = tuning.refractoryPoints;
  }

  take({ at, value }: Point, threshold = THRESHOLD): Scored {
    const usual = value === null ? null : this.#history.usual(at);
    if (value === null) return this.#step(null, null, threshold);
    this.#from ??= at;
    const judgement = usual === null ? null : this.#detector.judge(value, usual);
    const isReady = at - this.#from >= LEARNING_MS && this.#points >= LEARNING_POINTS;
    if (usual === null) this.#detector.pass(value);
    else this.#detector.learn(value, usual);
    this.#history.add(at, value);
    this.#points++;
    return this.#step(isReady ? judgement : null, judgement, threshold);
  }

  #step(counted: Judgement | null, judgement: Judgement | null, threshold: number): Scored {
    const score = counted?.score ?? null;
    const { next, act } = raise(this.#raising, score, threshold, this.#refractoryPoints);
    this.#raising = next;
    return { score, judgement, act };
  }
}
