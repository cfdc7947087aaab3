/**
 * Maintenances as a calendar to subscribe to (RFC 5545). A window keeps its UID for ever and counts its changes in
 * SEQUENCE; one that was called off stays and says so: a calendar that merely lost it would go on showing it.
 */
import ical, { ICalCalendarMethod, ICalEventStatus, ICalEventTransparency } from "ical-generator";
import type { PageMaintenance } from "../../../protocol/page.ts";
import { HOUR, SECOND } from "../../../protocol/time.ts";
import { isoText } from "../iso.ts";
import { markdownText } from "../markdown.ts";
import type { FeedView } from "./scope.ts";
import { within } from "./scope.ts";
import { tagless } from "./text.ts";

/** How often calendars are asked to look again. Most do so when they please. */
const LOOK_AGAIN_S = HOUR / SECOND;

/** `/maintenance.ics` of the page or of a part of it. `names` of the components, by id. */
export function maintenanceCalendar(view: FeedView, names: ReadonlyMap<string, string>): string {
  const { page, log, origin, scope } = view;
  const name = scope.name === null ? page.name : `${page.name}: ${scope.name}`;
  const calendar = ical({
    name: tagless(name),
    description: `Maintenance of ${tagless(scope.name ?? page.name)}`,
    prodId: "//Observatory Edge//Maintenance//EN",
    method: ICalCalendarMethod.PUBLISH,
    ttl: LOOK_AGAIN_S,
  });
  for (const maintenance of within(log.maintenances, scope)) {
    calendar.createEvent({
      // Not the address: a page that moves to another one keeps its events.
      id: `${maintenance.id}@${page.id}.observatory-edge`,
      sequence: maintenance.sequence ?? 0,
      // When it was last changed, not when it was asked for: what did not change must not look changed.
      stamp: isoText(maintenance.updatedAt),
      created: isoText(maintenance.createdAt),
      lastModified: isoText(maintenance.updatedAt),
      start: isoText(maintenance.startsAt),
      end: isoText(maintenance.endsAt),
      summary: tagless(maintenance.name),
      description: tagless(describe(maintenance, names)),
      url: `${origin}/maintenance/${maintenance.id}`,
      status: maintenance.cancelledAt === undefined ? ICalEventStatus.CONFIRMED : ICalEventStatus.CANCELLED,
      // It concerns whoever looks at it; it does not take up their time.
      transparency: ICalEventTransparency.TRANSPARENT,
    });
  }
  // Every line ends in CRLF, the last one too (RFC 5545, 3.1).
  return `${calendar.toString()}\r\n`;
}

/** What is touched, and what was said last. */
function describe({ components, updates = [] }: PageMaintenance, names: ReadonlyMap<string, string>): string {
  const touched = components.flatMap((id) => names.get(id) ?? []);
  const latest = updates[0];
  return [
    ...(touched.length === 0 ? [] : [`Affects: ${touched.join(", ")}`]),
    ...(latest === undefined ? [] : [markdownText(latest.body)]),
  ].join("\n\n");
}
