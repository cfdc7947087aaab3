/** The runbook's "Metrics Review" as one answer: what everything that reports does together, and what is to be said of it. */
import * as v from "valibot";
import type { Millis } from "../../protocol/time.ts";
import { DAY, MINUTE, SECOND } from "../../protocol/time.ts";
import { rfc3339 } from "../core/calendar.ts";
import { certificateSources, expiring, judgeCertificates } from "../core/certificate.ts";
import { anomaliesSaid, detectorsOf } from "../core/detector.ts";
import { reviewMorning } from "../core/morning.ts";
import {
  ofThose,
  REVIEW_VERDICTS,
  reviewCertificates,
  reviewErrors,
  reviewP95,
  reviewRate,
  trafficOf,
} from "../core/overview.ts";
import type { Watched } from "../core/watch.ts";
import { isOld } from "../core/watch.ts";
import type { OperatorView } from "../objects/operator-view.ts";
import { boardOf } from "../objects/env.ts";
import { usualRates } from "../store/baseline.ts";
import { answerAs, Count, QuantileAnswer, Ratio, Timestamp } from "./described.ts";
import { historyDatabase } from "./history.ts";
import type { AppContext, Route } from "./table.ts";

/** The runbook asks for it in an outage: what Postgres would add is left out rather than waited for. */
const BASELINE_TIMEOUT_MS = 2 * SECOND;
const WATCHED_AGE_MS = 5 * MINUTE;
const EXPIRING_DAYS = 7;

const Reviewed = {
  verdict: v.pipe(
    v.picklist(REVIEW_VERDICTS),
    v.description("By the runbook's thresholds. indeterminate: the histogram cannot tell; unknown: no evidence"),
  ),
  reason: v.string(),
};

const OverviewAnswer = v.strictObject({
  asOf: Timestamp,
  services: v.strictObject({ total: Count, reporting: Count }),
  requestsPerSecond: v.pipe(v.nullable(Count), v.description("null: nothing reports")),
  errorRatio: v.nullable(Ratio),
  p95: QuantileAnswer,
  review: v.strictObject({
    requestRate: v.strictObject({
      ...Reviewed,
      baseline: v.nullable(
        v.strictObject({
          requestsPerSecond: v.pipe(Count, v.description("The median of this hour of the last seven days")),
          days: Count,
          change: v.pipe(v.nullable(v.number()), v.description("−0.2 is a fifth less than usual")),
        }),
      ),
    }),
    errorRate: v.strictObject(Reviewed),
    p95Latency: v.strictObject(Reviewed),
    certificates: v.strictObject({
      ...Reviewed,
      expiring7d: v.pipe(v.nullable(Count), v.description("null: nobody knows")),
    }),
    anomalies: v.strictObject({
      ...Reviewed,
      raised: v.pipe(
        v.nullable(Count),
        v.description("Since the archive began; null: nobody looks, or not everywhere"),
      ),
    }),
    targets: v.pipe(v.strictObject(Reviewed), v.description("Targets of the clusters' Prometheus that are down")),
    rules: v.pipe(v.strictObject(Reviewed), v.description("Its rules that fail")),
    series: v.pipe(v.strictObject(Reviewed), v.description("Metrics whose series grow beyond what is usual")),
    pods: v.pipe(v.strictObject(Reviewed), v.description("Pods that do not run")),
    autoscalers: v.pipe(v.strictObject(Reviewed), v.description("Autoscalers at their limit")),
  }),
});

async function overview(c: AppContext): Promise<Response> {
  const now = Date.now();
  const [view, watched, usual] = await Promise.all([
    boardOf(c.env).operatorView(),
    watchedOf(c),
    usualRates(historyDatabase(c, BASELINE_TIMEOUT_MS), now),
  ]);
  const fresh = view.tells.filter(({ expiresAt }) => now < expiresAt).flatMap(({ services }) => services);
  const traffic = trafficOf(fresh);
  const total = view.tells.reduce((sum, { services }) => sum + services.length, 0);
  return answerAs(c, OverviewAnswer, {
    asOf: rfc3339(now, "Etc/UTC"),
    services: { total, reporting: fresh.length },
    ...traffic,
    review: {
      requestRate: ofThose(reviewRate(traffic, usual.ok ? usual.value : null), total, fresh.length),
      errorRate: ofThose(reviewErrors(traffic), total, fresh.length),
      p95Latency: ofThose(reviewP95(traffic), total, fresh.length),
      certificates: certificatesOf(view, watched, now),
      anomalies: anomaliesOf(view, watched, now),
      ...reviewMorning(view.clusters, view.tells, now),
    },
  });
}

/** Null too while a deploy goes out and the Board is still the release before's: the rest of the answer does not wait. */
async function watchedOf(c: AppContext): Promise<Watched | null> {
  try {
    return await boardOf(c.env).watched(WATCHED_AGE_MS);
  } catch (error) {
    console.warn(JSON.stringify({ event: "watched_failed", error: String(error) }));
    return null;
  }
}

function certificatesOf({ tells }: OperatorView, watched: Watched | null, now: Millis) {
  if (watched === null) return { ...reviewCertificates(null), expiring7d: null };
  const sources = certificateSources(tells, watched.certificates, now);
  const found = expiring(judgeCertificates(watched.certificates, sources, now), EXPIRING_DAYS * DAY, now);
  const notReporting = sources.filter(({ state }) => state !== "ok").length;
  const count = found.certificates.length;
  const known = {
    expiring: count,
    unknown: found.unknown.length,
    sources: sources.length,
    notReporting,
    isBlind: sources.every(({ state }) => state === "blind"),
    isOld: isOld(watched, now),
  };
  const isKnown = !known.isBlind && (count > 0 || !known.isOld);
  return { ...reviewCertificates(known), expiring7d: isKnown ? count : null };
}

/** Since the archive began, which is no rate: only none at all, where all clusters are watched, is good for sure. */
function anomaliesOf({ clusters, tells }: OperatorView, watched: Watched | null, now: Millis) {
  if (watched === null) return { verdict: "unknown" as const, reason: "history cannot be reached", raised: null };
  const raised = watched.anomalies.reduce((sum, one) => sum + one.raised, 0);
  const { status, note } = anomaliesSaid(0, 0, detectorsOf(clusters, tells, now));
  const isNone = status === "none" && raised === 0 && !isOld(watched, now);
  return {
    verdict: isNone ? ("ok" as const) : ("unknown" as const),
    reason: raised > 0 ? `${raised} raised since the archive began` : note,
    raised: raised > 0 || isNone ? raised : null,
  };
}

export const overviewRoute: Route = {
  method: "GET",
  path: "/api/v1/metrics/overview",
  policy: "read",
  scope: "metrics",
  api: {
    summary:
      "Request rate, error rate, p95, certificates, anomalies and the morning list of everything that reports, by the runbook's thresholds",
    answer: OverviewAnswer,
  },
  handle: overview,
};
