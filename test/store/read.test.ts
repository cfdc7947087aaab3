import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RunningDatabase } from "../../dev/database/database.ts";
import type { EventKind, EventRecord, WindowRecord } from "../../protocol/record.ts";
import { DAY, MINUTE } from "../../protocol/time.ts";
import { BOARD_ROWS_MAX, flushBoard } from "../../worker/store/board.ts";
import type { BoardRow } from "../../worker/store/board.ts";
import { openDatabase } from "../../worker/store/database.ts";
import type { Database, StoreResult } from "../../worker/store/database.ts";
import { flushRecords } from "../../worker/store/flush.ts";
import type { EventCursor } from "../../worker/store/events.ts";
import { EVENTS_MAX, recentEvents } from "../../worker/store/events.ts";
import type { BoardCursor, BoardPage } from "../../worker/store/queries.ts";
import {
  boardAnnounced,
  boardChanges,
  boardDocuments,
  boardFacts,
  statusChanges,
  windowsOf,
} from "../../worker/store/queries.ts";
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
    ["of a time, its end not in it", { cluster: "blue", from: NOON + 5, until: NOON + 8, limit: 9 }, ["7", "6", "5"]],
    [
      "that are newer than one: the nearest to it, newest first",
      { cluster: "blue", after: { at: NOON + 5, cluster: "blue", id: "5" }, limit: 2 },
      ["7", "6"],
    ],
    [
      "newer than one, of two kinds",
      {
        cluster: "blue",
        kinds: ["pod.oom_killed", "lease.result"],
        after: { at: NOON + 5, cluster: "blue", id: "5" },
        limit: 3,
      },
      ["8", "7", "6"],
    ],
    ["of some subjects", { subjects: [{ cluster: "blue", subject: "shop/cart" }], limit: 2 }, ["999", "998"]],
    ["of another cluster's subject", { subjects: [{ cluster: "red", subject: "shop/cart" }], limit: 2 }, []],
    ["of no subject at all", { subjects: [], limit: 2 }, []],
    ["one at least", { cluster: "blue", limit: 0 }, ["999"]],
  ])("reads events %s", async (_case, filter, ids) =>
    expect(valueOf(await recentEvents(db, filter)).map((event) => event.id)).toEqual(ids),
  );

  it("reads no more events than its bound, whatever is asked for", async () =>
    expect(valueOf(await recentEvents(db, { limit: 1e9 }))).toHaveLength(EVENTS_MAX));

  it.each([
    ["all", {}],
    ["of one cluster", { cluster: "green" }],
    ["of two kinds of one cluster", { cluster: "green", kinds: ["pod.oom_killed", "lease.result"] }],
    ["of one kind of all", { kinds: ["lease.result"] }],
  ])(
    "pages through events, %s: each once, newest first",
    async (_case, filter: { readonly cluster?: string; readonly kinds?: readonly string[] }) => {
      const seen: string[] = [];
      for (let before: EventCursor | undefined; ;) {
        const page = valueOf(await recentEvents(db, { ...filter, before, limit: 150 }));
        seen.push(...page.map(({ at, cluster, id }) => `${at - NOON} ${cluster} ${id}`));
        before = page.at(-1);
        if (page.length < 150) break;
      }
      const clusters = filter.cluster === undefined ? ["green", "blue"] : [filter.cluster];
      const ids = Array.from({ length: 1_000 }, (_, i) => 999 - i).filter(
        (i) => filter.kinds?.length !== 1 || i % 2 === 1,
      );
      expect(seen).toEqual(ids.flatMap((i) => clusters.map((cluster) => `${i} ${cluster} ${i}`)));
    },
  );

  it("reads the windows that start at `from` or later and before `to`, oldest first", async () => {
    const filter = { cluster: "blue", service: "shop/s3", from: NOON + MINUTE, to: NOON + 3 * MINUTE };
    expect(valueOf(await windowsOf(db, filter)).map(({ at, requests }) => [at - NOON, requests])).toEqual([
      [MINUTE, 13],
      [2 * MINUTE, 23],
    ]);
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

  it("reads a component's status changes in a range, and how the range began", async () => {
    const change = (component: string, minute: number, status: string): BoardRow => ({
      kind: "status_change",
      key: `${component}:${minute}`,
      revision: 1,
      at: NOON + minute * MINUTE,
      body: { component, at: NOON + minute * MINUTE, status },
    });
    await flushBoard(db, [
      change("checkout", 1, "operational"),
      change("checkout", 2, "major_outage"),
      change("other", 3, "unknown"),
      change("checkout", 5, "operational"),
      change("checkout", 9, "unknown"),
    ]);
    const read = async (from: number, to: number) =>
      valueOf(
        await statusChanges(db, { component: "checkout", from: NOON + from * MINUTE, to: NOON + to * MINUTE }),
      ).map(({ at, status }) => [(at - NOON) / MINUTE, status]);
    expect(await read(3, 9)).toEqual([
      [2, "major_outage"],
      [5, "operational"],
    ]);
    expect(await read(2, 5)).toEqual([
      [1, "operational"],
      [2, "major_outage"],
    ]);
    expect(await read(0, 1)).toEqual([]);
  });

  it("gives an empty Board back every document, removed ones too, and the changes since a moment, page by page", async () => {
    const documents = Array.from({ length: 700 }, (_, i) =>
      row(i % 2 === 0 ? "component" : "maintenance", `d${i}`, 1, ""),
    );
    const changes = Array.from({ length: 700 }, (_, i) => ({
      ...row("status_change", `z${String(i).padStart(3, "0")}`, 1, ""),
      at: NOON + DAY + Math.floor(i / 3),
    }));
    for (const rows of [documents, changes]) {
      await flushBoard(db, rows.slice(0, BOARD_ROWS_MAX));
      await flushBoard(db, rows.slice(BOARD_ROWS_MAX));
    }
    await flushBoard(db, [row("page", "page", 1, "Shop")]);
    const all = async (read: (after: BoardCursor | null) => Promise<StoreResult<BoardPage>>): Promise<BoardRow[]> => {
      const rows: BoardRow[] = [];
      for (let after: BoardCursor | null = null; ;) {
        const page: BoardPage = valueOf(await read(after));
        rows.push(...page.rows);
        after = page.next;
        if (after === null) return rows;
      }
    };
    const found = await all((after) => boardDocuments(db, after));
    expect(new Set(found.map(({ kind, key }) => `${kind} ${key}`)).size).toBe(found.length);
    expect(found.filter(({ key }) => key.startsWith("d") || key === "page")).toHaveLength(701);
    expect(found.find(({ kind }) => kind === "page")).toEqual(row("page", "page", 1, "Shop"));
    expect(await all((after) => boardChanges(db, NOON + DAY, after))).toEqual(changes);
  });

  it("gives an empty Board back what was announced last, as much as one answer can carry", async () => {
    const numbers = Array.from({ length: 520 }, (_, i) => i + 1);
    const many = numbers.map((n) => row("announcement", `a${n}`, n, "x"));
    const long = numbers.slice(0, 60).map((n) => row("incident", `i${n}`, n, "x".repeat(99_000)));
    for (const rows of [many.slice(0, 500), many.slice(500), long]) valueOf(await flushBoard(db, rows));
    const found = valueOf(await boardAnnounced(db));
    const of = (kind: string) => found.filter((one) => one.kind === kind).map(({ revision }) => revision);
    expect([of("announcement").length, Math.min(...of("announcement"))]).toEqual([500, 21]);
    expect([of("incident").length, Math.min(...of("incident"))]).toEqual([40, 21]);
  });
});
