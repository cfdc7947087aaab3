/** Postgres fails in every way it has; the edge keeps receiving, shows what is now, and delivers later. */
import { describe, expect, it } from "vitest";
import type { TestContext } from "vitest";
import { startDatabase } from "../../dev/database/database.ts";
import { Edge } from "../support/miniflare.ts";
import { eventually, freePort } from "../support/process.ts";
import { EdgeAgent, SERVICE } from "./agent.ts";
import { expectArchived, expectPersisted, openArchive } from "./archive.ts";
import type { Archive } from "./archive.ts";

/** Two attempts with a back-off between, or one that runs into the Worker's own limit of 12 s. */
const FAILS_WITHIN_MS = 45_000;
/** After many failures the next attempt is up to a minute away. */
const BACKED_OFF_MS = 75_000;

/** Systems wait together, but start in turn: all at once, each takes longer than a push waits for its answer. */
let lastStart: Promise<unknown> = Promise.resolve();
function inTurn<T>(start: () => Promise<T>): Promise<T> {
  const turn = lastStart.then(start);
  lastStart = turn.catch(() => {});
  return turn;
}

describe.concurrent("while Postgres fails", () => {
  /** An edge with a Postgres of its own, and an agent with a component, whose first facts are there. */
  async function start(context: TestContext, cluster: string) {
    const way = await startDatabase({});
    context.onTestFinished(() => way.stop());
    const archive = openArchive(way.url);
    context.onTestFinished(() => archive.close());
    const edge = await Edge.start({ databaseEndpoint: way.endpoint, flushMs: 200 });
    context.onTestFinished(() => edge.remove());
    const agent = await EdgeAgent.start(edge, cluster);
    context.onTestFinished(() => agent.remove());
    const components = [{ name: cluster, services: [`${cluster}/${SERVICE}`] }];
    await edge.cli("PUT", "/cli/v1/components", { components });
    agent.close(2);
    await agent.push();
    await expectPersisted(agent);
    return { way, archive, edge, agent };
  }

  /** The statuses that Postgres remembers of a component, oldest first. */
  async function history(archive: Archive, name: string): Promise<unknown[]> {
    const [component] = (await archive.board("component")).filter((body) => body["name"] === name);
    const changes = await archive.board("status_change");
    return changes.filter((change) => change["component"] === component?.["id"]).map((change) => change["status"]);
  }

  async function expectHistory(archive: Archive, name: string, statuses: readonly string[]): Promise<void> {
    await eventually(
      async () => (await history(archive, name)).length >= statuses.length,
      FAILS_WITHIN_MS,
      `${name}'s history in Postgres`,
    );
    expect(await history(archive, name)).toEqual(statuses);
  }

  it.for([
    ["refuses connections", "refuse", 2],
    ["shuts down", "57P01", 2],
    ["commits, and its answer is lost", "lose_answer", 2],
    ["hangs", "hang", 1],
  ] as const)(
    "as it %s, pushes are received, the page tells what is now, and later every fact is stored once",
    async ([_name, fault, failures], context) => {
      const { way, archive, edge, agent } = await inTurn(() =>
        start(context, `fault-${fault.toLowerCase().replace("_", "-")}`),
      );
      await expectHistory(archive, agent.cluster, ["operational"]);
      const before = await agent.marks();
      way.inject(fault);
      agent.close(3);
      await agent.push();
      agent.errorRatio = 1;
      agent.close(1);
      await agent.push();
      const received = before.received + 6;
      expect(await agent.marks()).toEqual({ ...before, received });
      expect(await edge.statuses()).toMatchObject({ [agent.cluster]: "major_outage" });
      const page = await edge.visit("/");
      expect([page.status, (await page.text()).includes(agent.cluster)]).toEqual([200, true]);
      // More than one failure: the alarm was armed again after the first.
      await eventually(() => edge.logged("flush_failed") >= failures, FAILS_WITHIN_MS, `${failures} failed flushes`);
      expect(await agent.marks()).toEqual({ ...before, received });
      way.heal();
      // Nobody pushes: the alarms alone bring it there.
      await expectArchived(archive, agent);
      await expectHistory(archive, agent.cluster, ["operational", "major_outage"]);
      await expectPersisted(agent);
      expect(await agent.marks()).toEqual({ ...before, received, persisted: received });
      expect(await archive.numbers(agent.cluster)).toHaveLength(received - 1);
    },
  );

  it("a crash of the edge in the middle of an outage of Postgres loses nothing either", async (context) => {
    const { way, archive, edge, agent } = await inTurn(() => start(context, "fault-and-crash"));
    way.inject("refuse");
    agent.close(2);
    await agent.push();
    agent.errorRatio = 1;
    await agent.push();
    await edge.restart();
    agent.close(2);
    await agent.push();
    way.heal();
    await expectArchived(archive, agent);
    await expectPersisted(agent);
    await expectHistory(archive, agent.cluster, ["operational", "major_outage"]);
  });
});

it.concurrent("where Postgres was never reachable an operator works all the same, and all of it arrives later", async ({
  onTestFinished,
}) => {
  const port = await freePort();
  const edge = await inTurn(() => Edge.start({ databaseEndpoint: `http://127.0.0.1:${port}/sql`, flushMs: 200 }));
  onTestFinished(() => edge.remove());
  expect((await edge.visit("/")).status).toBe(200);
  const agent = await EdgeAgent.start(edge, "eu-1");
  onTestFinished(() => agent.remove());
  agent.close(3);
  await agent.push();
  const operator = await edge.signIn();
  const target = `eu-1/${SERVICE}`;
  await operator.post("/admin/components", { service: target, name: "Checkout", group: "Shop" });
  expect(await edge.statuses()).toMatchObject({ Checkout: "operational" });
  const form = { target, mode: "announce", reason: "new disks", name: "Database upgrade", hours: "1" };
  expect((await operator.post("/admin/maintenance", form)).status).toBe(303);
  await agent.push();
  expect(agent.observedGeneration).toBeGreaterThan(0);
  expect(await edge.statuses()).toMatchObject({ Checkout: "under_maintenance" });
  expect(await (await edge.visit("/")).text()).toContain("Database upgrade");
  for (const path of ["/admin", "/admin/services", "/admin/clusters/eu-1"])
    expect([path, (await operator.get(path)).status]).toEqual([path, 200]);
  const isLate = async (): Promise<boolean> =>
    (await (await edge.visit("/")).text()).includes("History is delayed since");
  await eventually(isLate, FAILS_WITHIN_MS, "a page that says that history is late");
  expect(await (await operator.get("/admin")).text()).toMatch(
    /Not archived since .*this page: \d+ facts.*Postgres said/s,
  );

  const database = await startDatabase({ port });
  onTestFinished(() => database.stop());
  const archive = openArchive(database.url);
  onTestFinished(() => archive.close());
  await expectArchived(archive, agent);
  await eventually(async () => (await archive.board("audit")).length >= 5, BACKED_OFF_MS, "the board's facts");
  expect(await archive.board("component")).toMatchObject([{ name: "Checkout", services: [target] }]);
  expect(await archive.board("maintenance")).toMatchObject([{ name: "Database upgrade", service: SERVICE }]);
  expect((await archive.board("audit")).map((entry) => String(entry["act"])).toSorted()).toEqual([
    "code.create",
    "component.publish",
    "link.create",
    "maintenance.start",
    "session.start",
  ]);
  expect((await archive.board("status_change")).map((change) => change["status"])).toEqual([
    "operational",
    "under_maintenance",
  ]);
  await expectPersisted(agent);
  await eventually(async () => !(await isLate()), FAILS_WITHIN_MS, "a page that says no more that history is late");
});
