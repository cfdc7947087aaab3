/** What is sent again to a Postgres that was restored to an earlier time: which rows it may have lost. */
import type { Millis } from "../../protocol/time.ts";
import { MINUTE } from "../../protocol/time.ts";
import type { Outbox, Row } from "./outbox.ts";
import { most } from "./outbox.ts";

/** Two clocks and a commit on its way: what is sent again begins this much before the moment that was asked for. */
export const REFLUSH_MARGIN_MS = MINUTE;

/**
 * The position after which rows must be sent again to a Postgres that was restored to `since`. When a row was received
 * says nothing of when it was flushed; but each row says what was flushed at its moment.
 *
 * @param held every row that is still there, of both rings
 */
export function reflushFrom(held: readonly Row[], since: Millis): number {
  const before = held.filter(({ at }) => at <= since - REFLUSH_MARGIN_MS);
  return most(before.map(({ flushed }) => flushed));
}

/** Puts rows that Postgres held back to waiting: those still held after `from`. The others wait already. */
export function withAgain(outbox: Outbox, held: readonly Row[], from: number): Outbox {
  const isSent = ({ position, records }: Row): boolean => position > from && position <= outbox.flushed && records > 0;
  const rows = new Map([...outbox.again, ...held.filter(isSent)].map((row) => [row.position, row]));
  return { ...outbox, again: [...rows.values()].toSorted((a, b) => a.position - b.position) };
}
