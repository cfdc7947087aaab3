/** What is taken over of another page: at its moments, under its ids, and never over what somebody changed here. */
import { describe, expect, it } from "vitest";
import { HOUR, MINUTE } from "../../protocol/time.ts";
import { importedIncident, importedMaintenance, isOvertaken, renewedMaintenance } from "../../worker/core/import.ts";
import type { ForeignIncident, ForeignMaintenance } from "../../worker/core/import.ts";
import { incidentImpact, incidentStatus, resolvedAt } from "../../worker/core/incident.ts";
import { cancelledMaintenance } from "../../worker/core/announce-maintenance.ts";
import { maintenanceStatus } from "../../worker/core/maintenance.ts";
import { NOON } from "../support/facts.ts";
import { update } from "../web/announcements.ts";

const foreign: ForeignIncident = {
  id: "foreign00000",
  name: "Search was slow",
  impact: "critical",
  createdAt: NOON - 9 * HOUR,
  updatedAt: NOON - 7 * HOUR,
  startedAt: NOON - 9 * HOUR,
  updates: [
    update("update00000b", "resolved", "It is fast again.", NOON - 7 * HOUR),
    update("update00000a", "investigating", "It is slow.", NOON - 9 * HOUR),
  ],
};

const planned: ForeignMaintenance = {
  id: "planned00000",
  name: "Disks",
  createdAt: NOON - 24 * HOUR,
  updatedAt: NOON - 24 * HOUR,
  startsAt: NOON - HOUR,
  endsAt: NOON + HOUR,
  endedAt: null,
  components: ["website00000"],
  updates: [],
};

describe("an incident of another page", () => {
  it("is told in order, whatever order it came in, and ends with what was said last", () => {
    const incident = importedIncident(foreign, NOON);
    expect(incident.updates.map(({ id }) => id)).toEqual(["update00000a", "update00000b"]);
    expect([incidentStatus(incident), resolvedAt(incident)]).toEqual(["resolved", NOON - 7 * HOUR]);
  });

  it("keeps the impact that was said there, though nobody names a component", () =>
    expect(incidentImpact(importedIncident(foreign, NOON))).toBe("critical"));

  it("was written down here now, and there when it was", () =>
    expect(importedIncident(foreign, NOON)).toMatchObject({ writtenAt: NOON, updatedAt: NOON - 7 * HOUR }));
});

describe("a maintenance of another page", () => {
  it.each([
    ["that lasts", null, "in_progress", undefined],
    ["that ended before its time", NOON - 10 * MINUTE, "completed", undefined],
    ["that was over before it began had been called off", NOON - 2 * HOUR, "completed", NOON - 2 * HOUR],
  ] as const)("%s", (_name, endedAt, status, cancelledAt) => {
    const imported = importedMaintenance({ ...planned, endedAt }, NOON);
    expect([maintenanceStatus(imported, NOON), imported.cancelledAt]).toEqual([status, cancelledAt]);
  });

  it("says nothing of what components were before it was known here", () =>
    expect(importedMaintenance(planned, NOON).enteredAt).toBe(NOON));
});

describe("what comes again", () => {
  const known = importedIncident(foreign, NOON);
  const later = importedIncident({ ...foreign, updatedAt: NOON }, NOON + HOUR);

  it("changes nothing while it is the same there", () =>
    expect(isOvertaken(known, importedIncident(foreign, NOON + HOUR))).toBe(false));

  it("is brought up to date when the other page went on", () => expect(isOvertaken(known, later)).toBe(true));

  it("is left alone once somebody wrote here", () => {
    const [first] = known.updates;
    const written = {
      ...known,
      updates: first === undefined ? [] : [...known.updates, { ...first, by: "one-time link" }],
    };
    expect(isOvertaken(written, later)).toBe(false);
  });

  it("is left alone once somebody here gave it another time or called it off, which leaves no update", () => {
    const cancelled = cancelledMaintenance(importedMaintenance({ ...planned, startsAt: NOON + MINUTE }, NOON), NOON);
    if (!cancelled.ok) throw new Error("it could not be cancelled");
    const known = { ...cancelled.value, writtenAt: NOON };
    const later = importedMaintenance({ ...planned, updatedAt: NOON + HOUR }, NOON + 2 * HOUR);
    expect(isOvertaken(known, later)).toBe(false);
    expect(isOvertaken(importedMaintenance(planned, NOON), later)).toBe(true);
  });

  it("raises what calendars count if it is at another time there, and covers what it covered", () => {
    const first = importedMaintenance(planned, NOON);
    const moved = renewedMaintenance(first, importedMaintenance({ ...planned, endsAt: NOON + 2 * HOUR }, NOON + HOUR));
    expect([moved.sequence, moved.endsAt, moved.enteredAt]).toEqual([1, NOON + 2 * HOUR, NOON]);
    const told = renewedMaintenance(moved, { ...moved, writtenAt: NOON + 2 * HOUR });
    expect(told.sequence).toBe(1);
  });
});
