/**
 * Statuspage's public documents from the public projection. Enums are closed there: our `unknown` goes out as
 * `degraded_performance` with a description that says that data is missing, and never as operational.
 * Field order as the origin sends it; arrays are never null, and absent values are null. `reference/statuspage-v2.md`.
 */
import type { PageIncident, PageLog, PageMaintenance, PageSnapshot } from "../../protocol/page.ts";
import { isOutOfDate, isUnresolved, pageVerdict } from "../../protocol/page.ts";
import type { ComponentStatus, Indicator } from "../../protocol/status.ts";
import type { Millis } from "../../protocol/time.ts";
import { rfc3339 } from "./calendar.ts";
import { wireComponents } from "./statuspage-components.ts";
import type { Teller } from "./statuspage-incidents.ts";
import { beganAt, wireIncident, wireMaintenance } from "./statuspage-incidents.ts";

/** As many as the origin lists of what reaches back. */
const LISTED_MAX = 50;

/** What a maintenance is that is not over. */
const LASTING = ["scheduled", "in_progress", "verifying"] as const satisfies readonly PageMaintenance["status"][];

const SAID_OF_COMPONENTS = {
  operational: "All Systems Operational",
  under_maintenance: "Service Under Maintenance",
  unknown: "Some services are not reporting: data is missing",
  degraded_performance: "Partially Degraded Service",
  partial_outage: "Partial System Outage",
  major_outage: "Major Service Outage",
} as const satisfies Record<ComponentStatus, string>;

const SAID_OF_INCIDENT = {
  none: "All Systems Operational",
  maintenance: "Service Under Maintenance",
  minor: "Minor Service Outage",
  major: "Partial System Outage",
  critical: "Major Service Outage",
} as const satisfies Record<Indicator, string>;

/** `/api/v2/status.json`. Of this and of all others: `origin` is the page's own, without a slash at its end. */
export function statusDocument(snapshot: PageSnapshot, origin: string, now: Millis) {
  return { page: wirePage(snapshot, origin), status: wireStatus(snapshot, now) };
}

/** `/api/v2/summary.json`; clients rely on this order of keys. */
export function summaryDocument(snapshot: PageSnapshot, origin: string, now: Millis) {
  const teller = tellerOf(snapshot, origin, now);
  return {
    page: wirePage(snapshot, origin),
    components: teller.components,
    incidents: unresolved(snapshot).map((incident) => wireIncident(incident, teller)),
    scheduled_maintenances: maintenancesIn(snapshot, now, LASTING).map((one) => wireMaintenance(one, teller)),
    status: wireStatus(snapshot, now),
  };
}

/** `/api/v2/components.json`: groups are rows too, and there is no `status`. */
export function componentsDocument(snapshot: PageSnapshot, origin: string, now: Millis) {
  return { page: wirePage(snapshot, origin), components: wireComponents(snapshot, now) };
}

/** `/api/v2/incidents.json`: the newest, over or not. */
export function incidentsDocument(snapshot: PageSnapshot, origin: string, now: Millis, log: PageLog) {
  const newest = newestFirst(log.incidents, beganAt).slice(0, LISTED_MAX);
  return listOfIncidents(newest, tellerOf(snapshot, origin, now), wirePage(snapshot, origin));
}

/** `/api/v2/incidents/unresolved.json` */
export function unresolvedDocument(snapshot: PageSnapshot, origin: string, now: Millis) {
  return listOfIncidents(unresolved(snapshot), tellerOf(snapshot, origin, now), wirePage(snapshot, origin));
}

/** `/api/v2/scheduled-maintenances.json`: the newest, over or not. */
export function maintenancesDocument(snapshot: PageSnapshot, origin: string, now: Millis, log: PageLog) {
  const newest = newestFirst(log.maintenances, ({ startsAt }) => startsAt)
    .slice(0, LISTED_MAX)
    .map((maintenance) => asOf(maintenance, now));
  return listOfMaintenances(newest, tellerOf(snapshot, origin, now), wirePage(snapshot, origin));
}

/** `/api/v2/scheduled-maintenances/upcoming.json` */
export function upcomingDocument(snapshot: PageSnapshot, origin: string, now: Millis) {
  const upcoming = maintenancesIn(snapshot, now, ["scheduled"]);
  return listOfMaintenances(upcoming, tellerOf(snapshot, origin, now), wirePage(snapshot, origin));
}

/** `/api/v2/scheduled-maintenances/active.json` */
export function activeDocument(snapshot: PageSnapshot, origin: string, now: Millis) {
  const active = maintenancesIn(snapshot, now, ["in_progress", "verifying"]);
  return listOfMaintenances(active, tellerOf(snapshot, origin, now), wirePage(snapshot, origin));
}

function listOfIncidents(incidents: readonly PageIncident[], teller: Teller, page: ReturnType<typeof wirePage>) {
  return { page, incidents: incidents.map((incident) => wireIncident(incident, teller)) };
}

function listOfMaintenances(
  maintenances: readonly PageMaintenance[],
  teller: Teller,
  page: ReturnType<typeof wirePage>,
) {
  return { page, scheduled_maintenances: maintenances.map((maintenance) => wireMaintenance(maintenance, teller)) };
}

function tellerOf(snapshot: PageSnapshot, origin: string, now: Millis): Teller {
  return { components: wireComponents(snapshot, now), page: snapshot.page, origin };
}

function unresolved({ incidents = [] }: PageSnapshot): readonly PageIncident[] {
  return newestFirst(incidents.filter(isUnresolved), ({ createdAt }) => createdAt);
}

/** The soonest first. */
function maintenancesIn(
  { maintenances }: PageSnapshot,
  now: Millis,
  statuses: readonly PageMaintenance["status"][],
): readonly PageMaintenance[] {
  return maintenances
    .map((maintenance) => asOf(maintenance, now))
    .filter(({ status }) => statuses.includes(status))
    .toSorted((a, b) => a.startsAt - b.startsAt);
}

/** A maintenance begins and ends by the clock, also in a snapshot that is older than that. */
function asOf(maintenance: PageMaintenance, now: Millis): PageMaintenance {
  const { status, startsAt, endsAt } = maintenance;
  if (now >= endsAt) return { ...maintenance, status: "completed" };
  return status === "scheduled" && now >= startsAt ? { ...maintenance, status: "in_progress" } : maintenance;
}

function newestFirst<Told>(told: readonly Told[], at: (one: Told) => Millis): readonly Told[] {
  return told.toSorted((a, b) => at(b) - at(a));
}

function wirePage(snapshot: PageSnapshot, origin: string) {
  const { id, name, timeZone } = snapshot.page;
  return { id, name, url: origin, time_zone: timeZone, updated_at: rfc3339(snapshot.generatedAt, timeZone) };
}

function wireStatus(snapshot: PageSnapshot, now: Millis) {
  const { indicator, status, incident } = pageVerdict(snapshot, now);
  return {
    indicator,
    description:
      incident === null ? describe(snapshot, status, now) : `${SAID_OF_INCIDENT[indicator]}: ${incident.name}`,
  };
}

function describe(snapshot: PageSnapshot, status: ComponentStatus, now: Millis): string {
  // A page without components has nothing that could be broken; it also has nothing to be green about.
  if (snapshot.archive?.isRestoring === true && snapshot.components.length === 0)
    return "The page is being restored: data is missing";
  if (snapshot.components.length === 0) return "No components are published yet";
  if (isOutOfDate(snapshot, now))
    return `This is an old copy: no news since ${rfc3339(snapshot.generatedAt, snapshot.page.timeZone)}`;
  return SAID_OF_COMPONENTS[status];
}
