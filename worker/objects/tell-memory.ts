/** What Clusters told, the latest of each: in memory, and packed into few rows on disk. `core/pack` says when and how. */
import type { Millis } from "../../protocol/time.ts";
import type { Tell } from "../core/component.ts";
import type { Shelf, Shelved } from "../core/pack.ts";
import { shelve, shelveAll, withWritten } from "../core/pack.ts";
import type { Meter } from "./meter.ts";

const encoder = new TextEncoder();

export class TellMemory {
  readonly #sql: Meter;
  readonly #tells = new Map<string, Tell>();
  /** What is not on disk yet, as it will be written. */
  readonly #waiting = new Map<string, string>();
  #shelf: Shelf = { slots: [], waiting: new Map(), writtenAt: 0 };

  constructor(sql: Meter) {
    this.#sql = sql;
    sql.exec(
      "CREATE TABLE IF NOT EXISTS tells (slot INTEGER PRIMARY KEY, at INTEGER NOT NULL, sizes TEXT NOT NULL, body TEXT NOT NULL)",
    );
    this.#load();
  }

  get map(): ReadonlyMap<string, Tell> {
    return this.#tells;
  }

  get(cluster: string): Tell | null {
    return this.#tells.get(cluster) ?? null;
  }

  /** Keeps a tell. What is news is on disk when this returns; the rest may wait for company. */
  put(tell: Tell, isNews: boolean, now: Millis): void {
    const bytes = this.#keep(tell);
    this.#write(shelve(this.#shelf, { tell, bytes, isNews }, this.#tells.values(), now));
  }

  /** Takes over what an earlier version kept as a row each. */
  adopt(tells: readonly Tell[], now: Millis): void {
    const newer = tells.filter((tell) => (this.get(tell.cluster)?.heardAt ?? 0) < tell.heardAt);
    if (newer.length === 0) return;
    const waiting = new Map(newer.map((tell) => [tell.cluster, this.#keep(tell)]));
    this.#write(shelveAll({ ...this.#shelf, waiting }, now));
  }

  /** How many bytes the tell takes on disk. */
  #keep(tell: Tell): number {
    const json = JSON.stringify(tell);
    this.#tells.set(tell.cluster, tell);
    this.#waiting.set(tell.cluster, json);
    return encoder.encode(json).length;
  }

  #write({ shelf, written }: Shelved): void {
    this.#shelf = shelf;
    for (const { slot, live } of written) {
      const told = [...live.keys()].map((one) => this.#waiting.get(one) ?? JSON.stringify(this.#tells.get(one)));
      this.#sql.exec(
        "INSERT OR REPLACE INTO tells (slot, at, sizes, body) VALUES (?, ?, ?, ?)",
        slot,
        shelf.writtenAt,
        JSON.stringify([...live.values()]),
        `[${told.join()}]`,
      );
    }
    if (written.length > 0) this.#waiting.clear();
  }

  #load(): void {
    const rows = this.#sql.exec<{ slot: number; at: number; sizes: string; body: string }>(
      "SELECT slot, at, sizes, body FROM tells ORDER BY at",
    );
    for (const { slot, at, ...row } of rows) {
      // Written by `#write` above, and of two rows that hold a cluster the later one is the newer.
      const tells = JSON.parse(row.body) as readonly Tell[];
      const sizes = JSON.parse(row.sizes) as readonly number[];
      const live = new Map(tells.map(({ cluster }, i) => [cluster, sizes[i] ?? 0]));
      this.#shelf = { ...this.#shelf, slots: withWritten(this.#shelf.slots, [{ slot, live }]), writtenAt: at };
      for (const tell of tells) this.#tells.set(tell.cluster, tell);
    }
  }
}
