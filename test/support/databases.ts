/** The databases that every store test runs against: what `npm start` embeds, and a real server. */
import { startDatabase } from "../../dev/database/database.ts";
import type { RunningDatabase } from "../../dev/database/database.ts";
import { startPostgres } from "./postgres.ts";

async function embedded(): Promise<RunningDatabase> {
  return startDatabase({});
}

/** For what needs more than one connection at a time. */
export async function startPostgreSql(): Promise<RunningDatabase> {
  const postgres = await startPostgres();
  const database = await startDatabase({ url: postgres.url });
  return {
    ...database,

    async stop() {
      await database.stop();
      await postgres.stop();
    },
  };
}

/** For `describe.each`: a name, and how to start it. */
export const DATABASES: readonly (readonly [name: string, start: () => Promise<RunningDatabase>])[] = [
  ["PGlite", embedded],
  ["PostgreSQL", startPostgreSql],
];
