import { describe, expect, it } from "vitest";
import { DAY, HOUR, MINUTE } from "../../protocol/time.ts";
import { dayOf, nextDay, rfc3339 } from "../../worker/core/calendar.ts";
import type { Component, StatusChange, Tell } from "../../worker/core/component.ts";
import { NOTHING_FROZEN } from "../../worker/core/freeze.ts";
import { dayTallies } from "../../worker/core/history.ts";
import type { Maintenance } from "../../worker/core/maintenance.ts";
import type { Outside } from "../../worker/core/probe.ts";
import { publicChange, publicSnapshot } from "../../worker/core/snapshot.ts";
import { statusDocument, summaryDocument } from "../../worker/core/statuspage.ts";
import { NOON, at, component, maintenance, tell, told } from "../support/facts.ts";

function facts(components: Component[], tells: Tell[], maintenances: Maintenance[] = [], timeZone = "Etc/UTC") {
  return {
    version: 1,
    page: { id: "page00000000", name: "Acme", timeZone, createdAt: NOON },
    components,
    maintenances,
    tells: new Map(tells.map((one) => [one.cluster, one])),
    outside: new Map<string, Outside>(),
    changes: new Map<string, StatusChange[]>(),
    archive: { delayedSince: null, isRestoring: false },
  };
}

describe("days in the page's zone", () => {
  it.each([
    ["Europe/Berlin", "2026-03-28T23:00:00Z", 23],
    ["Europe/Berlin", "2026-10-24T22:00:00Z", 25],
    ["America/Sao_Paulo", "2018-11-04T03:00:00Z", 23],
    ["Australia/Lord_Howe", "2026-10-03T13:30:00Z", 23.5],
    ["Asia/Kathmandu", "2026-11-22T18:15:00Z", 24],
    ["Etc/UTC", "2026-11-23T00:00:00Z", 24],
  ])("%s: the day that begins at %s has %d hours", (zone, start, hours) => {
    const begin = Date.parse(start);
    for (const within of [begin, begin + 1, begin + 11 * HOUR, begin + hours * HOUR - 1]) {
      expect(nextDay(within, zone)).toBe(begin + hours * HOUR);
      expect(dayOf(within, zone)).toBe(dayOf(begin, zone));
    }
  });

  it.each([
    ["Etc/UTC", "2026-11-23T12:00:00.005Z"],
    ["America/Los_Angeles", "2026-11-23T04:00:00.005-08:00"],
    ["Asia/Kolkata", "2026-11-23T17:30:00.005+05:30"],
    ["Pacific/Kiritimati", "2026-11-24T02:00:00.005+14:00"],
  ])("a moment in %s is %s", (zone, text) => {
    expect(rfc3339(NOON + 5, zone)).toBe(text);
    expect(Date.parse(text)).toBe(NOON + 5);
  });
});

describe("history", () => {
  const daysOf = (journal: readonly StatusChange[], now: number, zone: string) =>
    dayTallies("c", journal, NOTHING_FROZEN, now, zone);
  const changes: StatusChange[] = [
    { component: "c", at: at("22:00:00"), status: "operational" },
    { component: "c", at: at("23:30:00"), status: "partial_outage" },
    { component: "c", at: at("23:45:00") + DAY / 48, status: "operational" },
  ];

  it("time in each status is cut at the page's midnight", () =>
    expect(daysOf(changes, at("23:45:00") + HOUR, "Etc/UTC")).toEqual([
      { day: "2026-11-23", ms: { operational: 90 * MINUTE, partial_outage: 30 * MINUTE } },
      { day: "2026-11-24", ms: { partial_outage: 15 * MINUTE, operational: 30 * MINUTE } },
    ]));

  it("in another zone the same hours are one day", () =>
    expect(daysOf(changes, at("23:45:00") + HOUR, "America/New_York").map(({ day }) => day)).toEqual(["2026-11-23"]));

  it("a young component has only the days since it was seen", () =>
    expect(daysOf([{ component: "c", at: NOON, status: "unknown" }], NOON + 1, "Etc/UTC")).toEqual([
      { day: "2026-11-23", ms: { unknown: 1 } },
    ]));

  it("shows at most ninety days", () =>
    expect(daysOf([{ component: "c", at: NOON - 400 * DAY, status: "operational" }], NOON, "Etc/UTC")).toHaveLength(
      90,
    ));
});

describe("the public projection", () => {
  const CANARY = "canary-internal";
  const secret = facts(
    [component({ services: [`${CANARY}/shop/${CANARY}`] })],
    [
      {
        ...tell(
          NOON,
          [{ ...told("partial_outage", `shop/${CANARY}`, "About 3 of 10 requests fail."), reason: CANARY }],
          CANARY,
        ),
        sources: { kubernetes: { state: "down", detail: CANARY, okAt: null } },
      },
    ],
    [maintenance({ cluster: CANARY, service: `shop/${CANARY}`, reason: CANARY, by: CANARY })],
  );

  it("lets no internal name, reason or source out", () => {
    const out = JSON.stringify([
      publicSnapshot(secret, NOON),
      publicChange(secret, NOON),
      summaryDocument(publicSnapshot(secret, NOON), "https://s.test", NOON),
    ]);
    expect(out).not.toContain(CANARY);
    expect(out).toContain("Database upgrade");
  });

  it("keeps groups together in the order of their first component", () => {
    const names = [
      component({ id: "a", name: "Orders", group: "Data", position: 2 }),
      component({ id: "b", name: "Cart", group: "Shop", position: 1 }),
      component({ id: "c", name: "Checkout", group: "Shop", position: 3 }),
    ];
    expect(publicSnapshot(facts(names, []), NOON).components.map(({ name }) => name)).toEqual([
      "Cart",
      "Checkout",
      "Orders",
    ]);
  });

  it("merges counts of several services before it reads a percentile", () => {
    const slow = { scheme: "explicit", bounds: [10, 100], counts: [0, 100, 0], sum: 5_000 } as const;
    const quick = { scheme: "explicit", bounds: [10, 100], counts: [9_900, 0, 0], sum: 9_900 } as const;
    const traffic = { requests: 100, errors: 5, spanMs: 10_000 };
    const services = [
      { ...told("operational", "shop/a"), latency: slow, traffic },
      { ...told("operational", "shop/b"), latency: quick, traffic },
    ];
    const both = component({ services: ["eu-1/shop/a", "eu-1/shop/b"] });
    const [shown] = publicSnapshot(facts([both], [tell(NOON, services)]), NOON).components;
    expect(shown).toMatchObject({ p95: { lo: 0, hi: 10 }, errorRatio: 0.05, requestsPerSecond: 20 });
  });

  it("has no numbers of a cluster that fell silent", () => {
    const traffic = { requests: 100, errors: 5, spanMs: 10_000 };
    const silent = facts([component()], [tell(NOON - HOUR, [{ ...told("operational"), traffic }])]);
    expect(publicSnapshot(silent, NOON).components[0]).toMatchObject({
      errorRatio: null,
      requestsPerSecond: null,
      heardAt: NOON - HOUR,
    });
  });
});

it("what became true by time alone keeps its moment, render after render", () => {
  const held = facts([component()], [tell(NOON, [told("operational")])]);
  const journal = new Map([
    ["checkout0000", [{ component: "checkout0000", at: NOON, status: "operational" } as const]],
  ]);
  for (const clock of ["12:02:00", "12:03:00"]) {
    const [shown] = publicSnapshot({ ...held, changes: journal }, at(clock)).components;
    expect(shown?.outlook[0]).toMatchObject({ status: "unknown", since: at("12:01:00") });
    expect(shown?.days).toEqual([
      { day: "2026-11-23", ms: { operational: 60_000, unknown: at(clock) - at("12:01:00") } },
    ]);
  }
});

describe("Statuspage's documents", () => {
  const documentOf = (status: Parameters<typeof told>[0], maintenances: Maintenance[] = [], now = NOON) => {
    const snapshot = publicSnapshot(facts([component()], [tell(NOON, [told(status)])], maintenances), NOON);
    return summaryDocument(snapshot, "https://status.test", now);
  };

  it.each([
    ["operational", "operational", "none", "All Systems Operational"],
    ["degraded_performance", "degraded_performance", "minor", "Partially Degraded Service"],
    ["partial_outage", "partial_outage", "major", "Partial System Outage"],
    ["major_outage", "major_outage", "critical", "Major Service Outage"],
    ["unknown", "degraded_performance", "minor", "Some services are not reporting: data is missing"],
  ] as const)("%s goes out as %s / %s", (status, wire, indicator, description) => {
    const { components, status: roll } = documentOf(status);
    expect(components.map((row) => row.status)).toEqual([wire, wire]);
    expect(roll).toEqual({ indicator, description });
  });

  it("evidence that expired between snapshot and reader is missing data, with its age", () => {
    const { components, status } = documentOf("operational", [], at("12:02:00"));
    expect(status.indicator).toBe("minor");
    expect(components[1]?.description).toBe("Data is missing: no report since 2026-11-23T12:00:00.000Z");
  });

  it("a maintenance in force is listed with its component", () => {
    const {
      scheduled_maintenances: [found],
      status,
    } = documentOf("operational", [maintenance()]);
    expect(status.indicator).toBe("maintenance");
    expect(found).toMatchObject({
      status: "in_progress",
      impact: "maintenance",
      scheduled_until: "2026-11-23T13:00:00.000Z",
    });
    expect(found?.components.map(({ name }) => name)).toEqual(["Checkout"]);
  });

  it("keys, ids and groups are as strict clients insist", () => {
    const document = documentOf("operational");
    expect(Object.keys(document)).toEqual(["page", "components", "incidents", "scheduled_maintenances", "status"]);
    const [group, child] = document.components;
    expect(group).toMatchObject({ group: true, components: [child?.id], group_id: null });
    expect(child).toMatchObject({ group: false, group_id: group?.id });
    expect(group?.id).toMatch(/^[0-9a-z]{12}$/);
    expect(Object.keys(statusDocument(publicSnapshot(facts([], []), NOON), "https://status.test", NOON))).toEqual([
      "page",
      "status",
    ]);
  });
});
