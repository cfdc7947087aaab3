/** Whatever people announced, and however much later somebody reads it: what must hold of Statuspage's documents. */
import * as fc from "fast-check";
import { expect, it } from "vitest";
import * as v from "valibot";
import { INCIDENT_STATUSES } from "../../protocol/page.ts";
import { COMPONENT_STATUSES, INDICATORS } from "../../protocol/status.ts";
import { HOUR, MINUTE } from "../../protocol/time.ts";
import type { Incident } from "../../worker/core/incident.ts";
import type { Announcement } from "../../worker/core/maintenance.ts";
import { publicLog, publicSnapshot } from "../../worker/core/snapshot.ts";
import type { PageFacts } from "../../worker/core/snapshot.ts";
import { incidentsDocument, maintenancesDocument, summaryDocument } from "../../worker/core/statuspage.ts";
import { IncidentsDocument, MaintenancesDocument, SummaryDocument } from "../../worker/core/statuspage-schema.ts";
import { announcement, component, incident, incidentUpdate, maintenance, NOON, tell, told } from "../support/facts.ts";

const ORIGIN = "https://status.test";
/** What nobody but operators may read, wherever it stands. */
const PRIVATE = "private";

const moment = fc.integer({ min: -48 * 60, max: 48 * 60 }).map((minutes) => NOON + minutes * MINUTE);

const incidents = fc.array(
  fc.record({
    impact: fc.option(fc.constantFrom(...INDICATORS)),
    updates: fc.array(
      fc.record({
        at: fc.integer({ min: -48 * 60, max: 0 }),
        status: fc.constantFrom(...INCIDENT_STATUSES),
        to: fc.option(fc.constantFrom(...COMPONENT_STATUSES)),
      }),
      { minLength: 1, maxLength: 4 },
    ),
  }),
  { maxLength: 3 },
);

const windows = fc.array(
  fc.record({
    startsAt: moment,
    lengthMs: fc.integer({ min: 1, max: 4 * HOUR }),
    end: fc.constantFrom("clock", "hand", "cancelled"),
    isVerified: fc.boolean(),
    isLeased: fc.boolean(),
  }),
  { maxLength: 3 },
);

function incidentOf(
  { impact, updates }: typeof incidents extends fc.Arbitrary<readonly (infer T)[]> ? T : never,
  i: number,
): Incident {
  const said = updates
    .toSorted((a, b) => a.at - b.at)
    .map(({ at, status, to }, n) => ({
      ...incidentUpdate({ at: NOON + at * MINUTE, status, by: PRIVATE }),
      id: `i${i}u${n}00000000`,
      affected: to === null ? [] : [{ component: "checkout0000", name: "Checkout", from: "unknown" as const, to }],
    }));
  const startedAt = said[0]?.displayAt ?? NOON;
  return incident({ id: `incident000${i}`, impact, startedAt, createdAt: startedAt, updates: said });
}

function announcementOf(
  { startsAt, lengthMs, end, isVerified }: typeof windows extends fc.Arbitrary<readonly (infer T)[]> ? T : never,
  i: number,
): Announcement {
  const verified = {
    ...incidentUpdate({ at: startsAt, by: PRIVATE }),
    id: `m${i}u000000000`,
    status: "verifying" as const,
  };
  return announcement({
    id: `announced00${i}`,
    by: PRIVATE,
    startsAt,
    endsAt: startsAt + lengthMs,
    createdAt: startsAt - HOUR,
    updatedAt: startsAt - HOUR,
    endedAt: end === "hand" ? startsAt + Math.floor(lengthMs / 2) : null,
    ...(end === "cancelled" ? { cancelledAt: startsAt - MINUTE } : {}),
    ...(isVerified ? { updates: [verified] } : {}),
  });
}

it("documents are strict, name the state that is, and nothing of what operators alone may know", () =>
  fc.assert(
    fc.property(incidents, windows, fc.integer({ min: 0, max: 96 * 60 }), (told_, planned, laterMin) => {
      const leased = planned.flatMap(({ startsAt, lengthMs, isLeased }, i) =>
        isLeased
          ? [
              maintenance({
                id: `leased00000${i}`,
                by: PRIVATE,
                reason: PRIVATE,
                startsAt,
                endsAt: startsAt + lengthMs,
              }),
            ]
          : [],
      );
      const facts: PageFacts = {
        version: 1,
        page: { id: "page00000000", name: "Acme", timeZone: "America/Los_Angeles", createdAt: NOON },
        components: [component({ services: [`${PRIVATE}/shop/checkout`] })],
        tells: new Map([[PRIVATE, tell(NOON, [told("operational")], PRIVATE)]]),
        maintenances: leased.map((one) => ({ ...one, cluster: PRIVATE })),
        announcements: planned.map(announcementOf),
        incidents: told_.map(incidentOf),
        outside: new Map(),
        changes: new Map(),
        archive: { delayedSince: null, isRestoring: false },
      };
      const now = NOON + laterMin * MINUTE;
      const [snapshot, log] = [publicSnapshot(facts, NOON), publicLog(facts, NOON)];
      const summary = v.parse(SummaryDocument, summaryDocument(snapshot, ORIGIN, now));
      const all = v.parse(IncidentsDocument, incidentsDocument(snapshot, ORIGIN, now, log));
      const maintenances = v.parse(MaintenancesDocument, maintenancesDocument(snapshot, ORIGIN, now, log));
      expect(JSON.stringify([summary, all, maintenances])).not.toContain(PRIVATE);
      for (const one of [...all.incidents, ...maintenances.scheduled_maintenances]) {
        expect(one.incident_updates[0]?.status).toBe(one.status);
        expect(new Set(one.incident_updates.map(({ id }) => id)).size).toBe(one.incident_updates.length);
        expect(one.resolved_at === null).toBe(!["resolved", "postmortem", "completed"].includes(one.status));
      }
      const open = all.incidents.filter(({ resolved_at: at }) => at === null).map(({ id }) => id);
      expect(summary.incidents.map(({ id }) => id).toSorted()).toEqual(open.toSorted());
      const lasting = maintenances.scheduled_maintenances.filter(({ status }) => status !== "completed");
      expect(summary.scheduled_maintenances.map(({ id }) => id).toSorted()).toEqual(
        lasting.map(({ id }) => id).toSorted(),
      );
    }),
    { numRuns: 1_000 },
  ));
