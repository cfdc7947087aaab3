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
import { fill } from "./words/fill.ts";
import type { Locale } from "./words/locale.ts";
import type { Words } from "./words/words.ts";

export function notices({ maintenances, components }: PageChange, now: Millis, locale: Locale): Html {
  return markup`${maintenances.map((maintenance) => maintenanceNotice(maintenance, components, now, locale))}`;
}

/** Completed ones are history; the rest is announced, and "in force" is only said once every cluster has shown it. */
function maintenanceNotice(
  maintenance: PageMaintenance,
  components: readonly LiveComponent[],
  now: Millis,
  locale: Locale,
): Html | null {
  if (maintenance.status === "completed") return null;
  const { words } = locale;
  const { startsAt, endsAt, name } = maintenance;
  const names = components.filter((c) => maintenance.components.includes(c.id)).map((c) => c.name);
  return markup`<section class="notice"><h2>${shape("under_maintenance")}${fill(now < startsAt ? words.scheduledMaintenance : words.maintenance, { name })}</h2><p><time data-from="${startsAt}" data-until="${endsAt}">${span(startsAt, endsAt, now, locale)}</time>. ${phase(maintenance, now, words)}${names.length > 0 && fill(words.affects, { names: names.join(", ") })}</p></section>`;
}

function phase(maintenance: PageMaintenance, now: Millis, words: Words): string {
  if (now < maintenance.startsAt) return "";
  if (now >= maintenance.endsAt) return `${words.overdue} `;
  return `${maintenance.confirmed ? words.confirmed : words.unconfirmed} `;
}
