/**
 * The spool's records on disk: segments of frames, appended to in transactions and read back when the agent starts.
 *
 *   00000001.segment   { segment, firstId, closedUntil }        header
 *                      { id, record } …                          the records of one transaction
 *                      { commit, closedUntil, dropped }          what makes them count
 *
 * A transaction without its commit frame never happened: so all windows of a minute and the note that the minute is
 * closed come to be together, or not at all. Ids rise by one, so an id that is missing is a record that was damaged.
 * The same id further on replaces the record (a gap in its place, or a move out of an old segment).
 */
import { existsSync, fsyncSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import type { FactRecord } from "../protocol/record.ts";
import { openFrameFile, readFrameOf, removeFile, scanFile, syncFolder, type FrameFile, type Fsync } from "./frames.ts";

/** A new segment begins above this, bytes: small enough that freed ones go soon. */
const SEGMENT_BYTES = 4 * 1_048_576;

export interface Entry {
  readonly id: number;
  readonly isWindow: boolean;
  readonly at: number;
  readonly segment: number;
  readonly offset: number;
  /** The whole frame's bytes. */
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
const RecordFrame = v.object({ id: Whole, record: v.looseObject({ kind: v.string(), at: Whole }) });
const HeaderFrame = v.object({ segment: Whole, firstId: Whole, closedUntil: v.nullable(Whole) });
const CommitFrame = v.object({ commit: v.literal(true), closedUntil: v.nullable(Whole), dropped: Ranges });

const FRAME_HEADER_BYTES = 8;

export class Segments {
  readonly entries = new Map<number, Entry>();
  readonly list: Segment[] = [];
  readonly dropped = new Set<number>();
  closedUntil: number | null = null;
  nextId = 1;
  /** Ids below this are not expected in any segment. */
  firstId: number | null = null;
  readonly #folder: string;
  readonly #fsync: Fsync;
  #active: FrameFile | null = null;

  constructor(folder: string, fsync: Fsync = fsyncSync) {
    this.#folder = folder;
    this.#fsync = fsync;
    if (!existsSync(folder)) mkdirSync(folder, { recursive: true, mode: 0o700 });
    const names = readdirSync(folder)
      .filter((name) => /^\d{8}\.segment$/.test(name))
      .toSorted();
    names.forEach((name, i) => this.#load(Number(name.slice(0, 8)), i === names.length - 1));
    if (this.list.length === 0) this.rotate();
  }

  get bytes(): number {
    return this.list.reduce((total, segment) => total + segment.bytes, 0);
  }

  /** Writes records under their ids, in one transaction; returns when the disk has them. */
  commit(
    records: readonly { readonly id: number; readonly record: FactRecord }[],
    closedUntil: number | null,
    dropped: readonly [number, number][],
  ): void {
    if ((this.#active?.size() ?? 0) > SEGMENT_BYTES) this.rotate();
    const segment = this.list.at(-1);
    const file = this.#active;
    if (segment === undefined || file === null) throw new Error("the spool is closed");
    const closed = closedUntil ?? this.closedUntil;
    const payloads = records.map(({ id, record }) => JSON.stringify({ id, record }));
    const offsets = file.append([...payloads, JSON.stringify({ commit: true, closedUntil: closed, dropped })], true);
    records.forEach(({ id, record }, i) => {
      const offset = offsets[i] ?? 0;
      this.#place(
        {
          id,
          isWindow: record.kind === "window",
          at: record.at,
          segment: segment.number,
          offset,
          bytes: (offsets[i + 1] ?? 0) - offset,
        },
        segment,
      );
    });
    segment.bytes = file.size();
    this.closedUntil = closed;
    for (const [from, to] of dropped) for (let id = from; id <= to; id++) this.#drop(id);
  }

  /** The record of an entry, or null if the disk does not give it back. */
  read(entry: Entry): FactRecord | null {
    const active = this.list.at(-1)?.number === entry.segment ? this.#active : null;
    const path = join(this.#folder, nameOf(entry.segment));
    const text =
      active === null ? readFrameOf(path, entry.offset, entry.bytes) : active.read(entry.offset, entry.bytes);
    // It was typed when it was written, and the checksum says that these are the bytes.
    return text === null ? null : (JSON.parse(text) as { record: FactRecord }).record;
  }

  /** Begins a new segment. Its header repeats what must outlive the older ones. */
  rotate(): void {
    this.#active?.close();
    const number = (this.list.at(-1)?.number ?? 0) + 1;
    const path = join(this.#folder, nameOf(number));
    this.list.push({ number, path, ids: [], bytes: 0 });
    this.#open(path, 0);
  }

  /** Removes the oldest segment. Nothing in it may be needed any more. Returns the ids that went with it. */
  removeOldest(): readonly number[] {
    const segment = this.list.shift();
    if (segment === undefined || this.list.length === 0) throw new Error("the active segment stays");
    removeFile(segment.path);
    syncFolder(this.#folder, this.#fsync);
    const gone = segment.ids.filter((id) => this.entries.get(id)?.segment === segment.number || !this.entries.has(id));
    for (const id of gone) {
      this.entries.delete(id);
      this.dropped.delete(id);
    }
    return gone;
  }

  close(): void {
    this.#active?.close();
    this.#active = null;
  }

  #open(path: string, cutTo: number): void {
    this.#active = openFrameFile(path, cutTo, this.#fsync);
    const segment = this.list.at(-1);
    if (segment === undefined) return;
    if (cutTo === 0) {
      const header = { segment: segment.number, firstId: this.nextId, closedUntil: this.closedUntil };
      this.#active.append([JSON.stringify(header)], true);
      syncFolder(this.#folder, this.#fsync);
      this.firstId ??= this.nextId;
    }
    segment.bytes = this.#active.size();
  }

  #place(entry: Entry, segment: Segment): void {
    this.entries.set(entry.id, entry);
    segment.ids.push(entry.id);
    this.nextId = Math.max(this.nextId, entry.id + 1);
  }

  #drop(id: number): void {
    this.entries.delete(id);
    this.dropped.add(id);
    this.nextId = Math.max(this.nextId, id + 1);
  }

  #load(number: number, isLast: boolean): void {
    const path = join(this.#folder, nameOf(number));
    const { frames, end } = scanFile(path);
    const segment: Segment = { number, path, ids: [], bytes: end };
    this.list.push(segment);
    let pending: Entry[] = [];
    let committedEnd = 0;
    frames.forEach(({ offset, payload }) => {
      const bytes = payload.length + FRAME_HEADER_BYTES;
      const frame: unknown = JSON.parse(Buffer.from(payload).toString());
      if (v.is(RecordFrame, frame)) {
        pending.push({
          id: frame.id,
          isWindow: frame.record.kind === "window",
          at: frame.record.at,
          segment: number,
          offset,
          bytes,
        });
        return;
      }
      if (v.is(HeaderFrame, frame)) {
        this.firstId ??= frame.firstId;
        this.nextId = Math.max(this.nextId, frame.firstId);
        this.closedUntil = frame.closedUntil ?? this.closedUntil;
      } else if (v.is(CommitFrame, frame)) {
        for (const entry of pending) this.#place(entry, segment);
        pending = [];
        // The last word, not the latest time: it went back if a wrong clock had put it into the future.
        this.closedUntil = frame.closedUntil ?? this.closedUntil;
        for (const [from, to] of frame.dropped) for (let id = from; id <= to; id++) this.#drop(id);
      }
      committedEnd = offset + bytes;
    });
    // The tail of the last segment was never acknowledged to anybody; an older one was complete before the next began.
    if (isLast) this.#open(path, committedEnd);
    else for (const entry of pending) this.#place(entry, segment);
  }
}

function nameOf(number: number): string {
  return `${String(number).padStart(8, "0")}.segment`;
}
