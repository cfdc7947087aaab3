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

/** Absent: all. `from` belongs to what is asked for, `until` does not. */
export interface EventFilter {
  readonly cluster?: string | undefined;
  readonly kinds?: readonly string[] | undefined;
  /** Services as cluster and namespace/name. */
  readonly subjects?: readonly { readonly cluster: string; readonly subject: string }[] | undefined;
  readonly from?: Millis | undefined;
  readonly until?: Millis | undefined;
  /** What is older than this, or what is newer: the page next to it. */
  readonly before?: EventCursor | undefined;
  readonly after?: EventCursor | undefined;
  readonly limit: number;
}

/**
 * A page of events, newest first. At most `EVENTS_MAX`. Events that arrive late may belong to a page that was read
 * already; none is shown twice and none between two pages is skipped.
 */
export async function recentEvents(db: Database, filter: EventFilter): Promise<StoreResult<readonly StoredEvent[]>> {
  const { kinds, after } = filter;
  const limit = bounded(filter.limit, EVENTS_MAX);
  const order = after === undefined ? sql`DESC` : sql`ASC`;
  const ordered = sql`ORDER BY e.observed_at ${order}, e.cluster_id ${order}, e.id ${order} LIMIT ${limit}`;
  const pageOf = (kind: ReturnType<typeof sql> | null) => {
    const wanted = [...conditions(filter), ...(kind === null ? [] : [sql`e.kind = ${kind}`])];
    const where = wanted.length === 0 ? sql`` : sql`WHERE ${sql.join(wanted, sql` AND `)}`;
    return sql`SELECT e.cluster_id, e.id, e.kind, e.subject, e.observed_at, e.body FROM event AS e ${where} ${ordered}`;
  };
  // A page of each kind, each from its own stretch of the index, and the nearest of them.
  const statement =
    kinds === undefined
      ? pageOf(null)
      : sql`SELECT e.* FROM unnest(${textArray([...new Set(kinds)])}::text[]) AS k(kind)
          CROSS JOIN LATERAL (${pageOf(sql`k.kind`)}) AS e ${ordered}`;
  const result = await db.run((drizzle) => drizzle.execute<EventRow>(statement));
  if (!result.ok) return result;
  const events = result.value.rows.map(eventOf);
  return { ok: true, value: after === undefined ? events : events.toReversed() };
}

function conditions({ cluster, subjects, from, until, before, after }: EventFilter) {
  return [
    ...(cluster === undefined ? [] : [sql`e.cluster_id = ${cluster}`]),
    ...(subjects === undefined ? [] : [ofSubjects(subjects)]),
    ...(from === undefined ? [] : [sql`e.observed_at >= ${moment(from)}`]),
    ...(until === undefined ? [] : [sql`e.observed_at < ${moment(until)}`]),
    ...(before === undefined ? [] : [sql`(e.observed_at, e.cluster_id, e.id) < ${placeOf(before)}`]),
    ...(after === undefined ? [] : [sql`(e.observed_at, e.cluster_id, e.id) > ${placeOf(after)}`]),
  ];
}

function ofSubjects(subjects: NonNullable<EventFilter["subjects"]>) {
  const clusters = textArray(subjects.map(({ cluster }) => cluster));
  const names = textArray(subjects.map(({ subject }) => subject));
  return sql`(e.cluster_id, e.subject) IN (SELECT * FROM unnest(${clusters}::text[], ${names}::text[]))`;
}

function placeOf({ at, cluster, id }: EventCursor) {
  return sql`(${moment(at)}, ${cluster}, ${id})`;
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
