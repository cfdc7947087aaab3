/** Workers under `workerd serve`: what runs at Cloudflare, without the proxy of `wrangler dev`, which is ten times slower. */
import { execFile, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { join, relative } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { once } from "./load.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const WORKERD = join(ROOT, "node_modules/workerd/bin/workerd");
const BUNDLE_TIMEOUT_MS = 60_000;
const START_TIMEOUT_MS = 20_000;
/** As in wrangler.toml. */
const COMPATIBILITY_DATE = "2026-11-01";

/** One Worker of a configuration. */
export interface WorkerSpec {
  readonly name: string;
  /** Path of its script. */
  readonly script: string;
  /** Further modules by name: paths of scripts. */
  readonly modules?: Readonly<Record<string, string>>;
  /** Further modules by name: paths of text files. */
  readonly texts?: Readonly<Record<string, string>>;
  /** Binding by class name of an object that keeps its state with SQLite on disk. */
  readonly objects?: Readonly<Record<string, string>>;
  /** Name of the Worker whose objects these are; its own unless said. */
  readonly objectsOf?: string;
  readonly variables?: Readonly<Record<string, string>>;
  /** Name of the Worker that is its cache. */
  readonly cache?: string;
  /** Ports of 127.0.0.1 that it serves. */
  readonly ports: readonly number[];
}

/** Binding by class name of the edge's objects. */
export const EDGE_OBJECTS = {
  CLUSTER: "Cluster",
  BOARD: "Board",
  RELAY: "Relay",
  THROTTLE: "Throttle",
  OUTBOX: "Outbox",
};

/** What `wrangler.toml` and `wrangler secret` set of the edge. */
export function edgeVariables(asked: {
  readonly operatorKey: string;
  readonly signingKey: string;
  readonly databasePort: number;
  readonly flushMs: number;
}): Readonly<Record<string, string>> {
  return {
    PAGE_NAME: "Bench",
    PAGE_TIME_ZONE: "Etc/UTC",
    FLUSH_INTERVAL_MS: String(asked.flushMs),
    DATABASE_URL: "postgres://bench:bench@localhost/bench",
    NEON_FETCH_ENDPOINT: `http://127.0.0.1:${asked.databasePort}/sql`,
    EDGE_SIGNING_KEY: asked.signingKey,
    OPERATOR_KEY: asked.operatorKey,
  };
}

/** Bundles the Worker as a deploy would, without deploying it. Resolves to the script's path. */
export async function bundleWorker(directory: string): Promise<string> {
  const wrangler = join(ROOT, "node_modules/wrangler/bin/wrangler.js");
  await promisify(execFile)(process.execPath, [wrangler, "deploy", "--dry-run", "--outdir", directory], {
    cwd: ROOT,
    timeout: BUNDLE_TIMEOUT_MS,
    env: { ...process.env, WRANGLER_SEND_METRICS: "false", CI: "1" },
  });
  return join(directory, "index.js");
}

export interface Served {
  readonly pid: number;
  /** Asked politely, it waits until every open socket has gone. */
  stop(signal?: "SIGTERM" | "SIGKILL"): Promise<void>;
}

/** Runs Workers in one process until `stop`. Their objects' files are in `directory`. */
export async function serve(directory: string, workers: readonly WorkerSpec[]): Promise<Served> {
  mkdirSync(join(directory, "objects"), { recursive: true });
  const config = join(directory, "config.capnp");
  writeFileSync(config, configText(directory, workers));
  const child = spawn(WORKERD, ["serve", "--experimental", config], { stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  child.stderr.on("data", (bytes: Buffer) => (log = (log + bytes.toString()).slice(-4_000)));
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const killAtExit = (): void => void child.kill("SIGKILL");
  process.once("exit", killAtExit);
  for (const port of workers.flatMap((worker) => worker.ports))
    await answers(
      port,
      () => child.exitCode !== null,
      () => log,
    );
  return {
    pid: child.pid ?? -1,
    async stop(signal = "SIGTERM") {
      child.kill(signal);
      await exited;
      process.off("exit", killAtExit);
    },
  };
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function answers(port: number, isDead: () => boolean, log: () => string): Promise<void> {
  for (let waitedMs = 0; waitedMs < START_TIMEOUT_MS; waitedMs += 50) {
    if (isDead()) throw new Error(`workerd ended: ${log()}`);
    try {
      // Any answer will do: it is the socket that is waited for.
      await once(port, Buffer.from(`OPTIONS /up HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n\r\n`));
      return;
    } catch {
      await sleep(50);
    }
  }
  throw new Error(`workerd does not serve port ${port}: ${log()}`);
}

function configText(directory: string, workers: readonly WorkerSpec[]): string {
  const services = workers.map((worker) => `(name = ${text(worker.name)}, worker = ${workerText(directory, worker)})`);
  const sockets = workers.flatMap((worker) =>
    worker.ports.map(
      (port) => `(name = "${port}", address = "127.0.0.1:${port}", http = (), service = ${text(worker.name)})`,
    ),
  );
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    ${services.join(",\n    ")},
    (name = "internet", network = (allow = ["public", "private"])),
    (name = "disk", disk = (path = ${text(join(directory, "objects"))}, writable = true))
  ],
  sockets = [
    ${sockets.join(",\n    ")}
  ]
);
`;
}

function workerText(directory: string, worker: WorkerSpec): string {
  const objects = Object.entries(worker.objects ?? {});
  // Cap'n Proto takes even "/…" from the folder of the configuration.
  const file = (path: string): string => text(relative(directory, path));
  const modules = [
    `(name = "index.js", esModule = embed ${file(worker.script)})`,
    ...Object.entries(worker.modules ?? {}).map(
      ([name, path]) => `(name = ${text(name)}, esModule = embed ${file(path)})`,
    ),
    ...Object.entries(worker.texts ?? {}).map(([name, path]) => `(name = ${text(name)}, text = embed ${file(path)})`),
  ];
  const owner = worker.objectsOf === undefined ? "" : `, serviceName = ${text(worker.objectsOf)}`;
  const bindings = [
    ...objects.map(
      ([name, className]) =>
        `(name = ${text(name)}, durableObjectNamespace = (className = ${text(className)}${owner}))`,
    ),
    ...Object.entries(worker.variables ?? {}).map(([name, value]) => `(name = ${text(name)}, text = ${text(value)})`),
  ];
  const namespaces = (worker.objectsOf === undefined ? objects : []).map(
    ([, className]) => `(className = ${text(className)}, uniqueKey = ${text(`bench-${className}`)}, enableSql = true)`,
  );
  return `(
      modules = [${modules.join(", ")}],
      compatibilityDate = "${COMPATIBILITY_DATE}",
      compatibilityFlags = ["global_fetch_strictly_public"],
      bindings = [${bindings.join(", ")}],
      durableObjectNamespaces = [${namespaces.join(", ")}],
      durableObjectStorage = (localDisk = "disk"),
      ${worker.cache === undefined ? "" : `cacheApiOutbound = ${text(worker.cache)},`}
      globalOutbound = "internet"
    )`;
}

/** A string as Cap'n Proto reads it. */
function text(value: string): string {
  return JSON.stringify(value);
}
