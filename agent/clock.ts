/** The edge's time, as far as the agent knows it: the raw clock plus the offset that answers have shown. */
import type { Millis } from "../protocol/time.ts";
import { addSample, clockOffset, clockSample, type ClockSample } from "./core/clock.ts";

export interface Clock {
  /** Corrected time. Windows are cut, facts stamped and requests signed by it. */
  now(): Millis;
  /** The raw clock, to put around an exchange. */
  raw(): Millis;
  /** How far the raw clock is ahead of the edge's, ms. */
  skewMs(): number;
  /** Learns from an exchange: the raw times around it and the server's time in the answer. */
  learn(sentAt: Millis, answeredAt: Millis, serverTime: Millis): void;
}

export function createClock(raw: () => Millis = Date.now): Clock {
  let samples: readonly ClockSample[] = [];
  return {
    now: () => raw() + clockOffset(samples),
    raw,
    // No offset is 0, not -0.
    skewMs: () => 0 - clockOffset(samples),
    learn(sentAt, answeredAt, serverTime) {
      samples = addSample(samples, clockSample(sentAt, answeredAt, serverTime));
    },
  };
}
