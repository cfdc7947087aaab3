/**
 * Who did what, as a chain like that of uptime's days (`chain.ts`): each entry's hash covers what it says and the hash
 * before it. An entry is numbered on its way to the archive, so what waits there has none yet; what a release before
 * this wrote has none at all, and is read but not vouched for.
 *
 * The edge writes it, and `npm run -s audit -- verify` reads it back from Postgres and trusts nothing but this file.
 */
import type { Json } from "./lease.ts";
import { canonicalJson } from "./lease.ts";
import type { Millis } from "./time.ts";

export type AuditFacts = Readonly<Record<string, Json>>;

/** What an act changed: of both sides only what differs. Null where there was nothing, or nothing is left. */
export interface AuditChange {
  readonly before: AuditFacts | null;
  readonly after: AuditFacts | null;
}

export interface AuditFact {
  readonly at: Millis;
  /** "incident.open": what was done, and to what kind of thing. */
  readonly act: string;
  /** To which: an id, or a name. */
  readonly subject: string;
  /** Who: a person's name, "command line", "one-time link". */
  readonly by: string;
  readonly change: AuditChange | null;
}

export interface AuditEntry extends AuditFact {
  /** 1, 2, 3, … without a hole. */
  readonly n: number;
  /** The hash of the entry before; `AUDIT_GENESIS.hash` for the first. */
  readonly previous: string;
  /** SHA-256 of `auditText`, in hex. */
  readonly hash: string;
}

/** How far a chain goes. */
export interface AuditHead {
  readonly n: number;
  readonly hash: string;
}

export const AUDIT_GENESIS: AuditHead = { n: 0, hash: "0".repeat(64) };

/** What is hashed: everything but the hash, in an order that no store or language can change. */
export function auditText({ n, previous, at, act, subject, by, change }: Omit<AuditEntry, "hash">): string {
  const changed = change === null ? null : [change.before, change.after];
  return canonicalJson(["observatory-audit/1", n, previous, at, act, subject, by, changed]);
}

/** What is wrong with the first entry that does not follow from the ones before it. */
export interface AuditFault {
  readonly n: number;
  readonly fault: "missing" | "changed" | "unlinked";
}

/**
 * Follows a chain on from `head`.
 *
 * @param entries in the order of their numbers, from `head.n + 1` on
 * @param hashOf SHA-256 of a text's UTF-8, in hex
 */
export function followAudit(
  head: AuditHead,
  entries: readonly AuditEntry[],
  hashOf: (text: string) => string,
): { readonly head: AuditHead; readonly fault: AuditFault | null } {
  let reached = head;
  for (const entry of entries) {
    const n = reached.n + 1;
    if (entry.n !== n) return { head: reached, fault: { n, fault: "missing" } };
    if (hashOf(auditText(entry)) !== entry.hash) return { head: reached, fault: { n, fault: "changed" } };
    if (entry.previous !== reached.hash) return { head: reached, fault: { n, fault: "unlinked" } };
    reached = { n, hash: entry.hash };
  }
  return { head: reached, fault: null };
}
