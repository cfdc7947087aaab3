/**
 * Two windows of a service that overlap: a spool that ran out of room merged minutes that another disk of the same agent,
 * or the same one under another clock, sent as they were. The longer one stands if it contains the other, and hours and
 * days are the sum of what stands.
 */
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RunningDatabase } from "../../dev/database/database.ts";
import type { WindowRecord } from "../../protocol/record.ts";
import { DAY, HOUR, MINUTE } from "../../protocol/time.ts";
import { openDatabase } from "../../worker/store/database.ts";
import type { Database } from "../../worker/store/database.ts";
import { FLUSH_RECORDS_MAX, flushRecords, type NumberedRecord } from "../../worker/store/flush.ts";
import { DATABASES } from "../support/databases.ts";

const MIDNIGHT = Math.floor(Date.now() / DAY) * DAY - DAY;
const NOON = MIDNIGHT + 12 * HOUR;

/** `2+5 of 3` is a window from two to seven minutes after noon that epoch 3 numbered. It counts its span, and its epoch. */
type Text = `${number}+${number} of ${number}`;

function recordOf(text: Text, i: number): NumberedRecord {
  const [at = 0, minutes = 0, epoch = 0] = text.split(/\+| of /).map(Number);
  const counts = Array.from({ length: 20 }, (_, bucket) => (bucket === epoch ? minutes : 0));
  const record: WindowRecord = {
    kind: "window",
    service: "shop/cart",
    at: NOON + at * MINUTE,
    spanMs: minutes * MINUTE,
    requests: minutes * 10 + epoch,
    errors: minutes,
    latency: { scheme: "explicit", bounds: "istio", counts, sum: minutes / 8 },
  };
  return { epoch, seq: 1 + i, record };
}

const minutesOf = (from: number, until: number, epoch: number): Text[] =>
  Array.from({ length: until - from }, (_, i) => `${from + i}+1 of ${epoch}` as const);

interface Case {
  readonly when: string;
  readonly batches: readonly (readonly Text[])[];
  readonly stands: readonly Text[];
}

const CASES: readonly Case[] = [
  {
    when: "a longer one comes after what it contains",
    batches: [minutesOf(0, 7, 1), ["0+5 of 2"]],
    stands: ["0+5 of 2", ...minutesOf(5, 7, 1)],
  },
  {
    when: "a longer one has the older epoch",
    batches: [minutesOf(0, 6, 2), ["0+5 of 1"]],
    stands: ["0+5 of 1", "5+1 of 2"],
  },
  {
    when: "a longer one does not begin with what it contains",
    batches: [minutesOf(2, 6, 2), ["0+5 of 1"]],
    stands: ["0+5 of 1", "5+1 of 2"],
  },
  {
    when: "shorter ones come after the longer one",
    batches: [["0+5 of 1"], minutesOf(0, 7, 2)],
    stands: ["0+5 of 1", ...minutesOf(5, 7, 2)],
  },
  {
    when: "a shorter one of a newer epoch begins with the longer one",
    batches: [["0+5 of 1"], ["0+1 of 2"]],
    stands: ["0+5 of 1"],
  },
  {
    when: "a longer one of an older epoch begins with a shorter one",
    batches: [["0+1 of 2"], ["0+5 of 1"]],
    stands: ["0+5 of 1"],
  },
  {
    when: "both are in one batch",
    batches: [[...minutesOf(0, 7, 2), "0+5 of 1"]],
    stands: ["0+5 of 1", ...minutesOf(5, 7, 2)],
  },
  {
    when: "both are in one batch, the longer one first",
    batches: [["0+5 of 1", ...minutesOf(1, 7, 2)]],
    stands: ["0+5 of 1", ...minutesOf(5, 7, 2)],
  },
  {
    when: "both are in a batch that replaces what was there",
    batches: [minutesOf(0, 4, 1), ["0+5 of 2", ...minutesOf(1, 6, 3)]],
    stands: ["0+5 of 2", "5+1 of 3"],
  },
  {
    when: "a batch brings an hour, its five minutes and their minutes",
    batches: [minutesOf(0, 9, 1), ["0+60 of 2", "0+5 of 4", "5+5 of 3", ...minutesOf(0, 61, 5)]],
    stands: ["0+60 of 2", "60+1 of 5"],
  },
  {
    when: "an hour comes after five minutes",
    batches: [["0+5 of 1", "55+5 of 1", "60+5 of 1"], ["0+60 of 2"]],
    stands: ["0+60 of 2", "60+5 of 1"],
  },
  {
    when: "five minutes come after their hour",
    batches: [["0+60 of 1"], ["0+5 of 2", "55+5 of 2", "60+5 of 2"]],
    stands: ["0+60 of 1", "60+5 of 2"],
  },
  {
    when: "they are the same span, the newer number stands",
    batches: [["0+5 of 2"], ["0+5 of 3"], ["0+5 of 1"]],
    stands: ["0+5 of 3"],
  },
  {
    when: "neither contains the other",
    batches: [["0+4 of 1"], ["3+5 of 2", "2+3 of 3"]],
    stands: ["0+4 of 1", "2+3 of 3", "3+5 of 2"],
  },
  {
    when: "they only touch",
    batches: [["5+5 of 1"], ["4+1 of 2", "10+1 of 2"]],
    stands: ["4+1 of 2", "5+5 of 1", "10+1 of 2"],
  },
  {
    when: "the last minutes of a day are in the hour before midnight",
    batches: [minutesOf(715, 722, 1), ["660+60 of 2"], ["720+5 of 3"], minutesOf(718, 726, 4)],
    stands: ["660+60 of 2", "720+5 of 3", "725+1 of 4"],
  },
  {
    when: "one is longer than an hour, which no agent merges to",
    batches: [["30+90 of 1"], ["40+1 of 2"], ["0+120 of 3"]],
    stands: ["0+120 of 3", "30+90 of 1", "40+1 of 2"],
  },
];

describe.each(DATABASES)("windows that overlap in %s", (_name, start) => {
  let server: RunningDatabase;
  let db: Database;
  let client: pg.Client;
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

  async function flush(cluster: string, records: readonly NumberedRecord[]): Promise<void> {
    expect(await flushRecords(db, cluster, records)).toMatchObject({ ok: true });
  }

  async function stored(cluster: string, service = "shop/cart"): Promise<string[]> {
    const { rows } = await client.query<{ text: string }>(
      `SELECT (extract(epoch FROM minute) * 1000 - $3)::bigint / 60000 || '+' || span_ms / 60000 || ' of ' || epoch AS text
       FROM minute_window WHERE cluster_id = $1 AND service_id = $2 ORDER BY minute, span_ms`,
      [cluster, service, NOON],
    );
    return rows.map(({ text }) => text);
  }

  /** What the rollup holds, and what the windows that stand sum up to, by slot. */
  async function sums(cluster: string, slot: "hour" | "day"): Promise<{ held: unknown[]; expected: unknown[] }> {
    const held = await client.query(
      `SELECT extract(epoch FROM ${slot})::float8 AS slot, requests, errors, covered_ms::float8 AS covered, sum, counts
       FROM ${slot}_window WHERE cluster_id = $1 AND covered_ms > 0 ORDER BY 1`,
      [cluster],
    );
    const expected = await client.query(
      `WITH w AS (SELECT *, extract(epoch FROM date_trunc('${slot}', minute, 'UTC'))::float8 AS slot FROM minute_window WHERE cluster_id = $1),
       b AS (SELECT slot, bucket, sum(count::float8) AS total FROM w, bucket_counts(latency->'counts') GROUP BY slot, bucket)
       SELECT slot, sum(requests) AS requests, sum(errors) AS errors, sum(span_ms)::float8 AS covered,
         sum((latency->>'sum')::float8) AS sum,
         (SELECT jsonb_object_agg(bucket, total) FROM b WHERE b.slot = w.slot) AS counts
       FROM w GROUP BY slot ORDER BY slot`,
      [cluster],
    );
    return { held: held.rows, expected: expected.rows };
  }

  async function expectExactSums(cluster: string): Promise<void> {
    for (const slot of ["hour", "day"] as const) {
      const { held, expected } = await sums(cluster, slot);
      expect(held).toEqual(expected);
    }
  }

  it.each(CASES)("stand as they should when $when", async ({ when, batches, stands }) => {
    for (const batch of batches) {
      await flush(when, batch.map(recordOf));
      await expectExactSums(when);
    }
    expect(await stored(when)).toEqual(stands);
    for (const batch of batches) await flush(when, batch.map(recordOf));
    expect(await stored(when)).toEqual(stands);
    await expectExactSums(when);
  });

  it("are of one service and one cluster", async () => {
    await flush("own", [recordOf("0+5 of 1", 0)]);
    const [minute] = [recordOf("1+1 of 2", 0)];
    await flush("another", [minute]);
    await flush("own", [{ ...minute, record: { ...minute.record, service: "shop/till" } as WindowRecord }]);
    expect([await stored("own"), await stored("own", "shop/till"), await stored("another")]).toEqual([
      ["0+5 of 1"],
      ["1+1 of 2"],
      ["1+1 of 2"],
    ]);
  });

  it("stand as they should whatever comes first, and whoever flushes at the same time", async () => {
    const of = (epoch: number, span: number, count: number) =>
      Array.from({ length: count }, (_, i) => recordOf(`${i * span}+${span} of ${epoch}`, i));
    const batches = [of(1, 1, 720), of(2, 5, 72), of(3, 60, 3), of(4, 1, 300).toReversed()];
    for (let round = 0; round < 4; round++) {
      const results = await Promise.all(batches.map((batch) => flushRecords(db, "race", batch)));
      // A deadlock is broken by Postgres and is `unavailable`: the next round sends it again.
      expect(results.filter((result) => !result.ok && result.code !== "unavailable")).toEqual([]);
    }
    expect(await stored("race")).toEqual([
      ...of(3, 60, 3).map((_, i) => `${i * 60}+60 of 3`),
      ...of(2, 5, 36).map((_, i) => `${180 + i * 5}+5 of 2`),
      ...minutesOf(360, 720, 1),
    ]);
    await expectExactSums("race");
  });

  it("with any span that the protocol lets through, stop no batch", async () => {
    const { record } = recordOf("0+1 of 1", 0);
    const endless = { ...record, spanMs: 144_000_000_000 * MINUTE } as WindowRecord;
    await flush("endless", [{ epoch: 1, seq: 1, record }]);
    await flush("endless", [{ epoch: 1, seq: 2, record: { ...endless, at: NOON - MINUTE } }]);
    expect(await stored("endless")).toEqual(["-1+144000000000 of 1", "0+1 of 1"]);
  });

  it("cost a full batch little where nothing overlaps", async () => {
    const batch = Array.from({ length: FLUSH_RECORDS_MAX }, (_, i) =>
      recordOf(`${i % 600}+1 of ${1 + Math.floor(i / 600)}`, i),
    );
    await flush("full", batch);
    expect(await stored("full")).toHaveLength(600);
  });
});
