/**
 * What the Outbox keeps on disk:
 *
 *   receiver (id, body, sealed)                  whom the page tells, and what opens each, sealed
 *   delivery (id, receiver, number, state,       every message for every receiver: those that wait in memory too, the
 *             attempts, created_at, next_at,     others for a while, to be looked at and replayed
 *             said, message)
 */
import type { Breaker, Delivery } from "../core/notify-delivery.ts";
import type { Message } from "../core/notify-message.ts";
import type { Receiver } from "../core/notify-receiver.ts";
import type { Millis } from "../../protocol/time.ts";
import { DAY } from "../../protocol/time.ts";
import type { Meter } from "./meter.ts";

/** `reference/security.md` 5: how long delivery logs are kept. */
const KEPT_MS = 30 * DAY;
/** Of what is over, the newest. */
const KEPT_MAX = 5_000;

interface DeliveryRow extends Record<string, SqlStorageValue> {
  readonly id: string;
  readonly receiver: string;
  readonly number: number;
  readonly state: Delivery["state"];
  readonly attempts: number;
  readonly created_at: Millis;
  readonly next_at: Millis;
  readonly said: string | null;
  readonly message: string;
}

export class OutboxMemory {
  readonly #sql: Meter;
  readonly #receivers = new Map<string, Receiver>();
  readonly #waiting = new Map<string, Delivery>();
  #number: number;

  constructor(sql: Meter) {
    this.#sql = sql;
    sql.exec(
      "CREATE TABLE IF NOT EXISTS receiver (id TEXT PRIMARY KEY, body TEXT NOT NULL, sealed TEXT NOT NULL) WITHOUT ROWID",
    );
    sql.exec(
      `CREATE TABLE IF NOT EXISTS delivery (id TEXT PRIMARY KEY, receiver TEXT NOT NULL, number INTEGER NOT NULL,
        state TEXT NOT NULL, attempts INTEGER NOT NULL, created_at INTEGER NOT NULL, next_at INTEGER NOT NULL, said TEXT,
        message TEXT NOT NULL) WITHOUT ROWID`,
    );
    for (const { body } of sql.exec<{ body: string }>("SELECT body FROM receiver")) {
      const receiver = JSON.parse(body) as Receiver;
      this.#receivers.set(receiver.id, receiver);
    }
    for (const row of sql.exec<DeliveryRow>("SELECT * FROM delivery WHERE state = 'waiting' ORDER BY number"))
      this.#waiting.set(row.id, deliveryOf(row));
    this.#number = sql.exec<{ n: number }>("SELECT coalesce(max(number), 0) AS n FROM delivery")[0]?.n ?? 0;
  }

  // ── receivers ─────────────────────────────────────────────────────────────────────────────────────────────────────

  get receivers(): readonly Receiver[] {
    return [...this.#receivers.values()].toSorted((a, b) => a.createdAt - b.createdAt);
  }

  receiver(id: string): Receiver | null {
    return this.#receivers.get(id) ?? null;
  }

  /** Of those that may be asked. */
  get breakers(): ReadonlyMap<string, Breaker> {
    const on = [...this.#receivers.values()].filter(({ state }) => state === "on");
    return new Map(on.map(({ id, breaker }) => [id, breaker]));
  }

  add(receiver: Receiver, sealed: string): void {
    const body = JSON.stringify(receiver);
    this.#sql.exec("INSERT INTO receiver (id, body, sealed) VALUES (?, ?, ?)", receiver.id, body, sealed);
    this.#receivers.set(receiver.id, receiver);
  }

  put(receiver: Receiver): void {
    this.#sql.exec("UPDATE receiver SET body = ? WHERE id = ?", JSON.stringify(receiver), receiver.id);
    this.#receivers.set(receiver.id, receiver);
  }

  sealed(id: string): string {
    return this.#sql.exec<{ sealed: string }>("SELECT sealed FROM receiver WHERE id = ?", id)[0]?.sealed ?? "";
  }

  reseal(id: string, sealed: string): void {
    this.#sql.exec("UPDATE receiver SET sealed = ? WHERE id = ?", sealed, id);
  }

  /** With all that was on its way there. */
  remove(id: string): void {
    this.#sql.exec("DELETE FROM receiver WHERE id = ?", id);
    this.#sql.exec("DELETE FROM delivery WHERE receiver = ?", id);
    this.#receivers.delete(id);
    for (const one of this.#waiting.values()) if (one.receiver === id) this.#waiting.delete(one.id);
  }

  // ── deliveries ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** In the order of their numbers: one that is replayed has its place again. */
  get waiting(): readonly Delivery[] {
    return [...this.#waiting.values()].toSorted((a, b) => a.number - b.number);
  }

  get waitingCount(): number {
    return this.#waiting.size;
  }

  delivery(id: string): Delivery | null {
    const held = this.#waiting.get(id);
    if (held !== undefined) return held;
    const [row] = this.#sql.exec<DeliveryRow>("SELECT * FROM delivery WHERE id = ?", id);
    return row === undefined ? null : deliveryOf(row);
  }

  /** The number for one more. */
  nextNumber(): number {
    return ++this.#number;
  }

  /** One that is new; false if it is known. */
  begin(one: Delivery): boolean {
    const { id, receiver, number, state, attempts, createdAt, nextAt, said, message } = one;
    const made = this.#sql.exec(
      `INSERT INTO delivery (id, receiver, number, state, attempts, created_at, next_at, said, message)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING 1`,
      id,
      receiver,
      number,
      state,
      attempts,
      createdAt,
      nextAt,
      said,
      JSON.stringify(message),
    );
    if (made.length > 0 && state === "waiting") this.#waiting.set(id, one);
    return made.length > 0;
  }

  /** What became of one. It may be gone meanwhile, with its receiver. */
  keep(one: Delivery): void {
    const { id, state, attempts, nextAt, said } = one;
    const kept = this.#sql.exec(
      "UPDATE delivery SET state = ?, attempts = ?, next_at = ?, said = ? WHERE id = ? RETURNING 1",
      state,
      attempts,
      nextAt,
      said,
      id,
    );
    if (kept.length === 0 || state !== "waiting") this.#waiting.delete(id);
    else this.#waiting.set(id, one);
  }

  /** The newest of a state by when it last changed. */
  newest(state: Delivery["state"], limit: number): readonly Delivery[] {
    return this.#sql
      .exec<DeliveryRow>(
        "SELECT * FROM delivery WHERE state = ? ORDER BY next_at DESC, number DESC LIMIT ?",
        state,
        limit,
      )
      .map(deliveryOf);
  }

  /** Whether the end of the same thing was delivered after this step of it. */
  isOvertaken({ receiver, number, message }: Delivery): boolean {
    const later = this.#sql.exec(
      `SELECT 1 FROM delivery WHERE receiver = ? AND state = 'delivered' AND number > ?
        AND json_extract(message, '$.subject') = ? AND json_extract(message, '$.isOver') LIMIT 1`,
      receiver,
      number,
      message.subject,
    );
    return later.length > 0;
  }

  /** How many are dead, by receiver. */
  get deadCounts(): ReadonlyMap<string, number> {
    const rows = this.#sql.exec<{ receiver: string; n: number }>(
      "SELECT receiver, count(*) AS n FROM delivery WHERE state = 'dead' GROUP BY receiver",
    );
    return new Map(rows.map(({ receiver, n }) => [receiver, n]));
  }

  /** What is over is not kept for ever: of either kind the newest, for a month. */
  prune(now: Millis): void {
    this.#sql.exec("DELETE FROM delivery WHERE state <> 'waiting' AND next_at < ?", now - KEPT_MS);
    for (const state of ["delivered", "dead"])
      this.#sql.exec(
        `DELETE FROM delivery WHERE state = ? AND number <=
          (SELECT number FROM delivery WHERE state = ? ORDER BY number DESC LIMIT 1 OFFSET ?)`,
        state,
        state,
        KEPT_MAX,
      );
  }
}

function deliveryOf(row: DeliveryRow): Delivery {
  const { id, receiver, number, state, attempts, created_at: createdAt, next_at: nextAt, said, message } = row;
  // Written by `begin`.
  const told = JSON.parse(message) as Message;
  return { id, receiver, number, state, attempts, createdAt, nextAt, said, message: told };
}
