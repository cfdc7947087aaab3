/** A chart says what was flushed, whichever table answers it: the same counts over an hour, a week or a quarter. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RunningDatabase } from "../../dev/database/database.ts";
import { exponentialLatency, exponentialOf, mergeExponential } from "../../protocol/exponential.ts";
import { explicitLatency, quantile } from "../../protocol/latency.ts";
import type { FactRecord, WindowRecord } from "../../protocol/record.ts";
import { DAY, HOUR, MINUTE } from "../../protocol/time.ts";
import { RANGES } from "../../worker/core/series.ts";
import type { Range, SeriesPoint } from "../../worker/core/series.ts";
import { flushBoard } from "../../worker/store/board.ts";
import { openDatabase } from "../../worker/store/database.ts";
import type { Database } from "../../worker/store/database.ts";
import { flushRecords } from "../../worker/store/flush.ts";
import { denseExponential, sparse } from "../../worker/store/latency.ts";
import type { SparseCounts } from "../../worker/store/latency.ts";
import { windowsOf } from "../../worker/store/queries.ts";
import { SERIES_SERVICES_MAX, seriesOf } from "../../worker/store/series.ts";
import { DATABASES } from "../support/databases.ts";

/** Half past noon in Kolkata and seven in the morning in London: hours and days are cut elsewhere than in UTC. */
const NOW = Math.floor(Date.now() / DAY) * DAY - DAY + 7 * HOUR;
const ZONE = "Asia/Kolkata";
const DAY_MINUTES = DAY / MINUTE;

const counts = (facts: Readonly<Record<number, number>>): number[] =>
  Array.from({ length: 20 }, (_, i) => facts[i] ?? 0);

function window(minutesAgo: number, facts: Partial<WindowRecord> = {}): WindowRecord {
  const latency = { scheme: "explicit" as const, bounds: "istio" as const, counts: counts({ 5: 9, 7: 1 }), sum: 500 };
  const at = NOW - minutesAgo * MINUTE;
  return { kind: "window", service: "shop/cart", at, spanMs: MINUTE, requests: 10, errors: 1, latency, ...facts };
}

describe.each(DATABASES)("series in %s", (_name, start) => {
  let server: RunningDatabase;
  let db: Database;
  beforeAll(async () => {
    server = await start();
    db = openDatabase({ url: server.url, fetchEndpoint: server.endpoint });
    await flushBoard(db, [{ kind: "page", key: "page", revision: 1, at: NOW, body: { timeZone: ZONE } }]);
    const other = { scheme: "explicit" as const, bounds: [25, 250], counts: [0, 4, 0], sum: 200 };
    const gap: FactRecord = {
      kind: "gap",
      id: "a1",
      at: NOW - 50 * MINUTE,
      until: NOW - 48 * MINUTE,
      reason: "spool_full",
      count: 2,
    };
    const records: FactRecord[] = [
      window(1),
      window(2, { service: "shop/pay", latency: other, requests: 4, errors: 0 }),
      window(2, { latency: null, requests: 0, errors: 0 }),
      window(20, { spanMs: 5 * MINUTE }),
      window(60 * 30),
      window(60 * 24 * 20, { requests: 1_000 }),
      gap,
    ];
    const stored = await flushRecords(
      db,
      "eu",
      records.map((record, i) => ({ epoch: 1, seq: i + 1, record })),
    );
    expect(stored).toEqual({ ok: true, value: { fresh: records.length } });
  });
  afterAll(() => server.stop());

  async function points(range: Range, services = ["eu/shop/cart", "eu/shop/pay"]): Promise<readonly SeriesPoint[]> {
    const result = await seriesOf(db, { services, range, now: NOW, timeZone: ZONE });
    if (!result.ok) throw new Error(result.message);
    return result.value.points;
  }
  const seen = (all: readonly SeriesPoint[]) =>
    all.flatMap(({ from, to, seen: facts }) =>
      facts === null ? [] : [[(NOW - from) / MINUTE, (to - from) / MINUTE, facts.requests, facts.errors]],
    );

  it("shows nothing of an hour whose minutes became part of a window that begins in the one before", async () => {
    const merged = { service: "shop/merged", requests: 7, errors: 0 };
    const at = 10 * 60;
    const inside = window(at - 45, merged);
    const flush = (seq: number, record: FactRecord) => flushRecords(db, "eu", [{ epoch: 2, seq, record }]);
    expect(await flush(1, inside)).toMatchObject({ ok: true });
    expect(seen(await points("week", ["eu/shop/merged"]))).toEqual([[at - 30, 60, 7, 0]]);
    expect(await flush(2, window(at, { ...merged, spanMs: HOUR }))).toMatchObject({ ok: true });
    expect(seen(await points("week", ["eu/shop/merged"]))).toEqual([[at + 30, 60, 7, 0]]);
  });

  it("shows minutes, null where there were none, and a long window as one long point", async () => {
    const hour = await points("hour");
    expect(seen(hour)).toEqual([
      [20, 5, 10, 1],
      [2, 1, 4, 0],
      [1, 1, 10, 1],
    ]);
    expect(hour.filter(({ gap }) => gap).map(({ from }) => (NOW - from) / MINUTE)).toEqual([50, 49]);
  });

  it("sums minutes to five, hours, quarters of days and days of the page's zone", async () => {
    expect(seen(await points("day"))).toEqual([
      [20, 5, 10, 1],
      [5, 5, 14, 1],
    ]);
    // 12:30 in Kolkata: the hour began at 12:00, the quarter of the day too, the day itself 12 h 30 min ago.
    expect(seen(await points("week"))).toEqual([
      [30 * 60 + 30, 60, 10, 1],
      [30, 60, 24, 2],
    ]);
    expect(seen(await points("month")).slice(1)).toEqual([
      [30 * 60 + 30, 360, 10, 1],
      [30, 360, 24, 2],
    ]);
    expect(seen(await points("quarter"))).toEqual([
      [20 * 1_440 + 750, 1_440, 1_000, 1],
      [1_440 + 750, 1_440, 10, 1],
      [750, 1_440, 24, 2],
    ]);
  });

  it("merges histograms of different bounds exactly as counts allow, whichever table answers", async () => {
    const merged = explicitLatency([25, 250], [0, 4 + 10 + 10, 0], 0);
    for (const range of ["week", "quarter"] as const) {
      const last = (await points(range)).findLast((point) => point.seen !== null);
      expect(last?.seen?.p95).toEqual(quantile(merged, 0.95));
    }
    const alone = (await points("quarter", ["eu/shop/cart"])).findLast((point) => point.seen !== null);
    expect(alone?.seen?.p95).toEqual(quantile(explicitLatency([25, 50, 100, 250], [0, 18, 0, 2, 0], 0), 0.95));
  });

  it("sums exponential histograms of several scales, beside windows without one, whichever table answers", async () => {
    const [fast, slow] = [exponentialOf([0, 10, 20, 30]), exponentialOf([0.002, 90_000, 120_000])];
    const facts = { service: "shop/native", requests: 4, errors: 0 };
    const minutes = [fast, slow, null, fast].map((latency, i) =>
      window(3 * DAY_MINUTES + 5 + i, { ...facts, latency }),
    );
    const records = minutes.map((record, i) => ({ epoch: 3, seq: i + 1, record }));
    expect(await flushRecords(db, "eu", records)).toMatchObject({ ok: true });
    // What sums know: the buckets, and not how far into them the values reached.
    const { min: _min, max: _max, ...merged } = [fast, slow, fast].reduce(mergeExponential);
    const whole = exponentialLatency({
      ...merged,
      buckets: new Map(merged.counts.map((n, i) => [merged.offset + i, n])),
    });
    expect(fast.scale).not.toBe(slow.scale);
    for (const range of ["week", "quarter"] as const) {
      const [point] = (await points(range, ["eu/shop/native"])).filter((one) => one.seen !== null);
      expect(point?.seen).toMatchObject({ requests: 16, p50: quantile(whole, 0.5), p99: quantile(whole, 0.99) });
    }
    const both = (await points("quarter", ["eu/shop/native", "eu/shop/cart"])).filter((one) => one.seen !== null);
    expect(both.map((one) => one.seen?.p95?.also ?? null)).toEqual([null, null, null, null]);
  });

  it("shows both of two schemes, and reads back a minute as it was", async () => {
    const native = { ...exponentialOf([0, 7, 700, 7_000]), sum: 7_707 };
    const records = [window(4, { service: "shop/pay", latency: native, requests: 4, errors: 0 })];
    expect(
      await flushRecords(
        db,
        "us",
        records.map((record) => ({ epoch: 1, seq: 1, record })),
      ),
    ).toMatchObject({ ok: true });
    const span = { cluster: "us", service: "shop/pay", from: NOW - HOUR, to: NOW };
    expect(await windowsOf(db, span)).toMatchObject({ ok: true, value: [{ latency: native }] });
    const mixed = (await points("day", ["eu/shop/cart", "us/shop/pay"])).findLast((one) => one.seen !== null);
    expect(mixed?.seen?.p95).toEqual({
      ...quantile(explicitLatency([25, 50, 100, 250], [0, 9, 0, 1, 0], 0), 0.95),
      also: quantile(denseExponential(sparse(native).counts as SparseCounts, 0) ?? native, 0.95),
    });
  });

  it.each(RANGES)("over a %s knows nothing of services that never reported", async (range) =>
    expect((await points(range, ["eu/shop/none", 'eu/"},{/\\x'])).every((point) => point.seen === null)).toBe(true),
  );

  it("asks for no service, and refuses a caller that lost its bound", async () => {
    expect((await points("quarter", [])).every((point) => point.seen === null)).toBe(true);
    const many = Array.from({ length: SERIES_SERVICES_MAX + 1 }, () => "eu/shop/cart");
    await expect(points("hour", many)).rejects.toThrow(RangeError);
  });

  it("is unavailable while Postgres is", async () => {
    server.inject("refuse", 1);
    const asked = { services: ["eu/shop/cart"], range: "quarter" as const, now: NOW, timeZone: ZONE };
    expect(await seriesOf(db, asked)).toMatchObject({ ok: false, code: "unavailable" });
  });
});
