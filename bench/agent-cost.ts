/**
 * What one agent takes of the cluster that lets it in, as it ships: bundled, and run as its image runs it, with every
 * source and the detector on, and with a baseline of yesterday, which it learns anew meanwhile.
 *
 * Alone: `npm run bench:agent`.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { retrain } from "../agent/baseline.ts";
import { prometheusGolden } from "../agent/source/golden.ts";
import { bundleAgent, imageSettings } from "../dev/bundle.ts";
import { listClusters, makeEnrollment, type Operator } from "../dev/cli/edge.ts";
import { makeSecrets } from "../dev/supervise/secrets.ts";
import { HOUR, MINUTE, SECOND } from "../protocol/time.ts";
import { PODS_EACH, SCRAPE_MS, SERVICES, startCrowd, TOKEN, type Crowd } from "./crowd.ts";
import { startDatabase } from "./database.ts";
import { bundleWorker, EDGE_OBJECTS, edgeVariables, freePort, serve } from "./workerd.ts";

const CLUSTER = "crowd";
const INTERVAL_MS = 10 * SECOND;
/** Not counted: what is read and compiled once. */
const WARM_UP_MS = MINUTE;
const MEASURED_MS = 90 * SECOND;
const RESIDENT_EVERY_MS = SECOND;
const FIRST_PUSH_TIMEOUT_MS = 60 * SECOND;
const FLUSH_MS = 300_000;
/** Linux tells times of processes in these, whatever its own clock (proc(5)). */
const TICKS_PER_S = 100;

/** What the issue asks for. */
const LIMITS = { residentMib: 128, coreRatio: 0.05, queriesACycle: 6, firstPushMs: 5 * SECOND } as const;

export interface AgentCost {
  /** The most since it started, and the median once it had warmed up, MiB. */
  readonly peakMib: number;
  readonly steadyMib: number;
  /** Of one core. */
  readonly coreRatio: number;
  /** Asked of Prometheus, as it counted them. */
  readonly queriesACycle: number;
  /** From the start of the process, which also enrols, until the edge has taken in what it read first. */
  readonly firstPushMs: number;
}

/** @param directory a new one */
export async function measureAgent(operator: Operator, directory: string): Promise<AgentCost> {
  mkdirSync(directory, { recursive: true });
  const crowd = await startCrowd(directory);
  let agent: ChildProcess | null = null;
  const killAtExit = (): void => void agent?.kill("SIGKILL");
  process.once("exit", killAtExit);
  try {
    const main = join(directory, "agent.mjs");
    await bundleAgent(main);
    const config = await configure(operator, directory, crowd);
    const startedAt = performance.now();
    const { options, env } = imageSettings();
    agent = spawn(process.execPath, [...options, main, "--config", config], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, ...env },
    });
    await untilAccepted(agent);
    const firstPushMs = performance.now() - startedAt;
    await checkHeard(operator);
    await sleep(startedAt + WARM_UP_MS - performance.now());
    return { ...(await watch(agent, crowd)), firstPushMs };
  } finally {
    killAtExit();
    process.off("exit", killAtExit);
    await crowd.stop();
  }
}

/** Writes what the agent finds at its start; the path of its configuration. */
async function configure(operator: Operator, directory: string, crowd: Crowd): Promise<string> {
  const dataDir = join(directory, "data");
  mkdirSync(dataDir);
  const prometheus = { url: crowd.prometheusUrl, scrapeInterval: SCRAPE_MS, reporter: "destination" } as const;
  const now = Date.now() - 25 * HOUR;
  const golden = prometheusGolden(prometheus);
  const learnt = await retrain({ golden, dataDir, now, leftOut: [], progress: () => {} });
  if (!learnt.ok || learnt.value.services < SERVICES)
    throw new Error(`no baseline of ${SERVICES}: ${JSON.stringify(learnt)}`);
  // In use since yesterday, it is learnt anew.
  utimesSync(join(dataDir, "baseline.json"), now / SECOND, now / SECOND);
  const { code } = await makeEnrollment(operator, CLUSTER, false);
  const file = join(directory, "agent.yaml");
  writeFileSync(join(directory, "token"), TOKEN);
  const configuration = {
    edge: operator.url,
    cluster: CLUSTER,
    enroll: { code },
    dataDir: "data",
    interval: `${INTERVAL_MS / SECOND}s`,
    health: { listen: `127.0.0.1:${await freePort()}` },
    sources: {
      prometheus: { ...prometheus, scrapeInterval: `${SCRAPE_MS / SECOND}s` },
      kubernetes: { url: crowd.kubernetesUrl, tokenFile: "token", namespaces: crowd.namespaces },
      certificates: { endpoints: crowd.endpoints },
    },
  };
  // JSON is YAML.
  writeFileSync(file, JSON.stringify(configuration));
  return file;
}

/** The agent's log says so, once the edge has answered a push that had readings. */
async function untilAccepted(agent: ChildProcess): Promise<void> {
  if (agent.stdout === null) throw new Error("the agent has no log");
  const { stdout } = agent;
  const timer = setTimeout(() => agent.kill("SIGKILL"), FIRST_PUSH_TIMEOUT_MS);
  try {
    for await (const line of createInterface({ input: stdout })) {
      if (line.includes('"pushes are accepted"')) return;
    }
    throw new Error(`no push was accepted within ${FIRST_PUSH_TIMEOUT_MS / SECOND} s`);
  } finally {
    clearTimeout(timer);
    stdout.resume();
  }
}

async function checkHeard(operator: Operator): Promise<void> {
  const heard = (await listClusters(operator)).find(({ name }) => name === CLUSTER)?.services ?? 0;
  if (heard !== SERVICES) throw new Error(`the first push told of ${heard} services`);
}

async function watch(agent: ChildProcess, crowd: Crowd): Promise<Omit<AgentCost, "firstPushMs">> {
  const pid = agent.pid ?? 0;
  const [before, ticksBefore, from] = [crowd.asked().queries, ticksOf(pid), performance.now()];
  const resident: number[] = [];
  while (performance.now() - from < MEASURED_MS) {
    await sleep(RESIDENT_EVERY_MS);
    if (agent.exitCode !== null) throw new Error(`the agent ended with ${agent.exitCode}`);
    resident.push(mibOf(pid, "VmRSS"));
  }
  const lastedMs = performance.now() - from;
  return {
    peakMib: mibOf(pid, "VmHWM"),
    steadyMib: resident.toSorted((a, b) => a - b)[Math.floor(resident.length / 2)] ?? Number.NaN,
    coreRatio: (ticksOf(pid) - ticksBefore) / TICKS_PER_S / (lastedMs / SECOND),
    queriesACycle: ((crowd.asked().queries - before) * INTERVAL_MS) / lastedMs,
  };
}

function mibOf(pid: number, field: "VmRSS" | "VmHWM"): number {
  const [, kib = "NaN"] =
    new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kib) / 1_024;
}

/** Processor time of all its threads, user and system. The name, which may hold anything, ends with a bracket. */
function ticksOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

/** Whether all of it is within what the issue asks for. */
export function printAgentCost(cost: AgentCost): boolean {
  const row = (name: string, measured: string, isWithin: boolean, limit: string): boolean => {
    console.log(`${name.padEnd(46)}${measured.padStart(10)}  ${isWithin ? "reaches" : "MISSES"} at most ${limit}`);
    return isWithin;
  };
  const { residentMib, coreRatio, queriesACycle, firstPushMs } = LIMITS;
  const percent = (ratio: number): string => `${(100 * ratio).toFixed(1)} %`;
  const seconds = (ms: number): string => `${(ms / SECOND).toFixed(1)} s`;
  console.log(
    `\nOne agent, ${SERVICES} services, ${(SERVICES * PODS_EACH).toLocaleString("en")} pods, every ${INTERVAL_MS / SECOND} s.`,
  );
  return [
    row("resident at the most", `${cost.peakMib.toFixed(0)} MiB`, cost.peakMib <= residentMib, `${residentMib} MiB`),
    row("resident when warm", `${cost.steadyMib.toFixed(0)} MiB`, cost.steadyMib <= residentMib, `${residentMib} MiB`),
    row("of one core, when warm", percent(cost.coreRatio), cost.coreRatio <= coreRatio, percent(coreRatio)),
    row(
      "queries of Prometheus a cycle",
      cost.queriesACycle.toFixed(1),
      cost.queriesACycle <= queriesACycle,
      String(queriesACycle),
    ),
    row(
      "from its start to its first push",
      seconds(cost.firstPushMs),
      cost.firstPushMs <= firstPushMs,
      seconds(firstPushMs),
    ),
  ].every(Boolean);
}

async function main(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "agent-cost-"));
  const stops: (() => unknown)[] = [() => rmSync(directory, { recursive: true, force: true })];
  try {
    const [database, port] = [await freePort(), await freePort()];
    stops.push(await startDatabase(database));
    const { EDGE_SIGNING_KEY: signingKey, OPERATOR_KEY: key } = makeSecrets();
    const variables = edgeVariables({ operatorKey: key, signingKey, databasePort: database, flushMs: FLUSH_MS });
    const script = await bundleWorker(join(directory, "bundle"));
    const worker = { name: "edge", script, objects: EDGE_OBJECTS, variables, ports: [port] };
    const served = await serve(join(directory, "edge"), [worker]);
    stops.push(() => served.stop());
    const cost = await measureAgent({ url: `http://127.0.0.1:${port}`, key }, join(directory, "agent"));
    if (!printAgentCost(cost)) process.exitCode = 1;
  } finally {
    for (const stop of stops.toReversed()) await stop();
  }
}

if (import.meta.main) await main();
