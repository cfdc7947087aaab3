/** What visitors see: a component over services of one or more clusters, and what is said of it from now on. */
import type { Outlook } from "../../protocol/page.ts";
import type { ComponentStatus } from "../../protocol/status.ts";
import { worse, worst } from "../../protocol/status.ts";
import type { AgentReport } from "../../protocol/agent.ts";
import type { HealthReport } from "../../protocol/health.ts";
import type { LeaseReport } from "../../protocol/lease.ts";
import type { DetectorReport } from "../../protocol/detector.ts";
import type { ExponentialLatency } from "../../protocol/exponential.ts";
import type { ExplicitLatency, Latency } from "../../protocol/latency.ts";
import type { SourceState } from "../../protocol/push.ts";
import type { Millis } from "../../protocol/time.ts";
import type { GatewayCounts } from "./gateway.ts";
import { shortHash } from "./hash.ts";
import type { Incident } from "./incident.ts";
import { worstSaid } from "./incident.ts";
import type { Announcement, Maintenance } from "./maintenance.ts";
import { announcedSpan, coversUntil, isAnnouncedFor } from "./maintenance.ts";
import type { Outside } from "./probe.ts";
import { freshUntil, withOutside } from "./probe.ts";
import type { Part, Rule } from "./rule.ts";
import { ruled } from "./rule.ts";
import type { ServiceVerdict } from "./service.ts";
import { inWords } from "./service.ts";
import type { Slo } from "./slo.ts";
import type { Thresholds } from "./thresholds.ts";
import type { ToldTopology } from "./topology.ts";

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
  /** With rule `quorum`: how many must be well. */
  readonly quorum?: number;
  /** Limits of its own: what is absent is the page's, or the runbook's. */
  readonly thresholds?: Partial<Thresholds>;
  readonly position: number;
  readonly createdAt: Millis;
  readonly updatedAt: Millis;
  /** What is promised of it. Absent without a promise, and in what an earlier version wrote. */
  readonly slo?: Slo;
  /**
   * What chooses the services, as it was typed. Absent where each is named by itself, and in what an earlier version
   * wrote: `services` is what it stands for either way.
   */
  readonly selector?: readonly string[];
  /** Of those that the selector chose, which are reported no more, and since when. Absent as the one before. */
  readonly gone?: Readonly<Record<string, Millis>>;
  /** Known to operators only. Absent where visitors see it, and in what an earlier version wrote. */
  readonly hidden?: true;
  /** What visitors do not see of it. Absent where they see all, and in what an earlier version wrote. */
  readonly withheld?: readonly Withheld[];
  /** Its first day, YYYY-MM-DD in the page's zone: what was before is not shown. Absent as the one before. */
  readonly startsOn?: string;
}

/** A page has at most so many. */
export const COMPONENTS_MAX = 1_000;

/** Its bars and figures of uptime; its numbers and charts. */
export const WITHHOLDABLE = ["uptime", "numbers"] as const;
type Withheld = (typeof WITHHOLDABLE)[number];

/** The fields of a component that joined later. Who does not name one leaves it as it is. */
export const LATER_FIELDS = ["quorum", "thresholds", "slo", "url", "hidden", "withheld", "startsOn"] as const;
export type LaterFields = Pick<Component, (typeof LATER_FIELDS)[number]>;

/** Stands for all that an operator says of a component, and nothing that changes by itself or by moving others. */
export function revisionOf(component: Component): string {
  const {
    position: _,
    createdAt: _at,
    updatedAt: _changed,
    gone: _gone,
    services,
    selector = services,
    ...said
  } = component;
  return shortHash(JSON.stringify(Object.entries({ ...said, selector }).toSorted(([a], [b]) => (a < b ? -1 : 1))));
}

/** One service as its Cluster last told of it. Counts are over `spanMs`; null is "no data". */
export interface ToldService extends ServiceVerdict {
  readonly service: string;
  readonly traffic: { readonly requests: number; readonly errors: number; readonly spanMs: number } | null;
  /** Explicit: the only scheme that an earlier version reads here. */
  readonly latency: ExplicitLatency | null;
  /** Instead of `latency`. Absent without one, and in what an earlier version wrote. */
  readonly exponential?: ExponentialLatency;
  readonly replicas: { readonly ready: number; readonly desired: number } | null;
  /** By component that judges it by limits of its own. Absent if none does, and in what an earlier version wrote. */
  readonly own?: Readonly<Record<string, ServiceVerdict>>;
  /** Requests a second that it usually gets while it is well. The Board's: absent in what an earlier version wrote. */
  readonly usualPerSecond?: number;
  /** Since when it gets no requests, absent while it does. The Board's, as the one before. */
  readonly quietSince?: Millis;
}

/** The histogram that was told of a service, whichever its scheme: none or one. */
export function latenciesOf({
  latency,
  exponential,
}: Pick<ToldService, "latency" | "exponential">): readonly Latency[] {
  return [latency, exponential].filter((one) => one !== null && one !== undefined);
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
  /** Stands for the limits they were judged by. Absent: the runbook's alone, as an earlier version does. */
  readonly policies?: string;
  readonly leases: LeaseReport;
  /** Facts received and not yet in Postgres, and since when the oldest waits. */
  readonly backlog: Backlog;
  /** Who calls whom. Absent where nobody looked, in most tells on their way, and in what an earlier version wrote. */
  readonly topology?: ToldTopology;
  /** What the Cluster has counted. Absent in what an earlier version wrote. */
  readonly gateway?: GatewayCounts;
  /** Who looks for anomalies there. Absent where the agent says nothing of it, and in what an earlier version wrote. */
  readonly detector?: DetectorReport;
  /** Of the agent itself. Absent in what an earlier version wrote, and where the agent does not say it. */
  readonly agent?: AgentReport;
  /** The runbook's morning list of that cluster. Absent where its agent does not say it, and in what an earlier version wrote. */
  readonly health?: HealthReport;
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
  /** When its agent was asked for another one. Absent where nobody asked, and in what an earlier version wrote, as the next two. */
  readonly rotateAskedAt?: Millis;
  /** The key that it took the place of. */
  readonly replaces?: string;
  /** When it ends, because the one that took its place is in use. */
  readonly retiresAt?: Millis;
}

export interface Evidence {
  readonly tells: ReadonlyMap<string, Tell>;
  readonly maintenances: readonly Maintenance[];
  /** What was seen from outside, by address. */
  readonly outside: ReadonlyMap<string, Outside>;
  /** What people announced: absent is nothing. */
  readonly announcements?: readonly Announcement[];
  readonly incidents?: readonly Incident[];
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
  const tell = tells.get(splitService(ref).cluster);
  return tell === undefined || at >= tell.expiresAt ? null : toldService(ref, tells);
}

/** A service as it was last told of, however long ago. */
function toldService(ref: string, tells: Evidence["tells"]): ToldService | null {
  const { cluster, service } = splitService(ref);
  return tells.get(cluster)?.services.find((told) => told.service === service) ?? null;
}

export interface Said {
  readonly status: ComponentStatus;
  readonly why: string | null;
}

/**
 * What is said of a component at `at`, judged by the evidence held now: the mesh's, what was seen from outside, and what
 * people say who know more.
 */
export function componentVerdict(component: Component, evidence: Evidence, at: Millis): Said {
  const seen = withOutside(insideVerdict(component, evidence, at), outsideOf(component, evidence), at);
  return withIncidents(seen, component, evidence);
}

/** An unresolved incident makes a component at least as bad as it says, and never better. */
function withIncidents(seen: Said, { id }: Component, { incidents = [] }: Evidence): Said {
  const said = worstSaid(incidents, id);
  if (said === null || worse(seen.status, said.status) !== said.status) return seen;
  // Where evidence says the same, its own words have the numbers.
  return { status: said.status, why: seen.status === said.status ? (seen.why ?? said.name) : said.name };
}

/** What was seen of a component from outside; null if nobody looks, or nobody did yet. */
export function outsideOf({ url }: Component, { outside }: Pick<Evidence, "outside">): Outside | null {
  return url === undefined ? null : (outside.get(url) ?? null);
}

/** What the mesh says of it. Maintenance is declared; the rest is evidence. */
export function insideVerdict(component: Component, evidence: Evidence, at: Millis): Said {
  const declared = declaredFor(component, evidence, at);
  if (declared !== null) return { status: "under_maintenance", why: declared.name };
  const parts = partsOf(component, evidence, at);
  const { status, by, failingShare } = ruled(component.rule, component.quorum, parts);
  const part = by === null ? undefined : parts[by];
  const why = part?.said.find((one) => one.status === part.status)?.why ?? null;
  const alike = parts.filter((one) => one.status === part?.status).length;
  const isPlace = clustersOf(component).size > 1 && alike < parts.length && part?.status !== "under_maintenance";
  return { status, why: why === null || !isPlace ? why : placed(why, alike, parts.length, failingShare) };
}

/** The announced maintenance that covers all of a component; null if none does. */
export function declaredFor({ id }: Component, { announcements = [] }: Evidence, at: Millis): Announcement | null {
  return announcements.find((one) => isAnnouncedFor(one, id, at)) ?? null;
}

/** What visitors read where only some of several clusters are in trouble. Their names are nobody's business. */
function placed(why: string, count: number, of: number, failingShare: number | null): string {
  const where = `In ${count} of ${of} locations, ${why.charAt(0).toLowerCase()}${why.slice(1)}`;
  return failingShare === null ? where : `${where} About ${inWords(failingShare)} requests go there.`;
}

/** A cluster of the component, or where it has only one, a service. */
export interface ComponentPart extends Part {
  readonly services: readonly string[];
  readonly said: readonly ServiceSaid[];
}

/** `reason` is for operators. */
interface ServiceSaid extends Said {
  readonly reason: string;
}

/** What the component's rule is about. */
export function partsOf(component: Component, evidence: Evidence, at: Millis): readonly ComponentPart[] {
  if (clustersOf(component).size > 1) return clusterParts(component, evidence, at);
  // Services of one cluster do not stand in for each other: their traffic is no weight.
  return component.services.map((ref) => ({ ...partOf(component, [ref], evidence, at), usualPerSecond: null }));
}

export function clusterParts(component: Component, evidence: Evidence, at: Millis): readonly ComponentPart[] {
  return [...clustersOf(component)].map((cluster) => {
    const services = component.services.filter((ref) => splitService(ref).cluster === cluster);
    return partOf(component, services, evidence, at);
  });
}

function partOf(component: Component, services: readonly string[], evidence: Evidence, at: Millis): ComponentPart {
  const said = services.map((ref) => serviceSaid(component, ref, evidence, at));
  const status = worst(said.map((one) => one.status));
  const isOff = status === "unknown" && services.every((ref) => isSwitchedOff(freshService(ref, evidence.tells, at)));
  return { services, said, status, usualPerSecond: usualOf(services, evidence.tells), ...(isOff ? { isOff } : {}) };
}

function isSwitchedOff(told: ToldService | null): boolean {
  return told?.replicas?.desired === 0;
}

/** Also of a cluster that is silent now: how much it usually gets says how much its silence may hide. */
function usualOf(services: readonly string[], tells: Evidence["tells"]): number | null {
  let usual = 0;
  for (const ref of services) {
    const known = toldService(ref, tells)?.usualPerSecond;
    if (known === undefined) return null;
    usual += known;
  }
  return usual;
}

/** Of one service: a maintenance covers its own target and nothing beside it. */
function serviceSaid(component: Component, ref: string, { maintenances, tells }: Evidence, at: Millis): ServiceSaid {
  const covering = maintenances.find((maintenance) => covers(maintenance, ref, at));
  if (covering !== undefined)
    return { status: "under_maintenance", why: covering.name, reason: `maintenance: ${covering.name}` };
  const told = freshService(ref, tells, at);
  return told === null
    ? { status: "unknown", why: null, reason: silence(ref, tells, at) }
    : verdictFor(component, told);
}

/** What a service is to a component: judged by the limits of that, once its Cluster knows them. */
export function verdictFor(
  { id, thresholds }: Pick<Component, "id" | "thresholds">,
  told: ToldService,
): ServiceVerdict {
  return thresholds === undefined ? told : (told.own?.[id] ?? told);
}

function silence(ref: string, tells: Evidence["tells"], at: Millis): string {
  const tell = tells.get(splitService(ref).cluster);
  if (tell === undefined) return "its cluster was never heard";
  return at >= tell.expiresAt ? "its cluster is silent" : "its cluster does not report it";
}

function covers(maintenance: Maintenance, ref: string, at: Millis): boolean {
  return (
    ref === `${maintenance.cluster}/${maintenance.service}` &&
    at >= maintenance.startsAt &&
    at < coversUntil(maintenance)
  );
}

/** A reader needs no more: beyond these the snapshot itself is long out of date. */
export const OUTLOOK_MAX = 16;

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
  const announced = (evidence.announcements ?? [])
    .filter(({ components }) => components.includes(component.id))
    .flatMap(announcedSpan);
  const outside = outsideOf(component, evidence);
  const unseen = outside === null ? [] : [freshUntil(outside)];
  const later = [...expiries, ...windows, ...announced, ...unseen].filter((at) => at > from);
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
    // A clock may be set back: time that is in the journal already would count twice.
    const at = last === null || entry.from >= last.at ? entry.from : last.at + 1;
    changes.push({ component: component.id, at, status });
  }
  return changes;
}
