import type { Database } from "../store/database.ts";
import { flushRecords } from "../store/flush.ts";
import type { Batch } from "./cluster-memory.ts";
import type { Meter } from "./meter.ts";

/**
 * Stores records, and when Postgres can never take their data halves them until the poison one stands alone: it is
 * logged and left out, so that it costs none of its neighbours. False if they have to be sent again.
 */
export async function storeAll(
  database: Database,
  cluster: string,
  records: Batch["records"],
  meter: Meter,
): Promise<boolean> {
  const stored = await flushRecords(database, cluster, records, (bytes) => meter.statementSent(bytes));
  if (stored.ok) return true;
  const alone = records.length === 1 && stored.code === "poison";
  console.warn(
    JSON.stringify({
      event: alone ? "record_poison" : "flush_failed",
      cluster,
      code: stored.code,
      message: stored.message,
    }),
  );
  if (stored.code !== "poison" || alone) return alone;
  const half = Math.ceil(records.length / 2);
  return (
    (await storeAll(database, cluster, records.slice(0, half), meter)) &&
    (await storeAll(database, cluster, records.slice(half), meter))
  );
}
