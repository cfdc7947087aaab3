/**
 * The agent's spool: facts wait here, on disk, from the moment they are closed until Postgres has them.
 *
 * It keeps four promises over a kill at any byte: what `append` returned from is not lost; a number is given once; a
 * record leaves only after the disk has its number; and it is freed only at `persisted`.
 */
import { createHash } from "node:crypto";
import { fsyncSync } from "node:fs";
import { join } from "node:path";
import { RECORDS_MAX, TOO_OLD_MS } from "../protocol/limits.ts";
import type { FactRecord, GapRecord, WindowRecord } from "../protocol/record.ts";
import type { Millis } from "../protocol/time.ts";
import { chooseForNumbering } from "./core/numbering.ts";
import type { Fsync } from "./frames.ts";
import { Numbers, ranges } from "./numbers.ts";
import { Segments, type Entry } from "./segments.ts";

/** The spool's size on disk, bytes: `reference/delivery.md` 2. */
const SPOOL_BYTES_MAX = 64 * 1_048_576;
/** Events may exceed the bound by this share before the oldest go, too. */
const EVENTS_EXCESS = 1.25;

export interface SpoolOptions {
  readonly dataDir: string;
  readonly bytesMax?: number;
  readonly fsync?: Fsync;
  /** Called when the disk fails. It must end the process: after a failed fsync nobody knows what the disk holds. */
  readonly fail: (message: string) => never;
}

export interface Batch {
  /** The number of the first item; the next number if there are none. */
  readonly first: number;
  readonly items: readonly FactRecord[];
}

export class Spool {
  readonly #segments: Segments;
  readonly #numbers: Numbers;
  readonly #bytesMax: number;
  readonly #fail: (message: string) => never;
  /** What waits for a number, oldest first. */
  #events: Entry[] = [];
  #windows: Entry[] = [];
  /** Records that were found damaged when the spool was opened; each is declared in a gap record. */
  readonly damagedAtStart: number;

  constructor(options: SpoolOptions) {
    this.#bytesMax = options.bytesMax ?? SPOOL_BYTES_MAX;
    this.#fail = options.fail;
    const fsync = options.fsync ?? fsyncSync;
    this.#segments = new Segments(join(options.dataDir, "spool"), fsync);
    this.#numbers = new Numbers(join(options.dataDir, "spool", "numbers.log"), fsync);
    for (const id of this.#numbers.held.values()) this.#segments.nextId = Math.max(this.#segments.nextId, id + 1);
    this.damagedAtStart = this.#guarded(() => this.#declareDamage());
    this.#queueWaiting();
  }

  get id(): string {
    return this.#numbers.spool;
  }
  get epoch(): number | null {
    return this.#numbers.epoch;
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
    return this.#events.length + this.#windows.length;
  }
  /** Why the spool took a new identity when it was opened; null if it did not. */
  get renewedBecause(): string | null {
    return this.#numbers.renewedBecause;
  }

  /**
   * Adds records, and with them the moment until which windows are closed: all or nothing, durable on return. `now` is
   * null while the clock is not confirmed: then nothing is dropped for its age.
   */
  append(records: readonly FactRecord[], now: Millis | null, closedUntil: Millis | null = null): void {
    this.#guarded(() => {
      const taken = this.#isStuck() ? declareRefusal(this.id, records) : records;
      const firstId = this.#segments.nextId;
      const placed = taken.map((record, i) => ({ id: firstId + i, record }));
      this.#segments.commit(placed, closedUntil, []);
      for (const { id } of placed) this.#enqueue(id);
      this.#shrink(now);
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
        items.push(this.#read(seq, entry));
      }
      const closedUntil = this.closedUntil ?? this.#windows.at(-1)?.at ?? 0;
      const left = bytesMax - bytes;
      const chosen = chooseForNumbering(this.#events, this.#windows, closedUntil, room - items.length, left);
      if (chosen.length === 0 || (items.length > 0 && (chosen[0]?.bytes ?? 0) > left)) return { first, items };
      const firstNew = this.next;
      this.#numbers.assign(chosen.map(({ id }) => id));
      this.#dequeue(new Set(chosen.map(({ id }) => id)));
      chosen.forEach((_, i) => items.push(this.#read(firstNew + i, this.#entryOf(firstNew + i))));
      return { first, items };
    });
  }

  /** Frees everything below `persisted`. */
  acknowledge(persisted: number): void {
    if (persisted <= this.base) return;
    this.#guarded(() => {
      this.#numbers.free(Math.min(persisted, this.next));
      this.#removeFreed();
    });
  }

  /** Puts a gap in the place of a numbered record that the edge will not take. */
  setAside(seq: number): void {
    this.#guarded(() => {
      const entry = this.#entryOf(seq);
      this.#replace(entry.id, gapFor(this.id, `refused ${seq}`, "refused", entry.at, entry.at, 1));
    });
  }

  /** Takes the epoch that the edge gave. In another epoch than before, what is held is numbered anew, from `nextMin` at least. */
  adopt(epoch: number, nextMin: number): void {
    if (epoch === this.epoch) return;
    this.#guarded(() => this.#numbers.begin(epoch, false, nextMin));
    this.#queueWaiting();
  }

  /** Becomes a new spool that has to ask for its epoch: when the edge knows numbers that this one never gave. */
  renew(): void {
    this.#guarded(() => this.#numbers.begin(null, true));
    this.#queueWaiting();
  }

  /** The windows that are held, numbered or not. Reads all of the spool. */
  heldWindows(): readonly WindowRecord[] {
    return [...this.#segments.entries.values()]
      .filter(({ id, isWindow }) => isWindow && !this.#numbers.freed.has(id))
      .flatMap((entry) => this.#segments.read(entry) ?? [])
      .filter((record) => record.kind === "window");
  }

  /** Asks for the epoch again under the same identity. */
  reopen(): void {
    this.#guarded(() => this.#numbers.begin(null, false));
    this.#queueWaiting();
  }

  close(): void {
    this.#segments.close();
    this.#numbers.close();
  }

  #guarded<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      return this.#fail(`the spool cannot use its disk: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  #entryOf(seq: number): Entry {
    const entry = this.#segments.entries.get(this.#numbers.held.get(seq) ?? -1);
    if (entry === undefined) throw new Error(`number ${seq} has no record`);
    return entry;
  }

  #read(seq: number, entry: Entry): FactRecord {
    const record = this.#segments.read(entry);
    if (record !== null) return record;
    const gap = gapFor(this.id, `damaged ${entry.id}`, "damaged", entry.at, entry.at, 1);
    this.#replace(entry.id, gap);
    return this.#segments.read(this.#entryOf(seq)) ?? gap;
  }

  #replace(id: number, record: GapRecord): void {
    this.#segments.commit([{ id, record }], null, []);
  }

  #queueWaiting(): void {
    const numbered = new Set(this.#numbers.held.values());
    const waiting = [...this.#segments.entries.values()].filter(
      ({ id }) => !numbered.has(id) && !this.#numbers.freed.has(id),
    );
    waiting.sort((a, b) => a.at - b.at || a.id - b.id);
    this.#windows = waiting.filter((entry) => entry.isWindow);
    this.#events = waiting.filter((entry) => !entry.isWindow).sort((a, b) => a.id - b.id);
  }

  #enqueue(id: number): void {
    const entry = this.#segments.entries.get(id);
    if (entry === undefined) return;
    const queue = entry.isWindow ? this.#windows : this.#events;
    const ordered = (queue.at(-1)?.at ?? 0) <= entry.at || !entry.isWindow;
    queue.push(entry);
    if (!ordered) queue.sort((a, b) => a.at - b.at || a.id - b.id);
  }

  #dequeue(ids: ReadonlySet<number>): void {
    this.#events = this.#events.filter(({ id }) => !ids.has(id));
    this.#windows = this.#windows.filter(({ id }) => !ids.has(id));
  }

  #removeFreed(): void {
    while (this.#segments.list.length > 1) {
      const oldest = this.#segments.list[0];
      if (oldest === undefined || this.#survivors(oldest.number, oldest.ids).length > 0) return;
      // Before the bytes go the disk must know that they were freed, or the next start would take them for damaged.
      this.#numbers.sync();
      this.#numbers.forget(this.#segments.removeOldest());
    }
  }

  #survivors(segment: number, ids: readonly number[]): Entry[] {
    return ids.flatMap((id) => {
      const entry = this.#segments.entries.get(id);
      return entry?.segment === segment && !this.#numbers.freed.has(id) ? [entry] : [];
    });
  }

  /** Full, and nothing in it may be dropped: every record has its number already. */
  #isStuck(): boolean {
    return this.#segments.bytes > this.#bytesMax && this.#windows.length === 0 && this.#numbers.freed.size === 0;
  }

  /** Brings the spool back into its bounds: the oldest windows without a number go first, counted in a gap record. */
  #shrink(now: Millis | null): void {
    for (let rounds = this.#segments.list.length + 1; rounds > 0; rounds--) {
      const isFull = this.#segments.bytes > this.#bytesMax;
      const tooOld = now === null ? Number.NEGATIVE_INFINITY : now - TOO_OLD_MS;
      const hasOld = (this.#windows[0]?.at ?? Number.POSITIVE_INFINITY) < tooOld;
      if ((!isFull || this.#isStuck()) && !hasOld) return;
      const eventsToo = this.#segments.bytes > this.#bytesMax * EVENTS_EXCESS && this.#windows.length === 0;
      const waiting = new Set([...this.#windows, ...(eventsToo ? this.#events : [])].map(({ id }) => id));
      // Too old: the edge would refuse them, room or not.
      const reason = isFull ? "spool_full" : "refused";
      this.#compactOldest((entry) => waiting.has(entry.id) && (isFull || entry.at < tooOld), reason);
    }
  }

  /** Moves what is still needed out of the oldest segment, declares what `isDropped`, and removes the segment: one transaction before, none after. */
  #compactOldest(isDropped: (entry: Entry) => boolean, reason: GapRecord["reason"]): void {
    if (this.#segments.list.length === 1) this.#segments.rotate();
    const oldest = this.#segments.list[0];
    if (oldest === undefined) return;
    const survivors = this.#survivors(oldest.number, oldest.ids);
    const dropped = survivors.filter(isDropped);
    const kept = survivors.filter((entry) => !isDropped(entry));
    const moved = kept.map((entry) => ({
      id: entry.id,
      record: this.#segments.read(entry) ?? gapFor(this.id, `damaged ${entry.id}`, "damaged", entry.at, entry.at, 1),
    }));
    const gap = dropped.length === 0 ? [] : [{ id: this.#segments.nextId, record: gapOver(this.id, dropped, reason) }];
    this.#segments.commit([...moved, ...gap], null, ranges(dropped.map(({ id }) => id).toSorted((a, b) => a - b)));
    this.#numbers.sync();
    this.#numbers.forget(this.#segments.removeOldest());
    const gone = new Set(survivors.map(({ id }) => id));
    this.#dequeue(gone);
    const numbered = new Set(this.#numbers.held.values());
    for (const { id } of [...kept, ...gap]) if (!numbered.has(id)) this.#enqueue(id);
    this.#events.sort((a, b) => a.id - b.id);
  }

  /** Finds the ids that no segment gives back and puts gap records in their place; how many were lost. */
  #declareDamage(): number {
    const { entries, dropped } = this.#segments;
    const seqs = new Map([...this.#numbers.held].map(([seq, id]) => [id, seq]));
    const isLost = (id: number): boolean => !entries.has(id) && !dropped.has(id) && !this.#numbers.freed.has(id);
    const lost = [...seqs.keys()].filter(isLost);
    for (let id = this.#segments.firstId ?? 1; id < this.#segments.nextId; id++)
      if (isLost(id) && !seqs.has(id)) lost.push(id);
    if (lost.length === 0) return 0;
    const known = [...entries.values()].toSorted((a, b) => a.id - b.id);
    const around = (from: number, to: number): readonly [number, number] => {
      const before = known.findLast((entry) => entry.id < from)?.at ?? known[0]?.at ?? 0;
      return [before, Math.max(before, known.find((entry) => entry.id > to)?.at ?? before)];
    };
    const numbered = lost.filter((id) => seqs.has(id));
    const runs = ranges(lost.filter((id) => !seqs.has(id)).toSorted((a, b) => a - b));
    const inPlace = numbered.map((id) => ({
      id,
      record: gapFor(this.id, `damaged ${id}`, "damaged", ...around(id, id), 1),
    }));
    const firstId = this.#segments.nextId;
    const declared = runs.map(([from, to], i) => ({
      id: firstId + i,
      record: gapFor(this.id, `damaged ${from}-${to}`, "damaged", ...around(from, to), to - from + 1),
    }));
    this.#segments.commit([...inPlace, ...declared], null, runs);
    return lost.length;
  }
}

function gapFor(
  spool: string,
  what: string,
  reason: GapRecord["reason"],
  at: Millis,
  until: Millis,
  count: number,
): GapRecord {
  const id = createHash("sha256").update(`${spool} ${what}`).digest("hex").slice(0, 32);
  return { kind: "gap", id, at, until: Math.max(at, until), reason, count };
}

function gapOver(spool: string, dropped: readonly Entry[], reason: GapRecord["reason"]): GapRecord {
  const times = dropped.map(({ at }) => at);
  const ids = dropped.map(({ id }) => id);
  const what = `dropped ${Math.min(...ids)}-${Math.max(...ids)}`;
  return gapFor(spool, what, reason, Math.min(...times), Math.max(...times), dropped.length);
}

/** The records with one gap in the place of the windows. */
function declareRefusal(spool: string, records: readonly FactRecord[]): readonly FactRecord[] {
  const windows = records.filter((record) => record.kind === "window");
  if (windows.length === 0) return records;
  const ends = windows.map((window) => window.at + window.spanMs);
  const at = Math.min(...windows.map((window) => window.at));
  const gap = gapFor(spool, `no room ${at} ${windows.length}`, "spool_full", at, Math.max(...ends), windows.length);
  return [...records.filter((record) => record.kind !== "window"), gap];
}
