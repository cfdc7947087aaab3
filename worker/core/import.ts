/**
 * What another status page announced, as if it had been announced here: under the ids that its readers know and at the
 * moments at which it was said. Who reads it twice finds it once.
 */
import type { IncidentStatus, MaintenanceStatus, PageUpdate } from "../../protocol/page.ts";
import type { Indicator } from "../../protocol/status.ts";
import type { Millis } from "../../protocol/time.ts";
import type { Incident, Update } from "./incident.ts";
import type { Announcement } from "./maintenance.ts";

/** Whom operators see as the author of what came from elsewhere. */
const IMPORTED_BY = "import";

interface Foreign<Status> {
  readonly id: string;
  readonly name: string;
  readonly createdAt: Millis;
  readonly updatedAt: Millis;
  /** In any order. */
  readonly updates: readonly PageUpdate<Status>[];
}

/** An incident of another page; it has one update at least. */
export interface ForeignIncident extends Foreign<IncidentStatus> {
  readonly impact: Indicator;
  readonly startedAt: Millis;
}

export interface ForeignMaintenance extends Foreign<MaintenanceStatus> {
  readonly startsAt: Millis;
  readonly endsAt: Millis;
  /** When somebody said that it is over; null if it ends, or ended, by the clock. */
  readonly endedAt: Millis | null;
  readonly components: readonly string[];
}

export function importedIncident(foreign: ForeignIncident, now: Millis): Incident {
  const { id, name, impact, createdAt, updatedAt, startedAt } = foreign;
  return { id, name, impact, createdAt, updatedAt, startedAt, writtenAt: now, updates: inOrder(foreign.updates) };
}

/** One that was over before it began had been called off: Statuspage has no word of its own for that. */
export function importedMaintenance(foreign: ForeignMaintenance, now: Millis): Announcement {
  const { id, name, createdAt, updatedAt, startsAt, endsAt, endedAt, components } = foreign;
  const isCancelled = endedAt !== null && endedAt < startsAt;
  return {
    id,
    name,
    by: IMPORTED_BY,
    createdAt,
    updatedAt,
    startsAt,
    endsAt,
    endedAt: isCancelled ? null : endedAt,
    ...(isCancelled ? { cancelledAt: endedAt } : {}),
    components,
    updates: inOrder(foreign.updates),
    enteredAt: now,
    writtenAt: now,
  };
}

function inOrder<Status>(updates: readonly PageUpdate<Status>[]): readonly Update<Status>[] {
  return updates.map((update) => ({ ...update, by: IMPORTED_BY })).toSorted((a, b) => a.displayAt - b.displayAt);
}

/** Whether what came now takes the place of what is known: nobody here has touched that, and the other page went on. */
export function isOvertaken(
  known: Pick<Announcement | Incident, "updatedAt" | "updates" | "writtenAt">,
  imported: Pick<Announcement | Incident, "updatedAt">,
): boolean {
  // Another time and a cancellation leave no update. What is imported keeps the moment at which it changed there.
  const isChangedHere = known.updatedAt === known.writtenAt;
  const isOurs = isChangedHere || known.updates?.some(({ by }) => by !== IMPORTED_BY) === true;
  return !isOurs && imported.updatedAt > known.updatedAt;
}

/** What a calendar shows of a maintenance. */
const IN_CALENDARS = ["name", "startsAt", "endsAt", "endedAt", "cancelledAt"] as const;

/** The same maintenance, as the other page has it by now: calendars hear of the change, and it covers what it covered. */
export function renewedMaintenance(known: Announcement, imported: Announcement): Announcement {
  const isChanged = IN_CALENDARS.some((field) => known[field] !== imported[field]);
  const sequence = (known.sequence ?? 0) + Number(isChanged);
  return { ...imported, enteredAt: known.enteredAt, ...(sequence === 0 ? {} : { sequence }) };
}
