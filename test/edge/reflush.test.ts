/** Postgres is set back to an earlier time: what it lost and somebody still holds is sent again, once. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { expect, it } from "vitest";
import { startDatabase } from "../../dev/database/database.ts";
import { Edge } from "../support/miniflare.ts";
import { eventually, ROOT } from "../support/process.ts";
import { EdgeAgent, SERVICE } from "./agent.ts";
import { expectPersisted, openArchive } from "./archive.ts";

const WITHIN_MS = 60_000;

it("an operator's command brings back events, components, maintenances, the journal and the audit", async ({
  onTestFinished,
}) => {
  const database = await startDatabase({});
  onTestFinished(() => database.stop());
  const archive = openArchive(database.url);
  onTestFinished(() => archive.close());
  const edge = await Edge.start({ databaseEndpoint: database.endpoint, flushMs: 200 });
  onTestFinished(() => edge.remove());
  const agent = await EdgeAgent.start(edge, "eu-1");
  onTestFinished(() => agent.remove());

  const since = new Date(Date.now() - 60_000).toISOString();
  const services = [`eu-1/${SERVICE}`];
  await edge.cli("PUT", "/cli/v1/components", {
    components: ["Checkout", "Gone"].map((name) => ({ name, services })),
  });
  const operator = await edge.signIn();
  const { components } = (await (await edge.visit("/api/v2/summary.json")).json()) as {
    components: { id: string; name: string }[];
  };
  await operator.post(`/admin/components/${components.find(({ name }) => name === "Gone")?.id}/remove`, {});
  const form = { target: services[0] ?? "", mode: "announce", reason: "disks", name: "Upgrade", hours: "1" };
  await operator.post("/admin/maintenance", form);
  agent.close(2);
  await agent.push();
  await expectPersisted(agent);
  const kinds = ["page", "cluster", "component", "maintenance", "status_change", "audit"];
  const held = async () => {
    const rows = await Promise.all(kinds.map((kind) => archive.board(kind)));
    return rows.map((bodies) => bodies.map((body) => JSON.stringify(body)).toSorted());
  };
  // The lease's generation comes last of all that was done here.
  await eventually(
    async () => (await archive.board("maintenance")).some((body) => Number(body["deliveredAt"]) > 0),
    WITHIN_MS,
    "the maintenance in Postgres",
  );
  await eventually(
    async () => (await (await operator.get("/admin")).text()).includes("Upgrade"),
    WITHIN_MS,
    "the maintenance at the admin",
  );
  const [before, events] = [await held(), await archive.events("eu-1")];
  expect(events).not.toEqual([]);

  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await client.query("DELETE FROM board_fact; DELETE FROM event; DELETE FROM received");
  await client.end();
  const { stdout } = await promisify(execFile)(process.execPath, [join(ROOT, "dev/cli/reflush.ts"), "--since", since], {
    env: { ...process.env, OBSERVATORY_URL: edge.url, OBSERVATORY_OPERATOR_KEY: edge.secrets.OPERATOR_KEY },
  });
  expect(stdout).toMatch(/^\d+ facts of the page, [1-9]\d* facts of 1 clusters\n$/);
  await eventually(async () => (await archive.events("eu-1")).length >= events.length, WITHIN_MS, "the events");
  expect(await archive.events("eu-1")).toEqual(events);
  await eventually(
    async () => (await archive.board("audit")).length > (before[5]?.length ?? 0),
    WITHIN_MS,
    "the audit",
  );
  const after = await held();
  for (const [i, kind] of kinds.entries()) {
    if (kind === "page") expect(after[i]).toHaveLength(1);
    else expect([kind, after[i]]).toEqual([kind, expect.arrayContaining(before[i] ?? [])]);
  }
  const acts = (await archive.board("audit")).map((entry) => entry["act"]);
  expect(acts).toContain("archive.reflush");
  expect(acts).toContain("component.remove");
});
