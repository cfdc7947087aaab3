/** What time it is. A visitor's clock may be wrong by hours, so it is no more than what the count goes on from. */
import type { Millis } from "../../protocol/time.ts";

/** An answer's date has whole seconds, and was on its way for a while. */
const TOLERANCE_MS = 5_000;

let offsetMs = 0;
/** The newest moment of the edge's clock that was read. */
let newest: Millis = 0;

export function now(): Millis {
  return Date.now() + offsetMs;
}

/** Something that the edge made at `at` was read, so it cannot be earlier than that. */
export function notBefore(at: Millis): void {
  newest = Math.max(newest, at);
  offsetMs = Math.max(offsetMs, at - Date.now());
}

/**
 * A clock that is ahead makes all evidence look expired; an answer's own date tells. One that is no newer than what was
 * read before may be a copy's: believed, it would turn the clock back and keep the evidence in that copy fresh.
 */
export function learnTime({ headers }: Response): void {
  const at = Date.parse(headers.get("date") as string) + Number(headers.get("age")) * 1_000;
  if (!(at > newest)) return;
  newest = at;
  if (Math.abs(at - now()) > TOLERANCE_MS) offsetMs = at - Date.now();
}
