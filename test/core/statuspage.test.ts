/** Statuspage's eight documents in every state there is, to the byte, and as strictly as its clients read them. */
import { describe, expect, it } from "vitest";
import * as v from "valibot";
import type { PageComponent, PageIncident, PageLog, PageMaintenance, PageSnapshot } from "../../protocol/page.ts";
import { isUnresolved } from "../../protocol/page.ts";
import { INDICATORS } from "../../protocol/status.ts";
import { DAY, HOUR, MINUTE, SECOND } from "../../protocol/time.ts";
import {
  activeDocument,
  componentsDocument,
  incidentsDocument,
  maintenancesDocument,
  statusDocument,
  summaryDocument,
  unresolvedDocument,
  upcomingDocument,
} from "../../worker/core/statuspage.ts";
import {
  ComponentsDocument,
  IncidentsDocument,
  MaintenancesDocument,
  StatusDocument,
  SummaryDocument,
} from "../../worker/core/statuspage-schema.ts";
import { announced, HOSTILE_BODY, HOSTILE_NAME, incident, update } from "../web/announcements.ts";
import { component, NOW, said, snapshot } from "../web/snapshots.ts";

const ORIGIN = "https://status.example.com";
const HEARD = NOW - 8 * SECOND;

const DOCUMENTS = {
  "/api/v2/status.json": [statusDocument, StatusDocument],
  "/api/v2/summary.json": [summaryDocument, SummaryDocument],
  "/api/v2/components.json": [componentsDocument, ComponentsDocument],
  "/api/v2/incidents.json": [incidentsDocument, IncidentsDocument],
  "/api/v2/incidents/unresolved.json": [unresolvedDocument, IncidentsDocument],
  "/api/v2/scheduled-maintenances.json": [maintenancesDocument, MaintenancesDocument],
  "/api/v2/scheduled-maintenances/upcoming.json": [upcomingDocument, MaintenancesDocument],
  "/api/v2/scheduled-maintenances/active.json": [activeDocument, MaintenancesDocument],
} as const;

/** What was announced, as the projection hands it over: all of it in the log, and what is new on the page. */
interface Announced {
  readonly incidents?: readonly PageIncident[];
  readonly maintenances?: readonly PageMaintenance[];
}

interface Facts {
  readonly snapshot: PageSnapshot;
  readonly log: PageLog;
}

function page(components: readonly PageComponent[], { incidents = [], maintenances = [] }: Announced = {}): Facts {
  const zone = { id: "page00000001", name: "Acme status", timeZone: "America/Los_Angeles", createdAt: NOW - 200 * DAY };
  return {
    snapshot: snapshot(components, {
      page: zone,
      incidents: incidents.filter(isUnresolved),
      maintenances: maintenances.filter(({ status }) => status !== "completed"),
    }),
    log: { version: 7, incidents, maintenances },
  };
}

/** Payments in a group of a group, beside one that is well and in no group. */
function twoComponents(status: Parameters<typeof said>[0], why: string | null): readonly PageComponent[] {
  const outlook = said(status, NOW - 14 * MINUTE, why, HEARD);
  return [
    component(1, { group: "Platform / Shop", description: "Cards and transfers", outlook, days: [] }),
    component(2, { group: null, name: "Website", days: [] }),
  ];
}

const over = incident({
  id: "incident0000",
  name: "Search was slow",
  status: "postmortem",
  impact: "minor",
  createdAt: NOW - 3 * DAY,
  updatedAt: NOW - 2 * DAY,
  startedAt: NOW - 3 * DAY,
  monitoringAt: NOW - 3 * DAY + HOUR,
  resolvedAt: NOW - 3 * DAY + 2 * HOUR,
  components: ["component999"],
  updates: [
    update("over00000002", "postmortem", "What happened, and why it will not happen again.", NOW - 2 * DAY),
    update("over00000001", "resolved", "Searches are as fast as before.", NOW - 3 * DAY + 2 * HOUR),
  ],
});
const running = announced({
  id: "announced002",
  name: "New network cards",
  status: "in_progress",
  startsAt: NOW - 10 * MINUTE,
  endsAt: NOW + HOUR,
  components: ["component001"],
  updates: [],
  confirmed: true,
});
const verified = announced({
  id: "announced003",
  status: "completed",
  startsAt: NOW - 9 * DAY,
  endsAt: NOW - 9 * DAY + HOUR,
  components: ["component002"],
  updates: [
    update("verified0002", "verifying", "It runs; we look closely.", NOW - 9 * DAY + 50 * MINUTE),
    update("verified0001", "scheduled", "Ten minutes of downtime.", NOW - 12 * DAY, [
      { component: "component002", name: "Website", from: "unknown", to: "under_maintenance" },
    ]),
  ],
});
const cancelled = announced({ id: "announced004", status: "completed", cancelledAt: NOW - DAY, components: [] });

/** Every state that has an answer of its own, with the roll-up that a client shows. */
const STATES = {
  operational: page(twoComponents("operational", null)),
  degraded: page(twoComponents("degraded_performance", "Answers are slower than they should be.")),
  partial: page(twoComponents("partial_outage", "About 3 in 10 requests fail."), { incidents: [incident(), over] }),
  major: page(twoComponents("major_outage", "It is not running.")),
  maintenance: page(twoComponents("under_maintenance", "New network cards"), {
    maintenances: [announced(), running, cancelled, verified],
  }),
  "incident-over-green": page(twoComponents("operational", null), { incidents: [incident()] }),
  unknown: page([
    component(1, { outlook: [{ from: 0, status: "unknown", since: NOW, why: null }], heardAt: null, days: [] }),
  ]),
  empty: page([]),
} as const;

function documents({ snapshot: shown, log }: Facts, now = NOW): Readonly<Record<string, object>> {
  return Object.fromEntries(
    Object.entries(DOCUMENTS).map(([path, [document]]) => [path, document(shown, ORIGIN, now, log)]),
  );
}

describe.each(Object.entries(STATES))("the documents of a page: %s", (name, facts) => {
  it("are what clients have always got", () =>
    expect(`${JSON.stringify(documents(facts), null, 2)}\n`).toMatchFileSnapshot(`golden/statuspage-${name}.json`));

  it.each(Object.entries(DOCUMENTS))("%s is strictly as described", (_path, [document, schema]) => {
    const parsed = v.safeParse(schema as v.GenericSchema, document(facts.snapshot, ORIGIN, NOW, facts.log));
    expect(parsed.issues?.map((issue) => `${v.getDotPath(issue)}: ${issue.message}`)).toBeUndefined();
  });

  it("name no group, component or page that is not in the same answer", () => {
    for (const document of Object.values(documents(facts))) {
      const { components = [] } = document as { components?: readonly Row[] };
      const ids = new Set(components.map(({ id }) => id));
      for (const row of components) {
        if (row.group_id !== null) expect(components.find(({ id }) => id === row.group_id)?.group).toBe(true);
        for (const member of row.components ?? []) expect(ids).toContain(member);
      }
    }
  });
});

interface Row {
  readonly id: string;
  readonly group: boolean;
  readonly group_id: string | null;
  readonly components?: readonly string[];
}

describe("the roll-up", () => {
  const rollUp = (facts: Facts, now = NOW) => statusDocument(facts.snapshot, ORIGIN, now).status;

  it.each([
    ["operational", "none", "All Systems Operational"],
    ["degraded", "minor", "Partially Degraded Service"],
    ["partial", "major", "Partial System Outage"],
    ["major", "critical", "Major Service Outage"],
    ["maintenance", "maintenance", "Service Under Maintenance"],
    ["incident-over-green", "major", "Partial System Outage: Some payments fail"],
    ["unknown", "minor", "Some services are not reporting: data is missing"],
    ["empty", "minor", "No components are published yet"],
  ] as const)("of a page that is %s is %s: %s", (state, indicator, description) =>
    expect(rollUp(STATES[state])).toEqual({ indicator, description }),
  );

  it.each(["minor", "major", "critical"] as const)("never is milder than an open incident of impact %s", (impact) => {
    for (const status of ["operational", "under_maintenance", "degraded_performance", "major_outage"] as const) {
      const facts = page(twoComponents(status, null), { incidents: [incident({ impact })] });
      const weight = (indicator: (typeof INDICATORS)[number]): number => INDICATORS.indexOf(indicator);
      expect(weight(rollUp(facts).indicator)).toBeGreaterThanOrEqual(weight(impact));
    }
  });

  it("names the worst of several incidents, and none that is over", () => {
    const incidents = [
      incident({ id: "incident0002", name: "Exports wait", impact: "minor" }),
      incident({ id: "incident0003", name: "Nobody can sign in", impact: "critical" }),
    ];
    const green = twoComponents("operational", null);
    expect(rollUp(page(green, { incidents }))).toEqual({
      indicator: "critical",
      description: "Major Service Outage: Nobody can sign in",
    });
    const ended = incidents.map((one) => ({ ...one, status: "resolved" as const }));
    // As a projection hands them over that keeps what is over for some days.
    const shown = { ...page(green).snapshot, incidents: ended };
    expect(statusDocument(shown, ORIGIN, NOW).status.indicator).toBe("none");
    expect(unresolvedDocument(shown, ORIGIN, NOW).incidents).toEqual([]);
  });
});

describe("lists", () => {
  const many = Array.from({ length: 60 }, (_, i) =>
    incident({ id: `incident${String(i).padStart(4, "0")}`, createdAt: NOW - i * HOUR, status: "resolved" }),
  );
  const ids = (facts: Facts, path: keyof typeof DOCUMENTS) => {
    const list = Object.values(documents(facts)[path] ?? {})[1] as readonly { id: string }[];
    return list.map(({ id }) => id);
  };

  it("hold the 50 newest, newest first, in whatever order the log is", () => {
    const listed = ids(page([], { incidents: many.toReversed() }), "/api/v2/incidents.json");
    expect(listed).toEqual(many.slice(0, 50).map(({ id }) => id));
  });

  it("of maintenances are all, those to come, and those in force", () => {
    const facts = STATES.maintenance;
    expect(ids(facts, "/api/v2/scheduled-maintenances.json").toSorted()).toEqual([
      "announced001",
      "announced002",
      "announced003",
      "announced004",
    ]);
    expect(ids(facts, "/api/v2/scheduled-maintenances/upcoming.json")).toEqual(["announced001"]);
    expect(ids(facts, "/api/v2/scheduled-maintenances/active.json")).toEqual(["announced002"]);
    const { scheduled_maintenances: shown } = summaryDocument(facts.snapshot, ORIGIN, NOW);
    expect(shown.map(({ id }) => id)).toEqual(["announced002", "announced001"]);
  });
});

it("an incident that is told of afterwards is as old as what it tells: nobody counts a time below zero", () => {
  const told = incident({ ...over, createdAt: NOW, updatedAt: NOW });
  const { snapshot: shown, log } = page([], { incidents: [incident({ createdAt: NOW - HOUR }), told] });
  const { incidents } = incidentsDocument(shown, ORIGIN, NOW, log);
  expect(incidents.map(({ id }) => id)).toEqual(["incident0001", "incident0000"]);
  for (const { created_at: from, resolved_at: to } of incidents)
    if (to !== null) expect(Date.parse(to) - Date.parse(from)).toBe(2 * HOUR);
});

describe("a maintenance in a snapshot that grew old", () => {
  const listsAt = (now: number) => {
    const { snapshot: shown, log } = page(twoComponents("operational", null), { maintenances: [announced(), running] });
    const ids = (list: { scheduled_maintenances: readonly { id: string }[] }) =>
      list.scheduled_maintenances.map(({ id }) => id);
    return {
      upcoming: ids(upcomingDocument(shown, ORIGIN, now)),
      active: ids(activeDocument(shown, ORIGIN, now)),
      all: maintenancesDocument(shown, ORIGIN, now, log).scheduled_maintenances.map(({ status }) => status),
    };
  };

  it("has begun when its time came, and ended", () => {
    const { startsAt, endsAt } = announced();
    expect(listsAt(startsAt - 1)).toEqual({ upcoming: ["announced001"], active: [], all: ["scheduled", "completed"] });
    expect(listsAt(startsAt)).toEqual({ upcoming: [], active: ["announced001"], all: ["in_progress", "completed"] });
    expect(listsAt(endsAt)).toEqual({ upcoming: [], active: [], all: ["completed", "completed"] });
  });
});

describe("the first update of a maintenance", () => {
  const first = (maintenance: PageMaintenance) => {
    const { snapshot: shown, log } = page(twoComponents("operational", null), { maintenances: [maintenance] });
    const [told] = maintenancesDocument(shown, ORIGIN, NOW, log).scheduled_maintenances;
    expect(new Set(told?.incident_updates.map(({ id }) => id)).size).toBe(told?.incident_updates.length);
    return { ...told, newest: told?.incident_updates[0] };
  };

  it("is of its state, also where the clock alone began, ended or a person cancelled it", () => {
    for (const one of [announced(), running, verified, cancelled]) expect(first(one).newest?.status).toBe(one.status);
    expect(first(cancelled).newest?.body).toBe("The scheduled maintenance has been cancelled.");
    expect(first(cancelled).resolved_at).toBe("2026-11-22T06:02:39.000-08:00");
  });

  it("was written by a person where one did", () =>
    expect(first(announced()).newest?.id).toBe(announced().updates?.[0]?.id));

  it("leaves the moments that were written down: since when it is verified, and when it ended", () =>
    expect(first(verified)).toMatchObject({
      monitoring_at: "2026-11-14T06:52:39.000-08:00",
      resolved_at: "2026-11-14T07:02:39.000-08:00",
    }));
});

it("hostile texts go out as the text they are, and unknown of a component as degraded", () => {
  const affected = [{ component: "component001", name: HOSTILE_NAME, from: "unknown", to: "major_outage" }] as const;
  const hostile = incident({
    name: HOSTILE_NAME,
    updates: [update("hostile00001", "investigating", HOSTILE_BODY, NOW, affected)],
  });
  const { snapshot: shown } = page(twoComponents("operational", null), { incidents: [hostile] });
  const answer = JSON.stringify(unresolvedDocument(shown, ORIGIN, NOW));
  const [told] = (JSON.parse(answer) as ReturnType<typeof unresolvedDocument>).incidents;
  expect(told?.name).toBe(HOSTILE_NAME);
  expect(told?.incident_updates[0]?.body).toBe(HOSTILE_BODY);
  expect(told?.incident_updates[0]?.affected_components).toEqual([
    { code: "component001", name: HOSTILE_NAME, old_status: "degraded_performance", new_status: "major_outage" },
  ]);
});
