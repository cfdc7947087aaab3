/** Postgres as a test in workerd sees it: how it fails, how often it was asked, and what it holds. */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { sql } from "drizzle-orm";
import { onTestFinished } from "vitest";
import { clusterOf } from "../../worker/objects/env.ts";
import { openDatabase } from "../../worker/store/database.ts";
import type { Fault } from "../support/fault.ts";
import type { Agent } from "./agent.ts";
import { bindings, windowOf } from "./agent.ts";

export function database() {
  return openDatabase({ url: bindings.DATABASE_URL, fetchEndpoint: bindings.NEON_FETCH_ENDPOINT });
}

/** The next `times` writes of one cluster fail so, at most until the test ends; null heals it and ends what hangs. */
export async function failDatabase(cluster: string, fault: Fault | null, times?: number): Promise<void> {
  const url = new URL("/fault", bindings.NEON_FETCH_ENDPOINT);
  await fetch(url, { method: "POST", body: JSON.stringify({ cluster, fault, times }) });
  if (fault !== null) onTestFinished(() => failDatabase(cluster, null));
}

/** How many writes of a cluster reached Postgres, or what plays it, since it was named first. */
export async function statementsSeen(cluster: string): Promise<number> {
  const url = new URL(`/seen?cluster=${cluster}`, bindings.NEON_FETCH_ENDPOINT);
  return Number(await (await fetch(url)).text());
}

export async function storedEvents(cluster: string): Promise<number> {
  const counted = await database().run((db) =>
    db.execute<{ n: number }>(sql`SELECT count(*)::int AS n FROM event WHERE cluster_id = ${cluster}`),
  );
  return counted.ok ? (counted.value.rows[0]?.n ?? -1) : -1;
}

/** Postgres as it was before it heard of a cluster. */
export async function forgetAll(cluster: string): Promise<void> {
  for (const table of ["minute_window", "event", "received"]) {
    const statement = sql`DELETE FROM ${sql.identifier(table)} WHERE cluster_id = ${cluster}`;
    const done = await database().run((db) => db.execute(statement));
    if (!done.ok) throw new Error(done.message);
  }
}

/** Fills a cluster's outbox above its bound, with Postgres away. The next number is 165. */
export async function fillOutbox(agent: Agent & { readonly epoch: number }): Promise<void> {
  await failDatabase(agent.cluster, "away");
  await agent.push({ epoch: agent.epoch, records: { first: 1, items: [windowOf(3)] } }, null);
  await runInDurableObject(clusterOf(bindings, agent.cluster), (_, { storage }) => {
    for (let slot = 100; slot < 165; slot++) {
      storage.sql.exec(
        `INSERT INTO outbox (slot, spool, epoch, first, next, persisted, at, records, body)
          SELECT ?, spool, epoch, ?, ?, 1, at, 1, ? FROM outbox WHERE slot = 1`,
        slot,
        slot,
        slot + 1,
        `[${" ".repeat(1_050_000)}]`,
      );
    }
  });
  await evictDurableObject(clusterOf(bindings, agent.cluster));
}
