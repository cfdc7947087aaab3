/**
 * The spool's book of numbers, apart from its records: who the spool is, its epoch, which record got which number, and
 * up to where Postgres has them. Records can all be gone and the next number still never starts over.
 *
 *   numbers.log   { spool, epoch, next, persisted, held, freed }     the first frame: everything so far
 *                 { first, ids } | { persisted }                      and what happened since
 */
import { randomBytes } from "node:crypto";
import { existsSync, fsyncSync } from "node:fs";
import * as v from "valibot";
import { encodeFrame } from "./core/frame.ts";
import { openFrameFile, replaceFile, scanFile, type FrameFile, type Fsync } from "./frames.ts";

/** The book is written anew above this, bytes. */
const LOG_BYTES_MAX = 262_144;

const Whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const Pair = v.tuple([Whole, Whole]);
const SnapshotSchema = v.object({
  spool: v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/)),
  epoch: v.nullable(Whole),
  next: Whole,
  persisted: Whole,
  /** [number, record id] of each record that has a number and is not persisted. */
  held: v.array(Pair),
  /** [first, last] record ids that are persisted and whose bytes are still in a segment. */
  freed: v.array(Pair),
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
  /** Why the book could not be trusted and a new identity was taken, if so. */
  renewedBecause: string | null = null;
  readonly #path: string;
  readonly #fsync: Fsync;
  #file: FrameFile | null = null;

  constructor(path: string, fsync: Fsync = fsyncSync) {
    this.#path = path;
    this.#fsync = fsync;
    this.spool = randomBytes(16).toString("hex");
    if (existsSync(path)) this.#load();
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
    this.held.clear();
    this.next = Math.max(this.next, nextMin);
    this.persisted = this.next;
    this.epoch = epoch;
    if (renew) this.spool = randomBytes(16).toString("hex");
    this.rewrite();
  }

  /** Forgets freed records whose bytes are gone. */
  forget(ids: Iterable<number>): void {
    for (const id of ids) this.freed.delete(id);
  }

  sync(): void {
    this.#file?.sync();
  }

  rewrite(): void {
    this.#file?.close();
    const snapshot = {
      spool: this.spool,
      epoch: this.epoch,
      next: this.next,
      persisted: this.persisted,
      held: [...this.held],
      freed: ranges([...this.freed].toSorted((a, b) => a - b)),
    } satisfies v.InferOutput<typeof SnapshotSchema>;
    const frame = encodeFrame(Buffer.from(JSON.stringify(snapshot)));
    replaceFile(this.#path, frame, this.#fsync);
    this.#file = openFrameFile(this.#path, frame.length, this.#fsync);
  }

  close(): void {
    this.#file?.close();
  }

  #append(line: string, durable: boolean): void {
    if ((this.#file?.size() ?? 0) > LOG_BYTES_MAX) this.rewrite();
    this.#file?.append([line], durable);
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

  #load(): void {
    const { frames, damaged, tailDecayed } = scanFile(this.#path);
    const texts = frames.map((frame) => Buffer.from(frame.payload).toString());
    const snapshot = v.safeParse(SnapshotSchema, parse(texts[0]));
    if (snapshot.success) {
      const { spool, epoch, next, persisted, held, freed } = snapshot.output;
      Object.assign(this, { spool, epoch, next, persisted });
      for (const [seq, id] of held) this.held.set(seq, id);
      for (const [from, to] of freed) for (let id = from; id <= to; id++) this.freed.add(id);
    }
    for (const text of texts.slice(1)) {
      const line = v.safeParse(LineSchema, parse(text));
      if (!line.success) continue;
      if ("first" in line.output) this.#assign(line.output.first, line.output.ids);
      else this.#free(line.output.persisted);
    }
    if (snapshot.success && !damaged && !tailDecayed) return;
    // A number may have left that this book no longer knows. Under a new identity none can be given twice, and the
    // natural keys of the records catch what is sent again.
    this.renewedBecause = "the book of numbers was damaged";
    this.held.clear();
    this.persisted = this.next;
    this.epoch = null;
    this.spool = randomBytes(16).toString("hex");
  }
}

function parse(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? "null");
  } catch {
    return null;
  }
}

/** Sorted numbers as [first, last] runs. */
export function ranges(sorted: readonly number[]): [number, number][] {
  const runs: [number, number][] = [];
  for (const value of sorted) {
    const run = runs.at(-1);
    if (run !== undefined && run[1] === value - 1) run[1] = value;
    else runs.push([value, value]);
  }
  return runs;
}
