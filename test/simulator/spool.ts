/**
 * The agent's disk and the spool on it: mirrors `agent/spool.ts`, `agent/segments.ts` and `agent/numbers.ts`.
 *
 * Bytes are counted in records. Records are on disk when `append` returns; of the book of numbers a crash may take the
 * lines that were not synced. Freed records keep their room until they are removed, which syncs the book first.
 */
import { chooseRuns, mergeRun, type Mergeable } from "../../agent/core/coarsen.ts";
import { chooseForNumbering } from "../../agent/core/numbering.ts";
import type { FactRecord, GapRecord, WindowRecord } from "../../protocol/record.ts";
import type { Millis } from "../../protocol/time.ts";
import { TOO_OLD_MS } from "../../protocol/limits.ts";
import type { Dice } from "./dice.ts";
import type { Ledger, Loss } from "./ledger.ts";
import { idOf } from "./ledger.ts";
import type { Rules } from "./rules.ts";

/** A record on disk. */
export interface Stored {
  readonly id: number;
  readonly record: FactRecord;
}

/** What `numbers.log` says. */
interface Book {
  spool: string;
  epoch: number | null;
  next: number;
  persisted: number;
  /** The record id of each number in [persisted, next). */
  held: number[];
  /** Record ids below `persisted` whose bytes are still there. */
  freed: number[];
  /** Record ids that had a number in an epoch that ended. */
  exposed: number[];
}

type Line = { readonly ids: readonly number[] } | { readonly persisted: number };

export interface Disk {
  records: Stored[];
  nextId: number;
  closedUntil: Millis | null;
  book: Book;
  /** Lines of the book that are not synced. */
  lines: Line[];
}

export interface Batch {
  readonly first: number;
  readonly items: readonly FactRecord[];
}

/** What the world around a spool provides. */
export interface SpoolWorld {
  readonly rules: Rules;
  readonly ledger: Ledger;
  /** A new spool's identity. */
  readonly newSpool: () => string;
  /** Records that a disk may hold. */
  readonly recordsMax: number;
}

/** Events may exceed the bound by this share before the oldest go, too. */
const EVENTS_EXCESS = 1.25;
/** Windows that go at once when the spool is full: what a segment holds. */
const DROPPED_AT_ONCE = 3;
/** Windows that merge at once. */
const COARSENED_AT_ONCE = 5;

export function newDisk(spool: string): Disk {
  const book = { spool, epoch: null, next: 1, persisted: 1, held: [], freed: [], exposed: [] };
  return { records: [], nextId: 1, closedUntil: null, book, lines: [] };
}

export function copyDisk(disk: Disk): Disk {
  return { ...disk, records: [...disk.records], book: copyBook(disk.book), lines: [...disk.lines] };
}

/** The power goes: of what was not synced a part is on disk, from the first on. */
export function crashDisk(disk: Disk, dice: Dice): void {
  const kept = disk.lines.slice(0, dice.below(disk.lines.length + 1));
  for (const line of kept) apply(disk.book, line);
  disk.lines = [];
}

export class Spool {
  readonly #world: SpoolWorld;
  readonly disk: Disk;
  readonly #book: Book;

  constructor(world: SpoolWorld, disk: Disk) {
    this.#world = world;
    this.disk = disk;
    this.#book = copyBook(disk.book);
    for (const line of disk.lines) apply(this.#book, line);
    if (!world.rules.nextApart && this.#book.held.length === 0) this.#book.next = this.#book.persisted = 1;
    this.#rewrite();
  }

  get id(): string {
    return this.#book.spool;
  }
  get epoch(): number | null {
    return this.#book.epoch;
  }
  get base(): number {
    return this.#book.persisted;
  }
  get next(): number {
    return this.#book.next;
  }
  get closedUntil(): Millis | null {
    return this.disk.closedUntil;
  }
  get waiting(): number {
    return this.#waiting().length;
  }
  /** Records that Postgres is not known to hold. */
  get unfreed(): readonly Stored[] {
    return this.disk.records.filter(({ id }) => !this.#book.freed.includes(id));
  }

  append(records: readonly FactRecord[], now: Millis | null, closedUntil: Millis | null): void {
    const taken = this.#isStuck() ? this.#declareRefusal(records) : records;
    for (const record of taken) this.disk.records.push({ id: this.disk.nextId++, record });
    this.disk.closedUntil = closedUntil ?? this.disk.closedUntil;
    for (const record of records) this.#world.ledger.close(record);
    this.#shrink(now);
  }

  batch(from: number, recordsMax: number): Batch {
    const first = Math.min(Math.max(from, this.base), this.next);
    const items: FactRecord[] = [];
    for (let seq = first; seq < this.next && items.length < recordsMax; seq++) items.push(this.#recordOf(seq));
    const windows = this.#waitingWindows();
    const events = this.#waiting().filter(({ record }) => record.kind !== "window");
    const room = recordsMax - items.length;
    const closedUntil = this.closedUntil ?? windows.at(-1)?.record.at ?? 0;
    const chosen = chooseForNumbering(events.map(asWaiting), windows.map(asWaiting), closedUntil, room, room);
    if (chosen.length === 0) return { first, items };
    this.#write({ ids: chosen.map(({ id }) => id) }, this.#world.rules.syncBeforeSend);
    for (const { id } of chosen) items.push(this.#byId(id).record);
    return { first, items };
  }

  /** Frees everything below `persisted`; what was freed. */
  acknowledge(persisted: number): readonly Stored[] {
    if (persisted <= this.base) return [];
    const until = Math.min(persisted, this.next);
    const freed = this.#book.held.slice(0, until - this.base).map((id) => this.#byId(id));
    this.#write({ persisted: until }, false);
    return freed;
  }

  /** Removes the bytes of what is freed. */
  removeFreed(): void {
    this.sync();
    const { freed, exposed } = this.#book;
    this.disk.records = this.disk.records.filter(({ id }) => !freed.includes(id));
    this.#book.exposed = exposed.filter((id) => !freed.includes(id));
    this.#book.freed = [];
    this.#rewrite();
  }

  setAside(seq: number): void {
    const id = this.#book.held[seq - this.base] ?? -1;
    this.#replace(id, this.#gapOver([this.#byId(id).record], "refused", `refused ${seq}`));
  }

  /** A record that the disk no longer gives back. */
  damage(id: number): void {
    this.#replace(id, this.#gapOver([this.#byId(id).record], "damaged", `damaged ${id}`));
  }

  adopt(epoch: number, nextMin: number): void {
    if (epoch !== this.epoch) this.#begin(epoch, false, nextMin);
  }

  renew(): void {
    this.#begin(null, true, 1);
  }

  sync(): void {
    for (const line of this.disk.lines) apply(this.disk.book, line);
    this.disk.lines = [];
  }

  #begin(epoch: number | null, renew: boolean, nextMin: number): void {
    const book = this.#book;
    book.exposed = [...book.exposed, ...book.held];
    book.held = [];
    book.next = Math.max(book.next, nextMin);
    book.persisted = book.next;
    book.epoch = epoch;
    if (renew) book.spool = this.#world.newSpool();
    this.#rewrite();
  }

  #write(line: Line, durable: boolean): void {
    apply(this.#book, line);
    this.disk.lines.push(line);
    if (durable) this.sync();
  }

  #rewrite(): void {
    this.disk.lines = [];
    this.disk.book = copyBook(this.#book);
  }

  #byId(id: number): Stored {
    const stored = this.disk.records.find((record) => record.id === id);
    if (stored === undefined) throw new Error(`record ${id} is not on disk`);
    return stored;
  }

  #recordOf(seq: number): FactRecord {
    return this.#byId(this.#book.held[seq - this.base] ?? -1).record;
  }

  /** What waits for a number, by age of the record. */
  #waiting(): readonly Stored[] {
    const { held, freed } = this.#book;
    return this.disk.records.filter(({ id }) => !held.includes(id) && !freed.includes(id));
  }

  #waitingWindows(): readonly Stored[] {
    return this.#waiting()
      .filter(({ record }) => record.kind === "window")
      .toSorted((a, b) => a.record.at - b.record.at || a.id - b.id);
  }

  #replace(id: number, record: FactRecord): void {
    this.disk.records = this.disk.records.map((stored) => (stored.id === id ? { id, record } : stored));
  }

  get #isFull(): boolean {
    return this.disk.records.length > this.#world.recordsMax;
  }

  #isStuck(): boolean {
    return this.#isFull && this.#book.freed.length === 0 && this.#waitingWindows().length === 0;
  }

  #shrink(now: Millis | null): void {
    if (this.#isFull && this.#book.freed.length > 0) this.removeFreed();
    if (this.#isFull) this.#coarsen();
    const tooOld = now === null ? Number.NEGATIVE_INFINITY : now - TOO_OLD_MS;
    for (;;) {
      const windows = this.#waitingWindows();
      const old = windows.filter(({ record }) => record.at < tooOld);
      const isFull = this.#isFull;
      const dropped = isFull && windows.length > 0 ? windows.slice(0, DROPPED_AT_ONCE) : old;
      const events = this.#waiting().filter(({ record }) => record.kind !== "window" && record.kind !== "gap");
      const eventsToo = this.disk.records.length > this.#world.recordsMax * EVENTS_EXCESS && windows.length === 0;
      if (dropped.length > 0) this.#drop(dropped, isFull ? "spool_full" : "refused");
      else if (eventsToo && events.length > 1) this.#drop(events.slice(0, 2), "spool_full");
      else return;
      if (isFull && dropped.length < 2) return;
    }
  }

  #drop(dropped: readonly Stored[], reason: Loss): void {
    const ids = dropped.map(({ id }) => id);
    const what = `dropped ${Math.min(...ids)}-${Math.max(...ids)}`;
    const gap = this.#gapOver(
      dropped.map(({ record }) => record),
      reason,
      what,
    );
    this.disk.records = this.disk.records.filter(({ id }) => !ids.includes(id));
    this.disk.records.push({ id: this.disk.nextId++, record: gap });
  }

  #gapOver(records: readonly FactRecord[], reason: Loss, what: string): GapRecord {
    const at = Math.min(...records.map((record) => record.at));
    const until = Math.max(at, ...records.map(endOf));
    const count = records.length;
    const gap: GapRecord = { kind: "gap", id: idOf(`${this.id} ${what}`), at, until, reason, count };
    this.#world.ledger.standsFor(gap, records);
    return gap;
  }

  #declareRefusal(records: readonly FactRecord[]): readonly FactRecord[] {
    const windows = records.filter((record) => record.kind === "window");
    if (windows.length === 0) return records;
    const at = Math.min(...windows.map((window) => window.at));
    const gap = this.#gapOver(windows, "spool_full", `no room ${at} ${windows.length}`);
    return [...records.filter((record) => record.kind !== "window"), gap];
  }

  /** Merges runs of waiting windows until there is room or nothing merges. */
  #coarsen(): void {
    const { rules, ledger } = this.#world;
    while (this.#isFull) {
      const { exposed, held } = this.#book;
      const pool = rules.numberedMerge === "never" ? this.#waitingWindows() : this.#unfreedWindows();
      const windows = pool.filter(({ id }) => !rules.exposedStays || !exposed.includes(id));
      const runs = chooseRuns(windows.flatMap(asMergeable), this.closedUntil ?? 0, COARSENED_AT_ONCE);
      if (runs.length === 0) return;
      for (const run of runs) {
        const ids = run.map(({ id }) => id);
        const records = ids.map((id) => this.#byId(id).record).filter((record) => record.kind === "window");
        const merged = mergeRun(records);
        ledger.standsFor(merged, records);
        this.#mergeOnDisk(
          ids,
          ids.filter((id) => held.includes(id)),
          merged,
        );
      }
    }
  }

  #unfreedWindows(): readonly Stored[] {
    return this.unfreed
      .filter(({ record }) => record.kind === "window")
      .toSorted((a, b) => a.record.at - b.record.at || a.id - b.id);
  }

  /** With every rule in force nothing is numbered here. Else the merged window stands under each of the old numbers, or under none. */
  #mergeOnDisk(ids: readonly number[], numbered: readonly number[], merged: WindowRecord): void {
    this.disk.records = this.disk.records.filter(({ id }) => !ids.includes(id) || numbered.includes(id));
    if (numbered.length === 0 || this.#world.rules.numberedMerge === "new number") {
      this.disk.records.push({ id: this.disk.nextId++, record: merged });
      const { at } = merged;
      for (const id of numbered)
        this.#replace(id, { kind: "gap", id: idOf(`merged ${id}`), at, until: at, reason: "refused", count: 1 });
    } else for (const id of numbered) this.#replace(id, merged);
  }
}

function copyBook(book: Book): Book {
  return { ...book, held: [...book.held], freed: [...book.freed], exposed: [...book.exposed] };
}

function apply(book: Book, line: Line): void {
  if ("ids" in line) {
    book.held.push(...line.ids);
    book.next += line.ids.length;
  } else if (line.persisted > book.persisted) {
    book.freed.push(...book.held.splice(0, line.persisted - book.persisted));
    book.persisted = line.persisted;
  }
}

function asWaiting({ id, record }: Stored): { readonly id: number; readonly at: Millis; readonly bytes: number } {
  return { id, at: record.at, bytes: 1 };
}

function endOf(record: FactRecord): Millis {
  return record.kind === "window" ? record.at + record.spanMs : record.kind === "gap" ? record.until : record.at;
}

function asMergeable({ id, record }: Stored): readonly Mergeable[] {
  if (record.kind !== "window") return [];
  const { service, at, spanMs } = record;
  return [{ id, service, at, spanMs, bounds: null }];
}
