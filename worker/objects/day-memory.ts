/** The last day's numbers: in memory, and in one row for all of them. */
import type { Days } from "../core/day.ts";
import type { Meter } from "./meter.ts";

const SLOT = 1;

export class DayMemory {
  readonly #sql: Meter;

  constructor(sql: Meter) {
    this.#sql = sql;
    // A table of its own: an earlier version stops at a document of a kind that it does not know.
    sql.exec("CREATE TABLE IF NOT EXISTS day (slot INTEGER PRIMARY KEY, body TEXT NOT NULL)");
  }

  read(): Days {
    const [row] = this.#sql.exec<{ body: string }>("SELECT body FROM day WHERE slot = ?", SLOT);
    // Written by `write` below.
    return row === undefined ? {} : (JSON.parse(row.body) as Days);
  }

  write(days: Days): void {
    this.#sql.exec("INSERT OR REPLACE INTO day (slot, body) VALUES (?, ?)", SLOT, JSON.stringify(days));
  }
}
