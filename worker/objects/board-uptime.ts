/**
 * Uptime's past: freezes days when they are over, writes down corrections, and tells what a component's days were. One
 * at a time, because each entry of the chain covers the one before it.
 */
import type { ChainEntry, ChainHead, Correction } from "../../protocol/chain.ts";
import { entryText, followChain } from "../../protocol/chain.ts";
import type { DayTally } from "../../protocol/page.ts";
import type { Result } from "../../protocol/result.ts";
import { success } from "../../protocol/result.ts";
import type { Millis } from "../../protocol/time.ts";
import type { Component } from "../core/component.ts";
import type { AmendRefusal, DayFacts, Draft } from "../core/freeze.ts";
import { amendments, asCorrected, daysToFreeze, linked } from "../core/freeze.ts";
import { dayTallies, HISTORY_MS, recentDays } from "../core/history.ts";
import type { SloState } from "../core/slo.ts";
import { SLO_DAYS, sloState } from "../core/slo.ts";
import { spansOf } from "../core/uptime.ts";
import type { StoreResult } from "../store/database.ts";
import { openDatabase } from "../store/database.ts";
import { CHAIN_PAGE_ROWS, chainAfter, chainRow, newestOfChain } from "../store/uptime.ts";
import type { BoardBooks } from "./board-books.ts";
import type { BoardMemory } from "./board-memory.ts";
import { sha256Hex } from "./crypto.ts";
import type { Env } from "./env.ts";
import type { UptimeMemory } from "./uptime-memory.ts";

/** What is known of a component's uptime without Postgres. */
export interface UptimeView {
  readonly component: Component;
  /** The Worker of the release before reads it, while a deploy goes out. */
  readonly pageName: string;
  readonly timeZone: string;
  /** The last 90, as far as anything was observed; oldest first. */
  readonly days: readonly DayTally[];
  /** The newest frozen day; null before there is one. */
  readonly frozenDay: string | null;
  readonly head: ChainHead;
  /** The component's own, oldest first. */
  readonly amendments: readonly ChainEntry[];
  readonly slo: SloState | null;
}

/** How far the chain has got here, and how many of its entries have not left for Postgres. */
export interface ChainMark {
  readonly head: ChainHead;
  readonly waiting: number;
}

export class BoardUptime {
  readonly #env: Env;
  readonly #memory: BoardMemory;
  readonly #books: BoardBooks;
  readonly #uptime: UptimeMemory;
  /** What is under way, and what follows waits for. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(
    env: Env,
    held: { readonly memory: BoardMemory; readonly books: BoardBooks; readonly uptime: UptimeMemory },
  ) {
    this.#env = env;
    this.#memory = held.memory;
    this.#books = held.books;
    this.#uptime = held.uptime;
  }

  get mark(): ChainMark {
    return { head: this.#uptime.frozen.head, waiting: this.#memory.waiting("uptime") };
  }

  /** Freezes every day that is over. Never throws: what fails is logged, and due again in a minute. */
  async freeze(now: Millis): Promise<void> {
    await this.#inTurn(() => this.#freeze(now)).catch(warned);
  }

  /** Writes down that a stretch of frozen days was not what it was taken for. */
  async amend(correction: Correction): Promise<Result<readonly ChainEntry[], AmendRefusal>> {
    return this.#inTurn(async () => {
      // An operator waits, and Postgres may be down: that it knows more than this page is rare.
      if (!this.#isRestoring) await this.#takeBack().catch(warned);
      const now = Date.now();
      this.#books.settle(now);
      const drafts = amendments(correction, this.#facts(), this.#uptime.entries, now);
      if (!drafts.ok) return drafts;
      const entries = await this.#append(drafts.value);
      this.#memory.audit("uptime.amend", correction.component, correction.by, now);
      return success(entries);
    });
  }

  /** Null if there is no such component. */
  view(id: string, now: Millis): UptimeView | null {
    const component = this.#memory.get("component", id);
    if (component === null) return null;
    this.#books.settle(now);
    const { frozen, timeZone } = this.#facts();
    const changes = this.#memory.changes.get(id) ?? [];
    const days = dayTallies(id, changes, frozen, now, timeZone);
    const corrections = this.#uptime.entries.filter(({ correction }) => correction?.component === id);
    const spans = asCorrected(spansOf(changes, now), corrections);
    const { slo } = component;
    return {
      component,
      pageName: this.#books.page().name,
      timeZone,
      days,
      frozenDay: frozen.days.at(-1)?.day ?? null,
      head: frozen.head,
      amendments: corrections,
      slo: slo === undefined ? null : sloState(slo, recentDays(days, SLO_DAYS, now, timeZone), spans, now),
    };
  }

  async #freeze(now: Millis): Promise<void> {
    if (this.#isRestoring || daysToFreeze(this.#facts(), now).length === 0) return;
    await this.#takeBack();
    const drafts = daysToFreeze(this.#facts(), now);
    if (drafts.length > 0) await this.#append(drafts);
    this.#uptime.prune(now - HISTORY_MS);
  }

  /** A day is frozen once, and its journal is what corrections go by: not by a page that has not got its memory back. */
  get #isRestoring(): boolean {
    const phase = this.#memory.get("restore", "restore")?.phase;
    return phase === "documents" || phase === "changes";
  }

  /**
   * An earlier life of this page may have frozen days, and so may this one, if its memory was set back since: the chain
   * goes on where the archive's ends, or its next entry would be a second one of the same number. Throws if Postgres
   * does not answer: a day can wait to be frozen.
   */
  async #takeBack(): Promise<void> {
    const database = openDatabase({ url: this.#env.DATABASE_URL, fetchEndpoint: this.#env.NEON_FETCH_ENDPOINT });
    const { head } = this.#uptime.frozen;
    if (head.n === 0) return this.#uptime.add(valueOf(await newestOfChain(database)));
    for (let after: number | null = head.n; after !== null;) {
      const entries: readonly ChainEntry[] = valueOf(await chainAfter(database, after));
      await this.#follow(entries);
      after = entries.length < CHAIN_PAGE_ROWS ? null : (entries.at(-1)?.n ?? null);
    }
  }

  /** Takes in what follows the last entry. What does not follow from it was not written by this page. */
  async #follow(entries: readonly ChainEntry[]): Promise<void> {
    const hashes = new Map<string, string>();
    for (const text of entries.map(entryText)) hashes.set(text, await sha256Hex(text));
    const { fault } = followChain(this.#uptime.frozen.head, entries, (text) => hashes.get(text) ?? "");
    if (fault === null) this.#uptime.add(entries);
    else console.warn(JSON.stringify({ event: "archived_chain_differs", ...fault }));
  }

  async #append(drafts: readonly Draft[]): Promise<readonly ChainEntry[]> {
    const entries: ChainEntry[] = [];
    let { head } = this.#uptime.frozen;
    for (const draft of drafts) {
      const entry = linked(draft, head);
      const hash = await sha256Hex(entryText(entry));
      entries.push({ ...entry, hash });
      head = { ...head, n: entry.n, hash };
    }
    // Not the drafts' moment: more may have been heard since.
    this.#books.change(Date.now(), null, () => {
      this.#uptime.add(entries);
      for (const entry of entries) this.#memory.queue(chainRow(entry));
      this.#books.mark();
    });
    return entries;
  }

  #facts(): DayFacts {
    return {
      frozen: this.#uptime.frozen,
      components: this.#memory.all("component"),
      changes: this.#memory.changes,
      timeZone: this.#books.page().timeZone,
    };
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work, work);
    this.#last = turn.catch(() => null);
    return turn;
  }
}

function warned(error: unknown): void {
  console.warn(JSON.stringify({ event: "freeze_failed", error: String(error) }));
}

function valueOf<T>(result: StoreResult<T>): T {
  if (result.ok) return result.value;
  throw new Error(`Postgres: ${result.code}: ${result.message}`);
}
