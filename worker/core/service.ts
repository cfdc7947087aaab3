/** What one service's evidence says: thresholds of the runbook over the last readings, and ready replicas. */
import { FUTURE_MS, READINGS_MAX, SILENT_INTERVALS } from "../../protocol/limits.ts";
import { thresholdDoubt, thresholdVerdict } from "../../protocol/latency.ts";
import type { ThresholdVerdict } from "../../protocol/latency.ts";
import type { LiveService, Reading } from "../../protocol/push.ts";
import type { Millis } from "../../protocol/time.ts";
import { RAISE_READINGS, steadyLevel } from "./level.ts";
import type { Thresholds } from "./thresholds.ts";
import { THRESHOLDS } from "./thresholds.ts";

/** Statuses that evidence can give; silence and maintenance are decided by the reader of it. */
export type ServiceStatus = "operational" | "unknown" | "degraded_performance" | "partial_outage" | "major_outage";

/** `reason` is for operators, `why` is the same in plain words for visitors; both null where there is nothing to say. */
export interface ServiceVerdict {
  readonly status: ServiceStatus;
  readonly reason: string;
  readonly why: string | null;
  /**
   * What its readings alone said last, null if nothing yet. Only where the status is not theirs: what replicas show, or
   * what is missing, passes, and must not be taken for a failure that readings have yet to refute.
   */
  readonly readings?: ServiceStatus | null;
}

const LEVELS = ["operational", "degraded_performance", "partial_outage", "major_outage"] as const;
type Level = 0 | 1 | 2 | 3;
type Replicas = NonNullable<LiveService["replicas"]>;

/**
 * Decides one service. Raised by the second worst of the last three readings, cleared only when three are better:
 * between the two the former status stays, which is what keeps it from flapping. An outage whose evidence dries up
 * (a blind source, no requests or too few of them) is unknown: it was not refuted.
 *
 * @param previous what the readings said last by these thresholds, null if nothing yet
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
  if (previous === "operational" && isPlainlyWell(service, scope, thresholds)) return WITHIN_LIMITS;
  const fresh = freshReadings(service, scope.liveAt, scope.intervalMs);
  const telling = fresh.filter((reading) => tells(reading, thresholds));
  const byReadings = telling.length === 0 ? null : withReadings(previous, telling, thresholds, service);
  if (replicas !== null && replicas.desired > 0 && replicas.ready === 0) {
    return {
      status: "major_outage",
      reason: `0 of ${replicas.desired} replicas are ready`,
      why: "It is not running.",
      readings: byReadings?.status ?? previous,
    };
  }
  return byReadings ?? withoutEvidence(previous, fresh, replicas, scope.blind);
}

const WITHIN_LIMITS: ServiceVerdict = { status: "operational", reason: "within all limits", why: null };

/**
 * Whether nothing at all is wrong, seen without making anything: nearly every service of every push is well, and stays
 * what it was. If its readings said operational, `serviceVerdict` says that again.
 */
export function isPlainlyWell(
  { readings, replicas }: LiveService,
  { liveAt, intervalMs }: { readonly liveAt: Millis; readonly intervalMs: number },
  thresholds: Thresholds,
): boolean {
  if (readings.length === 0 || (replicas !== null && replicas.ready === 0)) return false;
  for (const reading of readings) {
    if (!isFresh(reading, liveAt, intervalMs) || !tells(reading, thresholds)) return false;
    if (levelOf(reading, thresholds) > 0 || isDoubtful(reading, thresholds)) return false;
  }
  return true;
}

/**
 * The readings that are neither too old (a source that fell silent leaves its last ones behind) nor from a future that
 * a clock once believed in.
 */
export function freshReadings(service: LiveService, liveAt: Millis, intervalMs: number): readonly Reading[] {
  return service.readings.filter((reading) => isFresh(reading, liveAt, intervalMs));
}

function isFresh({ at }: Reading, liveAt: Millis, intervalMs: number): boolean {
  return at > liveAt - SILENT_INTERVALS * intervalMs && at <= liveAt + FUTURE_MS;
}

/** Few requests that all went well are evidence; few of which some failed prove nothing, and none at all neither. */
function tells({ requests, errors }: Reading, { requestsMin }: Thresholds): boolean {
  return requests >= requestsMin || (requests > 0 && errors === 0);
}

/**
 * Where no reading tells anything, which takes three of them to come about: until then the former status stands on the
 * older ones. Ready replicas are evidence of health, but not against what was seen to fail; and nothing here is an
 * outage.
 *
 * @param fresh readings that are new enough, none of which tells
 */
function withoutEvidence(
  previous: ServiceStatus | null,
  fresh: readonly Reading[],
  replicas: LiveService["replicas"],
  blind: boolean,
): ServiceVerdict {
  if (replicas?.desired === 0)
    return { status: "unknown", reason: "scaled to zero", why: "It is switched off.", readings: previous };
  const { cause, why } = silenceOf(fresh, blind);
  if (replicas === null) {
    const reason = `${cause}, and no replicas are reported`;
    // Where nothing was seen to fail there is nothing to refute when replicas are reported: perhaps they are not yet.
    return { status: "unknown", reason, why, ...(isUnfailed(previous) ? { readings: previous } : {}) };
  }
  const ready = readyWords(replicas);
  // They were ready while it failed, too.
  if (!isUnfailed(previous))
    return { status: "unknown", reason: `${cause}; ${ready}, which refutes no failure seen before`, why };
  if (fresh.length >= READINGS_MAX && fresh.every(({ requests }) => requests > 0))
    return { status: "unknown", reason: `${cause}; ${ready}`, why };
  return { status: "operational", reason: `${ready}; ${cause}`, why: null };
}

function isUnfailed(previous: ServiceStatus | null): previous is "operational" | null {
  return previous === null || previous === "operational";
}

function readyWords({ ready, desired }: Replicas): string {
  return `${ready} of ${desired} replicas are ready`;
}

/** Why readings tell nothing; what to say of it to visitors, null where "data is missing" says it all. */
function silenceOf(fresh: readonly Reading[], blind: boolean): { readonly cause: string; readonly why: string | null } {
  if (blind) return { cause: "the source of metrics is blind", why: null };
  if (fresh.length === 0) return { cause: "no metrics are reported", why: null };
  const counts = fresh.findLast(({ requests }) => requests > 0);
  return counts === undefined
    ? { cause: "no requests", why: "No requests reach it, so nothing can be said of it." }
    : {
        cause: `${count(counts.errors)} of ${count(counts.requests)} requests failed, too few to tell`,
        why: "Too few requests reach it to tell.",
      };
}

function withReadings(
  previous: ServiceStatus | null,
  readings: readonly Reading[],
  thresholds: Thresholds,
  service: LiveService,
): ServiceVerdict {
  const levels = readings.map((reading) => levelOf(reading, thresholds));
  const before = previous === null || previous === "unknown" ? 0 : LEVELS.indexOf(previous);
  const level = steadyLevel(before, levels) as Level;
  if (level > 0) return { status: LEVELS[level], ...explain(readings, levels, level, thresholds) };
  const bad = readings.find((_, i) => (levels[i] ?? 0) > 0);
  return bad === undefined || (previous === "operational" && levels.includes(0))
    ? withinLimits(readings, thresholds, schemeOf(service))
    : withOneBad(previous, `one bad reading, not enough to tell: ${measured(bad, thresholds)}`, service);
}

/**
 * One bad reading raises nothing; but without a good one beside it, or before it, it is no evidence of health either: what
 * was well may have been so hours ago, before its agent fell silent.
 */
function withOneBad(previous: ServiceStatus | null, reason: string, { replicas }: LiveService): ServiceVerdict {
  if (previous === "operational" && replicas !== null && replicas.ready > 0)
    return { status: "operational", reason: `${readyWords(replicas)}; ${reason}`, why: null };
  const why = "Too little is known yet to tell.";
  return { status: "unknown", reason, why, ...(previous === "operational" ? { readings: previous } : {}) };
}

type Scheme = NonNullable<LiveService["latency"]>["scheme"];

/** Large meshes push no histograms; most of them have Istio's bounds. */
function schemeOf({ latency }: LiveService): Scheme {
  return latency?.scheme ?? "explicit";
}

/** A p95 that no bucket can hold against its limit raises nothing, but was not seen to be within it either. */
function withinLimits(readings: readonly Reading[], thresholds: Thresholds, scheme: Scheme): ServiceVerdict {
  const doubtful = readings.findLast((reading) => isDoubtful(reading, thresholds));
  const p95 = doubtful?.p95 ?? null;
  if (doubtful === undefined || p95 === null) return WITHIN_LIMITS;
  if (doubtful.requests < thresholds.requestsMin)
    return {
      ...WITHIN_LIMITS,
      reason: `errors within limits; ${count(doubtful.requests)} requests are too few for a p95`,
    };
  const doubt = thresholdDoubt({ estimate: p95[0], lo: p95[1], hi: p95[2] }, thresholds.p95Ms, scheme);
  return { ...WITHIN_LIMITS, reason: `errors within limits; ${doubt}` };
}

/** Whether it is not known to be slow, nor known not to be. */
function isDoubtful(reading: Reading, thresholds: Thresholds): boolean {
  return p95Verdict(reading, thresholds) === "indeterminate";
}

function levelOf(reading: Reading, thresholds: Thresholds): Level {
  const ratio = reading.errors / reading.requests;
  if (ratio > thresholds.errorRatioMajor) return 3;
  if (ratio > thresholds.errorRatioPartial) return 2;
  if (ratio > thresholds.errorRatioDegraded || isSlow(reading, thresholds)) return 1;
  return 0;
}

function isSlow(reading: Reading, thresholds: Thresholds): boolean {
  return p95Verdict(reading, thresholds) === "breached";
}

/**
 * The p95 of few requests is the slowest of them, and the spans of readings overlap: one slow request would be two bad
 * readings.
 */
function p95Verdict(
  { p95, requests }: Reading,
  { p95Ms, requestsMin }: Pick<Thresholds, "p95Ms" | "requestsMin">,
): ThresholdVerdict | null {
  if (p95 === null) return null;
  const [estimate, lo, hi] = p95;
  const verdict = thresholdVerdict({ estimate, lo, hi }, p95Ms);
  return verdict === "breached" && requests < requestsMin ? "indeterminate" : verdict;
}

/** The newest reading that is as bad as the verdict explains it; where too few are, what was raised before still stands. */
function explain(
  readings: readonly Reading[],
  levels: readonly Level[],
  level: Level,
  thresholds: Thresholds,
): Pick<ServiceVerdict, "reason" | "why"> {
  const bad = readings.filter((_, i) => (levels[i] ?? 0) >= level);
  const shown = bad.at(-1);
  if (shown === undefined || bad.length < RAISE_READINGS) {
    const above = `${bad.length} of ${readings.length} readings above its limit, and ${READINGS_MAX} better ones in a row clear it`;
    return readings.length < READINGS_MAX
      ? { reason: `not refuted: ${above}`, why: null }
      : { reason: `recovering: ${above}`, why: "It is recovering." };
  }
  const span =
    bad.length === readings.length
      ? `over the last ${bad.length} readings`
      : `in ${bad.length} of the last ${readings.length} readings`;
  const ratio = shown.errors / shown.requests;
  const limit =
    [0, thresholds.errorRatioDegraded, thresholds.errorRatioPartial, thresholds.errorRatioMajor][level] ?? 0;
  return ratio > limit
    ? {
        reason: `error ratio ${percent(ratio)} ${span}, limit ${percent(limit)}`,
        why: `About ${inWords(ratio)} requests fail.`,
      }
    : {
        reason: `p95 above ${shown.p95?.[1] ?? 0} ms ${span}, limit ${thresholds.p95Ms} ms`,
        why: "Answers are slower than they should be.",
      };
}

/** What is wrong with one bad reading. */
function measured({ errors, requests, p95 }: Reading, { errorRatioDegraded }: Thresholds): string {
  const ratio = errors / requests;
  return ratio > errorRatioDegraded ? `error ratio ${percent(ratio)}` : `p95 above ${p95?.[1] ?? 0} ms`;
}

/** Three figures: a ratio of 5.01 % is above a limit of 5 %, and must not read as if it were not. */
export function percent(ratio: number): string {
  return `${Number((ratio * 100).toPrecision(3))} %`;
}

/** `increase` gives fractions of requests. */
function count(value: number): string {
  return String(Number(value.toFixed(1)));
}

/** A share of requests: "all", "7 of 10", "2 of 100". */
export function inWords(ratio: number): string {
  if (ratio >= 0.95) return "all";
  if (ratio >= 0.1) return `${Math.round(ratio * 10)} of 10`;
  return `${Math.max(1, Math.round(ratio * 100))} of 100`;
}
