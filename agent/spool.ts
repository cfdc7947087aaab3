/**
 * The agent's spool: facts wait here, on disk, from the moment they are closed until Postgres has them.
 *
 * It keeps four promises over a kill at any byte: what `append` returned from is not lost; a number is given once; a
 * record leaves only after the disk has its number; and it is freed only at `persisted`.
 */
import { fsyncSync } from "node:fs";
import { join } from "node:path";
import { RECORDS_MAX } from "../protocol/limits.ts";
import type { FactRecord, WindowRecord } from "../protocol/record.ts";
import type { Millis } from "../protocol/time.ts";
import { chooseForNumbering } from "./core/numbering.ts";
import { boundOf, diskFault, isDiskFull, messageOf, Reserve, type Fsync } from "./disk.ts";
import { gapInPlace, gapOf, isWindow, type Loss } from "./gaps.ts";
import { ranges } from "./core/ranges.ts";
import { Numbers } from "./numbers.ts";
import { Room } from "./room.ts";
import { Segments, type Entry } from "./segments.ts";
import { Waiting } from "./waiting.ts";

/** The spool's size on disk, bytes: `reference/delivery.md` 2. */
const SPOOL_BYTES_MAX = 64 * 1_048_576;
/**
 * Records that the spool holds. Each takes 160 bytes of memory, 230 if it had numbers in two epochs: 65 MB in all, which
 * fit into what the image gives the heap. Below 80 % of them nothing becomes coarser, which is 3 days of 50 services.
 */
const SPOOL_RECORDS_MAX = 280_000;

export interface SpoolOptions {
  readonly dataDir: string;
  readonly bytesMax?: number;
  readonly recordsMax?: number;
  readonly fsync?: Fsync;
  /** Called when the disk fails. It must end the process: after a failed fsync nobody knows what the disk holds. */
  readonly fail: (message: string) => never;
}

export interface Batch {
  /** The number of the first item; the next number if there are none. */
  readonly first: number;
  readonly items: readonly FactRecord[];
}

interface HeldWindow {
  readonly id: number;
  readonly at: Millis;
  readonly spanMs: number;
}

export class Spool {
  readonly #segments: Segments;
  readonly #numbers: Numbers;
  readonly #waiting = new Waiting();
  readonly #room: Room;
  readonly #reserve: Reserve;
  readonly #folder: string;
  readonly #fail: (message: string) => never;
  /** Whether what is written now may have the reserve: windows may not, they can wait. */
  #isUrgent = true;
  /** Records that were found damaged when the spool was opened; each is declared in a gap record. */
  readonly damagedAtStart: number;

  #isAnswered = false;

  constructor(options: SpoolOptions) {
    this.#fail = options.fail;
    const fsync = options.fsync ?? fsyncSync;
    this.#folder = join(options.dataDir, "spool");
    this.#reserve = new Reserve(this.#folder, fsync);
    const disk = { fsync, makeRoom: () => this.#isUrgent && this.#reserve.release() };
    const opened = this.#guarded(() => {
      const segments = new Segments(this.#folder, disk);
      return { segments, numbers: new Numbers(join(this.#folder, "numbers.log"), disk) };
    });
    this.#segments = opened.segments;
    this.#numbers = opened.numbers;
    const bounds = {
      bytes: options.bytesMax ?? boundOf(this.#folder, SPOOL_BYTES_MAX),
      records: options.recordsMax ?? SPOOL_RECORDS_MAX,
    };
    this.#room = new Room(this.#segments, this.#numbers, this.#waiting, bounds);
    for (const id of this.#numbers.held.values()) this.#segments.nextId = Math.max(this.#segments.nextId, id + 1);
    this.damagedAtStart = this.#guarded(() => {
      if (!this.#numbers.knowsExposed) this.#numbers.expose(this.#segments.entries.keys());
      this.#reserve.keep();
      return this.#declareDamage();
    });
    this.#queueWaiting();
  }

  get id(): string {
    return this.#numbers.spool;
  }
  get epoch(): number | null {
    return this.#numbers.epoch;
  }
  /**
   * Whether the edge has to be asked before a number is given: it has not answered this process yet. The disk may be a
   * copy of a while ago, and a number given again looks like a replay: what it stands for would be lost.
   */
  get mustAsk(): boolean {
    return this.epoch === null || !this.#isAnswered;
  }
  /** The lowest number that is held; the next number if none is. */
  get base(): number {
    return this.#numbers.persisted;
  }
  get next(): number {
    return this.#numbers.next;
  }
  /** Until when windows are closed; null if none ever was. */
  get closedUntil(): Millis | null {
    return this.#segments.closedUntil;
  }
  /** How many records wait for their number. */
  get waiting(): number {
    return this.#waiting.size;
  }
  /** How many records are held. */
  get records(): number {
    return this.waiting + this.next - this.base;
  }
  /** What they take on the disk. */
  get bytes(): number {
    return this.#segments.bytes;
  }
  /** Why the spool took a new identity when it was opened; null if it did not. */
  get renewedBecause(): string | null {
    return this.#numbers.renewedBecause;
  }

  /**
   * Adds records, and with them the moment until which windows are closed: all or nothing, durable on return. `now` is
   * null while the clock is not confirmed: then nothing is dropped for its age. False on a full disk: nothing was taken,
   * and the windows have to be closed again later. Events are taken as long as the
   * reserve lasts, and end the process then.
   */
  append(records: readonly FactRecord[], now: Millis | null, closedUntil: Millis | null = null): boolean {
    return this.#guarded(() => {
      const canWait = records.every(({ kind }) => kind === "window");
      if (canWait && !this.#reserve.keep()) return false;
      const { fresh, stale } = this.#settle(records);
      const taken = this.#room.admit(fresh).map((each) => ({ ...each, again: this.#isClosedAgain(each.record) }));
      const write = (): void => this.#segments.commit(taken, closedUntil, ranges(stale));
      if (!canWait) write();
      else if (!this.#unlessFull(canWait, write)) return false;
      this.#waiting.change(
        new Set(stale),
        taken.flatMap(({ id }) => this.#segments.entries.get(id) ?? []),
      );
      // What finds no room to be rewritten is rewritten another time.
      this.#unlessFull(true, () => this.#room.shrink(now));
      return true;
    });
  }

  /** The records from number `from` on, as they leave. Numbers what waits, if there is room; durable on return. */
  batch(from: number, recordsMax: number, bytesMax: number): Batch {
    return this.#guarded(() => {
      const first = Math.min(Math.max(from, this.base), this.next);
      const items: FactRecord[] = [];
      let bytes = 0;
      const room = Math.min(recordsMax, RECORDS_MAX);
      for (let seq = first; seq < this.next && items.length < room; seq++) {
        const entry = this.#entryOf(seq);
        if (items.length > 0 && bytes + entry.bytes > bytesMax) return { first, items };
        bytes += entry.bytes;
        items.push(this.#read(seq));
      }
      const { events, windows } = this.#waiting;
      const closedUntil = this.closedUntil ?? windows.at(-1)?.at ?? 0;
      const left = bytesMax - bytes;
      const chosen = chooseForNumbering(events, windows, closedUntil, room - items.length, left);
      if (chosen.length === 0 || (items.length > 0 && (chosen[0]?.bytes ?? 0) > left)) return { first, items };
      const firstNew = this.next;
      if (!this.#unlessFull(false, () => this.#numbers.assign(chosen.map(({ id }) => id)))) return { first, items };
      this.#waiting.change(new Set(chosen.map(({ id }) => id)), []);
      chosen.forEach((_, i) => items.push(this.#read(firstNew + i)));
      return { first, items };
    });
  }

  /** Frees everything below `persisted`. On a disk so full that this cannot be written, another time. */
  acknowledge(persisted: number): void {
    if (persisted <= this.base) return;
    this.#guarded(() =>
      this.#unlessFull(false, () => {
        this.#numbers.free(Math.min(persisted, this.next));
        this.#room.removeFreed(this.#reserve.isKept);
      }),
    );
  }

  /** Puts a gap in the place of a numbered record that the edge will not take. */
  setAside(seq: number): void {
    this.#guarded(() => {
      const entry = this.#entryOf(seq);
      this.#segments.commit([{ id: entry.id, record: gapInPlace(this.id, "refused", "refused", entry) }], null, []);
    });
  }

  /** Takes the epoch that the edge gave. In another epoch than before, what is held is numbered anew, from `nextMin` at least. */
  adopt(epoch: number, nextMin: number): void {
    this.#isAnswered = true;
    if (epoch === this.epoch) return;
    this.#guarded(() => {
      // Numbers that this book never gave: the spool was restored from a copy, and anything in it may have left since.
      if (nextMin > this.next) this.#numbers.expose(this.#segments.entries.keys());
      this.#numbers.begin(epoch, false, nextMin);
    });
    this.#queueWaiting();
  }

  /** Becomes a new spool that has to ask for its epoch: when the edge knows numbers that this one never gave. */
  renew(): void {
    this.#guarded(() => {
      this.#numbers.expose(this.#segments.entries.keys());
      this.#numbers.begin(null, true);
    });
    this.#queueWaiting();
  }

  /** The windows that are held, numbered or not. Reads all of the spool. */
  heldWindows(): readonly WindowRecord[] {
    return [...this.#segments.entries.values()]
      .filter(({ id, window }) => window !== null && !this.#numbers.freed.has(id))
      .flatMap((entry) => this.#segments.read(entry) ?? [])
      .filter((record) => record.kind === "window");
  }

  close(): void {
    this.#segments.close();
    this.#numbers.close();
  }

  #guarded<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      return this.#fail(diskFault(error, this.#folder) ?? `the spool cannot use its disk: ${messageOf(error)}`);
    }
  }

  /** Does what changes nothing if the disk is full, and says whether it was done. What `canWait` leaves the reserve alone. */
  #unlessFull(canWait: boolean, work: () => void): boolean {
    this.#isUrgent = !canWait;
    try {
      work();
      return true;
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      return false;
    } finally {
      this.#isUrgent = true;
    }
  }

  #entryOf(seq: number): Entry {
    const entry = this.#segments.entries.get(this.#numbers.held.get(seq) ?? -1);
    if (entry === undefined) throw new Error(`number ${seq} has no record`);
    return entry;
  }

  #read(seq: number): FactRecord {
    const entry = this.#entryOf(seq);
    const record = this.#segments.read(entry);
    if (record !== null) return record;
    const gap = gapInPlace(this.id, "damaged", "damaged", entry);
    // The same each time: on a full disk it is written another time.
    this.#unlessFull(false, () => this.#segments.commit([{ id: entry.id, record: gap }], null, []));
    return gap;
  }

  #queueWaiting(): void {
    const numbered = new Set(this.#numbers.held.values());
    const isWaiting = ({ id }: Entry): boolean => !numbered.has(id) && !this.#numbers.freed.has(id);
    this.#waiting.reset([...this.#segments.entries.values()].filter(isWaiting));
  }

  /** Whether a window may be a minute's second: then it never becomes coarser, because the first may be in Postgres under its key. */
  #isClosedAgain(record: FactRecord): boolean {
    return record.kind === "window" && record.at < this.#segments.closedMax;
  }

  /**
   * Minutes that are closed a second time, because a clock that was wrong had closed them before: a window takes the place
   * of what waits of its time, unless a longer one is held that contains it. Postgres would keep that one, too.
   */
  #settle(records: readonly FactRecord[]): {
    readonly fresh: readonly FactRecord[];
    readonly stale: readonly number[];
  } {
    const second = records.filter(isWindow).filter((record) => this.#isClosedAgain(record));
    if (second.length === 0) return { fresh: records, stale: [] };
    const held = this.#heldByService(second);
    const isHeldLonger = (record: WindowRecord): boolean =>
      held.get(record.service)?.some((other) => other.spanMs > record.spanMs && isWithin(record, other)) === true;
    const covered = new Set<FactRecord>(second.filter(isHeldLonger));
    const waiting = new Set(this.#waiting.windows.map(({ id }) => id));
    const stale = second
      .filter((record) => !covered.has(record))
      .flatMap((record) => (held.get(record.service) ?? []).filter((other) => isWithin(other, record)))
      .flatMap(({ id }) => (waiting.has(id) ? [id] : []));
    return { fresh: records.filter((record) => !covered.has(record)), stale };
  }

  /** The windows that are held of the time of these, by their service. */
  #heldByService(windows: readonly WindowRecord[]): ReadonlyMap<string, readonly HeldWindow[]> {
    const from = Math.min(...windows.map(({ at }) => at));
    const until = Math.max(...windows.map(({ at, spanMs }) => at + spanMs));
    const byService = new Map(windows.map(({ service }) => [service, [] as HeldWindow[]]));
    for (const { id, at, window } of this.#segments.entries.values())
      if (window !== null && at < until && at + window.spanMs > from && !this.#numbers.freed.has(id))
        byService.get(window.service)?.push({ id, at, spanMs: window.spanMs });
    return byService;
  }

  /** Finds the ids that no segment gives back and puts gap records in their place; how many were lost. */
  #declareDamage(): number {
    const { entries, dropped } = this.#segments;
    const seqs = new Map([...this.#numbers.held].map(([seq, id]) => [id, seq]));
    const isLost = (id: number): boolean => !entries.has(id) && !dropped.has(id) && !this.#numbers.freed.has(id);
    const lost = [...seqs.keys()].filter(isLost);
    const { firstId: expectedFrom, nextId, written } = this.#segments;
    const expected = [[expectedFrom ?? 1, nextId - 1] as const, ...written];
    const missing = new Set<number>();
    const forgotten = new Set([...this.#numbers.freed, ...this.#numbers.exposed]);
    for (const [from, to] of expected)
      for (let id = from; id <= to; id++) {
        forgotten.delete(id);
        if (isLost(id) && !seqs.has(id)) missing.add(id);
      }
    for (const id of entries.keys()) forgotten.delete(id);
    // The book still names these if it was not written anew since their segments went.
    this.#numbers.forget(forgotten);
    for (const id of missing) lost.push(id);
    if (lost.length === 0) return 0;
    const known = [...entries.values()].toSorted((a, b) => a.id - b.id);
    const around = (from: number, to: number): Loss => {
      const at = known.findLast((entry) => entry.id < from)?.at ?? known[0]?.at ?? 0;
      return { at, until: known.find((entry) => entry.id > to)?.at ?? at, count: to - from + 1 };
    };
    const firstId = this.#segments.nextId;
    const inPlace = lost
      .filter((id) => seqs.has(id))
      .map((id) => ({ id, what: `damaged ${id}`, loss: around(id, id) }));
    const runs = ranges(lost.filter((id) => !seqs.has(id)));
    const declared = runs.map(([from, to], i) => ({
      id: firstId + i,
      what: `damaged ${from}-${to}`,
      loss: around(from, to),
    }));
    const gaps = [...inPlace, ...declared];
    this.#segments.commit(
      gaps.map(({ id, what, loss }) => ({ id, record: gapOf(this.id, what, "damaged", loss) })),
      null,
      runs,
    );
    return lost.length;
  }
}

function isWithin(inner: Omit<HeldWindow, "id">, outer: Omit<HeldWindow, "id">): boolean {
  return inner.at >= outer.at && inner.at + inner.spanMs <= outer.at + outer.spanMs;
}
