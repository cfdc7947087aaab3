/**
 * Statuspage's public documents from the public snapshot. Enums are closed there: our `unknown` goes out as
 * `degraded_performance` with a description that says that data is missing, and never as operational.
 * Field order as the origin sends it. `reference/statuspage-v2.md`.
 */
import type { PageComponent, PageMaintenance, PageSnapshot } from "../../protocol/page.ts";
import { isOutOfDate, outlookAt, pageStatus } from "../../protocol/page.ts";
import type { ComponentStatus } from "../../protocol/status.ts";
import { indicatorOf, worst } from "../../protocol/status.ts";
import type { Millis } from "../../protocol/time.ts";
import { dayOf, rfc3339 } from "./calendar.ts";
import { shortHash } from "./hash.ts";

type WireStatus = Exclude<ComponentStatus, "unknown">;

interface WireComponent {
  readonly id: string;
  readonly name: string;
  readonly status: WireStatus;
  readonly created_at: string;
  readonly updated_at: string;
  readonly position: number;
  readonly description: string | null;
  readonly showcase: boolean;
  readonly start_date: string;
  readonly group_id: string | null;
  readonly page_id: string;
  readonly group: boolean;
  readonly only_show_if_degraded: boolean;
  readonly components?: readonly string[];
}

const DESCRIPTION = {
  operational: "All Systems Operational",
  under_maintenance: "Service Under Maintenance",
  unknown: "Some services are not reporting: data is missing",
  degraded_performance: "Partially Degraded Service",
  partial_outage: "Partial System Outage",
  major_outage: "Major Service Outage",
} as const satisfies Record<ComponentStatus, string>;

/** `/api/v2/status.json` */
export function statusDocument(snapshot: PageSnapshot, origin: string, now: Millis) {
  return { page: wirePage(snapshot, origin), status: wireStatus(snapshot, now) };
}

/** `/api/v2/summary.json`; clients rely on this order of keys. */
export function summaryDocument(snapshot: PageSnapshot, origin: string, now: Millis) {
  const components = wireComponents(snapshot, now);
  return {
    page: wirePage(snapshot, origin),
    components,
    incidents: [],
    scheduled_maintenances: snapshot.maintenances
      .filter(({ status }) => status !== "completed")
      .map((maintenance) => wireMaintenance(maintenance, components, snapshot, origin)),
    status: wireStatus(snapshot, now),
  };
}

function wirePage(snapshot: PageSnapshot, origin: string) {
  const { id, name, timeZone } = snapshot.page;
  return { id, name, url: origin, time_zone: timeZone, updated_at: rfc3339(snapshot.generatedAt, timeZone) };
}

function wireStatus(snapshot: PageSnapshot, now: Millis) {
  const status = pageStatus(snapshot.components, now);
  return { indicator: indicatorOf(status), description: describe(snapshot, status, now) };
}

function describe(snapshot: PageSnapshot, status: ComponentStatus, now: Millis): string {
  // A page without components has nothing that could be broken; it also has nothing to be green about.
  if (snapshot.archive?.isRestoring === true && snapshot.components.length === 0)
    return "The page is being restored: data is missing";
  if (snapshot.components.length === 0) return "No components are published yet";
  if (isOutOfDate(snapshot, now))
    return `This is an old copy: no news since ${rfc3339(snapshot.generatedAt, snapshot.page.timeZone)}`;
  return DESCRIPTION[status];
}

function wireComponents(snapshot: PageSnapshot, now: Millis): readonly WireComponent[] {
  const rows: WireComponent[] = [];
  for (const group of new Set(snapshot.components.map((component) => component.group))) {
    const members = snapshot.components.filter((component) => component.group === group);
    // Groups have no row of their own: their id is made of their name.
    const groupId = group === null ? null : shortHash(group);
    if (group !== null && groupId !== null)
      rows.push(groupRow(group, groupId, members, snapshot, rows.length + 1, now));
    for (const member of members) rows.push(componentRow(member, groupId, snapshot, rows.length + 1, now));
  }
  return rows;
}

function componentRow(
  component: PageComponent,
  groupId: string | null,
  { page }: PageSnapshot,
  position: number,
  now: Millis,
): WireComponent {
  const said = outlookAt(component, now);
  return {
    id: component.id,
    name: component.name,
    status: wireStatusOf(said.status),
    created_at: rfc3339(component.createdAt, page.timeZone),
    updated_at: rfc3339(Math.max(component.updatedAt, Math.min(said.since, now)), page.timeZone),
    position,
    description: said.status === "unknown" ? missingData(component, page.timeZone) : component.description,
    showcase: true,
    start_date: dayOf(component.createdAt, page.timeZone),
    group_id: groupId,
    page_id: page.id,
    group: false,
    only_show_if_degraded: false,
  };
}

function groupRow(
  name: string,
  id: string,
  members: readonly PageComponent[],
  { page }: PageSnapshot,
  position: number,
  now: Millis,
): WireComponent {
  return {
    id,
    name,
    status: wireStatusOf(worst(members.map((member) => outlookAt(member, now).status))),
    created_at: rfc3339(Math.min(...members.map((member) => member.createdAt)), page.timeZone),
    updated_at: rfc3339(Math.max(...members.map((member) => member.updatedAt)), page.timeZone),
    position,
    description: null,
    showcase: true,
    start_date: dayOf(Math.min(...members.map((member) => member.createdAt)), page.timeZone),
    group_id: null,
    page_id: page.id,
    group: true,
    only_show_if_degraded: false,
    components: members.map((member) => member.id),
  };
}

function wireMaintenance(
  maintenance: PageMaintenance,
  components: readonly WireComponent[],
  { page }: PageSnapshot,
  origin: string,
) {
  const at = (moment: Millis): string => rfc3339(moment, page.timeZone);
  const affected = components.filter(({ id }) => maintenance.components.includes(id));
  return {
    id: maintenance.id,
    name: maintenance.name,
    status: maintenance.status,
    created_at: at(maintenance.createdAt),
    updated_at: at(maintenance.updatedAt),
    monitoring_at: null,
    resolved_at: null,
    impact: "maintenance",
    shortlink: `${origin}/#maintenance-${maintenance.id}`,
    started_at: at(maintenance.startsAt),
    page_id: page.id,
    incident_updates: [
      {
        // One update, made with the maintenance itself: its id is the maintenance's, told apart by the last letter.
        id: `${maintenance.id.slice(0, 11)}u`,
        status: maintenance.status,
        body: maintenance.name,
        incident_id: maintenance.id,
        created_at: at(maintenance.createdAt),
        updated_at: at(maintenance.updatedAt),
        display_at: at(maintenance.createdAt),
        affected_components: affected.map(({ id, name }) => ({
          code: id,
          name,
          old_status: "operational",
          new_status: "under_maintenance",
        })),
        deliver_notifications: false,
        custom_tweet: null,
        tweet_id: null,
      },
    ],
    components: affected,
    scheduled_for: at(maintenance.startsAt),
    scheduled_until: at(maintenance.endsAt),
  };
}

function wireStatusOf(status: ComponentStatus): WireStatus {
  return status === "unknown" ? "degraded_performance" : status;
}

function missingData(component: PageComponent, timeZone: string): string {
  return component.heardAt === null
    ? "Data is missing: nothing has been reported yet"
    : `Data is missing: no report since ${rfc3339(component.heardAt, timeZone)}`;
}
