/**
 * `npm start`: the whole of Observatory Edge on a laptop, on 127.0.0.1 alone.
 *
 *   database ─┐                               (embedded Postgres behind Neon's HTTP protocol)
 *   page files ─▶ edge ─▶ components, enrolment ─▶ agent ─▶ first push accepted ─▶ "ready"
 *   demo mesh ─────────────────────────────────────▲
 *
 * Every part is a process group of its own that is started again when it dies. Everything it keeps is in `.data/`.
 */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { promisify } from "node:util";
import {
  listClusters,
  makeAdminLink,
  makeEnrollment,
  putComponents,
  reasonOf,
  Refusal,
  type Operator,
} from "./cli/edge.ts";
import { DEMO_CLUSTER, demoAgentConfig, demoComponents, KUBERNETES_TOKEN_FILE } from "./demo.ts";
import { keepRunning, type Child, type ChildSpec, type Health } from "./supervise/child.ts";
import { startCron } from "./supervise/cron.ts";
import { startGuard } from "./supervise/guard.ts";
import {
  choosePorts,
  dataDir,
  isRunning,
  portIsFree,
  readRun,
  ROOT,
  writeRun,
  type Ports,
  type Run,
} from "./supervise/run-file.ts";
import { edgePublicKey, envFile, keepEnv, type EdgeSecrets } from "./supervise/secrets.ts";

const PORT_DEFAULT = 8_787;
/** How long one step of the start may take, ms: a laptop on battery, its disk cold. */
const STEP_TIMEOUT_MS = 120_000;
const POLL_MS = 250;
const HEALTH_TIMEOUT_MS = 4_000;
const PARENT_CHECK_MS = 1_000;

/** All that a start knows before anything runs. */
interface Plan {
  readonly directory: string;
  readonly url: string;
  readonly ports: Ports;
  readonly secrets: EdgeSecrets;
  readonly databaseUrl: string | null;
  readonly demo: boolean;
}

interface Stage {
  /** False once `stop` was called. */
  readonly open: boolean;
  keep(spec: Omit<ChildSpec, "cwd" | "env" | "logFile"> & { env?: NodeJS.ProcessEnv }): Child;
  stop(): Promise<void>;
}

const startedAt = Date.now();

async function main(): Promise<void> {
  const plan = await makePlan();
  const stage = openStage(plan);
  stopWithUs(stage);
  say(`Observatory Edge starts; all it keeps is in ${relative(process.cwd(), plan.directory) || "."}/`);
  try {
    await raise(plan, stage);
  } catch (error) {
    // What fails because everything is being stopped is no news.
    if (!stage.open) return;
    complain(error);
    await stage.stop();
    process.exit(1);
  }
}

/** Starts the parts in the order in which they need each other, and says `ready`. */
async function raise(plan: Plan, stage: Stage): Promise<void> {
  const database = stage.keep({
    name: "database",
    command: [process.execPath, "dev/database/main.ts", ...databaseArguments(plan)],
    // Not as an argument: it holds a password, and arguments are everybody's to read.
    ...(plan.databaseUrl === null ? {} : { env: { DATABASE_URL: plan.databaseUrl } }),
    readyLine: /^ready /m,
    health: null,
  });
  const mesh = plan.demo ? startMeshChild(plan, stage) : null;
  await Promise.all([step("database", database.ready, database.logFile), step("page files", buildPageFiles())]);
  const edge = stage.keep({
    name: "edge",
    command: [process.execPath, "node_modules/wrangler/bin/wrangler.js", ...edgeArguments(plan)],
    env: { WRANGLER_SEND_METRICS: "false", CLOUDFLARE_CF_FETCH_ENABLED: "false", NO_COLOR: "1", CI: "1" },
    readyLine: null,
    health: () => probe(`${plan.url}/health`),
  });
  await step("edge", edge.ready, edge.logFile);
  startCron(plan.url);
  const operator: Operator = { url: plan.url, key: plan.secrets.OPERATOR_KEY };
  if (mesh !== null) {
    await step("demo mesh", mesh.ready, mesh.logFile);
    await step("agent", startAgent(plan, stage, operator), logFileOf(plan, "agent"));
  }
  const link = await makeAdminLink(operator);
  say("");
  say(`Status page  ${plan.url}/`);
  say(`Admin        ${link.url}`);
  say(`             works once, until ${link.expiresAt.toISOString()}; npm run -s admin-link makes another`);
  say("ready");
}

async function makePlan(): Promise<Plan> {
  const port = Number(process.env["PORT"] ?? PORT_DEFAULT);
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw new Refusal(`PORT is "${process.env["PORT"]}": it must be 1 to 65535`);
  const directory = dataDir();
  const before = readRun(directory);
  if (isRunning(before))
    throw new Refusal(`Observatory Edge already runs at ${before.url} (pid ${before.pid}): stop it first`);
  if (!(await portIsFree(port))) {
    throw new Refusal(
      `port ${port} of 127.0.0.1 is used by another program: choose another, for example PORT=${port + 1} npm start`,
    );
  }
  const ports = await choosePorts(port, before?.ports ?? null);
  const url = `http://127.0.0.1:${port}`;
  const secrets = keepEnv(directory, {
    // Only its form matters here: the driver is led to the local endpoint.
    DATABASE_URL: "postgresql://observatory:observatory@localhost/observatory",
    NEON_FETCH_ENDPOINT: `http://127.0.0.1:${ports.database}/sql`,
    // Nobody is billed here, and whoever tries it out wants to see history grow.
    FLUSH_INTERVAL_MS: "15000",
    // The demo's public address is on this machine.
    PROBE_LOOPBACK: "1",
  });
  const databaseUrl = process.env["DATABASE_URL"] ?? null;
  return { directory, url, ports, secrets, databaseUrl, demo: process.env["DEMO"] !== "0" };
}

/** Where children live: their logs, `run.json`, and the guard that ends them if this process is killed. */
function openStage(plan: Plan): Stage {
  const children: Child[] = [];
  const guard = startGuard();
  const run: Run = { pid: process.pid, url: plan.url, ports: plan.ports, children: {} };
  writeRun(plan.directory, run);
  const moved = (name: string, pid: number | null): void => {
    if (pid === null) delete run.children[name];
    else run.children[name] = pid;
    guard.watch(Object.values(run.children));
    writeRun(plan.directory, run);
  };
  let open = true;
  return {
    get open() {
      return open;
    },
    keep(spec) {
      if (!open) throw new Refusal("stopping");
      const env = { ...childEnvironment(), ...spec.env };
      const child = keepRunning({ ...spec, cwd: ROOT, env, logFile: logFileOf(plan, spec.name) }, { say, moved });
      children.push(child);
      return child;
    },
    async stop() {
      open = false;
      // Last started, first stopped: the agent ends while its edge still answers.
      for (const child of children.toReversed()) await child.stop();
      writeRun(plan.directory, { ...run, pid: null, children: {} });
    },
  };
}

function logFileOf(plan: Plan, name: string): string {
  return relative(ROOT, join(plan.directory, "logs", `${name}.log`));
}

/** Our own settings stay ours: a PORT or DATABASE_URL meant for us must not steer a child. */
function childEnvironment(): NodeJS.ProcessEnv {
  const { PORT: _port, DATABASE_URL: _url, DEMO: _demo, ...rest } = process.env;
  return rest;
}

function databaseArguments(plan: Plan): string[] {
  return ["--data", join(plan.directory, "postgres"), "--port", String(plan.ports.database)];
}

function edgeArguments(plan: Plan): string[] {
  const address = ["--ip", "127.0.0.1", "--port", String(plan.ports.edge), "--inspector-port", "0"];
  const state = ["--persist-to", join(plan.directory, "edge"), "--env-file", envFile(plan.directory)];
  return ["dev", ...address, ...state, "--show-interactive-dev-session=false", "--log-level", "warn"];
}

function startMeshChild(plan: Plan, stage: Stage): Child {
  const { control, kubernetes, ledger, door } = plan.ports;
  const tokenFile = join(plan.directory, KUBERNETES_TOKEN_FILE);
  writeFileSync(tokenFile, randomBytes(24).toString("base64url"), { mode: 0o600 });
  const ports = [
    "--control",
    String(control),
    "--kubernetes",
    String(kubernetes),
    "--ledger",
    String(ledger),
    "--door",
    String(door),
  ];
  return stage.keep({
    name: "mesh",
    command: [
      process.execPath,
      "dev/mesh/main.ts",
      ...ports,
      "--state",
      join(plan.directory, "mesh.json"),
      "--token-file",
      tokenFile,
    ],
    readyLine: /^ready$/m,
    health: null,
  });
}

/** Publishes the demo's components, lets its agent join once, and waits until a push of it was taken. */
async function startAgent(plan: Plan, stage: Stage, operator: Operator): Promise<void> {
  await putComponents(operator, demoComponents(plan.ports));
  const configFile = join(plan.directory, "agent.yaml");
  const code = (await hasJoined(plan, operator)) ? null : (await makeEnrollment(operator, DEMO_CLUSTER, false)).code;
  const edgeKey = edgePublicKey(plan.secrets.EDGE_SIGNING_KEY);
  const config = demoAgentConfig({ edgeUrl: plan.url, ports: plan.ports, edgeKey, code, dataDir: "./agent" });
  writeFileSync(configFile, config, { mode: 0o600 });
  const agent = stage.keep({
    name: "agent",
    command: [process.execPath, "agent/main.ts", "--config", configFile],
    readyLine: null,
    health: null,
  });
  const accepted = until(async () => {
    const cluster = (await listClusters(operator)).find((one) => one.name === DEMO_CLUSTER);
    return (
      cluster?.heardAt !== undefined &&
      cluster.heardAt !== null &&
      new Date(cluster.heardAt).getTime() >= startedAt &&
      cluster.services > 0
    );
  });
  // `ready` of the agent never comes by itself; it only fails, when the agent cannot start.
  await Promise.race([accepted, agent.ready]);
  agent.confirm();
}

/** Both ends must know the key: an edge that was reset needs a new one, and so does an agent that lost its own. */
async function hasJoined(plan: Plan, operator: Operator): Promise<boolean> {
  if (!existsSync(join(plan.directory, "agent", "agent.json"))) return false;
  return (await listClusters(operator)).some((cluster) => cluster.name === DEMO_CLUSTER);
}

async function buildPageFiles(): Promise<void> {
  try {
    await promisify(execFile)(process.execPath, ["web/build.ts"], { cwd: ROOT, env: childEnvironment() });
  } catch (error) {
    const stderr = error instanceof Error && "stderr" in error ? String(error.stderr).trim() : reasonOf(error);
    throw new Refusal(`the page's files could not be built (node web/build.ts): ${stderr}`);
  }
}

async function probe(url: string): Promise<Health> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(HEALTH_TIMEOUT_MS) });
    await response.arrayBuffer();
    return response.ok ? "good" : "alive";
  } catch (error) {
    return reasonOf(error) === "ECONNREFUSED" ? "refused" : "silent";
  }
}

/** Asks again until the answer is yes. A refusal meanwhile is no answer: the edge may be starting again. */
async function until(question: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + STEP_TIMEOUT_MS;
  while (Date.now() < deadline) {
    if (await question().catch(() => false)) return;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Refusal("the edge took no push of the demo's agent in time");
}

/** Waits for one part and says how long it took; too long is a failure that names the log. */
async function step(name: string, work: Promise<void>, logFile?: string): Promise<void> {
  const since = Date.now();
  const { promise: late, reject } = Promise.withResolvers<never>();
  const where = logFile === undefined ? "" : `; see ${logFile}`;
  const timer = setTimeout(
    () => reject(new Refusal(`${name} was not ready in ${STEP_TIMEOUT_MS / 1_000} s${where}`)),
    STEP_TIMEOUT_MS,
  );
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
  say(`  ${name.padEnd(11)}${((Date.now() - since) / 1_000).toFixed(1)} s`);
}

function stopWithUs(stage: Stage): void {
  let stopping = false;
  const stop = (why: string, exitCode: number): void => {
    if (stopping) return;
    stopping = true;
    say(`stopping (${why})`);
    void stage.stop().finally(() => process.exit(exitCode));
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => stop(signal, 0));
  process.on("uncaughtException", (error) => {
    complain(error);
    stop("a fault of its own", 1);
  });
  // npm does not always pass a signal on, and cannot when it is killed: then we are somebody else's child.
  const started = ancestors();
  if (process.env["npm_lifecycle_event"] === "start") {
    setInterval(() => {
      if (ancestors() !== started) stop("npm is gone", 0);
    }, PARENT_CHECK_MS).unref();
  }
}

/** Who started us. Between npm and us stands a shell that outlives npm, so its parent counts too where it can be read. */
function ancestors(): string {
  const { ppid } = process;
  try {
    return `${ppid} ${/^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${ppid}/status`, "utf8"))?.[1] ?? ""}`;
  } catch {
    return process.platform === "linux" ? "gone" : `${ppid}`;
  }
}

function say(text: string): void {
  console.log(text);
}

function complain(error: unknown): void {
  if (error instanceof Refusal || (error instanceof Error && error.message.includes("; see ")))
    console.error(error.message);
  else console.error(error);
}

try {
  await main();
} catch (error) {
  complain(error);
  process.exit(1);
}
