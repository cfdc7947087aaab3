/**
 * What a Cluster keeps on disk. Rows are the bill, so a push that carries records costs one row for windows and one for
 * everything else, and a push that carries none costs nothing:
 *
 *   meta    (key, value)                  rare: identity, epoch, desired state, statuses on change, notes
 *   outbox  (slot, …marks, …row, body)    windows from slot 1 on: a slot is used again once Postgres has its records;
 *                                         events and gaps from `EVENT_SLOTS` on: by position, kept 48 h after that
 *
 * One table for both, so that the release before, should it come back, finds and delivers whatever waits.
 * `core/outbox.ts` decides where a row goes, what waits and what may be overwritten; here is only the SQL. An object
 * wakes with nearly every push, so loading reads the few rows of windows, one event, and those events that wait.
 */
import type { Push } from "../../protocol/push.ts";
import type { NumberedRecord, Watermarks } from "../core/cluster.ts";
import { conflictsOf } from "../core/cluster.ts";
import type { Backlog } from "../core/component.ts";
import type { Bounds, Kept, Laid, Late, Note, Outbox, Pace, Row } from "../core/outbox.ts";
import {
  EMPTY,
  backlogOf,
  isOverfull,
  isReusable,
  knownFlushed,
  lateOf,
  lay,
  layOwn,
  nextBatch,
  ownNumber,
  spareSlots,
  stored,
  wake,
  withEpoch,
  withPositions,
  withoutSlots,
} from "../core/outbox.ts";
import { reflushFrom, withAgain } from "../core/reflush.ts";
import type { Millis } from "../../protocol/time.ts";
import type { Meter } from "./meter.ts";

/** Records waiting for Postgres may fill this much before the agent is told to keep them: 429. */
const OUTBOX_BYTES_MAX = 64 * 1024 * 1024;

export interface Batch {
  readonly rows: readonly Row[];
  readonly records: readonly {
    readonly epoch: number;
    readonly seq: number;
    readonly record: NumberedRecord["record"];
  }[];
}

/** Rows between these positions are being sent again; written down until it is done. */
interface Again {
  readonly from: number;
  readonly to: number;
}

/** The slot of an event is this and its position. */
const EVENT_SLOTS = 1_000_000_000_000;

const COLUMNS = "slot, position, spool, epoch, first, next, persisted, at, records, bytes, flushed, total";
const PLACES = Array.from({ length: COLUMNS.split(",").length + 1 }, () => "?").join(", ");
type StoredRow = Omit<Row, "ring"> & Record<string, SqlStorageValue>;

export class ClusterMemory {
  readonly #storage: DurableObjectStorage;
  readonly #meter: Meter;
  /** Whether the tables are there: they are made with the first write. */
  #exists = false;
  readonly #meta = new Map<string, string>();
  #outbox: Outbox = EMPTY;

  constructor(storage: DurableObjectStorage, meter: Meter) {
    this.#storage = storage;
    this.#meter = meter;
    // Reading creates nothing. Anybody can have an object of any name woken, and must not have it stored.
    const [table] = this.#rows<{ sql: string }>("SELECT sql FROM sqlite_master WHERE name = 'outbox'");
    if (table === undefined) return;
    if (!table.sql.includes("position")) this.#upgrade();
    this.#exists = true;
    for (const { key, value } of this.#rows<{ key: string; value: string }>("SELECT key, value FROM meta")) {
      this.#meta.set(key, value);
    }
  }

  get outbox(): Outbox {
    return this.#outbox;
  }

  get marks(): Watermarks | null {
    return this.#outbox.marks;
  }

  get isFull(): boolean {
    return backlogOf(this.#outbox).bytes > OUTBOX_BYTES_MAX;
  }

  get backlog(): Backlog {
    const { waiting, since } = backlogOf(this.#outbox);
    return { waiting, since };
  }

  read<T>(key: string): T | null {
    const value = this.#meta.get(key);
    // Written by `write` below, of the same key: each key has one type.
    return value === undefined ? null : (JSON.parse(value) as T);
  }

  write(key: string, value: unknown): void {
    this.#create();
    const text = JSON.stringify(value);
    this.#rows("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", key, text);
    this.#meta.set(key, text);
  }

  /** Loads what waits. To be called once, before anything of the outbox is asked for. */
  load(note: Note | null): void {
    if (!this.#exists) return;
    const kept = this.#kept();
    const first = this.#firstRows(kept, note);
    const flushed = knownFlushed(first, kept, note);
    const waiting = this.#outboxRows("slot > ?", EVENT_SLOTS + flushed);
    const rows = first.filter(({ ring, position }) => ring === "windows" || position <= flushed);
    const outbox = wake([...rows, ...waiting], kept, flushed);
    const again = this.read<Again>("again");
    if (again === null) this.#outbox = outbox;
    else {
      const events = this.#outboxRows("slot > ? AND slot <= ?", EVENT_SLOTS + again.from, EVENT_SLOTS + again.to);
      const held = rows.filter(({ ring, position }) => ring === "windows" && position <= again.to);
      this.#outbox = withAgain(outbox, [...held, ...events], again.from);
    }
  }

  /** Makes an epoch durable before its number is told to anybody. */
  open(marks: Watermarks): void {
    this.#keepMarks(marks, this.#outbox);
    this.#outbox = withEpoch(this.#outbox, marks);
  }

  /** Keeps what a push brought, and the watermarks it moved: all of it or nothing. */
  keep(marks: Watermarks, fresh: readonly NumberedRecord[], now: Millis): void {
    const { outbox, laid } = lay(this.#outbox, marks, fresh, now);
    // One row is whole by itself, and mostly it is one: a transaction around it costs as much as it does.
    const isOneRow = this.#exists && laid.length === 1 && laid.every(({ row }) => row.ring === "windows");
    if (isOneRow) this.#write(laid, now);
    else this.#storage.transactionSync(() => this.#write(laid, now));
    this.#outbox = outbox;
  }

  /** Keeps what the edge itself made into records, together with what says that they were made. */
  keepOwn(made: readonly NumberedRecord["record"][], said: Readonly<Record<string, unknown>>, now: Millis): void {
    const first = ownNumber(this.read<number>("ownNumber") ?? 0, now);
    const records = made.map((record, i) => ({ seq: first + i, record }));
    const kept = records.length === 0 ? null : layOwn(this.#outbox, records, now);
    this.#storage.transactionSync(() => {
      if (kept !== null) {
        this.#write(kept.laid, now);
        this.write("ownNumber", first + records.length - 1);
        // Its row may take the place of the one that told the agent's watermarks last.
        if (kept.outbox.marks !== null) this.#keepMarks(kept.outbox.marks, kept.outbox);
      }
      for (const [key, value] of Object.entries(said)) this.write(key, value);
    });
    if (kept !== null) this.#outbox = kept.outbox;
  }

  #write(laid: readonly Laid[], now: Millis): void {
    this.#create();
    for (const { row, body } of laid) {
      const place = row.ring === "events" ? this.#makeRoom(now) : null;
      const values = [...valuesOf(row), body];
      if (place === null) {
        this.#rows(`INSERT OR REPLACE INTO outbox (${COLUMNS}, body) VALUES (${PLACES})`, ...values);
      } else {
        // Changing a row's key is billed as one row, as an insert is.
        this.#rows(`UPDATE outbox SET (${COLUMNS}, body) = (${PLACES}) WHERE slot = ?`, ...values, place);
      }
    }
  }

  /** The oldest records that wait for Postgres, within the bounds; null if none wait. */
  nextBatch(pace: Pace, bounds: Bounds): Batch | null {
    const rows = nextBatch(this.#outbox, pace, bounds);
    if (rows.length === 0) return null;
    const records = rows.flatMap((row) =>
      this.#recordsOf(row).map(({ seq, record }) => ({ epoch: row.epoch, seq, record })),
    );
    return { rows, records };
  }

  /** Postgres holds these: their slots are free and `persisted` moves. Writes only what is rare. */
  flushed({ rows }: Batch, now: Millis): void {
    const outbox = stored(this.#outbox, rows);
    const late = rows.some(({ ring }) => ring === "events") ? lateOf(rows, now) : null;
    const spare = spareSlots(outbox);
    this.#storage.transactionSync(() => {
      if (late !== null) this.write("late", late);
      if (outbox.again.length === 0 && this.#outbox.again.length > 0) this.write("again", null);
      if (spare.length > 0 && outbox.marks !== null) this.#keepMarks(outbox.marks, outbox);
      for (const slot of spare) this.#rows("DELETE FROM outbox WHERE slot = ?", slot);
    });
    this.#outbox = withoutSlots(outbox, spare);
  }

  /** Has everything that may not have been in Postgres at `since` sent again, if it is still held. Counts the records. */
  sendAgain(since: Millis): number {
    if (!this.#exists) return 0;
    const held = this.#outboxRows("slot > 0");
    const from = reflushFrom(held, since);
    const outbox = withAgain(this.#outbox, held, from);
    const [first] = outbox.again;
    if (first !== undefined) this.write("again", { from: first.position - 1, to: outbox.flushed } satisfies Again);
    this.#outbox = outbox;
    return outbox.again.reduce((sum, { records }) => sum + records, 0);
  }

  /** What is still held of an epoch's records from `first` to below `end`. Costs reads, so it is for the rare replay. */
  held(epoch: number, first: number, end: number): readonly NumberedRecord[] {
    return this.#outbox.rows
      .filter((row) => row.epoch === epoch && row.first < end && row.next > first)
      .flatMap((row) => this.#recordsOf(row));
  }

  /** The slot of the oldest event if that may go; null if none may. One more goes if the ring is too large. */
  #makeRoom(now: Millis): number | null {
    const late = this.read<Late>("late");
    const [oldest, second] = this.#outboxRows("slot > ? ORDER BY slot LIMIT 2", EVENT_SLOTS);
    const isFree = (row: Row): boolean => isReusable(row, this.#outbox, late, now);
    if (second !== undefined && isOverfull(second, this.#outbox) && isFree(second)) {
      this.#rows("DELETE FROM outbox WHERE slot = ?", slotOf(second));
    }
    return oldest !== undefined && isFree(oldest) ? slotOf(oldest) : null;
  }

  #recordsOf(held: Row): readonly NumberedRecord[] {
    const slot = slotOf(held);
    const [row] = this.#rows<{ body: string }>("SELECT body FROM outbox WHERE slot = ?", slot);
    if (row === undefined) return [];
    try {
      // Written by `keep` above, after every record was checked.
      return JSON.parse(row.body) as NumberedRecord[];
    } catch (error) {
      // A damaged disk. One row is lost; blocked by it, all others would be too.
      console.error(JSON.stringify({ event: "row_damaged", slot, error: String(error) }));
      return [];
    }
  }

  #outboxRows(where: string, ...values: readonly number[]): readonly Row[] {
    const rows = this.#rows<StoredRow>(`SELECT ${COLUMNS} FROM outbox WHERE ${where}`, ...values);
    return rows.map((row) =>
      row.slot > EVENT_SLOTS ? { ...row, ring: "events", slot: row.slot - EVENT_SLOTS } : { ...row, ring: "windows" },
    );
  }

  /**
   * Every row of windows, the newest one of events, and the newest one up to the note, which proves it or not. Rows of
   * the release before get their positions here, once.
   */
  #firstRows(kept: Kept | null, note: Note | null): readonly Row[] {
    const windows = this.#outboxRows("slot < ?", EVENT_SLOTS);
    const newest = this.#outboxRows("slot > ? ORDER BY slot DESC LIMIT 1", EVENT_SLOTS);
    const noted = EVENT_SLOTS + (note?.flushed ?? 0);
    const upTo = this.#outboxRows("slot > ? AND slot <= ? ORDER BY slot DESC LIMIT 1", EVENT_SLOTS, noted);
    const events = [...upTo, ...newest.filter(({ position }) => position !== upTo[0]?.position)];
    const rows = [...windows, ...events];
    const placed = withPositions(rows, kept);
    const moved = placed.filter(({ position }, i) => position !== rows[i]?.position);
    if (moved.length === 0) return placed;
    this.#storage.transactionSync(() => {
      for (const row of moved) {
        this.#rows("UPDATE outbox SET position = ?, bytes = length(body) WHERE slot = ?", row.position, slotOf(row));
      }
    });
    return [...this.#outboxRows("slot < ?", EVENT_SLOTS), ...events];
  }

  #kept(): Kept | null {
    // `last` and `flushed` are missing where the version before wrote it.
    const kept = this.read<Watermarks & Partial<Kept>>("marks");
    if (kept === null) return null;
    const { spool, epoch, next, persisted, last = 0, flushed = 0 } = kept;
    return { marks: { spool, epoch, next, persisted }, last, flushed };
  }

  #keepMarks(marks: Watermarks, { last, flushed }: Outbox): void {
    this.write("marks", { ...marks, last, flushed });
  }

  #create(): void {
    if (this.#exists) return;
    this.#rows("CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID");
    this.#rows(
      `CREATE TABLE IF NOT EXISTS outbox (slot INTEGER PRIMARY KEY, spool TEXT NOT NULL, epoch INTEGER NOT NULL,
        first INTEGER NOT NULL, next INTEGER NOT NULL, persisted INTEGER NOT NULL, at INTEGER NOT NULL,
        records INTEGER NOT NULL, body TEXT NOT NULL)`,
    );
    this.#upgrade();
    this.#exists = true;
  }

  /** To the tables of this version. The one before goes on working on them: it names its columns. */
  #upgrade(): void {
    this.#storage.transactionSync(() => {
      for (const column of ["position", "bytes", "flushed", "total"]) {
        this.#rows(`ALTER TABLE outbox ADD COLUMN ${column} INTEGER NOT NULL DEFAULT 0`);
      }
    });
  }

  #rows<Found extends Record<string, SqlStorageValue>>(
    statement: string,
    ...values: readonly SqlStorageValue[]
  ): Found[] {
    return this.#meter.exec<Found>(statement, ...values);
  }
}

/** In the order of `COLUMNS`. */
function valuesOf(row: Row): SqlStorageValue[] {
  const { position, spool, epoch, first, next, persisted, at, records, bytes, flushed, total } = row;
  return [slotOf(row), position, spool, epoch, first, next, persisted, at, records, bytes, flushed, total];
}

function slotOf({ ring, slot }: Row): number {
  return ring === "events" ? EVENT_SLOTS + slot : slot;
}

/** The same number with other content: the first wins, and whoever runs this hears of it. */
export function warnOfConflicts(
  cluster: string | undefined,
  memory: Pick<ClusterMemory, "marks" | "held">,
  epoch: number,
  records: Push["records"],
): void {
  const end = Math.min(memory.marks?.next ?? 0, records.first + records.items.length);
  if (records.first >= end) return;
  const conflicts = conflictsOf(memory.held(epoch, records.first, end), records);
  if (conflicts.length === 0) return;
  const seq = conflicts[0];
  console.warn(JSON.stringify({ event: "record_conflict", cluster, epoch, seq, count: conflicts.length }));
}
