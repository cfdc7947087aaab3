/** The edge dies without a word, at the worst moments, and starts again on the same files. */
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { startDatabase } from "../../dev/database/database.ts";
import type { RunningDatabase } from "../../dev/database/database.ts";
import { Edge } from "../support/miniflare.ts";
import type { Operator } from "../support/miniflare.ts";
import { eventually } from "../support/process.ts";
import { EdgeAgent, SERVICE } from "./agent.ts";
import { expectArchived, expectPersisted, openArchive } from "./archive.ts";
import type { Archive } from "./archive.ts";

/** A session that was lost is back after at most this long, ms. */
const RECONNECTED_WITHIN_MS = 15_000;

let database: RunningDatabase;
let archive: Archive;
let edge: Edge;

beforeAll(async () => {
  database = await startDatabase({});
  archive = openArchive(database.url);
  edge = await Edge.start({ databaseEndpoint: database.endpoint, flushMs: 200 });
});

afterAll(async () => {
  await edge?.remove();
  await archive?.close();
  await database?.stop();
});

async function startAgent(cluster: string): Promise<EdgeAgent> {
  const agent = await EdgeAgent.start(edge, cluster);
  onTestFinished(() => agent.remove());
  return agent;
}

/** Postgres is gone until the test heals it: what is received has to wait at the edge. */
function cutPostgres(): void {
  database.inject("refuse");
  onTestFinished(() => database.heal());
}

it("what was received but not yet flushed is flushed after a crash, though nobody pushes again", async () => {
  const agent = await startAgent("before-flush");
  cutPostgres();
  agent.close(3);
  await agent.push();
  const before = await agent.marks();
  expect(before).toMatchObject({ received: 5, persisted: 1 });
  await edge.kill();
  database.heal();
  expect(await archive.windows(agent.cluster)).toEqual([]);
  await edge.start();
  await expectArchived(archive, agent);
  expect(await agent.marks()).toEqual({ ...before, persisted: before.received });
});

it("a crash between a flush and the next push costs nothing and doubles nothing", async () => {
  const agent = await startAgent("after-flush");
  agent.close(3);
  await agent.push();
  await expectArchived(archive, agent);
  // The agent has not heard yet that its facts are safe: it still holds them all.
  expect(agent.base).toBe(1);
  await edge.restart();
  agent.close(2);
  await agent.push();
  await expectArchived(archive, agent);
  await expectPersisted(agent);
  expect(await agent.marks()).toMatchObject({ received: 8, persisted: 8 });
  expect(await archive.numbers(agent.cluster)).toHaveLength(7);
});

it("a push whose answer died with the edge is sent again without effect", async () => {
  const agent = await startAgent("lost-answer");
  cutPostgres();
  agent.close(3);
  const pushed = agent.tryPush();
  await edge.kill();
  await pushed;
  database.heal();
  await edge.start();
  await agent.push();
  await expectArchived(archive, agent);
  await expectPersisted(agent);
  expect(await archive.numbers(agent.cluster)).toHaveLength(4);
});

it("a spool keeps its epoch over crashes of the edge and of the agent", async () => {
  const agent = await startAgent("epoch");
  const { epoch } = await agent.marks();
  // Before any record was pushed, and after: the epoch is kept in two places.
  await edge.restart();
  expect(await agent.epoch()).toBe(epoch);
  agent.close(1);
  await agent.push();
  await edge.restart();
  await agent.restart();
  expect(await agent.epoch()).toBe(epoch);
  agent.close(1);
  await agent.push();
  await expectArchived(archive, agent);
  await expectPersisted(agent);
});

it("a spool that took over is not fenced off by the one before it, even after a crash", async () => {
  const agent = await startAgent("take-over");
  const { epoch } = await agent.marks();
  agent.close(1);
  await agent.push();
  agent.takeOver();
  await agent.push();
  await edge.restart();
  agent.close(1);
  await agent.push();
  expect((await agent.marks()).epoch).toBeGreaterThan(epoch);
  await expectArchived(archive, agent);
  await expectPersisted(agent);
});

/** Publishes the cluster's service and announces a maintenance of it; the address of the maintenance. */
async function publishAndMaintain(operator: Operator, cluster: string): Promise<string> {
  const service = `${cluster}/${SERVICE}`;
  expect((await operator.post("/admin/components", { service, name: cluster, group: "Shop" })).status).toBe(303);
  const form = { target: service, mode: "announce", reason: "new disks", name: `Upgrade of ${cluster}`, hours: "1" };
  const started = await operator.post("/admin/maintenance", form);
  expect(started.status).toBe(303);
  return started.headers.get("location") ?? "";
}

it("an operator's session, components, maintenances and what the agents told survive a crash, in their order", async () => {
  const operator = await edge.signIn();
  const { token } = await edge.cli<{ token: string }>("POST", "/cli/v1/tokens", { scope: "read" });
  const agents: EdgeAgent[] = [];
  const maintenances: string[] = [];
  for (const cluster of ["kept-d", "kept-b", "kept-c", "kept-a"]) {
    const agent = await startAgent(cluster);
    agents.push(agent);
    maintenances.push(await publishAndMaintain(operator, cluster));
    // It takes in the desired state, and says so.
    await agent.push();
    await agent.push();
  }
  const generations = agents.map((agent) => agent.observedGeneration);
  expect(Math.min(...generations)).toBeGreaterThan(0);
  const known = async () => ({
    clusters: await edge.cli<object>("GET", "/cli/v1/clusters"),
    summary: withoutMoment(await (await edge.visit("/api/v2/summary.json")).json()),
    services: await (
      await fetch(`${edge.url}/api/v1/services`, { headers: { authorization: `Bearer ${token}` } })
    ).json(),
  });
  const before = await known();
  expect(await edge.statuses()).toMatchObject({ "kept-a": "under_maintenance", "kept-d": "under_maintenance" });
  await edge.restart();
  expect(await known()).toEqual(before);
  for (const [i, agent] of agents.entries()) {
    const shown = await operator.get(maintenances[i] ?? "");
    expect([shown.status, (await shown.text()).includes("new disks")]).toEqual([200, true]);
    await agent.restart();
    await agent.push();
    expect(agent.observedGeneration).toBe(generations[i]);
  }
});

it("a lease that was given out before a crash is taken back after it", async () => {
  const agent = await startAgent("taken-back");
  const operator = await edge.signIn();
  const maintenance = await publishAndMaintain(operator, agent.cluster);
  await eventually(
    async () => {
      await agent.push();
      return agent.observedGeneration > 0;
    },
    10_000,
    "the maintenance to reach the agent",
  );
  const generation = agent.observedGeneration;
  await edge.restart();
  expect((await operator.post(`${maintenance}/end`, {})).status).toBe(303);
  await eventually(
    async () => {
      await agent.push();
      return agent.observedGeneration > generation;
    },
    10_000,
    "its end to reach the agent",
  );
  expect(await edge.statuses()).toMatchObject({ [agent.cluster]: "operational" });
});

it("a page that a browser kept from before two crashes is not called unchanged when it is not", async () => {
  const agent = await startAgent("etag");
  await edge.cli("PUT", "/cli/v1/components", {
    components: [{ name: agent.cluster, services: [`${agent.cluster}/${SERVICE}`] }],
  });
  await edge.restart();
  let etag = "";
  // What waited while the edge was down may still change the page between two looks.
  const isUnchanged = async (): Promise<boolean> => {
    etag = (await edge.visit("/")).headers.get("etag") ?? "";
    return (await edge.visit("/", { "if-none-match": etag })).status === 304;
  };
  await eventually(isUnchanged, 5_000, "a page that stays as it is");
  agent.errorRatio = 1;
  await agent.push();
  await eventually(
    async () => (await edge.statuses())[agent.cluster] === "major_outage",
    5_000,
    "the page to say what is wrong",
  );
  await edge.restart();
  expect((await edge.visit("/", { "if-none-match": etag })).status).toBe(200);
});

/** The summary but for when it was made. */
function withoutMoment(summary: unknown): unknown {
  const { page, ...rest } = summary as { page: Record<string, unknown> };
  return { ...rest, page: { ...page, updated_at: null } };
}

it("a session dies with the edge; the agent opens another one and is told what is desired", async () => {
  const agent = await startAgent("session");
  const operator = await edge.signIn();
  const session = agent.openSession();
  await eventually(() => session.isOpen(), RECONNECTED_WITHIN_MS, "the session to open");
  const maintenance = await publishAndMaintain(operator, agent.cluster);
  await eventually(() => agent.desired.length === 1, 5_000, "the maintenance over the session");
  await edge.kill();
  await eventually(() => !session.isOpen(), 5_000, "the agent to notice");
  await edge.start();
  await eventually(() => session.isOpen(), RECONNECTED_WITHIN_MS, "the session to open again");
  await eventually(() => agent.desired.length === 2, 5_000, "the desired state over the new session");
  expect(agent.desired[1]).toEqual(agent.desired[0]);
  await operator.post(`${maintenance}/end`, {});
  await eventually(() => agent.desired.length === 3, 5_000, "the end over the new session");
});

it("an agent that ends its session gets the edge's answer at once", async () => {
  const agent = await startAgent("goodbye");
  const session = agent.openSession();
  await eventually(() => session.isOpen(), RECONNECTED_WITHIN_MS, "the session to open");
  const since = Date.now();
  await session.stop();
  expect(Date.now() - since).toBeLessThan(2_000);
});
