/** How many open pages may come back at once. */
import { MINUTE, SECOND } from "../../protocol/time.ts";

/** Returning pages a second, all shards together: each is a request, a greeting and an upgrade on a machine that just started. */
const RETURNS_PER_S = 250;
const SPREAD_MIN_MS = SECOND;
/** Longer than this a page would rather ask by itself. */
const SPREAD_MAX_MS = MINUTE;

/**
 * Over how long pages should spread their return once they are cut off, ms: a deploy cuts all of them in one moment.
 * Doubles from one second on, so that it rarely has to be said anew.
 */
export function returnSpread(pages: number): number {
  const wantedMs = (pages / RETURNS_PER_S) * SECOND;
  const doubled = SPREAD_MIN_MS * 2 ** Math.ceil(Math.log2(Math.max(1, wantedMs / SPREAD_MIN_MS)));
  return Math.min(SPREAD_MAX_MS, doubled);
}
