/** A page as Statuspage's own clients see it, and as it is taken over by another one that reads it through that API. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { Statuspage } from "statuspage.io";
import * as v from "valibot";
import { startDatabase } from "../../dev/database/database.ts";
import type { RunningDatabase } from "../../dev/database/database.ts";
import { DAY, HOUR, MINUTE } from "../../protocol/time.ts";
import {
  ComponentsDocument,
  IncidentsDocument,
  MaintenancesDocument,
  SummaryDocument,
} from "../../worker/core/statuspage-schema.ts";
import { runCommand } from "../support/command.ts";
import { Edge } from "../support/miniflare.ts";
import { HOSTILE_BODY } from "../web/announcements.ts";

const DOCUMENTS = {
  components: ComponentsDocument,
  incidents: IncidentsDocument,
  "incidents/unresolved": IncidentsDocument,
  "scheduled-maintenances": MaintenancesDocument,
  "scheduled-maintenances/upcoming": MaintenancesDocument,
  "scheduled-maintenances/active": MaintenancesDocument,
  summary: SummaryDocument,
} as const;

const databases: RunningDatabase[] = [];
const edges: Edge[] = [];
let [first, second]: (Edge | undefined)[] = [];

async function startEdge(): Promise<Edge> {
  const database = await startDatabase({});
  databases.push(database);
  const edge = await Edge.start({ databaseEndpoint: database.endpoint, flushMs: 200 });
  edges.push(edge);
  return edge;
}

beforeAll(async () => {
  first = await startEdge();
  second = await startEdge();
  await announce(first);
});

afterAll(async () => {
  for (const edge of edges) await edge.remove();
  for (const database of databases) await database.stop();
});

/** The edges, once they run. */
function running(): readonly [Edge, Edge] {
  if (first === undefined || second === undefined) throw new Error("no edge runs");
  return [first, second];
}

const at = (agoMs: number): string => new Date(Date.now() - agoMs).toISOString();

function said(id: string, status: string, body: string, agoMs: number, affected: readonly object[] = []) {
  const moment = at(agoMs);
  return { id, status, body, createdAt: moment, updatedAt: moment, displayAt: moment, affected };
}

/** Components in groups and in none, an incident that is over, one that is not, and maintenances of each kind. */
async function announce(edge: Edge): Promise<void> {
  const component = (id: string, name: string, group: string | null, description: string | null) => {
    return { id, name, group, description, createdAt: at(400 * DAY) };
  };
  await edge.cli("PUT", "/cli/v1/import/components", {
    components: [
      component("payments0000", "Payments", "Platform / Shop", "Cards and transfers"),
      component("search000000", "Search", "Platform / Shop", null),
      component("website00000", "Website", null, null),
    ],
  });
  const hurt = { component: "payments0000", name: "Payments", from: "operational", to: "partial_outage" };
  const incident = (id: string, name: string, agoMs: number, updates: readonly object[]) => {
    return { id, name, impact: "major", createdAt: at(agoMs), updatedAt: at(agoMs), startedAt: at(agoMs), updates };
  };
  const maintenance = (id: string, name: string, agoMs: number, updates: readonly object[]) => {
    const moments = {
      createdAt: at(Math.abs(agoMs) + DAY),
      updatedAt: at(Math.abs(agoMs) + DAY),
      startsAt: at(agoMs),
      endsAt: at(agoMs - HOUR),
    };
    return { id, name, ...moments, endedAt: null, components: ["website00000"], updates };
  };
  await edge.cli("PUT", "/cli/v1/import/announced", {
    incidents: [
      incident("open00000000", "Some payments fail", HOUR, [
        said("open0000000a", "investigating", "We look into it.", HOUR, [hurt]),
        said("open0000000b", "identified", HOSTILE_BODY.replaceAll("\r", ""), 10 * MINUTE),
      ]),
      incident("over00000000", "Search was slow", 100 * DAY, [
        said("over0000000a", "investigating", "It takes 8 s.", 100 * DAY, [{ ...hurt, component: "search000000" }]),
        said("over0000000b", "monitoring", "A new index is there.", 100 * DAY - HOUR),
        said("over0000000c", "resolved", "As fast as before.", 100 * DAY - 2 * HOUR),
        said("over0000000d", "postmortem", "What happened.", 99 * DAY),
      ]),
    ],
    maintenances: [
      maintenance("coming000000", "Database upgrade", -2 * DAY, [
        said("coming00000a", "scheduled", "Ten minutes.", DAY),
      ]),
      maintenance("running00000", "New network cards", 10 * MINUTE, []),
      { ...maintenance("ended0000000", "Disks", 20 * DAY, []), endedAt: at(20 * DAY - 30 * MINUTE) },
      { ...maintenance("cancelled000", "Cables", -3 * DAY, []), endedAt: at(HOUR) },
    ],
  });
}

async function document(edge: Edge, name: string): Promise<object> {
  return (await edge.visit(`/api/v2/${name}.json`)).json() as Promise<object>;
}

/** Without what is of one page alone: its name, where it stands, and when it was looked at. */
function comparable(text: object, edge: Edge): unknown {
  const { id } = (text as { page: { id: string } }).page;
  return JSON.parse(JSON.stringify(text).replaceAll(edge.url, "").replaceAll(id, "page"), (key, value: unknown) =>
    key === "updated_at" ? null : value,
  ) as unknown;
}

describe("statuspage.io 3.3.8, a client of Statuspage's", () => {
  function client(): Statuspage {
    const made = new Statuspage("any");
    made.setApiUrl(running()[0].url);
    return made;
  }

  it("reads the roll-up, the summary and the components", async () => {
    const { api } = client();
    expect((await api.getStatus()).status).toEqual({
      indicator: "major",
      description: "Partial System Outage",
    });
    const { components } = await api.getComponents();
    expect(components.map(({ name, group }) => [name, group])).toEqual([
      ["Platform / Shop", true],
      ["Payments", false],
      ["Search", false],
      ["Website", false],
    ]);
    const summary = await api.getSummary();
    expect(summary.components).toEqual(components);
    expect(summary.incidents.map(({ id }) => id)).toEqual(["open00000000"]);
  });

  it("reads incidents and maintenances", async () => {
    const { incidents, scheduledMaintenances } = client().api;
    const all = await incidents.getAll();
    expect(all.incidents.map(({ id, status }) => [id, status])).toEqual([
      ["open00000000", "identified"],
      ["over00000000", "postmortem"],
    ]);
    expect((await incidents.getUnresolved()).incidents.map(({ id }) => id)).toEqual(["open00000000"]);
    const upcoming = await scheduledMaintenances.getUpcoming();
    expect(upcoming.scheduled_maintenances.map(({ id, status }) => [id, status])).toEqual([
      ["coming000000", "scheduled"],
    ]);
    for (const list of [await scheduledMaintenances.getAll(), await scheduledMaintenances.getActive()])
      expect(list.scheduled_maintenances).toEqual(upcoming.scheduled_maintenances);
  });

  it("is told that it cannot subscribe or unsubscribe, and nothing breaks", async () => {
    const { subscribers } = client().api;
    await expect(subscribers.createPageSubscription({ email: "a@example.com" })).rejects.toThrow("405");
    await expect(subscribers.removeSubscription("a")).rejects.toThrow("405");
  });
});

describe("npm run import", () => {
  it("says with --dry-run what it would take over, without a system to write to", async () => {
    const { code, out, problem } = await runCommand("import", [running()[0].url, "--dry-run"], null);
    expect(code).toBe(0);
    expect(problem.split("\n").filter((line) => line.startsWith("reading http"))).toHaveLength(3);
    expect(out).toContain("3 components in 1 group\n  Platform / Shop: Payments\n");
    expect(out).toContain("2 incidents\n");
    expect(out).toContain("4 maintenances\n");
    expect(out).toContain("Nothing was written");
    expect(await document(running()[1], "components")).toMatchObject({ components: [] });
  });

  it("makes of an empty page one that answers as the other does", async () => {
    const [from, to] = running();
    const { code, out, problem } = await runCommand("import", [from.url], to);
    expect([code, out]).toEqual([
      0,
      "3 components added, 0 known already\n" +
        "incidents: 2 added, 0 brought up to date, 0 unchanged\n" +
        "maintenances: 4 added, 0 brought up to date, 0 unchanged\n" +
        "Nothing is known of them yet: say what each component stands for, in the admin under Components.\n",
    ]);
    expect(problem).toContain("writing 3 components");
    for (const [name, schema] of Object.entries(DOCUMENTS)) {
      const [one, other] = [await document(from, name), await document(to, name)];
      expect(v.safeParse(schema as v.GenericSchema, other).issues).toBeUndefined();
      expect([name, comparable(other, to)]).toEqual([name, comparable(one, from)]);
    }
  });

  it("changes nothing when it is done again", async () => {
    const [from, to] = running();
    const before = comparable(await document(to, "incidents"), to);
    const { code, out } = await runCommand("import", [from.url], to);
    expect([code, out]).toEqual([
      0,
      "0 components added, 3 known already\n" +
        "incidents: 0 added, 0 brought up to date, 2 unchanged\n" +
        "maintenances: 0 added, 0 brought up to date, 4 unchanged\n",
    ]);
    expect(comparable(await document(to, "incidents"), to)).toEqual(before);
  });

  it.each([
    ["no address", ["nowhere"], 1, "is no address"],
    ["an address without TLS", ["http://status.example.com"], 1, "only https is"],
    ["no argument", [], 2, "name one address"],
  ] as const)("refuses %s in one line", async (_name, args, expected, words) => {
    const { code, out, problem } = await runCommand("import", args, null);
    expect([code, out, problem.trim().split("\n").length]).toEqual([expected, "", 1]);
    expect(problem).toContain(words);
  });

  it.each([
    ["another program", 200, "<html>", "is not what Statuspage's API answers"],
    ["one that is not there", 404, "{}", "answered 404"],
    ["one that moved", 301, "", "leads to https://elsewhere.example"],
    ["one that never ends", 200, null, "too much"],
  ] as const)("says what is wrong with %s", async (_name, status, body, words) => {
    const server = createServer((_, response) => {
      response.writeHead(status, status === 301 ? { location: "https://elsewhere.example/api" } : {});
      const chunk = "x".repeat(1_048_576);
      const more = (): void => {
        while (!response.destroyed && response.write(chunk));
      };
      if (body !== null) response.end(body);
      else more();
      response.on("drain", more);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const { code, out, problem } = await runCommand("import", [`http://127.0.0.1:${port}`, "--dry-run"], null);
    expect([code, out]).toEqual([1, ""]);
    expect(problem.trim().split("\n").at(-1)).toContain(words);
  });
});
