/**
 * A database is migrated before the new Worker is deployed, so the previous one (0.1.0, commit eb759cf) meets the new
 * schema. Its statements stand here as it sends them; nothing of today's code writes them.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { drizzle } from "drizzle-orm/node-postgres";
import { migrate as applyMigrations } from "drizzle-orm/node-postgres/migrator";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startDatabase } from "../../dev/database/database.ts";
import { startEmbedded } from "../../dev/database/embedded.ts";
import { startEndpoint } from "../../dev/database/endpoint.ts";
import { migrate } from "../../dev/database/migrate.ts";
import { exponentialLatency, exponentialOf } from "../../protocol/exponential.ts";
import { quantile } from "../../protocol/latency.ts";
import { DAY, MINUTE } from "../../protocol/time.ts";
import { openDatabase } from "../../worker/store/database.ts";
import { flushRecords } from "../../worker/store/flush.ts";
import { prepareStorage, retireStorage } from "../../worker/store/partitions.ts";
import { seriesOf } from "../../worker/store/series.ts";
import { ROOT } from "../support/process.ts";
import { startPostgres } from "../support/postgres.ts";

const FLUSH = `
    WITH incoming AS (
      SELECT $1::text AS cluster_id, epoch, seq, kind, to_timestamp(at / 1000.0) AS at, key, subject, body
      FROM jsonb_to_recordset($2::jsonb)
        AS r(epoch bigint, seq bigint, kind text, at bigint, key text, subject text, body jsonb)
    ), fresh AS (
      INSERT INTO ingest (cluster_id, epoch, seq)
      SELECT cluster_id, epoch, seq FROM incoming ORDER BY epoch, seq
      ON CONFLICT DO NOTHING RETURNING epoch, seq
    ), facts AS (
      SELECT DISTINCT ON (kind, key, at) incoming.* FROM incoming JOIN fresh USING (epoch, seq)
      ORDER BY kind, key, at, epoch DESC, seq DESC
    ), windows AS (
      INSERT INTO minute_window AS w
        (cluster_id, service_id, minute, span_ms, epoch, seq, requests, errors, latency)
      SELECT cluster_id, key, at, (body->>'spanMs')::bigint, epoch, seq,
        (body->>'requests')::float8, (body->>'errors')::float8, nullif(body->'latency', 'null')
      FROM facts WHERE kind = 'window' ORDER BY key, at
      ON CONFLICT (cluster_id, service_id, minute) DO UPDATE SET span_ms = excluded.span_ms, epoch = excluded.epoch,
        seq = excluded.seq, requests = excluded.requests, errors = excluded.errors, latency = excluded.latency
      WHERE (w.epoch, w.seq) < (excluded.epoch, excluded.seq)
    ), events AS (
      INSERT INTO event (cluster_id, id, epoch, seq, kind, subject, observed_at, body)
      SELECT cluster_id, key, epoch, seq, kind, subject, at, body
      FROM facts WHERE kind <> 'window' ORDER BY key
      ON CONFLICT (cluster_id, id) DO NOTHING
    )
    SELECT count(*)::int AS fresh FROM fresh`;

const FLUSH_BOARD = `
    WITH incoming AS (
      SELECT DISTINCT ON (kind, key) kind, key, revision, to_timestamp(at / 1000.0) AS at, body
      FROM jsonb_to_recordset($1::jsonb) AS r(kind text, key text, revision bigint, at bigint, body jsonb)
      ORDER BY kind, key, revision DESC
    ), stored AS (
      INSERT INTO board_fact AS f (kind, key, revision, at, body)
      SELECT kind, key, revision, at, body FROM incoming ORDER BY kind, key
      ON CONFLICT (kind, key) DO UPDATE SET revision = excluded.revision, at = excluded.at, body = excluded.body
      WHERE f.revision < excluded.revision
      RETURNING 1
    )
    SELECT count(*)::int AS stored FROM stored`;

const EVENTS = `select "cluster_id", "id", "kind", "subject", "observed_at", "body" from "event" where ("event"."cluster_id" = $1 and "event"."kind" in ($2, $3)) order by "event"."observed_at" desc limit $4`;
const WINDOWS = `select "minute", "span_ms", "requests", "errors", "latency" from "minute_window" where ("minute_window"."cluster_id" = $1 and "minute_window"."service_id" = $2 and "minute_window"."minute" >= $3 and "minute_window"."minute" < $4) order by "minute_window"."minute" limit $5`;
const WINDOW_COUNT = `select count(*) from "minute_window" where "minute_window"."cluster_id" = $1`;
const BOARD_FACTS = `select "kind", "key", "revision", "at", "body" from "board_fact" where "board_fact"."kind" = $1 order by "board_fact"."at" desc limit $2`;

const NOON = Math.floor(Date.now() / DAY) * DAY - DAY / 2;

interface Row {
  readonly epoch: number;
  readonly seq: number;
  readonly kind: string;
  readonly at: number;
  readonly key: string;
  readonly subject: string | null;
  readonly body: object;
}

function windowRow(epoch: number, seq: number, minute: number, requests: number): Row {
  const latency = { scheme: "explicit", bounds: "istio", counts: [0, 1, ...Array<number>(18).fill(0)], sum: 0.75 };
  const body = { spanMs: MINUTE, requests, errors: 1, latency };
  return { epoch, seq, kind: "window", at: NOON + minute * MINUTE, key: "shop/cart", subject: null, body };
}

function crashRow(seq: number): Row {
  return {
    epoch: 1,
    seq,
    kind: "pod.crash_loop",
    at: NOON,
    key: `e${seq}`,
    subject: "shop/cart",
    body: { restarts: 5 },
  };
}

/** The schema as the previous version's migrations left it. */
async function migrateToPrevious(url: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "migrations-"));
  cpSync(join(ROOT, "migrations"), folder, { recursive: true });
  const file = join(folder, "meta/_journal.json");
  const journal = JSON.parse(readFileSync(file, "utf8")) as { entries: unknown[] };
  writeFileSync(file, JSON.stringify({ ...journal, entries: journal.entries.slice(0, 1) }));
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await applyMigrations(drizzle(client), { migrationsFolder: folder });
  await client.end();
  rmSync(folder, { recursive: true });
}

const SERVERS = [
  ["PGlite", async () => startEmbedded({})],
  ["PostgreSQL", async () => startPostgres()],
] as const;

describe.each(SERVERS)("the previous Worker's statements in %s", (_name, start) => {
  let server: { readonly url: string; stop(): Promise<void> };
  let client: pg.Client;
  beforeAll(async () => {
    server = await start();
    await migrateToPrevious(server.url);
    client = new pg.Client({ connectionString: server.url });
    await client.connect();
  });
  afterAll(async () => {
    await client.end();
    await server.stop();
  });

  const flush = async (cluster: string, ...rows: Row[]): Promise<number> =>
    (await client.query(FLUSH, [cluster, JSON.stringify(rows)])).rows[0].fresh;
  const hours = async (cluster: string) =>
    (await client.query("SELECT requests, covered_ms::int, counts FROM hour_window WHERE cluster_id = $1", [cluster]))
      .rows;

  it("filled a database that is then migrated: rows are carried over, summed up, and known as received", async () => {
    expect(await flush("eu", windowRow(1, 1, 0, 10), windowRow(1, 2, 1, 20), crashRow(3))).toBe(3);
    // Older than minutes are kept: its hour is kept all the same.
    expect(await flush("eu", windowRow(1, 5, -30 * 24 * 60, 5))).toBe(1);
    expect(await migrate(server.url)).toMatchObject({ applied: expect.toSatisfy((n: number) => n >= 1) });
    expect((await client.query(WINDOW_COUNT, ["eu"])).rows).toEqual([{ count: "3" }]);
    expect(await hours("eu")).toEqual([
      { requests: 5, covered_ms: MINUTE, counts: { 1: 1 } },
      { requests: 30, covered_ms: 2 * MINUTE, counts: { 1: 2 } },
    ]);
    const received = await client.query("SELECT epoch, numbers::text FROM received WHERE cluster_id = 'eu'");
    expect(received.rows).toEqual([{ epoch: "1", numbers: "{[1,4),[5,6)}" }]);
  });

  it("write and read the new schema: rows arrive once, and the sums follow", async () => {
    expect(await flush("us", windowRow(1, 1, 0, 10), windowRow(1, 2, 1, 20), crashRow(3))).toBe(3);
    expect(await flush("us", windowRow(1, 1, 0, 10), windowRow(1, 4, 1, 50))).toBe(1);
    expect(await hours("us")).toEqual([{ requests: 60, covered_ms: 2 * MINUTE, counts: { 1: 2 } }]);
    const span = [new Date(NOON).toISOString(), new Date(NOON + DAY).toISOString(), 10_080];
    const windows = await client.query(WINDOWS, ["us", "shop/cart", ...span]);
    expect(windows.rows.map(({ requests }) => requests)).toEqual([10, 50]);
    expect((await client.query(EVENTS, ["us", "pod.crash_loop", "gap", 50])).rows).toHaveLength(1);
    const rows = [{ kind: "component", key: "c", revision: 1, at: NOON, body: { name: "Cart" } }];
    expect((await client.query(FLUSH_BOARD, [JSON.stringify(rows)])).rows).toEqual([{ stored: 1 }]);
    expect((await client.query(BOARD_FACTS, ["component", 5])).rows).toHaveLength(1);
  });

  it("and the new Worker's take turns, in either order, without a window that counts twice", async () => {
    const endpoint = await startEndpoint({ url: server.url });
    const db = openDatabase({ url: server.url, fetchEndpoint: endpoint.endpoint });
    const record = {
      kind: "window" as const,
      service: "shop/cart",
      at: NOON,
      spanMs: MINUTE,
      requests: 10,
      errors: 1,
      latency: null,
    };
    await flush("both", windowRow(1, 1, 0, 10));
    expect(await flushRecords(db, "both", [{ epoch: 1, seq: 1, record }])).toMatchObject({ ok: true });
    expect(
      await flushRecords(db, "both", [{ epoch: 1, seq: 2, record: { ...record, at: NOON + MINUTE } }]),
    ).toMatchObject({
      ok: true,
    });
    await flush("both", windowRow(1, 2, 1, 10));
    expect((await hours("both")).reduce((sum, { requests }) => sum + requests, 0)).toBe(20);
    await endpoint.stop();
  });

  it("store exponential histograms, which it does not know, beside the new Worker's: none is lost but its latency", async () => {
    const endpoint = await startEndpoint({ url: server.url });
    const db = openDatabase({ url: server.url, fetchEndpoint: endpoint.endpoint });
    const latency = exponentialOf([10, 20, 40]);
    // What this Worker has taken in waits in an object that the previous one then flushes.
    const theirs = { ...windowRow(1, 1, 0, 3), body: { spanMs: MINUTE, requests: 3, errors: 0, latency } };
    expect(await flush("native", theirs)).toBe(1);
    const at = NOON + MINUTE;
    const ours = { kind: "window" as const, service: "shop/cart", at, spanMs: MINUTE, requests: 3, errors: 0, latency };
    expect(await flushRecords(db, "native", [{ epoch: 1, seq: 2, record: ours }])).toMatchObject({ ok: true });
    expect((await client.query(WINDOW_COUNT, ["native"])).rows).toEqual([{ count: "2" }]);
    const asked = { services: ["native/shop/cart"], range: "week" as const, now: NOON + DAY / 2, timeZone: "Etc/UTC" };
    const found = await seriesOf(db, asked);
    const [point] = found.ok ? found.value.points.flatMap(({ seen }) => seen ?? []) : [];
    const { min: _min, max: _max, ...counted } = latency;
    const buckets = new Map(counted.counts.map((count, i) => [counted.offset + i, count]));
    expect(point).toMatchObject({ requests: 6, p95: quantile(exponentialLatency({ ...counted, buckets }), 0.95) });
    await endpoint.stop();
  });
});

describe("the Worker's role", () => {
  it("writes, reads and lets storage be prepared and retired, was granted nothing anew, and can change no table", async () => {
    const postgres = await startPostgres();
    await migrateToPrevious(postgres.url);
    const owner = new pg.Client({ connectionString: postgres.url });
    await owner.connect();
    await owner.query("CREATE ROLE worker LOGIN");
    // As the README of that version says it: "needs only to read and write them".
    await owner.query("GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO worker");
    await migrate(postgres.url);
    const database = await startDatabase({ url: postgres.url });
    const endpoint = await startEndpoint({ url: postgres.url.replace("postgres:postgres@", "worker:worker@") });
    const db = openDatabase({ url: "postgres://worker:worker@limited/postgres", fetchEndpoint: endpoint.endpoint });
    const worker = new pg.Client({ connectionString: postgres.url.replace("postgres:postgres@", "worker:worker@") });
    await worker.connect();

    const record = {
      kind: "window" as const,
      service: "shop/cart",
      spanMs: MINUTE,
      requests: 1,
      errors: 0,
      latency: null,
    };
    for (const [i, at] of [NOON, NOON - 20 * DAY, NOON].entries())
      expect(await flushRecords(db, "eu", [{ epoch: 1, seq: i + 1, record: { ...record, at } }])).toMatchObject({
        ok: true,
      });
    expect((await worker.query(FLUSH, ["us", JSON.stringify([windowRow(1, 1, 0, 10)])])).rows).toEqual([{ fresh: 1 }]);
    const page = { kind: "page", key: "page", revision: 1, at: NOON, body: { timeZone: "Asia/Tokyo" } };
    expect((await worker.query(FLUSH_BOARD, [JSON.stringify([page])])).rows).toEqual([{ stored: 1 }]);
    expect((await owner.query("SELECT zone FROM day_zone")).rows).toEqual([{ zone: "Asia/Tokyo" }]);
    expect((await worker.query("SELECT count(*)::int AS n FROM hour_window, day_window")).rows).toEqual([{ n: 9 }]);
    expect(await prepareStorage(db)).toMatchObject({ ok: true });
    expect(await retireStorage(db)).toEqual({ ok: true, value: 1 });
    for (const forbidden of [
      "CREATE TABLE mine (a int)",
      "DROP TABLE minute_window",
      "ALTER TABLE hour_window ADD COLUMN a int",
      "DELETE FROM minute_window",
      "UPDATE hour_window SET requests = 0",
      "UPDATE day_zone SET zone = 'Etc/UTC'",
      "SELECT roll_up_windows()",
      "SELECT keep_longer_windows()",
    ])
      await expect(worker.query(forbidden)).rejects.toThrow(/permission denied|must be owner|trigger functions/);
    // A table of the caller's, found before ours, would have the owner's rights at its disposal.
    await worker.query("CREATE TEMP TABLE hour_window (a int)");
    expect((await worker.query(FLUSH, ["us", JSON.stringify([windowRow(1, 2, 1, 10)])])).rows).toEqual([{ fresh: 1 }]);

    await Promise.all([worker.end(), owner.end(), endpoint.stop()]);
    await database.stop();
    await postgres.stop();
  });
});
