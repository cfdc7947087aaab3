import type { DayTally } from "../../protocol/page.ts";
import type { ComponentStatus } from "../../protocol/status.ts";

/** How much of a moment counts as lost. Maintenance and silence are left out: neither up nor down. */
const WEIGHTS: readonly (readonly [ComponentStatus, number])[] = [
  ["operational", 0],
  ["degraded_performance", 0],
  ["partial_outage", 0.3],
  ["major_outage", 1],
];

/** Time-weighted uptime over some days, 0 to 1; null if no time was counted at all. */
export function uptimeRatio(days: readonly DayTally[]): number | null {
  let counted = 0;
  let lost = 0;
  for (const { ms } of days) {
    for (const [status, weight] of WEIGHTS) {
      const spent = ms[status] ?? 0;
      counted += spent;
      lost += spent * weight;
    }
  }
  return counted === 0 ? null : (counted - lost) / counted;
}
