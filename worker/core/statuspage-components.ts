/** Components as Statuspage's clients read them: one flat list in which a group is a row before its members. */
import type { PageComponent, PageSnapshot } from "../../protocol/page.ts";
import { outlookAt } from "../../protocol/page.ts";
import type { ComponentStatus } from "../../protocol/status.ts";
import { worst } from "../../protocol/status.ts";
import type { Millis } from "../../protocol/time.ts";
import { rfc3339 } from "./calendar.ts";
import { shortHash } from "./hash.ts";

export type WireStatus = Exclude<ComponentStatus, "unknown">;

export interface WireComponent {
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

/** Groups have one level there: a nested one is a row by its whole path, such as "Platform / Data". */
export function wireComponents(snapshot: PageSnapshot, now: Millis): readonly WireComponent[] {
  const rows: WireComponent[] = [];
  for (const [group, members] of Map.groupBy(snapshot.components, (component) => component.group)) {
    // Groups have no row of their own: their id is made of their name.
    const groupId = group === null ? null : shortHash(group);
    if (group !== null && groupId !== null)
      rows.push(groupRow(group, groupId, members, snapshot, rows.length + 1, now));
    for (const member of members) rows.push(componentRow(member, groupId, snapshot, rows.length + 1, now));
  }
  return rows;
}

export function wireStatusOf(status: ComponentStatus): WireStatus {
  return status === "unknown" ? "degraded_performance" : status;
}

function componentRow(
  component: PageComponent,
  groupId: string | null,
  { page }: PageSnapshot,
  position: number,
  now: Millis,
): WireComponent {
  const said = outlookAt(component, now);
  const createdAt = rfc3339(component.createdAt, page.timeZone);
  return {
    id: component.id,
    name: component.name,
    status: wireStatusOf(said.status),
    created_at: createdAt,
    updated_at: rfc3339(updatedAt(component, now), page.timeZone),
    position,
    description: said.status === "unknown" ? missingData(component, page.timeZone) : component.description,
    showcase: component.withheld?.includes("uptime") !== true,
    start_date: component.startsOn ?? dateOf(createdAt),
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
  const createdAt = rfc3339(Math.min(...members.map((member) => member.createdAt)), page.timeZone);
  return {
    id,
    name,
    status: wireStatusOf(worst(members.map((member) => outlookAt(member, now).status))),
    created_at: createdAt,
    updated_at: rfc3339(Math.max(...members.map((member) => updatedAt(member, now))), page.timeZone),
    position,
    description: null,
    showcase: true,
    start_date: dateOf(createdAt),
    group_id: null,
    page_id: page.id,
    group: true,
    only_show_if_degraded: false,
    components: members.map((member) => member.id),
  };
}

/** Of a moment in the page's zone. */
function dateOf(moment: string): string {
  return moment.slice(0, "YYYY-MM-DD".length);
}

/** Also when time alone has changed what is said of it. */
function updatedAt(component: PageComponent, now: Millis): Millis {
  return Math.max(component.updatedAt, Math.min(outlookAt(component, now).since, now));
}

function missingData(component: PageComponent, timeZone: string): string {
  return component.heardAt === null
    ? "Data is missing: nothing has been reported yet"
    : `Data is missing: no report since ${rfc3339(component.heardAt, timeZone)}`;
}
