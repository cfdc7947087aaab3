/** A real Alertmanager, in a high-availability pair, into a real edge: what fires and resolves is told once. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { RunningDatabase } from "../../dev/database/database.ts";
import { startDatabase } from "../../dev/database/database.ts";
import { Alertmanager } from "../support/alertmanager.ts";
import { runCommand } from "../support/command.ts";
import { Edge } from "../support/miniflare.ts";
import { eventually } from "../support/process.ts";
import { openArchive } from "./archive.ts";
import type { Archive } from "./archive.ts";

const CLUSTER = "eu-1";
const WITHIN_MS = 60_000;

let directory: string;
let database: RunningDatabase;
let archive: Archive;
let edge: Edge;
let pair: [Alertmanager, Alertmanager];

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "observatory-alertmanager-"));
  database = await startDatabase({});
  archive = openArchive(database.url);
  edge = await Edge.start({ databaseEndpoint: database.endpoint, flushMs: 200 });
  await edge.cli("PUT", "/cli/v1/components", {
    components: ["Checkout", "Search"].map((name) => ({
      name,
      group: "Shop",
      services: [`${CLUSTER}/shop/${name.toLowerCase()}`],
    })),
  });
  const rules = ["Checkout", "Search"].map(
    (name) => `  - { name: ${name}, match: { severity: [critical, page], service: ${name.slice(0, 4).toLowerCase()}* },
      components: [{ component: Shop / ${name}, status: major_outage }] }`,
  );
  writeFileSync(join(directory, "rules.yaml"), ["rules:", ...rules].join("\n"));
  expect((await run("drafts", "rules", join(directory, "rules.yaml"))).split("\n")).toHaveLength(2);
  const token = await run("ingest", "token", CLUSTER);
  pair = await Alertmanager.pair(directory, `${edge.url}/ingest/alertmanager`, token);
  await eventually(async () => (await pair[0].peers()) === 2, WITHIN_MS, "the pair to find itself");
});

afterAll(async () => {
  await Promise.all((pair ?? []).map((one) => one.program.kill9()));
  await edge?.remove();
  await archive?.close();
  await database?.stop();
  rmSync(directory, { recursive: true, force: true });
});

/** A command that must succeed; what it printed. */
async function run(...[name, ...args]: readonly [string, ...string[]]): Promise<string> {
  const { code, out, problem } = await runCommand(name, args, edge);
  expect([code, problem]).toEqual([0, ""]);
  return out.trim();
}

interface Drafts {
  readonly drafts: readonly {
    readonly id: string;
    readonly state: string;
    readonly rule: string;
    readonly title: string;
  }[];
}

async function draftStates(): Promise<Readonly<Record<string, string>>> {
  const { drafts } = await edge.cli<Drafts>("GET", "/cli/v1/drafts");
  return Object.fromEntries(drafts.map(({ rule, state }) => [rule, state]));
}

async function untilHappened(what: readonly string[]): Promise<void> {
  const said = async (): Promise<boolean> => (await archive.happened(CLUSTER)).length >= what.length;
  await eventually(said, WITHIN_MS, `${what.join(", ")} in Postgres`);
  expect(await archive.happened(CLUSTER)).toEqual(what);
}

/** Prometheus tells every Alertmanager that there is. */
async function tellAll(alert: Parameters<Alertmanager["tell"]>[0], to: readonly Alertmanager[] = pair): Promise<void> {
  await Promise.all(to.map((one) => one.tell(alert)));
}

it("alerts fire and resolve once, though one of the pair is killed and the edge starts again in between", async () => {
  const [a, b] = pair;
  const begun = Date.now();
  const checkout = { name: "CheckoutFails", service: "checkout", startsAt: begun };
  const search = { name: "SearchFails", service: "search", startsAt: begun + 1 };
  await tellAll(checkout);
  await untilHappened(["alert.fired CheckoutFails"]);
  await eventually(async () => (await draftStates())["Checkout"] === "open", WITHIN_MS, "a draft");
  const both = async () => (await a.notified()) > 0 && (await b.notified()) > 0;
  await eventually(both, WITHIN_MS, "both of the pair to have told it");

  // The one that notifies first dies; the other goes on alone.
  await a.program.kill9();
  await tellAll(search, [b]);
  await untilHappened(["alert.fired CheckoutFails", "alert.fired SearchFails"]);

  // What resolves while the edge is away is told when it is back; the other of the pair is back by then too.
  await edge.kill();
  await tellAll({ ...checkout, endsAt: Date.now() }, [b]);
  a.program.launch();
  await edge.start();
  await eventually(async () => (await archive.happened(CLUSTER)).length >= 3, WITHIN_MS, "the end of the first");
  await eventually(async () => (await draftStates())["Checkout"] === "over", WITHIN_MS, "the draft to be over");
  await a.program.untilReady();
  await eventually(async () => (await b.peers()) === 2, WITHIN_MS, "the pair to find itself again");
  await tellAll({ ...search, endsAt: Date.now() });
  await eventually(async () => (await archive.happened(CLUSTER)).length >= 4, WITHIN_MS, "the end of the second");
  await eventually(async () => (await draftStates())["Search"] === "over", WITHIN_MS, "the second draft to be over");

  expect(new Set(await archive.happened(CLUSTER))).toEqual(
    new Set([
      "alert.fired CheckoutFails",
      "alert.fired SearchFails",
      "alert.resolved CheckoutFails",
      "alert.resolved SearchFails",
    ]),
  );
  expect(await archive.happened(CLUSTER)).toHaveLength(4);
  // Neither did a delivery that was known already become a number.
  expect(await archive.numbers(CLUSTER)).toHaveLength(4);
  const { drafts } = await edge.cli<Drafts>("GET", "/cli/v1/drafts");
  expect(drafts.map(({ state, rule }) => `${rule} ${state}`).toSorted()).toEqual(["Checkout over", "Search over"]);

  const [draft] = drafts;
  const published = await run(
    "drafts",
    "publish",
    draft?.id ?? "",
    "--message",
    "It is over.",
    "--name",
    "All was down",
  );
  expect(published).toMatch(/^[a-z0-9]{12} {2}All was down$/);
  expect(await run("drafts", "list")).toContain(`${draft?.id}  published`);
});
