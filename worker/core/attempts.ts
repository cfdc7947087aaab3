/** Failed proofs in a row of time, so that guessing costs no crypto. Forgetting them with the object's memory does no harm. */
import type { Millis } from "../../protocol/time.ts";
import { MINUTE } from "../../protocol/time.ts";

/** Signatures that may fail in a minute: an agent with a broken clock or a proxy in between pushes far less often. */
export const FAILED_SIGNATURES_MAX = 100;

/** Failures since the minute began at `since`. */
export interface Failures {
  readonly since: Millis;
  readonly count: number;
}

export const NO_FAILURES: Failures = { since: 0, count: 0 };

export function withFailure(failures: Failures, now: Millis): Failures {
  return now - failures.since >= MINUTE ? { since: now, count: 1 } : { ...failures, count: failures.count + 1 };
}

export function isBarred(failures: Failures, now: Millis): boolean {
  return failures.count > FAILED_SIGNATURES_MAX && now - failures.since < MINUTE;
}
