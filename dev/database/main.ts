/**
 * `node dev/database/main.ts --data .data/postgres --port N [--url postgres://…] [--wire-port N]`: the database of a
 * laptop. Without `--url` (or DATABASE_URL) the embedded one. Prints one line when it is ready and stops at SIGTERM.
 */
import { parseArgs } from "node:util";
import { startDatabase } from "./database.ts";

const { values } = parseArgs({
  options: {
    data: { type: "string" },
    port: { type: "string", default: "0" },
    url: { type: "string" },
    "wire-port": { type: "string", default: "0" },
  },
});
const url = values.url ?? (process.env["DATABASE_URL"] || undefined);
const database = await startDatabase({
  ...(url === undefined ? {} : { url }),
  ...(values.data === undefined ? {} : { dataDir: values.data }),
  port: Number(values.port),
  wirePort: Number(values["wire-port"]),
});
console.log(`ready ${database.endpoint}`);
const stop = (): void => void database.stop().then(() => process.exit(0));
process.once("SIGTERM", stop);
process.once("SIGINT", stop);
