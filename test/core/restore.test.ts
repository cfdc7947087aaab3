import { describe, expect, it } from "vitest";
import { DAY, HOUR, MINUTE } from "../../protocol/time.ts";
import type { Archived, Held } from "../../worker/core/restore.ts";
import { joinedChanges, restored } from "../../worker/core/restore.ts";
import { NOON, component, maintenance } from "../support/facts.ts";

const NEW_PAGE = { id: "new", name: "Acme", timeZone: "Etc/UTC", createdAt: NOON };
const EMPTY: Held = {
  page: NEW_PAGE,
  components: [],
  maintenances: new Map(),
  announcements: new Map(),
  incidents: new Map(),
  series: new Map(),
  clusters: new Map(),
};

const archived = (kind: string, body: object): Archived => ({ kind, body: { ...body } });

describe("a Board with empty storage", () => {
  it("has its page, clusters, components and maintenances back as they were", () => {
    const page = { id: "old", name: "Former name", timeZone: "Europe/Berlin", createdAt: NOON - 90 * DAY };
    const cluster = { cluster: "eu-1", createdAt: NOON - DAY };
    const documents = [
      archived("cluster", cluster),
      archived("component", component()),
      archived("maintenance", maintenance()),
      archived("page", page),
    ];
    expect(restored(documents, EMPTY, NOON)).toEqual({
      // What the deployment says of name and zone is newer than the archive.
      page: { ...NEW_PAGE, id: "old", createdAt: NOON - 90 * DAY },
      components: [component()],
      rejoined: [],
      maintenances: [maintenance()],
      announcements: [],
      incidents: [],
      merged: [],
      series: [],
      unsure: [],
      clusters: [{ ...cluster, keys: [] }],
    });
  });

  it("has what recurs back, and what somebody changed of it meanwhile stands", () => {
    const series = { id: "series000000", name: "Database maintenance" };
    const documents = [archived("series", series)];
    expect(restored(documents, EMPTY, NOON).series).toEqual([series]);
    const held = new Map([[series.id, { ...series, name: "Another" }]]) as unknown as Held["series"];
    expect(restored(documents, { ...EMPTY, series: held }, NOON).series).toEqual([]);
  });

  it("judges by the limits that were set for all components, and by newer ones if somebody set them meanwhile", () => {
    const limits = { errorRatioPartial: 0.02 };
    const documents = [archived("page", { ...NEW_PAGE, id: "old", thresholds: limits })];
    expect(restored(documents, EMPTY, NOON).page.thresholds).toEqual(limits);
    const newer = { ...EMPTY, page: { ...NEW_PAGE, thresholds: { p95Ms: 250 } } };
    expect(restored(documents, newer, NOON).page.thresholds).toEqual({ p95Ms: 250 });
  });

  it("has the charts that an operator chose", () => {
    const metrics = [{ id: "responsetime", name: "", kind: "p95", component: null } as const];
    const documents = [archived("page", { ...NEW_PAGE, id: "old", metrics })];
    expect(restored(documents, EMPTY, NOON).page.metrics).toEqual(metrics);
  });

  it("has nothing of what was removed, and no maintenance that no page shows any more", () => {
    const documents = [
      archived("component", { ...component(), removedAt: NOON }),
      archived("maintenance", maintenance({ endsAt: NOON - 93 * DAY })),
    ];
    expect(restored(documents, EMPTY, NOON)).toMatchObject({ components: [], maintenances: [] });
  });

  it("keeps what people wrote meanwhile, and what is of the same name goes on under its old id", () => {
    const changed = component({ id: "anew00000000", services: ["eu-1/shop/other"], createdAt: NOON, position: 1 });
    const held = { ...EMPTY, components: [changed, component({ id: "extra0000000", name: "Extra" })] };
    const old = component({ createdAt: NOON - DAY, position: 7 });
    const { components, rejoined } = restored([archived("component", old)], held, NOON);
    expect(components).toEqual([]);
    expect(rejoined).toEqual([
      { id: "anew00000000", component: { ...changed, id: old.id, createdAt: NOON - DAY, position: 7 } },
    ]);
  });

  it("of a component published anew without its limits and its address has those that it had", () => {
    const old = component({
      thresholds: { p95Ms: 250 },
      url: "https://shop.example.com/",
      slo: { target: 0.99, isPublic: true },
    });
    const { id: _, ...wish } = component({ thresholds: { p95Ms: 900 } });
    const held = { ...EMPTY, components: [{ ...wish, id: "anew00000000" }] };
    const [rejoined] = restored([archived("component", old)], held, NOON).rejoined;
    expect(rejoined?.component).toEqual({ ...old, thresholds: { p95Ms: 900 } });
  });

  it("asked again for what it has by now changes nothing", () => {
    const held = {
      ...EMPTY,
      components: [component({ name: "Renamed meanwhile" })],
      maintenances: new Map([[maintenance().id, maintenance({ endedAt: NOON })]]),
      clusters: new Map([["eu-1", { cluster: "eu-1", createdAt: NOON, keys: [] }]]),
    };
    const documents = [
      archived("cluster", { cluster: "eu-1", createdAt: 1 }),
      archived("component", component()),
      archived("maintenance", maintenance()),
    ];
    expect(restored(documents, held, NOON)).toMatchObject({
      components: [],
      maintenances: [],
      clusters: [],
      unsure: [],
    });
  });

  it.each([
    ["in force is not started again", {}, []],
    ["whose lease was on its way is sent again", { generation: null }, ["set"]],
    ["that was ended has its lease taken back, should it still be there", { endedAt: NOON }, ["release"]],
    ["that is over needs nothing", { endsAt: NOON, generation: null }, []],
  ])("a maintenance %s", (_name, facts, acts) => {
    const { unsure } = restored([archived("maintenance", maintenance(facts))], EMPTY, NOON + MINUTE);
    expect(unsure.map(({ act }) => act)).toEqual(acts);
  });
});

describe("a journal that comes back", () => {
  const change = (hours: number, status: "operational" | "unknown" | "major_outage") => ({
    component: "c",
    at: NOON + hours * HOUR,
    status,
  });

  it.each([
    ["stands before what was recorded since", [change(-2, "operational")], [change(0, "unknown")], [-2, 0]],
    ["says once what held before the gap and after it", [change(-2, "operational")], [change(0, "operational")], [-2]],
    ["is told of a moment only once", [change(0, "major_outage")], [change(0, "unknown")], [0]],
    ["may come in parts", [change(-3, "unknown")], [change(-2, "operational"), change(0, "unknown")], [-3, -2, 0]],
  ])("%s", (_name, back, since, hours) => {
    expect(joinedChanges(back, since).map(({ at }) => (at - NOON) / HOUR)).toEqual(hours);
  });
});
