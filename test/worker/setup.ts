/** Before each file: what another file published is not taken back by a new Board, and what it saw is not read as news. */
import { sql } from "drizzle-orm";
import { beforeAll } from "vitest";
import { database } from "./database.ts";

beforeAll(async () => {
  const done = await database().run((db) => db.execute(sql`TRUNCATE board_fact, event`));
  if (!done.ok) throw new Error(done.message);
});
