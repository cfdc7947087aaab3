/**
 * The rules that delivery rests on, each of which can be taken away: a simulator that does not notice is not testing.
 * `reference/delivery.md`, section 5. The product's rules are never edited; the model around them leaves one out.
 */
export interface Rules {
  /** Postgres keeps a number once. */
  readonly numbersUnique: boolean;
  /** Postgres keeps a window and an event once, whatever their number. */
  readonly keysUnique: boolean;
  /** Of two windows of one start the longer one stands, whatever their numbers. */
  readonly longerStands: boolean;
  /** A window that a longer one contains is not stored beside it ... */
  readonly containedSkipped: boolean;
  /** ... nor left there when that comes. */
  readonly containedRemoved: boolean;
  /** A push says the lowest number that its spool still holds. */
  readonly base: boolean;
  /** Each spool numbers in an epoch of its own. */
  readonly epoch: boolean;
  /** The agent frees at `persisted`, not at `received`. */
  readonly freeAtPersisted: boolean;
  /** The Cluster answers after its write is durable. */
  readonly writeBeforeAnswer: boolean;
  /** A push of an older epoch is refused. */
  readonly fencing: boolean;
  /** A push that skips numbers is refused. */
  readonly refuseGap: boolean;
  /** Numbers are on disk before they leave. */
  readonly syncBeforeSend: boolean;
  /** The next number outlives the records. */
  readonly nextApart: boolean;
  /** The clock is in the epoch, so a rewound object does not give one twice. */
  readonly epochFromClock: boolean;
  /** What has a number does not merge: else it merges `under` the number that it has, or under a new one. */
  readonly numberedMerge: "never" | "old number" | "new number";
  /** What had a number in an earlier epoch does not merge either. */
  readonly exposedStays: boolean;
  /** Rollups count what was new. */
  readonly rollupFresh: boolean;
  /** Events stay in the Cluster for 48 h after Postgres took them. */
  readonly eventsKept: boolean;
  /** `persisted` moves when the statement returned. */
  readonly persistedAfterReturn: boolean;
}

export const FULL: Rules = {
  numbersUnique: true,
  keysUnique: true,
  longerStands: true,
  containedSkipped: true,
  containedRemoved: true,
  base: true,
  epoch: true,
  freeAtPersisted: true,
  writeBeforeAnswer: true,
  fencing: true,
  refuseGap: true,
  syncBeforeSend: true,
  nextApart: true,
  epochFromClock: true,
  numberedMerge: "never",
  exposedStays: true,
  rollupFresh: true,
  eventsKept: true,
  persistedAfterReturn: true,
};

/** One rule removed. */
export interface Mutant {
  readonly name: string;
  readonly rules: Rules;
}

const without = (name: string, change: Partial<Rules>): Mutant => ({ name, rules: { ...FULL, ...change } });

/**
 * Two lines of defence against a minute in two windows: the agent merges only what was never sent, and Postgres keeps the
 * longer one. Each covers for the other but for what two disks of one agent send, so the first is seen without the second.
 */
const OVERLAPS_STAY = { containedSkipped: false, containedRemoved: false };

export const MUTANTS: readonly Mutant[] = [
  without("no unique keys in Postgres", { numbersUnique: false, keysUnique: false }),
  without("no base in the push", { base: false }),
  without("no epoch", { epoch: false }),
  without("freed at received", { freeAtPersisted: false }),
  without("answered before the write", { writeBeforeAnswer: false }),
  without("old epochs not fenced", { fencing: false }),
  without("gaps not refused", { refuseGap: false }),
  without("sent before the numbers are on disk", { syncBeforeSend: false }),
  without("next number kept with the records", { nextApart: false }),
  without("epochs counted, not timed", { epochFromClock: false }),
  without("numbered windows merged under the old number", { numberedMerge: "old number" }),
  without("numbered windows merged under a new number, overlaps stay", {
    numberedMerge: "new number",
    ...OVERLAPS_STAY,
  }),
  without("windows numbered in an earlier epoch merged, overlaps stay", { exposedStays: false, ...OVERLAPS_STAY }),
  without("numbers unique, keys not", { keysUnique: false }),
  without("a shorter window overwrites a longer one", { longerStands: false }),
  without("a contained window is stored beside the longer one", { containedSkipped: false }),
  without("a longer window leaves what it contains", { containedRemoved: false }),
  without("rollups count what is not new", { rollupFresh: false }),
  without("events freed before 48 h", { eventsKept: false }),
  without("persisted before the statement returned", { persistedAfterReturn: false }),
];
