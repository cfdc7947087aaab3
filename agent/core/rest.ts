/** When pushes return to a session after one was lost there. */

/** After the first push without an answer, ms: a session that was only cut is open again by then. */
const REST_FIRST_MS = 10_000;
/** Something between the two that takes connections but no frames may be mended within an hour, ms. */
const REST_LONGEST_MS = 3_600_000;

/**
 * How long pushes go by POST after `losses` in a row had no answer over the session, ms. Each costs seconds of
 * freshness, so a way that does not work is tried ever more rarely.
 */
export function sessionRest(losses: number): number {
  return Math.min(REST_LONGEST_MS, REST_FIRST_MS * 2 ** Math.min(losses - 1, 20));
}
