/**
 * The spool's book of numbers, apart from its records: who the spool is, its epoch, which record got which number, and
 * up to where Postgres has them. Records can all be gone and the next number still never starts over.
 *
 *   numbers.log   { spool, epoch, next, persisted, held, freed, exposed }     the first frame: everything so far
 *                 { first, ids } | { persisted }                               and what happened since
 */
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import * as v from "valibot";
import { encodeFrame } from "./core/frame.ts";
import { isDiskFull, PLAIN_DISK, type Disk } from "./disk.ts";
import { ranges } from "./core/ranges.ts";
import { openFrameFile, replaceFile, scanFile, type FrameFile } from "./frames.ts";

/** The book is written anew when its lines take more than this, bytes. */
const LINES_BYTES_MAX = 262_144;

const Whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const Pair = v.tuple([Whole, Whole]);
const SnapshotSchema = v.object({
  spool: v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/)),
  epoch: v.nullable(Whole),
  next: Whole,
  persisted: Whole,
  /**
   * [number, id, count] of records that have a number and are not persisted: numbers rise by one and ids with them, or
   * fall if `count` is negative. Half a million pairs would not fit into a frame. Older agents wrote pairs.
   */
  held: v.array(v.union([v.tuple([Whole, Whole, v.pipe(v.number(), v.safeInteger())]), Pair])),
  /** [first, last] record ids that are persisted and whose bytes are still in a segment. */
  freed: v.array(Pair),
  /** [first, last] record ids that had a number in a former epoch. Older agents did not write it. */
  exposed: v.optional(v.array(Pair)),
});
const LineSchema = v.union([v.object({ first: Whole, ids: v.array(Whole) }), v.object({ persisted: Whole })]);

export class Numbers {
  spool: string;
  epoch: number | null = null;
  next = 1;
  persisted = 1;
  /** Record ids by number, of every number in [persisted, next). */
  readonly held = new Map<number, number>();
  readonly freed = new Set<number>();
  /** Ids of records that had a number in a former epoch. They may be in Postgres: they must never change. */
  readonly exposed = new Set<number>();
  /** Whether `exposed` can be relied on; else any record of before may have had a number. */
  knowsExposed: boolean;
  /** Why the book could not be trusted and a new identity was taken, if so. */
  renewedBecause: string | null = null;
  readonly #path: string;
  readonly #disk: Disk;
  #file: FrameFile | null = null;
  /** What the book took when it was written anew, bytes. */
  #snapshotBytes = 0;

  constructor(path: string, disk: Disk = PLAIN_DISK) {
    this.#path = path;
    this.#disk = disk;
    this.spool = randomBytes(16).toString("hex");
    this.knowsExposed = existsSync(path);
    const end = this.knowsExposed ? this.#load() : null;
    // A sound book is not written anew: the disk may be full, and the agent must come up to send what frees it.
    if (end === null) this.rewrite();
    else this.#file = openFrameFile(path, end, disk);
  }

  /** Says of records that they may have had a number. */
  expose(ids: Iterable<number>): void {
    for (const id of ids) this.exposed.add(id);
    this.knowsExposed = true;
    this.rewrite();
  }

  /** Numbers records in this order. Returns only when the disk has it: a number that left and was forgotten would be given twice. */
  assign(ids: readonly number[]): void {
    this.#append(JSON.stringify({ first: this.next, ids }), true);
    this.#assign(this.next, ids);
  }

  /** Frees everything below `persisted`; the ids that became free. */
  free(persisted: number): readonly number[] {
    this.#append(JSON.stringify({ persisted }), false);
    return this.#free(persisted);
  }

  /** Takes all numbers back and begins under `epoch` (null: to be asked for), as a new spool if `renew`. `next` goes on rising, to at least `nextMin`. */
  begin(epoch: number | null, renew: boolean, nextMin = 1): void {
    for (const id of this.held.values()) this.exposed.add(id);
    this.held.clear();
    this.next = Math.max(this.next, nextMin);
    this.persisted = this.next;
    this.epoch = epoch;
    if (renew) this.spool = randomBytes(16).toString("hex");
    this.rewrite();
  }

  /** Forgets records whose bytes are gone. */
  forget(ids: Iterable<number>): void {
    for (const id of ids) {
      this.freed.delete(id);
      this.exposed.delete(id);
    }
  }

  sync(): void {
    this.#file?.sync();
  }

  rewrite(): void {
    const snapshot = {
      spool: this.spool,
      epoch: this.epoch,
      next: this.next,
      persisted: this.persisted,
      held: heldRuns(this.held),
      freed: ranges(this.freed),
      exposed: ranges(this.exposed),
    } satisfies v.InferOutput<typeof SnapshotSchema>;
    const frame = encodeFrame(Buffer.from(JSON.stringify(snapshot)));
    replaceFile(this.#path, frame, this.#disk);
    this.#file?.close();
    this.#file = openFrameFile(this.#path, frame.length, this.#disk);
    this.#snapshotBytes = frame.length;
  }

  close(): void {
    this.#file?.close();
  }

  #append(line: string, durable: boolean): void {
    if ((this.#file?.size() ?? 0) > this.#snapshotBytes + LINES_BYTES_MAX) this.#rewriteIfRoom();
    this.#file?.append([line], durable);
  }

  /** On a full disk the book goes on growing: a line may still fit, and what it frees makes room. */
  #rewriteIfRoom(): void {
    try {
      this.rewrite();
    } catch (error) {
      if (!isDiskFull(error)) throw error;
    }
  }

  #assign(first: number, ids: readonly number[]): void {
    ids.forEach((id, i) => this.held.set(first + i, id));
    this.next = Math.max(this.next, first + ids.length);
  }

  #free(persisted: number): readonly number[] {
    const ids: number[] = [];
    for (let seq = this.persisted; seq < persisted; seq++) {
      const id = this.held.get(seq);
      if (id === undefined) continue;
      this.held.delete(seq);
      this.freed.add(id);
      ids.push(id);
    }
    this.persisted = Math.max(this.persisted, persisted);
    return ids;
  }

  /** Reads the book; the end of what is sound, or null if it has to be written anew. */
  #load(): number | null {
    const { frames, end, damaged, tailDecayed } = scanFile(this.#path);
    const texts = frames.map((frame) => Buffer.from(frame.payload).toString());
    const snapshot = v.safeParse(SnapshotSchema, parse(texts[0]));
    if (snapshot.success) {
      const { spool, epoch, next, persisted, held, freed, exposed } = snapshot.output;
      Object.assign(this, { spool, epoch, next, persisted });
      for (const [seq, id, count = 1] of held)
        for (let i = 0; i < Math.abs(count); i++) this.held.set(seq + i, id + i * Math.sign(count));
      for (const [from, to] of freed) for (let id = from; id <= to; id++) this.freed.add(id);
      for (const [from, to] of exposed ?? []) for (let id = from; id <= to; id++) this.exposed.add(id);
      this.knowsExposed = exposed !== undefined;
    }
    for (const text of texts.slice(1)) {
      const line = v.safeParse(LineSchema, parse(text));
      if (!line.success) continue;
      if ("first" in line.output) this.#assign(line.output.first, line.output.ids);
      else this.#free(line.output.persisted);
    }
    if (snapshot.success && !damaged && !tailDecayed) return end;
    // A number may have left that this book no longer knows. Under a new identity none can be given twice, and the
    // natural keys of the records catch what is sent again.
    this.renewedBecause = "the book of numbers was damaged";
    this.held.clear();
    this.persisted = this.next;
    this.epoch = null;
    this.spool = randomBytes(16).toString("hex");
    this.knowsExposed = false;
    return null;
  }
}

function heldRuns(held: ReadonlyMap<number, number>): [number, number, number][] {
  const runs: [number, number, number][] = [];
  for (const [seq, id] of held) {
    const run = runs.at(-1);
    const length = run === undefined ? 0 : Math.abs(run[2]);
    const step = run === undefined ? 0 : length === 1 ? id - run[1] : Math.sign(run[2]);
    if (run !== undefined && seq === run[0] + length && Math.abs(step) === 1 && id === run[1] + length * step)
      run[2] = (length + 1) * step;
    else runs.push([seq, id, 1]);
  }
  return runs;
}

function parse(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? "null");
  } catch {
    return null;
  }
}
