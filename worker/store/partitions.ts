/** The partitions of the windows: made before rows need them, dropped when their time is over. */
import { sql } from "drizzle-orm";
import { DAY } from "../../protocol/time.ts";
import type { Millis } from "../../protocol/time.ts";
import type { Database, StoreResult } from "./database.ts";

/**
 * Makes what rows of these moments need; without moments, the days from 15 days ago to 30 days ahead. Answers how many
 * partitions that were; none if all are there. Two at once do it once.
 */
export async function prepareStorage(db: Database, moments: readonly Millis[] = []): Promise<StoreResult<number>> {
  const days = [...new Set(moments.map((at) => Math.floor(at / DAY) * DAY))];
  const wanted =
    days.length === 0
      ? sql`NULL`
      : sql`ARRAY(SELECT (to_timestamp(at / 1000.0) AT TIME ZONE 'UTC')::date FROM unnest(${`{${days.join(",")}}`}::bigint[]) AS at)`;
  const result = await db.run((drizzle) =>
    drizzle.execute<{ made: number }>(sql`SELECT prepare_storage(${wanted}) AS made`),
  );
  return result.ok ? { ok: true, value: result.value.rows[0]?.made ?? 0 } : result;
}

/**
 * Drops minutes of days that ended more than 14 days ago and hours of months that ended more than 400; answers how many partitions
 * that were. Waits 3 s for whoever uses them, then it is `unavailable`: the next day will do.
 */
export async function retireStorage(db: Database): Promise<StoreResult<number>> {
  const result = await db.run((drizzle) =>
    drizzle.execute<{ dropped: number }>(sql`SELECT retire_storage() AS dropped`),
  );
  return result.ok ? { ok: true, value: result.value.rows[0]?.dropped ?? 0 } : result;
}
