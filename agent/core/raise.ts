/**
 * When a score becomes an event: raised at the threshold, open until it has been calm, and none raised again too soon.
 *
 * Without the pause a detector that is right once would be right a hundred times, and nobody would read it.
 */

/** An open event closes after so many points in a row below this. */
const CALM_BELOW = 0.6;
const CALM_POINTS = 5;

export interface Raising {
  /** Points since the last event was raised; null if none ever was. */
  readonly since: number | null;
  /** Calm points in a row while an event is open; null while none is. */
  readonly calm: number | null;
}

export const QUIET: Raising = { since: null, calm: null };
/** What nearly every point of nearly every series comes to: made once. */
const STILL_QUIET: Raised = { next: QUIET, act: "none" };

export interface Raised {
  readonly next: Raising;
  /** `held`: at the threshold, but an event is open, or the last one was raised too short a time ago. */
  readonly act: "raise" | "close" | "held" | "none";
}

/** @param score of the point; null for a point without one, which neither raises nor calms */
export function raise(
  { since, calm }: Raising,
  score: number | null,
  threshold: number,
  refractoryPoints: number,
): Raised {
  if (since === null && calm === null && (score === null || score < threshold)) return STILL_QUIET;
  const passed = since === null ? null : since + 1;
  if (score === null) return { next: { since: passed, calm }, act: "none" };
  const isHigh = score >= threshold;
  if (calm !== null) {
    const calmer = score < CALM_BELOW ? calm + 1 : 0;
    // What lasts as long as the pause ends as well: if it is still unusual then, that is said again.
    if (calmer >= CALM_POINTS || (passed ?? 0) >= refractoryPoints)
      return { next: { since: passed, calm: null }, act: "close" };
    return { next: { since: passed, calm: calmer }, act: isHigh ? "held" : "none" };
  }
  if (!isHigh) return { next: { since: passed, calm }, act: "none" };
  if (passed !== null && passed < refractoryPoints) return { next: { since: passed, calm }, act: "held" };
  return { next: { since: 0, calm: 0 }, act: "raise" };
}
