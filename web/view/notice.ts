/**
 * What is announced above the components: open incidents, then maintenance that is under way or to come. The script
 * does not render it: an open page is fetched anew when one of them begins, ends or changes. So nothing here counts
 * down.
 */
import type { LiveComponent, PageIncident, PageMaintenance, PageSnapshot } from "../../protocol/page.ts";
import { isUnresolved } from "../../protocol/page.ts";
import { impactStatus, INDICATORS } from "../../protocol/status.ts";
import type { Millis } from "../../protocol/time.ts";
import { announcement } from "./announcement.ts";
import { moment, span } from "./format.ts";
import type { Html } from "./html.ts";
import { markup } from "./html.ts";
import { shape } from "./shape.ts";
import { fill, filled } from "./words/fill.ts";
import type { Locale } from "./words/locale.ts";
import type { Words } from "./words/words.ts";

type Announced = Pick<PageSnapshot, "components" | "maintenances" | "incidents">;
type Named = readonly Pick<LiveComponent, "id" | "name">[];

/** Names of components that a notice spells out. */
const NAMES_MAX = 6;

export function notices({ incidents = [], maintenances, components }: Announced, now: Millis, locale: Locale): Html {
  const weight = ({ impact }: PageIncident): number => INDICATORS.indexOf(impact);
  const open = incidents.filter(isUnresolved).toSorted((a, b) => weight(b) - weight(a) || b.startedAt - a.startedAt);
  const planned = maintenances
    .filter(({ status, cancelledAt }) => status !== "completed" && cancelledAt === undefined)
    .toSorted((a, b) => a.startsAt - b.startsAt)
    // Of what recurs the next one is announced; the calendar has the others.
    .filter((one, i, all) => one.series === undefined || all.findIndex(({ series }) => series === one.series) === i);
  return markup`${open.map((one) => incidentNotice(one, components, now, locale))}${planned.map((one) => maintenanceNotice(one, components, now, locale))}`;
}

function incidentNotice(incident: PageIncident, components: Named, now: Millis, locale: Locale): Html {
  const { id, name, impact, startedAt, updates } = incident;
  const status = impactStatus(impact);
  const path = `${locale.base}/incidents/${id}`;
  const since = fill(locale.since, { at: moment(startedAt, now, locale) });
  const affected = affects(incident, components, locale);
  return markup`<section class="notice ${status}"><h2>${shape(status)}<a href="${path}">${name}</a></h2><p>${since}${affected !== "" && ` · ${affected}`}</p>${announcement({ updates, path }, now, locale)}</section>`;
}

/** Completed ones are history; the rest is announced, and "in force" is only said once every cluster has shown it. */
function maintenanceNotice(maintenance: PageMaintenance, components: Named, now: Millis, locale: Locale): Html {
  const { id, name, startsAt, endsAt, updates = [] } = maintenance;
  const { words } = locale;
  const path = `${locale.base}/maintenance/${id}`;
  const title = now < startsAt ? words.scheduledMaintenance : words.maintenance;
  return markup`<section class="notice under_maintenance"><h2>${shape("under_maintenance")}${filled(title, { name: markup`<a href="${path}">${name}</a>` })}</h2><p><time data-from="${startsAt}" data-until="${endsAt}">${span(startsAt, endsAt, now, locale)}</time>. ${maintenance.emergency === true && `${words.pages.emergency}. `}${phase(maintenance, now, words)}${affects(maintenance, components, locale)}</p>${announcement({ updates, path }, now, locale)}</section>`;
}

function affects({ components: ids }: Pick<PageIncident, "components">, components: Named, { words }: Locale): string {
  const names = components.filter(({ id }) => ids.includes(id)).map(({ name }) => name);
  if (names.length === 0) return "";
  const shown = names.slice(0, NAMES_MAX).join(", ");
  return fill(words.affects, { names: names.length > NAMES_MAX ? `${shown} +${names.length - NAMES_MAX}` : shown });
}

/** That a maintenance is in force is known only where a cluster was asked for it. What is verified is neither that nor late. */
function phase(maintenance: PageMaintenance, now: Millis, words: Words): string {
  if (now < maintenance.startsAt || maintenance.status === "verifying") return "";
  if (now >= maintenance.endsAt) return `${words.overdue} `;
  if (maintenance.unasked === true) return "";
  return `${maintenance.confirmed ? words.confirmed : words.unconfirmed} `;
}
