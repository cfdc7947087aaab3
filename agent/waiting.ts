/** The records that wait for a number: events in the order in which they came, windows oldest first. */
import type { Entry } from "./segments.ts";

export class Waiting {
  events: readonly Entry[] = [];
  windows: readonly Entry[] = [];

  get size(): number {
    return this.events.length + this.windows.length;
  }

  reset(entries: Iterable<Entry>): void {
    this.events = [];
    this.windows = [];
    this.change(new Set(), [...entries]);
  }

  /** Takes records out and others in. One that is in already is replaced. */
  change(gone: ReadonlySet<number>, come: readonly Entry[]): void {
    const out = new Set([...gone, ...come.map(({ id }) => id)]);
    const windows = come.filter(({ window }) => window !== null);
    const events = come.filter(({ window }) => window === null);
    this.windows = changed(this.windows, out, windows, (a, b) => a.at - b.at || a.id - b.id);
    this.events = changed(this.events, out, events, (a, b) => a.id - b.id);
  }
}

type Order = (a: Entry, b: Entry) => number;

/** Hundreds of thousands may wait, and a minute's windows mostly come behind them all: then nothing needs sorting. */
function changed(
  list: readonly Entry[],
  out: ReadonlySet<number>,
  come: readonly Entry[],
  order: Order,
): readonly Entry[] {
  const kept = list.filter(({ id }) => !out.has(id));
  if (come.length === 0) return kept;
  const sorted = come.toSorted(order);
  const [last, first] = [kept.at(-1), sorted[0]];
  const isBehind = last === undefined || first === undefined || order(last, first) <= 0;
  return isBehind ? [...kept, ...sorted] : [...kept, ...sorted].toSorted(order);
}
