/** What waits for Postgres, and from when on that is news: every fact waits a while as a matter of course. */
import type { Millis } from "../../protocol/time.ts";
import { DAY, MINUTE, SECOND } from "../../protocol/time.ts";
import type { Backlog, Tell } from "./component.ts";

/** Facts that wait for too long at one place: a cluster, or null for the page's own. */
export interface Delay {
  readonly cluster: string | null;
  readonly waiting: number;
  readonly since: Millis;
}

/** Flush intervals that may pass before somebody is told: one attempt that fails is no news. */
const FLUSHES_MAX = 3;
/** The Board sends its own within a second; this much more for a database that has to wake first. */
const OWN_GRACE_MS = 15 * SECOND;
/** Flushes go out with pushes, so a fact waits for the next push too, and the one after if that is late. */
const GRACE_PUSHES = 2;

/**
 * Where facts have waited for too long, oldest first. What a Cluster told is judged as of then: it says nothing of what
 * was sent since.
 *
 * @param own what the page itself has not sent
 * @param flushMs how long facts wait as a matter of course
 */
export function delaysOf(own: Backlog, tells: Iterable<Tell>, flushMs: number, now: Millis): readonly Delay[] {
  const delays = [delayOf(null, own, now, FLUSHES_MAX * flushMs + OWN_GRACE_MS)];
  for (const { cluster, backlog, heardAt, intervalMs } of tells) {
    const boundMs = FLUSHES_MAX * flushMs + GRACE_PUSHES * intervalMs;
    delays.push(delayOf(cluster, backlog, backlog.at ?? heardAt, boundMs));
  }
  return delays.filter((delay) => delay !== null).toSorted((a, b) => a.since - b.since);
}

function delayOf(cluster: string | null, { waiting, since }: Backlog, asOf: Millis, boundMs: number): Delay | null {
  return since === null || asOf - since <= boundMs ? null : { cluster, waiting, since };
}

/** Clusters woken in one minute, so that the cron stays within what one run may cost. */
const WAKES_MAX = 50;

/** A flush that is under way or about to begin needs nobody. */
const WAKE_AFTER_FLUSHES = 2;

/**
 * The clusters at which facts should have left by now: an alarm that was lost is found again by waking its object. More
 * than one minute may hold take turns.
 */
export function clustersToWake(tells: Iterable<Tell>, flushMs: number, now: Millis): readonly string[] {
  const waiting: string[] = [];
  for (const { cluster, backlog } of tells)
    if (backlog.since !== null && now - backlog.since > WAKE_AFTER_FLUSHES * flushMs) waiting.push(cluster);
  if (waiting.length <= WAKES_MAX) return waiting;
  const from = (Math.floor(now / MINUTE) * WAKES_MAX) % waiting.length;
  return [...waiting, ...waiting].slice(from, from + WAKES_MAX);
}

/** What did not work is tried again after this: Postgres asleep or busy, a table in use. */
const UPKEEP_RETRY_MS = 15 * MINUTE;

/**
 * Whether the tables of the days to come are to be made, and those whose time is over to be dropped: once a day.
 *
 * @param doneAt when it last went well; null if never
 * @param triedAt when it was last tried; null if not since the object woke
 */
export function isUpkeepDue(doneAt: Millis | null, triedAt: Millis | null, now: Millis): boolean {
  const isDone = doneAt !== null && now - doneAt < DAY;
  return !isDone && (triedAt === null || now - triedAt >= UPKEEP_RETRY_MS);
}
