/**
 * What visitors may know that there is. A component that is hidden leaves no trace in any public byte: it is taken out of
 * the facts before anything public is made of them, together with what people said of nothing else.
 */
import type { Component } from "./component.ts";
import type { Incident, Update } from "./incident.ts";
import type { Announcement, Maintenance } from "./maintenance.ts";

interface Announced {
  readonly components: readonly Component[];
  readonly maintenances: readonly Maintenance[];
  readonly incidents?: readonly Incident[];
  readonly announcements?: readonly Announcement[];
}

/** The components that visitors see. */
export function visible(components: readonly Component[]): readonly Component[] {
  return components.filter(({ hidden }) => hidden !== true);
}

/** Facts without what is hidden. What a component was called that is gone stands where it was said. */
export function publicFacts<Facts extends Announced>(facts: Facts): Facts {
  const { components, maintenances, incidents = [], announcements = [] } = facts;
  const hidden = new Set(components.filter((one) => one.hidden === true).map(({ id }) => id));
  if (hidden.size === 0) return facts;
  const shown = (id: string): boolean => !hidden.has(id);
  return {
    ...facts,
    components: visible(components),
    maintenances: maintenances.map((one) =>
      one.updates === undefined ? one : { ...one, updates: one.updates.map((update) => cleared(update, shown)) },
    ),
    incidents: incidents
      .filter((one) => isSomebodys(namedIn(one), shown))
      .map((one) => ({ ...one, updates: one.updates.map((update) => cleared(update, shown)) })),
    announcements: announcements
      .filter((one) => isSomebodys([...one.components, ...namedIn(one)], shown))
      .map((one) => ({
        ...one,
        components: one.components.filter(shown),
        ...(one.updates && { updates: one.updates.map((update) => cleared(update, shown)) }),
      })),
  };
}

/** What is about nothing but hidden components is hidden, too; what named none is everybody's. */
function isSomebodys(named: readonly string[], shown: (id: string) => boolean): boolean {
  return named.length === 0 || named.some(shown);
}

function namedIn({ updates = [] }: { readonly updates?: readonly Update<unknown>[] }): readonly string[] {
  return updates.flatMap(({ affected }) => affected.map(({ component }) => component));
}

function cleared<Status>(update: Update<Status>, shown: (id: string) => boolean): Update<Status> {
  return { ...update, affected: update.affected.filter(({ component }) => shown(component)) };
}
