/**
 * What a Cluster keeps for Postgres, decided without SQL so that the simulator and the object run the same rules.
 * Rows are the bill, so everything here is about writing few of them and reading few of them after a wake:
 *
 *   position  1 2 3 4 5 6 7 8      rows in the order in which they were written, over both rings
 *   ring      W W E W W W E W      W: windows, their slots are used again at once; E: events, kept 48 h and in order
 *             ─────┬─── ─┬───
 *              in Postgres  waits
 *
 * One number, `flushed`, divides what Postgres holds from what waits: batches are taken from the front. Every row
 * carries the watermarks and the `flushed` of its moment, so the newest row alone tells a woken object nearly
 * everything; what a flush moved since then it learns from a note that costs no row, or it sends those rows once more.
 */
import { PUSH_BYTES_MAX, RECORDS_MAX } from "../../protocol/limits.ts";
import type { Millis } from "../../protocol/time.ts";
import { DAY, HOUR } from "../../protocol/time.ts";
import type { NumberedRecord, Watermarks } from "./cluster.ts";
import { retryDelay } from "./retry.ts";

/** An event can be sent again for this long after it reached Postgres: what a restored Postgres has forgotten. */
const EVENT_KEPT_MS = 2 * DAY;

/** A flush of facts older than this is written down, because the 48 h count from the flush: `Late`. */
const LATE_MS = HOUR;

/** Kept events may fill this much; beyond it the oldest ones in Postgres go before their 48 h are over. */
const KEPT_BYTES_MAX = 64 * 1024 * 1024;

/** Free slots that stay: five minutes and a retry. After an outage the others are deleted, or each wake would read them. */
const SLOTS_KEPT = 16;
/** Deleting costs a row a slot, so it is not done for a short queue. */
const SLOTS_TRIMMED_FROM = 64;

/** Failures in a row after which a flush sends one row to see whether Postgres is back, not whole batches. */
const BREAKER_FAILURES = 5;

/** The alarm is only the net under flushes that pushes start; each setting costs a row. */
const NET_INTERVALS = 3;

type Ring = "windows" | "events";

/** A row without its records, as it is kept in memory. */
export interface Row extends Watermarks {
  readonly ring: Ring;
  /** A window's place in its table. An event lies at its position. */
  readonly slot: number;
  /** Rises with every row of either ring; 0 if the version that wrote it knew of none. */
  readonly position: number;
  /** Number of its first record; `next` if it has none. */
  readonly first: number;
  /** When it was received. */
  readonly at: Millis;
  readonly records: number;
  readonly bytes: number;
  /** What `Outbox.flushed` was then. */
  readonly flushed: number;
  /** Bytes of all event rows ever written, this one included: the ends of the ring tell its size. 0 for windows. */
  readonly total: number;
}

export interface Outbox {
  readonly marks: Watermarks | null;
  /** Position of the newest row. */
  readonly last: number;
  /** Postgres holds all rows up to this position. */
  readonly flushed: number;
  /** `Row.total` of the newest event row. */
  readonly eventBytes: number;
  /** Every row of windows, and the event rows that wait; by position. */
  readonly rows: readonly Row[];
  /** Rows that Postgres held and gets once more; by position. They do not lower `persisted`. */
  readonly again: readonly Row[];
}

/** What is written down apart from the rows: when an epoch is opened, and when slots are deleted. */
export interface Kept {
  readonly marks: Watermarks;
  readonly last: number;
  readonly flushed: number;
}

/** Up to `position` nothing was surely in Postgres before `at`. */
export interface Late {
  readonly position: number;
  readonly at: Millis;
}

/** How it went lately; survives the object's memory, or each push would try a dead Postgres anew. */
export interface Pace {
  /** Failures in a row. */
  readonly failures: number;
  /** Not before. */
  readonly retryAt: Millis;
}

/** What is remembered of the last flush where it costs no row. */
export interface Note extends Pace {
  /** `Outbox.flushed`. */
  readonly flushed: number;
  /** When that was so. */
  readonly at: Millis;
}

export const AT_EASE: Pace = { failures: 0, retryAt: 0 };

/** What a waiting row costs in memory beside its body: tiny ones are bounded too. */
const ROW_BYTES = 256;

export const EMPTY: Outbox = { marks: null, last: 0, flushed: 0, eventBytes: 0, rows: [], again: [] };

/** A row to be written, with its body. */
export interface Laid {
  readonly row: Row;
  readonly records: readonly NumberedRecord[];
  readonly body: string;
}

/**
 * Up to where Postgres holds everything, as far as a woken object knows. Too low is harmless: keys make a replay
 * nothing. Too high loses records, and a note may outlive a rewind of the rows: one from beyond the last row, or older
 * than a row that it counts as flushed, is not about these rows.
 *
 * @param rows at least every row of windows, the newest one of events, and the newest one of events up to the note
 * @param note what was noted after the last flush, if that is known
 */
export function knownFlushed(rows: readonly Row[], kept: Kept | null, note: Note | null): number {
  const told = most([kept?.flushed ?? 0, ...rows.map((row) => row.flushed)]);
  if (note === null || note.flushed > lastOf(rows, kept)) return told;
  const isRewound = rows.some(({ position, at }) => position <= note.flushed && at > note.at);
  return isRewound ? told : Math.max(told, note.flushed);
}

/**
 * What an object knows that woke with nothing but its rows.
 *
 * @param rows every row of windows, the newest one of events, and all of events above `flushed`
 * @param flushed as `knownFlushed` says
 */
export function wake(rows: readonly Row[], kept: Kept | null, flushed: number): Outbox {
  const last = lastOf(rows, kept);
  const newest = newestOf(rows, kept);
  if (newest === null) return EMPTY;
  const { spool, epoch, next, persisted } = newest;
  return settled({
    marks: { spool, epoch, next, persisted },
    last,
    flushed,
    eventBytes: most(rows.map((row) => row.total)),
    rows: rows.toSorted((a, b) => a.position - b.position),
    again: [],
  });
}

/**
 * Rows of a version that knew no positions, with positions: those that wait come after all others. What it had flushed
 * stays at 0, which is free. That version told waiting rows by their epoch and `persisted` alone.
 */
export function withPositions(rows: readonly Row[], kept: Kept | null): readonly Row[] {
  const newest = newestOf(rows, kept);
  const isFree = (row: Row): boolean => row.epoch === newest?.epoch && row.next <= newest.persisted;
  const lost = rows.filter((row) => row.position === 0 && row.records > 0 && !isFree(row));
  const order = lost.toSorted((a, b) => a.epoch - b.epoch || a.first - b.first);
  const last = lastOf(rows, kept);
  const positions = new Map(order.map((row, i) => [row, last + 1 + i]));
  return rows.map((row) => ({ ...row, position: positions.get(row) ?? row.position }));
}

/**
 * Lays a push's fresh records into rows: one for windows, one for everything else, and one without records if only the
 * watermarks moved. The rows of one push are written together.
 */
export function lay(
  outbox: Outbox,
  marks: Watermarks,
  fresh: readonly NumberedRecord[],
  now: Millis,
): { readonly outbox: Outbox; readonly laid: readonly Laid[] } {
  const events = fresh.filter(({ record }) => record.kind !== "window");
  const windows = fresh.filter(({ record }) => record.kind === "window");
  const laid: Laid[] = [];
  let { last, eventBytes } = outbox;
  const add = (ring: Ring, records: readonly NumberedRecord[]): void => {
    const body = JSON.stringify(records);
    last++;
    if (ring === "events") eventBytes += body.length;
    const row: Row = {
      ...marks,
      ring,
      slot: ring === "events" ? last : freeSlot(outbox),
      position: last,
      first: records[0]?.seq ?? marks.next,
      at: now,
      records: records.length,
      bytes: body.length,
      flushed: outbox.flushed,
      total: ring === "events" ? eventBytes : 0,
    };
    laid.push({ row, records, body });
  };
  if (events.length > 0) add("events", events);
  if (windows.length > 0 || events.length === 0) add("windows", windows);
  const kept = outbox.rows.filter((row) =>
    laid.every((added) => row.ring !== added.row.ring || row.slot !== added.row.slot),
  );
  const rows = [...kept, ...laid.map(({ row }) => row)];
  return { outbox: settled({ ...outbox, marks, last, eventBytes, rows }), laid };
}

/**
 * The epoch of what the edge itself makes into records: before every agent's, which are moments, so that it never
 * counts as the newest one and no agent's number means one of these.
 */
const OWN_EPOCH = 1;
const OWN_SPOOL = "0".repeat(32);
/** Numbers a millisecond: they come from the clock, because an object that was set back would give a counter's twice. */
const OWN_NUMBERS = 1_000;

/** The next number for what the edge makes. @param last the newest that it gave */
export function ownNumber(last: number, now: Millis): number {
  return Math.max(last + 1, now * OWN_NUMBERS);
}

/**
 * Lays what the edge itself made into rows like any others, none with more than a push brings: one that exceeds what a
 * flush takes could never be sent. The agent's watermarks stay where they are.
 */
export function layOwn(
  outbox: Outbox,
  records: readonly NumberedRecord[],
  now: Millis,
): { readonly outbox: Outbox; readonly laid: readonly Laid[] } {
  const laid: Laid[] = [];
  let after = outbox;
  for (const part of inParts(records)) {
    const first = part[0]?.seq ?? 0;
    const own: Watermarks = { spool: OWN_SPOOL, epoch: OWN_EPOCH, next: (part.at(-1)?.seq ?? 0) + 1, persisted: first };
    const one = lay(after, own, part, now);
    after = settled({ ...one.outbox, marks: outbox.marks ?? own });
    laid.push(...one.laid);
  }
  return { outbox: after, laid };
}

/** At most `RECORDS_MAX` together, and as many UTF-16 units of JSON as a push has bytes. */
function inParts(records: readonly NumberedRecord[]): readonly (readonly NumberedRecord[])[] {
  const parts: NumberedRecord[][] = [];
  let part: NumberedRecord[] = [];
  let length = 0;
  for (const record of records) {
    const more = JSON.stringify(record).length;
    if (part.length === 0 || part.length >= RECORDS_MAX || length + more > PUSH_BYTES_MAX) {
      part = [];
      parts.push(part);
      length = 0;
    }
    part.push(record);
    length += more;
  }
  return parts;
}

/** A new epoch. Rows of the old one go on waiting under their own numbers. */
export function withEpoch(outbox: Outbox, marks: Watermarks): Outbox {
  return settled({ ...outbox, marks });
}

/** The lowest place whose records are in Postgres, or a new one. */
function freeSlot({ rows, again, flushed }: Outbox): number {
  const used = new Set<number>();
  for (const row of rows) if (row.ring === "windows" && isWaiting(row, flushed)) used.add(row.slot);
  for (const { ring, slot } of again) if (ring === "windows") used.add(slot);
  let slot = 1;
  while (used.has(slot)) slot++;
  return slot;
}

/**
 * Whether the oldest event row may give its place to a new one: it is in Postgres, nobody is sending it again, and its
 * 48 h are over or the ring is too large.
 */
export function isReusable(oldest: Row, outbox: Outbox, late: Late | null, now: Millis): boolean {
  const { flushed, again } = outbox;
  if (oldest.position > flushed || oldest.position >= (again[0]?.position ?? Infinity)) return false;
  if (isOverfull(oldest, outbox)) return true;
  const flushedBy = Math.max(oldest.at + LATE_MS, late !== null && oldest.position <= late.position ? late.at : 0);
  return now - flushedBy > EVENT_KEPT_MS;
}

/** Whether the events from `oldest` on fill more than they may. */
export function isOverfull(oldest: Row, { eventBytes }: Outbox): boolean {
  return eventBytes - oldest.total + oldest.bytes > KEPT_BYTES_MAX;
}

export interface Bounds {
  readonly recordsMax: number;
  readonly bytesMax: number;
}

interface Waiting {
  readonly waiting: number;
  readonly since: Millis | null;
  readonly bytes: number;
}

/** Asked several times with each push, most of which change nothing; an outage leaves thousands of rows to count. */
const counted = new WeakMap<Outbox, Waiting>();

/** What waits: records, bytes, and since when; `since` is null if only rows wait that are sent again. */
export function backlogOf(outbox: Outbox): Waiting {
  const known = counted.get(outbox);
  if (known !== undefined) return known;
  let [waiting, bytes] = [0, 0];
  let since: Millis | null = null;
  for (const { records } of outbox.again) waiting += records;
  for (const row of outbox.rows) {
    if (!isWaiting(row, outbox.flushed)) continue;
    waiting += row.records;
    bytes += row.bytes + ROW_BYTES;
    if (since === null || row.at < since) since = row.at;
  }
  const found = { waiting, since, bytes };
  counted.set(outbox, found);
  return found;
}

export type Due =
  | { readonly flush: true; readonly reason: "again" | "age" | "size" }
  | { readonly flush: false; readonly reason: "nothing" | "young" | "backing_off" };

/** Whether a push, or a wake, starts a flush. */
export function flushDue(outbox: Outbox, pace: Pace, bounds: Bounds, intervalMs: number, now: Millis): Due {
  const { waiting, since, bytes } = backlogOf(outbox);
  if (waiting === 0) return { flush: false, reason: "nothing" };
  if (now < pace.retryAt) return { flush: false, reason: "backing_off" };
  if (outbox.again.length > 0) return { flush: true, reason: "again" };
  if (waiting >= bounds.recordsMax || bytes >= bounds.bytesMax) return { flush: true, reason: "size" };
  return now - (since ?? now) >= intervalMs ? { flush: true, reason: "age" } : { flush: false, reason: "young" };
}

/** The oldest rows to send in one statement: at least one, if any waits. Only one as long as Postgres seems to be gone. */
export function nextBatch(outbox: Outbox, pace: Pace, bounds: Bounds): readonly Row[] {
  const batch: Row[] = [];
  let [records, bytes] = [0, 0];
  for (const row of [...outbox.again, ...waitingRows(outbox)]) {
    records += row.records;
    bytes += row.bytes;
    if (batch.length > 0 && (records > bounds.recordsMax || bytes > bounds.bytesMax)) break;
    batch.push(row);
    if (pace.failures >= BREAKER_FAILURES) break;
  }
  return batch;
}

/** Postgres holds this batch of `nextBatch`. More rows may have come meanwhile. */
export function stored(outbox: Outbox, batch: readonly Row[]): Outbox {
  const positions = batch.map(({ position }) => position);
  const sent = new Set(positions);
  return settled({
    ...outbox,
    flushed: most([outbox.flushed, ...positions]),
    again: outbox.again.filter(({ position }) => !sent.has(position)),
  });
}

/** What to write down if these rows came to Postgres only now, long after they were received; usually null. */
export function lateOf(batch: readonly Row[], now: Millis): Late | null {
  const oldest = batch.reduce((least, { at }) => Math.min(least, at), now);
  if (now - oldest <= LATE_MS) return null;
  return { position: most(batch.map(({ position }) => position)), at: now };
}

/** Slots to delete after an outage: free ones beyond what quiet times need. The caller writes down the watermarks. */
export function spareSlots({ rows, again, flushed }: Outbox): readonly number[] {
  const windows = rows.filter(({ ring }) => ring === "windows");
  if (windows.length <= SLOTS_TRIMMED_FROM || again.length > 0) return [];
  if (windows.some((row) => isWaiting(row, flushed))) return [];
  return windows.map(({ slot }) => slot).filter((slot) => slot > SLOTS_KEPT);
}

export function withoutSlots(outbox: Outbox, slots: readonly number[]): Outbox {
  const dropped = new Set(slots);
  return { ...outbox, rows: outbox.rows.filter(({ ring, slot }) => ring === "events" || !dropped.has(slot)) };
}

/** @param dice 0 to 1, the caller's randomness */
export function afterFailure(pace: Pace, now: Millis, dice: number): Pace {
  const failures = pace.failures + 1;
  return { failures, retryAt: now + retryDelay(failures, dice) };
}

/**
 * When the alarm must come, if none is set; null if nothing waits. While somebody pushes it is only a net, far out: a
 * push starts the flushes. With nobody pushing it is what tries again, less and less eagerly.
 *
 * @param pushedAt the last push, null if this object remembers none
 */
export function alarmAt(
  outbox: Outbox,
  pace: Pace,
  pushedAt: Millis | null,
  intervalMs: number,
  now: Millis,
): Millis | null {
  if (outbox.again.length === 0 && backlogOf(outbox).waiting === 0) return null;
  const isHeard = pushedAt !== null && now - pushedAt < intervalMs;
  if (isHeard || pace.failures === 0) return now + NET_INTERVALS * intervalMs;
  return pace.failures >= BREAKER_FAILURES ? Math.max(pace.retryAt, now + intervalMs) : Math.max(pace.retryAt, now);
}

function waitingRows({ rows, flushed }: Outbox): readonly Row[] {
  return rows.filter((row) => isWaiting(row, flushed));
}

/** A row that only moved the watermarks has nothing for Postgres. */
function isWaiting(row: Row, flushed: number): boolean {
  return row.position > flushed && row.records > 0;
}

/**
 * Moves `flushed` and `persisted` as far as what waits allows. `persisted` is the first number of this epoch that waits,
 * or `next`; it never moves back, because the agent frees below it.
 */
function settled(outbox: Outbox): Outbox {
  const waiting = waitingRows(outbox);
  const flushed = Math.max(outbox.flushed, (waiting[0]?.position ?? outbox.last + 1) - 1);
  const rows = outbox.rows.filter(({ ring, position }) => ring === "windows" || position > flushed);
  if (outbox.marks === null) return { ...outbox, flushed, rows };
  const { epoch, next, persisted } = outbox.marks;
  const ours = waiting.filter((row) => row.epoch === epoch);
  const reached = ours.reduce((least, { first }) => Math.min(least, first), next);
  return { ...outbox, flushed, rows, marks: { ...outbox.marks, persisted: Math.max(persisted, reached) } };
}

function lastOf(rows: readonly Row[], kept: Kept | null): number {
  return most([kept?.last ?? 0, ...rows.map(({ position }) => position)]);
}

/** Not `Math.max(...)`: a long outage leaves more rows than a call takes arguments. */
export function most(values: readonly number[]): number {
  return values.reduce((a, b) => Math.max(a, b), 0);
}

function newestOf(rows: readonly Row[], kept: Kept | null): Watermarks | null {
  const all: readonly Watermarks[] = kept === null ? rows : [...rows, kept.marks];
  return all.reduce<Watermarks | null>((a, b) => (a === null || isNewer(b, a) ? b : a), null);
}

function isNewer(a: Watermarks, b: Watermarks): boolean {
  return a.epoch > b.epoch || (a.epoch === b.epoch && a.next > b.next);
}
