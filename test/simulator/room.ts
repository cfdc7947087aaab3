/** Keeps a spool within its bounds: mirrors `agent/room.ts`, around the product's `chooseRuns` and `mergeRun`. */
import { chooseRuns, mergeRun, type Mergeable } from "../../agent/core/coarsen.ts";
import { TOO_OLD_MS } from "../../protocol/limits.ts";
import type { FactRecord, GapRecord, WindowRecord } from "../../protocol/record.ts";
import { MINUTE, type Millis } from "../../protocol/time.ts";
import type { Book, Disk, Stored } from "./disk.ts";
import { idOf, type Ledger } from "./ledger.ts";
import type { Rules } from "./rules.ts";

const COARSEN_SHARE = 0.8;
const DROP_SHARE = 0.9;
const SLACK_SHARE = 0.04;
const EVENTS_SHARE = 1.25;
/** Windows that merge between two looks. */
const MERGE_WINDOWS = 5;

type LossKind = "dropped" | "no room" | "too old" | "events";

interface RoomWorld {
  readonly rules: Rules;
  readonly ledger: Ledger;
  readonly recordsMax: number;
  readonly disk: Disk;
  readonly book: Book;
  readonly removeFreed: () => void;
}

interface StoredWindow extends Stored {
  readonly record: WindowRecord;
}

export class Room {
  readonly #world: RoomWorld;
  /** The last gap of each kind, and what it declares. */
  readonly #declared = new Map<LossKind, { readonly id: number; readonly gap: GapRecord }>();

  constructor(world: RoomWorld) {
    this.#world = world;
  }

  /** What waits for a number and is no window, in the order in which it came. */
  waitingEvents(): readonly Stored[] {
    return this.#waiting().filter(({ record }) => record.kind !== "window");
  }

  /** Oldest first. */
  waitingWindows(): readonly StoredWindow[] {
    return sorted(this.#waiting());
  }

  admit(records: readonly FactRecord[]): readonly Stored[] {
    const windows = records.filter((record) => record.kind === "window");
    const { nextId } = this.#world.disk;
    const isStuck = windows.length > 0 && this.#isAbove(DROP_SHARE) && this.waitingWindows().length === 0;
    if (!isStuck) return records.map((record, i) => ({ id: nextId + i, record, again: false }));
    const rest = records.filter((record) => record.kind !== "window");
    return [
      ...rest.map((record, i) => ({ id: nextId + i, record, again: false })),
      this.#declare("no room", windows, nextId + rest.length),
    ];
  }

  /** Brings the spool back into its bounds. `now` is null while nobody knows the time: then nothing is too old. */
  shrink(now: Millis | null): void {
    const isOld = ({ record }: Stored): boolean => now !== null && record.at < now - TOO_OLD_MS;
    if (this.#world.disk.records.some(isOld)) this.#drop("too old", this.waitingWindows().filter(isOld));
    if (!this.#isAbove(COARSEN_SHARE)) return;
    this.#world.removeFreed();
    const { recordsMax } = this.#world;
    this.#coarsen((COARSEN_SHARE - SLACK_SHARE) * recordsMax);
    if (this.#isAbove(DROP_SHARE)) this.#drop("dropped", this.#oldest(this.waitingWindows(), DROP_SHARE));
    if (this.#isAbove(EVENTS_SHARE) && this.waitingWindows().length === 0)
      this.#drop("events", this.#oldest(this.waitingEvents(), EVENTS_SHARE));
  }

  #waiting(): readonly Stored[] {
    const { held, freed } = this.#world.book;
    return this.#world.disk.records.filter(({ id }) => !held.includes(id) && !freed.includes(id));
  }

  #needed(): number {
    const { disk, book } = this.#world;
    return disk.records.length - book.freed.length;
  }

  #isAbove(share: number): boolean {
    return this.#needed() > share * this.#world.recordsMax;
  }

  #oldest(records: readonly Stored[], share: number): readonly Stored[] {
    return records.slice(0, Math.ceil(this.#needed() - (share - SLACK_SHARE) * this.#world.recordsMax));
  }

  #coarsen(target: number): void {
    const { closedUntil } = this.#world.disk;
    if (closedUntil === null) return;
    for (;;) {
      const runs = chooseRuns(this.#mergeable(), closedUntil, MERGE_WINDOWS);
      if (runs.length === 0) return;
      for (const run of runs) {
        this.#merge(run.map(({ id }) => id));
        if (this.#needed() <= target) return;
      }
    }
  }

  /** The windows that never had a number, unless a rule is missing. */
  #mergeable(): readonly Mergeable[] {
    const { rules, disk, book } = this.#world;
    const pool = rules.numberedMerge === "never" ? this.waitingWindows() : sorted(disk.records);
    return pool.flatMap(({ id, record: { at, spanMs, service }, again }) =>
      again || (rules.exposedStays && book.exposed.includes(id)) || book.freed.includes(id)
        ? []
        : [{ id, at, spanMs, service, bounds: null }],
    );
  }

  /** With every rule in force nothing here has a number. Else the merged window stands under each of the old ones, or under none. */
  #merge(ids: readonly number[]): void {
    const { rules, ledger, disk, book } = this.#world;
    const parts = sorted(disk.records.filter(({ id }) => ids.includes(id))).map(({ record }) => record);
    const merged = mergeRun(parts);
    ledger.standsFor(merged, parts);
    const isNumbered = ({ id }: Stored): boolean => book.held.includes(id);
    const isNew =
      rules.numberedMerge !== "old number" || !disk.records.some((s) => ids.includes(s.id) && isNumbered(s));
    disk.records = disk.records.flatMap((stored) => {
      if (!ids.includes(stored.id)) return [stored];
      if (!isNumbered(stored)) return [];
      return [{ ...stored, record: isNew ? nothingAt(stored.id, merged.at) : merged }];
    });
    if (isNew) disk.records.push({ id: disk.nextId++, record: merged, again: false });
  }

  #drop(kind: LossKind, entries: readonly Stored[]): void {
    const dropped = entries.filter(({ id }) => id !== this.#declared.get(kind)?.id);
    if (dropped.length === 0) return;
    const { disk } = this.#world;
    const ids = dropped.map(({ id }) => id);
    const records = dropped.map(({ record }) => record);
    const declared = this.#declare(kind, records, disk.nextId);
    disk.records = disk.records.filter(({ id }) => !ids.includes(id) && id !== declared.id);
    disk.records.push(declared);
    disk.nextId = Math.max(disk.nextId, declared.id + 1);
  }

  /** A loss as a gap: a new one, or the former one of the kind made longer as long as nobody can have seen it. */
  #declare(kind: LossKind, records: readonly FactRecord[], newId: number): Stored {
    const { book, ledger } = this.#world;
    const former = this.#declared.get(kind);
    const { at, until } = spanOf(records);
    const touches = former !== undefined && at <= former.gap.until + MINUTE && until >= former.gap.at - MINUTE;
    const isFree =
      touches && !book.exposed.includes(former.id) && this.waitingEvents().some(({ id }) => id === former.id);
    const id = isFree ? former.id : newId;
    const all = isFree ? [former.gap, ...records] : records;
    const gap = declareLoss(ledger, book.spool, `${kind} ${id}`, kind === "too old" ? "refused" : "spool_full", all);
    this.#declared.set(kind, { id, gap });
    return { id, record: gap, again: false };
  }
}

/** The gap record of what is lost. `what` names the loss within the spool. */
export function declareLoss(
  ledger: Ledger,
  spool: string,
  what: string,
  reason: GapRecord["reason"],
  records: readonly FactRecord[],
): GapRecord {
  const { at, until } = spanOf(records);
  const count = records.reduce((sum, record) => sum + countOf(record), 0);
  const gap: GapRecord = {
    kind: "gap",
    id: idOf(`${spool} ${what} ${at} ${until} ${count}`),
    at,
    until,
    reason,
    count,
  };
  ledger.standsFor(gap, records);
  return gap;
}

/** In windows of a minute; an event is one. */
function countOf(record: FactRecord): number {
  return record.kind === "window" ? record.spanMs / MINUTE : record.kind === "gap" ? record.count : 1;
}

function spanOf(records: readonly FactRecord[]): { readonly at: Millis; readonly until: Millis } {
  const ends = records.map((record) =>
    record.kind === "window" ? record.at + record.spanMs : record.kind === "gap" ? record.until : record.at,
  );
  return { at: Math.min(...records.map(({ at }) => at)), until: Math.max(...ends) };
}

function sorted(records: readonly Stored[]): readonly StoredWindow[] {
  const windows = records.filter(isWindow);
  // Mostly they came in order.
  const isSorted = windows.every((window, i) => i === 0 || compare(windows[i - 1] ?? window, window) <= 0);
  return isSorted ? windows : windows.toSorted(compare);
}

function isWindow(stored: Stored): stored is StoredWindow {
  return stored.record.kind === "window";
}

function compare(a: Stored, b: Stored): number {
  return a.record.at - b.record.at || a.id - b.id;
}

/** What a mutant leaves under a number that it took a window from. */
function nothingAt(id: number, at: Millis): GapRecord {
  return { kind: "gap", id: idOf(`merged ${id}`), at, until: at, reason: "refused", count: 1 };
}
