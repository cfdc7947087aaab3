/**
 * What the flush statement does to Postgres: mirrors `worker/store/flush.ts` and the rollup triggers of `migrations/`.
 * One `Archive` a cluster; the whole of it can go back to an earlier copy, as a restore does.
 */
import type { FactRecord } from "../../protocol/record.ts";
import { HOUR, type Millis } from "../../protocol/time.ts";
import type { Rules } from "./rules.ts";

export interface Numbered {
  readonly epoch: number;
  readonly seq: number;
  readonly record: FactRecord;
}

export interface WindowRow {
  readonly service: string;
  readonly at: number;
  readonly spanMs: number;
  readonly requests: number;
  readonly epoch: number;
  readonly seq: number;
  /** More than one only without unique keys. */
  readonly copies: number;
}

export interface EventRow {
  readonly id: string;
  readonly record: Exclude<FactRecord, { kind: "window" }>;
  /** When it came here first. */
  readonly storedAt: Millis;
  readonly copies: number;
}

export class Archive {
  readonly received: Map<number, Set<number>>;
  readonly windows: Map<string, WindowRow>;
  readonly events: Map<string, EventRow>;
  /** Requests by service and hour. */
  readonly hours: Map<string, number>;

  constructor(from?: Archive) {
    this.received = new Map(from?.received);
    for (const [epoch, numbers] of this.received) this.received.set(epoch, new Set(numbers));
    this.windows = new Map(from?.windows);
    this.events = new Map(from?.events);
    this.hours = new Map(from?.hours);
  }

  /** One statement: all of it or, where the world does not call this, nothing. */
  flush(rules: Rules, incoming: readonly Numbered[], now: Millis): void {
    const fresh = new Map<string, Numbered>();
    for (const numbered of incoming) {
      const isFresh = this.#receive(numbered);
      const { record } = numbered;
      if (!isFresh && !rules.rollupFresh && record.kind === "window")
        this.#count(record.service, record.at, record.requests);
      if (!isFresh && rules.numbersUnique) continue;
      const key = rules.keysUnique ? keyOf(record) : `${keyOf(record)} ${fresh.size}`;
      const known = fresh.get(key);
      if (known === undefined || isBefore(rules, known, spanOf(known.record), numbered, spanOf(record)))
        fresh.set(key, numbered);
    }
    for (const numbered of fresh.values()) {
      if (numbered.record.kind === "window") this.#upsert(rules, numbered, numbered.record);
      else this.#insert(rules, numbered.record, now);
    }
  }

  #receive({ epoch, seq }: Numbered): boolean {
    let numbers = this.received.get(epoch);
    if (numbers === undefined) this.received.set(epoch, (numbers = new Set()));
    if (numbers.has(seq)) return false;
    numbers.add(seq);
    return true;
  }

  #upsert(rules: Rules, numbered: Numbered, record: Extract<FactRecord, { kind: "window" }>): void {
    const { service, at, spanMs, requests } = record;
    const { epoch, seq } = numbered;
    const key = `${service} ${at}`;
    const held = this.windows.get(key);
    if (held !== undefined && !rules.keysUnique) {
      this.windows.set(key, { ...held, copies: held.copies + 1 });
      this.#count(service, at, requests);
      return;
    }
    const row = { service, at, spanMs, requests, epoch, seq, copies: 1 };
    if (held !== undefined && !isBefore(rules, held, held.spanMs, numbered, spanMs)) return;
    this.windows.set(key, row);
    this.#count(service, at, requests - (held?.requests ?? 0));
    this.#keepLonger(rules, row);
  }

  /** The trigger `keep_longer_windows`: takes out what a longer window contains, the new one or what it met. */
  #keepLonger(rules: Rules, row: WindowRow): void {
    for (const other of this.windows.values()) {
      if (other.service !== row.service || other.spanMs === row.spanMs) continue;
      const [shorter, longer] = other.spanMs < row.spanMs ? [other, row] : [row, other];
      const isRuleInForce = shorter === row ? rules.containedSkipped : rules.containedRemoved;
      if (!isRuleInForce || !isWithin(shorter, longer)) continue;
      this.windows.delete(`${shorter.service} ${shorter.at}`);
      this.#count(shorter.service, shorter.at, -shorter.requests);
      if (shorter === row) return;
    }
  }

  #insert(rules: Rules, record: Exclude<FactRecord, { kind: "window" }>, storedAt: Millis): void {
    const held = this.events.get(record.id);
    if (held === undefined) this.events.set(record.id, { id: record.id, record, storedAt, copies: 1 });
    else if (!rules.keysUnique) this.events.set(record.id, { ...held, copies: held.copies + 1 });
  }

  #count(service: string, at: number, requests: number): void {
    const hour = hourOf(service, at);
    this.hours.set(hour, (this.hours.get(hour) ?? 0) + requests);
  }
}

export function hourOf(service: string, at: number): string {
  return `${service} ${Math.floor(at / HOUR)}`;
}

function keyOf(record: FactRecord): string {
  return record.kind === "window" ? `${record.service} ${record.at}` : record.id;
}

type Version = Pick<Numbered, "epoch" | "seq">;

/** Whether `b` takes the place of `a` under the same key: the longer window does, then the newer number. */
function isBefore(rules: Rules, a: Version, spanA: number, b: Version, spanB: number): boolean {
  if (rules.longerStands && spanA !== spanB) return spanA < spanB;
  return a.epoch < b.epoch || (a.epoch === b.epoch && a.seq < b.seq);
}

function isWithin(inner: WindowRow, outer: WindowRow): boolean {
  return inner.at >= outer.at && inner.at + inner.spanMs <= outer.at + outer.spanMs;
}

function spanOf(record: FactRecord): number {
  return record.kind === "window" ? record.spanMs : 0;
}
