/**
 * Everything on the page that can change while it is open, by the id of its element. The Worker renders these into
 * the page and the browser renders them again each second, so both say the same at the same moment by construction.
 */
import type { LiveComponent, PageChange, PageMaintenance } from "../../protocol/page.ts";
import { outlookAt, pageStatus } from "../../protocol/page.ts";
import type { ComponentStatus } from "../../protocol/status.ts";
import type { Millis } from "../../protocol/time.ts";
import { length, moment, quantileText, rateText, ratioText, span } from "./format.ts";
import type { Html } from "./html.ts";
import { markup } from "./html.ts";
import { shape } from "./shape.ts";
import { headline, STATUS_WORDS, tally } from "./words.ts";

export type Regions = Readonly<Record<string, Html>>;

export function pageRegions(change: PageChange, now: Millis, timeZone: string): Regions {
  const regions: Record<string, Html> = {
    headline: headlineRegion(change, now),
    asof: asOfRegion(change, now, timeZone),
    notices: markup`${change.maintenances.map((m) => maintenanceNotice(m, change.components, now, timeZone))}`,
  };
  for (const component of change.components) {
    const { status } = outlookAt(component, now);
    regions[`s-${component.id}`] = stateRegion(component.name, status);
    regions[`w-${component.id}`] = markup`${reason(component, now, timeZone)}`;
    regions[`n-${component.id}`] = numbersRegion(component, status);
    regions[`a-${component.id}`] = markup`${dataAge(component, now)}`;
  }
  return regions;
}

function headlineRegion(change: PageChange, now: Millis): Html {
  const status = change.components.length === 0 ? "unknown" : pageStatus(change.components, now);
  return markup`${shape(status)}${headline(change.components, now)}`;
}

function asOfRegion(change: PageChange, now: Millis, timeZone: string): Html {
  const well = tally(change.components, now);
  const at = moment(change.generatedAt, now, timeZone, true);
  return markup`as of ${at}, ${length(now - change.generatedAt)} ago${well === null ? "" : ` · ${well}`}`;
}

function stateRegion(name: string, status: ComponentStatus): Html {
  return markup`${shape(status)}<h3>${name}</h3><p>${STATUS_WORDS[status]}</p>`;
}

/** What trouble it is, since when, and why; nothing for a component that is well. */
export function reason(component: LiveComponent, now: Millis, timeZone: string): string {
  const { status, since, why } = outlookAt(component, now);
  if (status === "operational") return "";
  const at = moment(since, now, timeZone);
  if (status === "unknown") {
    if (component.heardAt === null) return "No report yet";
    if (component.heardAt <= since) return `No report since ${moment(component.heardAt, now, timeZone)}`;
    if (why === null) return `Data missing since ${at}`;
  }
  return why === null ? `Since ${at}` : `Since ${at}: ${why}`;
}

function numbersRegion({ p95, errorRatio, requestsPerSecond }: LiveComponent, status: ComponentStatus): Html {
  // Old numbers beside "unknown" would read as news.
  if (status === "unknown" || requestsPerSecond === null) return markup`no numbers`;
  return markup`<span>p95 ${quantileText(p95)}</span> <span>error ratio ${ratioText(errorRatio)}</span> <span>${rateText(requestsPerSecond)}</span>`;
}

function dataAge(component: LiveComponent, now: Millis): string {
  return component.heardAt === null ? "" : `data ${length(now - component.heardAt)} old`;
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
  return markup`<section class="notice"><h2>${shape("under_maintenance")}${now < startsAt ? "Scheduled maintenance" : "Maintenance"}: ${maintenance.name}</h2><p><time data-from="${startsAt}" data-until="${endsAt}">${span(startsAt, endsAt, now, timeZone)}</time>. ${phase(maintenance, now)}${names.length > 0 && ` Affects ${names.join(", ")}.`}</p></section>`;
}

function phase(maintenance: PageMaintenance, now: Millis): string {
  if (now < maintenance.startsAt) return `Begins in ${length(maintenance.startsAt - now)}.`;
  if (now >= maintenance.endsAt) return "Its planned end has passed.";
  return maintenance.confirmed
    ? "Confirmed: it is in force."
    : "Requested: not yet confirmed by the systems concerned.";
}
