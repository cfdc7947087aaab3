/**
 * Brings a database to the newest schema; again does nothing.
 *
 * Over a real connection, because Neon's HTTP door has no session for the lock that keeps two deploys apart.
 */
import { fileURLToPath } from "node:url";
import { drizzle } from "drizzle-orm/node-postgres";
import { migrate as applyMigrations } from "drizzle-orm/node-postgres/migrator";
import pg from "pg";

const FOLDER = fileURLToPath(new URL("../../migrations", import.meta.url));
/** Any number that is ours: "observe" as letters of a telephone. */
const LOCK = 6_787_378;
const CONNECT_TIMEOUT_MS = 15_000;

/** Applies what is missing, in order, all of it in one transaction. Resolves to how many migrations that were. */
export async function migrate(url: string): Promise<{ readonly applied: number; readonly total: number }> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
  await client.connect();
  try {
    await client.query("SELECT pg_advisory_lock($1)", [LOCK]);
    const before = await appliedCount(client);
    await applyMigrations(drizzle(client), { migrationsFolder: FOLDER });
    const total = await appliedCount(client);
    await client.query("SELECT pg_advisory_unlock($1)", [LOCK]);
    return { applied: total - before, total };
  } finally {
    await client.end();
  }
}

/** Drizzle's own journal, which the first run creates. */
async function appliedCount(client: pg.Client): Promise<number> {
  const table = await client.query("SELECT to_regclass('drizzle.__drizzle_migrations') IS NOT NULL AS present");
  if (table.rows[0]?.present !== true) return 0;
  const count = await client.query("SELECT count(*)::int AS count FROM drizzle.__drizzle_migrations");
  return count.rows[0]?.count ?? 0;
}
