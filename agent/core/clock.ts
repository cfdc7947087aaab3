import type { Millis } from "../../protocol/time.ts";

/** Samples kept: the offset of the one with the shortest round trip is believed, as NTP's clock filter does. */
const SAMPLES_MAX = 8;

/** One exchange with the edge: `offsetMs` is what must be added to the raw clock; its error is at most half the round trip. */
export interface ClockSample {
  readonly offsetMs: number;
  readonly roundTripMs: number;
}

/** What an exchange says, from the raw times around it and the server's time in its answer. */
export function clockSample(sentAt: Millis, answeredAt: Millis, serverTime: Millis): ClockSample {
  return { offsetMs: Math.round(serverTime - (sentAt + answeredAt) / 2), roundTripMs: answeredAt - sentAt };
}

/**
 * The samples with one more. A sample that contradicts the others by more than both round trips means that the raw
 * clock was set: the older ones speak of another clock and go.
 */
export function addSample(samples: readonly ClockSample[], sample: ClockSample): readonly ClockSample[] {
  const agreeing = samples.filter(
    (other) => Math.abs(other.offsetMs - sample.offsetMs) <= other.roundTripMs + sample.roundTripMs + 1_000,
  );
  return [...agreeing, sample].slice(-SAMPLES_MAX);
}

/** What to add to the raw clock, ms; 0 before anything is known. */
export function clockOffset(samples: readonly ClockSample[]): number {
  const best = samples.toSorted((a, b) => a.roundTripMs - b.roundTripMs)[0];
  return best?.offsetMs ?? 0;
}
