/**
 * Tells on disk. A thousand Clusters tell every 30 s, and a row a tell would be most of the bill, so tells live in
 * memory and go to disk together: a slot is one row of many tells.
 *
 *   slot 1  [eu-1 12:00:30, us-1 12:00:31, …]     a tell on disk is void once a later row holds the same cluster's,
 *   slot 2  [eu-1 12:00:00 void, ap-1 12:00:07]   and a slot whose tells are all void is written over
 *
 * What is not on disk yet is lost when the Board leaves memory, so it must not stay so for long, nor at all if nobody
 * is about to wake the Board.
 */
import { TELL_INTERVAL_MS } from "../../protocol/limits.ts";
import type { Millis } from "../../protocol/time.ts";
import { SECOND } from "../../protocol/time.ts";
import type { Tell } from "./component.ts";

/** Bytes of a row: SQLite in an object takes 2 MB. A tell is a push of at most 256 KiB and a little more. */
export const ROW_BYTES_MAX = 1_000_000;
/** Void bytes are cheap and rows are not, but each write also serializes what it carries over. */
const CARRY_BYTES_MAX = 256_000;
/** How old a tell may become that is only in memory. */
const WRITE_INTERVAL_MS = 15 * SECOND;
/** An idle object leaves memory after about 10 s, with all that is not on disk. */
const LINGER_MS = 8 * SECOND;

/** A row: the newest tells that it holds, by cluster, in bytes. */
export interface Slot {
  readonly slot: number;
  readonly live: ReadonlyMap<string, number>;
}

export interface Shelf {
  readonly slots: readonly Slot[];
  /** Bytes of each tell that is only in memory. */
  readonly waiting: ReadonlyMap<string, number>;
  readonly writtenAt: Millis;
}

/** What stands on disk after a tell came, and the rows to be written for that, each with all that it holds then. */
export interface Shelved {
  readonly shelf: Shelf;
  readonly written: readonly Slot[];
}

/**
 * Takes in a tell, and says what is written now.
 *
 * @param tells the newest of each cluster
 */
export function shelve(
  shelf: Shelf,
  { tell, bytes, isNews }: { readonly tell: Tell; readonly bytes: number; readonly isNews: boolean },
  tells: Iterable<Tell>,
  now: Millis,
): Shelved {
  const added = { ...shelf, waiting: new Map([...shelf.waiting, [tell.cluster, bytes]]) };
  return isNews || isWriteDue(added, tell, tells, now) ? shelveAll(added, now) : { shelf: added, written: [] };
}

/** Writes all that waits. */
export function shelveAll({ slots, waiting, writtenAt }: Shelf, now: Millis): Shelved {
  const written = packTells(slots, waiting);
  // Rises with each write, so that of two rows it says which is newer.
  const shelf = { slots: withWritten(slots, written), waiting: new Map(), writtenAt: Math.max(now, writtenAt + 1) };
  return { shelf, written };
}

/** The last write is 15 s old, a row is full, or nobody else is expected before the Board would leave memory. */
function isWriteDue({ waiting, writtenAt }: Shelf, tell: Tell, tells: Iterable<Tell>, now: Millis): boolean {
  if (now - writtenAt >= WRITE_INTERVAL_MS || sum(waiting.values()) >= ROW_BYTES_MAX) return true;
  for (const other of tells) if (other.cluster !== tell.cluster && isExpectedSoon(other, now)) return false;
  return true;
}

/** A Cluster whose agent is well tells with the first push that comes 30 s after its last tell. */
function isExpectedSoon({ heardAt, intervalMs }: Tell, now: Millis): boolean {
  const latest = heardAt + TELL_INTERVAL_MS + intervalMs;
  return latest >= now && latest <= now + LINGER_MS;
}

/**
 * Which clusters' tells go into which slot. All of `waiting` go; the room left in the last row takes over what little
 * still counts in other slots, so that clusters that fell silent hold no row each.
 */
function packTells(slots: readonly Slot[], waiting: ReadonlyMap<string, number>): readonly Slot[] {
  const others = slots
    .map(({ slot, live }) => ({ slot, live: without(live, waiting) }))
    .toSorted((a, b) => sum(a.live.values()) - sum(b.live.values()));
  const rows = rowsOf(waiting);
  const last = rows.at(-1) ?? new Map<string, number>();
  let room = Math.min(CARRY_BYTES_MAX, ROW_BYTES_MAX - sum(last.values()));
  const kept = others.filter(({ live }) => {
    room -= sum(live.values());
    if (room < 0) return true;
    for (const [cluster, bytes] of live) last.set(cluster, bytes);
    return false;
  });
  const taken = new Set(kept.map(({ slot }) => slot));
  return rows.map((live) => ({ slot: firstFree(taken), live }));
}

/** The slots as they stand after `written` was. */
export function withWritten(slots: readonly Slot[], written: readonly Slot[]): readonly Slot[] {
  const places = new Set(written.map(({ slot }) => slot));
  const moved = new Map(written.flatMap(({ live }) => [...live]));
  const kept = slots.filter(({ slot }) => !places.has(slot));
  return [...kept.map(({ slot, live }) => ({ slot, live: without(live, moved) })), ...written];
}

/** Filled one after the other: a tell that does not fit begins the next row. */
function rowsOf(waiting: ReadonlyMap<string, number>): Map<string, number>[] {
  const rows: Map<string, number>[] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const [cluster, size] of waiting) {
    bytes += size;
    if (bytes > ROW_BYTES_MAX) {
      rows.push(new Map());
      bytes = size;
    }
    rows.at(-1)?.set(cluster, size);
  }
  return rows;
}

/** Takes the lowest slot that is free, and marks it as taken. */
function firstFree(taken: Set<number>): number {
  let slot = 1;
  while (taken.has(slot)) slot++;
  taken.add(slot);
  return slot;
}

function without(live: Slot["live"], gone: ReadonlyMap<string, unknown>): ReadonlyMap<string, number> {
  return new Map([...live].filter(([cluster]) => !gone.has(cluster)));
}

function sum(sizes: Iterable<number>): number {
  let total = 0;
  for (const size of sizes) total += size;
  return total;
}
