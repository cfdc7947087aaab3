/**
 * kill -9 of the edge, the agent and Postgres at random moments during minutes of traffic: afterwards every window that
 * the agent closed, by its own log, is in Postgres exactly once.
 *
 * The moments come from a seed, which is printed; the claim holds for every one of them. `KILL_MINUTES` and
 * `KILL_SEED` play it longer, or the same again.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Mesh } from "../../dev/mesh/mesh.ts";
import { startMesh } from "../../dev/mesh/mesh.ts";
import { startPostgres } from "../support/postgres.ts";
import type { RealPostgres } from "../support/postgres.ts";
import type { RunningProgram } from "../support/process.ts";
import { System } from "../support/system.ts";
import { closedWindows, expectWindowsOnce } from "../support/windows.ts";

const MINUTE = 60_000;
const MINUTES = Number(process.env["KILL_MINUTES"] ?? 3);
/** How much longer it may take until there is something to look at. */
const PATIENCE_MINUTES = 4;
/** Of the mesh's seven services, each. */
const WINDOWS_MIN = 7;
const SEED = Number(process.env["KILL_SEED"] ?? Date.now() % 1_000_000);

/** A small seeded generator (mulberry32): the same seed kills at the same moments. */
function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  return items
    .map((item) => ({ item, order: random() }))
    .toSorted((a, b) => a.order - b.order)
    .map(({ item }) => item);
}

let postgres: RealPostgres;
let system: System;
let mesh: Mesh;
let agent: RunningProgram;
let agentDirectory: string;

beforeAll(async () => {
  [postgres, mesh] = await Promise.all([startPostgres(), startMesh()]);
  system = await System.start({ databaseUrl: postgres.url, flushMs: 3_000 });
  const started = await system.startAgent("eu-1", {
    interval: "5s",
    audit: true,
    sources: { scrape: { interval: "5s", targets: [mesh.metricsUrl] } },
  });
  agent = started.program;
  agentDirectory = started.directory;
});

afterAll(async () => {
  await system?.stop();
  await mesh?.stop();
  await postgres?.stop();
});

/** Requests that the mesh itself has counted for a service. */
async function served(service: string): Promise<number> {
  const text = await (await fetch(mesh.metricsUrl)).text();
  const lines = text
    .split("\n")
    .filter((line) => line.startsWith("istio_requests_total{") && line.includes('reporter="destination"'));
  return lines
    .filter((line) => line.includes(`destination_service_name="${service}"`))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
}

it(`no window is lost or doubled over ${MINUTES} minutes of kill -9 (seed ${SEED})`, async () => {
  const random = dice(SEED);
  const victims = {
    edge: async () => {
      await system.edge.kill9();
      await sleep(random() * 5_000);
      await system.edge.start();
    },
    agent: async () => {
      await agent.kill9();
      await sleep(random() * 5_000);
      await agent.start();
    },
    postgres: async () => {
      await postgres.kill9();
      await sleep(random() * 5_000);
      await postgres.restart();
    },
  };
  const before = { at: Date.now(), requests: await served("storefront") };
  const kills = { edge: 0, agent: 0, postgres: 0 };
  const end = Date.now() + MINUTES * MINUTE;
  let round: (keyof typeof victims)[] = [];
  // An agent that scrapes closes the minutes only that it saw whole: it takes longer where it was struck in each.
  const isShort = (): boolean =>
    closedWindows(agentDirectory).length < WINDOWS_MIN && Date.now() < end + PATIENCE_MINUTES * MINUTE;
  while (Date.now() < end || isShort()) {
    await sleep(2_000 + random() * 16_000);
    // Each dies in every round, in an order that differs: who is struck is no matter of luck, when is.
    if (round.length === 0) round = shuffled(["edge", "agent", "postgres", "edge", "postgres"], random);
    const victim = round.pop() ?? "edge";
    kills[victim]++;
    await victims[victim]();
  }
  const rate = ((await served("storefront")) - before.requests) / (Date.now() - before.at);
  const keys = closedWindows(agentDirectory);
  expect(keys.length).toBeGreaterThanOrEqual(WINDOWS_MIN);
  const held = await expectWindowsOnce(postgres.url, agentDirectory, 2 * MINUTE);
  // And what is in them is what the mesh served: not twice, and not a counter's whole life.
  const storefront = held.filter(({ service }) => service === "shop/storefront");
  const counted = storefront.reduce((sum, { requests }) => sum + requests, 0);
  const covered = storefront.reduce((sum, { from, to }) => sum + to - from, 0);
  expect(counted / covered / rate).toBeGreaterThan(0.85);
  expect(counted / covered / rate).toBeLessThan(1.15);
  console.log(`seed ${SEED}: ${JSON.stringify(kills)} kills, ${keys.length} windows closed, each in Postgres once`);
  expect(Math.min(...Object.values(kills))).toBeGreaterThan(0);
});
