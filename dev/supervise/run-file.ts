/** `.data/run.json`: what runs, and where. The command line tools find the system by it. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import * as v from "valibot";

const Port = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65_535));
const RunSchema = v.object({
  /** The supervisor's process, null when it was stopped. */
  pid: v.nullable(v.number()),
  url: v.string(),
  ports: v.object({ edge: Port, database: Port, control: Port, kubernetes: Port, ledger: Port, door: Port }),
  /** Leaders of the children's process groups, by the child's name. */
  children: v.record(v.string(), v.number()),
});
export type Run = v.InferOutput<typeof RunSchema>;
export type Ports = Run["ports"];

/** The repository's root. */
export const ROOT = resolve(import.meta.dirname, "../..");

/** Where a system keeps everything it has: `.data`, or what DATA_DIR says. */
export function dataDir(): string {
  return resolve(ROOT, process.env["DATA_DIR"] ?? ".data");
}

export function readRun(directory: string): Run | null {
  try {
    const parsed = v.safeParse(RunSchema, JSON.parse(readFileSync(join(directory, "run.json"), "utf8")));
    return parsed.success ? parsed.output : null;
  } catch {
    return null;
  }
}

export function writeRun(directory: string, run: Run): void {
  mkdirSync(directory, { recursive: true });
  const file = join(directory, "run.json");
  writeFileSync(`${file}.new`, `${JSON.stringify(run, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

/** Whether the supervisor that wrote `run` still lives. Numbers are used again, so its command line is looked at. */
export function isRunning(run: Run | null): run is Run & { pid: number } {
  return run !== null && run.pid !== null && commandLine(run.pid).includes(SUPERVISOR);
}

const SUPERVISOR = "dev/start.ts";

/** Empty when there is no such process. Linux tells it in a file, which is there where `ps` is not installed. */
function commandLine(pid: number): string {
  try {
    if (process.platform === "linux") return readFileSync(`/proc/${pid}/cmdline`, "utf8");
    return execFileSync("ps", ["-o", "args=", "-p", String(pid)], { encoding: "utf8", stdio: "pipe" });
  } catch {
    return "";
  }
}

/** Whether 127.0.0.1:`port` can be bound now. */
export function portIsFree(port: number): Promise<boolean> {
  return new Promise((done) => {
    const server = createServer();
    server.once("error", () => done(false));
    server.listen(port, "127.0.0.1", () => server.close(() => done(true)));
  });
}

/** The ports of the last run where they are still free, so that addresses in configuration files stay good. */
export async function choosePorts(edge: number, before: Ports | null): Promise<Ports> {
  const taken = new Set([edge]);
  const choose = async (wish: number | undefined): Promise<number> => {
    if (wish !== undefined && !taken.has(wish) && (await portIsFree(wish))) {
      taken.add(wish);
      return wish;
    }
    for (let tries = 0; tries < PORT_TRIES_MAX; tries++) {
      const port = await freePort();
      if (taken.has(port)) continue;
      taken.add(port);
      return port;
    }
    throw new Error("127.0.0.1 has no free port left");
  };
  return {
    edge,
    database: await choose(before?.database),
    control: await choose(before?.control),
    kubernetes: await choose(before?.kubernetes),
    ledger: await choose(before?.ledger),
    door: await choose(before?.door),
  };
}

const PORT_TRIES_MAX = 20;

function freePort(): Promise<number> {
  return new Promise((done, failed) => {
    const server = createServer();
    server.once("error", failed);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => done(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}
