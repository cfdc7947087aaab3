/** What truly happened in a cluster, and what the world took away: the oracle compares Postgres with this. */
import type { EventRecord, FactRecord, GapRecord, WindowRecord } from "../../protocol/record.ts";
import { MINUTE, type Millis } from "../../protocol/time.ts";

export interface Fact {
  readonly record: WindowRecord | EventRecord;
  /** Whether an append with it ever returned. */
  closed: boolean;
  /** Whether a spool ever took it a second time, under a clock that had gone back: it may lose it twice, and say so twice. */
  closedAgain: boolean;
  /** Why it may be missing; null if it may not. */
  excuse: string | null;
}

/** A count that follows from the service and the minute, so that any two readers agree on it. */
export function requestsAt(service: string, at: Millis): number {
  return 1 + ((Math.imul((at / MINUTE) ^ (service.length << 20), 0x9e3779b1) >>> 12) & 0xffff);
}

/** 32 hex digits that differ with the text. Not a good hash, but the worlds are small. */
export function idOf(text: string): string {
  let [a, b] = [0x811c9dc5, 0x01000193];
  for (let i = 0; i < text.length; i++) {
    a = Math.imul(a ^ text.charCodeAt(i), 0x01000193);
    b = Math.imul(b + text.charCodeAt(i), 0x85ebca6b) ^ (a >>> 7);
  }
  const hex = (a >>> 0).toString(16).padStart(8, "0") + (b >>> 0).toString(16).padStart(8, "0");
  return hex + hex;
}

/** A gap as an agent wrote it. One that nobody has seen may be written again, longer, under the same id. */
export interface DeclaredGap {
  readonly record: GapRecord;
  readonly facts: readonly number[];
}

export class Ledger {
  readonly facts: Fact[] = [];
  readonly #byKey = new Map<string, number>();
  /** The facts that a record carries or, for a gap, declares lost. */
  readonly #of = new Map<FactRecord, readonly number[]>();
  /** By id. */
  readonly gaps = new Map<string, DeclaredGap[]>();

  /** The window that a service had in a minute: the same one whoever reads it, however often. */
  window(service: string, at: Millis): WindowRecord {
    const key = `${service} ${at}`;
    const known = this.facts[this.#byKey.get(key) ?? -1]?.record;
    if (known?.kind === "window") return known;
    const requests = requestsAt(service, at);
    return this.#learn(key, { kind: "window", service, at, spanMs: MINUTE, requests, errors: 0, latency: null });
  }

  event(record: EventRecord): EventRecord {
    return this.#learn(record.id, record);
  }

  /** A record that stands for others: their sum, or the word that they are lost. */
  standsFor(record: FactRecord, others: readonly FactRecord[]): void {
    const facts = [...new Set(others.flatMap((other) => this.factsOf(other)))];
    this.#of.set(record, facts);
    if (record.kind === "gap") this.gaps.set(record.id, [...(this.gaps.get(record.id) ?? []), { record, facts }]);
  }

  gapsOf(id: string): readonly DeclaredGap[] {
    return this.gaps.get(id) ?? [];
  }

  factsOf(record: FactRecord): readonly number[] {
    return this.#of.get(record) ?? [];
  }

  close(record: FactRecord, again: boolean): void {
    for (const index of this.factsOf(record)) {
      const fact = this.facts[index];
      if (fact === undefined) continue;
      fact.closed = true;
      fact.closedAgain ||= again;
    }
  }

  /** An event, or the facts that a gap declares, are no longer kept anywhere, by design. */
  forget(id: string): void {
    const own = this.#byKey.get(id);
    for (const index of [...(own === undefined ? [] : [own]), ...this.gapsOf(id).flatMap(({ facts }) => facts)]) {
      const fact = this.facts[index];
      if (fact !== undefined) fact.excuse ??= "kept for 48 h only";
    }
  }

  excuse(record: FactRecord, why: string): void {
    for (const index of this.factsOf(record)) {
      const fact = this.facts[index];
      if (fact !== undefined) fact.excuse ??= why;
    }
  }

  #learn<R extends WindowRecord | EventRecord>(key: string, record: R): R {
    if (!this.#byKey.has(key)) {
      this.#byKey.set(key, this.facts.length);
      this.#of.set(record, [this.facts.length]);
      this.facts.push({ record, closed: false, closedAgain: false, excuse: null });
    }
    return record;
  }
}
