/**
 * The edge under Miniflare's own API: a test starts it, ends it as a crash does, and starts it again on the same files
 * or on older ones. What it runs is what a deploy would: the bundle, the objects and the dates of wrangler.toml.
 */
import { cpSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { build } from "esbuild";
import { Log, LogLevel, Miniflare } from "miniflare";
import type { MiniflareOptions } from "miniflare";
import { unstable_readConfig } from "wrangler";
import type { Unstable_Config } from "wrangler";
import { edgePublicKey, makeSecrets } from "../../dev/supervise/secrets.ts";
import type { EdgeSecrets } from "../../dev/supervise/secrets.ts";
import { freePort, ROOT } from "./process.ts";

type WorkerConfig = MiniflareOptions["workers"][number]["config"];
type Exports = NonNullable<WorkerConfig["exports"]>;

const SCRIPT = "index.js";
const SIGN_IN_TIMEOUT_MS = 10_000;

export interface EdgeOptions {
  /** The endpoint of `dev/database`. */
  readonly databaseEndpoint: string;
  /** How long received facts wait before they are sent to Postgres, ms. */
  readonly flushMs: number;
  /** The Worker to run, in one module; this tree's unless said. */
  readonly script?: string;
  /** What wrangler.toml says otherwise. */
  readonly variables?: Readonly<Record<string, string>>;
}

/** One edge on a port and in a folder of its own. Both outlive its deaths. */
export class Edge {
  readonly url: string;
  readonly secrets: EdgeSecrets = makeSecrets();
  /** What agents pin. */
  readonly publicKey = edgePublicKey(this.secrets.EDGE_SIGNING_KEY);
  readonly #directory = mkdtempSync(join(tmpdir(), "observatory-miniflare-"));
  readonly #variables: Readonly<Record<string, string>>;
  readonly #log: string[] = [];
  #config: MiniflareOptions;
  #miniflare: Miniflare | null = null;

  private constructor(port: number, script: string, options: EdgeOptions) {
    this.url = `http://127.0.0.1:${port}`;
    this.#variables = {
      ...this.secrets,
      DATABASE_URL: "postgres://observatory:observatory@localhost/observatory",
      NEON_FETCH_ENDPOINT: options.databaseEndpoint,
      FLUSH_INTERVAL_MS: String(options.flushMs),
      PAGE_FRESH_MS: "0",
      ...options.variables,
    };
    this.#config = {
      host: "127.0.0.1",
      port,
      cf: false,
      telemetry: { enabled: false },
      log: new Log(LogLevel.NONE),
      handleStructuredLogs: ({ message }) => void this.#log.push(message),
      resourcePersistencePath: this.#files,
      workers: [{ config: workerConfig(script, this.#variables) }],
    };
  }

  static async start(options: EdgeOptions): Promise<Edge> {
    const edge = new Edge(await freePort(), options.script ?? (await bundle()), options);
    await edge.start();
    return edge;
  }

  async start(): Promise<void> {
    this.#miniflare = new Miniflare(this.#config);
    await this.#miniflare.ready;
  }

  /** Miniflare ends the runtime with SIGKILL: no object hears of it. */
  async kill(): Promise<void> {
    await this.#miniflare?.dispose();
    this.#miniflare = null;
  }

  async restart(): Promise<void> {
    await this.kill();
    await this.start();
  }

  /** A deploy: from now on another release runs on the same objects. This tree's unless said. */
  async deploy(script?: string): Promise<void> {
    await this.kill();
    this.#config = {
      ...this.#config,
      workers: [{ config: workerConfig(script ?? (await bundle()), this.#variables) }],
    };
    await this.start();
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** Copies the files of one class of objects while the edge is down; returns what puts the copy in their place. */
  copyOf(className: string): () => void {
    const [live, copy] = [this.#folderOf(className), mkdtempSync(join(this.#directory, "copy-"))];
    cpSync(live, copy, { recursive: true });
    return () => {
      if (this.#miniflare !== null) throw new Error("files of a running edge cannot be replaced");
      rmSync(live, { recursive: true });
      cpSync(copy, live, { recursive: true });
    };
  }

  /** Takes all memory from one class of objects while the edge is down. */
  forget(className: string): void {
    rmSync(this.#folderOf(className), { recursive: true });
  }

  /** Has no object of one class start any more, while the edge is down; returns what mends it. */
  spoil(className: string): () => void {
    const folder = this.#folderOf(className);
    const kept = mkdtempSync(join(this.#directory, "spoilt-"));
    cpSync(folder, kept, { recursive: true });
    for (const name of readdirSync(folder)) if (/[0-9a-f]{64}\.sqlite$/.test(name)) spoilTables(join(folder, name));
    return () => {
      rmSync(folder, { recursive: true });
      cpSync(kept, folder, { recursive: true });
    };
  }

  /** Changes what the objects of one class remember, as time would have, while the edge is down. */
  remember(className: string, statement: string): void {
    const folder = this.#folderOf(className);
    for (const name of readdirSync(folder).filter((file) => /[0-9a-f]{64}\.sqlite$/.test(file))) {
      const database = new DatabaseSync(join(folder, name));
      database.exec(statement);
      database.close();
    }
  }

  #folderOf(className: string): string {
    const objects = join(this.#files, "do");
    const folder = readdirSync(objects).find((name) => name.endsWith(className));
    if (this.#miniflare !== null || folder === undefined) throw new Error(`${className} cannot be touched`);
    return join(objects, folder);
  }

  /** How often an event was logged since the first start. */
  logged(event: string): number {
    return this.#log.filter((line) => line.includes(`"event":"${event}"`)).length;
  }

  visit(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
    return fetch(`${this.url}${path}`, { headers });
  }

  /** The status of each component on the page by its name. */
  async statuses(): Promise<Readonly<Record<string, string>>> {
    const summary = (await (await this.visit("/api/v2/summary.json")).json()) as {
      components: { name: string; status: string; group: boolean }[];
    };
    return Object.fromEntries(summary.components.map(({ name, status }) => [name, status]));
  }

  /** A call with the operator's key. */
  async cli<T>(method: string, path: string, body: object = {}): Promise<T> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${this.secrets.OPERATOR_KEY}` },
      ...(method === "GET" ? {} : { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  }

  /** Signs an operator in by a one-time link. */
  async signIn(): Promise<Operator> {
    const { url } = await this.cli<{ url: string }>("POST", "/cli/v1/admin-links");
    const token = new URL(url).searchParams.get("token") ?? "";
    const answer = await post(`${this.url}/admin/sign-in`, { token }, "");
    const cookie = answer.headers.get("set-cookie")?.split(";")[0] ?? "";
    const get = (path: string): Promise<Response> =>
      fetch(`${this.url}${path}`, { headers: { cookie }, redirect: "manual" });
    return { get, post: (path, form) => post(`${this.url}${path}`, form, cookie) };
  }

  get #files(): string {
    return join(this.#directory, "edge");
  }
}

/** Nothing that was stored can be read, and nothing be written. The runtime's own tables stay: without them it ends. */
function spoilTables(file: string): void {
  const database = new DatabaseSync(file);
  const tables = database
    .prepare(
      "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB '_cf_*' AND name NOT GLOB 'sqlite_*'",
    )
    .all();
  for (const { name } of tables)
    database.exec(`DROP TABLE "${String(name)}"; CREATE VIEW "${String(name)}" AS SELECT 1 AS spoilt`);
  database.close();
}

/** A browser's session of an operator; redirects are answers. */
export interface Operator {
  get(path: string): Promise<Response>;
  post(path: string, form: Readonly<Record<string, string>>): Promise<Response>;
}

function post(url: string, form: Readonly<Record<string, string>>, cookie: string): Promise<Response> {
  return fetch(url, {
    method: "POST",
    redirect: "manual",
    headers: { cookie, origin: new URL(url).origin },
    body: new URLSearchParams(form),
    signal: AbortSignal.timeout(SIGN_IN_TIMEOUT_MS),
  });
}

/** Another Worker around this tree's, in one module: what a test needs beside what a deploy would. */
export async function bundleOf(source: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: source, resolveDir: ROOT, loader: "ts" },
    bundle: true,
    write: false,
    format: "esm",
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*", "node:*"],
    logLevel: "warning",
  });
  return outputFiles?.[0]?.text ?? "";
}

let bundled: Promise<string> | null = null;

/** The Worker in one module, once for all edges of a test file. */
function bundle(): Promise<string> {
  bundled ??= build({
    entryPoints: [configuration().main ?? ""],
    bundle: true,
    write: false,
    format: "esm",
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*", "node:*"],
    logLevel: "warning",
  }).then(({ outputFiles }) => outputFiles[0]?.text ?? "");
  return bundled;
}

/** wrangler.toml as Wrangler itself reads it. */
function configuration(): Unstable_Config {
  return unstable_readConfig({ config: join(ROOT, "wrangler.toml") });
}

function isExported(name: string, script: string): boolean {
  return new RegExp(`export\\s*\\{[^}]*\\b${name}\\b`).test(script);
}

/** wrangler.toml as Miniflare takes it. Objects that are declared without SQLite are not ours and fail here. */
function workerConfig(script: string, secrets: Readonly<Record<string, string>>): WorkerConfig {
  const config = configuration();
  const { name = "", compatibility_date: compatibilityDate = "", compatibility_flags: compatibilityFlags } = config;
  const sqlite = new Set(config.migrations.flatMap((migration) => migration.new_sqlite_classes ?? []));
  // A release before this one has not all of them.
  const objects = config.durable_objects.bindings.filter(({ class_name: name }) => isExported(name, script));
  const exports: Exports = Object.fromEntries(
    objects.map(({ class_name: className }) => {
      if (!sqlite.has(className)) throw new Error(`${className} has no SQLite storage in wrangler.toml`);
      return [className, { type: "durable-object", storage: "sqlite" }];
    }),
  );
  return {
    name,
    compatibilityDate,
    compatibilityFlags,
    manifest: { mainModule: SCRIPT, modules: { [SCRIPT]: { type: "esm", contents: script } } },
    exports,
    env: {
      ...Object.fromEntries(
        objects.map((object) => [
          object.name,
          { type: "durable-object", worker: name, exportName: object.class_name } as const,
        ]),
      ),
      ...Object.fromEntries(
        Object.entries({ ...config.vars, ...secrets }).map(([key, value]) => {
          if (typeof value !== "string") throw new Error(`${key} is no text in wrangler.toml`);
          return [key, { type: "text", value } as const];
        }),
      ),
    },
  };
}
