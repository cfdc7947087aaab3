/** Waits between attempts at something that may work later. */
const FIRST_MS = 1_000;
const LAST_MS = 60_000;
/** No wait is longer. */
export const RETRY_MAX_MS = FIRST_MS / 2 + LAST_MS;

/**
 * Full jitter: a random wait up to a bound that doubles from 1 s to 60 s, so that a thousand objects that failed
 * together do not return together.
 *
 * @param attempts failed so far, at least 1
 * @param dice 0 to 1, the caller's randomness
 */
export function retryDelay(attempts: number, dice: number): number {
  return Math.round(FIRST_MS / 2 + dice * Math.min(LAST_MS, FIRST_MS * 2 ** Math.min(attempts, 10)));
}
