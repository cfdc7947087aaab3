/** The whole of Observatory Edge for flow tests: real programs, each of which a test can kill and start again. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { runCron } from "../../dev/supervise/cron.ts";
import { edgePublicKey, keepEnv } from "../../dev/supervise/secrets.ts";
import type { EdgeSecrets } from "../../dev/supervise/secrets.ts";
import { eventually, freePort, ROOT, RunningProgram } from "./process.ts";

export interface SystemOptions {
  /** A real PostgreSQL; without it the embedded one, in a directory of the test's. */
  readonly databaseUrl?: string;
  /** How long facts wait before they are flushed, ms. */
  readonly flushMs?: number;
}

export interface Summary {
  readonly components: readonly {
    readonly name: string;
    readonly status: string;
    readonly description: string | null;
  }[];
  readonly status: { readonly indicator: string; readonly description: string };
}

/** One edge with its database, and any number of agents. */
export class System {
  readonly directory: string;
  readonly url: string;
  readonly database: RunningProgram;
  readonly edge: RunningProgram;
  readonly secrets: EdgeSecrets;
  readonly #programs: RunningProgram[] = [];

  private constructor(directory: string, ports: { edge: number; database: number }, options: SystemOptions) {
    this.directory = directory;
    this.url = `http://127.0.0.1:${ports.edge}`;
    const endpoint = `http://127.0.0.1:${ports.database}/sql`;
    this.secrets = keepEnv(directory, {
      DATABASE_URL: "postgresql://observatory:observatory@localhost/observatory",
      NEON_FETCH_ENDPOINT: endpoint,
      FLUSH_INTERVAL_MS: String(options.flushMs ?? 5_000),
      PROBE_LOOPBACK: "1",
    });
    const where =
      options.databaseUrl === undefined ? ["--data", join(directory, "postgres")] : ["--url", options.databaseUrl];
    this.database = this.#program(
      "database",
      [process.execPath, "dev/database/main.ts", "--port", String(ports.database), ...where],
      () => answers(endpoint),
    );
    const address = ["--ip", "127.0.0.1", "--port", String(ports.edge), "--inspector-port", "0"];
    const state = ["--persist-to", join(directory, "edge"), "--env-file", join(directory, "edge.env")];
    const flags = ["--show-interactive-dev-session=false", "--log-level", "warn"];
    this.edge = this.#program(
      "edge",
      [process.execPath, join(ROOT, "node_modules/wrangler/bin/wrangler.js"), "dev", ...address, ...state, ...flags],
      async () => (await fetch(`${this.url}/health`, { signal: AbortSignal.timeout(2_000) })).ok,
    );
  }

  static async start(options: SystemOptions = {}): Promise<System> {
    const directory = mkdtempSync(join(tmpdir(), "observatory-"));
    const system = new System(directory, { edge: await freePort(), database: await freePort() }, options);
    await system.database.start();
    await system.edge.start();
    return system;
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

  /** A minute of the cron, whenever a test wants it. */
  async cron(): Promise<void> {
    await runCron(this.url);
  }

  async summary(): Promise<Summary> {
    return (await (await fetch(`${this.url}/api/v2/summary.json`)).json()) as Summary;
  }

  async statusOf(name: string): Promise<string | undefined> {
    return (await this.summary()).components.find((component) => component.name === name)?.status;
  }

  /** Enrols and starts an agent; `config` is its agent.yaml without what joins it to this edge. */
  async startAgent(
    cluster: string,
    config: Record<string, unknown>,
  ): Promise<{ readonly program: RunningProgram; readonly directory: string }> {
    const { code } = await this.cli<{ code: string }>("POST", "/cli/v1/enrollments", { cluster });
    const directory = join(this.directory, cluster);
    mkdirSync(directory, { recursive: true });
    const file = join(directory, "agent.yaml");
    const leases = {
      ...(config["leases"] as object | undefined),
      edgeKeys: [edgePublicKey(this.secrets.EDGE_SIGNING_KEY)],
    };
    writeFileSync(file, stringify({ edge: this.url, cluster, enroll: { code }, dataDir: "./data", ...config, leases }));
    const startedAt = { value: 0 };
    const program = this.#program(
      `agent-${cluster}`,
      [process.execPath, "agent/main.ts", "--config", file],
      async () => {
        const { clusters } = await this.cli<{ clusters: { name: string; heardAt: number | null }[] }>(
          "GET",
          "/cli/v1/clusters",
        );
        return (clusters.find(({ name }) => name === cluster)?.heardAt ?? 0) >= startedAt.value;
      },
    );
    startedAt.value = Date.now();
    await program.start();
    return { program, directory: join(directory, "data") };
  }

  async stop(): Promise<void> {
    for (const program of this.#programs.toReversed()) await program.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }

  #program(name: string, command: [string, ...string[]], isReady: () => Promise<boolean>): RunningProgram {
    const program = new RunningProgram({ command, isReady, logFile: join(this.directory, `${name}.log`) });
    this.#programs.push(program);
    return program;
  }
}

/** Whether somebody listens: an answer of any kind. */
async function answers(url: string): Promise<boolean> {
  await (await fetch(url, { method: "POST", body: "{}", signal: AbortSignal.timeout(2_000) })).arrayBuffer();
  return true;
}

/** Waits until a component is said to be `status`; how long that took, ms. */
export async function untilStatus(system: System, name: string, status: string, timeoutMs: number): Promise<number> {
  return eventually(async () => (await system.statusOf(name)) === status, timeoutMs, `${name} to be ${status}`);
}
