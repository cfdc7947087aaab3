/** Incidents and maintenances as visitors may read them. Fields are named one by one, as everywhere in `snapshot.ts`. */
import type { PageIncident, PageMaintenance, PageUpdate } from "../../protocol/page.ts";
import { DAY } from "../../protocol/time.ts";
import type { Millis } from "../../protocol/time.ts";
import type { Component, Evidence } from "./component.ts";
import { shortHash } from "./hash.ts";
import type { Incident, Update } from "./incident.ts";
import { affectedNow, incidentImpact, incidentStatus, isUnresolved, monitoringAt, resolvedAt } from "./incident.ts";
import type { Announced, Announcement, Maintenance } from "./maintenance.ts";
import { announcedSpan, endOf, isConfirmed, maintenanceStatus } from "./maintenance.ts";
import { isEmergency } from "./notice-policy.ts";
import { isConfirmedToItsEnd } from "./renewal.ts";

/** Completed and cancelled maintenances stay in the first view for this long. */
const COMPLETED_SHOWN_MS = DAY;

type Facts = Pick<Evidence, "maintenances" | "announcements" | "incidents"> & {
  readonly components: readonly Component[];
};

/** Nobody closes the books on what was over for as long: the minute's tick did. */
const JUDGED_MS = 7 * DAY;

/** Evidence without what people announced that is over: it says nothing of any component any more. */
export function judgedBy<Held extends Evidence>(evidence: Held, now: Millis): Held {
  const { incidents = [], announcements = [] } = evidence;
  return {
    ...evidence,
    incidents: incidents.filter(isUnresolved),
    announcements: announcements.filter((one) => announcedSpan(one)[1] > now - JUDGED_MS),
  };
}

export function publicIncident(incident: Incident, components: readonly Component[]): PageIncident {
  return {
    id: incident.id,
    name: incident.name,
    status: incidentStatus(incident),
    impact: incidentImpact(incident),
    createdAt: incident.createdAt,
    updatedAt: incident.updatedAt,
    startedAt: incident.startedAt,
    monitoringAt: monitoringAt(incident),
    resolvedAt: resolvedAt(incident),
    components: affectedNow(incident)
      .map(({ component }) => component)
      .filter((id) => components.some((known) => known.id === id)),
    updates: publicUpdates(incident.updates),
  };
}

function publicUpdates<Status>(updates: readonly Update<Status>[]): readonly PageUpdate<Status>[] {
  return updates.toReversed().map((update) => ({
    id: update.id,
    status: update.status,
    body: update.body,
    createdAt: update.createdAt,
    updatedAt: update.updatedAt,
    displayAt: update.displayAt,
    affected: update.affected.map(({ component, name, from, to }) => ({ component, name, from, to })),
  }));
}

/** All that visitors may know of, oldest first. One with a lease is theirs to know if a component stands on its target. */
export function publicMaintenances(facts: Facts, now: Millis): readonly PageMaintenance[] {
  const { components, maintenances, announcements = [] } = facts;
  const leased = maintenances
    .filter(({ announcement }) => announcement === undefined)
    .map((one) => publicMaintenance(one, targetOf(one, components), isConfirmed(one), now))
    .filter((one) => one.components.length > 0);
  const announced = announcements.map((one) => publicAnnouncement(one, facts, now));
  return [...leased, ...announced].toSorted((a, b) => a.createdAt - b.createdAt);
}

/** Those of the first view: what comes, what is, and what was until a short time ago. */
export function shownMaintenances(facts: Facts, now: Millis): readonly PageMaintenance[] {
  return publicMaintenances(facts, now).filter(
    ({ status, endsAt, cancelledAt }) =>
      status !== "completed" || Math.min(endsAt, cancelledAt ?? endsAt) > now - COMPLETED_SHOWN_MS,
  );
}

/** Whether visitors may see it at all. */
export function isShown(one: Announcement | Maintenance, components: readonly Component[]): boolean {
  return !("service" in one) || targetOf(one, components).length > 0;
}

function targetOf(
  { cluster, service }: Pick<Maintenance, "cluster" | "service">,
  components: readonly Component[],
): readonly string[] {
  return components.filter(({ services }) => services.includes(`${cluster}/${service}`)).map(({ id }) => id);
}

/** What it names, and what stands on the deployments that its clusters put into maintenance for it. */
export function knownOf({ components: ids, plan }: Announcement, components: readonly Component[]): readonly string[] {
  const targets = (plan?.targets ?? []).flatMap((target) => targetOf(target, components));
  return [...new Set([...ids, ...targets])].filter((id) => components.some((known) => known.id === id));
}

/** Clusters are counted and never named. */
function publicAnnouncement(one: Announcement, facts: Facts, now: Millis): PageMaintenance {
  const clusters = clusterCount(one, facts.maintenances);
  const shown = publicMaintenance(one, knownOf(one, facts.components), clusters.confirmed === clusters.of, now);
  return {
    ...shown,
    confirmed: clusters.of > 0 && shown.confirmed,
    ...(clusters.of > 0 && shown.status !== "scheduled" && { clusters }),
    ...(clusters.of === 0 && { unasked: true as const }),
    ...(one.plan?.series !== undefined && { series: one.plan.series.id }),
  };
}

/** How many of the clusters that it asked have shown that all they are asked for is in force, until the end that it has. */
export function clusterCount({ id, plan }: Announcement, maintenances: readonly Maintenance[]) {
  const leases = maintenances.filter(({ announcement }) => announcement === id);
  const clusters = new Set((plan?.targets ?? []).map(({ cluster }) => cluster));
  const confirmed = [...clusters].filter((cluster) => {
    const own = leases.filter((lease) => lease.cluster === cluster);
    return own.length > 0 && own.every(isConfirmedToItsEnd);
  });
  return { confirmed: confirmed.length, of: clusters.size };
}

function publicMaintenance(
  maintenance: Announced & Pick<Announcement, "plan">,
  components: readonly string[],
  confirmed: boolean,
  now: Millis,
): PageMaintenance {
  const { updates = [], cancelledAt, sequence } = maintenance;
  return {
    id: maintenance.id,
    name: maintenance.name,
    status: maintenanceStatus(maintenance, now),
    startsAt: maintenance.startsAt,
    // What was called off would have lasted until then; calendars show it so.
    endsAt: cancelledAt === undefined ? endOf(maintenance) : maintenance.endsAt,
    createdAt: maintenance.createdAt,
    updatedAt: maintenance.updatedAt,
    components,
    confirmed,
    ...(updates.length === 0 ? {} : { updates: publicUpdates(updates) }),
    ...(cancelledAt === undefined ? {} : { cancelledAt }),
    ...(sequence === undefined ? {} : { sequence }),
    ...(isEmergency(maintenance) && { emergency: true as const }),
  };
}

/** Another whenever people announce something or change what they announced. */
export function announcedMark(facts: Facts & { readonly promises?: ReadonlyMap<string, Millis> }): string {
  const { incidents = [], announcements = [], maintenances, promises = new Map() } = facts;
  const leased = maintenances.map(({ updates = [], sequence = 0 }) => [updates.length, sequence]);
  const moments = [...incidents, ...announcements].map(({ id, writtenAt }) => [id, writtenAt]);
  const said = [moments, leased, ...(promises.size > 0 ? [[...promises]] : [])];
  return shortHash(JSON.stringify(said));
}
