/**
 * The audit's chain: numbers and links what was written down, on its way to the archive. Before the first of a life it
 * asks the archive where the chain ends: this object may have lost its memory, or been set back.
 */
import type { AuditEntry, AuditFact, AuditHead } from "../../protocol/audit.ts";
import { AUDIT_GENESIS, auditText, followAudit } from "../../protocol/audit.ts";
import type { AuditRecord } from "../core/audit.ts";
import { AUDIT_PAGE_ROWS, auditAfter, auditKey, auditRecord, newestOfAudit } from "../store/audit.ts";
import type { Database, StoreResult } from "../store/database.ts";
import { openDatabase } from "../store/database.ts";
import type { BoardMemory } from "./board-memory.ts";
import { sha256Hex } from "./crypto.ts";
import type { Env } from "./env.ts";

/** Entries numbered at once. */
const LINK_MAX = 500;
/** What a page shows of those that this object holds. */
const RECENT_MAX = 500;

export interface AuditView {
  /** Where the chain has got to, as this object knows it. */
  readonly head: AuditHead;
  /** What waits for the archive or was sent within two days, newest first. */
  readonly recent: readonly AuditRecord[];
  readonly waiting: number;
  /** Of those that wait how many have their number already: the chain is ahead of the archive by so many. */
  readonly numbered: number;
}

export class BoardAudit {
  readonly #env: Env;
  readonly #memory: BoardMemory;
  /** Whether the archive was asked in this life. */
  #isAsked = false;

  constructor(env: Env, memory: BoardMemory) {
    this.#env = env;
    this.#memory = memory;
  }

  view(): AuditView {
    const rows = this.#memory.recentAudit(RECENT_MAX);
    return {
      head: this.#head,
      recent: rows.map(({ isSent, ...row }) => auditRecord(row, isSent)),
      waiting: this.#memory.waiting("audit"),
      numbered: [...this.#memory.waitingSince("audit").keys()].filter((key) => key.length === auditKey(0).length)
        .length,
    };
  }

  /** Throws if Postgres has to be asked and does not answer: nothing leaves then anyway. */
  async link(): Promise<void> {
    const rows = this.#memory.unlinked(LINK_MAX);
    if (rows.length === 0) return;
    await this.#takeBack();
    let head = this.#head;
    const linked: { readonly from: string; readonly entry: AuditEntry }[] = [];
    for (const { key, body } of rows) {
      // Written by the memory's `audit`.
      const { at, act, subject, by, change } = body as unknown as AuditFact;
      const entry = { n: head.n + 1, previous: head.hash, at, act, subject, by, change };
      const hash = await sha256Hex(auditText(entry));
      linked.push({ from: key, entry: { ...entry, hash } });
      head = { n: entry.n, hash };
    }
    // No await from here on: these writes are one.
    for (const { from, entry } of linked) this.#memory.renameAudit(from, auditKey(entry.n), { ...entry });
    this.#memory.put("audit", "head", head);
  }

  get #head(): AuditHead {
    return this.#memory.get("audit", "head") ?? AUDIT_GENESIS;
  }

  async #takeBack(): Promise<void> {
    if (this.#isAsked) return;
    const database = openDatabase({ url: this.#env.DATABASE_URL, fetchEndpoint: this.#env.NEON_FETCH_ENDPOINT });
    await (this.#head.n === 0 ? this.#adopt(database) : this.#follow(database));
    this.#isAsked = true;
  }

  async #adopt(database: Database): Promise<void> {
    const newest = valueOf(await newestOfAudit(database));
    if (newest !== null) this.#memory.put("audit", "head", { n: newest.n, hash: newest.hash });
  }

  /** Entries of a life that was set back since. The chain goes on after them, or the next would be a second of its number. */
  async #follow(database: Database): Promise<void> {
    for (let isMore = true; isMore;) {
      const { head } = this.view();
      const entries = valueOf(await auditAfter(database, head.n));
      const hashes = new Map<string, string>();
      for (const text of entries.map(auditText)) hashes.set(text, await sha256Hex(text));
      const { fault } = followAudit(head, entries, (text) => hashes.get(text) ?? "");
      if (fault !== null) console.warn(JSON.stringify({ event: "archived_audit_differs", ...fault }));
      const last = entries.at(-1);
      if (last !== undefined) this.#memory.put("audit", "head", { n: last.n, hash: last.hash });
      isMore = entries.length === AUDIT_PAGE_ROWS;
    }
  }
}

function valueOf<T>(result: StoreResult<T>): T {
  if (result.ok) return result.value;
  throw new Error(`Postgres: ${result.code}: ${result.message}`);
}
