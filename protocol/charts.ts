/** A series as charts draw it: rows of numbers, a step each. */
import type { Millis } from "./time.ts";

/** Oldest first; null is no data. */
export type Values = readonly (number | null)[];

/** What is known of some services over a time: ms, a ratio of 1, requests a second. */
export interface ChartValues {
  readonly from: Millis;
  readonly stepMs: number;
  readonly p50: Values;
  readonly p95: Values;
  /** Between what p95 lies surely. */
  readonly lo: Values;
  readonly hi: Values;
  readonly p99: Values;
  readonly errorRatio: Values;
  readonly perSecond: Values;
}
