/** Every read finds its rows by an index, on tables as large as a quarter leaves them: PostgreSQL says how it would. */
import { neon } from "@neondatabase/serverless";
import { drizzle } from "drizzle-orm/neon-http";
import pg from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startDatabase } from "../../dev/database/database.ts";
import type { RunningDatabase } from "../../dev/database/database.ts";
import { DAY, HOUR, MINUTE } from "../../protocol/time.ts";
import { RANGES } from "../../worker/core/series.ts";
import { anomalyCounts, raisedAnomalies } from "../../worker/store/anomalies.ts";
import { usualRates } from "../../worker/store/baseline.ts";
import { servedCertificates } from "../../worker/store/certificates.ts";
import { openDatabase } from "../../worker/store/database.ts";
import type { Database } from "../../worker/store/database.ts";
import { recentEvents } from "../../worker/store/events.ts";
import { FLUSH_RECORDS_MAX, flushRecords } from "../../worker/store/flush.ts";
import {
  boardAnnounced,
  boardChanges,
  boardDocuments,
  boardFacts,
  statusChanges,
  windowsOf,
} from "../../worker/store/queries.ts";
import { seriesOf } from "../../worker/store/series.ts";
import { chainAfter, newestOfChain } from "../../worker/store/uptime.ts";
import { filledService, fillHistory } from "../support/history.ts";
import { startPostgres } from "../support/postgres.ts";
import type { RealPostgres } from "../support/postgres.ts";

let postgres: RealPostgres;
let server: RunningDatabase;
let client: pg.Client;
beforeAll(async () => {
  postgres = await startPostgres();
  server = await startDatabase({ url: postgres.url });
  client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  await fillHistory(client, { services: 100, minuteDays: 1 });
}, 240_000);
afterAll(async () => {
  await client.end();
  await server.stop();
  await postgres.stop();
});

const NOW = Date.now();
const SERVICES = [3, 40, 77].map(filledService);

/** Statements that a read sends, caught before they reach a server. */
async function statementsOf(read: (db: Database) => Promise<unknown>): Promise<{ sql: string; params: unknown[] }[]> {
  const caught: { sql: string; params: unknown[] }[] = [];
  await read({
    async run(statement) {
      const built = statement(drizzle(neon(postgres.url))) as unknown as
        | { getQuery(): { sql: string; params: unknown[] } }
        | { toSQL(): { sql: string; params: unknown[] } };
      caught.push("getQuery" in built ? built.getQuery() : built.toSQL());
      return { ok: false, code: "refused", message: "caught" };
    },
  });
  return caught;
}

const TABLE_OF = { hour: "minute", day: "minute", week: "hour", month: "hour", quarter: "day" } as const;

const series = (services: readonly string[]): readonly Read[] =>
  RANGES.map((range) => [
    `the ${range} of ${services.length} services`,
    new RegExp(`Index (Only )?Scan (using|on) ${TABLE_OF[range]}_window_\\w*(pkey|pk)`),
    (db) => seriesOf(db, { services, range, now: NOW, timeZone: "Europe/Berlin" }),
  ]);
const before = { at: NOW - DAY, cluster: "eu-1", id: "ffff" };
const kinds = ["gap", "lease.result"];

type Read = readonly [name: string, index: RegExp, read: (db: Database) => Promise<unknown>];
const READS: readonly Read[] = [
  ...series(SERVICES),
  ...series(Array.from({ length: 100 }, (_, n) => filledService(n))),
  ["all events", /event_observed/, (db) => recentEvents(db, { limit: 50 })],
  ["all events, a later page", /event_observed/, (db) => recentEvents(db, { before, limit: 50 })],
  ["events of a cluster", /event_cluster_observed/, (db) => recentEvents(db, { cluster: "eu-1", before, limit: 50 })],
  ["events of a kind", /event_kind_observed/, (db) => recentEvents(db, { kinds: ["gap"], before, limit: 50 })],
  [
    "events of two kinds of a cluster",
    /event_cluster_kind_observed/,
    (db) => recentEvents(db, { cluster: "eu-1", kinds, before, limit: 50 }),
  ],
  [
    "events of a kind that never happened",
    /event_(cluster_)?kind_observed/,
    (db) => recentEvents(db, { cluster: "eu-1", kinds: ["certificate.seen"], limit: 50 }),
  ],
  [
    "windows of a service",
    /minute_window_\d{8}_pkey/,
    (db) => windowsOf(db, { cluster: "eu-1", service: "shop/s1", from: NOW - HOUR, to: NOW }),
  ],
  [
    "status changes of a component",
    /(component_change[^\n]*\n\s*Index Cond: [^\n]*'component'[^]*){2}/,
    (db) => statusChanges(db, { component: "component7", from: NOW - DAY, to: NOW }),
  ],
  ["all documents", /board_fact_kind_key_pk/, (db) => boardDocuments(db, null)],
  [
    "documents, a later page",
    /board_fact_kind_key_pk/,
    (db) => boardDocuments(db, { kind: "component", key: "1500", at: 0 }),
  ],
  ["what was announced last", /board_fact_kind_at/, boardAnnounced],
  ["all status changes", /board_fact_kind_at/, (db) => boardChanges(db, NOW - 92 * DAY, null)],
  [
    "all status changes, a later page",
    /board_fact_kind_at/,
    (db) => boardChanges(db, 0, { kind: "status_change", key: "7:9", at: NOW - DAY }),
  ],
  ["the newest frozen days", /board_fact_kind_key_pk/, newestOfChain],
  ["frozen days, a later page", /board_fact_kind_key_pk/, (db) => chainAfter(db, 100)],
  ["certificates as they are served", /event_kind_observed/, servedCertificates],
  ["the newest anomalies", /event_kind_observed[^]*event_cluster_kind_observed/, (db) => raisedAnomalies(db, 50)],
  ["how many anomalies there were", /event_kind_observed/, anomalyCounts],
  ["usual traffic at this hour", /hour_window_\d{6}_(hour_idx|\w*pk\w*)/, (db) => usualRates(db, NOW)],
  ["the audit", /board_fact_kind_at/, (db) => boardFacts(db, { kind: "audit", limit: 100 })],
];

it.each(READS)("%s: one statement, by its index, and no table from end to end", async (_name, index, read) => {
  const statements = await statementsOf(read);
  expect(statements).toHaveLength(1);
  const [{ sql, params } = { sql: "", params: [] }] = statements;
  const { rows } = await client.query(`EXPLAIN ${sql}`, params);
  const plan = rows.map((line: Record<string, string>) => line["QUERY PLAN"]).join("\n");
  expect(plan).toMatch(index);
  expect(plan).not.toMatch(/Seq Scan on (minute_window|hour_window|day_window|event|board_fact)/);
  // What was made for paging is read in its order, and at most a page of each kind is sorted.
  if (sql.includes("LIMIT") && !sql.includes("width_bucket")) expect(plan).not.toMatch(/Sort[^\n]*rows=\d{5}/);
});

it("would say so if one were: a read without an index is seen", async () => {
  const { rows } = await client.query("EXPLAIN SELECT * FROM day_window WHERE service_id = 'shop/s1'");
  expect(JSON.stringify(rows)).toMatch(/Seq Scan on day_window/);
});

it("a flush finds what longer windows contain by index, in the days of its windows alone", async () => {
  const [cluster = "", service = ""] = filledService(3).split(/\/(.*)/);
  const from = Math.floor(NOW / DAY) * DAY;
  // Minutes that were there and others, five minutes that contain them, and minutes that these contain.
  const records = Array.from({ length: FLUSH_RECORDS_MAX }, (_, i) => {
    const spanMs = i % 100 === 0 ? 5 * MINUTE : MINUTE;
    const at = from + (i % 1_400) * MINUTE;
    const facts = { service: i < 1_400 ? service : "shop/new", at, spanMs, requests: 1, errors: 0, latency: null };
    return { epoch: 2, seq: i + 1, record: { kind: "window" as const, ...facts } };
  });
  const [{ sql, params } = { sql: "", params: [] }] = await statementsOf((db) => flushRecords(db, cluster, records));
  const plans: string[] = [];
  const listen = ({ message = "" }: { readonly message?: string | undefined }): number => plans.push(message);
  await client.query("LOAD 'auto_explain'");
  await client.query("SET auto_explain.log_min_duration = 0; SET auto_explain.log_nested_statements = on");
  await client.query("BEGIN");
  client.on("notice", listen);
  await client.query("SET LOCAL client_min_messages = log");
  await client.query(sql, params);
  client.off("notice", listen);
  const left = await client.query("SELECT count(*)::int AS n FROM minute_window WHERE epoch = 2");
  await client.query("ROLLBACK");
  await client.query("SET auto_explain.log_min_duration = -1");
  // Of each hundred minutes one is five minutes long and contains four more.
  expect(left.rows).toEqual([{ n: FLUSH_RECORDS_MAX * 0.96 }]);
  const longer = plans.filter((plan) => plan.includes("Delete on minute_window"));
  expect(longer).toHaveLength(2);
  for (const plan of longer) {
    expect(plan).toMatch(/Index Scan using minute_window_\d{8}_cluster_id_service_id_minute_idx/);
    expect(plan).not.toMatch(/Seq Scan on minute_window|Hash Join|Merge Join/);
    // The day, and the hour before it and after it.
    expect(new Set(plan.match(/minute_window_\d{8}/g)).size).toBeLessThanOrEqual(3);
  }
  expect(plans.join("\n")).not.toMatch(/Seq Scan on (minute_window|hour_window|day_window|received)/);
});

it("a range touches only the partitions of its days", async () => {
  const [{ sql, params } = { sql: "", params: [] }] = await statementsOf((db) =>
    seriesOf(db, { services: SERVICES, range: "hour", now: NOW, timeZone: "Etc/UTC" }),
  );
  const { rows } = await client.query(`EXPLAIN ${sql}`, params);
  const touched = new Set(JSON.stringify(rows).match(/minute_window_\d{8}/g));
  expect(touched.size).toBeGreaterThanOrEqual(1);
  expect(touched.size).toBeLessThanOrEqual(2);
});

it("a component's quarter is one statement and a small answer", async () => {
  const db = openDatabase({ url: server.url, fetchEndpoint: server.endpoint });
  const result = await seriesOf(db, { services: SERVICES, range: "quarter", now: NOW, timeZone: "Etc/UTC" });
  if (!result.ok) throw new Error(result.message);
  expect(result.value.points).toHaveLength(90);
  expect(result.value.points.every(({ seen }) => seen?.requests === 18_000 && seen.p95 !== null)).toBe(true);
});
