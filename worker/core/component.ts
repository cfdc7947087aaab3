/** What visitors see: a component over services of one or more clusters, and what is said of it from now on. */
import type { Outlook } from "../../protocol/page.ts";
import type { ComponentStatus } from "../../protocol/status.ts";
import { worse, worst } from "../../protocol/status.ts";
import type { LeaseReport } from "../../protocol/lease.ts";
import type { Latency } from "../../protocol/latency.ts";
import type { SourceState } from "../../protocol/push.ts";
import type { Millis } from "../../protocol/time.ts";
import type { Maintenance } from "./maintenance.ts";
import { coversUntil } from "./maintenance.ts";
import type { Outside } from "./probe.ts";
import { freshUntil, withOutside } from "./probe.ts";
import type { ServiceVerdict } from "./service.ts";
import type { Slo } from "./slo.ts";
import type { ToldTopology } from "./topology.ts";

/** `all`: as bad as the worst of its services. `any`: well while one of them is. */
export const RULES = ["all", "any"] as const;
export type Rule = (typeof RULES)[number];

export interface Component {
  readonly id: string;
  readonly name: string;
  readonly description: string | null;
  readonly group: string | null;
  /** cluster/namespace/name of each service it stands for. Internal: never public. */
  readonly services: readonly string[];
  readonly rule: Rule;
  /** The public address that is asked from outside; https. Absent if none is, and in what an earlier version wrote. */
  readonly url?: string;
  readonly position: number;
  readonly createdAt: Millis;
  readonly updatedAt: Millis;
  /** What is promised of it. Absent without a promise, and in what an earlier version wrote. */
  readonly slo?: Slo;
}

/** One service as its Cluster last told of it. Counts are over `spanMs`; null is "no data". */
export interface ToldService extends ServiceVerdict {
  readonly service: string;
  readonly traffic: { readonly requests: number; readonly errors: number; readonly spanMs: number } | null;
  readonly latency: Latency | null;
  readonly replicas: { readonly ready: number; readonly desired: number } | null;
}

/** What a Cluster tells the Board of its agent's evidence: on a change of state at once, otherwise every 30 s. */
export interface Tell {
  readonly cluster: string;
  /** When the newest push was received. */
  readonly heardAt: Millis;
  /** From here on its services are unknown unless more is heard. */
  readonly expiresAt: Millis;
  readonly intervalMs: number;
  readonly agentVersion: string;
  readonly skewMs: number;
  readonly sources: Readonly<Record<string, SourceState>>;
  readonly services: readonly ToldService[];
  readonly leases: LeaseReport;
  /** Facts received and not yet in Postgres, and since when the oldest waits. */
  readonly backlog: Backlog;
  /** Who calls whom. Absent where nobody looked, in most tells on their way, and in what an earlier version wrote. */
  readonly topology?: ToldTopology;
}

export interface Backlog {
  readonly waiting: number;
  /** Null if nothing waits. */
  readonly since: Millis | null;
  /** When this was so, where nothing beside it says that. */
  readonly at?: Millis;
}

/** Who may speak for a cluster. `waiting`: a code was given out and nobody came yet. */
export interface ClusterIdentity {
  readonly cluster: string;
  readonly createdAt: Millis;
  readonly keys: readonly AgentKey[];
}

export interface AgentKey {
  readonly keyId: string;
  readonly fingerprint: string;
  readonly state: "pending" | "active" | "revoked";
  readonly createdAt: Millis;
}

export interface Evidence {
  readonly tells: ReadonlyMap<string, Tell>;
  readonly maintenances: readonly Maintenance[];
  /** What was seen from outside, by address. */
  readonly outside: ReadonlyMap<string, Outside>;
}

/** Splits cluster/namespace/name. */
export function splitService(ref: string): { readonly cluster: string; readonly service: string } {
  const slash = ref.indexOf("/");
  return { cluster: ref.slice(0, slash), service: ref.slice(slash + 1) };
}

/** The components that a cluster's evidence says something of, by cluster. */
export function componentsByCluster(components: readonly Component[]): ReadonlyMap<string, readonly Component[]> {
  const found = new Map<string, Component[]>();
  for (const component of components) {
    for (const cluster of clustersOf(component)) {
      const members = found.get(cluster) ?? [];
      members.push(component);
      found.set(cluster, members);
    }
  }
  return found;
}

function clustersOf(component: Component): ReadonlySet<string> {
  return new Set(component.services.map((ref) => splitService(ref).cluster));
}

/** The told services behind a component whose evidence is still good at `at`. */
export function freshServices(component: Component, tells: Evidence["tells"], at: Millis): ToldService[] {
  return component.services.flatMap((ref) => freshService(ref, tells, at) ?? []);
}

function freshService(ref: string, tells: Evidence["tells"], at: Millis): ToldService | null {
  const { cluster, service } = splitService(ref);
  const tell = tells.get(cluster);
  if (tell === undefined || at >= tell.expiresAt) return null;
  return tell.services.find((told) => told.service === service) ?? null;
}

interface Said {
  readonly status: ComponentStatus;
  readonly why: string | null;
}

/** What is said of a component at `at`, judged by the evidence held now: the mesh's, and what was seen from outside. */
export function componentVerdict(component: Component, evidence: Evidence, at: Millis): Said {
  return withOutside(insideVerdict(component, evidence, at), outsideOf(component, evidence), at);
}

/** What was seen of a component from outside; null if nobody looks, or nobody did yet. */
export function outsideOf({ url }: Component, { outside }: Pick<Evidence, "outside">): Outside | null {
  return url === undefined ? null : (outside.get(url) ?? null);
}

/** What the mesh says of it. Maintenance is declared; the rest is evidence. */
export function insideVerdict(component: Component, evidence: Evidence, at: Millis): Said {
  const said = component.services.map((ref) => serviceSaid(ref, evidence, at));
  const statuses = said.map(({ status }) => status);
  const status = component.rule === "any" ? mildestKnown(statuses) : worst(statuses);
  return { status, why: said.find((one) => one.status === status)?.why ?? null };
}

/** Of one service: a maintenance covers its own target and nothing beside it. */
function serviceSaid(ref: string, { maintenances, tells }: Evidence, at: Millis): Said {
  const covering = maintenances.find((maintenance) => covers(maintenance, ref, at));
  if (covering !== undefined) return { status: "under_maintenance", why: covering.name };
  const told = freshService(ref, tells, at);
  return told === null ? { status: "unknown", why: null } : { status: told.status, why: told.why };
}

/** `any`: the mildest of what is known; unknown only if nothing is. */
function mildestKnown(statuses: readonly ComponentStatus[]): ComponentStatus {
  const known = statuses.filter((status) => status !== "unknown");
  return known.length === 0 ? "unknown" : known.reduce((a, b) => (worse(a, b) === a ? b : a));
}

function covers(maintenance: Maintenance, ref: string, at: Millis): boolean {
  return (
    ref === `${maintenance.cluster}/${maintenance.service}` &&
    at >= maintenance.startsAt &&
    at < coversUntil(maintenance)
  );
}

/** A reader needs no more: beyond these the snapshot itself is long out of date. */
const OUTLOOK_MAX = 16;

/**
 * What will be said from `from` on if nothing more is heard. The evidence changes what is said only where a tell
 * expires or a maintenance begins or ends, so it is judged at exactly these moments.
 *
 * @param known the last recorded status and its begin, so that `since` survives a render; null for a new component
 */
export function outlook(
  component: Component,
  evidence: Evidence,
  known: { readonly status: ComponentStatus; readonly at: Millis } | null,
  from: Millis,
): readonly Outlook[] {
  const result: Outlook[] = [];
  for (const at of turningPoints(component, evidence, from)) {
    const said = componentVerdict(component, evidence, at);
    const last = result.at(-1);
    if (last !== undefined && last.status === said.status && last.why === said.why) continue;
    const status = last ?? known;
    const since = status?.status === said.status ? (last?.since ?? known?.at ?? at) : at;
    result.push({ from: at, since, ...said });
  }
  return result.slice(0, OUTLOOK_MAX);
}

function turningPoints(component: Component, evidence: Evidence, from: Millis): Millis[] {
  const expiries = [...clustersOf(component)].flatMap((cluster) => evidence.tells.get(cluster)?.expiresAt ?? []);
  const windows = evidence.maintenances
    .filter((maintenance) => component.services.includes(`${maintenance.cluster}/${maintenance.service}`))
    .flatMap((maintenance) => [maintenance.startsAt, coversUntil(maintenance)]);
  const outside = outsideOf(component, evidence);
  const unseen = outside === null ? [] : [freshUntil(outside)];
  const later = [...expiries, ...windows, ...unseen].filter((at) => at > from);
  return [...new Set([from, ...later])].toSorted((a, b) => a - b);
}

/** One recorded fact of a component's history: from `at` on it was `status`. */
export interface StatusChange {
  readonly component: string;
  readonly at: Millis;
  readonly status: ComponentStatus;
}

/**
 * What the evidence held until now made true since the last recorded change: silence that became unknown, maintenance
 * that began or ended. Called before new evidence replaces the old, so no alarm is needed to notice a silence.
 */
export function changesUntil(
  component: Component,
  evidence: Evidence,
  last: StatusChange | null,
  now: Millis,
): readonly StatusChange[] {
  const said = outlook(component, evidence, last, last?.at ?? component.createdAt);
  return differing(component, last, said).filter((change) => change.at <= now);
}

/** What new evidence makes true now: at most one change. */
export function changesAt(
  component: Component,
  evidence: Evidence,
  last: StatusChange | null,
  now: Millis,
): readonly StatusChange[] {
  return differing(component, last, outlook(component, evidence, last, now).slice(0, 1));
}

function differing(component: Component, last: StatusChange | null, said: readonly Outlook[]): StatusChange[] {
  const changes: StatusChange[] = [];
  let status = last?.status ?? null;
  for (const entry of said) {
    if (entry.status === status) continue;
    status = entry.status;
    changes.push({ component: component.id, at: entry.from, status });
  }
  return changes;
}
