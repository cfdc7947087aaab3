/** The spool on an agent's disk: mirrors `agent/spool.ts`. What fits on a disk is counted in records. */
import { chooseForNumbering } from "../../agent/core/numbering.ts";
import type { FactRecord } from "../../protocol/record.ts";
import type { Millis } from "../../protocol/time.ts";
import { apply, type Book, copyBook, type Disk, type Line, type Stored } from "./disk.ts";
import type { Ledger } from "./ledger.ts";
import { declareLoss, Room } from "./room.ts";
import type { Rules } from "./rules.ts";

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

/** Freed records whose room is worth taking back: what a segment holds. */
const FREED_AT_ONCE = 4;

export class Spool {
  readonly #world: SpoolWorld;
  readonly #disk: Disk;
  readonly #book: Book;
  readonly #room: Room;

  constructor(world: SpoolWorld, disk: Disk) {
    this.#world = world;
    this.#disk = disk;
    this.#book = copyBook(disk.book);
    for (const line of disk.lines) apply(this.#book, line);
    const book = this.#book;
    if (!world.rules.nextApart && book.held.length === 0) book.next = book.persisted = 1;
    if (disk.isBookDamaged) this.#begin(null, true, 1, true);
    disk.isBookDamaged = false;
    this.#room = new Room({ ...world, disk, book, removeFreed: () => this.#removeFreed() });
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
    return this.#disk.closedUntil;
  }
  /** Records that Postgres is not known to hold. */
  get unfreed(): readonly Stored[] {
    return this.#disk.records.filter(({ id }) => !this.#book.freed.includes(id));
  }

  append(records: readonly FactRecord[], now: Millis | null, closedUntil: Millis | null): void {
    const disk = this.#disk;
    for (const record of records) this.#world.ledger.close(record, this.#isClosedAgain(record));
    for (const { id, record } of this.#room.admit(this.#settle(records))) {
      const again = this.#isClosedAgain(record);
      disk.records = disk.records.filter((stored) => stored.id !== id);
      disk.records.push({ id, record, again });
      disk.nextId = Math.max(disk.nextId, id + 1);
    }
    disk.closedUntil = closedUntil ?? disk.closedUntil;
    disk.closedMax = Math.max(disk.closedMax, closedUntil ?? 0);
    this.#room.shrink(now);
  }

  batch(from: number, recordsMax: number): Batch {
    const first = Math.min(Math.max(from, this.base), this.next);
    const items: FactRecord[] = [];
    for (let seq = first; seq < this.next && items.length < recordsMax; seq++) items.push(this.#recordOf(seq));
    const room = recordsMax - items.length;
    if (room === 0) return { first, items };
    const windows = this.#room.waitingWindows();
    const closedUntil = this.closedUntil ?? windows.at(-1)?.record.at ?? 0;
    const events = this.#room.waitingEvents();
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
    if (this.#book.freed.length >= FREED_AT_ONCE) this.#removeFreed();
    return freed;
  }

  /** Puts a gap in the place of a numbered record that the edge will not take. */
  setAside(seq: number): void {
    this.#giveUp(this.#byId(this.#book.held[seq - this.base] ?? -1), "refused");
  }

  /** A record that the disk no longer gives back. */
  damage(id: number): void {
    this.#giveUp(this.#byId(id), "damaged");
  }

  adopt(epoch: number, nextMin: number): void {
    if (epoch !== this.epoch) this.#begin(epoch, false, nextMin, nextMin > this.next);
  }

  renew(): void {
    this.#begin(null, true, 1, true);
  }

  #giveUp({ id, record }: Stored, reason: "refused" | "damaged"): void {
    const gap = declareLoss(this.#world.ledger, this.id, `${reason} ${id}`, reason, [record]);
    this.#disk.records = this.#disk.records.map((stored) => (stored.id === id ? { ...stored, record: gap } : stored));
  }

  /** Takes all numbers back. `exposesAll`: any record may have left in a life that this book does not know. */
  #begin(epoch: number | null, renew: boolean, nextMin: number, exposesAll: boolean): void {
    const book = this.#book;
    const ids = exposesAll ? this.#disk.records.map(({ id }) => id) : book.held;
    book.exposed = [...new Set([...book.exposed, ...ids])];
    book.held = [];
    book.next = Math.max(book.next, nextMin);
    book.persisted = book.next;
    book.epoch = epoch;
    if (renew) book.spool = this.#world.newSpool();
    this.#rewrite();
  }

  /** Removes the bytes of what is freed: the disk must know first that it was, or it would look damaged. */
  #removeFreed(): void {
    const book = this.#book;
    const { freed } = book;
    this.#disk.records = this.#disk.records.filter(({ id }) => !freed.includes(id));
    book.exposed = book.exposed.filter((id) => !freed.includes(id));
    book.freed = [];
    this.#rewrite();
  }

  #write(line: Line, durable: boolean): void {
    apply(this.#book, line);
    this.#disk.lines.push(line);
    if (durable) this.#rewrite();
  }

  #rewrite(): void {
    this.#disk.lines = [];
    this.#disk.book = copyBook(this.#book);
  }

  #byId(id: number): Stored {
    const stored = this.#disk.records.find((record) => record.id === id);
    if (stored === undefined) throw new Error(`record ${id} is not on disk`);
    return stored;
  }

  #recordOf(seq: number): FactRecord {
    return this.#byId(this.#book.held[seq - this.base] ?? -1).record;
  }

  #isClosedAgain(record: FactRecord): boolean {
    return record.kind === "window" && record.at < this.#disk.closedMax;
  }

  /** A minute that is closed a second time takes the place of what waits of it, unless a longer window is held that contains it. */
  #settle(records: readonly FactRecord[]): readonly FactRecord[] {
    return records.filter((record) => {
      if (record.kind !== "window" || !this.#isClosedAgain(record)) return true;
      const isHeld = this.unfreed.some(
        ({ record: held }) =>
          held.kind === "window" &&
          held.service === record.service &&
          held.spanMs > record.spanMs &&
          isWithin(record, held),
      );
      if (isHeld) return false;
      const stale = this.#room
        .waitingWindows()
        .filter((held) => held.record.service === record.service && isWithin(held.record, record))
        .map(({ id }) => id);
      this.#disk.records = this.#disk.records.filter(({ id }) => !stale.includes(id));
      return true;
    });
  }
}

function asWaiting({ id, record }: Stored): { readonly id: number; readonly at: Millis; readonly bytes: number } {
  return { id, at: record.at, bytes: 1 };
}

interface Span {
  readonly at: Millis;
  readonly spanMs: number;
}

function isWithin(a: Span, b: Span): boolean {
  return a.at >= b.at && a.at + a.spanMs <= b.at + b.spanMs;
}
