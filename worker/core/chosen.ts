/**
 * A visitor's own view of the page: the components they chose, named in its address. Nobody keeps the choice, so the
 * address is all there is of it, and has one form only: ids in order, each once.
 */
import type { PageSnapshot } from "../../protocol/page.ts";
import { concerns } from "../../protocol/page.ts";

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
  const shown = new Set(components.map(({ id }) => id));
  const { incidents, metrics, ...rest } = snapshot;
  return {
    ...rest,
    components,
    maintenances: snapshot.maintenances.filter((one) => concerns(one, shown)),
    ...(incidents && { incidents: incidents.filter((one) => concerns(one, shown)) }),
    ...(metrics && { metrics: metrics.filter(({ component }) => component !== null && shown.has(component)) }),
  };
}
