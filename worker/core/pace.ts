/**
 * How fast one session may push. The rate is a bucket that fills by itself: a backlog of hours may drain at once, but a
 * peer gone wild is slowed before it costs its neighbours anything. Forgetting it with the object's memory does no
 * harm: an object that is flooded does not leave memory.
 */
import type { Millis } from "../../protocol/time.ts";
import { SECOND } from "../../protocol/time.ts";

/** Pushes a second that may go on for ever: 200 times what an agent with 10 s intervals sends. */
export const PUSHES_PER_S_MAX = 20;
/** Pushes that may come at once: two minutes' worth. */
export const PUSHES_AT_ONCE_MAX = 2_400;

/** `left` pushes could come at `at`. */
export interface Pace {
  readonly left: number;
  readonly at: Millis;
}

export const RESTED: Pace = { left: PUSHES_AT_ONCE_MAX, at: 0 };

/** The pace after one more push; null if it is too soon. */
export function withPush(pace: Pace, now: Millis): Pace | null {
  const filled = pace.left + (Math.max(0, now - pace.at) / SECOND) * PUSHES_PER_S_MAX;
  const left = Math.min(PUSHES_AT_ONCE_MAX, filled) - 1;
  return left < 0 ? null : { left, at: now };
}
