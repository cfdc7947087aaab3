/** The Postgres that the Worker's tests write to, at the port that the configuration chose. */
import { startDatabase } from "../../dev/database/database.ts";

export default async function setup(): Promise<() => Promise<void>> {
  const database = await startDatabase({ port: Number(process.env["WORKER_TEST_DATABASE_PORT"]) });
  return () => database.stop();
}
