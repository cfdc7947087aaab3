/** How much of a moment counts as lost, and what is left of it all. The page and the operator's API say the same. */
import type { ComponentStatus } from "./status.ts";

/** Maintenance and silence are left out: neither up nor down. */
const WEIGHTS: readonly (readonly [ComponentStatus, number])[] = [
  ["operational", 0],
  ["degraded_performance", 0],
  ["partial_outage", 0.3],
  ["major_outage", 1],
];

/** Milliseconds spent in each status; absent is 0. */
type Tally = Partial<Record<ComponentStatus, number>>;

/** Time-weighted uptime over some tallies, 0 to 1; null if no time was counted at all. Not floored: `flooredRatio`. */
export function uptimeRatio(tallies: readonly Tally[]): number | null {
  let counted = 0;
  let lost = 0;
  for (const ms of tallies) {
    for (const [status, weight] of WEIGHTS) {
      const spent = ms[status] ?? 0;
      counted += spent;
      lost += spent * weight;
    }
  }
  return counted === 0 ? null : (counted - lost) / counted;
}

/** The time that some tallies lost, each status by its weight; whole ms, a fraction of one is a loss too. */
export function lostMs(tallies: readonly Tally[]): number {
  const lost = tallies.reduce((sum, ms) => sum + WEIGHTS.reduce((a, [status, w]) => a + (ms[status] ?? 0) * w, 0), 0);
  // 0.3 is not a sum of halves: what floats add in their last digits is no millisecond.
  return Math.ceil(Number(lost.toFixed(3)));
}

/** Share of what is left of a ratio that floats may take away before it is floored: 0.29 must not become 0.28. */
const FLOAT_SLACK = 1e-12;

/** A ratio with `digits` after the point, floored, so that no loss ever shows as 1. */
export function flooredRatio(ratio: number, digits: number): number {
  if (ratio >= 1) return 1;
  const unit = 10 ** digits;
  return Math.min(Math.floor((ratio + FLOAT_SLACK) * unit), unit - 1) / unit;
}
