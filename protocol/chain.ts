/**
 * Past days of uptime as they were frozen, as a chain: each entry's hash covers what it says and the hash before it, so
 * whoever wrote down one hash can tell later whether anything up to it was changed. A correction takes nothing out: it
 * is an entry of its own, after the day that it amends.
 *
 *   1 freeze 21 Nov ◀── 2 freeze 22 Nov ◀── 3 amends 21 Nov ◀── 4 freeze 23 Nov
 *       hash              previous, hash        previous, hash       previous, hash
 *
 * The edge writes it, and `npm run -s uptime:verify` reads it back from Postgres and trusts nothing but this file.
 */
import type { DayTally } from "./page.ts";
import type { ComponentStatus } from "./status.ts";
import type { Millis } from "./time.ts";

/** What an operator says that a stretch of past days really was. */
export interface Correction {
  readonly component: string;
  readonly from: Millis;
  readonly to: Millis;
  readonly status: ComponentStatus;
  /** Internal: may name what visitors do not read of. */
  readonly reason: string;
  readonly by: string;
}

/** One link. `day` is YYYY-MM-DD in `timeZone`, as the page cut it then: [`from`, `to`). */
export interface ChainEntry {
  /** 1, 2, 3, … without a hole. */
  readonly n: number;
  readonly day: string;
  readonly timeZone: string;
  readonly from: Millis;
  readonly to: Millis;
  /** When it was written. */
  readonly at: Millis;
  /** By component's id: all of the page's when a day freezes, the one that is amended otherwise. */
  readonly tallies: Readonly<Record<string, DayTally["ms"]>>;
  /** Null when a day freezes. */
  readonly correction: Correction | null;
  /** The hash of the entry before; `GENESIS.hash` for the first. */
  readonly previous: string;
  /** SHA-256 of `entryText`, in hex. */
  readonly hash: string;
}

/** Where a chain has got to: the number and hash of its last entry, and where its last frozen day ends. */
export interface ChainHead {
  readonly n: number;
  readonly hash: string;
  readonly frozenTo: Millis;
}

export const GENESIS: ChainHead = { n: 0, hash: "0".repeat(64), frozenTo: 0 };

/** What is hashed: everything but the hash, in an order that no store or language can change. */
export function entryText(entry: Omit<ChainEntry, "hash">): string {
  const { n, day, timeZone, from, to, at, tallies, correction, previous } = entry;
  const components = Object.keys(tallies).toSorted();
  return JSON.stringify([
    "observatory-uptime/1",
    n,
    previous,
    day,
    timeZone,
    from,
    to,
    at,
    components.map((id) => [id, ...spent(tallies[id] ?? {})]),
    correction && [
      correction.component,
      correction.from,
      correction.to,
      correction.status,
      correction.reason,
      correction.by,
    ],
  ]);
}

/** Status, ms, status, ms, …: absent is 0, and in no order but the letters'. */
function spent(ms: DayTally["ms"]): (string | number)[] {
  const told = Object.entries(ms).filter(([, each]) => each > 0);
  return told.toSorted(([a], [b]) => (a < b ? -1 : 1)).flat();
}

/** The head once an entry is added. */
export function headAfter(head: ChainHead, entry: ChainEntry): ChainHead {
  const frozenTo = entry.correction === null ? entry.to : head.frozenTo;
  return { n: entry.n, hash: entry.hash, frozenTo };
}

/** What is wrong with the first entry that does not follow from the ones before it. */
export interface ChainFault {
  readonly n: number;
  readonly fault: "missing" | "changed" | "unlinked" | "frozen_twice" | "amends_nothing";
}

/**
 * Follows a chain on from `head`.
 *
 * @param entries in the order of their numbers, from `head.n + 1` on
 * @param hashOf SHA-256 of a text's UTF-8, in hex
 */
export function followChain(
  head: ChainHead,
  entries: readonly ChainEntry[],
  hashOf: (text: string) => string,
): { readonly head: ChainHead; readonly fault: ChainFault | null } {
  let reached = head;
  for (const entry of entries) {
    const fault = faultOf(reached, entry, hashOf);
    if (fault !== null) return { head: reached, fault: { n: reached.n + 1, fault } };
    reached = headAfter(reached, entry);
  }
  return { head: reached, fault: null };
}

function faultOf(head: ChainHead, entry: ChainEntry, hashOf: (text: string) => string): ChainFault["fault"] | null {
  if (entry.n !== head.n + 1) return "missing";
  if (hashOf(entryText(entry)) !== entry.hash) return "changed";
  if (entry.previous !== head.hash) return "unlinked";
  // Otherwise a second freeze would replace a day without being seen as an amendment.
  if (entry.correction === null) return entry.from < head.frozenTo ? "frozen_twice" : null;
  return entry.to > head.frozenTo ? "amends_nothing" : null;
}
