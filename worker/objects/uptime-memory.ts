/** The frozen days that a page shows, and their amendments: a row each on disk, and what they say together in memory. */
import type { ChainEntry } from "../../protocol/chain.ts";
import type { Millis } from "../../protocol/time.ts";
import type { FrozenDays } from "../core/freeze.ts";
import { frozenDays } from "../core/freeze.ts";
import type { Meter } from "./meter.ts";

export class UptimeMemory {
  readonly #sql: Meter;
  #entries: readonly ChainEntry[];
  #frozen: FrozenDays;

  constructor(sql: Meter) {
    this.#sql = sql;
    // A table of its own: an earlier version stops at a document of a kind that it does not know.
    sql.exec("CREATE TABLE IF NOT EXISTS uptime (n INTEGER PRIMARY KEY, body TEXT NOT NULL)");
    // Written by `add` below.
    this.#entries = sql
      .exec<{ body: string }>("SELECT body FROM uptime ORDER BY n")
      .map(({ body }) => JSON.parse(body) as ChainEntry);
    this.#frozen = frozenDays(this.#entries);
  }

  /** In the order of their numbers. */
  get entries(): readonly ChainEntry[] {
    return this.#entries;
  }

  get frozen(): FrozenDays {
    return this.#frozen;
  }

  /** Adds what follows the last entry. */
  add(entries: readonly ChainEntry[]): void {
    for (const entry of entries)
      this.#sql.exec("INSERT OR REPLACE INTO uptime (n, body) VALUES (?, ?)", entry.n, JSON.stringify(entry));
    this.#entries = [...this.#entries, ...entries];
    this.#frozen = frozenDays(this.#entries);
  }

  /** Forgets the days that ended before, which the archive keeps; but never the last entry, which the next one follows. */
  prune(before: Millis): void {
    const last = this.#entries.at(-1);
    const kept = this.#entries.filter((entry) => entry.to > before || entry === last);
    if (kept.length === this.#entries.length) return;
    for (const { n } of this.#entries.filter((entry) => !kept.includes(entry)))
      this.#sql.exec("DELETE FROM uptime WHERE n = ?", n);
    this.#entries = kept;
    this.#frozen = frozenDays(kept);
  }
}
