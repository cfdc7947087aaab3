/** Hours and days are the sum of the minutes, whatever is flushed, replaced or sent again, and by whom. */
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RunningDatabase } from "../../dev/database/database.ts";
import type { WindowRecord } from "../../protocol/record.ts";
import { DAY, HOUR, MINUTE } from "../../protocol/time.ts";
import { flushBoard } from "../../worker/store/board.ts";
import { openDatabase } from "../../worker/store/database.ts";
import type { Database } from "../../worker/store/database.ts";
import { flushRecords } from "../../worker/store/flush.ts";
import { prepareStorage, retireStorage } from "../../worker/store/partitions.ts";
import { DATABASES, startPostgreSql } from "../support/databases.ts";

/** Within the partitions that the migration made, and never in the hour that is about to end. */
const TODAY = Math.floor(Date.now() / DAY) * DAY;
const NOON = TODAY - DAY + 12 * HOUR;

type Latency = NonNullable<WindowRecord["latency"]>;

const istio = (counts: Readonly<Record<number, number>>, sum: number): Latency => ({
  scheme: "explicit",
  bounds: "istio",
  counts: Array.from({ length: 20 }, (_, i) => counts[i] ?? 0),
  sum,
});

function window(at: number, facts: Partial<WindowRecord> = {}): WindowRecord {
  return { kind: "window", service: "shop/cart", at, spanMs: MINUTE, requests: 10, errors: 1, latency: null, ...facts };
}

describe.each(DATABASES)("rollups in %s", (_name, start) => {
  let server: RunningDatabase;
  let db: Database;
  let client: pg.Client;
  let seq = 0;
  beforeAll(async () => {
    server = await start();
    db = openDatabase({ url: server.url, fetchEndpoint: server.endpoint });
    client = new pg.Client({ connectionString: server.url });
    await client.connect();
  });
  afterAll(async () => {
    await client.end();
    await server.stop();
  });

  async function flush(cluster: string, ...windows: readonly WindowRecord[]): Promise<void> {
    const records = windows.map((record) => ({ epoch: 1, seq: ++seq, record }));
    expect(await flushRecords(db, cluster, records)).toEqual({ ok: true, value: { fresh: records.length } });
  }

  /** Rows as [slot, bounds, requests, errors, covered minutes, counts, sum]; an hour is told from `NOON`. */
  async function rollup(table: "hour_window" | "day_window", cluster: string): Promise<unknown[][]> {
    const slot =
      table === "hour_window" ? `(extract(epoch FROM hour) * 1000 - ${NOON})::float8 / ${HOUR}` : "day::text";
    const { rows } = await client.query({
      text: `SELECT ${slot}, bounds, requests, errors, (covered_ms / 60000)::int, counts, sum
        FROM ${table} WHERE cluster_id = $1 ORDER BY 1, 2`,
      values: [cluster],
      rowMode: "array",
    });
    return rows;
  }

  async function setZone(timeZone: string): Promise<void> {
    const at = Date.now() + ++seq;
    const row = { kind: "page" as const, key: "page", revision: at, at, body: { timeZone } };
    expect(await flushBoard(db, [row])).toEqual({ ok: true, value: { stored: 1 } });
  }

  const dayText = (at: number): string => new Date(at).toISOString().slice(0, 10);

  it("add the windows of an hour and of a day, and their histograms bucket by bucket", async () => {
    await flush("sum", window(NOON, { latency: istio({ 4: 3, 6: 2.5 }, 100) }));
    await flush("sum", window(NOON + MINUTE, { latency: istio({ 6: 1, 19: 1 }, 50) }));
    await flush("sum", window(NOON + HOUR), window(NOON + 2 * HOUR - MINUTE));
    expect(await rollup("hour_window", "sum")).toEqual([
      [0, "istio", 20, 2, 2, { 4: 3, 6: 3.5, 19: 1 }, 150],
      [1, "", 20, 2, 2, {}, 0],
    ]);
    expect(await rollup("day_window", "sum")).toEqual([
      [dayText(NOON), "", 20, 2, 2, {}, 0],
      [dayText(NOON), "istio", 20, 2, 2, { 4: 3, 6: 3.5, 19: 1 }, 150],
    ]);
  });

  it("never add histograms of different bounds", async () => {
    const other: Latency = { scheme: "explicit", bounds: [10, 100.5], counts: [1, 2, 0], sum: 7 };
    await flush("bounds", window(NOON, { latency: other }), window(NOON + MINUTE, { latency: istio({ 0: 1 }, 1) }));
    expect(await rollup("hour_window", "bounds")).toEqual([
      [0, "[10, 100.5]", 10, 1, 1, { 0: 1, 1: 2 }, 7],
      [0, "istio", 10, 1, 1, { 0: 1 }, 1],
    ]);
  });

  it("give a long window to the hour in which it starts; a coarse one of an hour is that hour", async () => {
    await flush("coarse", window(NOON + 58 * MINUTE, { spanMs: 5 * MINUTE }), window(NOON + HOUR, { spanMs: HOUR }));
    expect(await rollup("hour_window", "coarse")).toEqual([
      [0, "", 10, 1, 5, {}, 0],
      [1, "", 10, 1, 60, {}, 0],
    ]);
  });

  it("move by new - old when a newer number replaces a window, and drop buckets that are empty again", async () => {
    const latency = istio({ 3: 5, 6: 0.1 }, 20);
    await flush("replace", window(NOON, { latency }), window(NOON + MINUTE, { latency: istio({ 6: 0.2 }, 1) }));
    await flush("replace", window(NOON, { requests: 30, errors: 0, latency: istio({ 6: 9 }, 5) }));
    const expected = [expect.anything(), "istio", 40, 1, 2, { 6: expect.closeTo(9.2, 9) }, 6];
    expect(await rollup("hour_window", "replace")).toEqual([expected]);
    expect(await rollup("day_window", "replace")).toEqual([expected]);
  });

  it("move nothing at a replay, at an older number, or when the answer to the first was lost", async () => {
    const batch = [5, 6].map((number) => ({ epoch: 9, seq: number, record: window(NOON + number * MINUTE) }));
    server.inject("lose_answer", 1);
    expect(await flushRecords(db, "replay", batch)).toMatchObject({ ok: false });
    for (let time = 0; time < 3; time++) await flushRecords(db, "replay", batch);
    const older = batch.map((each, i) => ({ ...each, epoch: 8, seq: i + 1 }));
    expect(await flushRecords(db, "replay", older)).toEqual({ ok: true, value: { fresh: 2 } });
    expect(await rollup("hour_window", "replay")).toEqual([[0, "", 20, 2, 2, {}, 0]]);
  });

  it("count once what an orphan and its retry flush at the same time, and what two spools renumbered crosswise", async () => {
    const windows = Array.from({ length: 300 }, (_, i) =>
      window(NOON + (i % 100) * MINUTE, { service: `shop/s${i % 3}` }),
    );
    const under = (epoch: number) => windows.map((record, i) => ({ epoch, seq: i + 1, record }));
    const batches = [under(1), under(1), under(2).toReversed(), under(2)];
    for (let round = 0; round < 5; round++) {
      const results = await Promise.all(batches.map((batch) => flushRecords(db, "race", batch)));
      // A deadlock is broken by Postgres and is `unavailable`: the next round sends it again.
      expect(results.filter((result) => !result.ok && result.code !== "unavailable")).toEqual([]);
    }
    const [hours] = (await client.query("SELECT sum(requests)::int AS n FROM hour_window WHERE cluster_id = 'race'"))
      .rows;
    const [minutes] = (
      await client.query("SELECT sum(requests)::int AS n FROM minute_window WHERE cluster_id = 'race'")
    ).rows;
    expect([hours.n, minutes.n]).toEqual([3_000, 3_000]);
  });

  it("follow whoever writes and removes minutes, and stay when a partition goes", async () => {
    await client.query(
      `INSERT INTO minute_window SELECT 'direct', 'shop/cart', to_timestamp($1::float8 / 1000) + n * interval '1 min', 60000, 1, n, 2, 0, NULL
       FROM generate_series(0, 59) AS n`,
      [NOON],
    );
    await client.query("UPDATE minute_window SET requests = 3 WHERE cluster_id = 'direct' AND seq < 10");
    expect(await rollup("hour_window", "direct")).toEqual([[0, "", 130, 0, 60, {}, 0]]);
    await client.query("DELETE FROM minute_window WHERE cluster_id = 'direct' AND seq >= 58");
    expect(await rollup("hour_window", "direct")).toEqual([[0, "", 126, 0, 58, {}, 0]]);
    await client.query(`DROP TABLE minute_window_${dayText(NOON).replaceAll("-", "")}`);
    await prepareStorage(db, [NOON]);
    expect(await rollup("hour_window", "direct")).toEqual([[0, "", 126, 0, 58, {}, 0]]);
  });

  it("cut days in the page's zone, anew from the hours when it changes, and in UTC if Postgres does not know it", async () => {
    const midnight = TODAY - 5 * DAY;
    const windows = [-14, -12, -6, -1, 0, 1, 12, 19].map((hour) =>
      window(midnight + hour * HOUR, { latency: istio({ 2: 1 }, 1) }),
    );
    await flush("zone", ...windows.slice(0, 6));
    const days = async (): Promise<unknown[]> =>
      (await rollup("day_window", "zone")).map(([day, , requests, , , counts]) => [day, requests, counts]);
    const day = (offset: number, count: number): unknown => [
      dayText(midnight + offset * DAY),
      10 * count,
      { 2: count },
    ];
    expect(await days()).toEqual([day(-1, 4), day(0, 2)]);
    await setZone("Pacific/Auckland");
    await flush("zone", ...windows.slice(6));
    // 12 or 13 hours ahead: the first of the eight lies before their midnight, the last two after the next.
    expect(await days()).toEqual([day(-1, 1), day(0, 5), day(1, 2)]);
    await setZone("Mars/Olympus");
    expect(await days()).toEqual([day(-1, 4), day(0, 4)]);
    await setZone("Etc/UTC");
    expect(await days()).toEqual([day(-1, 4), day(0, 4)]);
  });

  it("cut hours where the page's clock cuts them, so that a day of half-hour zones is exact too", async () => {
    await setZone("Asia/Kolkata");
    // 18:29 and 18:30 UTC: the last minute of a day in Kolkata, and the first of the next.
    const last = TODAY - 3 * DAY + 18 * HOUR + 29 * MINUTE;
    await flush("kolkata", window(last), window(last + MINUTE, { requests: 70 }));
    expect((await rollup("day_window", "kolkata")).map(([day, , requests]) => [day, requests])).toEqual([
      [dayText(last), 10],
      [dayText(last + DAY), 70],
    ]);
    await setZone("Etc/UTC");
  });

  it("are dropped with their age: minutes after 14 days, hours after 400, days never", async () => {
    const ages = [13, 16, 399, 440].map((days) => window(NOON - days * DAY));
    await flush("old", ...ages);
    expect(await retireStorage(db)).toMatchObject({ ok: true });
    expect(await retireStorage(db)).toEqual({ ok: true, value: 0 });
    const left = await client.query("SELECT minute FROM minute_window WHERE cluster_id = 'old'");
    expect(left.rows.map(({ minute }) => (NOON - Number(minute)) / DAY)).toEqual([13]);
    expect((await rollup("hour_window", "old")).map(([hour]) => Number(hour) / -24)).toEqual([399, 16, 13]);
    expect(await rollup("day_window", "old")).toHaveLength(4);
  });

  it("find their partitions made ahead for 30 days, once, and a lost one made again", async () => {
    expect(await prepareStorage(db)).toEqual({ ok: true, value: expect.any(Number) });
    const both = await Promise.all([prepareStorage(db), prepareStorage(db, [NOON])]);
    expect(both).toEqual([
      { ok: true, value: 0 },
      { ok: true, value: 0 },
    ]);
    const parts = await client.query(
      `SELECT count(*)::int AS n FROM generate_series(-14, 30) AS n
       WHERE to_regclass('minute_window_' || to_char((now() AT TIME ZONE 'UTC')::date + n, 'YYYYMMDD')) IS NULL`,
    );
    expect(parts.rows).toEqual([{ n: 0 }]);
    const name = `minute_window_${dayText(NOON).replaceAll("-", "")}`;
    await client.query(`DROP TABLE ${name}`);
    await flush("lost", window(NOON));
    expect((await client.query(`SELECT count(*)::int AS n FROM ${name}`)).rows).toEqual([{ n: 1 }]);
  });

  it("forget the oldest ranges of an agent that leaves a hole at every other number", async () => {
    const odd = (from: number) =>
      Array.from({ length: 700 }, (_, i) => ({
        epoch: 3,
        seq: from + 2 * i,
        record: window(NOON + (i % 60) * MINUTE),
      }));
    for (const from of [1, 1_401, 2_801]) await flushRecords(db, "holes", odd(from));
    const [held] = (
      await client.query(
        "SELECT (SELECT count(*)::int FROM unnest(numbers)) AS n, numbers @> 4199::bigint AS newest FROM received WHERE cluster_id = 'holes'",
      )
    ).rows;
    expect(held).toEqual({ n: expect.toSatisfy((n: number) => n <= 1_000), newest: true });
    const before = await rollup("hour_window", "holes");
    await flushRecords(db, "holes", odd(1));
    expect(await rollup("hour_window", "holes")).toEqual(before);
  });
});

it("retention waits for a flush that is under way, and neither ends the other in a deadlock", async () => {
  const server = await startPostgreSql();
  const db = openDatabase({ url: server.url, fetchEndpoint: server.endpoint });
  const [flush, watch] = [0, 1].map(() => new pg.Client({ connectionString: server.url }));
  if (flush === undefined || watch === undefined) throw new Error("two clients were made");
  await Promise.all([flush.connect(), watch.connect()]);
  const old = [16, 440].map((days, i) => ({ epoch: 1, seq: i + 1, record: window(NOON - days * DAY) }));
  expect(await flushRecords(db, "locks", old)).toMatchObject({ ok: true });
  // A flush locks the minutes, and its triggers lock the hours.
  await flush.query("BEGIN; LOCK TABLE minute_window IN ROW EXCLUSIVE MODE");
  const retired = retireStorage(db);
  await expect
    .poll(async () => (await watch.query("SELECT FROM pg_locks WHERE NOT granted")).rowCount, { timeout: 2_500 })
    .toBe(1);
  await flush.query("LOCK TABLE hour_window IN ROW EXCLUSIVE MODE; COMMIT");
  expect(await retired).toEqual({ ok: true, value: expect.toSatisfy((dropped: number) => dropped > 2) });
  await Promise.all([flush.end(), watch.end()]);
  await server.stop();
});
