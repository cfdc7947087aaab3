/** What one service's evidence says: thresholds of the runbook over the last readings, and ready replicas. */
import { FUTURE_MS, SILENT_INTERVALS } from "../../protocol/limits.ts";
import { thresholdVerdict } from "../../protocol/latency.ts";
import type { LiveService, Reading } from "../../protocol/push.ts";
import type { Millis } from "../../protocol/time.ts";
import { steadyLevel } from "./level.ts";

/** Statuses that evidence can give; silence and maintenance are decided by the reader of it. */
export type ServiceStatus = "operational" | "unknown" | "degraded_performance" | "partial_outage" | "major_outage";

/** `reason` is for operators, `why` is the same in plain words for visitors; both null where there is nothing to say. */
export interface ServiceVerdict {
  readonly status: ServiceStatus;
  readonly reason: string;
  readonly why: string | null;
}

/** Ratios 0 to 1, latency in ms. The runbook's values; fewer failing requests than `requestsMin` prove nothing. */
export interface Thresholds {
  readonly errorRatioDegraded: number;
  readonly errorRatioPartial: number;
  readonly errorRatioMajor: number;
  readonly p95Ms: number;
  readonly requestsMin: number;
}

const THRESHOLDS: Thresholds = {
  errorRatioDegraded: 0.01,
  errorRatioPartial: 0.05,
  errorRatioMajor: 0.5,
  p95Ms: 500,
  requestsMin: 5,
};

const LEVELS = ["operational", "degraded_performance", "partial_outage", "major_outage"] as const;
type Level = 0 | 1 | 2 | 3;

/**
 * Decides one service. Raised by the second worst of the last three readings, cleared only when three are better:
 * between the two the former status stays, which is what keeps it from flapping. An outage whose evidence dries up
 * (a blind source, too few requests) is unknown: it was not refuted.
 *
 * @param previous what was decided last, null if nothing yet
 * @param scope the agent's moment of the push (same clock as the readings'), its interval, and whether the source of
 *   its metrics is blind
 */
export function serviceVerdict(
  previous: ServiceStatus | null,
  service: LiveService,
  scope: { readonly liveAt: Millis; readonly intervalMs: number; readonly blind: boolean },
  thresholds: Thresholds = THRESHOLDS,
): ServiceVerdict {
  const { replicas } = service;
  if (replicas !== null && replicas.desired > 0 && replicas.ready === 0) {
    return {
      status: "major_outage",
      reason: `0 of ${replicas.desired} replicas are ready`,
      why: "It is not running.",
    };
  }
  const readings = freshReadings(service, scope.liveAt, scope.intervalMs).filter((reading) =>
    tells(reading, thresholds),
  );
  if (readings.length === 0) return withoutReadings(previous, service, scope.blind);
  return withReadings(previous, readings, thresholds);
}

/**
 * The readings that are neither too old (a source that fell silent leaves its last ones behind) nor from a future that
 * a clock once believed in.
 */
export function freshReadings(service: LiveService, liveAt: Millis, intervalMs: number): readonly Reading[] {
  return service.readings.filter(({ at }) => at > liveAt - SILENT_INTERVALS * intervalMs && at <= liveAt + FUTURE_MS);
}

/** Few requests that all went well are evidence; few of which some failed prove nothing, and none at all neither. */
function tells({ requests, errors }: Reading, { requestsMin }: Thresholds): boolean {
  return requests >= requestsMin || (requests > 0 && errors === 0);
}

function withoutReadings(previous: ServiceStatus | null, { replicas }: LiveService, blind: boolean): ServiceVerdict {
  if (replicas === null)
    return { status: "unknown", reason: "no telling metrics and no replicas are reported", why: null };
  if (replicas.desired === 0) return { status: "unknown", reason: "scaled to zero", why: "It is switched off." };
  const cause = blind ? "the source of metrics is blind" : "too little traffic to tell";
  // Its replicas were ready while it failed, too.
  if (previous !== null && previous !== "operational") return { status: "unknown", reason: cause, why: null };
  return {
    status: "operational",
    reason: `${replicas.ready} of ${replicas.desired} replicas are ready; ${cause}`,
    why: null,
  };
}

function withReadings(
  previous: ServiceStatus | null,
  readings: readonly Reading[],
  thresholds: Thresholds,
): ServiceVerdict {
  const levels = readings.map((reading) => levelOf(reading, thresholds));
  const before = previous === null || previous === "unknown" ? 0 : LEVELS.indexOf(previous);
  const level = steadyLevel(before, levels) as Level;
  const newest = readings.at(-1);
  if (newest === undefined || level === 0) {
    // One bad reading raises nothing; but where nothing good was seen before, it is no evidence of health either.
    const first = levels.some((one) => one > 0) && previous !== "operational";
    return first
      ? { status: "unknown", reason: "one bad reading, not enough to tell", why: null }
      : { status: "operational", reason: "within all limits", why: null };
  }
  // The newest reading that is as bad as the verdict explains it; while clearing, none may be.
  const shown = readings.findLast((_, i) => (levels[i] ?? 0) >= level) ?? newest;
  return { status: LEVELS[level], ...explain(shown, level, readings.length, thresholds) };
}

function levelOf(reading: Reading, thresholds: Thresholds): Level {
  const ratio = reading.errors / reading.requests;
  if (ratio > thresholds.errorRatioMajor) return 3;
  if (ratio > thresholds.errorRatioPartial) return 2;
  if (ratio > thresholds.errorRatioDegraded || isSlow(reading, thresholds)) return 1;
  return 0;
}

function isSlow({ p95 }: Reading, { p95Ms }: Thresholds): boolean {
  if (p95 === null) return false;
  const [estimate, lo, hi] = p95;
  return thresholdVerdict({ estimate, lo, hi }, p95Ms) === "breached";
}

function explain(
  reading: Reading,
  level: Level,
  count: number,
  thresholds: Thresholds,
): { readonly reason: string; readonly why: string } {
  const ratio = reading.requests > 0 ? reading.errors / reading.requests : 0;
  const over = `over the last ${count} readings`;
  if (ratio > thresholds.errorRatioDegraded) {
    const limit = [0, thresholds.errorRatioDegraded, thresholds.errorRatioPartial, thresholds.errorRatioMajor][level];
    return {
      reason: `error ratio ${percent(ratio)} ${over}, limit ${percent(limit ?? 0)}`,
      why: `About ${inWords(ratio)} requests fail.`,
    };
  }
  if (isSlow(reading, thresholds)) {
    return {
      reason: `p95 above ${reading.p95?.[1] ?? 0} ms ${over}, limit ${thresholds.p95Ms} ms`,
      why: "Answers are slower than they should be.",
    };
  }
  return { reason: "recovering: not yet three good readings in a row", why: "It is recovering." };
}

function percent(ratio: number): string {
  return `${Number((ratio * 100).toPrecision(2))} %`;
}

function inWords(ratio: number): string {
  if (ratio >= 0.95) return "all";
  if (ratio >= 0.1) return `${Math.round(ratio * 10)} of 10`;
  return `${Math.max(1, Math.round(ratio * 100))} of 100`;
}
