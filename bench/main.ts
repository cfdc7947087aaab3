/**
 * `npm run bench`: the numbers, in under seven minutes, on 127.0.0.1.
 *
 * The bundled Worker runs under `workerd serve`, and each number stands beside a baseline that was measured in the same
 * rounds, turn by turn: a ratio survives a slow or busy machine, a rate does not. Medians of the rounds are printed.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { putComponents } from "../dev/cli/edge.ts";
import type { Operator } from "../dev/cli/edge.ts";
import { makeSecrets } from "../dev/supervise/secrets.ts";
import { measureAgent, printAgentCost } from "./agent-cost.ts";
import { PUSHES_PER_MINUTE, SERVICES, startSimulatedAgent } from "./agent.ts";
import type { SimulatedAgent } from "./agent.ts";
import { load, once, play, requestBytes } from "./load.ts";
import type { Line, LoadResult, Step } from "./load.ts";
import { startDatabase } from "./database.ts";
import { agentMemory } from "./memory.ts";
import { bundleWorker, EDGE_OBJECTS, edgeVariables, freePort, serve } from "./workerd.ts";
import type { WorkerSpec } from "./workerd.ts";

const ROUNDS = 5;
/** Agents that push at the same time, each waiting for its receipt. */
const CLUSTERS = 8;
const PUSHES_PER_ROUND = 120;
/** The two sizes of a fleet that are compared, with as many pushes under way. */
const FEW = 20;
const MANY = 1_000;
const UNDER_WAY = 20;
/** They take turns so often: all within the 30 s after which each tells the Board again. */
const FLEET_TURNS = 6;
/** The Board has taken in what a fleet told it within this. */
const TOLD_MS = 1_000;
const PAGE_CONNECTIONS = 16;
/** Requests a connection and round. */
const PAGES_CACHED = 250;
const PAGES_UNCACHED = 60;
const COMPONENTS = 20;
const COST_MINUTES = 10;
const AGENT_RUN_MS = 25_000;
/** As in production: no round lasts that long. */
const FLUSH_MS = 300_000;
/** No further round begins after this, so that a busy machine gets fewer rounds and not a longer bench. */
const ROUNDS_MS_MAX = 100_000;

type Measure = "insert" | "push" | "session" | "few" | "many" | "static" | "cached" | "row" | "uncached";
type Results = Readonly<Record<Measure, LoadResult[]>>;

/** What of the object's `Costs` is a written row on the bill. */
interface Costs {
  readonly rowsWritten: number;
  readonly alarmsSet: number;
}

/** An agent with its session open. */
interface Connected {
  readonly agent: SimulatedAgent;
  readonly line: Line;
}

interface Ports {
  readonly database: number;
  readonly edge: number;
  /** The edge once more, where nothing is fresh: each answer asks the Board, and what has a new version is rendered. */
  readonly uncached: number;
  readonly insert: number;
  readonly page: number;
  readonly row: number;
}

async function main(): Promise<void> {
  const startedAt = performance.now();
  const directory = mkdtempSync(join(tmpdir(), "bench-"));
  const stops: (() => unknown)[] = [() => rmSync(directory, { recursive: true, force: true })];
  try {
    await bench(directory, stops);
  } finally {
    for (const stop of stops.toReversed()) await stop();
  }
  console.log(`\n${((performance.now() - startedAt) / 1_000).toFixed(0)} s in all`);
}

async function bench(directory: string, stops: (() => unknown)[]): Promise<void> {
  const [database, edge, uncached, insert, page, row] = await Promise.all([1, 2, 3, 4, 5, 6].map(freePort));
  const ports = { database, edge, uncached, insert, page, row } as Ports;
  const operator: Operator = { url: `http://127.0.0.1:${ports.edge}`, key: makeSecrets().OPERATOR_KEY };

  say("bundling the Worker, starting Postgres and workerd");
  stops.push(await startDatabase(ports.database));
  const script = await bundleWorker(join(directory, "bundle"));
  const served = await serve(join(directory, "edge"), edgeWorkers(script, ports, operator.key));
  stops.push(() => served.stop());

  say(`enrolling ${CLUSTERS} agents of ${SERVICES} services, publishing ${COMPONENTS} components`);
  const agents = await Promise.all(
    Array.from({ length: CLUSTERS }, (_, i) =>
      startSimulatedAgent(operator, `bench-${i}`, join(directory, "agents"), i),
    ),
  );
  await load(
    ports.edge,
    agents.map((agent) => agent.posts(PUSHES_PER_MINUTE)),
  );
  await putComponents(operator, components(agents));
  const html = (await once(ports.uncached, pageRequest(ports.uncached))).body;
  writeFileSync(join(directory, "page.html"), html);
  const baselines = await serve(join(directory, "baselines"), baselineWorkers(join(directory, "page.html"), ports));
  stops.push(() => baselines.stop());

  say(`enrolling ${FEW + MANY} agents more, opening their sessions`);
  const fleet = await startFleet(operator, join(directory, "agents"));
  const connected = await connectAll(agents);
  stops.push(() => [...fleet, ...connected].forEach(({ line }) => line.close()));
  const results = emptyResults();
  // What is measured is a Worker that has run for a while: its code is compiled by then.
  say("warming up");
  await runRound(connected, ports, emptyResults());
  const roundsFrom = performance.now();
  for (let round = 1; round <= ROUNDS && performance.now() - roundsFrom < ROUNDS_MS_MAX; round++) {
    say(`round ${round} of ${ROUNDS}`);
    await runRound(connected, ports, results);
  }
  say(`comparing ${FEW} agents with ${MANY}`);
  const [few, many] = await compareFleets(fleet.slice(0, FEW), fleet.slice(FEW));
  results.few.push(...few);
  results.many.push(...many);
  printRates(results);
  const cost = await rowsPerMinute(
    await startSimulatedAgent(operator, "bench-cost", join(directory, "agents")),
    ports,
    operator,
  );
  const memory = await agentMemory(operator, join(directory, "agent"), AGENT_RUN_MS);
  printSizes(agents[0] as SimulatedAgent, html, cost, memory);
  // It is measured on a quiet machine.
  [...fleet, ...connected].forEach(({ line }) => line.close());
  say("one agent with a large cluster");
  if (!printAgentCost(await measureAgent(operator, join(directory, "crowd")))) process.exitCode = 1;
}

function emptyResults(): Results {
  return { insert: [], push: [], session: [], few: [], many: [], static: [], cached: [], row: [], uncached: [] };
}

async function connectAll(agents: readonly SimulatedAgent[]): Promise<Connected[]> {
  return Promise.all(agents.map(async (agent) => ({ agent, line: await agent.openSession() })));
}

async function startFleet(operator: Operator, directory: string): Promise<readonly Connected[]> {
  const fleet: Connected[] = [];
  while (fleet.length < FEW + MANY) {
    const start = (i: number): Promise<SimulatedAgent> =>
      startSimulatedAgent(operator, `fleet-${fleet.length + i}`, directory, fleet.length + i);
    fleet.push(...(await connectAll(await Promise.all(Array.from({ length: UNDER_WAY }, (_, i) => start(i))))));
  }
  return fleet;
}

/**
 * As many pushes of each fleet, `UNDER_WAY` at a time, turn by turn: each of the many pushes once a turn.
 *
 * All have pushed for a pretended minute before, which is not counted. That wakes the objects, which stay awake as long
 * as it goes on, opens their files for writing, and has them tell the Board, which they do by the clock and not by
 * pushes: played faster than life, a large fleet would tell with each push. What the Board costs is in `bench/cost.ts`.
 */
async function compareFleets(
  few: readonly Connected[],
  many: readonly Connected[],
): Promise<readonly [LoadResult[], LoadResult[]]> {
  const warmUp = queuesOf([...few, ...many], PUSHES_PER_MINUTE);
  const share = many.length / few.length;
  const turns = Array.from({ length: FLEET_TURNS }, () => [queuesOf(few, share), queuesOf(many, 1)] as const);
  await play(warmUp);
  await sleep(TOLD_MS);
  const results: [LoadResult[], LoadResult[]] = [[], []];
  for (const fleets of turns) {
    for (const [i, queues] of fleets.entries()) results[i]?.push(await play(queues));
  }
  return results;
}

/** The next pushes of a fleet, dealt to `UNDER_WAY` queues in which agents take turns. */
function queuesOf(fleet: readonly Connected[], pushes: number): readonly (readonly Step[])[] {
  const frames = fleet.map(({ agent }) => agent.frames(pushes));
  return Array.from({ length: UNDER_WAY }, (_, queue) =>
    Array.from({ length: pushes }, (__, turn) =>
      fleet.flatMap(({ line }, i) => {
        const bytes = i % UNDER_WAY === queue ? frames[i]?.[turn] : undefined;
        return bytes === undefined ? [] : [{ line, bytes }];
      }),
    ).flat(),
  );
}

/** Each measure once, baselines first. Requests are made before the clock starts. */
async function runRound(connected: readonly Connected[], ports: Ports, results: Results): Promise<void> {
  const posts = connected.map(({ agent }) => agent.posts(PUSHES_PER_ROUND));
  results.insert.push(await load(ports.insert, posts));
  results.push.push(await load(ports.edge, posts));
  const steps = connected.map(({ agent, line }) => agent.frames(PUSHES_PER_ROUND).map((bytes) => ({ line, bytes })));
  results.session.push(await play(steps));
  const pages = (port: number, count: number): Buffer[][] =>
    Array.from({ length: PAGE_CONNECTIONS }, () => Array.from({ length: count }, () => pageRequest(port)));
  results.static.push(await load(ports.page, pages(ports.page, PAGES_CACHED)));
  results.cached.push(await load(ports.edge, pages(ports.edge, PAGES_CACHED)));
  results.row.push(await load(ports.row, pages(ports.row, PAGES_UNCACHED)));
  results.uncached.push(await load(ports.uncached, pages(ports.uncached, PAGES_UNCACHED)));
}

/** SQL rows that one agent costs its Cluster in a minute, as SQLite counts them for the bill. */
async function rowsPerMinute(agent: SimulatedAgent, ports: Ports, operator: Operator): Promise<number> {
  const read = async (): Promise<number> => {
    const headers = { authorization: `Bearer ${operator.key}` };
    const path = `/cli/v1/clusters/${agent.cluster}/cost`;
    const answer = await once(ports.edge, requestBytes("GET", `127.0.0.1:${ports.edge}`, path, headers));
    if (answer.status !== 200) throw new Error(`the cost of a cluster got HTTP ${answer.status}`);
    const { rowsWritten, alarmsSet } = JSON.parse(answer.body.toString()) as Costs;
    return rowsWritten + alarmsSet;
  };
  // The first push tells statuses for the first time, which is no cost of a minute.
  await load(ports.edge, [agent.posts(PUSHES_PER_MINUTE)]);
  const before = await read();
  await load(ports.edge, [agent.posts(COST_MINUTES * PUSHES_PER_MINUTE)]);
  return ((await read()) - before) / COST_MINUTES;
}

function pageRequest(port: number): Buffer {
  return requestBytes("GET", `127.0.0.1:${port}`, "/", { accept: "text/html" });
}

function components(agents: readonly SimulatedAgent[]) {
  return Array.from({ length: COMPONENTS }, (_, i) => ({
    name: `Component ${i + 1}`,
    group: `Group ${1 + Math.floor(i / 5)}`,
    services: agents.slice(0, 2).map((agent) => `${agent.cluster}/${agent.services[i]}`),
  }));
}

function edgeWorkers(script: string, ports: Ports, operatorKey: string): readonly WorkerSpec[] {
  const edge = {
    name: "edge",
    script,
    objects: EDGE_OBJECTS,
    variables: edgeVariables({
      operatorKey,
      signingKey: makeSecrets().EDGE_SIGNING_KEY,
      databasePort: ports.database,
      flushMs: FLUSH_MS,
    }),
    cache: "cache",
    ports: [ports.edge],
  };
  const uncached = {
    ...edge,
    name: "uncached",
    objectsOf: "edge",
    variables: { ...edge.variables, PAGE_FRESH_MS: "0" },
    ports: [ports.uncached],
  };
  return [edge, uncached, { name: "cache", script: path("workers/cache.js"), ports: [] }];
}

function baselineWorkers(html: string, ports: Ports): readonly WorkerSpec[] {
  return [
    { name: "insert", script: path("workers/insert.js"), objects: { INSERT: "Insert" }, ports: [ports.insert] },
    { name: "page", script: path("workers/page.js"), texts: { "page.html": html }, ports: [ports.page] },
    { name: "row", script: path("workers/row.js"), objects: { ROW: "Row" }, ports: [ports.row] },
  ];
}

function path(relative: string): string {
  return fileURLToPath(new URL(relative, import.meta.url));
}

function printRates(results: Results): void {
  const row = (name: string, measure: Measure, baseline: Measure | null, target?: number): void => {
    const rate = median(results[measure].map((result) => result.perSecond));
    const ratio = baseline === null ? "" : ratioText(results[measure], results[baseline], target);
    const p50 = median(results[measure].map((result) => result.p50Ms)).toFixed(1);
    const p99 = median(results[measure].map((result) => result.p99Ms)).toFixed(1);
    console.log(
      `${name.padEnd(46)}${rate.toFixed(0).padStart(8)}/s${p50.padStart(8)} ms${p99.padStart(8)} ms  ${ratio}`,
    );
  };
  const rounds = results.push.length;
  console.log(`\nMedians of ${rounds} interleaved rounds on ${cpus().length} cores, which the load shares.`);
  console.log(`${"".padEnd(46)}${"rate".padStart(10)}${"p50".padStart(11)}${"p99".padStart(11)}`);
  row("one SQLite insert a request (baseline)", "insert", null);
  row(`push of ${SERVICES} services, signed, ${CLUSTERS} clusters`, "push", "insert", 0.8);
  row(`the same over sessions, ${CLUSTERS} clusters`, "session", "insert", 1.2);
  row(`the same over sessions, ${FEW} clusters (baseline)`, "few", null);
  row(`the same over sessions, ${MANY} clusters`, "many", "few", 0.9);
  row("static Worker, same bytes (baseline)", "static", null);
  row("page, cached", "cached", "static", 0.9);
  row("one row read from an object (baseline)", "row", null);
  row("page, uncached: Board, a rendering a version", "uncached", "row", 0.5);
}

/** Median of the rounds' own ratios, with the lowest and the highest. */
function ratioText(measured: readonly LoadResult[], baseline: readonly LoadResult[], target?: number): string {
  const ratios = measured.map((result, i) => result.perSecond / (baseline[i]?.perSecond ?? Number.NaN));
  const ratio = median(ratios);
  const verdict = target === undefined ? "" : `, ${ratio >= target ? "reaches" : "MISSES"} ${target}`;
  return `${ratio.toFixed(2)} of the baseline (${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)})${verdict}`;
}

function printSizes(
  agent: SimulatedAgent,
  html: Buffer,
  rows: number,
  memory: { readonly residentMb: number; readonly peakMb: number; readonly services: number },
): void {
  const [live, full] = agent.sizes();
  const row = (name: string, text: string): void => console.log(`${name.padEnd(46)}${text}`);
  console.log("");
  row("rows written per agent-minute, Cluster", `${rows.toFixed(2)}, alarms included; at most 1.1`);
  row(`push, ${SERVICES} services`, `${live?.gzip} bytes gzip, ${live?.json} unpacked; at most 3,000`);
  row("push with a minute's windows of each", `${full?.gzip} bytes gzip, ${full?.json} unpacked; at most 4,500`);
  row(`page, ${COMPONENTS} components`, `${gzipSync(html).length} bytes gzip, ${html.length} unpacked`);
  row(
    `agent, ${memory.services} services scraped`,
    `${memory.residentMb.toFixed(0)} MB resident, ${memory.peakMb.toFixed(0)} MB at most`,
  );
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return ((sorted[Math.floor((sorted.length - 1) / 2)] ?? 0) + (sorted[Math.ceil((sorted.length - 1) / 2)] ?? 0)) / 2;
}

function say(text: string): void {
  console.error(`bench: ${text}`);
}

await main();
