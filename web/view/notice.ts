/**
 * What is announced above the components. The script does not render it: an open page is fetched anew when one of them
 * begins, ends or changes. So nothing here counts down.
 */
import type { LiveComponent, PageChange, PageMaintenance } from "../../protocol/page.ts";
import type { Millis } from "../../protocol/time.ts";
import { span } from "./format.ts";
import type { Html } from "./html.ts";
import { markup } from "./html.ts";
import { shape } from "./shape.ts";

export function notices({ maintenances, components }: PageChange, now: Millis, timeZone: string): Html {
  return markup`${maintenances.map((maintenance) => maintenanceNotice(maintenance, components, now, timeZone))}`;
}

/** Completed ones are history; the rest is announced, and "in force" is only said once every cluster has shown it. */
function maintenanceNotice(
  maintenance: PageMaintenance,
  components: readonly LiveComponent[],
  now: Millis,
  timeZone: string,
): Html | null {
  if (maintenance.status === "completed") return null;
  const { startsAt, endsAt } = maintenance;
  const names = components.filter((c) => maintenance.components.includes(c.id)).map((c) => c.name);
  return markup`<section class="notice"><h2>${shape("under_maintenance")}${now < startsAt ? "Scheduled maintenance" : "Maintenance"}: ${maintenance.name}</h2><p><time data-from="${startsAt}" data-until="${endsAt}">${span(startsAt, endsAt, now, timeZone)}</time>. ${phase(maintenance, now)}${names.length > 0 && `Affects ${names.join(", ")}.`}</p></section>`;
}

function phase(maintenance: PageMaintenance, now: Millis): string {
  if (now < maintenance.startsAt) return "";
  if (now >= maintenance.endsAt) return "Its planned end has passed. ";
  return maintenance.confirmed
    ? "Confirmed: it is in force. "
    : "Requested: not yet confirmed by the systems concerned. ";
}
