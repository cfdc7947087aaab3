import { neon } from "@neondatabase/serverless";
import { drizzle } from "drizzle-orm/neon-http";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RunningDatabase } from "../../dev/database/database.ts";
import type { EventKind, EventRecord, WindowRecord } from "../../protocol/record.ts";
import { MINUTE } from "../../protocol/time.ts";
import { BOARD_ROWS_MAX, flushBoard } from "../../worker/store/board.ts";
import type { BoardRow } from "../../worker/store/board.ts";
import { openDatabase } from "../../worker/store/database.ts";
import type { Database, StoreResult } from "../../worker/store/database.ts";
import { flushRecords } from "../../worker/store/flush.ts";
import { boardFacts, EVENTS_MAX, recentEvents, windowsOf } from "../../worker/store/queries.ts";
import { DATABASES } from "../support/databases.ts";

const NOON = Date.UTC(2026, 10, 23, 12, 0);

function valueOf<T>(result: StoreResult<T>): T {
  if (!result.ok) throw new Error(result.message);
  return result.value;
}

function happened(kind: EventKind, id: string, at: number): EventRecord {
  return { kind, id, at, subject: "shop/cart", body: {} };
}

function row(kind: BoardRow["kind"], key: string, revision: number, name: string): BoardRow {
  return { kind, key, revision, at: NOON + revision, body: { name } };
}

describe.each(DATABASES)("%s", (_name, start) => {
  let server: RunningDatabase;
  let db: Database;
  beforeAll(async () => {
    server = await start();
    db = openDatabase({ url: server.url, fetchEndpoint: server.endpoint });
    for (const cluster of ["blue", "green"]) {
      const events = Array.from({ length: 1_000 }, (_, i) =>
        happened(i % 2 === 0 ? "pod.oom_killed" : "lease.result", `${i}`, NOON + i),
      );
      const windows = Array.from({ length: 1_000 }, (_, i): WindowRecord => ({
        kind: "window",
        service: `shop/s${i % 10}`,
        at: NOON + Math.floor(i / 10) * MINUTE,
        spanMs: MINUTE,
        requests: i,
        errors: 0,
        latency: null,
      }));
      const records = [...events, ...windows].map((record, i) => ({ epoch: 1, seq: i + 1, record }));
      valueOf(await flushRecords(db, cluster, records));
    }
  });
  afterAll(() => server.stop());

  it.each([
    ["of all clusters, newest first", { limit: 3 }, ["999", "999", "998"]],
    ["of one cluster", { cluster: "blue", limit: 3 }, ["999", "998", "997"]],
    ["of one kind", { cluster: "green", kinds: ["pod.oom_killed"], limit: 3 }, ["998", "996", "994"]],
    ["of two kinds", { cluster: "green", kinds: ["pod.oom_killed", "lease.result"], limit: 2 }, ["999", "998"]],
    ["of no kind at all", { kinds: [], limit: 3 }, []],
    ["of a cluster never heard of", { cluster: "red", limit: 3 }, []],
    ["one at least", { cluster: "blue", limit: 0 }, ["999"]],
  ])("reads events %s", async (_case, filter, ids) =>
    expect(valueOf(await recentEvents(db, filter)).map((event) => event.id)).toEqual(ids),
  );

  it("reads no more events than its bound, whatever is asked for", async () =>
    expect(valueOf(await recentEvents(db, { limit: 1e9 }))).toHaveLength(EVENTS_MAX));

  it("reads the windows that start at `from` or later and before `to`, oldest first", async () => {
    const filter = { cluster: "blue", service: "shop/s3", from: NOON + MINUTE, to: NOON + 3 * MINUTE };
    expect(valueOf(await windowsOf(db, filter)).map(({ at, requests }) => [at - NOON, requests])).toEqual([
      [MINUTE, 13],
      [2 * MINUTE, 23],
    ]);
  });

  it("answers its reads from an index and in its order, without a scan or a sort", async () => {
    const client = new pg.Client({ connectionString: server.url });
    await client.connect();
    await client.query("ANALYZE");
    const planOf = async (read: (database: Database) => Promise<unknown>): Promise<string> => {
      let plan = "";
      // Takes the place of the database and explains the statement instead of running it.
      const explaining: Database = {
        async run(statement) {
          const built = statement(drizzle(neon(server.url))) as unknown as {
            toSQL(): { sql: string; params: unknown[] };
          };
          const { sql, params } = built.toSQL();
          const { rows } = await client.query(`EXPLAIN ${sql}`, params);
          plan = rows.map((line: Record<string, string>) => line["QUERY PLAN"]).join("\n");
          return { ok: false, code: "refused", message: "explained" };
        },
      };
      await read(explaining);
      return plan;
    };
    const plans = [
      [await planOf((x) => recentEvents(x, { limit: 20 })), "event_observed"],
      [await planOf((x) => recentEvents(x, { cluster: "blue", limit: 20 })), "event_cluster_observed"],
      [await planOf((x) => recentEvents(x, { kinds: ["gap"], limit: 20 })), "event_kind_observed"],
      [
        await planOf((x) => windowsOf(x, { cluster: "blue", service: "shop/s3", from: NOON, to: NOON + MINUTE })),
        "minute_window_",
      ],
    ] as const;
    await client.end();
    for (const [plan, index] of plans) {
      expect(plan).toContain(index);
      expect(plan).not.toMatch(/Seq Scan|Sort/);
    }
  });

  it("keeps the highest revision of a document, in whatever order and however often rows arrive", async () => {
    const stored = async (...rows: BoardRow[]) => valueOf(await flushBoard(db, rows)).stored;
    expect(await stored(row("component", "c1", 2, "second"), row("component", "c2", 1, "other"))).toBe(2);
    expect(await stored(row("component", "c1", 1, "first"))).toBe(0);
    expect(await stored(row("component", "c1", 2, "second, again"))).toBe(0);
    expect(await stored(row("component", "c1", 4, "fourth"), row("component", "c1", 3, "third"))).toBe(1);
    expect(valueOf(await boardFacts(db, { kind: "component", limit: 10 }))).toEqual([
      row("component", "c1", 4, "fourth"),
      row("component", "c2", 1, "other"),
    ]);
  });

  it("never rewrites an entry of the journal, and keeps kinds apart", async () => {
    await flushBoard(db, [row("audit", "k1", 1, "signed in"), row("status_change", "k1", 1, "major_outage")]);
    await flushBoard(db, [row("audit", "k1", 1, "rewritten")]);
    expect(valueOf(await boardFacts(db, { kind: "audit", limit: 10 }))).toEqual([row("audit", "k1", 1, "signed in")]);
  });

  it("stores no row of no rows, and refuses a caller that lost its bound", async () => {
    expect(await flushBoard(db, [])).toEqual({ ok: true, value: { stored: 0 } });
    const many = Array.from({ length: BOARD_ROWS_MAX + 1 }, (_, i) => row("audit", `m${i}`, 1, ""));
    await expect(flushBoard(db, many)).rejects.toThrow(RangeError);
  });
});
