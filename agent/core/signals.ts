/**
 * Which troubles become events. Watches replay, lists repeat and `lastState` stays for ever, so each occurrence is told
 * once, by its id; and one fault must not become thousands of facts: a loop that goes on for days is told again each
 * hour, and a thousand pods that fail alike are told by the first few.
 */
import { TOO_OLD_MS } from "../../protocol/limits.ts";
import type { WorkloadKind } from "../../protocol/record.ts";
import { HOUR, type Millis } from "../../protocol/time.ts";

/** Ids of told events kept. */
const TOLD_MAX = 10_000;
/** Subjects and repeating places kept. */
const PLACES_MAX = 5_000;
/** Events of one kind about one subject within an hour. */
const PER_SUBJECT_MAX = 5;
/** A state that goes on is told again after this, ms. */
const AGAIN_MS = HOUR;
/** States that are found under a new key each time they are looked at: the same loop dies again and again. */
const REPEATING: ReadonlySet<WorkloadKind> = new Set(["pod.crash_loop"]);

/** An edge refuses what is older than its bound; an hour less, for what waits in the spool, ms. */
const NEWS_MS = TOO_OLD_MS - HOUR;
/** Something that is over. `lastState` tells of it for as long as the pod lives. */
const OVER: ReadonlySet<WorkloadKind> = new Set(["pod.oom_killed", "pod.killed"]);

/**
 * When it happened, by the moment that the server wrote (NaN where it wrote none). A state that began long ago and goes
 * on is told as of now; a death of that time is no news: null.
 */
export function momentOf(kind: WorkloadKind, at: Millis, now: Millis): Millis | null {
  if (!Number.isFinite(at) || at < 0) return now;
  if (at >= now - NEWS_MS) return Math.min(at, now);
  return OVER.has(kind) ? null : now;
}

export interface Sighting {
  /** The event's id. */
  readonly id: string;
  readonly kind: WorkloadKind;
  readonly subject: string;
  /** Where within the subject: a pod's container. */
  readonly place: string;
}

export class Signals {
  readonly #told = new Set<string>();
  readonly #places = new Map<string, Millis>();
  readonly #subjects = new Map<string, { readonly from: Millis; readonly count: number; readonly unsaid: number }>();

  /** null: it was told, or is not told now. Else how many of its kind and subject went untold since the last one. */
  take({ id, kind, subject, place }: Sighting, now: Millis): { readonly unsaid: number } | null {
    if (this.#told.has(id)) return null;
    const at = `${kind}\0${place}`;
    if (REPEATING.has(kind) && now - (this.#places.get(at) ?? -AGAIN_MS) < AGAIN_MS) return null;
    put(this.#told, id);
    const key = `${kind}\0${subject}`;
    const known = this.#subjects.get(key);
    const hour = known === undefined || now - known.from >= AGAIN_MS ? { from: now, count: 0 } : known;
    const unsaid = known?.unsaid ?? 0;
    const isTold = hour.count < PER_SUBJECT_MAX;
    this.#subjects.delete(key);
    this.#subjects.set(key, { ...hour, count: hour.count + 1, unsaid: isTold ? 0 : unsaid + 1 });
    if (this.#subjects.size > PLACES_MAX) dropFirst(this.#subjects);
    if (!isTold) return null;
    this.#places.delete(at);
    this.#places.set(at, now);
    if (this.#places.size > PLACES_MAX) dropFirst(this.#places);
    return { unsaid };
  }
}

function put(set: Set<string>, id: string): void {
  set.add(id);
  if (set.size > TOLD_MAX) dropFirst(set);
}

/** The one that came first: maps and sets keep that order. */
function dropFirst(held: Set<string> | Map<string, unknown>): void {
  const [first] = held.keys();
  if (first !== undefined) held.delete(first);
}
