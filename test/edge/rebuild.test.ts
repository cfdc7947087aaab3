/** The Board comes back with nothing: what its page was made of is in Postgres, what is now is at the agents. */
import pg from "pg";
import { expect, it } from "vitest";
import { startDatabase } from "../../dev/database/database.ts";
import { DAY, HOUR } from "../../protocol/time.ts";
import { runCommand } from "../support/command.ts";
import { Edge } from "../support/miniflare.ts";
import { eventually } from "../support/process.ts";
import { EdgeAgent, SERVICE } from "./agent.ts";
import { expectPersisted, openArchive } from "./archive.ts";

const WITHIN_MS = 60_000;

interface Summary {
  readonly page: { readonly id: string };
  readonly components: readonly { readonly id: string; readonly name: string; readonly status: string }[];
  readonly scheduled_maintenances: readonly { readonly id: string; readonly status: string }[];
}

it("a Board with empty storage is what it was, with what was done while Postgres could not be asked", async ({
  onTestFinished,
}) => {
  const database = await startDatabase({});
  onTestFinished(() => database.stop());
  const archive = openArchive(database.url);
  onTestFinished(() => archive.close());
  const edge = await Edge.start({ databaseEndpoint: database.endpoint, flushMs: 200 });
  onTestFinished(() => edge.remove());
  const summary = async (): Promise<Summary> => (await edge.visit("/api/v2/summary.json")).json() as Promise<Summary>;
  const named = async (name: string) => (await summary()).components.find((one) => one.name === name);
  const publish = (...names: string[]) =>
    edge.cli("PUT", "/cli/v1/components", {
      components: names.map((name) => ({ name, group: "Shop", services: [`eu-1/${SERVICE}`] })),
    });

  const agent = await EdgeAgent.start(edge, "eu-1");
  onTestFinished(() => agent.remove());
  await publish("Checkout", "Gone");
  const operator = await edge.signIn();
  const gone = (await named("Gone"))?.id ?? "";
  await operator.post(`/admin/components/${gone}/remove`, {});
  const form = { target: `eu-1/${SERVICE}`, mode: "announce", reason: "disks", name: "Upgrade", hours: "1" };
  expect((await operator.post("/admin/maintenance", form)).status).toBe(303);
  const asked = ["--name", "Acme status", "--accent", "#1e40af", "--link", "Help=https://help.acme.example"];
  const branded = await runCommand("page", asked, edge);
  expect(branded).toMatchObject({ code: 0, problem: "" });
  expect(branded.out).toContain("accent    #507cf0 in the dark, made from it: 4.9 to 1");
  agent.close(1);
  await agent.push();
  await expectPersisted(agent);
  const before = await summary();
  const generation = agent.observedGeneration;
  expect(generation).toBeGreaterThan(0);
  await eventually(
    async () => (await archive.board("maintenance")).some((body) => Number(body["generation"]) > 0),
    WITHIN_MS,
    "the maintenance with its generation in Postgres",
  );
  await eventually(
    async () => (await archive.board("page")).some((body) => "brand" in body),
    WITHIN_MS,
    "the brand in Postgres",
  );
  // An hour's outage of forty days ago, and a beginning before the journal that a page shows.
  const noon = Math.floor(Date.now() / DAY) * DAY - 40 * DAY + DAY / 2;
  const checkout = before.components.find(({ name }) => name === "Checkout")?.id ?? "";
  await remember(database.url, checkout, [
    [noon - 200 * DAY, "operational"],
    [noon, "major_outage"],
    [noon + HOUR, "operational"],
  ]);

  await edge.kill();
  edge.forget("Board");
  database.inject("refuse");
  await edge.start();
  expect((await edge.visit("/")).status).toBe(200);
  await publish("Checkout", "Meanwhile");
  expect((await (await edge.signIn()).get("/admin")).status).toBe(200);
  agent.close(1);
  await agent.push();
  expect((await named("Checkout"))?.status).toBe("operational");
  expect(agent.observedGeneration).toBe(generation);
  await eventually(
    async () => (await (await edge.visit("/")).text()).includes("History is being restored"),
    WITHIN_MS,
    "a page that says what is missing",
  );

  database.heal();
  await eventually(async () => (await named("Checkout"))?.id === checkout, WITHIN_MS, "the component under its old id");
  const after = await summary();
  expect(after.page).toMatchObject({ id: before.page.id, name: "Acme status" });
  // What stands is told without what was asked for.
  const standing = await runCommand("page", [], edge);
  expect(standing.out).toBe(branded.out.replace(", made from it", ""));
  expect(after.components.map(({ name }) => name).toSorted()).toEqual(["Checkout", "Meanwhile", "Shop"]);
  expect(after.scheduled_maintenances.map(({ id, status }) => [id, status])).toEqual(
    before.scheduled_maintenances.map(({ id, status }) => [id, status]),
  );
  expect(after.components.find(({ name }) => name === "Checkout")?.status).toBe("under_maintenance");
  const page = async (): Promise<string> => (await edge.visit("/")).text();
  await eventually(async () => (await page()).includes("49x60"), WITHIN_MS, "the outage of forty days ago");
  // The whole quarter was observed: the journal's beginning came back too.
  expect(await page()).toMatch(/data-x="-0 49x60/);
  expect(await page()).not.toContain("History is being restored");
  await agent.push();
  expect(agent.observedGeneration).toBe(generation);
  const again = await edge.signIn();
  await eventually(
    async () => (await (await again.get("/admin/clusters/eu-1/keys")).text()).includes("Revoke this key of eu-1"),
    WITHIN_MS,
    "who speaks for the cluster",
  );
});

/** Writes a component's journal as if it had been there for as long. */
async function remember(url: string, id: string, changes: readonly (readonly [number, string])[]): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  for (const [at, status] of changes) {
    await client.query(
      "INSERT INTO board_fact (kind, key, revision, at, body) VALUES ('status_change', $1, 1, to_timestamp($2 / 1000.0), $3)",
      [`${id}:${at}`, at, { component: id, at, status }],
    );
  }
  const createdAt = changes[0]?.[0] ?? 0;
  await client.query(
    "UPDATE board_fact SET body = jsonb_set(body, '{createdAt}', to_jsonb($2::bigint)) WHERE kind = 'component' AND key = $1",
    [id, createdAt],
  );
  await client.end();
}
