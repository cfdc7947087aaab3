/**
 * What the page knows. Status is a function of evidence and `now`, so a snapshot does not carry *the* status but what
 * will be said from each moment on if nothing more is heard: `outlook`. Expiry of evidence, the start and the end of a
 * maintenance are all entries of it, and Worker, browser and a cached copy read it alike.
 */
import type { Quantile } from "./latency.ts";
import type { ComponentStatus, Indicator } from "./status.ts";
import { impactStatus, indicatorOf, isWorse, worst } from "./status.ts";
import type { Millis } from "./time.ts";

/** From `from` on the component is said to be `status`, which it has been since `since`, for the public reason `why`. */
export interface Outlook {
  readonly from: Millis;
  readonly status: ComponentStatus;
  readonly since: Millis;
  readonly why: string | null;
}

/** How a component's public address answers from outside. */
export interface OutsideLook {
  /** From here on it is not known unless more is seen; 0 if nothing is known. */
  readonly until: Millis;
  /** What visitors read: how long the newest answer took, or that it fails. */
  readonly words: string;
}

/** One component as visitors may see it. No internal names. Ids are 12 lower-case alphanumerics. */
export interface PageComponent {
  readonly id: string;
  readonly name: string;
  readonly description: string | null;
  readonly group: string | null;
  readonly createdAt: Millis;
  readonly updatedAt: Millis;
  /** Ascending by `from`, never empty, at most 16; the first holds from the snapshot on. */
  readonly outlook: readonly Outlook[];
  /** When the newest evidence was received; null if there never was any. */
  readonly heardAt: Millis | null;
  /** Numbers of the newest evidence. `null` is "no data", never zero. */
  readonly p95: Quantile | null;
  readonly errorRatio: number | null;
  readonly requestsPerSecond: number | null;
  /** Absent if it has no address to ask, and in what an earlier version wrote. */
  readonly outside?: OutsideLook;
  /** Days with any observation, oldest first, at most 90. */
  readonly days: readonly DayTally[];
  /** Absent without a target that is public, and in what an earlier version wrote. */
  readonly slo?: PageSlo;
  /** What an operator shows of it to nobody. Absent where all is shown, and in what an earlier version wrote. */
  readonly withheld?: readonly ("uptime" | "numbers")[];
  /** Its first day, YYYY-MM-DD, where an operator said one. Absent else, and in what an earlier version wrote. */
  readonly startsOn?: string;
}

/** Milliseconds of one day (in the page's zone) that a component spent in each status; absent is 0. */
export interface DayTally {
  /** YYYY-MM-DD */
  readonly day: string;
  readonly ms: Partial<Record<ComponentStatus, number>>;
  /** What stood here before the day was corrected, as it was first frozen. Absent if it never was. */
  readonly was?: Partial<Record<ComponentStatus, number>>;
}

/** A promise over the last `days` days, and what is left of it: major outages count in full, partial ones 0.3. */
export interface PageSlo {
  /** 0.999 is 99.9 %. */
  readonly target: number;
  readonly days: number;
  /** How much may be lost in that time, and how much of it was. */
  readonly allowedMs: number;
  readonly lostMs: number;
}

/** The newest of the frozen days, and the hash that stands for it and for all before it. */
export interface FrozenMark {
  readonly day: string;
  readonly hash: string;
}

export const MAINTENANCE_STATUSES = ["scheduled", "in_progress", "verifying", "completed"] as const;
export type MaintenanceStatus = (typeof MAINTENANCE_STATUSES)[number];

export const INCIDENT_STATUSES = ["investigating", "identified", "monitoring", "resolved", "postmortem"] as const;
export type IncidentStatus = (typeof INCIDENT_STATUSES)[number];

/** What people said at one moment of an incident or a maintenance. */
export interface PageUpdate<Status = IncidentStatus> {
  readonly id: string;
  readonly status: Status;
  /** Markdown as it was typed, at most 25,000 characters; shown through `web/view/markdown.ts` and in no other way. */
  readonly body: string;
  readonly createdAt: Millis;
  readonly updatedAt: Millis;
  /** When it is said to be from: a page written afterwards tells of earlier moments. */
  readonly displayAt: Millis;
  readonly affected: readonly AffectedComponent[];
}

/** What an update said of a component. `name` is as it was then: a component may be renamed, or be gone. */
export interface AffectedComponent {
  readonly component: string;
  readonly name: string;
  readonly from: ComponentStatus;
  readonly to: ComponentStatus;
}

/** An incident as visitors may see it. */
export interface PageIncident {
  readonly id: string;
  readonly name: string;
  readonly status: IncidentStatus;
  readonly impact: Indicator;
  readonly createdAt: Millis;
  readonly updatedAt: Millis;
  readonly startedAt: Millis;
  /** Null until it is monitored, and until it is resolved. */
  readonly monitoringAt: Millis | null;
  readonly resolvedAt: Millis | null;
  /** Ids of the components it touches. */
  readonly components: readonly string[];
  /** Newest first, never empty. */
  readonly updates: readonly PageUpdate[];
  /** By when people said that they would say more. In the log alone; absent if nobody did, and in what an earlier version made. */
  readonly nextUpdateBy?: Millis;
}

/** A maintenance as visitors may see it. */
export interface PageMaintenance {
  readonly id: string;
  readonly name: string;
  readonly status: MaintenanceStatus;
  readonly startsAt: Millis;
  readonly endsAt: Millis;
  readonly createdAt: Millis;
  readonly updatedAt: Millis;
  /** Ids of the components it touches. */
  readonly components: readonly string[];
  /** True once every cluster concerned has shown that it is in force. */
  readonly confirmed: boolean;
  /** How many clusters have shown that it is in force, of those that were asked. Absent where none is, and in what an earlier version wrote. */
  readonly clusters?: { readonly confirmed: number; readonly of: number };
  /** No cluster was asked for anything, so there is nothing to confirm. Absent where one was, and in what an earlier version wrote. */
  readonly unasked?: true;
  /** What it is an occurrence of: an opaque id. Absent where it is of nothing, and in what an earlier version wrote. */
  readonly series?: string;
  /** Announced later than the page's own policy asks for. Absent if it was not. */
  readonly emergency?: true;
  /** Newest first. Absent in what an earlier version wrote, and where nobody said anything. */
  readonly updates?: readonly PageUpdate<MaintenanceStatus>[];
  /** When it was called off before it began: calendars keep it and say so. Absent if it was not. */
  readonly cancelledAt?: Millis;
  /** How often it changed in what a calendar shows; absent is 0. iCalendar's SEQUENCE. */
  readonly sequence?: number;
}

/** What a small chart of the page shows. */
export type MetricKind = "p95" | "error_ratio" | "request_rate";

/** One chart of the first view: the last day in steps, so that it needs no archive. */
export interface PageMetric {
  readonly id: string;
  /** Empty: what its kind is called in the reader's language. */
  readonly name: string;
  readonly kind: MetricKind;
  /** The component it is of; null for all of the page together. */
  readonly component: string | null;
  readonly from: Millis;
  readonly stepMs: number;
  /** A step each, oldest first: ms, a ratio, or requests a second. Null is no data. */
  readonly values: readonly (number | null)[];
  /** Of a percentile: between what the true value lies surely, a step each. */
  readonly lo?: readonly (number | null)[];
  readonly hi?: readonly (number | null)[];
  /** The limit above which it is bad; absent if there is none. */
  readonly limit?: number;
}

/** A colour on light paper and on dark, each as #rrggbb. */
export interface BrandColours {
  readonly light: string;
  readonly dark: string;
}

/** How an operator made the page theirs, checked when it was set. Everything absent is ours. */
export interface PageBrand {
  /** A data: URL of an image, at most 8 KiB. */
  readonly logo?: string;
  readonly accent?: BrandColours;
  /** At most six, https only. */
  readonly links?: readonly { readonly name: string; readonly url: string }[];
  /** Colours of the style's custom properties, by name without the dashes in front. */
  readonly variables?: Readonly<Record<string, Partial<BrandColours>>>;
  /** The page's own address, https and without a slash at its end, where it has another than it is asked by. */
  readonly origin?: string;
}

/**
 * All that people announced, for the pages, feeds and documents that reach further back than the first view: at most
 * 500 incidents and 500 maintenances, newest first.
 */
export interface PageLog {
  readonly version: number;
  readonly incidents: readonly PageIncident[];
  readonly maintenances: readonly PageMaintenance[];
  /** Incidents that are part of others now, by their old ids. Absent: none is. */
  readonly merged?: Readonly<Record<string, string>>;
  /** How many maintenances were announced as early as the page promises. Absent in what an earlier version wrote. */
  readonly notice?: PageNotice;
}

/** The promise, and how it was kept by the maintenances that began in the last `days`. */
export interface PageNotice {
  readonly days: number;
  readonly shares: readonly { readonly days: number; readonly met: number; readonly of: number }[];
}

/**
 * Whether history reaches the archive. `delayedSince`: the oldest fact that should have been there by now is from then;
 * null if none waits for long. `isRestoring`: a page that lost its memory has not yet got all of it back.
 */
export interface ArchiveState {
  readonly delayedSince: Millis | null;
  readonly isRestoring: boolean;
}

/** Everything one render of the public page needs: the one public projection. */
export interface PageSnapshot {
  /** Rises with every change of what the page says. The page's ETag. */
  readonly version: number;
  readonly generatedAt: Millis;
  readonly page: { readonly id: string; readonly name: string; readonly timeZone: string; readonly createdAt: Millis };
  /** In page order; components of one group stand together. */
  readonly components: readonly PageComponent[];
  readonly maintenances: readonly PageMaintenance[];
  /** Those that are not resolved, and those of the last 15 days; newest first. Absent in what an earlier version wrote. */
  readonly incidents?: readonly PageIncident[];
  /** Absent in what an earlier version wrote, and while there are none. */
  readonly metrics?: readonly PageMetric[];
  /** Absent in what an earlier version wrote, and while the page is ours. */
  readonly brand?: PageBrand;
  /** As of `PageChange`. Absent in what an earlier version wrote. */
  readonly announced?: string;
  /** Absent in what an earlier version wrote: it did not know. */
  readonly archive?: ArchiveState;
  /** Absent until the first day is frozen, and in what an earlier version wrote. */
  readonly frozen?: FrozenMark;
}

/** A component in a frame of `/live`: everything but the history, which the page already has. */
export type LiveComponent = Omit<
  PageComponent,
  "days" | "slo" | "createdAt" | "updatedAt" | "description" | "group" | "withheld" | "startsOn"
>;

/** A frame of `/live`: all components, so that a frame missed costs nothing. */
export interface PageChange {
  readonly version: number;
  readonly generatedAt: Millis;
  readonly components: readonly LiveComponent[];
  readonly maintenances: readonly PageMaintenance[];
  /** Another whenever people announce something: the page itself is asked for then. Absent in what an earlier version sent. */
  readonly announced?: string;
  /** Absent in what an earlier version sent. */
  readonly archive?: ArchiveState;
}

/** What a component is said to be at `now`. */
export function outlookAt(component: Pick<PageComponent, "outlook">, now: Millis): Outlook {
  const found = component.outlook.findLast((entry) => entry.from <= now) ?? component.outlook[0];
  // An empty outlook is no evidence, and no evidence is no green.
  return found ?? { from: now, status: "unknown", since: now, why: null };
}

/** The page's worst component at `now`; an empty page has no evidence to be green. */
export function pageStatus(components: readonly Pick<PageComponent, "outlook">[], now: Millis): ComponentStatus {
  return worst(components.map((component) => outlookAt(component, now).status));
}

/** Whether people still work on it: a postmortem is written about what is over. */
export function isUnresolved({ status }: Pick<PageIncident, "status">): boolean {
  return status === "investigating" || status === "identified" || status === "monitoring";
}

interface Concerning {
  readonly components: readonly string[];
  readonly updates?: readonly Pick<PageUpdate<unknown>, "affected">[];
}

/** Whether an announcement concerns those who look at some components: one that never named any concerns everybody. */
export function concerns({ components, updates = [] }: Concerning, ids: ReadonlySet<string>): boolean {
  const namesNone = components.length === 0 && updates.every(({ affected }) => affected.length === 0);
  return namesNone || components.some((id) => ids.has(id));
}

/** The worst of what people say of incidents that are not over, as a status that components can be compared with. */
export interface HeadIncident {
  readonly name: string;
  readonly status: ComponentStatus;
}

/** Null if none is open. Of two that are as bad, the newer one. */
export function headIncident(incidents: readonly PageIncident[] | undefined): HeadIncident | null {
  const open = incidents?.filter(isUnresolved) ?? [];
  const heads = open.map(({ name, impact }): HeadIncident => ({ name, status: impactStatus(impact) }));
  const [first, ...others] = heads;
  return first === undefined ? null : others.reduce((a, b) => (isWorse(b.status, a.status) ? b : a), first);
}

/** What a page says of itself in one word, and by what. */
export interface PageVerdict {
  readonly indicator: Indicator;
  /** The worst of its components. */
  readonly status: ComponentStatus;
  /** The worst open incident, if it is worse than what is seen of the components; null otherwise. */
  readonly incident: HeadIncident | null;
}

/** The worse of what is seen of the components and of what people said of incidents that are not over. */
export function pageVerdict(
  { components, incidents }: Pick<PageSnapshot, "components" | "incidents">,
  now: Millis,
): PageVerdict {
  const status = pageStatus(components, now);
  const incident = worseIncident(headIncident(incidents), status);
  return { indicator: indicatorOf(incident?.status ?? status), status, incident };
}

/** The incident, if it is worse than the worst of the components. */
export function worseIncident(incident: HeadIncident | null, status: ComponentStatus): HeadIncident | null {
  return incident !== null && isWorse(incident.status, status) ? incident : null;
}

/** The one state by which the page is drawn: its icon, its badge, its card. */
export function shownStatus({ status, incident }: PageVerdict): ComponentStatus {
  return incident?.status ?? status;
}

/**
 * Until when all that is said at `now` holds if nothing more is heard; infinite if time alone changes nothing.
 * Nobody may pass on what is said for longer than that.
 */
export function holdsUntil(components: readonly Pick<PageComponent, "outlook">[], now: Millis): Millis {
  const turns = components.map(({ outlook }) => outlook.find(({ from }) => from > now)?.from ?? Infinity);
  return turns.reduce((a, b) => Math.min(a, b), Infinity);
}

/** When the next maintenance begins or ends by the clock; infinite if none does. */
export function nextWindowAt(
  maintenances: readonly Pick<PageMaintenance, "startsAt" | "endsAt">[],
  now: Millis,
): Millis {
  const turns = maintenances.flatMap(({ startsAt, endsAt }) => [startsAt, endsAt]).filter((at) => at > now);
  return turns.reduce((a, b) => Math.min(a, b), Infinity);
}

/** From when on `said` is something else than at `now` if nothing more is heard; infinite if it never is. */
export function turnsAt(
  components: readonly Pick<PageComponent, "outlook">[],
  said: (at: Millis) => ComponentStatus,
  now: Millis,
): Millis {
  const turns = components.flatMap(({ outlook }) => outlook.map(({ from }) => from)).filter((from) => from > now);
  const status = said(now);
  return [...new Set(turns)].toSorted((a, b) => a - b).find((at) => said(at) !== status) ?? Infinity;
}

/**
 * Whether nothing is known at `now` of components that were known of when this was written down: then it is the copy
 * that is old, and its reader who has no news.
 */
export function isOutOfDate(
  { components, generatedAt }: Pick<PageChange, "components" | "generatedAt">,
  now: Millis,
): boolean {
  const known = (at: Millis): boolean => components.some((one) => outlookAt(one, at).status !== "unknown");
  return known(generatedAt) && !known(now);
}
