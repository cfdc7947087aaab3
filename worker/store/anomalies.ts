/** What detectors raised: the newest as they are, and how many of each service. */
import { sql } from "drizzle-orm";
import type { AnomalyCount } from "../core/watch.ts";
import type { Database, StoreResult } from "./database.ts";
import { EVENTS_MAX } from "./events.ts";
import type { StoredEvent } from "./events.ts";
import { bounded } from "./sql.ts";

/** Services counted apart: more would be a label that fills a Prometheus. */
const COUNTED_MAX = 500;

export interface StoredAnomaly extends Omit<StoredEvent, "kind"> {
  /** Null while it is open. */
  readonly closedAt: number | null;
}

/** The newest anomalies that were raised, newest first. At most `EVENTS_MAX`. */
export async function raisedAnomalies(db: Database, limit: number): Promise<StoreResult<readonly StoredAnomaly[]>> {
  const statement = sql`
    SELECT e.cluster_id, e.id, e.subject, e.observed_at, e.body, (
      SELECT c.observed_at FROM event AS c
      WHERE c.cluster_id = e.cluster_id AND c.kind = 'anomaly.closed' AND c.observed_at >= e.observed_at
        AND c.body->>'raised' = e.id
      ORDER BY c.observed_at LIMIT 1
    ) AS closed_at
    FROM event AS e WHERE e.kind = 'anomaly.raised'
    ORDER BY e.observed_at DESC, e.cluster_id DESC, e.id DESC LIMIT ${bounded(limit, EVENTS_MAX)}`;
  const result = await db.run((drizzle) => drizzle.execute<AnomalyRow>(statement));
  if (!result.ok) return result;
  return {
    ok: true,
    value: result.value.rows.map(
      ({ cluster_id: cluster, observed_at: at, closed_at: closedAt, id, subject, body }) => ({
        cluster,
        id,
        subject,
        at: Date.parse(at),
        closedAt: closedAt === null ? null : Date.parse(closedAt),
        body,
      }),
    ),
  };
}

interface AnomalyRow extends Record<string, unknown> {
  readonly cluster_id: string;
  readonly id: string;
  readonly subject: string | null;
  readonly observed_at: string;
  readonly closed_at: string | null;
  readonly body: Readonly<Record<string, unknown>>;
}

/** How many anomalies were ever raised of each service, the most first. At most 500 services. */
export async function anomalyCounts(db: Database): Promise<StoreResult<readonly AnomalyCount[]>> {
  const result = await db.run((drizzle) =>
    drizzle.execute<{ cluster_id: string; service: string; raised: string; newest: string }>(sql`
      SELECT cluster_id, coalesce(subject, '') AS service, count(*) AS raised, max(observed_at) AS newest
      FROM event WHERE kind = 'anomaly.raised'
      GROUP BY 1, 2 ORDER BY count(*) DESC, 1, 2 LIMIT ${COUNTED_MAX}`),
  );
  if (!result.ok) return result;
  const counts = result.value.rows.map(({ cluster_id: cluster, service, raised, newest }) => ({
    cluster,
    service,
    raised: Number(raised),
    newestAt: Date.parse(newest),
  }));
  return { ok: true, value: counts };
}
