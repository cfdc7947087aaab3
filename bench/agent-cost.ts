/**
 * What one agent takes of the cluster that lets it in, as it ships: bundled, and run as its image runs it, with every
 * source and the detector on. First with a baseline of yesterday, of which it begins to learn the next one at its own
 * pace, which takes three quarters of an hour. Then an operator asks for that, which takes half a minute: the same week is
 * read, fitted, compared, written and taken up, only with shorter pauses, so that it takes no less memory.
 *
 * Alone: `npm run bench:agent`.
 */
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { retrain } from "../agent/baseline.ts";
import { prometheusGolden } from "../agent/source/golden.ts";
import { bundleAgent } from "../dev/bundle.ts";
import { listClusters, makeAdminLink, makeEnrollment, type Operator } from "../dev/cli/edge.ts";
import { makeSecrets } from "../dev/supervise/secrets.ts";
import { HOUR, MINUTE, SECOND } from "../protocol/time.ts";
import { AgentProcess } from "./agent-process.ts";
import { PODS_EACH, SCRAPE_MS, SERVICES, startCrowd, TOKEN, type Crowd } from "./crowd.ts";
import { startDatabase } from "./database.ts";
import { bundleWorker, EDGE_OBJECTS, edgeVariables, freePort, serve } from "./workerd.ts";

const CLUSTER = "crowd";
const BASELINE = "baseline.json";
const INTERVAL_MS = 10 * SECOND;
/** Not counted: what is read and compiled once. */
const WARM_UP_MS = MINUTE;
const MEASURED_MS = 90 * SECOND;
const RESIDENT_EVERY_MS = SECOND;
const FIRST_PUSH_TIMEOUT_MS = 60 * SECOND;
/** For a week to be read, learnt and taken up, or replayed. */
const ANSWER_TIMEOUT_MS = 5 * MINUTE;
/** Until what was left behind is collected or seen to grow. */
const AFTERWARDS_MS = 10 * SECOND;
const FLUSH_MS = 300_000;

/** What the issue asks for. */
const LIMITS = { residentMib: 128, coreRatio: 0.05, queriesACycle: 6, firstPushMs: 5 * SECOND } as const;

export interface AgentCost {
  /** The most since it started, MiB: of the first agent, and of one that learns a whole baseline and replays the week. */
  readonly peakMib: number;
  readonly learningMib: number;
  /** The median once it had warmed up, MiB. */
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
  try {
    const main = join(directory, "agent.mjs");
    await bundleAgent(main);
    const config = await configure(operator, directory, crowd);
    const usual = await measureUsual(operator, main, config, crowd);
    return { ...usual, learningMib: await measureLearning(operator, main, config, join(directory, "data")) };
  } finally {
    await crowd.stop();
  }
}

async function measureUsual(
  operator: Operator,
  main: string,
  config: string,
  crowd: Crowd,
): Promise<Omit<AgentCost, "learningMib">> {
  const startedAt = performance.now();
  const agent = new AgentProcess(main, config);
  try {
    await agent.says(['"pushes are accepted"'], FIRST_PUSH_TIMEOUT_MS);
    const firstPushMs = performance.now() - startedAt;
    await checkHeard(operator);
    await sleep(startedAt + WARM_UP_MS - performance.now());
    return { ...(await watch(agent, crowd)), firstPushMs };
  } finally {
    await agent.stop();
  }
}

/** The most that it took until it had learnt a baseline, used it, and replayed the week by it, MiB. */
async function measureLearning(operator: Operator, main: string, config: string, dataDir: string): Promise<number> {
  // What is new it does not learn by itself: it would put off whoever asks.
  utimesSync(join(dataDir, BASELINE), new Date(), new Date());
  const agent = new AgentProcess(main, config);
  try {
    await agent.says(["baseline 1 is in use"], FIRST_PUSH_TIMEOUT_MS);
    const ask = await askedBy(operator);
    await ask("retrain", {});
    await agent.says(['"the detector answers the edge"', '"retrain"', "baseline 2 is in use"], ANSWER_TIMEOUT_MS);
    await agent.says([`"baseline 2 is in use for ${SERVICES} services"`], ANSWER_TIMEOUT_MS);
    await sleep(AFTERWARDS_MS);
    await ask("preview", { threshold: "0.9" });
    await agent.says(['"the detector answers the edge"', '"preview"', "replayed from"], ANSWER_TIMEOUT_MS);
    await sleep(AFTERWARDS_MS);
    return agent.mib("VmHWM");
  } finally {
    await agent.stop();
  }
}

/** Asks the detector in the admin, as an operator does. */
async function askedBy(
  operator: Operator,
): Promise<(act: string, form: Readonly<Record<string, string>>) => Promise<void>> {
  const post = (path: string, form: Readonly<Record<string, string>>, cookie: string): Promise<Response> => {
    const headers = { cookie, origin: operator.url };
    return fetch(operator.url + path, { method: "POST", redirect: "manual", headers, body: new URLSearchParams(form) });
  };
  const token = new URL((await makeAdminLink(operator)).url).searchParams.get("token") ?? "";
  const signedIn = await post("/admin/sign-in", { token }, "");
  const cookie = signedIn.headers.get("set-cookie")?.split(";")[0] ?? "";
  return async (act, form) => {
    const giveUpAt = performance.now() + FIRST_PUSH_TIMEOUT_MS;
    for (;;) {
      const { status } = await post(`/admin/clusters/${CLUSTER}/anomalies/${act}`, form, cookie);
      if (status === 303) return;
      // The edge may not have heard yet that the agent looks, or how it answered what was asked before.
      if (status !== 409 || performance.now() > giveUpAt) throw new Error(`${act} got HTTP ${status}`);
      await sleep(SECOND);
    }
  };
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
  utimesSync(join(dataDir, BASELINE), now / SECOND, now / SECOND);
  const { code, edgeKeys } = await makeEnrollment(operator, CLUSTER, false);
  const file = join(directory, "agent.yaml");
  writeFileSync(join(directory, "token"), TOKEN);
  const configuration = {
    edge: operator.url,
    cluster: CLUSTER,
    enroll: { code },
    dataDir: "data",
    interval: `${INTERVAL_MS / SECOND}s`,
    leases: { edgeKeys },
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

async function checkHeard(operator: Operator): Promise<void> {
  const heard = (await listClusters(operator)).find(({ name }) => name === CLUSTER)?.services ?? 0;
  if (heard !== SERVICES) throw new Error(`the first push told of ${heard} services`);
}

async function watch(agent: AgentProcess, crowd: Crowd): Promise<Omit<AgentCost, "firstPushMs" | "learningMib">> {
  const [before, secondsBefore, from] = [crowd.asked().queries, agent.coreSeconds(), performance.now()];
  const resident: number[] = [];
  while (performance.now() - from < MEASURED_MS) {
    await sleep(RESIDENT_EVERY_MS);
    agent.checkRuns();
    resident.push(agent.mib("VmRSS"));
  }
  const lastedMs = performance.now() - from;
  return {
    peakMib: agent.mib("VmHWM"),
    steadyMib: resident.toSorted((a, b) => a - b)[Math.floor(resident.length / 2)] ?? Number.NaN,
    coreRatio: (agent.coreSeconds() - secondsBefore) / (lastedMs / SECOND),
    queriesACycle: ((crowd.asked().queries - before) * INTERVAL_MS) / lastedMs,
  };
}

/** Whether all of it is within what the issue asks for. */
export function printAgentCost(cost: AgentCost): boolean {
  const row = (name: string, measured: string, isWithin: boolean, limit: string): boolean => {
    console.log(`${name.padEnd(46)}${measured.padStart(10)}  ${isWithin ? "reaches" : "MISSES"} at most ${limit}`);
    return isWithin;
  };
  const { residentMib, coreRatio, queriesACycle, firstPushMs } = LIMITS;
  const resident = (name: string, mib: number): boolean =>
    row(name, `${mib.toFixed(0)} MiB`, mib <= residentMib, `${residentMib} MiB`);
  const percent = (ratio: number): string => `${(100 * ratio).toFixed(1)} %`;
  const seconds = (ms: number): string => `${(ms / SECOND).toFixed(1)} s`;
  console.log(
    `\nOne agent, ${SERVICES} services, ${(SERVICES * PODS_EACH).toLocaleString("en")} pods, every ${INTERVAL_MS / SECOND} s.`,
  );
  return [
    resident("resident at the most", cost.peakMib),
    resident("resident at the most, learning and replaying", cost.learningMib),
    resident("resident when warm", cost.steadyMib),
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
