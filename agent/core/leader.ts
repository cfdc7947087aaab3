/**
 * Which of several agents leads, by a Lease (`reference/kubernetes.md` 6). Another's end is judged by this machine's own
 * time since the Lease last changed, so that no clock need agree with another. Monotonic moments, ms.
 */

export interface ElectionPace {
  /** A Lease that nobody renewed for this long is free, s. */
  readonly leaseSeconds: number;
  /** A leader that could not renew for this long stops, before anybody else may begin, ms. */
  readonly deadlineMs: number;
  /** Between two looks, ms. */
  readonly retryMs: number;
}
/** client-go's numbers. */
export const ELECTION_PACE: ElectionPace = { leaseSeconds: 15, deadlineMs: 10_000, retryMs: 2_000 };
/** A holder's own length is believed within these, ms. */
const DURATION_LEAST_MS = 1_000;
const DURATION_MOST_MS = 60_000;

/** What the Lease says. */
export interface LeaseView {
  readonly resourceVersion: string;
  /** null or empty: nobody's. */
  readonly holder: string | null;
  readonly seconds: number | null;
  readonly acquireTime: string | null;
  readonly transitions: number;
}

/** The version seen last, and since when. */
export interface Seen {
  readonly resourceVersion: string;
  readonly at: number;
}

export type LeaderStep =
  | { readonly act: "write"; readonly acquireTime: string; readonly transitions: number }
  | { readonly act: "wait"; readonly holder: string };

/** What to do now that the Lease looks so, and what to remember of it. `wallTime` is a MicroTime. */
export function leaderStep(
  me: string,
  lease: LeaseView,
  seen: Seen | null,
  now: number,
  wallTime: string,
): { readonly step: LeaderStep; readonly seen: Seen } {
  const { resourceVersion, holder, transitions } = lease;
  const next = seen?.resourceVersion === resourceVersion ? seen : { resourceVersion, at: now };
  if (holder === me)
    return { step: { act: "write", acquireTime: lease.acquireTime ?? wallTime, transitions }, seen: next };
  const isFree = holder === null || holder === "";
  const durationMs = Math.min(Math.max((lease.seconds ?? 0) * 1_000, DURATION_LEAST_MS), DURATION_MOST_MS);
  if (!isFree && now - next.at < durationMs) return { step: { act: "wait", holder }, seen: next };
  return { step: { act: "write", acquireTime: wallTime, transitions: transitions + 1 }, seen: next };
}

/** Whether a Lease that was last written by a call begun at `renewedAt` still makes its writer the leader. */
export function isLeading(renewedAt: number | null, { deadlineMs }: ElectionPace, now: number): boolean {
  return renewedAt !== null && now - renewedAt < deadlineMs;
}

/** RFC 3339 with exactly six digits of a second: what the server wants of a MicroTime, and JavaScript has three. */
export function microTime(isoMillis: string): string {
  return isoMillis.replace("Z", "000Z");
}
