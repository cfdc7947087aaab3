/**
 * Keeps the spool within its bounds: of bytes, for the disk, and of records, because each takes memory and a window of an
 * idle service takes few bytes.
 *
 * What is not freed may take 80 % of either; above, windows that never had a number become coarser, oldest first; where
 * nothing is left to merge and 90 % are taken, the oldest windows without a number are dropped and declared; and
 * where every window has its number, new ones are refused and declared. Events go last, at 125 %. What is gone gives its
 * room back when segments are rewritten, oldest first, once they are worth it.
 */
import { TOO_OLD_MS } from "../protocol/limits.ts";
import type { FactRecord, GapRecord, WindowRecord } from "../protocol/record.ts";
import { MINUTE, type Millis } from "../protocol/time.ts";
import { chooseRuns, mergeRun, type Mergeable, type Run } from "./core/coarsen.ts";
import type { Placed } from "./core/packed.ts";
import { gapInPlace, gapOf, isWindow, lossOf, sumOf, type Loss } from "./gaps.ts";
import { ranges } from "./core/ranges.ts";
import type { Numbers } from "./numbers.ts";
import type { Entry, Segments } from "./segments.ts";
import type { Waiting } from "./waiting.ts";

/** Shares of the bound, of what is not freed: above the first windows become coarser, above the second the oldest go. */
const COARSEN_SHARE = 0.8;
const DROP_SHARE = 0.9;
/** What is made room for goes on until this share is free below either, so that it is not done with each minute. */
const SLACK_SHARE = 0.04;
/** Events may exceed the bound by this share before the oldest go, too. */
const EVENTS_SHARE = 1.25;
/** Segments are rewritten when they take the first share of a bound, and the second of it is freed. */
const REWRITE_SHARE = 0.95;
const FREED_SHARE = 0.04;
/** Windows that are merged with one append, and runs a transaction: a hundred ms, and the next append goes on. */
const MERGE_WINDOWS = 4_000;
const MERGE_RUNS = 400;
/** Records that are moved in one transaction: all of them are in memory meanwhile, and a segment may hold 50,000. */
const MOVES = 1_000;

/** Losses of a kind that touch each other are one gap, as long as it has no number. */
type LossKind = "dropped" | "no room" | "too old" | "events";
const REASONS = {
  dropped: "spool_full",
  "no room": "spool_full",
  "too old": "refused",
  events: "spool_full",
} as const satisfies Record<LossKind, GapRecord["reason"]>;

/** Room that records take, or may take. */
export interface Size {
  readonly bytes: number;
  readonly records: number;
}

export class Room {
  readonly #segments: Segments;
  readonly #numbers: Numbers;
  readonly #waiting: Waiting;
  readonly #bounds: Size;
  /** The last gap of each kind, as it was to be written. */
  readonly #declared = new Map<LossKind, { readonly id: number; readonly gap: GapRecord }>();

  constructor(segments: Segments, numbers: Numbers, waiting: Waiting, bounds: Size) {
    this.#segments = segments;
    this.#numbers = numbers;
    this.#waiting = waiting;
    this.#bounds = bounds;
  }

  /** New records as they may be taken: without their windows, which are declared, if there is no room that could be made. */
  admit(records: readonly FactRecord[]): readonly Placed[] {
    const windows = records.filter(isWindow);
    const firstId = this.#segments.nextId;
    const isStuck = windows.length > 0 && this.#waiting.windows.length === 0 && this.#isAbove(DROP_SHARE);
    if (!isStuck) return records.map((record, i) => ({ id: firstId + i, record }));
    const rest = records.filter((record) => !isWindow(record));
    const loss = sumOf(windows.map(lossOfWindow));
    return [
      ...rest.map((record, i) => ({ id: firstId + i, record })),
      this.#declare("no room", loss, firstId + rest.length),
    ];
  }

  /** Brings the spool back into its bounds. `now` is null while nobody knows the time: then nothing is too old. */
  shrink(now: Millis | null): void {
    if (now !== null) {
      const old = this.#waiting.windows.findIndex(({ at }) => at >= now - TOO_OLD_MS);
      this.#drop("too old", this.#waiting.windows.slice(0, old === -1 ? this.#waiting.windows.length : old));
    }
    if (!this.#isAbove(COARSEN_SHARE)) return this.#rewriteIfWorthwhile();
    this.#coarsen(COARSEN_SHARE - SLACK_SHARE);
    const share = DROP_SHARE - SLACK_SHARE;
    if (this.#isAbove(DROP_SHARE)) this.#drop("dropped", this.#oldest(this.#waiting.windows, share));
    if (this.#isAbove(EVENTS_SHARE) && this.#waiting.windows.length === 0)
      this.#drop("events", this.#oldest(this.#waiting.events, EVENTS_SHARE - SLACK_SHARE));
    this.#rewriteIfWorthwhile();
  }

  /** Removes segments in which nothing is needed any more: while there is room (`hasRoom`), not the one that is written to. */
  removeFreed(hasRoom: boolean): void {
    if (!hasRoom && this.#segments.list.length === 1 && !this.#hasSurvivors()) this.#segments.rotate();
    while (this.#segments.list.length > 1 && !this.#hasSurvivors()) this.#removeOldest();
  }

  #isAbove(share: number): boolean {
    return this.#exceeds(this.#segments, share) && this.#exceeds(this.#needed(), share);
  }

  #exceeds({ bytes, records }: Size, share: number): boolean {
    return bytes > share * this.#bounds.bytes || records > share * this.#bounds.records;
  }

  /** What all records take that are not freed. */
  #needed(): Size {
    let [bytes, records] = [0, 0];
    for (const { id, length } of this.#segments.entries.values()) {
      if (this.#numbers.freed.has(id)) continue;
      bytes += length;
      records++;
    }
    return { bytes, records };
  }

  /** Merges some of the oldest windows, until `share` is reached; all that is needed where windows would have to go else. */
  #coarsen(share: number): void {
    const { closedUntil } = this.#segments;
    if (closedUntil === null) return;
    // Each round takes at least one window away.
    for (let rounds = this.#waiting.windows.length; rounds > 0; rounds--) {
      const runs = chooseRuns(this.#mergeable(), closedUntil, MERGE_WINDOWS);
      if (runs.length === 0) return;
      for (let i = 0; i < runs.length; i += MERGE_RUNS) {
        this.#merge(runs.slice(i, i + MERGE_RUNS));
        if (!this.#exceeds(this.#needed(), share)) return;
      }
      if (!this.#isAbove(DROP_SHARE)) return;
    }
  }

  /** The windows that never had a number, and of which no former version can have had one. */
  #mergeable(): readonly Mergeable[] {
    return this.#waiting.windows.flatMap(({ id, at, window, again }) =>
      window === null || again || this.#numbers.exposed.has(id) ? [] : [{ id, at, ...window }],
    );
  }

  /** Puts one window in the place of each run: all in one transaction, so that no minute is there twice or not at all. */
  #merge(runs: readonly Run[]): void {
    const placed: Placed[] = [];
    const gone: number[] = [];
    for (const run of runs) {
      const entries = run.flatMap(({ id }) => this.#segments.entries.get(id) ?? []);
      const records = entries.map((entry) => this.#segments.read(entry));
      const windows = records.flatMap((record) => (record?.kind === "window" ? [record] : []));
      if (windows.length === run.length) {
        const ids = entries.map(({ id }) => id);
        placed.push({ id: this.#segments.nextId + placed.length, record: mergeRun(windows), merged: ranges(ids) });
        gone.push(...ids);
      }
      // Decay on the disk: the rest of the run fills its bucket no more and stays as it is.
      for (const [i, entry] of entries.entries())
        if (records[i] === null) {
          const record = gapInPlace(this.#numbers.spool, "damaged", "damaged", entry);
          this.#segments.commit([{ id: entry.id, record }], null, []);
          this.#waiting.change(new Set([entry.id]), this.#entriesOf([entry.id]));
        }
    }
    this.#commit(placed, gone);
  }

  /** The oldest of these without which the rest takes `share` of either bound. */
  #oldest(entries: readonly Entry[], share: number): readonly Entry[] {
    let { bytes, records } = this.#needed();
    const count = entries.findIndex(({ length }) => {
      if (!this.#exceeds({ bytes, records }, share)) return true;
      bytes -= length;
      records--;
      return false;
    });
    return count === -1 ? entries : entries.slice(0, count);
  }

  #drop(kind: LossKind, entries: readonly Entry[]): void {
    // The gap of this kind waits among the events: it is made longer, and would otherwise be dropped with what it says.
    const former = this.#former(kind);
    const dropped = entries.filter(({ id }) => id !== former?.id);
    if (dropped.length === 0) return;
    const gone = dropped.map(({ id }) => id);
    const loss = sumOf(dropped.map((entry) => this.#lossOf(entry)));
    this.#commit([this.#declare(kind, loss, this.#segments.nextId)], gone);
  }

  #lossOf(entry: Entry): Loss {
    const record = entry.window === null ? this.#segments.read(entry) : null;
    return record?.kind === "gap" ? record : lossOf(entry);
  }

  /** A loss as a gap record: a new one, or the former one of the kind made longer. */
  #declare(kind: LossKind, loss: Loss, newId: number): Placed {
    const former = this.#former(kind);
    const touches = former !== null && loss.at <= former.gap.until + MINUTE && loss.until >= former.gap.at - MINUTE;
    const id = touches ? former.id : newId;
    const gap = gapOf(this.#numbers.spool, `${kind} ${id}`, REASONS[kind], touches ? sumOf([former.gap, loss]) : loss);
    this.#declared.set(kind, { id, gap });
    return { id, record: gap };
  }

  /**
   * The last gap of a kind, as long as nobody can have seen it. As the disk has it: on a full one it was never written,
   * or not made longer, and by now its id may be that of an event.
   */
  #former(kind: LossKind): { readonly id: number; readonly gap: GapRecord } | null {
    const declared = this.#declared.get(kind);
    const entry = this.#waiting.events.find(({ id }) => id === declared?.id);
    if (declared === undefined || entry === undefined || this.#numbers.exposed.has(entry.id)) return null;
    const record = this.#segments.read(entry);
    return record?.kind === "gap" && record.id === declared.gap.id ? { id: entry.id, gap: record } : null;
  }

  #commit(placed: readonly Placed[], gone: readonly number[]): void {
    if (placed.length === 0) return;
    this.#segments.commit(placed, null, ranges(gone));
    this.#waiting.change(new Set(gone), this.#entriesOf(placed.map(({ id }) => id)));
  }

  #entriesOf(ids: readonly number[]): readonly Entry[] {
    return ids.flatMap((id) => this.#segments.entries.get(id) ?? []);
  }

  #rewriteIfWorthwhile(): void {
    if (!this.#exceeds(this.#segments, REWRITE_SHARE)) return;
    const needed = this.#needed();
    const isWorthIt = (what: keyof Size): boolean =>
      this.#segments[what] > REWRITE_SHARE * this.#bounds[what] &&
      this.#segments[what] - needed[what] > FREED_SHARE * this.#bounds[what];
    // One with each append; as many as it takes once a bound is reached.
    for (let rounds = this.#segments.list.length; rounds > 0; rounds--) {
      if (!isWorthIt("bytes") && !isWorthIt("records")) return;
      this.#rewriteOldest();
      if (!this.#exceeds(this.#segments, 1)) return;
    }
  }

  /** Moves what is still needed out of the oldest segment and removes it. Until then it is there twice, and counts once. */
  #rewriteOldest(): void {
    if (this.#segments.list.length === 1) this.#segments.rotate();
    const moved = this.#survivors();
    for (let i = 0; i < moved.length; i += MOVES) {
      const placed = moved.slice(i, i + MOVES).map((entry) => {
        const record = this.#segments.read(entry) ?? gapInPlace(this.#numbers.spool, "damaged", "damaged", entry);
        return { id: entry.id, record, again: entry.again };
      });
      this.#segments.commit(placed, null, []);
    }
    this.#removeOldest();
    const waits = new Set([...this.#waiting.events, ...this.#waiting.windows].map(({ id }) => id));
    const ids = moved.map(({ id }) => id).filter((id) => waits.has(id));
    this.#waiting.change(new Set(ids), this.#entriesOf(ids));
  }

  #removeOldest(): void {
    // Before the bytes go the disk must know that they were freed, or the next start would take them for damaged.
    this.#numbers.sync();
    this.#numbers.forget(this.#segments.removeOldest());
  }

  #hasSurvivors(): boolean {
    const oldest = this.#segments.list[0];
    const { entries } = this.#segments;
    const isNeeded = (id: number): boolean =>
      entries.get(id)?.segment === oldest?.number && !this.#numbers.freed.has(id);
    // From the end: what was written first is mostly freed first.
    return oldest?.ids.findLast(isNeeded) !== undefined;
  }

  /** What is still needed of the oldest segment. */
  #survivors(): readonly Entry[] {
    const oldest = this.#segments.list[0];
    // A record that was replaced in its segment is named twice.
    return [...new Set(oldest?.ids)].flatMap((id) => {
      const entry = this.#segments.entries.get(id);
      return entry?.segment === oldest?.number && entry !== undefined && !this.#numbers.freed.has(id) ? [entry] : [];
    });
  }
}

function lossOfWindow({ at, spanMs }: WindowRecord): Loss {
  return { at, until: at + spanMs, count: spanMs / MINUTE };
}
