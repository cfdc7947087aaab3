/**
 * The push and its receipt.
 *
 *   POST /agent/v1/push?cluster=NAME (path.ts)   gzip JSON, signed (signature.ts)
 *   { v, epoch, sentAt, intervalMs, live, base, records: { first, items } }
 *   200 { epoch, received, persisted, rejected, serverTime, nextPushMs, desired? }
 *
 * `live` is the latest: replaced by every push, harmless to lose. `records` are facts with numbers, contiguous from
 * `first` within an epoch; `received` and `persisted` mean "everything below this number", and only `persisted` lets
 * the agent free a record.
 */
import * as v from "valibot";
import { AgentReportSchema } from "./agent.ts";
import { spreadService } from "./compact.ts";
import { errorsAmongRequests } from "./count.ts";
import { DetectorReportSchema } from "./detector.ts";
import { HealthReportSchema } from "./health.ts";
import { LatencySchema } from "./latency.ts";
import { LeaseReportSchema, SignedDesiredSchema } from "./lease.ts";
import { READINGS_MAX, RECORDS_MAX, SERVICES_MAX } from "./limits.ts";
import { ClusterName, line, ServiceName } from "./name.ts";
import { isPlainService, quick } from "./plain.ts";
import { RECORD_REFUSALS } from "./record.ts";
import { TopologySchema } from "./topology.ts";

const Moment = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const Sequence = v.pipe(v.number(), v.safeInteger(), v.minValue(1));
const Count = v.pipe(v.number(), v.finite(), v.minValue(0));
const Replicas = v.pipe(v.number(), v.integer(), v.minValue(0));

/** [estimate, lo, hi] in ms; `hi` is null in the open last bucket. */
const QuantileSchema = v.nullable(
  v.pipe(
    v.strictTuple([Count, Count, v.nullable(Count)]),
    v.check(([, lo, hi]) => hi === null || lo <= hi, "lo above hi"),
  ),
);

/** Counts over the `spanMs` before `at`. Zero requests is a fact; a service without data has no reading. */
const ReadingSchema = v.pipe(
  v.strictObject({
    at: Moment,
    spanMs: v.pipe(Moment, v.minValue(1)),
    requests: Count,
    errors: Count,
    p95: QuantileSchema,
  }),
  v.check((reading) => errorsAmongRequests(reading), "more errors than requests"),
);
export type Reading = Readonly<v.InferOutput<typeof ReadingSchema>>;

/** One service now: its last readings, oldest first, the newest one's histogram, and its deployment's replicas. */
export const LiveServiceSchema = v.strictObject({
  service: ServiceName,
  readings: v.pipe(v.array(ReadingSchema), v.maxLength(READINGS_MAX)),
  latency: v.nullable(LatencySchema),
  replicas: v.nullable(v.strictObject({ ready: Replicas, desired: Replicas })),
});
export type LiveService = Readonly<v.InferOutput<typeof LiveServiceSchema>>;

/** Beyond it a part is blind as a whole. */
export const BLIND_MAX = 50;

/** Health of one of the agent's sources; `detail` says what to mend. */
const SourceStateSchema = v.strictObject({
  state: v.picklist(["ok", "stale", "down"]),
  detail: v.nullable(line(300)),
  okAt: v.nullable(Moment),
  /**
   * What a source of several parts does not see now though it did: the part's name, or the name and a place of it with
   * a space between. Sent only to an edge that knows it (`EXTRAS`). Absent in what an earlier version wrote.
   */
  blind: v.optional(v.pipe(v.array(line(300)), v.maxLength(BLIND_MAX))),
});
export type SourceState = Readonly<v.InferOutput<typeof SourceStateSchema>>;

const LiveSchema = v.strictObject({
  at: Moment,
  /** Each as an object, or as the tuple of compact.ts. */
  services: v.pipe(v.array(quick(LiveServiceSchema, isPlainService, spreadService)), v.maxLength(SERVICES_MAX)),
  sources: v.record(v.picklist(["prometheus", "scrape", "kubernetes", "certificates"]), SourceStateSchema),
  leases: LeaseReportSchema,
  /** Who calls whom: with one push in several, and only after a receipt that accepts it. */
  topology: v.optional(TopologySchema),
  /** Who looks for anomalies, and how: only after a receipt that accepts it. */
  detector: v.optional(DetectorReportSchema),
  /** The runbook's morning list: only after a receipt that accepts it. */
  health: v.optional(HealthReportSchema),
  /** Of the agent itself: only after a receipt that accepts it. */
  agent: v.optional(AgentReportSchema),
});
export type Live = Readonly<v.InferOutput<typeof LiveSchema>>;

/**
 * What an edge may say that it takes beyond the first form of a push, which refuses fields that it does not know. An
 * agent sends it only to an edge whose last receipt said so.
 *
 *   compact       services of `live`, and windows, as tuples (compact.ts)
 *   exponential   exponential histograms, in `live` and in records (exponential.ts)
 *   topology      `live.topology`; said before a push that the Board will be told of, so that no Cluster needs to keep it
 *   workloads     events of WORKLOAD_KINDS (record.ts)
 *   certificates  events of CERTIFICATE_KINDS, and `blind` of a source's state
 *   detector      `live.detector`
 *   health        `live.health`, and events of PROMETHEUS_KINDS
 *   agent         `live.agent`
 */
export const EXTRAS = [
  "compact",
  "exponential",
  "topology",
  "workloads",
  "certificates",
  "detector",
  "health",
  "agent",
] as const;
export type Extra = (typeof EXTRAS)[number];

/**
 * The envelope. Items are checked one by one by `RecordSchema`, so a poison record costs none of its neighbours.
 * `epoch` null opens: no records, and the receipt carries the epoch that this `spool` is given.
 */
export const PushSchema = v.strictObject({
  v: v.number(),
  /** The spool's own id, made when it was created: the same spool gets the same epoch again. */
  spool: v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/)),
  epoch: v.nullable(Moment),
  sentAt: Moment,
  /** How far the agent's raw clock is ahead of the edge's, ms. */
  skewMs: v.pipe(v.number(), v.safeInteger()),
  intervalMs: v.pipe(v.number(), v.integer(), v.minValue(1_000), v.maxValue(600_000)),
  agentVersion: line(40),
  live: v.nullable(LiveSchema),
  base: Sequence,
  /**
   * What of `EXTRAS` the records are written with. A record that an edge cannot read is refused for ever, and with it
   * go its facts: so an edge that was set back must stumble over the push, and not over each of its records.
   */
  uses: v.optional(v.array(v.picklist(EXTRAS))),
  records: v.strictObject({ first: Sequence, items: v.pipe(v.array(v.unknown()), v.maxLength(RECORDS_MAX)) }),
});
export type Push = Readonly<v.InferOutput<typeof PushSchema>>;

export const ReceiptSchema = v.object({
  epoch: Moment,
  received: Sequence,
  persisted: Sequence,
  rejected: v.array(v.object({ seq: Sequence, reason: v.picklist(RECORD_REFUSALS) })),
  serverTime: Moment,
  nextPushMs: v.pipe(v.number(), v.integer(), v.minValue(1_000)),
  /** What this edge takes beyond the first form of a push. Names that an agent does not know say nothing to it. */
  accepts: v.optional(v.array(v.string())),
  /** Only if its generation is not the one observed in `live.leases`. */
  desired: v.optional(SignedDesiredSchema),
  /** What is wished of the detector: only if its generation is not the one observed in `live.detector`. */
  detector: v.optional(SignedDesiredSchema),
  /** A new key is asked for: only of an agent that knows how (agent.ts). */
  rotate: v.optional(v.boolean()),
});
export type Receipt = Readonly<v.InferOutput<typeof ReceiptSchema>>;

/** `POST /agent/v1/enroll`, signed with the key it brings: the proof that the agent holds the private half. */
export const EnrollSchema = v.strictObject({
  v: v.number(),
  cluster: ClusterName,
  /** The one-time code: 160 bits as base32, made and hashed by the edge, so it is also the edge's fresh challenge. */
  code: v.pipe(v.string(), v.regex(/^[A-Z2-7]{32}$/)),
  /** Ed25519, raw 32 bytes, base64. */
  publicKey: v.pipe(v.string(), v.base64(), v.length(44)),
});
export type Enroll = Readonly<v.InferOutput<typeof EnrollSchema>>;

/** `state: pending` until an operator compared fingerprints: pushes are answered 403 until then. */
export const EnrolledSchema = v.object({
  keyId: v.string(),
  fingerprint: v.string(),
  state: v.picklist(["active", "pending"]),
  serverTime: Moment,
});
export type Enrolled = Readonly<v.InferOutput<typeof EnrolledSchema>>;
