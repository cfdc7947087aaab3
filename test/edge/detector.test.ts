/** A real agent with a real Prometheus gets a threshold through a real edge, previews, learns, and goes back. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { stringify } from "yaml";
import { POINT_MS } from "../../agent/core/golden.ts";
import type { RunningDatabase } from "../../dev/database/database.ts";
import { startDatabase } from "../../dev/database/database.ts";
import { startHistory } from "../support/mesh-history.ts";
import type { Operator } from "../support/miniflare.ts";
import { Edge } from "../support/miniflare.ts";
import { ROOT, RunningProgram } from "../support/process.ts";

const PATIENCE = { timeout: 90_000, interval: 250 };
const folder = mkdtempSync(join(tmpdir(), "detector-"));
let database: RunningDatabase;
let edge: Edge;
let prometheus: RunningProgram;
let operator: Operator;
let agent: RunningProgram;

/** An agent whose owner allows thresholds up to 0.95. */
async function startAgent(prometheusUrl: string): Promise<RunningProgram> {
  const { code } = await edge.cli<{ code: string }>("POST", "/cli/v1/enrollments", { cluster: "eu-1" });
  const home = join(folder, "agent");
  mkdirSync(home);
  const file = join(home, "agent.yaml");
  const joins = { edge: edge.url, cluster: "eu-1", enroll: { code }, dataDir: "./data", interval: "1s" };
  const config = {
    sources: { prometheus: { url: prometheusUrl, scrapeInterval: "1s" } },
    anomalies: { edge: { max: 0.95 } },
    leases: { edgeKeys: [edge.publicKey] },
  };
  writeFileSync(file, stringify({ ...joins, ...config }));
  // Its first baseline it would learn by itself, at the pace of one that nobody waits for.
  const learnt = spawnSync(process.execPath, ["agent/main.ts", "retrain-baseline", "--config", file], { cwd: ROOT });
  if (learnt.status !== 0) throw new Error(`${learnt.stdout.toString()}${learnt.stderr.toString()}`);
  const running = new RunningProgram({
    command: [process.execPath, "agent/main.ts", "--config", file],
    logFile: join(home, "log"),
    isReady: async () => readFileSync(join(home, "log"), "utf8").includes("pushes are accepted"),
  });
  await running.start();
  return running;
}

beforeAll(async () => {
  database = await startDatabase({});
  const end = Math.floor(Date.now() / POINT_MS) * POINT_MS;
  const [started, history] = await Promise.all([
    Edge.start({ databaseEndpoint: database.endpoint, flushMs: 200 }),
    startHistory(join(folder, "prometheus"), end),
  ]);
  edge = started;
  prometheus = history.program;
  operator = await edge.signIn();
  agent = await startAgent(history.url);
});

afterAll(async () => {
  await agent?.stop();
  await prometheus?.stop();
  await edge?.remove();
  await database?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const PATH = "/admin/clusters/eu-1/anomalies";
async function shown(): Promise<string> {
  const page = await (await operator.get(PATH)).text();
  return page.replace(/<(style|script)>.*?<\/\1>|<[^>]*>/gs, " ").replace(/\s+/g, " ");
}

/** Asks, and waits for the answer. */
async function ask(act: string, form: Readonly<Record<string, string>>, answer: RegExp): Promise<void> {
  await expect.poll(async () => (await operator.post(`${PATH}/${act}`, form)).status, PATIENCE).toBe(303);
  await expect.poll(shown, PATIENCE).toMatch(answer);
}

it("an operator sets, previews, learns and goes back, and the agent's owner has the last word", async () => {
  await expect.poll(shown, PATIENCE).toMatch(/Threshold in force 0\.85, the agent’s own, since/);
  await operator.post(PATH, { threshold: "0.99" });
  await expect
    .poll(shown, PATIENCE)
    .toMatch(/allows thresholds from 0\.6 to 0\.95: 0\.99 was asked for .*0\.95, limited by agent\.yaml, since/);
  await operator.post(PATH, { threshold: "0.9" });
  await expect.poll(shown, PATIENCE).toMatch(/Threshold in force 0\.9, set here, since/);
  const component = { name: "Cart", group: "Shop", services: ["eu-1/shop/cart"] };
  const { components } = await edge.cli<{ components: { id: string }[] }>("PUT", "/cli/v1/components", {
    components: [component],
  });
  await edge.cli("POST", "/cli/v1/incidents", {
    name: "Cart fails",
    status: "investigating",
    body: "It is looked at.",
    components: [{ component: components[0]?.id ?? "", status: "major_outage" }],
  });
  await ask(
    "retrain",
    {},
    /Learning anew: done .*baseline \d+ is in use: learnt from .* 1 services, .*left out: shop\/cart .*\(incident: Cart fails\)/,
  );
  await ask(
    "preview",
    { threshold: "0.7" },
    /0\.7 would have raised \d+ instead of \d+ in the last 7 days 0\.9 was in force/,
  );
  await ask("roll-back", {}, /Rolling back: done .*baseline 1, learnt until .*, is in use again for a day at least/);
});

it("the list of anomalies says who looks, and at which threshold", async () => {
  const { token } = await edge.cli<{ token: string }>("POST", "/cli/v1/tokens", { scope: "read" });
  const answer = await edge.visit("/api/v1/anomalies", { authorization: `Bearer ${token}` });
  expect(await answer.json()).toMatchObject({
    detectors: [{ cluster: "eu-1", threshold: 0.9, thresholdSetBy: "edge", baseline: { services: 1 } }],
  });
});
