/** Incidents and maintenances as Statuspage's clients read them. Texts are Markdown as it was typed, as there. */
import type { PageIncident, PageMaintenance, PageSnapshot, PageUpdate } from "../../protocol/page.ts";
import type { Millis } from "../../protocol/time.ts";
import { rfc3339 } from "./calendar.ts";
import { shortHash } from "./hash.ts";
import type { WireComponent } from "./statuspage-components.ts";
import { wireStatusOf } from "./statuspage-components.ts";

/** What every incident needs to be told. */
export interface Teller {
  readonly components: readonly WireComponent[];
  readonly page: PageSnapshot["page"];
  readonly origin: string;
}

type AnyUpdate = PageUpdate<PageIncident["status"] | PageMaintenance["status"]>;

/** When it began there: one that is told of afterwards is as old as what it tells. Clients count from it until it is over. */
export function beganAt({ createdAt, startedAt }: PageIncident): Millis {
  return Math.min(createdAt, startedAt);
}

export function wireIncident(incident: PageIncident, teller: Teller) {
  const { page, components, origin } = teller;
  const at = (moment: Millis): string => rfc3339(moment, page.timeZone);
  return {
    id: incident.id,
    name: incident.name,
    status: incident.status,
    created_at: at(beganAt(incident)),
    updated_at: at(incident.updatedAt),
    monitoring_at: incident.monitoringAt === null ? null : at(incident.monitoringAt),
    resolved_at: incident.resolvedAt === null ? null : at(incident.resolvedAt),
    impact: incident.impact,
    shortlink: `${origin}/incidents/${incident.id}`,
    started_at: at(incident.startedAt),
    page_id: page.id,
    incident_updates: incident.updates.map((update) => wireUpdate(update, incident.id, page.timeZone)),
    components: components.filter(({ id }) => incident.components.includes(id)),
  };
}

export function wireMaintenance(maintenance: PageMaintenance, teller: Teller) {
  const { page, components, origin } = teller;
  const at = (moment: Millis): string => rfc3339(moment, page.timeZone);
  const affected = components.filter(({ id }) => maintenance.components.includes(id));
  const updates = updatesOf(maintenance, affected);
  const verifying = updates.findLast(({ status }) => status === "verifying");
  return {
    id: maintenance.id,
    name: maintenance.name,
    status: maintenance.status,
    created_at: at(maintenance.createdAt),
    updated_at: at(maintenance.updatedAt),
    monitoring_at: verifying === undefined ? null : at(verifying.displayAt),
    resolved_at: maintenance.status === "completed" ? at(overAt(maintenance)) : null,
    impact: "maintenance" as const,
    shortlink: `${origin}/maintenance/${maintenance.id}`,
    started_at: at(maintenance.startsAt),
    page_id: page.id,
    incident_updates: updates.map((update) => wireUpdate(update, maintenance.id, page.timeZone)),
    components: affected,
    scheduled_for: at(maintenance.startsAt),
    scheduled_until: at(maintenance.endsAt),
  };
}

function wireUpdate(update: AnyUpdate, incidentId: string, timeZone: string) {
  return {
    id: update.id,
    status: update.status,
    body: update.body,
    incident_id: incidentId,
    created_at: rfc3339(update.createdAt, timeZone),
    updated_at: rfc3339(update.updatedAt, timeZone),
    display_at: rfc3339(update.displayAt, timeZone),
    affected_components: update.affected.map(({ component, name, from, to }) => ({
      code: component,
      name,
      old_status: wireStatusOf(from),
      new_status: wireStatusOf(to),
    })),
    deliver_notifications: false,
    custom_tweet: null,
    tweet_id: null,
  };
}

/** When it was over: a cancelled one never began. */
function overAt({ cancelledAt, endsAt }: PageMaintenance): Millis {
  return cancelledAt ?? endsAt;
}

/**
 * What was said of a maintenance, newest first and never empty: clients read the first for its state. What nobody wrote
 * down, because the clock alone began or ended it, is said in the origin's words.
 */
function updatesOf(maintenance: PageMaintenance, affected: readonly WireComponent[]): readonly AnyUpdate[] {
  const { id, status, createdAt, startsAt, updates = [] } = maintenance;
  const said: readonly AnyUpdate[] =
    updates.length > 0
      ? updates
      : [
          {
            ...clockUpdate(`${id.slice(0, 11)}u`, createdAt, maintenance.name),
            status: createdAt < startsAt ? "scheduled" : "in_progress",
            affected: affected.map((component) => ({
              component: component.id,
              name: component.name,
              from: "operational",
              to: "under_maintenance",
            })),
          },
        ];
  if (said[0]?.status === status) return said;
  const at = status === "completed" ? overAt(maintenance) : startsAt;
  return [{ ...clockUpdate(shortHash(`${id} ${status}`), at, wordsOf(maintenance)), status, affected: [] }, ...said];
}

function clockUpdate(id: string, at: Millis, body: string) {
  return { id, body, createdAt: at, updatedAt: at, displayAt: at };
}

function wordsOf({ status, cancelledAt }: PageMaintenance): string {
  if (cancelledAt !== undefined) return "The scheduled maintenance has been cancelled.";
  return status === "completed"
    ? "The scheduled maintenance has been completed."
    : "Scheduled maintenance is currently in progress. We will provide updates as necessary.";
}
