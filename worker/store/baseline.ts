/** What traffic is usual at this hour: from the sums by hour that Postgres keeps. */
import { sql } from "drizzle-orm";
import type { Millis } from "../../protocol/time.ts";
import { DAY } from "../../protocol/time.ts";
import type { Database, StoreResult } from "./database.ts";
import { moment } from "./sql.ts";

/** A week: each hour of it has seen one of every day. */
const DAYS = 7;

/**
 * Requests per second of all services together in the hour that held this time of day, of each of the last seven days
 * that has one, newest first. A service counts by the time of the hour that was seen of it.
 */
export async function usualRates(db: Database, now: Millis): Promise<StoreResult<readonly number[]>> {
  const moments = Array.from({ length: DAYS }, (_, i) => moment(now - (i + 1) * DAY));
  const statement = sql`
    SELECT t.at, sum(h.rate) AS rate FROM unnest(ARRAY[${sql.join(moments, sql`, `)}]) AS t(at)
    CROSS JOIN LATERAL (
      SELECT sum(requests) * 1000 / nullif(sum(covered_ms), 0) AS rate FROM hour_window
      WHERE hour > t.at - interval '1 hour' AND hour <= t.at
        AND hour > ${moment(now - (DAYS + 1) * DAY)} AND hour <= ${moment(now)} GROUP BY cluster_id, service_id
    ) AS h
    WHERE h.rate IS NOT NULL GROUP BY t.at ORDER BY t.at DESC`;
  const result = await db.run((drizzle) => drizzle.execute<{ rate: number }>(statement));
  return result.ok ? { ok: true, value: result.value.rows.map(({ rate }) => Number(rate)) } : result;
}
