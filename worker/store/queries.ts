/** The reads of single tables. Each is bounded, and each has an index that answers it in order. */
import { and, count, desc, eq, gte, lt, sql } from "drizzle-orm";
import type { Latency } from "../../protocol/latency.ts";
import type { Millis } from "../../protocol/time.ts";
import type { StatusChange } from "../core/component.ts";
import { ANNOUNCED_KINDS, DOCUMENT_KINDS } from "./board.ts";
import type { BoardKind, BoardRow } from "./board.ts";
import type { Database, StoreResult } from "./database.ts";
import { dense } from "./latency.ts";
import { boardFact, minuteWindow } from "./schema.ts";
import { bounded, moment, textArray } from "./sql.ts";

/** A week of minutes. */
const WINDOWS_MAX = 10_080;
const BOARD_FACTS_MAX = 1_000;
/** Of one component in one range: a change each 6 min over a quarter, 3 MB. */
const CHANGES_MAX = 20_000;

export interface StoredWindow {
  readonly at: Millis;
  readonly spanMs: number;
  readonly requests: number;
  readonly errors: number;
  readonly latency: Latency | null;
}

/** The windows of one service that start in [`from`, `to`), oldest first. At most `WINDOWS_MAX`. */
export async function windowsOf(
  db: Database,
  filter: { readonly cluster: string; readonly service: string; readonly from: Millis; readonly to: Millis },
): Promise<StoreResult<readonly StoredWindow[]>> {
  const result = await db.run((drizzle) =>
    drizzle
      .select({
        at: minuteWindow.minute,
        spanMs: minuteWindow.spanMs,
        requests: minuteWindow.requests,
        errors: minuteWindow.errors,
        latency: minuteWindow.latency,
      })
      .from(minuteWindow)
      .where(
        and(
          eq(minuteWindow.clusterId, filter.cluster),
          eq(minuteWindow.serviceId, filter.service),
          gte(minuteWindow.minute, filter.from),
          lt(minuteWindow.minute, filter.to),
        ),
      )
      .orderBy(minuteWindow.minute)
      .limit(WINDOWS_MAX),
  );
  if (!result.ok) return result;
  return { ok: true, value: result.value.map((row) => ({ ...row, latency: row.latency && dense(row.latency) })) };
}

/** How many windows a cluster has. */
export async function windowCount(db: Database, cluster: string): Promise<StoreResult<number>> {
  const result = await db.run((drizzle) =>
    drizzle.select({ count: count() }).from(minuteWindow).where(eq(minuteWindow.clusterId, cluster)),
  );
  return result.ok ? { ok: true, value: result.value[0]?.count ?? 0 } : result;
}

/** What the board sent last of one kind, newest first. At most `BOARD_FACTS_MAX`. */
export async function boardFacts(
  db: Database,
  filter: { readonly kind: BoardKind; readonly limit: number },
): Promise<StoreResult<readonly BoardRow[]>> {
  const result = await db.run((drizzle) =>
    drizzle
      .select()
      .from(boardFact)
      .where(eq(boardFact.kind, filter.kind))
      .orderBy(desc(boardFact.at))
      .limit(bounded(filter.limit, BOARD_FACTS_MAX)),
  );
  return result.ok ? { ok: true, value: result.value.map((row) => ({ ...row, kind: filter.kind })) } : result;
}

/**
 * What was recorded of a component in [`from`, `to`), oldest first, after the last change before it, which says how the
 * range began. At most `CHANGES_MAX`, the newest: then nothing is said of the time before them.
 */
export async function statusChanges(
  db: Database,
  filter: { readonly component: string; readonly from: Millis; readonly to: Millis },
): Promise<StoreResult<readonly StatusChange[]>> {
  const { component, from, to } = filter;
  // Spelled as the index is, and with its condition, or the planner does not know it.
  const ofComponent = sql`kind = 'status_change' AND body->>'component' = ${component}`;
  const newest = sql`ORDER BY at DESC LIMIT`;
  const statement = sql`
    (SELECT at, body FROM board_fact
      WHERE ${ofComponent} AND at >= ${moment(from)} AND at < ${moment(to)} ${newest} ${CHANGES_MAX})
    UNION ALL
    (SELECT at, body FROM board_fact WHERE ${ofComponent} AND at < ${moment(from)} ${newest} 1)`;
  const result = await db.run((drizzle) => drizzle.execute<{ at: string; body: StatusChange }>(statement));
  if (!result.ok) return result;
  const changes = result.value.rows.map(({ at, body }) => ({ ...body, at: Date.parse(at) }));
  return { ok: true, value: changes.slice(0, CHANGES_MAX).toSorted((a, b) => a.at - b.at) };
}

/** Where a page of the board's rows ends. */
export type BoardCursor = Pick<BoardRow, "kind" | "key" | "at">;

/** A page of what a Board needs to rebuild itself; `next` is null with the last one. */
export interface BoardPage {
  readonly rows: readonly BoardRow[];
  readonly next: BoardCursor | null;
}

/** Every document that was ever archived but for what people announced, removed ones included, in the order of kind and key. A page has 500 rows. */
export async function boardDocuments(db: Database, after: BoardCursor | null): Promise<StoreResult<BoardPage>> {
  const later = after === null ? sql`true` : sql`(f.kind, f.key) > (${after.kind}, ${after.key})`;
  return boardPage(
    db,
    sql`SELECT f.* FROM unnest(${textArray(DOCUMENT_KINDS)}::text[]) AS k(kind) CROSS JOIN LATERAL (
        SELECT f.* FROM board_fact AS f WHERE f.kind = k.kind AND ${later} ORDER BY f.key LIMIT ${BOARD_PAGE_ROWS}
      ) AS f ORDER BY f.kind, f.key LIMIT ${BOARD_PAGE_ROWS}`,
  );
}

/**
 * What people announced, of each kind the 500 that were written down last, and no more than 4 million characters of
 * them: what a Board keeps, and what one answer can carry.
 */
export async function boardAnnounced(db: Database): Promise<StoreResult<readonly BoardRow[]>> {
  const found = await boardPage(
    db,
    sql`SELECT kind, key, revision, at, body FROM (
        SELECT f.*, sum(length(f.body::text)) OVER (PARTITION BY f.kind ORDER BY f.at DESC, f.key) AS characters
        FROM unnest(${textArray(ANNOUNCED_KINDS)}::text[]) AS k(kind) CROSS JOIN LATERAL (
          SELECT f.* FROM board_fact AS f WHERE f.kind = k.kind ORDER BY f.at DESC LIMIT ${BOARD_PAGE_ROWS}
        ) AS f
      ) AS newest WHERE characters <= 4000000`,
  );
  return found.ok ? { ok: true, value: found.value.rows } : found;
}

/** Every status change since a moment, oldest first. A page has 500 rows. */
export async function boardChanges(
  db: Database,
  since: Millis,
  after: BoardCursor | null,
): Promise<StoreResult<BoardPage>> {
  const later = after === null ? sql`at >= ${moment(since)}` : sql`(at, key) > (${moment(after.at)}, ${after.key})`;
  return boardPage(
    db,
    sql`SELECT * FROM board_fact WHERE kind = 'status_change' AND ${later} ORDER BY at, key LIMIT ${BOARD_PAGE_ROWS}`,
  );
}

const BOARD_PAGE_ROWS = 500;

async function boardPage(db: Database, statement: ReturnType<typeof sql>): Promise<StoreResult<BoardPage>> {
  type Stored = Omit<BoardRow, "at" | "revision"> & { readonly at: string; readonly revision: string };
  const result = await db.run((drizzle) => drizzle.execute<Stored & Record<string, unknown>>(statement));
  if (!result.ok) return result;
  const rows = result.value.rows.map(({ kind, key, revision, at, body }) => ({
    kind,
    key,
    revision: Number(revision),
    at: Date.parse(at),
    body,
  }));
  const last = rows.at(-1);
  return { ok: true, value: { rows, next: rows.length < BOARD_PAGE_ROWS || last === undefined ? null : last } };
}
