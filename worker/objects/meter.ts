/** What an object has cost since it woke: what Cloudflare bills, counted where it happens. */
import type { Millis } from "../../protocol/time.ts";

export interface Costs {
  /** When the object woke. */
  readonly since: Millis;
  /** Calls by method; runs of the alarm are calls of `alarm`. */
  readonly calls: Readonly<Record<string, number>>;
  /** `setAlarm` is billed as a row too, and is not in here. */
  readonly rowsWritten: number;
  readonly rowsRead: number;
  readonly alarmsSet: number;
  /** Statements sent to Postgres, failed ones included. */
  readonly statements: number;
  /** Characters of the records in them, as JSON. */
  readonly statementBytes: number;
}

/** An object's SQLite, with its rows counted. */
export class Meter {
  readonly #sql: SqlStorage;
  readonly #since: Millis;
  readonly #calls = new Map<string, number>();
  #rowsWritten = 0;
  #rowsRead = 0;
  #alarmsSet = 0;
  #statements = 0;
  #statementBytes = 0;

  constructor(sql: SqlStorage, since: Millis) {
    this.#sql = sql;
    this.#since = since;
  }

  /** Runs a statement to its end, and answers its rows. */
  exec<Row extends Record<string, SqlStorageValue>>(query: string, ...bindings: readonly SqlStorageValue[]): Row[] {
    const cursor = this.#sql.exec<Row>(query, ...bindings);
    const rows = cursor.toArray();
    this.#rowsWritten += cursor.rowsWritten;
    this.#rowsRead += cursor.rowsRead;
    return rows;
  }

  called(method: string): void {
    this.#calls.set(method, (this.#calls.get(method) ?? 0) + 1);
  }

  alarmSet(): void {
    this.#alarmsSet++;
  }

  statementSent(bytes: number): void {
    this.#statements++;
    this.#statementBytes += bytes;
  }

  get costs(): Costs {
    return {
      since: this.#since,
      calls: Object.fromEntries(this.#calls),
      rowsWritten: this.#rowsWritten,
      rowsRead: this.#rowsRead,
      alarmsSet: this.#alarmsSet,
      statements: this.#statements,
      statementBytes: this.#statementBytes,
    };
  }
}
