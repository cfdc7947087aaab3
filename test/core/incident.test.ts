import { describe, expect, it } from "vitest";
import type { ComponentStatus } from "../../protocol/status.ts";
import { DAY, HOUR, MINUTE } from "../../protocol/time.ts";
import { changesAt, changesUntil, componentVerdict, outlook } from "../../worker/core/component.ts";
import type { Evidence } from "../../worker/core/component.ts";
import { judgedBy } from "../../worker/core/announced.ts";
import type { Incident, IncidentUpdate } from "../../worker/core/incident.ts";
import { kept } from "../../worker/core/incident.ts";
import { matrixOf } from "../../worker/core/matrix.ts";
import type { PageFacts } from "../../worker/core/snapshot.ts";
import { publicChange, publicLog, publicSnapshot } from "../../worker/core/snapshot.ts";
import { NOON, announcement, component, incident, incidentUpdate, maintenance, tell, told } from "../support/facts.ts";

const CHECKOUT = component();

function facts(held: Partial<PageFacts>): PageFacts {
  return {
    version: 1,
    page: { id: "page00000000", name: "Acme", timeZone: "Etc/UTC", createdAt: NOON - 99 * DAY },
    components: [CHECKOUT],
    maintenances: [],
    tells: new Map([["eu-1", tell(NOON, [told("operational")])]]),
    outside: new Map(),
    changes: new Map(),
    archive: { delayedSince: null, isRestoring: false },
    ...held,
  };
}

/** Said of Checkout, minutes after noon. */
const said = (minutes: number, status: IncidentUpdate["status"], to?: ComponentStatus): IncidentUpdate =>
  incidentUpdate({
    status,
    at: NOON + minutes * MINUTE,
    affected: to === undefined ? [] : [{ component: CHECKOUT.id, name: "Checkout", from: "operational", to }],
  });

describe("an incident", () => {
  it.each<[string, IncidentUpdate[], string, string, number | null, number | null]>([
    ["is what was said last", [said(0, "investigating"), said(5, "identified")], "identified", "none", null, null],
    [
      "is watched from when it was mended",
      [said(0, "investigating"), said(9, "monitoring")],
      "monitoring",
      "none",
      9,
      null,
    ],
    ["is over when somebody says so", [said(0, "monitoring"), said(7, "resolved")], "resolved", "none", 0, 7],
    [
      "stays over while it is written about",
      [said(1, "resolved"), said(90, "postmortem")],
      "postmortem",
      "none",
      null,
      1,
    ],
    ["comes back", [said(0, "resolved"), said(5, "identified")], "identified", "none", null, null],
    [
      "that comes back is over when it is again",
      [said(0, "resolved"), said(5, "identified"), said(8, "resolved")],
      "resolved",
      "none",
      null,
      8,
    ],
    [
      "keeps the impact it had",
      [said(0, "identified", "major_outage"), said(3, "resolved", "operational")],
      "resolved",
      "critical",
      null,
      3,
    ],
    [
      "is not made worse by what the evidence says once it is over",
      [said(0, "identified", "degraded_performance"), said(3, "resolved", "major_outage")],
      "resolved",
      "minor",
      null,
      3,
    ],
    [
      "of a slow component is minor",
      [said(0, "identified", "degraded_performance")],
      "identified",
      "minor",
      null,
      null,
    ],
  ])("%s", (_name, updates, status, impact, monitored, over) => {
    const [found] = publicLog(facts({ incidents: [incident({ updates })] }), NOON + HOUR).incidents;
    const at = (minutes: number | null) => (minutes === null ? null : NOON + minutes * MINUTE);
    expect(found).toMatchObject({ status, impact, monitoringAt: at(monitored), resolvedAt: at(over) });
    expect(found?.updates.map(({ id }) => id)).toEqual(updates.map(({ id }) => id).toReversed());
  });

  it("has the impact that somebody gave it", () => {
    const incidents = [incident({ impact: "minor", updates: [said(0, "identified", "major_outage")] })];
    expect(publicLog(facts({ incidents }), NOON).incidents[0]?.impact).toBe("minor");
  });

  it("tells visitors nothing of who wrote it, and names only components that they can see", () => {
    const gone = { component: "gone00000000", name: "Old search", from: "operational", to: "major_outage" } as const;
    const update = { ...said(0, "identified", "partial_outage"), by: "ops-secret-name" };
    const incidents = [incident({ updates: [{ ...update, affected: [...update.affected, gone] }] })];
    const page = publicSnapshot(facts({ incidents }), NOON);
    expect(JSON.stringify([page, publicLog(facts({ incidents }), NOON)])).not.toMatch(/ops-secret|shop\/checkout/);
    expect(page.incidents?.[0]?.components).toEqual([CHECKOUT.id]);
    expect(page.incidents?.[0]?.updates[0]?.affected.map(({ name }) => name)).toEqual(["Checkout", "Old search"]);
  });
});

describe("what is said of a component in an incident", () => {
  const verdict = (seen: Parameters<typeof told>[0], incidents: Incident[], why: string | null = null) => {
    const tells = new Map([["eu-1", tell(NOON, [told(seen, "shop/checkout", why)])]]);
    const evidence: Evidence = { tells, maintenances: [], outside: new Map(), incidents };
    return componentVerdict(CHECKOUT, evidence, NOON);
  };
  const open = (to: ComponentStatus) => [incident({ updates: [said(0, "identified", to)] })];

  it.each<[Parameters<typeof told>[0], ComponentStatus, ComponentStatus]>([
    ["operational", "partial_outage", "partial_outage"],
    ["operational", "operational", "operational"],
    ["major_outage", "degraded_performance", "major_outage"],
    ["unknown", "operational", "unknown"],
    ["unknown", "degraded_performance", "degraded_performance"],
    ["unknown", "under_maintenance", "unknown"],
  ])("evidence says %s, people say %s: it is %s", (seen, to, is) => {
    expect(verdict(seen, open(to)).status).toBe(is);
  });

  it("is explained by the incident's name where it is worse than the evidence, and by the evidence where that says it too", () => {
    expect(verdict("operational", open("partial_outage"))).toMatchObject({ why: "Checkout fails" });
    expect(verdict("partial_outage", open("partial_outage"), "9 of 10 fail.")).toMatchObject({ why: "9 of 10 fail." });
    expect(verdict("major_outage", open("partial_outage"), "All fail.")).toMatchObject({ why: "All fail." });
  });

  it("is what the newest update says that names it, and nothing once the incident is over", () => {
    const first = said(0, "investigating", "major_outage");
    const later = [said(5, "identified", "degraded_performance"), said(6, "monitoring")];
    expect(verdict("operational", [incident({ updates: [first, ...later] })]).status).toBe("degraded_performance");
    const over = [incident({ updates: [first, said(9, "resolved")] })];
    expect(verdict("operational", over)).toEqual({ status: "operational", why: null });
  });

  it("is the heaviest of several incidents", () => {
    expect(verdict("operational", [...open("degraded_performance"), ...open("major_outage")]).status).toBe(
      "major_outage",
    );
  });

  it("stays when the evidence expires, and never turns green", () => {
    const evidence: Evidence = {
      tells: new Map([["eu-1", tell(NOON, [told("operational")])]]),
      maintenances: [],
      outside: new Map(),
      incidents: open("partial_outage"),
    };
    expect(outlook(CHECKOUT, evidence, null, NOON).map(({ status }) => status)).toEqual(["partial_outage"]);
  });

  it("stands in the journal from when it was said, and no longer than until it was over", () => {
    const tells = new Map([["eu-1", { ...tell(NOON, [told("operational")]), expiresAt: NOON + DAY }]]);
    const held: Evidence = { tells, maintenances: [], outside: new Map(), incidents: open("major_outage") };
    const before = { component: CHECKOUT.id, at: NOON - HOUR, status: "operational" } as const;
    const [began] = changesAt(CHECKOUT, held, before, NOON);
    expect(began).toEqual({ component: CHECKOUT.id, at: NOON, status: "major_outage" });
    expect(changesUntil(CHECKOUT, held, began ?? null, NOON + HOUR)).toEqual([]);
    const over = { ...held, incidents: [incident({ updates: [said(0, "resolved")] })] };
    expect(changesAt(CHECKOUT, over, began ?? null, NOON + HOUR)).toEqual([
      { component: CHECKOUT.id, at: NOON + HOUR, status: "operational" },
    ]);
  });
});

it("operators read what people say beside what the evidence says", () => {
  const reason = (held: Partial<Evidence>) => {
    const tells = new Map([["eu-1", tell(NOON, [told("operational")])]]);
    return matrixOf(CHECKOUT, { tells, maintenances: [], outside: new Map(), ...held }, NOON).reason;
  };
  const incidents = [incident({ updates: [said(0, "identified", "partial_outage")] })];
  expect(reason({})).toBe("operational");
  expect(reason({ incidents })).toBe('the incident "Checkout fails" says partial outage; evidence: operational');
  expect(reason({ announcements: [announcement({ startsAt: NOON })] })).toBe("maintenance: Database upgrade");
});

describe("the first view", () => {
  const at = (days: number, over: boolean, id: string) =>
    incident({
      id,
      startedAt: NOON - days * DAY,
      updates: [said(-days * 1_440, "investigating"), ...(over ? [said(-days * 1_440 + 60, "resolved")] : [])],
    });

  it("has what is not resolved, however old, and what was of the last 15 days, newest first", () => {
    const incidents = [
      at(40, false, "old-and-open"),
      at(16, true, "old"),
      at(14, true, "recent"),
      at(1, false, "open"),
    ];
    const page = publicSnapshot(facts({ incidents }), NOON);
    expect(page.incidents?.map(({ id }) => id)).toEqual(["open", "recent", "old-and-open"]);
    expect(publicLog(facts({ incidents }), NOON).incidents).toHaveLength(4);
  });

  it("is asked for by open pages when somebody says something, and only then", () => {
    const mark = (held: Partial<PageFacts>, now = NOON) => publicChange(facts(held), now).announced;
    const incidents = [incident()];
    const later = [incident({ writtenAt: NOON + 1 })];
    expect(mark({ incidents }, NOON + 20 * DAY)).toBe(mark({ incidents }));
    const marks = [
      mark({}),
      mark({ incidents }),
      mark({ incidents: later }),
      mark({ announcements: [announcement()] }),
    ];
    expect(new Set(marks).size).toBe(4);
  });
});

describe("a maintenance that was announced", () => {
  const covered = announcement({ startsAt: NOON + HOUR, endsAt: NOON + 2 * HOUR });
  const shown = (held: Partial<PageFacts>, now: number) => publicSnapshot(facts(held), now).maintenances[0]?.status;

  it("is scheduled, in progress, completed as time goes by, and verified when somebody says so", () => {
    const held = { announcements: [covered] };
    expect([30, 90, 121].map((m) => shown(held, NOON + m * MINUTE))).toEqual(["scheduled", "in_progress", "completed"]);
    const update = { ...said(100, "identified"), status: "verifying" as const };
    const verified = { announcements: [{ ...covered, updates: [update] }] };
    expect([90, 110, 121].map((m) => shown(verified, NOON + m * MINUTE))).toEqual([
      "in_progress",
      "verifying",
      "completed",
    ]);
  });

  it("covers the components that it names while it lasts, whatever the mesh says", () => {
    const tells = new Map([["eu-1", { ...tell(NOON, [told("major_outage")]), expiresAt: NOON + DAY }]]);
    const evidence: Evidence = { tells, maintenances: [], outside: new Map(), announcements: [covered] };
    const other = component({ id: "search000000" });
    expect(outlook(CHECKOUT, evidence, null, NOON).map(({ status, from }) => [status, (from - NOON) / HOUR])).toEqual([
      ["major_outage", 0],
      ["under_maintenance", 1],
      ["major_outage", 2],
      ["unknown", 24],
    ]);
    expect(outlook(other, evidence, null, NOON)).toHaveLength(2);
  });

  it.each([
    ["called off covers nothing", { cancelledAt: NOON + 1 }, []],
    ["ended early covers no more", { endedAt: NOON + 90 * MINUTE }, [1, 1.5]],
    ["written down late covers nothing of before", { enteredAt: NOON + 90 * MINUTE }, [1.5, 2]],
    ["written down when it was over changes no history", { enteredAt: NOON + 3 * HOUR }, []],
  ])("%s", (_name, fields, hours) => {
    const tells = new Map([["eu-1", { ...tell(NOON, [told("operational")]), expiresAt: NOON + DAY }]]);
    const announcements = [{ ...covered, ...fields }];
    const evidence: Evidence = { tells, maintenances: [], outside: new Map(), announcements };
    const before = { component: CHECKOUT.id, at: NOON, status: "operational" } as const;
    const changes = changesUntil(CHECKOUT, evidence, before, NOON + 4 * HOUR);
    expect(changes.map(({ at }) => (at - NOON) / HOUR)).toEqual(hours);
  });

  it("that was called off is kept, says so, and leaves the first view after a day", () => {
    const announcements = [announcement({ startsAt: NOON + 9 * DAY, endsAt: NOON + 10 * DAY, cancelledAt: NOON })];
    const held = facts({ announcements });
    expect(publicSnapshot(held, NOON + HOUR).maintenances[0]).toMatchObject({ status: "completed", cancelledAt: NOON });
    expect(publicSnapshot(held, NOON + 2 * DAY).maintenances).toEqual([]);
    expect(publicLog(held, NOON + 2 * DAY).maintenances).toHaveLength(1);
  });

  it("with a lease on a target that no component stands on stays the operators' own", () => {
    const maintenances = [maintenance({ service: "shop/internal-thing" })];
    expect(publicLog(facts({ maintenances }), NOON).maintenances).toEqual([]);
  });

  it("is in a frame without what was said of it", () => {
    const update = { ...said(0, "identified"), status: "scheduled" as const };
    const held = facts({ announcements: [{ ...covered, updates: [update] }] });
    expect(publicSnapshot(held, NOON).maintenances[0]?.updates).toHaveLength(1);
    expect(publicChange(held, NOON).maintenances[0]).not.toHaveProperty("updates");
  });
});

it("what is over is looked at no more, but for what the books may not have closed on yet", () => {
  const over = incident({ id: "over", updates: [said(0, "resolved")] });
  const ended = (id: string, days: number) =>
    announcement({ id, startsAt: NOON - (days + 1) * DAY, endsAt: NOON - days * DAY, enteredAt: 0 });
  const announcements = [ended("long", 8), ended("lately", 6), announcement({ id: "open" })];
  const judged = judgedBy(facts({ incidents: [over, incident({ id: "open" })], announcements }), NOON);
  expect(judged.incidents?.map(({ id }) => id)).toEqual(["open"]);
  expect(judged.announcements?.map(({ id }) => id)).toEqual(["lately", "open"]);
});

describe("what is kept", () => {
  const one = (n: number, length: number, open = false) => ({ n, open, updates: [{ body: "x".repeat(length) }] });
  const keep = (all: readonly ReturnType<typeof one>[]) =>
    kept(
      all,
      ({ open }) => open,
      ({ n }) => n,
    ).map(({ n }) => n);

  it("is the newest 500, and what is not over whatever its age", () => {
    const all = Array.from({ length: 600 }, (_, n) => one(n, 1, n === 3));
    const left = keep(all);
    expect([left.length, left[0], left[1], left.at(-1)]).toEqual([500, 3, 599, 101]);
  });

  it("is no more text than one answer can carry", () => {
    expect(keep(Array.from({ length: 50 }, (_, n) => one(n, 99_000)))).toHaveLength(40);
  });
});
