import { spawn } from "node:child_process";
import { constants, setPriority } from "node:os";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../dev/database/main.ts", import.meta.url));

/** Postgres for a bench: the embedded one, in memory and in a process of its own: pushes end in Postgres here as everywhere. */
export async function startDatabase(port: number): Promise<() => Promise<void>> {
  const child = spawn(process.execPath, [MAIN, "--port", String(port)], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, DATABASE_URL: "" },
  });
  // In production it has a machine of its own. Here it gets what the edge and its load leave of this one.
  if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_LOW);
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  await Promise.race([
    new Promise((resolve) => child.stdout.once("data", resolve)),
    exited.then(() => Promise.reject(new Error("the database did not start"))),
  ]);
  const killAtExit = (): void => void child.kill("SIGKILL");
  process.once("exit", killAtExit);
  return async () => {
    child.kill("SIGTERM");
    await exited;
    process.off("exit", killAtExit);
  };
}
