/** The first and the longest wait after failures, ms: `reference/delivery.md` 4. */
const RETRY_FIRST_MS = 1_000;
const RETRY_LONGEST_MS = 60_000;
/** Full jitter may draw next to nothing; a peer in trouble still deserves a breath. */
const RETRY_LEAST_MS = 100;

/**
 * How long to wait after `failures` failures in a row, ms: full jitter, so that agents which failed together do not
 * return together. `random` is in [0, 1).
 */
export function retryDelay(failures: number, random: number): number {
  const longest = Math.min(RETRY_LONGEST_MS, RETRY_FIRST_MS * 2 ** Math.min(failures - 1, 10));
  return Math.max(RETRY_LEAST_MS, Math.round(longest * random));
}
