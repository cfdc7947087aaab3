/** What traffic is usual at this hour: from the sums by hour that Postgres keeps. */
import { sql } from "drizzle-orm";
import type { Millis } from "../../protocol/time.ts";
import { DAY, HOUR } from "../../protocol/time.ts";
import type { Database, StoreResult } from "./database.ts";
import { moment } from "./sql.ts";

/** A week: each hour of it has seen one of every day. */
const DAYS = 7;

/**
 * Requests per second of all services together in the hour that held this time of day, of each of the last seven days
 * that has one, newest first. A service counts by the time of the hour that was seen of it.
 */
export async function usualRates(db: Database, now: Millis): Promise<StoreResult<readonly number[]>> {
  // Each hour by itself, with its moments where the planner sees them: it knows then which partition holds them.
  const hours = Array.from({ length: DAYS }, (_, i) => hourOf(now - (i + 1) * DAY));
  const statement = sql`SELECT at, rate FROM (${sql.join(hours, sql` UNION ALL `)}) AS usual
    WHERE rate IS NOT NULL ORDER BY at DESC`;
  const result = await db.run((drizzle) => drizzle.execute<{ rate: number }>(statement));
  return result.ok ? { ok: true, value: result.value.rows.map(({ rate }) => Number(rate)) } : result;
}

/** One row: null if nothing of that hour is there. */
function hourOf(at: Millis) {
  return sql`SELECT ${moment(at)} AS at, sum(rate) AS rate FROM (
    SELECT sum(requests) * 1000 / nullif(sum(covered_ms), 0) AS rate FROM hour_window
    WHERE hour > ${moment(at - HOUR)} AND hour <= ${moment(at)} GROUP BY cluster_id, service_id
  ) AS services`;
}
