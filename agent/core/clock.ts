import type { Millis } from "../../protocol/time.ts";

/** Samples kept: the offset of the one with the shortest round trip is believed, as NTP's clock filter does. */
const SAMPLES_MAX = 8;
/** An exchange cannot take longer than its deadline: if its raw times say so, the clock was set in between, ms. */
const ROUND_TRIP_MAX_MS = 15_000;
/** A raw clock that moves this much against the monotonic one was set, ms. Slewing is slower than 1 ms in a second. */
const STEP_MIN_MS = 5_000;

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

/** Whether an exchange can have been so; else the raw clock was set while it was under way. */
export function isPossible({ roundTripMs }: ClockSample): boolean {
  return roundTripMs >= 0 && roundTripMs <= ROUND_TRIP_MAX_MS;
}

/** What to add to the raw clock, ms; `assumed` before anything is known. */
export function clockOffset(samples: readonly ClockSample[], assumed = 0): number {
  const best = samples.toSorted((a, b) => a.roundTripMs - b.roundTripMs)[0];
  return best?.offsetMs ?? assumed;
}

/** A time in which the raw clock ran on without a step. */
export interface ClockRun {
  /** When it began, by the monotonic clock, ms. */
  readonly since: number;
  /** Raw minus monotonic clock when last looked at, ms. */
  readonly lead: number;
  /** Whether an exchange with the edge has shown the offset since. */
  readonly heard: boolean;
}

export function beginRun(raw: Millis, monotonic: number): ClockRun {
  return { since: monotonic, lead: raw - monotonic, heard: false };
}

/** The run at a later look; a new one if the raw clock was set meanwhile. */
export function continueRun(run: ClockRun, raw: Millis, monotonic: number): ClockRun {
  const lead = raw - monotonic;
  return Math.abs(lead - run.lead) > STEP_MIN_MS ? beginRun(raw, monotonic) : { ...run, lead };
}

/** The edge has said what time it is, or nobody could be asked for `patienceMs` and the clock has to do. */
export function isTrusted(run: ClockRun, monotonic: number, patienceMs: number): boolean {
  return run.heard || monotonic - run.since >= patienceMs;
}
