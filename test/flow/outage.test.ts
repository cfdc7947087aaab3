/**
 * The edge is down for minutes and the agent is killed in the middle of it, beside a real Prometheus and a real
 * PostgreSQL: no window is missing or doubled, and what is now is on the page within one interval of the recovery.
 *
 * `OUTAGE_MINUTES` plays it longer.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Mesh } from "../../dev/mesh/mesh.ts";
import { startMesh } from "../../dev/mesh/mesh.ts";
import { startPostgres } from "../support/postgres.ts";
import type { RealPostgres } from "../support/postgres.ts";
import { eventually } from "../support/process.ts";
import type { RunningProgram } from "../support/process.ts";
import { startPrometheus } from "../support/prometheus.ts";
import { System, untilStatus } from "../support/system.ts";
import { closedWindows, expectWindowsOnce } from "../support/windows.ts";

const MINUTE = 60_000;
const MINUTES = Number(process.env["OUTAGE_MINUTES"] ?? 2);
const INTERVAL_MS = 10_000;
/** Between two looks at the page, and the look itself on a busy machine. */
const LOOK_MS = 1_500;

let postgres: RealPostgres;
let system: System;
let mesh: Mesh;
let prometheus: RunningProgram;
let agent: RunningProgram;
let agentDirectory: string;

beforeAll(async () => {
  [postgres, mesh] = await Promise.all([startPostgres(), startMesh()]);
  system = await System.start({ databaseUrl: postgres.url, flushMs: 3_000 });
  const started = await startPrometheus(system.directory, mesh.metricsUrl);
  prometheus = started.program;
  await system.cli("PUT", "/cli/v1/components", { components: [{ name: "cart", services: ["eu-1/shop/cart"] }] });
  const sources = { prometheus: { url: started.url, scrapeInterval: "5s", reporter: "destination" } };
  const config = { interval: `${INTERVAL_MS / 1_000}s`, audit: true, sources };
  const { program, directory } = await system.startAgent("eu-1", config);
  [agent, agentDirectory] = [program, directory];
});

afterAll(async () => {
  await agent?.stop();
  await prometheus?.stop();
  await mesh?.stop();
  await system?.stop();
  await postgres?.stop();
});

async function heardAt(): Promise<number> {
  const path = "/cli/v1/clusters";
  const { clusters } = await system.cli<{ clusters: { heardAt: number | null }[] }>("GET", path);
  return clusters[0]?.heardAt ?? 0;
}

it(`${MINUTES} minutes without an edge, the agent killed in between: nothing is lost and the page is fresh at once`, async () => {
  await untilStatus(system, "cart", "operational", 90_000);
  await eventually(() => closedWindows(agentDirectory).length > 0, 3 * MINUTE, "the first windows");
  await system.edge.kill9();
  const downAt = Date.now();
  await sleep((MINUTES * MINUTE) / 2);
  await agent.kill9();
  await sleep(15_000);
  agent.launch();
  await sleep(Math.max(0, downAt + MINUTES * MINUTE - Date.now()));
  await system.edge.start();
  const upAt = Date.now();
  const freshMs = await eventually(async () => (await heardAt()) > downAt, 5 * INTERVAL_MS, "the first push");
  expect(freshMs).toBeLessThanOrEqual(INTERVAL_MS + LOOK_MS);
  await untilStatus(system, "cart", "operational", 5 * INTERVAL_MS);
  const saidMs = Date.now() - upAt;
  // A push that carries a backlog carries what is now as well: the page is cached for 5 s, and that is all it waits for.
  expect(saidMs).toBeLessThanOrEqual(INTERVAL_MS + 5_000 + LOOK_MS);
  const held = await expectWindowsOnce(postgres.url, agentDirectory, 2 * MINUTE);
  const inOutage = held.filter(({ from, to }) => from >= downAt && to <= upAt);
  const services = new Set(held.map(({ service }) => service)).size;
  console.log(
    `down ${Math.round((upAt - downAt) / 1_000)} s: first push after ${freshMs} ms, page after ${saidMs} ms; ${held.length} windows of ${services} services stored once, ${inOutage.length} of them of the outage`,
  );
  expect(inOutage.length).toBeGreaterThanOrEqual(services * (MINUTES - 1));
});
