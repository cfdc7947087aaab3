/** The windows on both ends of the way: in the agent's own log, and in Postgres. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { expect } from "vitest";
import { eventually } from "./process.ts";

export interface StoredWindow {
  /** As the agent's log has it: cluster/namespace/name and the moment at which it begins. */
  readonly key: string;
  readonly service: string;
  /** Millis. */
  readonly from: number;
  /** Millis. */
  readonly to: number;
  readonly requests: number;
}

/** The keys of the windows that an agent with `audit` says it closed. */
export function closedWindows(dataDir: string): readonly string[] {
  return readFileSync(join(dataDir, "windows.log"), "utf8")
    .split("\n")
    .filter((line) => line !== "");
}

/** The windows as Postgres holds them, by service and time. */
async function storedWindows(databaseUrl: string): Promise<readonly StoredWindow[]> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query<StoredWindow>(
      `SELECT cluster_id || '/' || service_id || ' ' || to_char(minute AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS key,
        service_id AS service, (extract(epoch FROM minute) * 1000)::float8 AS "from",
        (extract(epoch FROM minute) * 1000 + span_ms)::float8 AS "to", requests
      FROM minute_window ORDER BY service_id, minute`,
    );
    return rows;
  } finally {
    await client.end();
  }
}

/**
 * Waits until Postgres has every window that the agent closed until now, and sees that it has no other one, none twice,
 * and that none is missing between: each begins where the one before it ends. Resolves to what Postgres holds.
 */
export async function expectWindowsOnce(
  databaseUrl: string,
  dataDir: string,
  timeoutMs: number,
): Promise<readonly StoredWindow[]> {
  const keys = closedWindows(dataDir);
  expect(new Set(keys).size).toBe(keys.length);
  await eventually(
    async () => {
      const held = new Set((await storedWindows(databaseUrl)).map(({ key }) => key));
      return keys.every((key) => held.has(key));
    },
    timeoutMs,
    "every closed window to be in Postgres",
  );
  const held = await storedWindows(databaseUrl);
  const later = new Set(closedWindows(dataDir));
  expect(held.filter(({ key }) => !later.has(key))).toEqual([]);
  const torn = held.filter((window, i) => window.service === held[i - 1]?.service && window.from !== held[i - 1]?.to);
  expect(torn).toEqual([]);
  return held;
}
