/** The memory of a real agent that scrapes a small mesh and pushes it, as the kernel counts it. */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { listClusters, makeEnrollment } from "../dev/cli/edge.ts";
import type { Operator } from "../dev/cli/edge.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const START_TIMEOUT_MS = 30_000;

/** Runs the demo mesh and an agent for `runMs`. `residentMb` is the last of it, `peakMb` the most there ever was. */
export async function agentMemory(
  operator: Operator,
  directory: string,
  runMs: number,
): Promise<{ readonly residentMb: number; readonly peakMb: number; readonly services: number }> {
  mkdirSync(directory, { recursive: true });
  const children: ChildProcess[] = [];
  const start = (...command: string[]): ChildProcess => {
    const child = spawn(process.execPath, command, { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] });
    children.push(child);
    return child;
  };
  const killAtExit = (): void => children.forEach((child) => void child.kill("SIGKILL"));
  process.once("exit", killAtExit);
  try {
    const metrics = await lineOf(start("dev/mesh/main.ts"), /^metrics (\S+)/);
    const { code } = await makeEnrollment(operator, "agent", false);
    const config = join(directory, "agent.yaml");
    writeFileSync(
      config,
      `edge: ${operator.url}\ncluster: agent\nenroll: { code: ${code} }\ninterval: 5s\nsources:\n  scrape: { interval: 5s, targets: ["${metrics}"] }\n`,
    );
    const agent = start("agent/main.ts", "--config", config);
    agent.stdout?.resume();
    await sleep(runMs);
    if (agent.exitCode !== null) throw new Error(`the agent ended with ${agent.exitCode}`);
    const heard = (await listClusters(operator)).find((cluster) => cluster.name === "agent");
    if (heard === undefined || heard.services === 0) throw new Error("the agent reported no service");
    const status = readFileSync(`/proc/${agent.pid}/status`, "utf8");
    return { residentMb: megabytes(status, "VmRSS"), peakMb: megabytes(status, "VmHWM"), services: heard.services };
  } finally {
    killAtExit();
    process.off("exit", killAtExit);
  }
}

function megabytes(status: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(status)?.[1]) / 1_024;
}

/** What the first line of a program's output that fits says. */
async function lineOf(child: ChildProcess, pattern: RegExp): Promise<string> {
  const timer = setTimeout(() => child.kill("SIGKILL"), START_TIMEOUT_MS);
  try {
    for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
      const found = pattern.exec(line)?.[1];
      if (found !== undefined) return found;
    }
  } finally {
    clearTimeout(timer);
    child.stdout?.resume();
  }
  throw new Error(`no line of the program says ${pattern.source}`);
}
