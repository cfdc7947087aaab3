/**
 * A real PostgreSQL in a directory of its own, for tests that must see what a server does: how it dies, how it returns,
 * how two of its sessions meet. Fsync is on. Debian's programs are looked up, and installed if that is possible.
 */
import { execFile, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import pg from "pg";

const run = promisify(execFile);
const INSTALL_TIMEOUT_MS = 300_000;
const START_TIMEOUT_MS = 60_000;
const RELEASES = "/usr/lib/postgresql";

export interface RealPostgres {
  readonly url: string;
  readonly port: number;
  /** Of the postmaster that runs now. */
  readonly pid: number;
  /** As a crash does it: every process of the server dies at once, nothing is flushed. */
  kill9(): Promise<void>;
  /** Starts it again on the same port and the same files, which it repairs first. */
  restart(): Promise<void>;
  /** Ends it and removes its files. */
  stop(): Promise<void>;
}

/** Starts an empty server on 127.0.0.1. Fails with what to install if there is none and it cannot be installed. */
export async function startPostgres(): Promise<RealPostgres> {
  const bin = await programs();
  const owner = await unprivilegedUser();
  const home = mkdtempSync(join(tmpdir(), "postgres-"));
  if (owner !== null) chownSync(home, owner.uid, owner.gid);
  const data = join(home, "data");
  const who = owner ?? {};
  await run(
    join(bin, "initdb"),
    ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
    {
      ...who,
      cwd: home,
    },
  );
  const port = await freePort();
  const url = `postgres://postgres:postgres@127.0.0.1:${port}/postgres`;
  const settings = ["-c", "fsync=on", "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=50"];
  const start = async (): Promise<ChildProcess> => {
    const server = spawn(join(bin, "postgres"), ["-D", data, "-p", String(port), "-k", home, ...settings], {
      ...who,
      cwd: home,
      stdio: ["ignore", "ignore", "pipe"],
    });
    let log = "";
    server.stderr?.on("data", (bytes: Buffer) => (log = (log + bytes.toString()).slice(-4_000)));
    await answers(url, server, () => log);
    return server;
  };
  let server = await start();
  let guard = guardOf(server, home);
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (server.exitCode !== null || server.signalCode !== null || server.pid === undefined) return;
    const ended = new Promise((resolve) => server.once("exit", resolve));
    if (signal === "SIGKILL") killAll(server.pid);
    else server.kill(signal);
    await ended;
  };
  return {
    url,
    port,
    get pid() {
      return server.pid ?? -1;
    },
    kill9: () => end("SIGKILL"),
    async restart() {
      await end("SIGKILL");
      guard.kill("SIGKILL");
      server = await start();
      guard = guardOf(server, home);
    },
    async stop() {
      // SIGINT is "fast shutdown": sessions are cut, the files are left clean.
      guard.kill("SIGKILL");
      await end("SIGINT");
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** Ends the server and removes its files when this process is gone, however that went: then the guard's input ends. */
function guardOf(server: ChildProcess, home: string): ChildProcess {
  const script = 'cat >/dev/null; kill -INT "$1" 2>/dev/null && sleep 2; rm -rf "$0"';
  const guard = spawn("/bin/sh", ["-c", script, home, String(server.pid)], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  guard.unref();
  // Of a child's pipe, which is a socket: it must not keep this process alive.
  (guard.stdin as Socket | null)?.unref();
  return guard;
}

/** The postmaster and its children. It is stopped first, so that no child is born meanwhile; each leads a session of its own. */
function killAll(postmaster: number): void {
  signal(postmaster, "SIGSTOP");
  const children = readFileSync(`/proc/${postmaster}/task/${postmaster}/children`, "utf8").split(" ").filter(Boolean);
  // The postmaster last: children that see it gone end by themselves, and in good order.
  for (const pid of [...children.map(Number), postmaster]) signal(pid, "SIGKILL");
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    // Already gone.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** The newest release's folder of programs. */
async function programs(): Promise<string> {
  const found = newestRelease();
  if (found !== null) return found;
  if (process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get"))
    throw new Error(`install PostgreSQL: apt-get install postgresql`);
  const environment = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const options = { env: environment, timeout: INSTALL_TIMEOUT_MS };
  await run("apt-get", ["update"], options);
  await run("apt-get", ["install", "-y", "--no-install-recommends", "postgresql"], options);
  const installed = newestRelease();
  if (installed === null) throw new Error(`apt-get installed postgresql, but ${RELEASES} has no programs`);
  return installed;
}

function newestRelease(): string | null {
  const releases = existsSync(RELEASES) ? readdirSync(RELEASES) : [];
  return (
    releases
      .toSorted((a, b) => Number(b) - Number(a))
      .map((release) => join(RELEASES, release, "bin"))
      .find((bin) => existsSync(join(bin, "initdb")) && existsSync(join(bin, "postgres"))) ?? null
  );
}

/** Who the server runs as: PostgreSQL refuses root. Null: as ourselves. */
async function unprivilegedUser(): Promise<{ readonly uid: number; readonly gid: number } | null> {
  if (process.getuid?.() !== 0) return null;
  for (const name of ["postgres", "nobody"]) {
    try {
      const uid = await run("id", ["-u", name]);
      const gid = await run("id", ["-g", name]);
      return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
    } catch {
      // No such user: the next.
    }
  }
  throw new Error("PostgreSQL does not run as root, and there is neither a user postgres nor a user nobody");
}

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function answers(url: string, server: ChildProcess, log: () => string): Promise<void> {
  for (let waitedMs = 0; waitedMs < START_TIMEOUT_MS; waitedMs += 100) {
    if (server.exitCode !== null) throw new Error(`postgres ended: ${log()}`);
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
    client.on("error", () => {});
    try {
      await client.connect();
      await client.query("SELECT 1");
      return;
    } catch {
      await sleep(100);
    } finally {
      await client.end().catch(() => {});
    }
  }
  throw new Error(`postgres did not answer within ${START_TIMEOUT_MS} ms: ${log()}`);
}
