/** The release before and this one side by side: every pair of agent and edge, and both edges on the same objects. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { stringify } from "yaml";
import { startDatabase } from "../../dev/database/database.ts";
import type { RunningDatabase } from "../../dev/database/database.ts";
import { startMesh } from "../../dev/mesh/mesh.ts";
import { exponentialOf } from "../../protocol/exponential.ts";
import { previousProgram } from "../previous/release.ts";
import { Edge } from "../support/miniflare.ts";
import { eventually, RunningProgram } from "../support/process.ts";
import { closedWindows } from "../support/windows.ts";
import { EdgeAgent, SERVICE } from "./agent.ts";
import { expectArchived, expectPersisted, openArchive } from "./archive.ts";
import type { Archive } from "./archive.ts";

/** A minute is closed within this, ms. */
const CLOSED_WITHIN_MS = 150_000;
const ARRIVES_WITHIN_MS = 60_000;

let database: RunningDatabase;
let archive: Archive;

beforeAll(async () => {
  // The schema is this release's: migrations run before a deploy, so both releases meet the new one only.
  database = await startDatabase({});
  archive = openArchive(database.url);
});

afterAll(async () => {
  await archive?.close();
  await database?.stop();
});

async function startEdge(script?: string): Promise<Edge> {
  const edge = await Edge.start({
    databaseEndpoint: database.endpoint,
    flushMs: 1_000,
    ...(script === undefined ? {} : { script }),
  });
  onTestFinished(() => edge.remove());
  return edge;
}

/** The release before may answer for 5 s with what it has read already. */
async function expectSaid(edge: Edge, name: string, status: string): Promise<void> {
  await eventually(async () => (await edge.statuses())[name] === status, 10_000, `${name} to be ${status}`);
}

async function publish(edge: Edge, cluster: string, service: string): Promise<void> {
  const components = [{ name: cluster, services: [`${cluster}/${service}`] }];
  await edge.cli("PUT", "/cli/v1/components", { components });
}

it(
  "an agent of the release before works with this edge: statuses, and every window once",
  { timeout: 300_000 },
  async () => {
    const cluster = "old-agent";
    const edge = await startEdge();
    const mesh = await startMesh();
    onTestFinished(() => mesh.stop());
    const directory = mkdtempSync(join(tmpdir(), "observatory-previous-"));
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
    writeFileSync(join(directory, "agent.mjs"), previousProgram("agent"));
    const { code } = await edge.cli<{ code: string }>("POST", "/cli/v1/enrollments", { cluster });
    const sources = { scrape: { interval: "5s", targets: [mesh.metricsUrl] } };
    const leases = { edgeKeys: [edge.publicKey] };
    const config = {
      edge: edge.url,
      cluster,
      enroll: { code },
      dataDir: "./data",
      interval: "5s",
      audit: true,
      sources,
      leases,
    };
    writeFileSync(join(directory, "agent.yaml"), stringify(config));
    await publish(edge, cluster, SERVICE);
    const agent = new RunningProgram({
      command: [process.execPath, join(directory, "agent.mjs"), "--config", join(directory, "agent.yaml")],
      logFile: join(directory, "agent.log"),
      isReady: async () => (await edge.statuses())[cluster] === "operational",
    });
    onTestFinished(() => agent.stop());
    await agent.start();
    const closed = (): readonly string[] => closedWindows(join(directory, "data"));
    const minutes = (): number => new Set(closed().map((line) => line.split(" ")[1])).size;
    await eventually(() => minutes() >= 1, CLOSED_WITHIN_MS, "a minute to be closed");
    const keys = closed();
    expect(new Set(keys).size).toBe(keys.length);
    const stored = async (): Promise<readonly number[]> => (await archive.windows(cluster)).map(({ at }) => at);
    await eventually(async () => (await stored()).length >= keys.length, ARRIVES_WITHIN_MS, "every window in Postgres");
    expect((await stored()).length).toBeGreaterThanOrEqual(keys.length);
    expect(await archive.twice()).toEqual([]);
  },
);

it("an agent of this release works with the edge before: statuses, windows and events once", async () => {
  const edge = await startEdge(previousProgram("edge"));
  const agent = await EdgeAgent.start(edge, "new-agent");
  onTestFinished(() => agent.remove());
  await publish(edge, agent.cluster, SERVICE);
  const session = agent.openSession();
  await eventually(() => session.isOpen(), 10_000, "the session");
  // That edge does not say that it takes pushes there, so they go by POST.
  expect(session.takesPushes()).toBe(false);
  for (let round = 0; round < 3; round++) {
    agent.close(2);
    await agent.push();
  }
  await expectSaid(edge, agent.cluster, "operational");
  agent.errorRatio = 1;
  await agent.push();
  await expectSaid(edge, agent.cluster, "major_outage");
  await expectArchived(archive, agent);
  await expectPersisted(agent);
});

it("a deploy, a rollback and the deploy again lose nothing that waited for Postgres, and the page stays", async () => {
  const previous = previousProgram("edge");
  const edge = await startEdge(previous);
  const agent = await EdgeAgent.start(edge, "rolling");
  onTestFinished(() => agent.remove());
  // Which the release before knows neither in a push, nor in what it finds in its objects' memory.
  agent.latency = exponentialOf([10, 20, 300]);
  await publish(edge, agent.cluster, SERVICE);
  onTestFinished(() => database.heal());
  for (const script of [undefined, previous, undefined]) {
    // Postgres comes back only after the deploy: what one release received the other has to deliver.
    database.inject("refuse");
    agent.close(2);
    await agent.push();
    // The release before must not stumble over what this one keeps of its own work.
    if (script === previous) {
      await edge.cli("POST", "/cli/v1/reflush", { since: new Date(0).toISOString() });
      await edge.cli("POST", "/cli/v1/incidents", { name: "Rolling", body: "Back." });
    }
    await edge.deploy(script);
    expect(Object.keys(await edge.statuses())).toContain(agent.cluster);
    // What the release before kept, in its objects and in the cache, is made into every kind of page.
    for (const path of script === previous ? ["/"] : ["/", "/view", "/history", "/history.atom", "/maintenance.ics"])
      expect([path, (await edge.visit(path)).status]).toEqual([path, 200]);
    await agent.push();
    await expectSaid(edge, agent.cluster, "operational");
    database.heal();
    await expectArchived(archive, agent);
    await expectPersisted(agent);
  }
  expect(await edge.cli("GET", "/cli/v1/incidents")).toMatchObject({ incidents: [{ name: "Rolling" }] });
});
