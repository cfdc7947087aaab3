/**
 * The tables. Facts of the agents arrive by two natural keys each: their number, which the agent gave them, and what
 * they are about. Facts of the board arrive by key and revision. Nothing here is current state: that lives in objects.
 */
import { bigint, customType, doublePrecision, index, jsonb, pgTable, primaryKey, text } from "drizzle-orm/pg-core";
import type { Latency } from "../../protocol/latency.ts";
import type { Millis } from "../../protocol/time.ts";

/** A moment: `Millis` here, `timestamptz` there. Postgres answers `2026-11-23 01:02:00+00`, which `Date.parse` reads. */
const moment = customType<{ data: Millis; driverData: string }>({
  dataType: () => "timestamp with time zone",
  toDriver: (at) => new Date(at).toISOString(),
  fromDriver: (text) => Date.parse(text),
});

/** Every number that was ever stored: a line that is here already is a replay. Holds no facts. */
export const ingest = pgTable(
  "ingest",
  {
    clusterId: text("cluster_id").notNull(),
    epoch: bigint("epoch", { mode: "number" }).notNull(),
    seq: bigint("seq", { mode: "number" }).notNull(),
  },
  (table) => [primaryKey({ columns: [table.clusterId, table.epoch, table.seq] })],
);

/** The counts of one closed window of one service; `minute` is its start. The newest (epoch, seq) wins. */
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
    latency: jsonb("latency").$type<Latency>(),
  },
  (table) => [
    primaryKey({ columns: [table.clusterId, table.serviceId, table.minute] }),
    index("minute_window_service_minute").on(table.serviceId, table.minute),
  ],
);

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
    index("event_observed").on(table.observedAt),
    index("event_cluster_observed").on(table.clusterId, table.observedAt),
    index("event_kind_observed").on(table.kind, table.observedAt),
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
  (table) => [primaryKey({ columns: [table.kind, table.key] }), index("board_fact_kind_at").on(table.kind, table.at)],
);
