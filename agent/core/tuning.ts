/**
 * The numbers of the detector: one set for all series. `bench/anomaly.ts` varies them and shows that none is lucky.
 */
export interface Tuning {
  /** What is usual is learnt from so many points: 7 days at 5 minutes. */
  readonly historyPoints: number;
  /** Past deviations that count in full or in part: at this many all are halved, so that the newest half to all decide. */
  readonly tailWeight: number;
  /** The share of past deviations that make up the tail. */
  readonly tailShare: number;
  /** −log10 p of a score of 1: once in 1,585, and 0.85 is once in 525. */
  readonly surpriseMax: number;
  /** What counts as the level of now: an hour at 5 minutes. */
  readonly shiftPoints: number;
  /** No spread is smaller than this share of the whole's. */
  readonly spreadShare: number;
  /** From one event of a series to its next, points. */
  readonly refractoryPoints: number;
}

export const TUNING: Tuning = {
  historyPoints: 2_016,
  tailWeight: 4_000,
  tailShare: 0.02,
  surpriseMax: 3.2,
  shiftPoints: 12,
  spreadShare: 0.1,
  refractoryPoints: 100,
};
