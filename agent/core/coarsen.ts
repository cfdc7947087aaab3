/**
 * Which windows become coarser when the spool runs out of room, and what they become: 1 min, then 5 min, then 1 h.
 *
 * Counts and histograms add exactly, so a coarser window loses resolution in time and nothing else. Only windows that
 * never had a number may come here: one that had may be in Postgres under its own key, and a coarser one beside it would
 * count its minutes twice (`reference/delivery.md` 5) if Postgres did not keep the longer one. That is the second line
 * of defence; this is the first.
 *
 * Only what fills its bucket merges. Another disk of the same agent may hold the same minutes merged otherwise, and of
 * windows that fill aligned buckets one always contains the other or they do not meet: then Postgres keeps the longer
 * one. Two that overlap in part would both stand. So a bucket in which a minute is missing, because the service was not
 * there yet or nobody read it, stays as it is, and is dropped and declared where it would have to merge.
 */
import { mergeLatency } from "../../protocol/latency.ts";
import { errorsAmongRequests } from "../../protocol/count.ts";
import type { WindowRecord } from "../../protocol/record.ts";
import { HOUR, MINUTE, type Millis } from "../../protocol/time.ts";
import { RECENT_MS } from "./numbering.ts";

/** The lengths of coarser windows, ms. They begin at whole multiples of themselves in Unix time. */
const COARSE_SPANS_MS: readonly number[] = [5 * MINUTE, HOUR];

/** A window that never had a number, as the spool's index knows it. */
export interface Mergeable {
  readonly id: number;
  readonly service: string;
  /** Start, and length in ms. */
  readonly at: Millis;
  readonly spanMs: number;
  /** The bounds of its histogram as one text, null without a histogram. Windows of different bounds stay apart: merging them would lose resolution. */
  readonly bounds: string | null;
}

/** Windows that become one: of one service, oldest first, and together they fill a bucket. At least two. */
export type Run = readonly Mergeable[];

/**
 * The runs to merge next, oldest first, of `windowsMax` windows in all (one run at least, if there is any). Everything
 * becomes 5 minutes long before anything becomes an hour. A bucket counts once all of it is closed (`closedUntil`) and
 * no longer recent, because what is recent leaves first and should leave whole.
 */
export function chooseRuns(windows: readonly Mergeable[], closedUntil: Millis, windowsMax: number): readonly Run[] {
  const alone = withoutOverlap(windows.toSorted((a, b) => a.at - b.at || a.id - b.id));
  for (const spanMs of COARSE_SPANS_MS) {
    const runs = runsWithin(alone, spanMs, closedUntil - RECENT_MS);
    if (runs.length > 0) return oldest(runs, windowsMax);
  }
  return [];
}

/** The window that a run becomes; `windows` are its records in its order. */
export function mergeRun(windows: readonly WindowRecord[]): WindowRecord {
  return windows.reduce((merged, next) => {
    const requests = merged.requests + next.requests;
    const errors = merged.errors + next.errors;
    const { latency } = merged;
    return {
      ...merged,
      spanMs: merged.spanMs + next.spanMs,
      requests,
      // Each may exceed its requests by a hair, because Prometheus extrapolates; sixty hairs would not be believed.
      errors: errorsAmongRequests({ requests, errors }) ? errors : requests,
      // Of one scheme, because they are of the same bounds.
      latency:
        latency === null || next.latency === null ? (latency ?? next.latency) : mergeLatency(latency, next.latency),
    };
  });
}

/** A minute that was closed twice (a clock was set back) is in two windows: the key of one replaces the other, and merged they would count twice. */
function withoutOverlap(windows: readonly Mergeable[]): readonly Mergeable[] {
  const furthest = new Map<string, Mergeable>();
  const overlapped = new Set<Mergeable>();
  for (const window of windows) {
    const before = furthest.get(window.service);
    if (before !== undefined && window.at < endOf(before)) overlapped.add(before).add(window);
    if (before === undefined || endOf(window) > endOf(before)) furthest.set(window.service, window);
  }
  return overlapped.size === 0 ? windows : windows.filter((window) => !overlapped.has(window));
}

/** The runs of windows shorter than `spanMs` that fill a bucket of `spanMs` which ends at `until` at the latest. */
function runsWithin(windows: readonly Mergeable[], spanMs: number, until: Millis): readonly Run[] {
  const open = new Map<string, Mergeable[]>();
  const runs: Mergeable[][] = [];
  for (const window of windows) {
    const bucketAt = Math.floor(window.at / spanMs) * spanMs;
    if (bucketAt + spanMs > until || endOf(window) > bucketAt + spanMs || window.spanMs >= spanMs) continue;
    const run = open.get(window.service);
    if (run !== undefined && continues(run, window, bucketAt)) run.push(window);
    else if (window.at === bucketAt) {
      const begun = [window];
      open.set(window.service, begun);
      runs.push(begun);
    }
  }
  return runs.filter((run) => run.reduce((sum, window) => sum + window.spanMs, 0) === spanMs);
}

function continues(run: Run, window: Mergeable, bucketAt: Millis): boolean {
  const last = run.at(-1);
  if (last === undefined || endOf(last) !== window.at || last.at < bucketAt) return false;
  const known = run.find(({ bounds }) => bounds !== null);
  return known === undefined || window.bounds === null || window.bounds === known.bounds;
}

function oldest(runs: readonly Run[], windowsMax: number): readonly Run[] {
  const chosen: Run[] = [];
  let windows = 0;
  // They come in the order of their first windows.
  for (const run of runs) {
    if (chosen.length > 0 && windows + run.length > windowsMax) return chosen;
    chosen.push(run);
    windows += run.length;
  }
  return chosen;
}

function endOf({ at, spanMs }: Mergeable): Millis {
  return at + spanMs;
}
