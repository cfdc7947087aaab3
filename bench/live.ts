/**
 * `npm run bench:live`: open pages, in about two minutes, on 127.0.0.1, against the bundled Worker under `workerd serve`.
 *
 * 1. 5,000 sockets listen. A service loses its replicas and gets them back, a push each time: how long after the push
 *    went out each socket has read of it.
 * 2. 5,000 of the page's own sockets (`web/client/socket.ts`, not a copy of its rules) listen, the edge is killed and
 *    started again: how many come back in each second, and how long until all are there.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { putComponents } from "../dev/cli/edge.ts";
import type { Operator } from "../dev/cli/edge.ts";
import { makeSecrets } from "../dev/supervise/secrets.ts";
import { openSocket } from "../web/client/socket.ts";
import { startSimulatedAgent } from "./agent.ts";
import type { SimulatedAgent } from "./agent.ts";
import { startDatabase } from "./database.ts";
import type { Line } from "./load.ts";
import { listen } from "./socket.ts";
import type { Listener } from "./socket.ts";
import { bundleWorker, EDGE_OBJECTS, edgeVariables, freePort, serve } from "./workerd.ts";
import type { Served, WorkerSpec } from "./workerd.ts";

const SOCKETS = 5_000;
/** Upgrades under way at the same time. */
const UNDER_WAY = 50;
/** A refusal protects shards from one address: readers have many. */
const ADDRESSES = 250;
const COMPONENTS = 20;
const FLUSH_MS = 300_000;
const TURNS = 20;
const TURN_MS = 2_000;
/** What the issue asks: from a push to an open page (p99), and one publish to the last of all. */
const CHANGE_MS_MAX = 1_000;
const PUBLISH_MS_MAX = 2_000;
/** A storm would be all of them in the first seconds. */
const RETURNS_PER_S_MAX = 500;
const RETURN_MS_MAX = 120_000;

interface Edge {
  readonly port: number;
  readonly operator: Operator;
  start(): Promise<void>;
  kill(): Promise<void>;
}

async function main(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "bench-"));
  const stops: (() => unknown)[] = [() => rmSync(directory, { recursive: true, force: true })];
  try {
    say("bundling the Worker, starting Postgres and workerd");
    const edge = await prepareEdge(directory, stops);
    await edge.start();
    stops.push(() => edge.kill());
    const agent = await startSimulatedAgent(edge.operator, "bench-live", join(directory, "agents"));
    await putComponents(edge.operator, componentsOf(agent));
    await measureChanges(edge, agent);
    await measureReturn(edge, agent);
  } finally {
    for (const stop of stops.toReversed()) await stop();
  }
}

async function prepareEdge(directory: string, stops: (() => unknown)[]): Promise<Edge> {
  const [database, port] = await Promise.all([freePort(), freePort()]);
  stops.push(await startDatabase(database));
  const script = await bundleWorker(join(directory, "bundle"));
  const operator: Operator = { url: `http://127.0.0.1:${port}`, key: makeSecrets().OPERATOR_KEY };
  const secrets = { operatorKey: operator.key, signingKey: makeSecrets().EDGE_SIGNING_KEY };
  const variables = edgeVariables({ ...secrets, databasePort: database, flushMs: FLUSH_MS });
  const worker: WorkerSpec = { name: "edge", script, objects: EDGE_OBJECTS, variables, ports: [port] };
  let served: Served | null = null;
  return {
    port,
    operator,
    async start() {
      served = await serve(join(directory, "edge"), [worker]);
    },
    kill: async () => served?.stop("SIGKILL"),
  };
}

function componentsOf(agent: SimulatedAgent) {
  return agent.services.slice(0, COMPONENTS).map((service, i) => ({
    name: `Component ${i + 1}`,
    group: `Group ${1 + Math.floor(i / 5)}`,
    services: [`${agent.cluster}/${service}`],
  }));
}

// ── from a push to every open page ──────────────────────────────────────────────────────────────────────────────────

async function measureChanges(edge: Edge, agent: SimulatedAgent): Promise<void> {
  say(`opening ${SOCKETS} sockets`);
  /** When each socket read of the turn under way. */
  let read: number[] = [];
  let awaited: string | null = null;
  const sockets: Listener[] = [];
  for (let opened = 0; opened < SOCKETS; opened += UNDER_WAY) {
    const batch = Array.from({ length: UNDER_WAY }, (_, i) =>
      listen(edge.port, "/live", headersOf(edge, opened + i), (text) => {
        if (awaited !== null && text.includes("major_outage") === (awaited === "halted")) read.push(performance.now());
      }),
    );
    sockets.push(...(await Promise.all(batch)));
  }
  const line = await agent.openSession();
  await push(agent, line);
  await sleep(TURN_MS);
  const times: number[] = [];
  const slowest: number[] = [];
  for (let turn = 0; turn < TURNS; turn++) {
    read = [];
    const isHalt = turn % 2 === 0;
    agent.halt(isHalt ? (agent.services[0] ?? null) : null);
    const [frame] = agent.frames(1);
    awaited = isHalt ? "halted" : "well";
    const sentAt = performance.now();
    await line.exchange(frame as Buffer);
    await sleep(TURN_MS);
    const took = read.slice(0, SOCKETS).map((at) => at - sentAt);
    if (took.length < SOCKETS) throw new Error(`${SOCKETS - took.length} sockets did not read of turn ${turn}`);
    times.push(...took);
    slowest.push(Math.max(...took));
    awaited = null;
  }
  line.close();
  for (const socket of sockets) socket.close();
  const p99 = quantile(times, 0.99);
  console.log(`\n${SOCKETS} sockets, ${TURNS} changes, from the push to each socket:`);
  console.log(`  p50 ${ms(quantile(times, 0.5))}, p99 ${ms(p99)}, ${within(p99, CHANGE_MS_MAX)}`);
  console.log(
    `  the last socket of a publish ${ms(Math.max(...slowest))}, ${within(Math.max(...slowest), PUBLISH_MS_MAX)}`,
  );
}

async function push(agent: SimulatedAgent, line: Line): Promise<void> {
  for (const frame of agent.frames(1)) await line.exchange(frame);
}

function headersOf(edge: Edge, reader: number): Readonly<Record<string, string>> {
  return { origin: edge.operator.url, "cf-connecting-ip": `192.0.2.${reader % ADDRESSES}` };
}

// ── back after a restart ────────────────────────────────────────────────────────────────────────────────────────────

async function measureReturn(edge: Edge, agent: SimulatedAgent): Promise<void> {
  say(`opening ${SOCKETS} of the page's own sockets`);
  /** When each socket was asked for. */
  let attempts: number[] = [];
  const Plain = globalThis.WebSocket;
  let reader = 0;
  // A browser sends its origin by itself.
  class Browserlike extends Plain {
    constructor(url: string) {
      attempts.push(performance.now());
      // Node's own takes headers where the standard has protocols.
      super(url, { headers: headersOf(edge, reader++) } as unknown as string[]);
    }
  }
  Object.assign(globalThis, { WebSocket: Browserlike, location: { origin: edge.operator.url } });
  const sockets: { isOpen(): boolean }[] = [];
  const open = (): number => sockets.filter((socket) => socket.isOpen()).length;
  for (let opened = 0; opened < SOCKETS; opened += UNDER_WAY) {
    for (let i = 0; i < UNDER_WAY; i++) sockets.push(openSocket("/live", () => {}));
    while (open() < opened + UNDER_WAY) await sleep(5);
  }
  // As everywhere where an agent lives: a frame comes, and with it how many readers there are by now.
  agent.halt(agent.services[0] ?? null);
  const line = await agent.openSession();
  await push(agent, line);
  await sleep(TURN_MS);
  line.close();
  say("killing and starting the edge");
  attempts = [];
  await edge.kill();
  const cutAt = performance.now();
  await edge.start();
  const upAt = performance.now();
  while (open() < SOCKETS && performance.now() - cutAt < RETURN_MS_MAX) await sleep(50);
  const back = open();
  const seconds = perSecond(attempts, cutAt);
  console.log(`\n${SOCKETS} open pages after a restart that took ${ms(upAt - cutAt)}:`);
  console.log(`  attempts in each second: ${seconds.join(" ")}`);
  console.log(`  at most ${Math.max(...seconds)} a second, ${within(Math.max(...seconds), RETURNS_PER_S_MAX, "")}`);
  console.log(`  ${attempts.length} attempts, ${back} of ${SOCKETS} back after ${ms(performance.now() - cutAt)}`);
}

function perSecond(moments: readonly number[], from: number): readonly number[] {
  const counts: number[] = [];
  for (const at of moments) {
    const second = Math.max(0, Math.floor((at - from) / 1_000));
    while (counts.length <= second) counts.push(0);
    counts[second] = (counts[second] ?? 0) + 1;
  }
  return counts;
}

function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}

function ms(value: number): string {
  return `${value.toFixed(0)} ms`;
}

function within(value: number, max: number, unit = " ms"): string {
  return `${value <= max ? "within" : "MISSES"} ${max}${unit}`;
}

function say(text: string): void {
  console.error(`bench: ${text}`);
}

await main();
// The page's sockets would go on coming back for ever.
process.exit(0);
