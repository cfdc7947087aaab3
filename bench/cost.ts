/**
 * `npm run bench:cost`: what clusters cost, in under eight minutes.
 *
 * Four deployments of 1, 10, 100 and 1,000 agents of 50 services each run side by side under `workerd serve`, each with a
 * Postgres of its own. Agents push over their sessions at the real pace for a minute, and a meter around the Worker
 * (workers/metered.js) counts what is billed. A fifth deployment flushes after 12 s instead of 300 s, because in a minute
 * of the others nothing is due: what one flush costs is measured there, how many there are is computed.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { putComponents } from "../dev/cli/edge.ts";
import type { Operator } from "../dev/cli/edge.ts";
import { makeSecrets } from "../dev/supervise/secrets.ts";
import { INTERVAL_MS, PUSHES_PER_MINUTE, SERVICES, startSimulatedAgent } from "./agent.ts";
import type { SimulatedAgent } from "./agent.ts";
import { startDatabase } from "./database.ts";
import { once, requestBytes } from "./load.ts";
import type { Line } from "./load.ts";
import { printCosts } from "./cost-report.ts";
import type { Counts, Measured } from "./cost-report.ts";
import { bundleWorker, EDGE_OBJECTS, edgeVariables, freePort, serve } from "./workerd.ts";

const SIZES = [1, 10, 100, 1_000] as const;
/** Agents of the deployment that flushes early, and how early. */
const FLUSHING = 10;
const FLUSH_EARLY_MS = 12_000;
const FLUSH_MS = 300_000;
const MINUTES = 1;
const COMPONENTS = 20;
/** Agents that enrol at the same time. */
const ENROLLING = 10;

interface Deployment {
  readonly operator: Operator;
  readonly port: number;
  readonly size: number;
  readonly flushMs: number;
}

interface Connected {
  readonly agent: SimulatedAgent;
  readonly line: Line;
}

async function main(): Promise<void> {
  const startedAt = performance.now();
  const directory = mkdtempSync(join(tmpdir(), "cost-"));
  const stops: (() => unknown)[] = [() => rmSync(directory, { recursive: true, force: true })];
  try {
    say("bundling the Worker, starting Postgres and workerd five times");
    const script = await bundleWorker(join(directory, "bundle"));
    const deployments: Deployment[] = [];
    for (const size of SIZES) deployments.push(await deploy(directory, script, size, FLUSH_MS, stops));
    deployments.push(await deploy(directory, script, FLUSHING, FLUSH_EARLY_MS, stops));
    const measured: Measured[] = [];
    const runs = deployments.map(async (deployment) => measured.push(await run(deployment, directory, stops)));
    await Promise.all(runs);
    const flushing = measured.find(({ flushMs }) => flushMs === FLUSH_EARLY_MS);
    const sizes = measured.filter((each) => each !== flushing).toSorted((a, b) => a.size - b.size);
    if (flushing === undefined || !printCosts(sizes, flushing)) process.exitCode = 1;
  } finally {
    for (const stop of stops.toReversed()) await stop();
  }
  console.log(`\n${((performance.now() - startedAt) / 1_000).toFixed(0)} s in all`);
}

async function deploy(
  directory: string,
  script: string,
  size: number,
  flushMs: number,
  stops: (() => unknown)[],
): Promise<Deployment> {
  const [database, port] = [await freePort(), await freePort()];
  stops.push(await startDatabase(database));
  const { EDGE_SIGNING_KEY, OPERATOR_KEY } = makeSecrets();
  const served = await serve(join(directory, `edge-${size}-${flushMs}`), [
    {
      name: "edge",
      script: fileURLToPath(new URL("workers/metered.js", import.meta.url)),
      modules: { "edge.js": script },
      objects: EDGE_OBJECTS,
      variables: edgeVariables({
        operatorKey: OPERATOR_KEY,
        signingKey: EDGE_SIGNING_KEY,
        databasePort: database,
        flushMs,
      }),
      ports: [port],
    },
  ]);
  stops.push(() => served.stop());
  return { operator: { url: `http://127.0.0.1:${port}`, key: OPERATOR_KEY }, port, size, flushMs };
}

/** Enrols the agents, lets them push once, and counts a minute of what follows. */
async function run(deployment: Deployment, directory: string, stops: (() => unknown)[]): Promise<Measured> {
  const { operator, port, size, flushMs } = deployment;
  const fleet = await enrolAll(deployment, join(directory, `agents-${size}-${flushMs}`));
  stops.push(() => fleet.forEach(({ line }) => line.close()));
  await putComponents(operator, components(fleet[0] as Connected));
  say(`${size} agents are enrolled (flush after ${flushMs / 1_000} s)`);
  const frames = fleet.map(({ agent }) => agent.frames((MINUTES + 1) * PUSHES_PER_MINUTE));
  // A minute first in which everything is told for the first time, and windows of each agent are under way.
  await pushAll(fleet, frames, 0);
  const before = await counts(port);
  const cron = repeat(() => once(port, requestBytes("POST", `127.0.0.1:${port}`, "/__scheduled")), MINUTES);
  const latencies = await pushAll(fleet, frames, PUSHES_PER_MINUTE);
  await cron;
  return { size, flushMs, minutes: MINUTES, before, after: await counts(port), latencies };
}

async function enrolAll(deployment: Deployment, directory: string): Promise<Connected[]> {
  const { operator, size } = deployment;
  const fleet: Connected[] = [];
  while (fleet.length < size) {
    const from = fleet.length;
    const some = Array.from({ length: Math.min(ENROLLING, size - from) }, async (_, i) => {
      const agent = await startSimulatedAgent(operator, `agent-${from + i}`, directory, from + i, Date.now());
      return { agent, line: await agent.openSession() };
    });
    fleet.push(...(await Promise.all(some)));
  }
  return fleet;
}

/** A minute of pushes from the frames `from` on, spread evenly over the interval. Round trips in ms. */
async function pushAll(
  fleet: readonly Connected[],
  frames: readonly (readonly Buffer[])[],
  from: number,
): Promise<number[]> {
  const startedAt = performance.now();
  const latencies: number[] = [];
  const agents = fleet.map(async ({ line, agent }, i) => {
    for (let turn = 0; turn < MINUTES * PUSHES_PER_MINUTE; turn++) {
      const dueAt = startedAt + (turn + i / fleet.length) * INTERVAL_MS;
      await sleep(Math.max(0, dueAt - performance.now()));
      const sentAt = performance.now();
      const answer = await line.exchange(frames[i]?.[from + turn] ?? Buffer.alloc(0));
      if (answer.status !== 200) throw new Error(`${agent.cluster}: ${answer.status} ${answer.body.toString()}`);
      latencies.push(performance.now() - sentAt);
    }
  });
  await Promise.all(agents);
  await sleep(Math.max(0, startedAt + MINUTES * PUSHES_PER_MINUTE * INTERVAL_MS - performance.now()));
  return latencies;
}

async function repeat(act: () => Promise<unknown>, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    await sleep(30_000);
    await act();
  }
}

async function counts(port: number): Promise<Counts> {
  const answer = await once(port, requestBytes("GET", `127.0.0.1:${port}`, "/__counts"));
  return JSON.parse(answer.body.toString()) as Counts;
}

function components({ agent }: Connected) {
  return Array.from({ length: COMPONENTS }, (_, i) => ({
    name: `Component ${i + 1}`,
    group: `Group ${1 + Math.floor(i / 5)}`,
    services: [`${agent.cluster}/${agent.services[i % SERVICES]}`],
  }));
}

function say(text: string): void {
  console.error(`cost: ${text}`);
}

await main();
