/** Which spans of time are closed when. Windows are cut at whole minutes of Unix time. */
import { HOUR, MINUTE, type Millis } from "../../protocol/time.ts";

/** How far back a started agent reads what it missed from Prometheus, ms. */
const CATCH_UP_MS = 6 * HOUR;
/** An `increase` over fewer than four scrapes rests on too little. */
const SCRAPES_PER_WINDOW = 4;

/** Windows closed until more than this after now were closed by a clock that has been corrected since, ms. */
const CLOSED_AHEAD_MAX_MS = MINUTE;

export interface Span {
  readonly from: Millis;
  readonly until: Millis;
}

/** How long a window must be when samples come every `scrapeIntervalMs`: whole minutes, at least one. */
export function windowSpan(scrapeIntervalMs: number): number {
  return Math.max(1, Math.ceil((SCRAPES_PER_WINDOW * scrapeIntervalMs) / MINUTE)) * MINUTE;
}

/**
 * Until when windows are closed, or null if none ever was, or if what is known of it comes from a clock that was wrong:
 * then the last complete minute is closed (again: its key makes that harmless), and not the hours until the clock gets there.
 */
export function believedClosed(closedUntil: Millis | null, now: Millis): Millis | null {
  return closedUntil === null || closedUntil > now + CLOSED_AHEAD_MAX_MS ? null : closedUntil;
}

/**
 * The oldest span that is complete at `now` and not yet closed, or null. `closedUntil` is the end of the last one, null
 * if there never was one: then the last complete span is the first. `lateMs` is how long samples of a span may take.
 */
export function dueSpan(closedUntil: Millis | null, now: Millis, spanMs: number, lateMs: number): Span | null {
  const complete = Math.floor((now - lateMs) / spanMs) * spanMs;
  const oldest = Math.ceil((now - CATCH_UP_MS) / spanMs) * spanMs;
  // Rounded up: after a change of the span the next one begins where both can begin, and no minute is counted twice.
  const closed = believedClosed(closedUntil, now);
  const next = closed === null ? complete - spanMs : Math.ceil(closed / spanMs) * spanMs;
  const from = Math.max(next, oldest);
  return from + spanMs <= complete ? { from, until: from + spanMs } : null;
}
