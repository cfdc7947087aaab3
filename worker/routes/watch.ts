/** The runbook's two lists: certificates that end soon, and anomalies. What nobody watches is unknown, never none. */
import * as v from "valibot";
import { CERTIFICATE_SOURCES } from "../../protocol/certificate.ts";
import { DAY, SECOND } from "../../protocol/time.ts";
import { rfc3339 } from "../core/calendar.ts";
import type { JudgedCertificate } from "../core/certificate.ts";
import { blindText, certificateSources, expiring, judgeCertificates, trustAnchors } from "../core/certificate.ts";
import type { DetectorView } from "../core/detector.ts";
import { anomaliesSaid, detectorsOf } from "../core/detector.ts";
import { isOld } from "../core/watch.ts";
import { boardOf } from "../objects/env.ts";
import { raisedAnomalies } from "../store/anomalies.ts";
import type { StoredAnomaly } from "../store/anomalies.ts";
import { EVENTS_MAX } from "../store/events.ts";
import { refuse } from "./answer.ts";
import { answerAs, Count, Ratio, Timestamp } from "./described.ts";
import { historyDatabase, refuseUnavailable } from "./history.ts";
import { wholeNumber } from "./query.ts";
import type { AppContext, Route } from "./table.ts";

/** A list that somebody waits for is no older than this, if Postgres answers. */
const LIST_AGE_MS = 5 * SECOND;
const DAYS_DEFAULT = 7;
const DAYS_MAX = 366;
const LIMIT_DEFAULT = 50;
/** Moments of programs are in UTC. */
const CLOCK = "Etc/UTC";

const CertificateAnswer = v.strictObject({
  cluster: v.string(),
  location: v.pipe(v.string(), v.description("host:port that serves it, or the object or workload that has it")),
  source: v.pipe(v.picklist(CERTIFICATE_SOURCES), v.description("Who told of it")),
  subject: v.string(),
  issuer: v.string(),
  fingerprint: v.pipe(
    v.string(),
    v.description("SHA-256 of the leaf, 64 hex digits; empty where the source tells none"),
  ),
  notBefore: v.nullable(Timestamp),
  notAfter: v.nullable(Timestamp),
  endsAt: v.pipe(v.nullable(Timestamp), v.description("The earliest end in its chain, its own included")),
  endsWith: v.pipe(v.string(), v.description("Whose end that is")),
  daysLeft: v.pipe(v.nullable(v.number()), v.description("Negative once it has ended")),
  lifetimeDays: v.nullable(Count),
  lifeLeft: v.pipe(v.nullable(Ratio), v.description("Share of its lifetime that is left")),
  verdict: v.picklist(["ok", "renewal_overdue", "warning", "critical", "unknown"]),
  reason: v.string(),
  renewAt: v.pipe(v.nullable(Timestamp), v.description("When it should be renewed by itself, where that is known")),
  seenAt: v.pipe(Timestamp, v.description("When this certificate was first seen there")),
});

const CertificatesQuery = v.object({ days: wholeNumber(1, DAYS_MAX, DAYS_DEFAULT) });
const CertificatesAnswer = v.strictObject({
  asOf: Timestamp,
  days: v.number(),
  status: v.pipe(
    v.picklist(["known", "partly", "unknown"]),
    v.description(
      "partly: a source does not see everything, or the archive could not be asked since asOf; unknown: none sees anything",
    ),
  ),
  note: v.string(),
  certificates: v.pipe(
    v.array(CertificateAnswer),
    v.description("Of a lifetime over 21 days, the least share of life left first, expired ones included"),
  ),
  shortLived: v.strictObject({
    count: Count,
    why: v.string(),
    worrying: v.array(CertificateAnswer),
  }),
  unknown: v.array(CertificateAnswer),
  trustAnchors: v.pipe(
    v.array(
      v.strictObject({
        cluster: v.string(),
        subject: v.string(),
        location: v.string(),
        endsAt: Timestamp,
        daysLeft: v.number(),
        near: v.pipe(v.boolean(), v.description("Ends within 90 days: its renewal is a maintenance to plan")),
      }),
    ),
    v.description("Roots that certificates rest on, the first to end first"),
  ),
  sources: v.array(
    v.strictObject({
      cluster: v.string(),
      state: v.picklist(["ok", "partly", "blind"]),
      detail: v.nullable(v.string()),
      okAt: v.nullable(Timestamp),
    }),
  ),
});

async function certificates(c: AppContext): Promise<Response> {
  const query = v.safeParse(CertificatesQuery, c.req.query());
  if (!query.success) return refuse(c, "request_malformed", `days: ${query.issues[0].message}.`);
  const { days } = query.output;
  const board = boardOf(c.env);
  const [watched, view] = await Promise.all([board.watched(LIST_AGE_MS), board.operatorView([])]);
  if (watched === null) return refuse(c, "unavailable", UNREACHABLE);
  const now = Date.now();
  const sources = certificateSources(view.tells, watched.certificates, now);
  const judged = judgeCertificates(watched.certificates, sources, now);
  const found = expiring(judged, days * DAY, now);
  const at = (moment: number | null): string | null => (moment === null ? null : rfc3339(moment, CLOCK));
  const blind = sources.filter(({ state }) => state !== "ok").length;
  const old = isOld(watched, now);
  const isBlind = sources.every(({ state }) => state === "blind");
  return answerAs(c, CertificatesAnswer, {
    asOf: rfc3339(watched.at, CLOCK),
    days,
    status: isBlind ? "unknown" : blind > 0 || old ? "partly" : "known",
    note: noteOf(
      {
        expiring: found.certificates.length,
        unknown: found.unknown.length,
        blind,
        isBlind,
        sources: sources.length,
        old,
      },
      days,
    ),
    certificates: found.certificates.map((one) => certificateBody(one, now)),
    shortLived: {
      count: found.shortLived.length,
      why: "A certificate that lives for 21 days or less always ends soon and renews by itself: it is judged by its share of life left",
      worrying: found.shortLived.filter(({ verdict }) => verdict !== "ok").map((one) => certificateBody(one, now)),
    },
    unknown: found.unknown.map((one) => certificateBody(one, now)),
    trustAnchors: trustAnchors(judged, now).map(({ cluster, subject, location, endsAt, isNear }) => ({
      cluster,
      subject,
      location,
      endsAt: rfc3339(endsAt, CLOCK),
      daysLeft: daysOf(endsAt - now),
      near: isNear,
    })),
    sources: sources.map(({ cluster, state, detail, okAt }) => ({ cluster, state, detail, okAt: at(okAt) })),
  });
}

const UNREACHABLE =
  "Postgres cannot be reached, and what was seen of certificates is kept there. Ask again in a few seconds.";

interface Seen {
  readonly expiring: number;
  readonly unknown: number;
  readonly blind: number;
  readonly isBlind: boolean;
  readonly sources: number;
  readonly old: boolean;
}

function noteOf(seen: Seen, days: number): string {
  if (seen.sources === 0) return "No agent looks at certificates: add sources.certificates to its agent.yaml";
  if (seen.isBlind) return blindText(seen.sources, seen.unknown);
  const parts = [
    `${seen.expiring} expiring within ${days} ${days === 1 ? "day" : "days"}`,
    ...(seen.unknown === 0 ? [] : [`${seen.unknown} unknown`]),
    ...(seen.blind === 0 ? [] : [`${seen.blind} ${seen.blind === 1 ? "source" : "sources"} not reporting in full`]),
    ...(seen.old ? ["what came since asOf is missing: Postgres cannot be reached"] : []),
  ];
  return parts.join(", ");
}

function certificateBody(one: JudgedCertificate, now: number) {
  const at = (moment: number | null): string | null => (moment === null ? null : rfc3339(moment, CLOCK));
  const days = (ms: number | null): number | null => (ms === null ? null : daysOf(ms));
  return {
    cluster: one.cluster,
    location: one.location,
    source: one.more?.source ?? ("tls" as const),
    subject: one.subject,
    issuer: one.issuer,
    fingerprint: one.fingerprint,
    notBefore: at(one.notBefore),
    notAfter: at(one.notAfter),
    endsAt: at(one.endsAt),
    endsWith: one.chainEndsWith === "" || one.endsAt === one.notAfter ? one.subject : one.chainEndsWith,
    daysLeft: one.endsAt === null ? null : days(one.endsAt - now),
    lifetimeDays: days(one.lifetimeMs),
    lifeLeft: one.lifeLeft,
    verdict: one.verdict,
    reason: one.reason,
    renewAt: at(one.more?.renewAt ?? null),
    seenAt: rfc3339(one.seenAt, CLOCK),
  };
}

/** In tenths, rounded down: what ends within a day has 0.9 left and not 1. */
function daysOf(ms: number): number {
  return Math.floor((ms / DAY) * 10) / 10;
}

const AnomaliesQuery = v.object({ limit: wholeNumber(1, EVENTS_MAX, LIMIT_DEFAULT) });
const DetectorAnswer = v.strictObject({
  cluster: v.string(),
  state: v.pipe(
    v.picklist(["watching", "learning", "blind", "off", "silent", "unknown"]),
    v.description(
      "watching: points are judged; learning: there is no baseline yet; blind: there is nothing to judge; off: nothing looks; silent: the agent is; unknown: the agent says nothing of it",
    ),
  ),
  detail: v.nullable(v.string()),
  threshold: v.pipe(v.nullable(Ratio), v.description("In force, by the agent's last word")),
  thresholdSince: v.nullable(Timestamp),
  thresholdSetBy: v.pipe(
    v.nullable(v.picklist(["agent", "edge", "limited"])),
    v.description("limited: the edge's, moved to what the agent's configuration allows"),
  ),
  baseline: v.nullable(v.strictObject({ version: Count, from: Timestamp, to: Timestamp, services: Count })),
  judgedTo: v.nullable(Timestamp),
});
const AnomaliesAnswer = v.strictObject({
  status: v.pipe(
    v.picklist(["reported", "none", "partly", "unknown"]),
    v.description(
      "none: every cluster is watched and nothing was ever raised; partly: nothing was raised, and some are not watched; unknown: nobody looks, so that an empty list says nothing",
    ),
  ),
  note: v.string(),
  detectors: v.pipe(v.array(DetectorAnswer), v.description("Who looks, cluster by cluster")),
  anomalies: v.array(
    v.strictObject({
      id: v.string(),
      cluster: v.string(),
      service: v.nullable(v.string()),
      at: Timestamp,
      open: v.boolean(),
      closedAt: v.nullable(Timestamp),
      body: v.pipe(
        v.record(v.string(), v.unknown()),
        v.description("As the detector said it: score, threshold, observed, expected, and its sentence"),
      ),
    }),
  ),
});

async function anomalies(c: AppContext): Promise<Response> {
  const query = v.safeParse(AnomaliesQuery, c.req.query());
  if (!query.success) return refuse(c, "request_malformed", `limit: ${query.issues[0].message}.`);
  const [found, view] = await Promise.all([
    raisedAnomalies(historyDatabase(c), query.output.limit),
    boardOf(c.env).operatorView([]),
  ]);
  if (!found.ok) return refuseUnavailable(c, found);
  const detectors = detectorsOf(view.clusters, view.tells, Date.now());
  const open = found.value.filter(({ closedAt }) => closedAt === null).length;
  return answerAs(c, AnomaliesAnswer, {
    ...anomaliesSaid(found.value.length, open, detectors),
    detectors: detectors.map(detectorBody),
    anomalies: found.value.map(anomalyBody),
  });
}

function detectorBody({ cluster, state, detail, threshold, baseline, judgedTo }: DetectorView) {
  const at = (moment: number | null): string | null => (moment === null ? null : rfc3339(moment, CLOCK));
  return {
    cluster,
    state,
    detail,
    threshold: threshold?.threshold ?? null,
    thresholdSince: at(threshold?.since ?? null),
    thresholdSetBy: threshold?.setBy ?? null,
    baseline: baseline === null ? null : baselineBody(baseline),
    judgedTo: at(judgedTo),
  };
}

function baselineBody({ version, from, to, services }: NonNullable<DetectorView["baseline"]>) {
  return { version, from: rfc3339(from, CLOCK), to: rfc3339(to, CLOCK), services };
}

function anomalyBody({ id, cluster, subject, at, closedAt, body }: StoredAnomaly) {
  return {
    id,
    cluster,
    service: subject,
    at: rfc3339(at, CLOCK),
    open: closedAt === null,
    closedAt: closedAt === null ? null : rfc3339(closedAt, CLOCK),
    body,
  };
}

export const watchRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/api/v1/certificates/expiring",
    policy: "read",
    scope: "history",
    api: {
      summary: "Certificates that end soon, what is not counted among them, and who does not look",
      query: CertificatesQuery,
      answer: CertificatesAnswer,
    },
    handle: certificates,
  },
  {
    method: "GET",
    path: "/api/v1/anomalies",
    policy: "read",
    scope: "history",
    api: { summary: "Anomalies that detectors raised, newest first", query: AnomaliesQuery, answer: AnomaliesAnswer },
    handle: anomalies,
  },
];
