/**
 * A visitor's own view of the page: the components they chose, named in its address. Nobody keeps the choice, so the
 * address is all there is of it, and has one form only: ids in order, each once.
 */
import type { PageIncident, PageLog, PageSnapshot } from "../../protocol/page.ts";

/** Ids of a longer address are not read. */
export const CHOSEN_MAX = 100;

/** The ids that an address names, in their one order; null if there is none among them. */
export function chosenIds(text: string): readonly string[] | null {
  const named = text.split(",", CHOSEN_MAX).filter((id) => /^[0-9a-z]{12}$/.test(id));
  return named.length === 0 ? null : [...new Set(named)].toSorted();
}

/** What is left of the page for those who chose `ids`; null if it has none of them. */
export function chosenSnapshot(snapshot: PageSnapshot, ids: readonly string[]): PageSnapshot | null {
  const components = snapshot.components.filter(({ id }) => ids.includes(id));
  if (components.length === 0) return null;
  const { incidents, metrics, ...rest } = snapshot;
  return {
    ...rest,
    components,
    maintenances: snapshot.maintenances.filter((one) => one.components.some((id) => ids.includes(id))),
    ...(incidents && { incidents: concerning(incidents, ids) }),
    ...(metrics && { metrics: metrics.filter(({ component }) => component !== null && ids.includes(component)) }),
  };
}

/** The same of all that was announced. */
export function chosenLog(log: PageLog, ids: readonly string[]): PageLog {
  return {
    version: log.version,
    incidents: concerning(log.incidents, ids),
    maintenances: log.maintenances.filter((one) => one.components.some((id) => ids.includes(id))),
  };
}

/** An incident that never named a component is everybody's. */
function concerning(incidents: readonly PageIncident[], ids: readonly string[]): readonly PageIncident[] {
  const namesNone = ({ components, updates }: PageIncident): boolean =>
    components.length === 0 && updates.every(({ affected }) => affected.length === 0);
  return incidents.filter((one) => namesNone(one) || one.components.some((id) => ids.includes(id)));
}
