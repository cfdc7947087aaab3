/** A page as Statuspage's own clients see it, and as it is taken over by another one that reads it through that API. */
import { createServer } from "node:http";
import type { ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { Statuspage } from "statuspage.io";
import * as v from "valibot";
import { originOf, readForeignPage } from "../../dev/cli/foreign-page.ts";
import { startDatabase } from "../../dev/database/database.ts";
import type { RunningDatabase } from "../../dev/database/database.ts";
import { printable } from "../../protocol/name.ts";
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
        said("open0000000b", "identified", printable(HOSTILE_BODY.replaceAll("\r", "")), 10 * MINUTE),
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

/** Another program that answers over HTTP until the test is over; its address. */
async function serving(answer: (path: string, response: ServerResponse) => void): Promise<string> {
  const server = createServer(({ url = "" }, response) => answer(url, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe("npm run import", () => {
  it("says with --dry-run what it would take over, without a system to write to", async () => {
    const { code, out, problem } = await runCommand("import", [running()[0].url, "--dry-run"], null);
    expect(code).toBe(0);
    expect(problem.split("\n").filter((line) => line.startsWith("reading http"))).toHaveLength(3);
    expect(out).toContain("3 components in 1 group\n  Platform / Shop: Payments\n");
    expect(out).toContain(" in Etc/UTC (here PAGE_TIME_ZONE says it) has\n");
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
        "open: open00000000  identified  Some payments fail\n" +
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
        "maintenances: 0 added, 0 brought up to date, 4 unchanged\n" +
        "open: open00000000  identified  Some payments fail\n",
    ]);
    expect(comparable(await document(to, "incidents"), to)).toEqual(before);
  });

  it("refuses what is no address of a page, in one line", async () => {
    for (const [address, words] of [
      ["nowhere", "is no address"],
      ["http://status.example.com", "only https is"],
      ["file:///etc/passwd", "only https is"],
    ] as const)
      expect(() => originOf(address)).toThrow(words);
    const { code, out, problem } = await runCommand("import", [], null);
    expect([code, out, problem.split("\n")[0]]).toEqual([2, "", "name one address to read; --help shows how"]);
  });

  it("reads a page that is old, and one that has gone on since", async () => {
    const [, to] = running();
    const page = { id: "x", name: "Old", url: "https://old.example" };
    const moment = "2021-03-04T05:06:07.089-08:00";
    const row = { id: "c1", name: "Old\u0007 API", created_at: moment, status: "operational", group_id: "gone" };
    const update = { id: "u1", status: "investigating", body: "<b>Hm</b>\u0000\r\nlook", created_at: moment };
    const incident = { id: "5", name: "", status: "resolved", impact: "minor", created_at: moment, components: [row] };
    const documents: Record<string, object> = {
      "/api/v2/components.json": { page, components: [row, { ...row, id: "c2", name: "Website", group_id: null }] },
      "/api/v2/incidents.json": { page, incidents: [{ ...incident, incident_updates: [update] }] },
      "/api/v2/scheduled-maintenances.json": { page, scheduled_maintenances: [] },
    };
    const url = await serving((path, response) => void response.end(JSON.stringify(documents[path] ?? {})));
    const first = await runCommand("import", [url], to);
    expect([first.code, first.problem, first.out.split("\n").slice(0, 2)]).toEqual([
      0,
      expect.any(String),
      ["1 component added, 1 known already", "incidents: 1 added, 0 brought up to date, 0 unchanged"],
    ]);
    const { incidents } = v.parse(IncidentsDocument, await document(to, "incidents"));
    const told = incidents.find(({ name }) => name === "Untitled");
    expect(told).toMatchObject({ started_at: "2021-03-04T13:06:07.089Z", impact: "minor" });
    expect(told?.components.map(({ name, group_id: group }) => [name, group])).toEqual([["Old API", null]]);
    expect(told?.incident_updates.map(({ body }) => body)).toEqual(["", "<b>Hm</b> \nlook"]);
    // It said "resolved", and no update of it did: else it would be open here for ever.
    expect([told?.status, told?.resolved_at]).toEqual(["resolved", "2021-03-04T13:06:07.089Z"]);
    const news = { ...update, id: "u2", status: "resolved", body: "Over.", created_at: "2021-03-04T16:00:00Z" };
    documents["/api/v2/incidents.json"] = {
      page,
      incidents: [{ ...incident, updated_at: "2021-03-05T06:00:00Z", incident_updates: [news, update] }],
    };
    const again = await runCommand("import", [url], to);
    expect(again.out).toContain("incidents: 0 added, 1 brought up to date, 0 unchanged");
    const after = v.parse(IncidentsDocument, await document(to, "incidents"));
    expect(after.incidents.find(({ id }) => id === told?.id)?.incident_updates[0]?.body).toBe("Over.");
  });

  it("reads a page that serves only a part of the API: no ids of updates, null for nothing, a list that is not there", async () => {
    const moment = "2026-11-23 10:00 UTC";
    const page = { id: "x", name: "Part", url: "https://part.example" };
    const update = { status: "investigating", body: "Hm", created_at: moment, display_at: "0001-01-01T00:00:00Z" };
    const incident = { id: "part1", name: "Open", status: "investigating", created_at: moment };
    const documents: Record<string, object> = {
      "/api/v2/components.json": { page, components: null },
      "/api/v2/scheduled-maintenances.json": { page, scheduled_maintenances: null },
      "/api/v2/summary.json": { page, components: [], incidents: [{ ...incident, incident_updates: [update] }] },
    };
    const url = await serving((path, response) => {
      response.statusCode = documents[path] === undefined ? 404 : 200;
      response.end(JSON.stringify(documents[path] ?? {}));
    });
    const said: string[] = [];
    const read = await readForeignPage(url, (line) => said.push(line));
    expect([read.components, read.maintenances]).toEqual([[], []]);
    expect(read.incidents.map(({ name, updates }) => [name, updates.length])).toEqual([["Open", 1]]);
    expect(read.incidents[0]?.updates[0]?.id).toMatch(/^[0-9a-z]{12}$/);
    expect(read.incidents[0]?.updates[0]?.displayAt).toBe("2026-11-23T10:00:00.000Z");
    expect(said.join("\n")).toContain("/api/v2/incidents.json answered 404: only what is open");
  });

  it("has the bounds that hold for what is announced here", async () => {
    const [, to] = running();
    const open = (n: number, bodies: readonly string[]) => ({
      id: `bound${String(n).padStart(7, "0")}`,
      name: `Number ${n}`,
      impact: "none",
      createdAt: at(HOUR),
      updatedAt: at(HOUR),
      startedAt: at(HOUR),
      updates: bodies.map((body, i) =>
        said(`u${String(n).padStart(3, "0")}${String(i).padStart(8, "0")}`, "identified", body, i),
      ),
    });
    const put = (incidents: readonly object[]) =>
      to.cli("PUT", "/cli/v1/import/announced", { incidents, maintenances: [] });
    await expect(
      put([
        open(
          1,
          Array.from({ length: 25 }, () => "x".repeat(25_000)),
        ),
      ]),
    ).rejects.toThrow(/413.*Number 1/);
    const many = Array.from({ length: 101 }, (_, n) => open(n, [""]));
    await expect(put(many)).rejects.toThrow(/409.*too many incidents/);
    expect(v.parse(IncidentsDocument, await document(to, "incidents/unresolved")).incidents).toHaveLength(1);
  });

  it("leaves components that somebody can map: by group and name, under the id that they had", async () => {
    const [, to] = running();
    const mapped = { name: "Search", group: "Platform / Shop", services: ["eu-1/shop/search"] };
    await to.cli("PUT", "/cli/v1/components", { components: [mapped] });
    const { components } = v.parse(ComponentsDocument, await document(to, "components"));
    expect(components.filter(({ name }) => name === "Search").map(({ id }) => id)).toEqual(["search000000"]);
    const operator = await to.signIn();
    for (const path of ["/admin", "/admin/components/website00000"])
      expect([path, (await operator.get(path)).status]).toEqual([path, 200]);
  });

  it("learns nothing from the page itself, also of a maintenance that has a target", async () => {
    const [, to] = running();
    const lease = { service: "eu-1/shop/search", reason: "new disks" };
    const times = { startsAt: at(-HOUR), endsAt: at(-2 * HOUR), emergency: true };
    await to.cli("POST", "/cli/v1/maintenances", { name: "Index", ...times, lease });
    const before = v.parse(MaintenancesDocument, await document(to, "scheduled-maintenances"));
    expect(before.scheduled_maintenances.map(({ name }) => name)).toContain("Index");
    const { out } = await runCommand("import", [to.url], to);
    expect(out).toMatch(/^0 components added.*\nincidents: 0 added, 0 .*\nmaintenances: 0 added, 0 /);
    const after = v.parse(MaintenancesDocument, await document(to, "scheduled-maintenances"));
    expect(after.scheduled_maintenances).toHaveLength(before.scheduled_maintenances.length);
  });

  it.each([
    ["another program", 200, "<html>", "is not what Statuspage's API answers"],
    ["one that is not there", 404, "{}", "answered 404"],
    ["one that moved", 301, "", "leads to https://elsewhere.example"],
    ["one that never ends", 200, null, "too much"],
  ] as const)("says what is wrong with %s", async (_name, status, body, words) => {
    const url = await serving((_path, response) => {
      response.writeHead(status, status === 301 ? { location: "https://elsewhere.example/api" } : {});
      const chunk = "x".repeat(1_048_576);
      const more = (): void => {
        while (!response.destroyed && response.write(chunk));
      };
      if (body !== null) response.end(body);
      else more();
      response.on("drain", more);
    });
    const said: string[] = [];
    await expect(readForeignPage(url, (line) => said.push(line))).rejects.toThrow(words);
    expect(said).toEqual([`reading ${url}/api/v2/components.json`]);
  });
});
