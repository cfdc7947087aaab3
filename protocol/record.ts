/** The durable facts of a push: closed windows, events and declared gaps. Each stands alone; a bad one is refused alone. */
import * as v from "valibot";
import { spreadRecord } from "./compact.ts";
import { errorsAmongRequests } from "./count.ts";
import { LatencySchema } from "./latency.ts";
import { line, ServiceName } from "./name.ts";
import { isPlainWindow, quick } from "./plain.ts";
import { MINUTE } from "./time.ts";

const Moment = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const Count = v.pipe(v.number(), v.finite(), v.minValue(0));

/**
 * The counts of one closed span of one service, normally a minute. `at` is its start, cut at whole minutes of Unix
 * time; `spanMs` is longer than a minute when scrapes are too rare for minutes. Natural key: (cluster, service, at).
 */
export const WindowSchema = v.pipe(
  v.strictObject({
    kind: v.literal("window"),
    service: ServiceName,
    at: v.pipe(Moment, v.multipleOf(MINUTE, "must start at a whole minute")),
    spanMs: v.pipe(Moment, v.minValue(MINUTE), v.multipleOf(MINUTE)),
    requests: Count,
    errors: Count,
    latency: v.nullable(LatencySchema),
  }),
  v.check((window) => errorsAmongRequests(window), "more errors than requests"),
);

/** What workloads say is wrong with them, beyond what the first agents told. Sent only to an edge that knows them (`EXTRAS`). */
export const WORKLOAD_KINDS = [
  "pod.image_pull_failed",
  "pod.start_failed",
  "pod.killed",
  "pod.unschedulable",
  "pod.evicted",
  "deployment.rollout_stuck",
  "deployment.replica_failure",
  "autoscaler.at_limit",
  "autoscaler.blind",
] as const;

/**
 * What else is told of certificates, each thing once a fingerprint. `mesh_certificate.*` are of workloads, which renew
 * twice a day: kinds of their own keep them apart from certificates that must be found after months. `gone`: what was
 * served, stored or reported there is no longer. Sent only to an edge that knows them (`EXTRAS`).
 */
export const CERTIFICATE_KINDS = [
  "certificate.overdue",
  "certificate.expiring",
  "certificate.expired",
  "certificate.not_yet_valid",
  "certificate.not_served",
  "certificate.healed",
  "certificate.gone",
  "mesh_certificate.seen",
  "mesh_certificate.renewed",
  "mesh_certificate.gone",
] as const;

/** What the mesh's Prometheus is told of, each thing when it begins and when it ends. Sent only to an edge that knows them (`EXTRAS`). */
export const PROMETHEUS_KINDS = [
  "prometheus.target_down",
  "prometheus.target_up",
  "prometheus.rule_failing",
  "prometheus.rule_healed",
  "prometheus.series_growing",
  "prometheus.series_settled",
] as const;

/**
 * What an event can be about. Kinds end up in Postgres and in the operator's list of events. The subject of an anomaly is
 * its service, or `mesh`; `raised` in the body of `anomaly.closed` is the id of what it closes.
 */
export const EVENT_KINDS = [
  "certificate.seen",
  "certificate.renewed",
  "pod.crash_loop",
  "pod.oom_killed",
  "lease.result",
  "anomaly.raised",
  "anomaly.closed",
  ...WORKLOAD_KINDS,
  ...CERTIFICATE_KINDS,
  ...PROMETHEUS_KINDS,
] as const;
export type EventKind = (typeof EVENT_KINDS)[number];
/** What the agent's kubernetes source tells. */
export type WorkloadKind = "pod.crash_loop" | "pod.oom_killed" | (typeof WORKLOAD_KINDS)[number];

/** Events that no agent tells: the edge makes them of what an Alertmanager tells it. */
export const ALERT_KINDS = ["alert.fired", "alert.resolved"] as const;
export type AlertKind = (typeof ALERT_KINDS)[number];

const EventId = v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/, "must be 32 hex digits"));
const BODY_KEYS_MAX = 24;

/** Something that happened once. `id` is made from its content (hash of cluster, kind, subject, moment), so that a fact seen again keeps it. */
const EventSchema = v.strictObject({
  kind: v.picklist(EVENT_KINDS),
  id: EventId,
  at: Moment,
  subject: line(256),
  body: v.pipe(
    v.record(
      v.pipe(v.string(), v.regex(/^[a-zA-Z][a-zA-Z0-9]{0,39}$/)),
      v.union([line(1_024), v.pipe(v.number(), v.finite()), v.boolean(), v.null()]),
    ),
    v.check((body) => Object.keys(body).length <= BODY_KEYS_MAX, "too many keys"),
  ),
});

/** Facts that were lost and are declared instead of hidden: the page draws "no data" from `at` to `until`. */
const GapSchema = v.strictObject({
  kind: v.literal("gap"),
  id: EventId,
  at: Moment,
  until: Moment,
  reason: v.picklist(["spool_full", "damaged", "refused"]),
  count: v.pipe(v.number(), v.integer(), v.minValue(1)),
});

/** An object, or a window as the tuple of compact.ts. */
export const RecordSchema = quick(
  v.variant("kind", [WindowSchema, EventSchema, GapSchema]),
  isPlainWindow,
  spreadRecord,
);
export type WindowRecord = Readonly<v.InferOutput<typeof WindowSchema>>;
export type EventRecord = Readonly<v.InferOutput<typeof EventSchema>>;
export type GapRecord = Readonly<v.InferOutput<typeof GapSchema>>;
export type FactRecord = WindowRecord | EventRecord | GapRecord;

/** Why the edge did not take a record. It still consumes its number, and is never retried. */
export const RECORD_REFUSALS = ["malformed", "too_old", "future"] as const;
export type RecordRefusal = (typeof RECORD_REFUSALS)[number];
