import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RunningDatabase } from "../../dev/database/database.ts";
import { ISTIO_BOUNDS } from "../../protocol/latency.ts";
import type { EventRecord, GapRecord, WindowRecord } from "../../protocol/record.ts";
import { MINUTE } from "../../protocol/time.ts";
import { openDatabase } from "../../worker/store/database.ts";
import type { Database } from "../../worker/store/database.ts";
import { FLUSH_RECORDS_MAX, flushRecords } from "../../worker/store/flush.ts";
import type { NumberedRecord } from "../../worker/store/flush.ts";
import { recentEvents } from "../../worker/store/events.ts";
import { windowCount, windowsOf } from "../../worker/store/queries.ts";
import { DATABASES } from "../support/databases.ts";

const NOON = Date.UTC(2026, 10, 23, 12, 0);

/** A window of shop/checkout, `minute` minutes after noon; `requests` tells versions of it apart. */
function window(minute: number, requests: number, service = "shop/checkout"): WindowRecord {
  const at = NOON + minute * MINUTE;
  return { kind: "window", service, at, spanMs: MINUTE, requests, errors: 0, latency: null };
}

function crash(id: string, minute = 0): EventRecord {
  const at = NOON + minute * MINUTE;
  return { kind: "pod.crash_loop", id, at, subject: "shop/checkout", body: { restarts: 5, container: "app" } };
}

/** Records numbered from `first` on. */
function numbered(epoch: number, first: number, ...records: NumberedRecord["record"][]): NumberedRecord[] {
  return records.map((record, i) => ({ epoch, seq: first + i, record }));
}

describe.each(DATABASES)("a flush to %s", (_name, start) => {
  let server: RunningDatabase;
  let db: Database;
  beforeAll(async () => {
    server = await start();
    db = openDatabase({ url: server.url, fetchEndpoint: server.endpoint });
  });
  afterAll(() => server.stop());

  /** Sends each batch in turn and returns how many of each were new. */
  async function flush(cluster: string, ...batches: NumberedRecord[][]): Promise<number[]> {
    const fresh: number[] = [];
    for (const batch of batches) {
      const result = await flushRecords(db, cluster, batch);
      if (!result.ok) throw new Error(result.message);
      fresh.push(result.value.fresh);
    }
    return fresh;
  }

  /** Requests of shop/checkout's windows by minute after noon. */
  async function stored(cluster: string): Promise<[minute: number, requests: number][]> {
    const result = await windowsOf(db, { cluster, service: "shop/checkout", from: 0, to: NOON + 86_400_000 });
    if (!result.ok) throw new Error(result.message);
    return result.value.map(({ at, requests }) => [(at - NOON) / MINUTE, requests]);
  }

  async function eventsOf(cluster: string) {
    const result = await recentEvents(db, { cluster, limit: 200 });
    if (!result.ok) throw new Error(result.message);
    return result.value;
  }

  const newEpoch = [numbered(1, 1, window(0, 10)), numbered(2, 1, window(0, 20))] as const;
  it.each([
    ["a replay", [numbered(1, 1, window(0, 10)), numbered(1, 1, window(0, 10))], [1, 0], [[0, 10]]],
    ["a replay with other content", [numbered(1, 1, window(0, 10)), numbered(1, 1, window(0, 99))], [1, 0], [[0, 10]]],
    [
      "a number that comes again with another minute",
      [numbered(1, 1, window(0, 10)), numbered(1, 1, window(5, 99))],
      [1, 0],
      [[0, 10]],
    ],
    [
      "an overlap",
      [numbered(1, 1, window(0, 10), window(1, 11)), numbered(1, 2, window(1, 11), window(2, 12))],
      [2, 1],
      [
        [0, 10],
        [1, 11],
        [2, 12],
      ],
    ],
    ["a new epoch over the same minute", newEpoch, [1, 1], [[0, 20]]],
    ["a late old epoch", newEpoch.toReversed(), [1, 1], [[0, 20]]],
    [
      "a later number over the same minute",
      [numbered(1, 1, window(0, 10)), numbered(1, 2, window(0, 20))],
      [1, 1],
      [[0, 20]],
    ],
    ["one minute twice in a batch", [numbered(1, 1, window(0, 10), window(0, 20))], [2], [[0, 20]]],
    [
      "one minute twice in a batch, newest first",
      [numbered(1, 1, window(0, 10), window(0, 20)).toReversed()],
      [2],
      [[0, 20]],
    ],
    [
      "one number twice in a batch",
      [[...numbered(1, 1, window(0, 10)), ...numbered(1, 1, window(1, 11))]],
      [1],
      [[0, 10]],
    ],
    ["an empty batch", [[]], [0], []],
  ] as const)("stores %s once", async (name, batches, fresh, minutes) => {
    const cluster = name.replaceAll(/[^a-z]+/g, "-");
    expect(await flush(cluster, ...batches.map((batch) => [...batch]))).toEqual(fresh);
    expect(await stored(cluster)).toEqual(minutes);
  });

  it("keeps two clusters apart that use the same numbers, services, minutes and event ids", async () => {
    const batch = numbered(1, 1, window(0, 10), crash("aa"));
    expect(await flush("left", batch)).toEqual([2]);
    expect(await flush("right", batch)).toEqual([2]);
    expect([await windowCount(db, "left"), await windowCount(db, "right")]).toEqual([
      { ok: true, value: 1 },
      { ok: true, value: 1 },
    ]);
    expect([await eventsOf("left"), await eventsOf("right")].map((events) => events.length)).toEqual([1, 1]);
  });

  it("stores an event once, whatever number it comes under", async () => {
    expect(await flush("events", numbered(1, 1, crash("bb")), numbered(2, 7, crash("bb"), crash("cc", 1)))).toEqual([
      1, 2,
    ]);
    expect(await eventsOf("events")).toEqual([
      {
        cluster: "events",
        id: "cc",
        kind: "pod.crash_loop",
        subject: "shop/checkout",
        at: NOON + MINUTE,
        body: { restarts: 5, container: "app" },
      },
      {
        cluster: "events",
        id: "bb",
        kind: "pod.crash_loop",
        subject: "shop/checkout",
        at: NOON,
        body: { restarts: 5, container: "app" },
      },
    ]);
  });

  it("stores a declared gap as an event without a subject", async () => {
    const gap: GapRecord = { kind: "gap", id: "dd", at: NOON, until: NOON + MINUTE, reason: "spool_full", count: 3 };
    await flush("gaps", numbered(1, 1, gap));
    expect(await eventsOf("gaps")).toEqual([
      {
        cluster: "gaps",
        id: "dd",
        kind: "gap",
        subject: null,
        at: NOON,
        body: { until: NOON + MINUTE, reason: "spool_full", count: 3 },
      },
    ]);
  });

  it("gives back a window exactly: floats, histogram, moment and span", async () => {
    const counts = ISTIO_BOUNDS.map((_, i) => i / 3).concat(0.1);
    const latency = { scheme: "explicit" as const, bounds: "istio" as const, counts, sum: 1234.5 };
    const odd = { ...window(0, 1 / 3), errors: 0.1, latency, spanMs: 40_000 * MINUTE };
    await flush("exact", numbered(1795392000000, 9_007_199_254_740_991, odd));
    expect(await windowsOf(db, { cluster: "exact", service: "shop/checkout", from: NOON, to: NOON + 1 })).toEqual({
      ok: true,
      value: [{ at: NOON, spanMs: 40_000 * MINUTE, requests: 1 / 3, errors: 0.1, latency }],
    });
  });

  it("takes a full batch and refuses a caller that lost its bound", async () => {
    const full = Array.from({ length: FLUSH_RECORDS_MAX }, (_, i) => window(i, i, "shop/cart"));
    expect(await flush("full", numbered(1, 1, ...full))).toEqual([FLUSH_RECORDS_MAX]);
    await expect(flushRecords(db, "full", numbered(1, 1, ...full, window(0, 0)))).rejects.toThrow(RangeError);
  });

  it.each([1, 2, 3, 4, 5])(
    "counts each record once when several flush the same at the same time, round %i",
    async (epoch) => {
      const batch = numbered(epoch, 1, ...Array.from({ length: FLUSH_RECORDS_MAX }, (_, i) => window(i, epoch)));
      const results = await Promise.all(
        [batch, batch.toReversed(), batch, batch.toReversed()].map((each) => flushRecords(db, "race", each)),
      );
      expect(results.map((result) => result.ok)).toEqual([true, true, true, true]);
      expect(results.reduce((sum, result) => sum + (result.ok ? result.value.fresh : 0), 0)).toBe(FLUSH_RECORDS_MAX);
      expect(await windowCount(db, "race")).toEqual({ ok: true, value: FLUSH_RECORDS_MAX });
    },
  );

  it("turns the repeat into nothing when the answer to a commit was lost", async () => {
    const batch = numbered(1, 1, window(0, 10), crash("ee"));
    server.inject("lose_answer", 1);
    expect(await flushRecords(db, "lost", batch)).toMatchObject({ ok: false, code: "unavailable" });
    expect(await stored("lost")).toEqual([[0, 10]]);
    expect(await flush("lost", batch)).toEqual([0]);
    expect([await stored("lost"), (await eventsOf("lost")).length]).toEqual([[[0, 10]], 1]);
  });

  it.each(["refuse", "hang", "57P01"] as const)(
    "answers unavailable and stores nothing at the fault %s",
    async (fault) => {
      server.inject(fault);
      const impatient = openDatabase({ url: server.url, fetchEndpoint: server.endpoint, timeoutMs: 500 });
      const batch = numbered(1, 1, window(0, 10));
      expect(await flushRecords(impatient, fault.toLowerCase(), batch)).toMatchObject({
        ok: false,
        code: "unavailable",
      });
      server.heal();
      expect(await flush(fault.toLowerCase(), numbered(1, 1, window(0, 10)))).toEqual([1]);
    },
  );

  it("answers poison where Postgres can never take the data, and stores nothing of the batch", async () => {
    const poison = { ...window(1, 1), requests: Number.NaN };
    expect(await flushRecords(db, "poison", numbered(1, 1, window(0, 10), poison))).toMatchObject({
      ok: false,
      code: "poison",
      message: expect.stringContaining("(23502)"),
    });
    expect(await stored("poison")).toEqual([]);
  });
});
