/** One writer a data folder: two agents in it would mix their numbers. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isDiskFull } from "./disk.ts";

/** Takes the folder; the id of the process that has it, or null if it is ours now. A killed agent's lock does not count. */
export function lockDataDir(dataDir: string): number | null {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const path = join(dataDir, "agent.lock");
  const holder = existsSync(path) ? Number(readFileSync(path, "utf8").trim()) : 0;
  if (holder > 0 && holder !== process.pid && isAgent(holder)) return holder;
  try {
    writeFileSync(path, `${process.pid}\n`, { mode: 0o600 });
  } catch (error) {
    // Unguarded it can at least send what is in the spool, which is what makes room.
    if (!isDiskFull(error)) throw error;
  }
  return null;
}

export function unlockDataDir(dataDir: string): void {
  rmSync(join(dataDir, "agent.lock"), { force: true });
}

/** Whether a process lives and is an agent. Process ids are reused, so its command line is asked where the system shows it. */
function isAgent(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EPERM")) return false;
  }
  try {
    const [status = ""] = /^State:\s+\S/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
    // A zombie has its name still, but writes nothing any more. As one file, in its image, an agent is agent.mjs.
    return !status.endsWith("Z") && /agent(\/main\.ts|\.mjs)/.test(readFileSync(`/proc/${pid}/cmdline`, "utf8"));
  } catch {
    return !existsSync("/proc/self/cmdline");
  }
}
