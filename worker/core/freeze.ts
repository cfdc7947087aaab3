/**
 * Past days freeze. What a day was is written down once, when all evidence of it has had its time, and is never written
 * again: a later correction is an entry of its own, which shows what stood there before. `protocol/chain.ts` links them.
 */
import type { ChainEntry, ChainHead, Correction } from "../../protocol/chain.ts";
import { GENESIS, headAfter } from "../../protocol/chain.ts";
import type { DayTally } from "../../protocol/page.ts";
import type { Result } from "../../protocol/result.ts";
import { failure, success } from "../../protocol/result.ts";
import type { Millis } from "../../protocol/time.ts";
import { MINUTE } from "../../protocol/time.ts";
import type { Component, StatusChange } from "./component.ts";
import { HISTORY_DAYS, openDays, talliesOf } from "./history.ts";
import type { StatusSpan } from "./uptime.ts";
import { spansOf, spent } from "./uptime.ts";

/** Evidence of a day's last second has expired by then, and the minute's tick has written down what that means. */
export const FREEZE_GRACE_MS = 15 * MINUTE;

/** Corrections of the days that a page shows; each is read with every snapshot. */
const AMENDMENTS_MAX = 500;

type Tallies = Readonly<Record<string, DayTally["ms"]>>;

interface FrozenDay {
  readonly day: string;
  readonly from: Millis;
  readonly to: Millis;
  /** By component, as corrected last. */
  readonly tallies: Tallies;
  /** As first frozen, of the components that were corrected since. */
  readonly was: Tallies;
}

export interface FrozenDays {
  /** Oldest first. */
  readonly days: readonly FrozenDay[];
  readonly head: ChainHead;
}

export const NOTHING_FROZEN: FrozenDays = { days: [], head: GENESIS };

/** What some entries say together. @param entries in the order of their numbers, without a hole */
export function frozenDays(entries: readonly ChainEntry[]): FrozenDays {
  const days = new Map<string, FrozenDay>();
  for (const { day, from, to, tallies, correction } of entries) {
    const known = days.get(day);
    if (correction === null) days.set(day, { day, from, to, tallies, was: {} });
    // An amendment of a day that nobody shows any more may be the last entry there is.
    if (correction === null || known === undefined) continue;
    const first = Object.keys(tallies).map((id) => [id, known.was[id] ?? known.tallies[id] ?? {}]);
    days.set(day, {
      ...known,
      tallies: { ...known.tallies, ...tallies },
      was: { ...known.was, ...Object.fromEntries(first) },
    });
  }
  return { days: [...days.values()], head: entries.reduce(headAfter, GENESIS) };
}

/** An entry that is to be linked to the chain. */
export type Draft = Omit<ChainEntry, "n" | "previous" | "hash">;

/** The entry that follows `head`, all but its hash. */
export function linked(draft: Draft, head: ChainHead): Omit<ChainEntry, "hash"> {
  return { ...draft, n: head.n + 1, previous: head.hash };
}

/** All that past days are made of. */
export interface DayFacts {
  readonly frozen: FrozenDays;
  readonly components: readonly Pick<Component, "id">[];
  /** Of each component, oldest first, complete up to `now`. */
  readonly changes: ReadonlyMap<string, readonly StatusChange[]>;
  readonly timeZone: string;
}

/** The days that are over and not frozen, oldest first. A page's first is the first that anything was seen on. */
export function daysToFreeze(facts: DayFacts, now: Millis): readonly Draft[] {
  const drafts: Draft[] = [];
  let { frozen } = facts;
  // No more than the page shows: a day that is older has no journal.
  while (drafts.length < HISTORY_DAYS) {
    const draft = dayToFreeze({ ...facts, frozen }, now);
    if (draft === null) break;
    drafts.push(draft);
    frozen = { ...frozen, days: [...frozen.days, { ...draft, was: {} }] };
  }
  return drafts;
}

function dayToFreeze({ frozen, components, changes, timeZone }: DayFacts, now: Millis): Draft | null {
  for (const { day, from, to } of openDays(frozen, now, timeZone)) {
    if (now < to + FREEZE_GRACE_MS) return null;
    const tallies = Object.fromEntries(
      components.flatMap(({ id }) =>
        talliesOf(changes.get(id) ?? [], [{ day, from, to }], to).map(({ ms }) => [id, ms] as const),
      ),
    );
    const isFirst = frozen.days.length === 0;
    if (isFirst && Object.keys(tallies).length === 0) continue;
    return { day, timeZone, from, to, at: now, tallies, correction: null };
  }
  return null;
}

export type AmendRefusal = "unknown_component" | "not_frozen" | "unchanged" | "too_many";

/**
 * The entries that a correction makes: one for each frozen day that it changes.
 *
 * @param entries those of the days that the page shows
 */
export function amendments(
  correction: Correction,
  { frozen, components, changes, timeZone }: DayFacts,
  entries: readonly ChainEntry[],
  now: Millis,
): Result<readonly Draft[], AmendRefusal> {
  const { component: id, from, to } = correction;
  if (!components.some((component) => component.id === id)) return failure("unknown_component");
  const days = frozen.days.filter((day) => day.from < to && day.to > from && day.tallies[id] !== undefined);
  if (days.length === 0 || to > frozen.head.frozenTo || from < (frozen.days[0]?.from ?? 0))
    return failure("not_frozen");
  const earlier = entries.filter((entry) => entry.correction?.component === id);
  const drafts = days.flatMap((day): Draft[] => {
    const corrections = earlier.flatMap((entry) => (entry.day === day.day ? (entry.correction ?? []) : []));
    const said = [...corrections, correction].reduce(corrected, spansOf(changes.get(id) ?? [], day.to));
    const ms = spent(said, day);
    if (isSame(ms, day.tallies[id] ?? {})) return [];
    return [{ day: day.day, timeZone, from: day.from, to: day.to, at: now, tallies: { [id]: ms }, correction }];
  });
  if (drafts.length === 0) return failure("unchanged");
  const made = entries.filter((entry) => entry.correction !== null).length;
  return made + drafts.length > AMENDMENTS_MAX ? failure("too_many") : success(drafts);
}

/**
 * What a journal says once its component's corrections are in it: each on the day that its entry is of.
 *
 * @param entries of the chain, in the order of their numbers; those that correct nothing are passed over
 */
export function asCorrected(spans: readonly StatusSpan[], entries: readonly ChainEntry[]): readonly StatusSpan[] {
  return entries.reduce((said, { from, to, correction }) => {
    if (correction === null) return said;
    const { status } = correction;
    return corrected(said, { from: Math.max(correction.from, from), to: Math.min(correction.to, to), status });
  }, spans);
}

/** What is said once a correction took the place of all that was said of its time. It adds no time that nothing was said of. */
function corrected(spans: readonly StatusSpan[], { from, to, status }: StatusSpan): readonly StatusSpan[] {
  return spans
    .flatMap((span) => [
      { ...span, to: Math.min(span.to, from) },
      { from: Math.max(span.from, from), to: Math.min(span.to, to), status },
      { ...span, from: Math.max(span.from, to) },
    ])
    .filter((span) => span.from < span.to);
}

function isSame(a: DayTally["ms"], b: DayTally["ms"]): boolean {
  const statuses = new Set([...Object.keys(a), ...Object.keys(b)]) as Set<keyof DayTally["ms"]>;
  return [...statuses].every((status) => (a[status] ?? 0) === (b[status] ?? 0));
}
