/** Which spans of time are closed when. Windows are cut at whole minutes of Unix time. */
import { HOUR, MINUTE, type Millis } from "../../protocol/time.ts";

/** How far back a started agent reads what it missed from Prometheus, ms. */
const CATCH_UP_MS = 6 * HOUR;
/** An `increase` over fewer than four scrapes rests on too little. */
const SCRAPES_PER_WINDOW = 4;

export interface Span {
  readonly from: Millis;
  readonly until: Millis;
}

/** How long a window must be when samples come every `scrapeIntervalMs`: whole minutes, at least one. */
export function windowSpan(scrapeIntervalMs: number): number {
  return Math.max(1, Math.ceil((SCRAPES_PER_WINDOW * scrapeIntervalMs) / MINUTE)) * MINUTE;
}

/**
 * The oldest span that is complete at `now` and not yet closed, or null. `closedUntil` is the end of the last one, null
 * if there never was one: then the last complete span is the first. `lateMs` is how long samples of a span may take.
 */
export function dueSpan(closedUntil: Millis | null, now: Millis, spanMs: number, lateMs: number): Span | null {
  const complete = Math.floor((now - lateMs) / spanMs) * spanMs;
  const oldest = Math.ceil((now - CATCH_UP_MS) / spanMs) * spanMs;
  // Rounded up: after a change of the span the next one begins where both can begin, and no minute is counted twice.
  const next = closedUntil === null ? complete - spanMs : Math.ceil(closedUntil / spanMs) * spanMs;
  const from = Math.max(next, oldest);
  return from + spanMs <= complete ? { from, until: from + spanMs } : null;
}
