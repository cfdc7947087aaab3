/**
 * An agent's disk: mirrors `agent/segments.ts` and `agent/numbers.ts`. Records are on it when they are written; of the
 * book of numbers a crash may take the lines that were not synced, the last ones first.
 */
import type { FactRecord } from "../../protocol/record.ts";
import type { Millis } from "../../protocol/time.ts";
import type { Dice } from "./dice.ts";

/** A record on disk. */
export interface Stored {
  readonly id: number;
  readonly record: FactRecord;
  /** A window whose minutes were closed before: never merged. */
  readonly again: boolean;
}

/** What `numbers.log` says. */
export interface Book {
  spool: string;
  epoch: number | null;
  next: number;
  persisted: number;
  /** The record id of each number in [persisted, next). */
  held: number[];
  /** Record ids below `persisted` whose bytes are still there. */
  freed: number[];
  /** Record ids that may have had a number in an epoch that ended. */
  exposed: number[];
}

/** A line of the book: numbers that were given, or that what is below a number was freed. */
export type Line = { readonly ids: readonly number[] } | { readonly persisted: number };

export interface Disk {
  records: Stored[];
  nextId: number;
  closedUntil: Millis | null;
  /** The furthest that `closedUntil` ever was. */
  closedMax: Millis;
  book: Book;
  /** Lines of the book that are not synced. */
  lines: Line[];
  /** The book decayed: found out when it is opened. */
  isBookDamaged: boolean;
}

export function newDisk(spool: string): Disk {
  const book = { spool, epoch: null, next: 1, persisted: 1, held: [], freed: [], exposed: [] };
  return { records: [], nextId: 1, closedUntil: null, closedMax: 0, book, lines: [], isBookDamaged: false };
}

export function copyDisk(disk: Disk): Disk {
  return { ...disk, records: [...disk.records], book: copyBook(disk.book), lines: [...disk.lines] };
}

/** The power goes: of what was not synced a part is on disk, from the first on. */
export function crashDisk(disk: Disk, dice: Dice): void {
  for (const line of disk.lines.slice(0, dice.below(disk.lines.length + 1))) apply(disk.book, line);
  disk.lines = [];
}

export function copyBook(book: Book): Book {
  return { ...book, held: [...book.held], freed: [...book.freed], exposed: [...book.exposed] };
}

export function apply(book: Book, line: Line): void {
  if ("ids" in line) {
    book.held.push(...line.ids);
    book.next += line.ids.length;
  } else if (line.persisted > book.persisted) {
    book.freed.push(...book.held.splice(0, line.persisted - book.persisted));
    book.persisted = line.persisted;
  }
}
