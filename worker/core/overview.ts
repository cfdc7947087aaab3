/** The runbook's five numbers of the whole mesh, each with its verdict by the runbook's thresholds and the reason. */
import type { Quantile } from "../../protocol/latency.ts";
import { quantileOf, thresholdVerdict } from "../../protocol/latency.ts";
import { SECOND } from "../../protocol/time.ts";
import { blindText } from "./certificate.ts";
import { latenciesOf } from "./component.ts";
import type { ToldService } from "./component.ts";

/** Thresholds of the runbook's "Metrics Review". */
const RATE_CHANGE = 0.2;
const [ERRORS_GOOD, ERRORS_ALERT] = [0.01, 0.05];
const [P95_GOOD_MS, P95_ALERT_MS] = [200, 500];
/** Fewer days than these make no baseline. */
const BASELINE_DAYS_MIN = 3;

export const REVIEW_VERDICTS = ["ok", "warning", "alert", "indeterminate", "unknown"] as const;
/** `indeterminate`: the histogram's bounds cannot tell. `unknown`: there is no evidence. Neither is well. */
export type ReviewVerdict = (typeof REVIEW_VERDICTS)[number];

export interface Reviewed {
  readonly verdict: ReviewVerdict;
  readonly reason: string;
}

export interface Traffic {
  /** Null if nothing reports. */
  readonly requestsPerSecond: number | null;
  readonly errorRatio: number | null;
  readonly p95: Quantile | null;
}

type Counted = Pick<ToldService, "traffic" | "latency" | "exponential">;

/** What services did together, each over its newest reading. Counts are merged; percentiles never are. */
export function trafficOf(services: readonly Counted[]): Traffic {
  return { ...rateOf(services), p95: quantileOf(services.flatMap(latenciesOf), 0.95) };
}

/** The same without what needs histograms. */
export function rateOf(services: readonly Pick<Counted, "traffic">[]): Omit<Traffic, "p95"> {
  const seen = services.flatMap(({ traffic }) => (traffic === null ? [] : [traffic]));
  const rate = (count: (one: (typeof seen)[number]) => number): number =>
    seen.reduce((sum, one) => sum + (count(one) * SECOND) / one.spanMs, 0);
  const requests = rate((one) => one.requests);
  return {
    requestsPerSecond: seen.length === 0 ? null : requests,
    errorRatio: requests > 0 ? Math.min(1, rate((one) => one.errors) / requests) : null,
  };
}

/** Usual traffic at this time of day, and how far from it now is; null if it is not known. */
export interface Baseline {
  readonly requestsPerSecond: number;
  readonly days: number;
  /** −0.2 is a fifth less than usual; null if nothing reports or nothing is usual. */
  readonly change: number | null;
}

/** @param usual the same hour of the last days, requests per second; null if they could not be asked for */
export function reviewRate(
  { requestsPerSecond }: Traffic,
  usual: readonly number[] | null,
): Reviewed & { readonly baseline: Baseline | null } {
  if (requestsPerSecond === null) return { verdict: "unknown", reason: "nothing reports traffic", baseline: null };
  if (usual === null) return { verdict: "unknown", reason: "history cannot be reached", baseline: null };
  if (usual.length < BASELINE_DAYS_MIN) {
    const reason = `${usual.length} days of history at this hour, ${BASELINE_DAYS_MIN} make a baseline`;
    return { verdict: "unknown", reason, baseline: null };
  }
  const median = medianOf(usual);
  const change = median > 0 ? requestsPerSecond / median - 1 : null;
  const baseline = { requestsPerSecond: median, days: usual.length, change };
  if (change === null) return { verdict: "unknown", reason: "no traffic is usual at this hour", baseline };
  const reason = `${figure(requestsPerSecond)} requests/s, ${percent(Math.abs(change))} ${change < 0 ? "below" : "above"} the ${figure(median)} usual at this hour, limit ±${percent(RATE_CHANGE)}`;
  // Not by `change`: 1.2 − 1 is a hair below 0.2.
  const isUsual = requestsPerSecond >= median * (1 - RATE_CHANGE) && requestsPerSecond <= median * (1 + RATE_CHANGE);
  return { verdict: isUsual ? "ok" : "warning", reason, baseline };
}

function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low = 0, high = low] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  return (low + high) / 2;
}

/** Below 1 % is good, above 5 % an alert. */
export function reviewErrors({ errorRatio }: Traffic): Reviewed {
  if (errorRatio === null) return { verdict: "unknown", reason: "no requests were seen" };
  const said = `error ratio ${percent(errorRatio)}`;
  if (errorRatio > ERRORS_ALERT) return { verdict: "alert", reason: `${said}, limit ${percent(ERRORS_ALERT)}` };
  if (errorRatio >= ERRORS_GOOD)
    return { verdict: "warning", reason: `${said}, good is below ${percent(ERRORS_GOOD)}` };
  return { verdict: "ok", reason: said };
}

/** Below 200 ms is good, above 500 ms an alert; what the buckets cannot tell is said with the bound that is missing. */
export function reviewP95({ p95 }: Traffic): Reviewed {
  if (p95 === null) return { verdict: "unknown", reason: "no latencies were seen" };
  const reviews = [p95, ...(p95.also === undefined ? [] : [p95.also])].map(reviewQuantile);
  // Counted in two schemes: neither may hide what the other shows.
  return P95_WORST.flatMap((verdict) => reviews.filter((one) => one.verdict === verdict))[0] ?? reviewQuantile(p95);
}

const P95_WORST: readonly ReviewVerdict[] = ["alert", "indeterminate", "warning", "ok"];

function reviewQuantile(p95: Quantile): Reviewed {
  const said = `p95 lies in (${figure(p95.lo)}, ${p95.hi === null ? "∞" : figure(p95.hi)}] ms`;
  const [good, alert] = [thresholdVerdict(p95, P95_GOOD_MS), thresholdVerdict(p95, P95_ALERT_MS)];
  if (alert === "breached") return { verdict: "alert", reason: `${said}, limit ${P95_ALERT_MS} ms` };
  if (alert === "indeterminate") return cannotTell(said, p95, P95_ALERT_MS);
  if (good === "breached") return { verdict: "warning", reason: `${said}, good is below ${P95_GOOD_MS} ms` };
  return good === "met" ? { verdict: "ok", reason: said } : cannotTell(said, p95, P95_GOOD_MS);
}

function cannotTell(said: string, { method }: Quantile, bound: number): Reviewed {
  // The buckets of an exponential histogram lie where they lie.
  const hint = method === "midpoint" ? "" : `, add ${bound} to statsHistogramBuckets`;
  return { verdict: "indeterminate", reason: `${said}: cannot tell whether it is within ${bound} ms${hint}` };
}

/** A number of what reports is not the mesh's: with the rest silent, it may be bad news and is never good. */
export function ofThose<R extends Reviewed>(reviewed: R, total: number, reporting: number): R {
  const silent = total - reporting;
  if (silent <= 0 || reporting === 0) return reviewed;
  const verdict = reviewed.verdict === "ok" ? "unknown" : reviewed.verdict;
  return { ...reviewed, verdict, reason: `${reviewed.reason}; ${silent} of ${total} services do not report` };
}

/** `isOld`: Postgres could not be asked again for so long that an expiry of now may be missing. */
interface KnownCertificates {
  readonly expiring: number;
  readonly unknown: number;
  readonly sources: number;
  readonly notReporting: number;
  /** Whether no source sees anything. */
  readonly isBlind: boolean;
  readonly isOld: boolean;
}

/** None may end within 7 days. What nobody sees is not well. */
export function reviewCertificates(known: KnownCertificates | null): Reviewed {
  if (known === null) return { verdict: "unknown", reason: "the archive of what was seen cannot be reached" };
  const { expiring, unknown, sources, notReporting, isOld } = known;
  const missing = notReporting === 0 ? "" : `, ${notReporting} of ${sources} sources not reporting`;
  const old = isOld ? ", as the archive said when it could be reached last" : "";
  const reason = `${expiring} expiring within 7 days${missing}${unknown === 0 ? "" : `, ${unknown} unknown`}${old}`;
  if (expiring > 0) return { verdict: "alert", reason };
  if (sources === 0) return { verdict: "unknown", reason: "no agent looks at certificates" };
  if (known.isBlind) return { verdict: "unknown", reason: blindText(sources, unknown) };
  return notReporting > 0 || unknown > 0 || isOld ? { verdict: "unknown", reason } : { verdict: "ok", reason };
}

function percent(ratio: number): string {
  return `${Number((ratio * 100).toPrecision(3))} %`;
}

function figure(value: number): string {
  return String(Number(value.toPrecision(3)));
}
