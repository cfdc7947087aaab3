/**
 * What a Cluster keeps on disk. Rows are the bill, so a push that carries records costs one row, and a push that
 * carries none costs nothing:
 *
 *   meta    (key, value)                                  rare: identity, epoch, desired state, statuses on change
 *   outbox  (slot, spool, epoch, first, next, persisted)  one row a push with records; the watermarks ride in it
 *
 * A slot is used again once Postgres holds its records, so nothing is deleted and the table does not grow.
 */
import type { Watermarks } from "../core/cluster.ts";
import type { NumberedRecord } from "../core/cluster.ts";
import type { Millis } from "../../protocol/time.ts";

/** Records waiting for Postgres may fill this much before the agent is told to keep them: 429. */
export const OUTBOX_BYTES_MAX = 64 * 1024 * 1024;

/** One statement's worth: Neon takes 10 MB a request, and a push brings 256 KiB at most. */
const BATCH_BYTES_MAX = 4 * 1024 * 1024;

/** A row of the outbox without its records, as it is kept in memory. */
interface Slot {
  readonly slot: number;
  readonly epoch: number;
  readonly first: number;
  readonly next: number;
  readonly at: Millis;
  readonly bytes: number;
  readonly records: number;
  flushed: boolean;
}

export interface Batch {
  readonly slots: readonly Slot[];
  readonly records: readonly {
    readonly epoch: number;
    readonly seq: number;
    readonly record: NumberedRecord["record"];
  }[];
}

export class ClusterMemory {
  readonly #sql: SqlStorage;
  /** Whether the tables are there: they are made with the first write. */
  #exists: boolean;
  #slots: Slot[] = [];
  #marks: Watermarks | null = null;
  #rowsWritten = 0;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    // Reading creates nothing. Anybody can have an object of any name woken, and must not have it stored.
    this.#exists = sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'outbox'").toArray().length > 0;
    if (this.#exists) this.#load();
  }

  get marks(): Watermarks | null {
    return this.#marks;
  }

  /** Rows written since this object woke, as Cloudflare bills them. */
  get rowsWritten(): number {
    return this.#rowsWritten;
  }

  get bytesWaiting(): number {
    return this.#waiting().reduce((sum, slot) => sum + slot.bytes, 0);
  }

  get backlog(): { readonly waiting: number; readonly since: Millis | null } {
    const waiting = this.#waiting();
    return {
      waiting: waiting.reduce((sum, slot) => sum + slot.records, 0),
      since: waiting.length === 0 ? null : Math.min(...waiting.map((slot) => slot.at)),
    };
  }

  read<T>(key: string): T | null {
    if (!this.#exists) return null;
    const row = this.#sql.exec<{ value: string }>("SELECT value FROM meta WHERE key = ?", key).toArray()[0];
    // Written by `write` below, of the same key: each key has one type.
    return row === undefined ? null : (JSON.parse(row.value) as T);
  }

  write(key: string, value: unknown): void {
    this.#create();
    this.#count(this.#sql.exec("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", key, JSON.stringify(value)));
  }

  /** Makes an epoch durable before its number is told to anybody. */
  open(marks: Watermarks): void {
    this.write("marks", marks);
    this.#marks = marks;
    this.#forgetFlushed();
  }

  /** Keeps what a push brought, and the watermarks it moved, in one row. */
  keep(marks: Watermarks, first: number, fresh: readonly NumberedRecord[], now: Millis): void {
    this.#create();
    const body = JSON.stringify(fresh);
    const used = new Set(this.#slots.filter((slot) => !slot.flushed).map((slot) => slot.slot));
    let slot = 1;
    while (used.has(slot)) slot++;
    this.#count(
      this.#sql.exec(
        "INSERT OR REPLACE INTO outbox (slot, spool, epoch, first, next, persisted, at, records, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        slot,
        marks.spool,
        marks.epoch,
        first,
        marks.next,
        marks.persisted,
        now,
        fresh.length,
        body,
      ),
    );
    this.#marks = marks;
    this.#slots = this.#slots.filter((kept) => kept.slot !== slot);
    const entry = { slot, epoch: marks.epoch, first, next: marks.next, at: now, bytes: body.length };
    // A row that only moves the watermarks has nothing for Postgres, yet holds its place until the ones below it left.
    this.#slots.push({ ...entry, records: fresh.length, flushed: false });
    this.#advance();
  }

  /** The oldest records that wait for Postgres, within `recordsMax` and `BATCH_BYTES_MAX`; null if none wait. */
  nextBatch(recordsMax: number): Batch | null {
    const slots: Slot[] = [];
    let [records, bytes] = [0, 0];
    for (const slot of this.#waiting()) {
      records += slot.records;
      bytes += slot.bytes;
      if (slots.length > 0 && (records > recordsMax || bytes > BATCH_BYTES_MAX)) break;
      slots.push(slot);
    }
    if (slots.length === 0) return null;
    return { slots, records: slots.flatMap((slot) => this.#recordsOf(slot)) };
  }

  /** Postgres holds these: their slots are free and `persisted` moves. Not written: replaying a flush is harmless. */
  flushed(batch: Batch): void {
    for (const slot of batch.slots) slot.flushed = true;
    this.#advance();
  }

  /** What is still held of an epoch's records from `first` to below `end`. Costs reads, so it is for the rare replay. */
  held(epoch: number, first: number, end: number): readonly NumberedRecord[] {
    return this.#slots
      .filter((slot) => slot.epoch === epoch && slot.first < end && slot.next > first)
      .flatMap((slot) => this.#bodyOf(slot));
  }

  #recordsOf(slot: Slot): Batch["records"] {
    return this.#bodyOf(slot).map(({ seq, record }) => ({ epoch: slot.epoch, seq, record }));
  }

  #bodyOf(slot: Slot): readonly NumberedRecord[] {
    const row = this.#sql.exec<{ body: string }>("SELECT body FROM outbox WHERE slot = ?", slot.slot).one();
    // Written by `keep` above, after every record was checked.
    return JSON.parse(row.body) as NumberedRecord[];
  }

  #create(): void {
    if (this.#exists) return;
    this.#sql.exec("CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID");
    this.#sql.exec(
      `CREATE TABLE IF NOT EXISTS outbox (slot INTEGER PRIMARY KEY, spool TEXT NOT NULL, epoch INTEGER NOT NULL,
        first INTEGER NOT NULL, next INTEGER NOT NULL, persisted INTEGER NOT NULL, at INTEGER NOT NULL,
        records INTEGER NOT NULL, body TEXT NOT NULL)`,
    );
    this.#exists = true;
  }

  #waiting(): Slot[] {
    return this.#slots.filter((slot) => !slot.flushed).toSorted((a, b) => a.epoch - b.epoch || a.first - b.first);
  }

  /** `persisted` is the first number of this epoch that still waits, or `next` if none does. */
  #advance(): void {
    if (this.#marks === null) return;
    const { epoch, next, persisted } = this.#marks;
    const waiting = this.#waiting().filter((slot) => slot.epoch === epoch && slot.records > 0);
    const reached = waiting[0]?.first ?? next;
    this.#marks = { ...this.#marks, persisted: Math.max(persisted, reached) };
    for (const slot of this.#slots) if (slot.records === 0) slot.flushed = true;
  }

  /** Opening an epoch is rare: only then are freed rows deleted, so that a restart need not send them once more. */
  #forgetFlushed(): void {
    for (const { slot } of this.#slots.filter((kept) => kept.flushed)) {
      this.#count(this.#sql.exec("DELETE FROM outbox WHERE slot = ?", slot));
    }
    this.#slots = this.#slots.filter((slot) => !slot.flushed);
  }

  #load(): void {
    const rows = this.#sql
      .exec<{
        slot: number;
        spool: string;
        epoch: number;
        first: number;
        next: number;
        persisted: number;
        at: number;
        records: number;
        bytes: number;
      }>("SELECT slot, spool, epoch, first, next, persisted, at, records, length(body) AS bytes FROM outbox")
      .toArray();
    const marks = [...rows, this.read<Watermarks>("marks")].filter((mark) => mark !== null);
    const newest = marks.reduce<Watermarks | null>((a, b) => (a === null || newer(b, a) ? b : a), null);
    if (newest === null) return;
    const { spool, epoch, next, persisted } = newest;
    this.#marks = { spool, epoch, next, persisted };
    this.#slots = rows.map((row) => ({ ...row, flushed: row.epoch === epoch && row.next <= persisted }));
    this.#advance();
  }

  #count(cursor: SqlStorageCursor<Record<string, SqlStorageValue>>): void {
    this.#rowsWritten += cursor.rowsWritten;
  }
}

function newer(a: Watermarks, b: Watermarks): boolean {
  return a.epoch > b.epoch || (a.epoch === b.epoch && a.next > b.next);
}
