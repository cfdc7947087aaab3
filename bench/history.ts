/**
 * `npm run bench:history`: what history costs, on a real PostgreSQL that was filled as a quarter of 100 services leaves
 * it, through the driver and the door that the Worker uses. Ends with 1 if a quarter's chart takes 50 ms or more (p95).
 */
import pg from "pg";
import { startDatabase } from "../dev/database/database.ts";
import { ISTIO_BOUNDS } from "../protocol/latency.ts";
import type { WindowRecord } from "../protocol/record.ts";
import { MINUTE, minuteOf } from "../protocol/time.ts";
import { filledService, fillHistory } from "../test/support/history.ts";
import { startPostgres } from "../test/support/postgres.ts";
import { RANGES } from "../worker/core/series.ts";
import type { Database } from "../worker/store/database.ts";
import { openDatabase } from "../worker/store/database.ts";
import { recentEvents } from "../worker/store/events.ts";
import { flushRecords } from "../worker/store/flush.ts";
import { statusChanges } from "../worker/store/queries.ts";
import { seriesOf } from "../worker/store/series.ts";

const SERVICES = 100;
const MINUTE_DAYS = 2;
/** Services a component: a workload in each of four clusters. */
const COMPONENT_SERVICES = 4;
const RUNS = 200;
const QUARTER_P95_MS_MAX = 50;
/** A flush of five minutes of 50 services. */
const FLUSH_SERVICES = 50;
const FLUSH_MINUTES = 5;
const FLUSHES = 40;

async function main(): Promise<void> {
  const postgres = await startPostgres();
  const server = await startDatabase({ url: postgres.url });
  const client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  try {
    console.error(`bench: filling 90 days of ${SERVICES} services`);
    await fillHistory(client, { services: SERVICES, minuteDays: MINUTE_DAYS });
    await printSizes(client);
    const db = openDatabase({ url: postgres.url, fetchEndpoint: server.endpoint });
    const quarterMs = await timeReads(db);
    await timeFlushes(db, client);
    if (quarterMs >= QUARTER_P95_MS_MAX) process.exitCode = 1;
  } finally {
    await client.end();
    await server.stop();
    await postgres.stop();
  }
}

/** Each read over and over, each time for another component; the p95 of a quarter's chart. */
async function timeReads(db: Database): Promise<number> {
  const now = Date.now();
  const row = (name: string, sorted: readonly number[]): void => {
    const [p50, p95, max] = [0.5, 0.95, 1].map((q) => percentile(sorted, q).toFixed(1).padStart(8));
    console.log(`${name.padEnd(46)}${p50} ms${p95} ms${max} ms`);
  };
  console.log(`\n${"".padEnd(46)}${"p50".padStart(11)}${"p95".padStart(11)}${"max".padStart(11)}`);
  let quarter: readonly number[] = [];
  for (const range of RANGES) {
    const times = await timed(RUNS, (i) => {
      const services = Array.from({ length: COMPONENT_SERVICES }, (_, n) => filledService((i * 7 + n) % SERVICES));
      return seriesOf(db, { services, range, now, timeZone: "Europe/Berlin" });
    });
    if (range === "quarter") quarter = times;
    row(`chart over a ${range}, ${COMPONENT_SERVICES} services`, times);
  }
  const cluster = "eu-1";
  row(
    "50 events of a kind and cluster",
    await timed(RUNS, () => recentEvents(db, { cluster, kinds: ["gap"], limit: 50 })),
  );
  const from = now - 90 * 1_440 * MINUTE;
  row(
    "status changes of a component, a quarter",
    await timed(RUNS, (i) => statusChanges(db, { component: `component${1 + (i % 40)}`, from, to: now })),
  );
  return percentile(quarter, 0.95);
}

/** One agent's flushes, five minutes each: bytes on the way, and what rolling up adds to storing. */
async function timeFlushes(db: Database, client: pg.Client): Promise<void> {
  const start = minuteOf(Date.now()) - FLUSHES * FLUSH_MINUTES * MINUTE;
  const batch = (round: number) =>
    Array.from({ length: FLUSH_SERVICES * FLUSH_MINUTES }, (_, i) => ({
      epoch: 1,
      seq: 1 + round * FLUSH_SERVICES * FLUSH_MINUTES + i,
      record: windowOf(i % FLUSH_SERVICES, start + (round * FLUSH_MINUTES + Math.floor(i / FLUSH_SERVICES)) * MINUTE),
    }));
  const rolled = await timed(FLUSHES / 2, (round) => flushRecords(db, "bench", batch(round)));
  await client.query("ALTER TABLE minute_window DISABLE TRIGGER USER");
  const plain = await timed(FLUSHES / 2, (round) => flushRecords(db, "bench", batch(FLUSHES / 2 + round)));
  await client.query("ALTER TABLE minute_window ENABLE TRIGGER USER");
  const bytes = JSON.stringify(batch(0)).length;
  const [both, alone] = [rolled, plain].map((times) => percentile(times, 0.5).toFixed(1));
  console.log(
    `\nflush of ${FLUSH_SERVICES * FLUSH_MINUTES} windows: ${bytes} bytes of JSON, ${both} ms (p50), ${alone} ms without rollups`,
  );
}

function windowOf(n: number, at: number): WindowRecord {
  const counts = ISTIO_BOUNDS.map((_, i) =>
    i > 1 && i < 10 ? Math.round(1_000 / (1 + Math.abs(i - 4) ** 3)) / 10 : 0,
  );
  const latency = { scheme: "explicit" as const, bounds: "istio" as const, counts: [...counts, 0], sum: 4_100.25 };
  return { kind: "window", service: `shop/service-${n}`, at, spanMs: MINUTE, requests: 240.5, errors: 1.5, latency };
}

async function printSizes(client: pg.Client): Promise<void> {
  const tables = ["minute_window", "hour_window", "day_window", "event", "board_fact"];
  for (const table of tables) {
    const { rows } = await client.query<{ rows: number; heap: number; all: number }>(
      `SELECT (SELECT count(*) FROM ${table})::float8 AS rows, sum(pg_table_size(part))::float8 AS heap,
        sum(pg_total_relation_size(part))::float8 AS all
        FROM (SELECT '${table}'::regclass AS part UNION SELECT inhrelid FROM pg_inherits WHERE inhparent = '${table}'::regclass) AS parts`,
    );
    const [sizes = { rows: 0, heap: 0, all: 0 }] = rows;
    const per = (bytes: number): string => (bytes / sizes.rows).toFixed(0);
    console.log(
      `${table.padEnd(16)}${String(sizes.rows).padStart(9)} rows${per(sizes.all).padStart(6)} bytes a row, ${per(sizes.heap)} without its indexes`,
    );
  }
}

/** Milliseconds each run took, sorted. A failure ends the bench. */
async function timed(runs: number, run: (i: number) => Promise<{ readonly ok: boolean }>): Promise<readonly number[]> {
  const times: number[] = [];
  for (let i = 0; i < runs; i++) {
    const startedAt = performance.now();
    const result = await run(i);
    times.push(performance.now() - startedAt);
    if (!result.ok) throw new Error(JSON.stringify(result));
  }
  return times.toSorted((a, b) => a - b);
}

function percentile(sorted: readonly number[], q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN;
}

await main();
