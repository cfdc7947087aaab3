/**
 * Uptime's past: freezes days when they are over, writes down corrections, and tells what a component's days were. One
 * at a time, because each entry of the chain covers the one before it.
 */
import type { ChainEntry, ChainHead, Correction } from "../../protocol/chain.ts";
import { entryText } from "../../protocol/chain.ts";
import type { DayTally } from "../../protocol/page.ts";
import type { Result } from "../../protocol/result.ts";
import { success } from "../../protocol/result.ts";
import type { Millis } from "../../protocol/time.ts";
import type { Component } from "../core/component.ts";
import type { AmendRefusal, DayFacts, Draft } from "../core/freeze.ts";
import { amendments, daysToFreeze, linked } from "../core/freeze.ts";
import { dayTallies, HISTORY_MS, recentDays } from "../core/history.ts";
import type { SloState } from "../core/slo.ts";
import { SLO_DAYS, sloState } from "../core/slo.ts";
import { openDatabase } from "../store/database.ts";
import { chainRow, newestOfChain } from "../store/uptime.ts";
import type { BoardBooks } from "./board-books.ts";
import type { BoardMemory } from "./board-memory.ts";
import { sha256Hex } from "./crypto.ts";
import type { Env } from "./env.ts";
import type { UptimeMemory } from "./uptime-memory.ts";

/** What is known of a component's uptime without Postgres. */
export interface UptimeView {
  readonly component: Component;
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

  get head(): ChainHead {
    return this.#uptime.frozen.head;
  }

  /** Freezes every day that is over. Never throws: what fails is logged, and due again in a minute. */
  async freeze(now: Millis): Promise<void> {
    try {
      await this.#inTurn(() => this.#freeze(now));
    } catch (error) {
      console.warn(JSON.stringify({ event: "freeze_failed", error: String(error) }));
    }
  }

  /** Writes down that a stretch of frozen days was not what it was taken for. */
  async amend(correction: Correction): Promise<Result<readonly ChainEntry[], AmendRefusal>> {
    return this.#inTurn(async () => {
      const now = Date.now();
      this.#books.settle(now);
      const drafts = amendments(correction, this.#facts(), this.#uptime.entries, now);
      if (!drafts.ok) return drafts;
      const entries = await this.#append(drafts.value, now);
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
    const { slo } = component;
    return {
      component,
      timeZone,
      days,
      frozenDay: frozen.days.at(-1)?.day ?? null,
      head: frozen.head,
      amendments: this.#uptime.entries.filter(({ correction }) => correction?.component === id),
      slo: slo === undefined ? null : sloState(slo, recentDays(days, SLO_DAYS, now, timeZone), changes, now),
    };
  }

  async #freeze(now: Millis): Promise<void> {
    const phase = this.#memory.get("restore", "restore")?.phase;
    // A day is frozen once: not by a page that has not got its memory back.
    if (phase === "documents" || phase === "changes" || daysToFreeze(this.#facts(), now).length === 0) return;
    if (this.#uptime.entries.length === 0) await this.#takeBack();
    const drafts = daysToFreeze(this.#facts(), now);
    if (drafts.length > 0) await this.#append(drafts, now);
    this.#uptime.prune(now - HISTORY_MS);
  }

  /** An earlier life of this page may have frozen days: the chain goes on where the archive's ends. */
  async #takeBack(): Promise<void> {
    const database = openDatabase({ url: this.#env.DATABASE_URL, fetchEndpoint: this.#env.NEON_FETCH_ENDPOINT });
    const found = await newestOfChain(database);
    if (!found.ok) throw new Error(`Postgres: ${found.code}: ${found.message}`);
    this.#uptime.add(found.value);
  }

  async #append(drafts: readonly Draft[], now: Millis): Promise<readonly ChainEntry[]> {
    const entries: ChainEntry[] = [];
    let { head } = this.#uptime.frozen;
    for (const draft of drafts) {
      const entry = linked(draft, head);
      const hash = await sha256Hex(entryText(entry));
      entries.push({ ...entry, hash });
      head = { ...head, n: entry.n, hash };
    }
    this.#books.change(now, null, () => {
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
