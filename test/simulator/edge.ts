/**
 * One Cluster object: mirrors `worker/objects/cluster.ts`, `cluster-memory.ts` and `cluster-archive.ts`, around the
 * product's own `step`, `openEpoch` and the rules of `worker/core/outbox.ts`.
 *
 * Storage outlives the object's memory and can go back to an earlier state, as point-in-time recovery does; the note of
 * what was flushed lives in the socket and dies with it, but may outlive a rewind.
 */
import { openEpoch, step } from "../../worker/core/cluster.ts";
import type { Step, Watermarks } from "../../worker/core/cluster.ts";
import {
  afterFailure,
  alarmAt,
  AT_EASE,
  backlogOf,
  EMPTY,
  flushDue,
  isReusable,
  knownFlushed,
  lateOf,
  lay,
  nextBatch,
  spareSlots,
  stored,
  wake,
  withEpoch,
  withoutSlots,
} from "../../worker/core/outbox.ts";
import { reflushFrom, withAgain } from "../../worker/core/reflush.ts";
import type { Kept, Laid, Late, Note, Outbox, Pace, Row } from "../../worker/core/outbox.ts";
import type { Push } from "../../protocol/push.ts";
import type { FactRecord } from "../../protocol/record.ts";
import type { Millis } from "../../protocol/time.ts";
import type { Dice } from "./dice.ts";
import type { Ledger } from "./ledger.ts";
import type { Numbered } from "./postgres.ts";
import type { Reply } from "./pusher.ts";
import type { Rules } from "./rules.ts";

/** What is on the object's disk. Never changed, only replaced. */
export interface Storage {
  readonly rows: readonly Laid[];
  readonly kept: Kept | null;
  readonly late: Late | null;
  /** Rows between these positions are being sent again; null if none are. */
  readonly again: { readonly from: number; readonly to: number } | null;
  /** How the last flush without a session ended. */
  readonly note: Note | null;
}

/** A statement on its way to Postgres. It may arrive after the object gave it up. */
export interface Statement {
  readonly records: readonly Numbered[];
  readonly batch: readonly Row[];
  /** Which life of the object waits for it. */
  readonly life: number;
}

export interface EdgeWorld {
  readonly rules: Rules;
  readonly ledger: Ledger;
  readonly dice: Dice;
  readonly outboxRecordsMax: number;
  readonly flushRecordsMax: number;
  readonly flushIntervalMs: number;
  readonly send: (statement: Statement) => void;
  readonly isPoison: (item: unknown) => boolean;
}

interface Memory {
  outbox: Outbox;
  pace: Pace;
  pushedAt: Millis | null;
  flight: Statement | null;
}

const NOTHING: Storage = { rows: [], kept: null, late: null, again: null, note: null };
const HISTORY_MAX = 40;

export class Edge {
  readonly #world: EdgeWorld;
  #storage = NOTHING;
  /** Earlier states of the storage, oldest first. */
  readonly #history: Storage[] = [];
  /** Writes that an answer did not wait for. */
  #unwritten: ((storage: Storage) => Storage)[] = [];
  #unwrittenRows: Laid[] = [];
  #memory: Memory | null = null;
  #life = 0;
  /** What the socket knows of the last flush; null without a proved one. */
  #socket: { note: Note | null } | null = null;
  alarm: Millis | null = null;

  constructor(world: EdgeWorld) {
    this.#world = world;
  }

  get hasSession(): boolean {
    return this.#socket !== null;
  }
  get flight(): Statement | null {
    return this.#memory?.flight ?? null;
  }
  get life(): number {
    return this.#life;
  }
  get isQuiet(): boolean {
    return backlogOf(this.#wake().outbox).waiting === 0;
  }
  get sendsAgain(): boolean {
    return this.#storage.again !== null;
  }
  get marks(): Watermarks | null {
    return this.#wake().outbox.marks;
  }

  openSession(): void {
    this.#socket = { note: null };
  }
  closeSession(): void {
    this.#socket = null;
  }

  /** Leaves memory between two steps. What was not written is gone. */
  evict(): void {
    this.#memory = null;
    this.#unwritten = [];
    this.#unwrittenRows = [];
    this.#life++;
  }

  /** Goes back to an earlier state of its storage: `back` writes ago. */
  rewind(back: number): void {
    this.#history.length = Math.max(0, this.#history.length - back);
    this.#storage = this.#history.pop() ?? NOTHING;
    this.alarm = null;
    this.evict();
  }

  /** One of the writes that nobody waited for reaches the disk. */
  settle(): void {
    const [write] = this.#unwritten.splice(this.#world.dice.below(this.#unwritten.length), 1);
    if (write !== undefined) this.#commit(write(this.#storage));
  }

  take(push: Push, now: Millis): Reply {
    const memory = this.#wake();
    const items = push.records.items;
    if (items.some(this.#world.isPoison)) return refusal(400, "push_malformed", now);
    memory.pushedAt = now;
    if (push.epoch === null) return this.#open(memory, push, now);
    const decided = this.#decide(memory.outbox.marks, { ...push, epoch: push.epoch }, now);
    if (decided.kind === "fenced") return refusal(409, "fenced", now);
    if (decided.kind === "implausible") return refusal(400, "push_malformed", now);
    if (decided.kind === "gap") return refusal(409, "gap", now, decided.expected);
    const { waiting } = backlogOf(memory.outbox);
    if (decided.fresh.length > 0 && waiting > this.#world.outboxRecordsMax) {
      this.#flushIfDue(memory, now);
      return refusal(429, "outbox_full", now);
    }
    for (const { seq, reason } of decided.rejected) {
      const record = items[seq - push.records.first] as FactRecord;
      this.#world.ledger.excuse(record, `rejected as ${reason}`);
    }
    if (decided.changed) this.#keep(memory, decided, now);
    this.#flushIfDue(memory, now);
    return this.#receipt(memory, now);
  }

  /** The alarm, or a wake from outside. */
  ring(now: Millis): void {
    this.alarm = null;
    const memory = this.#wake();
    const { flushRecordsMax: recordsMax } = this.#world;
    const due = flushDue(memory.outbox, memory.pace, { recordsMax, bytesMax: Infinity }, 0, now);
    if (due.flush) this.#startFlush(memory);
    this.#arm(memory, now);
  }

  /** Postgres answered, or nobody did in time: then the statement may still arrive. */
  landed(statement: Statement, ok: boolean, now: Millis): void {
    const memory = this.#memory;
    if (memory === null || memory.flight !== statement) return;
    memory.flight = null;
    if (!ok) {
      memory.pace = afterFailure(memory.pace, now, this.#world.dice.below(1_000) / 1_000);
      this.#keepNote(memory, now);
      this.#arm(memory, now);
      return;
    }
    memory.pace = AT_EASE;
    this.#markStored(memory, statement.batch, now);
    // One run sends all that waits.
    this.#startFlush(memory);
  }

  /** Sends again what a restored Postgres may have forgotten. */
  reflush(since: Millis, now: Millis): void {
    const memory = this.#wake();
    const held = this.#storage.rows.map(({ row }) => row);
    memory.outbox = withAgain(memory.outbox, held, reflushFrom(held, since));
    const [first] = memory.outbox.again;
    const again = { from: (first?.position ?? 1) - 1, to: memory.outbox.flushed };
    if (first !== undefined) this.#commit({ ...this.#storage, again });
    this.#startFlush(memory);
    this.#arm(memory, now);
  }

  #wake(): Memory {
    if (this.#memory !== null) return this.#memory;
    const { rows, kept, again } = this.#storage;
    const note = this.#socket?.note ?? this.#storage.note;
    const windows = rows.flatMap(({ row }) => (row.ring === "windows" ? [row] : []));
    const events = rows.flatMap(({ row }) => (row.ring === "events" ? [row] : []));
    const upTo = events.findLast(({ position }) => position <= (note?.flushed ?? 0));
    const first = [...windows, ...events.filter((row, i) => row === upTo || i === events.length - 1)];
    const flushed = knownFlushed(first, kept, note);
    const known = events.filter((row, i) => row.position > flushed || i === events.length - 1);
    let outbox = rows.length === 0 && kept === null ? EMPTY : wake([...windows, ...known], kept, flushed);
    if (again !== null) {
      const held = [...windows, ...events].filter(({ position }) => position <= again.to);
      outbox = withAgain(outbox, held, again.from);
    }
    if (note !== null && note.flushed > outbox.flushed && this.#socket !== null) this.#socket.note = null;
    const pace = note === null ? AT_EASE : { failures: note.failures, retryAt: note.retryAt };
    this.#memory = { outbox, pace, pushedAt: null, flight: null };
    return this.#memory;
  }

  #decide(held: Watermarks | null, push: Push & { readonly epoch: number }, now: Millis): Step {
    const { rules } = this.#world;
    const epoch = !rules.fencing && held !== null && push.epoch < held.epoch ? held.epoch : push.epoch;
    const decided = step(held, { ...push, epoch }, now);
    if (decided.kind !== "gap" || rules.refuseGap) return decided;
    return step(held, { ...push, epoch, base: push.records.first }, now);
  }

  #open(memory: Memory, push: Push, now: Millis): Reply {
    const { rules } = this.#world;
    const held = memory.outbox.marks;
    const opened = this.#opened(held, push, rules.epochFromClock ? now : 0);
    if (opened !== held) {
      memory.outbox = withEpoch(memory.outbox, opened);
      const { last, flushed } = memory.outbox;
      this.#write((storage) => ({ ...storage, kept: { marks: opened, last, flushed } }));
    }
    return this.#receipt(memory, now);
  }

  #opened(held: Watermarks | null, { spool, base }: Push, now: Millis): Watermarks {
    if (this.#world.rules.epoch) return openEpoch(held, spool, base, now);
    return held === null ? { spool, epoch: 1, next: base, persisted: base } : { ...held, spool };
  }

  #keep(memory: Memory, decided: Extract<Step, { kind: "accepted" }>, now: Millis): void {
    const { outbox, laid } = lay(memory.outbox, decided.watermarks, decided.fresh, now);
    memory.outbox = outbox;
    if (!this.#world.rules.writeBeforeAnswer) this.#unwrittenRows.push(...laid);
    this.#write((storage) => this.#laidDown(storage, laid, outbox, now));
    if (this.alarm === null) this.#arm(memory, now);
  }

  /** A window's row takes the place of the one in its slot; an event's row that of the oldest, if that may go. */
  #laidDown(storage: Storage, laid: readonly Laid[], outbox: Outbox, now: Millis): Storage {
    let rows = storage.rows;
    for (const added of laid) {
      const { ring, slot } = added.row;
      if (ring === "windows") rows = rows.filter(({ row }) => row.ring !== ring || row.slot !== slot);
      else {
        const oldest = rows.find(({ row }) => row.ring === "events");
        if (oldest !== undefined && isReusable(oldest.row, outbox, storage.late, now))
          rows = rows.filter((row) => row !== oldest);
      }
      rows = [...rows, added];
    }
    return { ...storage, rows };
  }

  #receipt(memory: Memory, now: Millis): Reply {
    const { epoch, next, persisted } = memory.outbox.marks ?? { epoch: 0, next: 1, persisted: 1 };
    const answer = { status: 200, code: null, expected: null, receipt: true, retryAfterMs: null };
    return { answer, receipt: { epoch, received: next, persisted, serverTime: now }, serverTime: now };
  }

  #flushIfDue(memory: Memory, now: Millis): void {
    if (memory.flight !== null) return;
    const { flushRecordsMax: recordsMax, flushIntervalMs } = this.#world;
    if (flushDue(memory.outbox, memory.pace, { recordsMax, bytesMax: Infinity }, flushIntervalMs, now).flush)
      this.#startFlush(memory);
  }

  #startFlush(memory: Memory): void {
    if (memory.flight !== null) return;
    const { flushRecordsMax: recordsMax, rules } = this.#world;
    const batch = nextBatch(memory.outbox, memory.pace, { recordsMax, bytesMax: Infinity });
    if (batch.length === 0) return;
    const records = batch.flatMap((row) => this.#bodyOf(row));
    memory.flight = { records, batch, life: this.#life };
    this.#world.send(memory.flight);
    if (!rules.persistedAfterReturn) this.#markStored(memory, batch, 0);
  }

  /** No Alertmanager speaks to this world: all of it is an agent's. */
  #bodyOf(row: Row): readonly Numbered[] {
    const isIt = (kept: Laid): boolean => kept.row.ring === row.ring && kept.row.position === row.position;
    const laid = this.#storage.rows.find(isIt) ?? this.#unwrittenRows.find(isIt);
    return (laid?.records ?? []).map(({ seq, record }) => ({ epoch: row.epoch, seq, record: record as FactRecord }));
  }

  #markStored(memory: Memory, batch: readonly Row[], now: Millis): void {
    const outbox = stored(memory.outbox, batch);
    const spare = spareSlots(outbox);
    let storage = this.#storage;
    const late = batch.some(({ ring }) => ring === "events") ? lateOf(batch, now) : null;
    if (late !== null) storage = { ...storage, late };
    if (storage.again !== null && outbox.again.length === 0) storage = { ...storage, again: null };
    if (spare.length > 0 && outbox.marks !== null) {
      const { marks, last, flushed } = outbox;
      const rows = storage.rows.filter(({ row }) => row.ring === "events" || !spare.includes(row.slot));
      storage = { ...storage, rows, kept: { marks, last, flushed } };
    }
    if (!this.#world.rules.eventsKept) {
      const rows = storage.rows.filter(({ row }) => row.ring === "windows" || row.position > outbox.flushed);
      storage = { ...storage, rows };
    }
    if (storage !== this.#storage) this.#commit(storage);
    memory.outbox = withoutSlots(outbox, spare);
    this.#keepNote(memory, now);
  }

  /** On the session, where it costs nothing; without one it is written. */
  #keepNote({ outbox, pace }: Memory, at: Millis): void {
    const note = { flushed: outbox.flushed, at, ...pace };
    if (this.#socket !== null) this.#socket.note = note;
    else this.#commit({ ...this.#storage, note });
  }

  #arm(memory: Memory, now: Millis): void {
    if (memory.flight !== null) return;
    this.alarm = alarmAt(memory.outbox, memory.pace, memory.pushedAt, this.#world.flushIntervalMs, now);
  }

  #write(change: (storage: Storage) => Storage): void {
    if (this.#world.rules.writeBeforeAnswer) this.#commit(change(this.#storage));
    else this.#unwritten.push(change);
  }

  #commit(storage: Storage): void {
    this.#history.push(this.#storage);
    if (this.#history.length > HISTORY_MAX) this.#history.shift();
    this.#storage = storage;
  }
}

function refusal(status: number, code: string, now: Millis, expected: number | null = null): Reply {
  return { answer: { status, code, expected, receipt: false, retryAfterMs: null }, receipt: null, serverTime: now };
}
