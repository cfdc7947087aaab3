/** What operators announce from the command line: while Postgres is down, into the archive, and back from it. */
import { afterAll, beforeAll, expect, it } from "vitest";
import type { RunningDatabase } from "../../dev/database/database.ts";
import { startDatabase } from "../../dev/database/database.ts";
import { HOUR } from "../../protocol/time.ts";
import { announceExamples } from "../../dev/demo-announcements.ts";
import { runCommand } from "../support/command.ts";
import { Edge } from "../support/miniflare.ts";
import { eventually } from "../support/process.ts";
import { EdgeAgent, SERVICE } from "./agent.ts";
import { openArchive } from "./archive.ts";

const WITHIN_MS = 60_000;

let database: RunningDatabase;
let edge: Edge;
let agent: EdgeAgent;

interface Summary {
  readonly components: readonly { readonly name: string; readonly status: string }[];
  readonly incidents: readonly { readonly id: string; readonly name: string }[];
  readonly scheduled_maintenances: readonly { readonly id: string; readonly name: string }[];
}

beforeAll(async () => {
  database = await startDatabase({});
  edge = await Edge.start({ databaseEndpoint: database.endpoint, flushMs: 200 });
  agent = await EdgeAgent.start(edge, "eu-1");
  await edge.cli("PUT", "/cli/v1/components", {
    components: ["Checkout", "Search"].map((name) => ({ name, group: "Shop", services: [`eu-1/${SERVICE}`] })),
  });
  agent.close(1);
  await agent.push();
});

afterAll(async () => {
  await agent?.remove();
  await edge?.remove();
  await database?.stop();
});

const summary = async (): Promise<Summary> => (await edge.visit("/api/v2/summary.json")).json() as Promise<Summary>;
const statusOf = async (name: string) => (await summary()).components.find((one) => one.name === name)?.status;

/** Runs a command that must succeed; the columns of what it printed. */
async function run(
  name: "incident" | "announce" | "maintenance",
  ...args: readonly string[]
): Promise<readonly string[]> {
  const { code, out, problem } = await runCommand(name, args, edge);
  expect([code, problem]).toEqual([0, ""]);
  return out.trim().split(/ {2,}/);
}

it("what is announced while Postgres is down is shown at once, archived later, and there again after all is lost", async () => {
  const archive = openArchive(database.url);
  try {
    database.inject("refuse");
    const components = ["--component", "Shop / Checkout=major_outage"];
    const [incident = ""] = await run("incident", "open", "Checkout fails", ...components, "--message", "We **look**.");
    await eventually(async () => (await statusOf("Checkout")) === "major_outage", WITHIN_MS, "the outage on the page");
    expect(await statusOf("Search")).toBe("operational");
    const times = ["--from", "+60", "--to", "+120"];
    const wish = ["plan", "New disks", ...times, "--component", "Search"];
    const late = await runCommand("announce", wish, edge);
    expect([late.code, late.problem]).toEqual([1, expect.stringContaining("7 days before it starts")]);
    const [maintenance = ""] = await run("announce", ...wish, "--emergency");
    await run("incident", "update", incident, "--status", "identified", "--message", "A bad deploy.");
    await saysThatItWaits(incident, true);
    const held = await edge.cli<{ incidents: object[] }>("GET", "/cli/v1/incidents");
    expect(held.incidents).toMatchObject([{ id: incident, status: "identified", impact: "critical", updates: 2 }]);

    database.heal();
    await eventually(
      async () => (await archive.board("incident")).length > 0 && (await archive.board("announcement")).length > 0,
      WITHIN_MS,
      "both in Postgres",
    );
    await eventually(
      async () => JSON.stringify(await archive.board("incident")).includes("A bad deploy."),
      WITHIN_MS,
      "the newest update in Postgres",
    );
    await saysThatItWaits(incident, false);
    await edge.kill();
    edge.forget("Board");
    await edge.start();
    await eventually(async () => (await summary()).incidents.length > 0, WITHIN_MS, "the incident back");
    expect(await edge.cli("GET", "/cli/v1/incidents")).toEqual(held);
    expect((await summary()).scheduled_maintenances.map(({ id, name }) => [id, name])).toEqual([
      [maintenance, "New disks"],
    ]);
    expect(await statusOf("Checkout")).toBe("major_outage");

    agent.close(2);
    await agent.push();
    const [, status] = await run("incident", "resolve", incident, "--message", "Rolled back.");
    expect(status).toBe("resolved");
    await eventually(async () => (await statusOf("Checkout")) === "operational", WITHIN_MS, "the end on the page");
    const [, cancelled] = await run("announce", "cancel", maintenance);
    expect(cancelled).toBe("cancelled");
  } finally {
    await archive.close();
  }
});

it("a plan goes from the notice to the all-clear by commands alone, and so does what recurs", async () => {
  const components = [{ name: "Basket", services: [`eu-1/${SERVICE}`] }];
  await edge.cli("PUT", "/cli/v1/components", { components });
  const about = ["--component", "Basket"];
  const [id = "", planned] = await run(
    "maintenance",
    "plan",
    "New racks",
    "--from",
    "+0",
    "--to",
    "+60",
    "--emergency",
    ...about,
  );
  expect(planned).toBe("in_progress");
  const to = new Date(Date.now() + 3 * HOUR).toISOString();
  expect((await run("maintenance", "move", id, "--to", to))[3]).toBe(to);
  expect((await run("maintenance", "tick", id, "backup", "rollback"))[5]).toBe("emergency, checklist 2 of 13");
  expect((await run("maintenance", "verify", id))[1]).toBe("verifying");
  const early = await runCommand("maintenance", ["all-clear", id], edge);
  expect([early.code, early.problem]).toEqual([1, expect.stringContaining("This is no all-clear")]);
  expect((await run("maintenance", "all-clear", id, "--anyway"))[1]).toBe("completed");
  const recurs = ["--rule", "FREQ=WEEKLY;BYDAY=SU", "--start", "2026-12-06T03:00", "--hours", "1", ...about];
  const [series = "", , , next = ""] = await run("maintenance", "series", "Vacuum", ...recurs);
  expect(new Date(next).toISOString()).toMatch(/T03:00:00.000Z$/);
  const listed = (await runCommand("maintenance", ["list"], edge)).out;
  expect(listed).toMatch(new RegExp(`^${id}  completed .*\n(.*\n)*${series}  series`, "m"));
  const shown = JSON.parse((await runCommand("maintenance", ["show", id], edge)).out) as {
    plan: { notices: object[] };
  };
  expect(shown.plan.notices.length).toBeGreaterThan(1);
  expect((await run("maintenance", "end-series", series))[3]).toBe("ended");
});

/** Whether an incident's page, and the list, say that its newest state is not in Postgres yet. */
async function saysThatItWaits(id: string, isExpected: boolean): Promise<void> {
  const operator = await edge.signIn();
  const says = async (): Promise<readonly boolean[]> => {
    const [one, list] = await Promise.all([operator.get(`/admin/incidents/${id}`), operator.get("/admin/incidents")]);
    const [page, all] = [await one.text(), await list.text()];
    return [page.includes("is not in Postgres yet, since"), all.includes("Not in Postgres yet, since")];
  };
  const until = `the pages to say ${isExpected ? "" : "no more "}that it waits`;
  await eventually(async () => (await says()).every((said) => said === isExpected), WITHIN_MS, until);
}

it("what was said is mended from the command line: corrected, taken back, merged, reminded of, and explained", async () => {
  const [id = ""] = await run("incident", "open", "Cart fails", "--message", "It bgan.");
  await run("incident", "update", id, "--message", "Posted by mistake.");
  const shown = async () => {
    const { out } = await runCommand("incident", ["show", id], edge);
    return JSON.parse(out) as {
      status: string;
      updates: { id: string; body: string }[];
      postmortem?: { body: string };
      reminder?: object;
    };
  };
  const bodies = async () => (await shown()).updates.map(({ body }) => body);
  const [mistake, first] = (await shown()).updates.map((update) => update.id);
  await run("incident", "correct", id, first ?? "", "--message", "It began.", "--at", "2026-11-23T02:00:00Z");
  await run("incident", "delete", id, mistake ?? "");
  expect(await bodies()).toEqual(["It began."]);
  await run("incident", "remind", id, "--in", "45", "--promise");
  const { incidents } = await edge.cli<{ incidents: object[] }>("GET", "/cli/v1/incidents");
  expect(incidents).toContainEqual(expect.objectContaining({ id, startedAt: "2026-11-23T02:00:00.000Z" }));
  expect((await shown()).reminder).toMatchObject({ isPublic: true, by: "command line" });
  const [other = ""] = await run("incident", "open", "Basket fails", "--message", "Another word for it.");
  expect((await run("incident", "merge", other, "--into", id))[0]).toBe(id);
  expect((await bodies()).toSorted()).toEqual(["Another word for it.", "It began."]);
  await run("incident", "resolve", id, "--message", "Over.");
  const early = await runCommand("incident", ["postmortem", id, "--publish"], edge);
  expect([early.code, early.problem]).toEqual([1, expect.stringContaining("It has no draft")]);
  await run("incident", "postmortem", id, "--message", "A disk was full.");
  expect((await shown()).postmortem?.body).toBe("A disk was full.");
  expect((await run("incident", "postmortem", id, "--publish"))[1]).toBe("postmortem");
  expect(await shown()).toMatchObject({ status: "postmortem", updates: [{ body: "A disk was full." }, {}, {}, {}] });
  expect(await run("incident", "delete", id)).toEqual([id, "deleted", "Cart fails"]);
});

it("the demo's announcements are taken, and the one that is over says nothing of what is now", async () => {
  const names = ["Product catalog", "Payments", "Orders", "Ledger"];
  const components = names.map((name) => ({ name, services: [`eu-1/${SERVICE}`] }));
  await edge.cli("PUT", "/cli/v1/components", { components });
  agent.close(1);
  await agent.push();
  const operator = { url: edge.url, key: edge.secrets.OPERATOR_KEY };
  const lines = await announceExamples(operator, Date.now());
  for (const line of lines) expect((await fetch(line.split("  ")[1] ?? "")).status).toBe(200);
  const { incidents } = await edge.cli<{ incidents: object[] }>("GET", "/cli/v1/incidents");
  expect(incidents).toMatchObject([
    { name: "Checkout fails", status: "resolved" },
    { name: "Some payments fail", status: "identified", impact: "major" },
    { name: "Search was slow", status: "resolved", impact: "minor" },
  ]);
  await eventually(async () => (await statusOf("Payments")) === "partial_outage", WITHIN_MS, "the open one");
  expect(await statusOf("Product catalog")).toBe("operational");
});

it.each([
  ["incident", ["open", "x"], 2, "--message is needed"],
  ["incident", ["open", "x", "--message", "x", "--component", "Checkout"], 2, '"NAME=STATUS"'],
  ["incident", ["update", "nothing00000", "--message", "x"], 1, "nothing announced with the id"],
  [
    "announce",
    ["plan", "x", "--from", "2026-11-28T02:00:00", "--to", "+1", "--component", "Search"],
    2,
    "--from is a moment",
  ],
  ["incident", ["open", "x", "--message", "x", "--at", "2026-02-30T02:00:00Z"], 2, "there is no 2026-02-30"],
  ["announce", ["plan", "x", "--from", "+60", "--to", "+30", "--component", "Search"], 1, "it ends before it begins"],
  ["announce", ["cancel"], 2, "say which one"],
  ["maintenance", ["plan", "x", "--from", "+60", "--to", "+90", "--component", "Search"], 1, "7 days before it starts"],
] as const)("%s %j is refused in one line", async (name, args, code, problem) => {
  const answer = await runCommand(name, args, edge);
  expect([answer.code, answer.out]).toEqual([code, ""]);
  expect(answer.problem).toContain(problem);
  expect(answer.problem.trim().split("\n")).toHaveLength(1);
});
