/**
 * The spool's records on disk: segments of frames, appended to in transactions and read back when the agent starts.
 *
 *   00000001.segment   { segment, firstId, closedUntil, closedMax }   header
 *                      { id, record | w, … } …                         the records of one transaction (core/packed.ts)
 *                      { commit, closedUntil, dropped, ids }            what makes them count
 *
 * A transaction without its commit frame never happened: so all windows of a minute and the note that the minute is
 * closed come to be together, or not at all; so do a coarser window and the end of those that it is made of. Ids rise by
 * one, so an id that is missing is a record that was damaged. The same id further on replaces the record (a gap in its
 * place, or a move out of an old segment).
 */
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import type { FactRecord } from "../protocol/record.ts";
import { indexRecord, packRecord, unpackRecord, type Indexed, type Placed } from "./core/packed.ts";
import { ranges } from "./core/ranges.ts";
import { PLAIN_DISK, type Disk } from "./disk.ts";
import {
  openFrameFile,
  openFrameReader,
  removeFile,
  scanFile,
  syncFolder,
  type FrameFile,
  type FrameReader,
} from "./frames.ts";

/** A new segment begins above this, bytes: small enough that freed ones go soon. */
const SEGMENT_BYTES = 4 * 1_048_576;

/** What the index keeps of a record. There may be a quarter of a million. */
export interface Entry extends Pick<Indexed, "id" | "at" | "window" | "again"> {
  readonly segment: number;
  readonly offset: number;
  /** The whole frame's bytes. */
  readonly length: number;
  /** What the record takes in a push, bytes, at most. */
  readonly bytes: number;
}

export interface Segment {
  readonly number: number;
  readonly path: string;
  /** The ids that were written into it, even if they moved on. */
  readonly ids: number[];
  bytes: number;
}

const Whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const Ranges = v.array(v.tuple([Whole, Whole]));
const HeaderFrame = v.object({
  segment: Whole,
  firstId: Whole,
  closedUntil: v.nullable(Whole),
  /** Older agents did not write it. */
  closedMax: v.optional(v.nullable(Whole)),
});
const CommitFrame = v.object({
  commit: v.literal(true),
  closedUntil: v.nullable(Whole),
  dropped: Ranges,
  /** The ids of its records: else nobody would miss the last one, or one that moved into a later segment. Older agents did not write it. */
  ids: v.optional(Ranges),
});

const FRAME_HEADER_BYTES = 8;

/** A record in a segment, and what it took the place of. */
interface Found {
  readonly entry: Entry;
  readonly merged: Indexed["merged"];
}

export class Segments {
  readonly entries = new Map<number, Entry>();
  readonly list: Segment[] = [];
  readonly dropped = new Set<number>();
  /** Until when windows are closed. It goes back if a clock that was wrong had put it into the future. */
  closedUntil: number | null = null;
  /** The latest that `closedUntil` ever was: a window that begins before it may be a minute's second. */
  closedMax = 0;
  nextId = 1;
  /** Ids below this are not expected in any segment. */
  firstId: number | null = null;
  /** [first, last] ids of what was written, whatever became of it; as read when the agent started. */
  readonly written: (readonly [number, number])[] = [];
  readonly #folder: string;
  readonly #disk: Disk;
  #active: FrameFile | null = null;
  /** One copy of what the windows of a service have in common. */
  readonly #windows = new Map<string, NonNullable<Indexed["window"]>>();
  /** The segment that was read last, besides the one that is written. */
  #reader: { readonly segment: number; readonly file: FrameReader } | null = null;

  constructor(folder: string, disk: Disk = PLAIN_DISK) {
    this.#folder = folder;
    this.#disk = disk;
    if (!existsSync(folder)) mkdirSync(folder, { recursive: true, mode: 0o700 });
    const names = readdirSync(folder)
      .filter((name) => /^\d{8}\.segment$/.test(name))
      .toSorted();
    const numbers = names.map((name) => Number(name.slice(0, 8)));
    // The disk was full when the last one was to begin: it may still be, and the one before has room to begin with.
    while (numbers.length > 1 && scanFile(this.#pathOf(numbers.at(-1) ?? 0)).frames.length === 0)
      removeFile(this.#pathOf(numbers.pop() ?? 0));
    numbers.forEach((number, i) => this.#load(number, i === numbers.length - 1));
    if (this.list.length === 0) this.rotate();
  }

  get bytes(): number {
    return this.list.reduce((total, segment) => total + segment.bytes, 0);
  }

  /** How many records were written into what is still there, whatever became of them. */
  get records(): number {
    return this.list.reduce((total, segment) => total + segment.ids.length, 0);
  }

  /** Writes records under their ids, in one transaction; returns when the disk has them. */
  commit(
    records: readonly Placed[],
    closedUntil: number | null,
    dropped: readonly (readonly [number, number])[],
  ): void {
    if ((this.#active?.size() ?? 0) > SEGMENT_BYTES) this.rotate();
    const segment = this.list.at(-1);
    const file = this.#active;
    if (segment === undefined || file === null) throw new Error("the spool is closed");
    const closed = closedUntil ?? this.closedUntil;
    const payloads = records.map(packRecord);
    const ids = ranges(records.map(({ id }) => id));
    const offsets = file.append(
      [...payloads, JSON.stringify({ commit: true, closedUntil: closed, dropped, ids })],
      true,
    );
    records.forEach((_, i) => {
      const offset = offsets[i] ?? 0;
      const entry = this.#entry(
        JSON.parse(payloads[i] ?? "null"),
        segment.number,
        offset,
        (offsets[i + 1] ?? 0) - offset,
      );
      if (entry !== null) this.#place(entry, segment);
    });
    segment.bytes = file.size();
    this.#close(closed);
    this.#drop(dropped);
  }

  /** The record of an entry, or null if the disk does not give it back. */
  read(entry: Entry): FactRecord | null {
    const text = this.#fileOf(entry.segment)?.read(entry.offset, entry.length) ?? null;
    return text === null ? null : unpackRecord(JSON.parse(text));
  }

  /** Begins a new segment. Its header repeats what must outlive the older ones. On a full disk nothing has changed. */
  rotate(): void {
    const number = (this.list.at(-1)?.number ?? 0) + 1;
    const path = this.#pathOf(number);
    const file = openFrameFile(path, 0, this.#disk);
    try {
      this.#begin(file, number);
    } catch (error) {
      file.close();
      removeFile(path);
      throw error;
    }
    this.#active?.close();
    this.#active = file;
    this.list.push({ number, path, ids: [], bytes: file.size() });
  }

  /** Removes the oldest segment. Nothing in it may be needed any more. Returns the ids that went with it. */
  removeOldest(): readonly number[] {
    const segment = this.list.shift();
    if (segment === undefined || this.list.length === 0) throw new Error("the active segment stays");
    if (this.#reader?.segment === segment.number) this.#forgetReader();
    removeFile(segment.path);
    syncFolder(this.#folder, this.#disk);
    const gone = segment.ids.filter((id) => this.entries.get(id)?.segment === segment.number || !this.entries.has(id));
    for (const id of gone) {
      this.entries.delete(id);
      this.dropped.delete(id);
    }
    return gone;
  }

  close(): void {
    this.#forgetReader();
    this.#active?.close();
    this.#active = null;
  }

  /** Thousands of records of one segment are read in a row when it is rewritten. */
  #fileOf(segment: number): FrameReader | null {
    if (this.list.at(-1)?.number === segment) return this.#active;
    if (this.#reader?.segment !== segment) {
      this.#forgetReader();
      this.#reader = { segment, file: openFrameReader(this.#pathOf(segment)) };
    }
    return this.#reader?.file ?? null;
  }

  #forgetReader(): void {
    this.#reader?.file.close();
    this.#reader = null;
  }

  /** Goes on in a segment behind what is sound of it. */
  #open(segment: Segment, cutTo: number): void {
    const file = openFrameFile(segment.path, cutTo, this.#disk);
    if (cutTo === 0) this.#begin(file, segment.number);
    this.#active = file;
    segment.bytes = file.size();
  }

  #begin(file: FrameFile, segment: number): void {
    const { nextId: firstId, closedUntil, closedMax } = this;
    file.append([JSON.stringify({ segment, firstId, closedUntil, closedMax })], true);
    syncFolder(this.#folder, this.#disk);
    this.firstId ??= firstId;
  }

  #entry(frame: unknown, segment: number, offset: number, length: number): Found | null {
    const indexed = indexRecord(frame);
    if (indexed === null) return null;
    const { id, at, again, merged, unpackedBytes } = indexed;
    const key = JSON.stringify(indexed.window);
    const window = this.#windows.get(key) ?? indexed.window;
    if (window !== null) this.#windows.set(key, window);
    return { entry: { id, at, window, again, segment, offset, length, bytes: length + unpackedBytes }, merged };
  }

  #place({ entry, merged }: Found, segment: Segment): void {
    this.entries.set(entry.id, entry);
    segment.ids.push(entry.id);
    this.nextId = Math.max(this.nextId, entry.id + 1);
    this.#drop(merged);
  }

  #drop(ranges: readonly (readonly [number, number])[]): void {
    for (const [from, to] of ranges)
      for (let id = from; id <= to; id++) {
        this.entries.delete(id);
        this.dropped.add(id);
        this.nextId = Math.max(this.nextId, id + 1);
      }
  }

  #close(until: number | null): void {
    this.closedUntil = until ?? this.closedUntil;
    this.closedMax = Math.max(this.closedMax, until ?? 0);
  }

  #load(number: number, isLast: boolean): void {
    const path = this.#pathOf(number);
    const { frames, end } = scanFile(path);
    const segment: Segment = { number, path, ids: [], bytes: end };
    this.list.push(segment);
    let pending: Found[] = [];
    let committedEnd = 0;
    frames.forEach(({ offset, payload }) => {
      const length = payload.length + FRAME_HEADER_BYTES;
      const frame: unknown = JSON.parse(Buffer.from(payload).toString());
      const entry = this.#entry(frame, number, offset, length);
      if (entry !== null) {
        pending.push(entry);
        return;
      }
      if (v.is(HeaderFrame, frame)) {
        this.firstId ??= frame.firstId;
        this.nextId = Math.max(this.nextId, frame.firstId);
        this.#close(frame.closedUntil);
        this.closedMax = Math.max(this.closedMax, frame.closedMax ?? 0);
      } else if (v.is(CommitFrame, frame)) {
        for (const each of pending) this.#place(each, segment);
        pending = [];
        // The last word, not the latest time: it went back if a wrong clock had put it into the future.
        this.#close(frame.closedUntil);
        this.#drop(frame.dropped);
        for (const [from, to] of frame.ids ?? []) {
          this.written.push([from, to]);
          this.nextId = Math.max(this.nextId, to + 1);
        }
      }
      committedEnd = offset + length;
    });
    // The tail of the last segment was never acknowledged to anybody; an older one was complete before the next began.
    if (isLast) this.#open(segment, committedEnd);
    else for (const entry of pending) this.#place(entry, segment);
  }

  #pathOf(number: number): string {
    return join(this.#folder, `${String(number).padStart(8, "0")}.segment`);
  }
}
