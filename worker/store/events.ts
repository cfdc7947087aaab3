/** Events as operators read them: newest first, a page at a time. */
import { sql } from "drizzle-orm";
import type { Millis } from "../../protocol/time.ts";
import type { Database, StoreResult } from "./database.ts";
import { bounded, moment, textArray } from "./sql.ts";

export const EVENTS_MAX = 200;

export interface StoredEvent {
  readonly cluster: string;
  readonly id: string;
  readonly kind: string;
  /** Null for a gap. */
  readonly subject: string | null;
  readonly at: Millis;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Where a page ends: what comes next is older, or as old and before it in the order of cluster and id. */
export type EventCursor = Pick<StoredEvent, "at" | "cluster" | "id">;

/**
 * The newest events before a cursor, of one cluster or all, of some kinds or all. At most `EVENTS_MAX`. Events that
 * arrive late may belong to a page that was read already; none is shown twice and none between two pages is skipped.
 */
export async function recentEvents(
  db: Database,
  filter: {
    readonly cluster?: string | undefined;
    readonly kinds?: readonly string[] | undefined;
    readonly before?: EventCursor | undefined;
    readonly limit: number;
  },
): Promise<StoreResult<readonly StoredEvent[]>> {
  const { cluster, kinds, before } = filter;
  const limit = bounded(filter.limit, EVENTS_MAX);
  const pageOf = (kind: ReturnType<typeof sql> | null) => {
    const wanted = [
      ...(cluster === undefined ? [] : [sql`e.cluster_id = ${cluster}`]),
      ...(kind === null ? [] : [sql`e.kind = ${kind}`]),
      ...(before === undefined ? [] : [olderThan(before)]),
    ];
    const where = wanted.length === 0 ? sql`` : sql`WHERE ${sql.join(wanted, sql` AND `)}`;
    return sql`SELECT e.cluster_id, e.id, e.kind, e.subject, e.observed_at, e.body FROM event AS e ${where}
      ORDER BY e.observed_at DESC, e.cluster_id DESC, e.id DESC LIMIT ${limit}`;
  };
  // A page of each kind, each from its own stretch of the index, and the newest of them.
  const statement =
    kinds === undefined
      ? pageOf(null)
      : sql`SELECT e.* FROM unnest(${textArray([...new Set(kinds)])}::text[]) AS k(kind)
          CROSS JOIN LATERAL (${pageOf(sql`k.kind`)}) AS e
          ORDER BY e.observed_at DESC, e.cluster_id DESC, e.id DESC LIMIT ${limit}`;
  const result = await db.run((drizzle) => drizzle.execute<EventRow>(statement));
  return result.ok ? { ok: true, value: result.value.rows.map(eventOf) } : result;
}

function olderThan({ at, cluster, id }: EventCursor) {
  return sql`(e.observed_at, e.cluster_id, e.id) < (${moment(at)}, ${cluster}, ${id})`;
}

interface EventRow extends Record<string, unknown> {
  readonly cluster_id: string;
  readonly id: string;
  readonly kind: string;
  readonly subject: string | null;
  readonly observed_at: string;
  readonly body: Readonly<Record<string, unknown>>;
}

function eventOf({ cluster_id: cluster, observed_at: at, id, kind, subject, body }: EventRow): StoredEvent {
  return { cluster, id, kind, subject, at: Date.parse(at), body };
}
