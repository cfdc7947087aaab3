/** What `/metrics` tells: the runbook's own names first, then what is shown, and how the gateway does. */
import type { ComponentStatus } from "../../protocol/status.ts";
import type { Millis } from "../../protocol/time.ts";
import { DAY, SECOND } from "../../protocol/time.ts";
import { certificateSources, expiring, judgeCertificates, trustAnchors } from "./certificate.ts";
import type { CertificateVerdict } from "./certificate.ts";
import type { Backlog, Tell } from "./component.ts";
import { detectorOf } from "./detector.ts";
import type { Family, Sample } from "./exposition.ts";
import type { GatewayCounts } from "./gateway.ts";
import type { Watched } from "./watch.ts";
import { isOld } from "./watch.ts";

/** Certificates that get a series of their own, those that end first; all are counted. */
const CERTIFICATES_SHOWN_MAX = 200;
const EXPIRING_DAYS = 7;

/** A cluster as its last tell left it; `services` is how many it reported. */
export interface ToldCluster extends Pick<
  Tell,
  "cluster" | "heardAt" | "expiresAt" | "agentVersion" | "skewMs" | "sources" | "backlog" | "gateway" | "detector"
> {
  readonly services: number;
}

/** Everything that a scrape tells, as the Board answers it in one call. */
export interface MetricsFacts {
  readonly clusters: readonly ToldCluster[];
  readonly components: readonly {
    readonly id: string;
    readonly name: string;
    readonly group: string | null;
    readonly status: ComponentStatus;
  }[];
  /** Null while the archive cannot be asked and there is no copy of what it said. */
  readonly watched: Watched | null;
  /** Answers to visitors as far as the Workers have told of them; they tell with their next question. */
  readonly views: { readonly cached: number; readonly made: number };
  readonly board: {
    readonly startedAt: Millis;
    readonly calls: Readonly<Record<string, number>>;
    readonly rowsWritten: number;
    readonly backlog: Backlog;
  };
}

export function metricFamilies(facts: MetricsFacts, now: Millis): readonly Family[] {
  return [
    ...certificateFamilies(facts, now),
    ...anomalyFamilies(facts, now),
    ...componentFamilies(facts),
    ...clusterFamilies(facts, now),
    ...gatewayFamilies(facts, now),
    ...boardFamilies(facts, now),
  ];
}

function certificateFamilies({ watched, clusters }: MetricsFacts, now: Millis): readonly Family[] {
  const certificates = watched?.certificates ?? [];
  const sources = certificateSources(clusters, certificates, now);
  const judged = judgeCertificates(certificates, sources, now);
  const soon = expiring(judged, EXPIRING_DAYS * DAY, now).certificates.length;
  // An old copy still proves those that are in it, and no longer that there are none.
  const isProof = watched !== null && (soon > 0 || !isOld(watched, now));
  const isKnown = isProof && sources.some(({ state }) => state !== "blind");
  const verdicts = [
    "ok",
    "renewal_overdue",
    "warning",
    "critical",
    "unknown",
  ] as const satisfies readonly CertificateVerdict[];
  const shown = judged
    .filter(({ verdict, endsAt }) => verdict !== "unknown" && endsAt !== null)
    .toSorted((a, b) => (a.endsAt ?? 0) - (b.endsAt ?? 0));
  return [
    gauge(
      "observatory_mtls_certificates_expiring_7d",
      "Certificates with a lifetime over 21 days that end within 7 days. NaN if nobody knows.",
      [{ value: isKnown ? soon : Number.NaN }],
    ),
    gauge(
      "observatory_certificates",
      "Certificates by verdict; unknown ones belong to a source that sees nothing.",
      watched === null
        ? []
        : verdicts.map((verdict) => ({
            labels: { verdict },
            value: judged.filter((one) => one.verdict === verdict).length,
          })),
    ),
    gauge(
      "observatory_certificate_sources",
      "Agents that look at certificates, by what they see.",
      (["ok", "partly", "blind"] as const).map((state) => ({
        labels: { state },
        value: sources.filter((source) => source.state === state).length,
      })),
    ),
    gauge(
      "observatory_certificate_end_timestamp_seconds",
      `When a certificate ends, its chain included: the ${CERTIFICATES_SHOWN_MAX} that end first.`,
      shown.slice(0, CERTIFICATES_SHOWN_MAX).map(({ cluster, location, subject, endsAt }) => ({
        labels: { cluster, location, subject },
        value: (endsAt ?? 0) / SECOND,
      })),
    ),
    gauge(
      "observatory_trust_anchor_end_timestamp_seconds",
      "When a root that certificates rest on ends: the horizon of a mesh.",
      trustAnchors(judged, now).map(({ cluster, subject, endsAt }) => ({
        labels: { cluster, subject },
        value: endsAt / SECOND,
      })),
    ),
  ];
}

function anomalyFamilies({ watched, clusters }: MetricsFacts, now: Millis): readonly Family[] {
  const anomalies = watched?.anomalies ?? [];
  const saying = new Set(clusters.flatMap(({ cluster, detector }) => (detector === undefined ? [] : [cluster])));
  const looking = clusters.filter((one) => detectorOf(one.cluster, one, now).state === "watching").length;
  // Of an agent of before that it has raised something is all that is known.
  const ever = new Set(anomalies.map(({ cluster }) => cluster).filter((cluster) => !saying.has(cluster))).size;
  return [
    counter(
      "observatory_anomaly_detections",
      "Anomalies raised. Without a series no detector has ever reported, which is not the same as none.",
      anomalies.map(({ cluster, service, raised }) => ({ labels: { cluster, service }, value: raised })),
    ),
    gauge("observatory_anomaly_detectors", "Clusters that are watched for anomalies now. NaN if that cannot be read.", [
      { value: watched === null && saying.size === 0 ? Number.NaN : looking + ever },
    ]),
    gauge("observatory_watch_age_seconds", "How old what is told of certificates and anomalies is.", [
      { value: watched === null ? Number.NaN : (now - watched.at) / SECOND },
    ]),
  ];
}

function componentFamilies({ components }: MetricsFacts): readonly Family[] {
  return [
    gauge(
      "observatory_component_status",
      "1 for the status that visitors are shown.",
      components.map(({ id, name, group, status }) => ({ labels: { id, name, group: group ?? "", status }, value: 1 })),
    ),
  ];
}

function clusterFamilies({ clusters }: MetricsFacts, now: Millis): readonly Family[] {
  const each = (value: (told: ToldCluster) => number): readonly Sample[] =>
    clusters.map((told) => ({ labels: { cluster: told.cluster }, value: value(told) }));
  return [
    gauge(
      "observatory_cluster_up",
      "1 while what a cluster's agent said is evidence, 0 once it is silent.",
      each((told) => (now < told.expiresAt ? 1 : 0)),
    ),
    gauge(
      "observatory_cluster_heard_timestamp_seconds",
      "When the push was received that a cluster told of last.",
      each(({ heardAt }) => heardAt / SECOND),
    ),
    gauge(
      "observatory_cluster_services",
      "Services that a cluster reported last.",
      each(({ services }) => services),
    ),
    gauge(
      "observatory_cluster_clock_skew_seconds",
      "How far an agent's clock is ahead of the edge's.",
      each(({ skewMs }) => skewMs / SECOND),
    ),
    gauge(
      "observatory_source_up",
      "1 while a source of an agent sees everything, 0 if it is stale or down, or if the agent is silent.",
      clusters.flatMap(({ cluster, sources, expiresAt }) =>
        Object.entries(sources).map(([source, { state }]) => ({
          labels: { cluster, source },
          value: state === "ok" && now < expiresAt ? 1 : 0,
        })),
      ),
    ),
    gauge(
      "observatory_agent_info",
      "The version of a cluster's agent.",
      clusters.map(({ cluster, agentVersion: version }) => ({ labels: { cluster, version }, value: 1 })),
    ),
  ];
}

/** Of clusters whose object is of the release before nothing is counted yet: they have no series. */
function gatewayFamilies({ clusters }: MetricsFacts, now: Millis): readonly Family[] {
  const counting = clusters.flatMap(({ cluster, gateway }) => (gateway === undefined ? [] : [{ cluster, gateway }]));
  const each = (value: (counts: GatewayCounts) => number): readonly Sample[] =>
    counting.map(({ cluster, gateway }) => ({ labels: { cluster }, value: value(gateway) }));
  return [
    counter(
      "observatory_pushes",
      "Pushes that were taken.",
      each(({ pushes }) => pushes),
    ),
    counter(
      "observatory_push_refusals",
      "Pushes that were refused, by the refusal's code.",
      counting.flatMap(({ cluster, gateway }) =>
        Object.entries(gateway.refused).map(([code, value]) => ({ labels: { cluster, code }, value })),
      ),
    ),
    counter(
      "observatory_records",
      "New facts that were taken; replays are not among them.",
      each(({ records }) => records),
    ),
    counter(
      "observatory_records_rejected",
      "Facts that can never be taken.",
      each(({ rejected }) => rejected),
    ),
    counter(
      "observatory_flushes",
      "Statements that brought a cluster's facts to Postgres.",
      each(({ flushes }) => flushes),
    ),
    counter(
      "observatory_flush_failures",
      "Statements that did not; what they carried is sent again.",
      each(({ flushFailures }) => flushFailures),
    ),
    gauge(
      "observatory_outbox_records",
      "Facts of a cluster that wait for Postgres.",
      clusters.map(({ cluster, backlog }) => ({ labels: { cluster }, value: backlog.waiting })),
    ),
    gauge(
      "observatory_flush_lag_seconds",
      "For how long the oldest fact of a cluster has waited for Postgres.",
      clusters.map(({ cluster, backlog }) => ({ labels: { cluster }, value: lagOf(backlog, now) })),
    ),
    counter(
      "observatory_cluster_alarms",
      "Runs of a cluster object's alarm.",
      each(({ alarms }) => alarms),
    ),
  ];
}

function boardFamilies({ board, views }: MetricsFacts, now: Millis): readonly Family[] {
  return [
    counter("observatory_page_views", "Answers to visitors: from the edge's cache, or made of the board's snapshot.", [
      { labels: { cache: "hit" }, value: views.cached },
      { labels: { cache: "miss" }, value: views.made },
    ]),
    counter(
      "observatory_board_calls",
      "Calls of the board by method since it woke; runs of its alarm are calls of `alarm`.",
      Object.entries(board.calls)
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(([method, value]) => ({ labels: { method }, value })),
    ),
    counter("observatory_board_rows_written", "Rows that the board has written since it woke.", [
      { value: board.rowsWritten },
    ]),
    gauge("observatory_board_outbox_rows", "Rows of the board that wait for Postgres.", [
      { value: board.backlog.waiting },
    ]),
    gauge("observatory_board_flush_lag_seconds", "For how long the board's oldest row has waited for Postgres.", [
      { value: lagOf(board.backlog, now) },
    ]),
    gauge("observatory_board_start_time_seconds", "When the board woke.", [{ value: board.startedAt / SECOND }]),
  ];
}

function lagOf({ waiting, since }: Backlog, now: Millis): number {
  return waiting === 0 || since === null ? 0 : Math.max(0, now - since) / SECOND;
}

function gauge(name: string, help: string, samples: readonly Sample[]): Family {
  return { name, type: "gauge", help, samples };
}

function counter(name: string, help: string, samples: readonly Sample[]): Family {
  return { name, type: "counter", help, samples };
}
