/** Before each file: a new Board takes back what Postgres holds, and that must not be what another file published. */
import { sql } from "drizzle-orm";
import { beforeAll } from "vitest";
import { database } from "./database.ts";

beforeAll(async () => {
  const done = await database().run((db) => db.execute(sql`TRUNCATE board_fact`));
  if (!done.ok) throw new Error(done.message);
});
