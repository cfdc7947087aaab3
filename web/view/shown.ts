/** What an open page starts from. */
import type { PageSnapshot } from "../../protocol/page.ts";
import { headIncident } from "../../protocol/page.ts";
import type { Millis } from "../../protocol/time.ts";
import { flatGroups, groupsOf } from "./groups.ts";
import type { Shown } from "./regions.ts";

/** What the script starts from: all of it is in the page in words as well. */
export function shownFirst(snapshot: PageSnapshot, now: Millis): Shown {
  const { generatedAt, components, maintenances, incidents, announced, archive } = snapshot;
  const turns = maintenances.flatMap(({ startsAt, endsAt }) => [startsAt, endsAt]).filter((at) => at > now);
  return {
    generatedAt,
    components: components.map(({ id, name, outlook, heardAt, p95, errorRatio, requestsPerSecond, outside }) => {
      return { id, name, outlook, heardAt, p95, errorRatio, requestsPerSecond, ...(outside && { outside }) };
    }),
    incident: headIncident(incidents),
    groups: flatGroups(groupsOf(components)).map(({ all }) => all),
    turnsAt: turns.length === 0 ? null : Math.min(...turns),
    ...(announced === undefined ? {} : { announced }),
    ...(archive === undefined ? {} : { archive }),
  };
}
