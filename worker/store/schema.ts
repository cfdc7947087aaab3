/**
 * The tables. Facts of the agents arrive by two natural keys each: their number, which the agent gave them, and what
 * they are about. Facts of the board arrive by key and revision. Nothing here is current state: that lives in objects.
 *
 *   minute_window  one row a window, partitioned by day (UTC), dropped after 14 days
 *   hour_window    its sum by hour and bounds, partitioned by month (UTC), dropped after 400 days
 *   day_window     its sum by day of the page's zone and bounds, for ever
 *
 * Only minutes are written here; triggers move the sums by what changed in them. Partitions, triggers and the functions
 * that make and drop partitions are beyond what Drizzle can say: `migrations/0001_history.sql`.
 */
import { sql } from "drizzle-orm";
import {
  bigint,
  boolean,
  customType,
  date,
  doublePrecision,
  index,
  jsonb,
  pgTable,
  primaryKey,
  text,
} from "drizzle-orm/pg-core";
import type { Millis } from "../../protocol/time.ts";
import type { SparseCounts, StoredLatency } from "./latency.ts";

/** A moment: `Millis` here, `timestamptz` there. Postgres answers `2026-11-23 01:02:00+00`, which `Date.parse` reads. */
const moment = customType<{ data: Millis; driverData: string }>({
  dataType: () => "timestamp with time zone",
  toDriver: (at) => new Date(at).toISOString(),
  fromDriver: (text) => Date.parse(text),
});

/** Ranges of numbers: `{[1,40),[52,60)}`. */
const multirange = customType<{ data: string }>({ dataType: () => "int8multirange" });

/** The numbers of an epoch that were stored: one that is here is a replay. Holds no facts. */
export const received = pgTable(
  "received",
  {
    clusterId: text("cluster_id").notNull(),
    epoch: bigint("epoch", { mode: "number" }).notNull(),
    numbers: multirange("numbers").notNull(),
    /** What the last flush brought. RETURNING cannot see the row as it was, so the difference is kept. */
    added: multirange("added").notNull(),
  },
  (table) => [primaryKey({ columns: [table.clusterId, table.epoch] })],
);

/** What `received` was for the Worker before it: a row a number. Written by none that is newer; a later migration drops it. */
export const ingest = pgTable(
  "ingest",
  {
    clusterId: text("cluster_id").notNull(),
    epoch: bigint("epoch", { mode: "number" }).notNull(),
    seq: bigint("seq", { mode: "number" }).notNull(),
  },
  (table) => [primaryKey({ columns: [table.clusterId, table.epoch, table.seq] })],
);

/**
 * The counts of one closed window of one service; `minute` is its start. Of one start the longest wins, then the newest
 * (epoch, seq); a window that a longer one contains is taken out by a trigger.
 */
export const minuteWindow = pgTable(
  "minute_window",
  {
    clusterId: text("cluster_id").notNull(),
    /** `namespace/name`. */
    serviceId: text("service_id").notNull(),
    minute: moment("minute").notNull(),
    /** Length in ms; a bigint, because no value that the protocol lets through may stop a batch. */
    spanMs: bigint("span_ms", { mode: "number" }).notNull(),
    epoch: bigint("epoch", { mode: "number" }).notNull(),
    seq: bigint("seq", { mode: "number" }).notNull(),
    /** Floats: Prometheus' `increase` is not an integer. */
    requests: doublePrecision("requests").notNull(),
    errors: doublePrecision("errors").notNull(),
    latency: jsonb("latency").$type<StoredLatency>(),
  },
  (table) => [
    primaryKey({ columns: [table.clusterId, table.serviceId, table.minute] }),
    index("minute_window_long")
      .on(table.clusterId, table.serviceId, table.minute)
      .where(sql`span_ms > 60000`),
  ],
);

/** What both rollups hold beside their key. */
const rollupColumns = {
  /**
   * Of the histograms: "istio", a JSON array, "" for windows without one and for exponential ones, whose buckets say
   * themselves what they hold (latency.ts). In the key: different bounds never add up.
   */
  bounds: text("bounds").notNull(),
  requests: doublePrecision("requests").notNull(),
  errors: doublePrecision("errors").notNull(),
  /** Sum of the windows' spans: how much of the time was seen. */
  coveredMs: bigint("covered_ms", { mode: "number" }).notNull(),
  counts: jsonb("counts").$type<SparseCounts>().notNull(),
  /** Of all latencies, ms. */
  sum: doublePrecision("sum").notNull(),
};

/** `hour` is the start of a whole hour of the page's clock. A window belongs to the hour in which it starts. */
export const hourWindow = pgTable(
  "hour_window",
  {
    clusterId: text("cluster_id").notNull(),
    serviceId: text("service_id").notNull(),
    hour: moment("hour").notNull(),
    ...rollupColumns,
  },
  (table) => [
    primaryKey({ columns: [table.clusterId, table.serviceId, table.hour, table.bounds] }),
    index("hour_window_hour").using("brin", table.hour),
  ],
);

/** Days of the zone in `day_zone`. */
export const dayWindow = pgTable(
  "day_window",
  {
    clusterId: text("cluster_id").notNull(),
    serviceId: text("service_id").notNull(),
    day: date("day").notNull(),
    ...rollupColumns,
  },
  (table) => [
    primaryKey({ columns: [table.clusterId, table.serviceId, table.day, table.bounds] }),
    index("day_window_day").using("brin", table.day),
  ],
);

/** The one zone that days are cut in: the page's, from its document in `board_fact`. A trigger keeps it. */
export const dayZone = pgTable("day_zone", {
  one: boolean("one").primaryKey().default(true),
  zone: text("zone").notNull(),
});

/** What happened once, and gaps that were declared (kind `gap`). The key holds the cluster: no agent can take another's id. */
export const event = pgTable(
  "event",
  {
    clusterId: text("cluster_id").notNull(),
    id: text("id").notNull(),
    epoch: bigint("epoch", { mode: "number" }).notNull(),
    seq: bigint("seq", { mode: "number" }).notNull(),
    kind: text("kind").notNull(),
    /** Null for a gap, which is about the agent itself. */
    subject: text("subject"),
    observedAt: moment("observed_at").notNull(),
    body: jsonb("body").$type<Readonly<Record<string, unknown>>>().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.clusterId, table.id] }),
    index("event_observed").on(table.observedAt, table.clusterId, table.id),
    index("event_cluster_observed").on(table.clusterId, table.observedAt, table.id),
    index("event_kind_observed").on(table.kind, table.observedAt, table.clusterId, table.id),
    index("event_cluster_kind_observed").on(table.clusterId, table.kind, table.observedAt, table.id),
  ],
);

/** What people wrote and what the board concluded: components, maintenances, status changes, the audit trail. */
export const boardFact = pgTable(
  "board_fact",
  {
    kind: text("kind").notNull(),
    key: text("key").notNull(),
    revision: bigint("revision", { mode: "number" }).notNull(),
    at: moment("at").notNull(),
    body: jsonb("body").$type<Readonly<Record<string, unknown>>>().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.kind, table.key] }),
    index("board_fact_kind_at").on(table.kind, table.at, table.key),
    index("board_fact_component_change")
      .on(sql`(body->>'component')`, table.at)
      .where(sql`kind = 'status_change'`),
  ],
);
