/** The limits that a reading is held against. */

/**
 * Ratios 0 to 1, latency in ms. A reading of fewer requests than `requestsMin`, some of which failed, proves nothing, and
 * such a one is not slow.
 */
export interface Thresholds {
  readonly errorRatioDegraded: number;
  readonly errorRatioPartial: number;
  readonly errorRatioMajor: number;
  readonly p95Ms: number;
  readonly requestsMin: number;
}

/** The runbook's: "Error Rate <1% (alert if >5%)", "P95 Latency alert if >500ms". */
export const THRESHOLDS: Thresholds = {
  errorRatioDegraded: 0.01,
  errorRatioPartial: 0.05,
  errorRatioMajor: 0.5,
  p95Ms: 500,
  requestsMin: 5,
};

/** What is wrong with limits that somebody gave, by their name; a limit that is not given is the runbook's. */
export function thresholdFault(
  given: Partial<Thresholds>,
): { readonly of: keyof Thresholds; readonly what: string } | null {
  const {
    errorRatioDegraded: degraded,
    errorRatioPartial: partial,
    errorRatioMajor: major,
  } = { ...THRESHOLDS, ...given };
  if (degraded > partial) return { of: "errorRatioDegraded", what: "must not be above the limit of a partial outage" };
  return partial > major ? { of: "errorRatioPartial", what: "must not be above the limit of a major outage" } : null;
}
