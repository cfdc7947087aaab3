/**
 * A Board that lost its storage, from what the archive holds. What people did meanwhile stands: it is newer than all
 * that comes back, and it has what comes back beside it.
 */
import type { Millis } from "../../protocol/time.ts";
import type { ClusterIdentity, Component, LaterFields, StatusChange } from "./component.ts";
import { LATER_FIELDS } from "./component.ts";
import { HISTORY_MS } from "./history.ts";
import type { Incident, MergedIncident } from "./incident.ts";
import type { Announcement, Maintenance } from "./maintenance.ts";
import { isUnanswered } from "./renewal.ts";
import type { Series } from "./schedule.ts";
import type { PageSettings } from "./snapshot.ts";

/** A document as the archive holds it: the body is what was held under that key when it was last changed. */
export interface Archived {
  readonly kind: string;
  readonly body: Readonly<Record<string, unknown>>;
}

/** What a Board holds already when its memory comes back. */
export interface Held {
  readonly page: PageSettings;
  readonly components: readonly Component[];
  readonly maintenances: ReadonlyMap<string, Maintenance>;
  readonly announcements: ReadonlyMap<string, Announcement>;
  readonly incidents: ReadonlyMap<string, Incident>;
  readonly series: ReadonlyMap<string, Series>;
  readonly clusters: ReadonlyMap<string, ClusterIdentity>;
}

/** What is to be put beside it. */
export interface Restored {
  readonly page: PageSettings;
  readonly components: readonly Component[];
  /** Components that were published anew meanwhile: they go on under their old ids, and these ids were never needed. */
  readonly rejoined: readonly { readonly id: string; readonly component: Component }[];
  readonly maintenances: readonly Maintenance[];
  /** Maintenances whose lease may not be as it should: what was on its way to the Cluster is forgotten. */
  readonly unsure: readonly { readonly act: "set" | "release"; readonly maintenance: Maintenance }[];
  readonly announcements: readonly Announcement[];
  readonly incidents: readonly Incident[];
  readonly merged: readonly MergedIncident[];
  readonly series: readonly Series[];
  readonly clusters: readonly ClusterIdentity[];
}

/** An incident as the archive has it: one that was deleted, or is part of another now, stays there and says so. */
type ArchivedIncident = Incident & { readonly removedAt?: Millis; readonly mergedInto?: string };

export function restored(documents: readonly Archived[], held: Held, now: Millis): Restored {
  // Written by this page's own archive, each kind from one type.
  const of = <T>(kind: string): T[] =>
    documents.filter((one) => one.kind === kind).map(({ body }) => body as unknown as T);
  const [page = held.page] = of<PageSettings>("page");
  const published = of<Component & { readonly removedAt?: Millis }>("component").filter(
    ({ id, removedAt }) => removedAt === undefined && !held.components.some((known) => known.id === id),
  );
  const archived = of<ArchivedIncident>("incident").filter(({ id }) => !held.incidents.has(id));
  const maintenances = of<Maintenance>("maintenance").filter(
    ({ id, endsAt, endedAt }) => !held.maintenances.has(id) && (endedAt ?? endsAt) > now - HISTORY_MS,
  );
  return {
    page: pageBack(page, held.page),
    components: published.filter((one) => namedAlike(one, held) === undefined),
    rejoined: published.flatMap((one) => {
      const known = namedAlike(one, held);
      if (known === undefined) return [];
      const { id, createdAt, position } = one;
      return [{ id: known.id, component: { ...laterFields(one), ...known, id, createdAt, position } }];
    }),
    maintenances,
    announcements: of<Announcement>("announcement").filter(({ id }) => !held.announcements.has(id)),
    incidents: archived.filter(({ removedAt, mergedInto }) => removedAt === undefined && mergedInto === undefined),
    merged: archived.flatMap(({ id, mergedInto, writtenAt }) =>
      mergedInto === undefined ? [] : [{ id, into: mergedInto, at: writtenAt }],
    ),
    series: of<Series>("series").filter(({ id }) => !held.series.has(id)),
    unsure: maintenances.flatMap((maintenance) => unsure(maintenance, now)),
    clusters: of<ClusterIdentity>("cluster")
      .filter(({ cluster }) => !held.clusters.has(cluster))
      .map(({ cluster, createdAt }) => ({ cluster, createdAt, keys: [] })),
  };
}

/** Whoever published it anew could leave them out, because they stay as they are. */
function laterFields(component: Component): LaterFields {
  const fields = LATER_FIELDS.map((field) => [field, component[field]] as const);
  return Object.fromEntries(fields.filter(([, value]) => value !== undefined));
}

/** Name and zone are the deployment's; the rest is an operator's, and none but another operator's takes its place. */
function pageBack(back: PageSettings, held: PageSettings): PageSettings {
  return { ...back, ...held, id: back.id, createdAt: Math.min(back.createdAt, held.createdAt) };
}

function namedAlike({ group, name }: Component, { components }: Held): Component | undefined {
  return components.find((known) => known.group === group && known.name === name);
}

/** Both acts are idempotent: a lease that is as it should be stays. One without an answer was never confirmed. */
function unsure(maintenance: Maintenance, now: Millis): Restored["unsure"] {
  const { endsAt, endedAt } = maintenance;
  if (endsAt <= now) return [];
  if (endedAt !== null) return [{ act: "release", maintenance }];
  return isUnanswered(maintenance) ? [{ act: "set", maintenance }] : [];
}

/**
 * A component's journal with what came back in front of what was recorded since, oldest first. The first entry after
 * the gap says again what held before it if nothing happened meanwhile: then it is left out, or `since` would be the
 * moment of the loss.
 */
export function joinedChanges(back: readonly StatusChange[], since: readonly StatusChange[]): readonly StatusChange[] {
  const known = new Set(since.map(({ at }) => at));
  const all = [...back.filter(({ at }) => !known.has(at)), ...since].toSorted((a, b) => a.at - b.at);
  return all.filter(({ status }, i) => status !== all[i - 1]?.status);
}
