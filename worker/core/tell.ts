/** What a Cluster tells the Board, and when: on a change of state at once, otherwise every 30 s. */
import { FUTURE_MS, SILENT_INTERVALS, TELL_INTERVAL_MS } from "../../protocol/limits.ts";
import type { Live, LiveService, Push } from "../../protocol/push.ts";
import type { Millis } from "../../protocol/time.ts";
import type { Backlog, Tell, ToldService } from "./component.ts";
import { shortHash } from "./hash.ts";
import type { Policies } from "./policies.ts";
import type { ServiceStatus, ServiceVerdict } from "./service.ts";
import { freshReadings, isPlainlyWell, serviceVerdict } from "./service.ts";

/** When an agent that pushed at `heardAt` and said goodbye becomes silent. */
export function silentAt(heardAt: Millis, intervalMs: number): Millis {
  return heardAt + SILENT_INTERVALS * intervalMs;
}

/** What a Cluster judges with: its limits, and what the readings of each service said last by each of them. */
export interface Judge {
  readonly policies: Policies;
  readonly statuses: Readonly<Record<string, ServiceStatus>>;
}

/** When an agent pushed last, and how often it did. */
export interface Heard {
  readonly heardAt: Millis;
  readonly intervalMs: number;
}

/**
 * What readings said before an agent fell silent, once it is heard again: a failure that the page has called unknown
 * meanwhile was not refuted, but nobody has seen it for long, and one good reading must not be called an outage by it.
 */
export function afterSilence(statuses: Judge["statuses"], last: Heard | null, now: Millis): Judge["statuses"] {
  if (last === null || now < silentAt(last.heardAt, last.intervalMs) + TELL_INTERVAL_MS) return statuses;
  const isUnfailed = (status: ServiceStatus): boolean => status === "operational" || status === "unknown";
  if (Object.values(statuses).every(isUnfailed)) return statuses;
  return Object.fromEntries(
    Object.entries(statuses).map(([name, status]) => [name, isUnfailed(status) ? status : "unknown"]),
  );
}

export function tellOf(cluster: string, push: Push, live: Live, judge: Judge, backlog: Backlog, now: Millis): Tell {
  const scope = scopeOf(push, live);
  return {
    cluster,
    heardAt: now,
    // The Board hears only every 30 s of an agent that is well, so evidence must last until the next tell is overdue.
    expiresAt: silentAt(now, push.intervalMs) + TELL_INTERVAL_MS,
    intervalMs: push.intervalMs,
    agentVersion: push.agentVersion,
    skewMs: push.skewMs,
    sources: live.sources,
    services: live.services.map((service): ToldService => {
      const newest = freshReadings(service, live.at, push.intervalMs).at(-1);
      return {
        service: service.service,
        ...serviceVerdict(judge.statuses[service.service] ?? null, service, scope, judge.policies.base),
        ...ownVerdicts(service, scope, judge),
        traffic:
          newest === undefined ? null : { requests: newest.requests, errors: newest.errors, spanMs: newest.spanMs },
        ...toldLatency(newest === undefined ? null : service.latency),
        replicas: service.replicas,
      };
    }),
    leases: live.leases,
    backlog,
    ...(live.detector === undefined ? {} : { detector: live.detector }),
    ...(live.health === undefined ? {} : { health: live.health }),
    ...(live.agent === undefined ? {} : { agent: live.agent }),
    ...judgedBy(judge.policies),
  };
}

function scopeOf({ intervalMs }: Push, live: Live): Parameters<typeof serviceVerdict>[2] {
  return { liveAt: live.at, intervalMs, blind: isBlind(live) };
}

function toldLatency(latency: Live["services"][number]["latency"]): Pick<ToldService, "latency" | "exponential"> {
  return latency?.scheme === "exponential" ? { latency: null, exponential: latency } : { latency };
}

/** By the limits of each component that has its own: mostly there is none. */
function ownVerdicts(
  service: LiveService,
  scope: Parameters<typeof serviceVerdict>[2],
  { policies, statuses }: Judge,
): Pick<ToldService, "own"> | undefined {
  const found = policies.own[service.service];
  if (found === undefined) return undefined;
  const verdicts = found.map(({ component, thresholds }) => {
    const previous = statuses[ownName(service.service, component)] ?? null;
    return [component, serviceVerdict(previous, service, scope, thresholds)] as const;
  });
  return { own: Object.fromEntries(verdicts) };
}

/** Of a service as a component judges it. No service's own name has this sign. */
function ownName(service: string, component: string): string {
  return `${service}@${component}`;
}

/** Whether a source that should bring metrics does not. */
function isBlind({ sources: { prometheus, scrape } }: Live): boolean {
  return [prometheus, scrape].some((source) => source !== undefined && source.state !== "ok");
}

/** What is remembered of the last tell: small enough for a socket's attachment, which outlives the object's memory. */
export interface Told {
  readonly heardAt: Millis;
  readonly intervalMs: number;
  /** Stands for everything that would be news if it changed. */
  readonly news: string;
}

/** What of a tell is news if it changes: everything but numbers and times. */
type ServiceNews = Pick<ToldService, "service" | "status" | "replicas" | "own">;
type Replicated = Pick<ServiceNews, "replicas">;
interface NewsFacts extends Pick<Tell, "agentVersion" | "sources" | "leases" | "policies" | "detector"> {
  readonly services: readonly ServiceNews[];
}

/** The news of a tell, and its hash. */
export interface News {
  readonly of: NewsFacts;
  readonly hash: string;
}

/** The news of a tell: mostly it is what it was `before`, and nothing is made anew. */
export function newsOf(before: News | null, tell: Tell): News {
  if (before !== null && !isNews(before.of, tell)) return before;
  const { agentVersion, sources, leases, policies, detector } = tell;
  const services = tell.services.map(({ service, status, replicas, own }) =>
    own === undefined ? { service, status, replicas } : { service, status, replicas, own },
  );
  const of = {
    agentVersion,
    services,
    sources,
    leases,
    ...(policies === undefined ? {} : { policies }),
    ...(detector === undefined ? {} : { detector }),
  };
  return { of, hash: shortHash(newsText(tell)) };
}

export function toldOf(tell: Tell, news: News): Told {
  return { heardAt: tell.heardAt, intervalMs: tell.intervalMs, news: news.hash };
}

/** Whether a tell is due: a verdict, a source, a lease result or the set of services changed, or the last is 30 s old. */
export function isTellDue(told: Told | null, news: News, now: Millis): boolean {
  // A last one that lies ahead was told by a clock that has been set right since.
  return told === null || Math.abs(now - told.heardAt) >= TELL_INTERVAL_MS || told.news !== news.hash;
}

/**
 * Whether a push says only what was said `before`: every service is plainly as well as it was. Nearly every push does,
 * and where it does no tell needs to be made: its news would be `before`, and no status would change.
 */
export function isQuiet(before: News, push: Push, live: Live, { policies }: Judge): boolean {
  const { of } = before;
  if (of.agentVersion !== push.agentVersion || of.services.length !== live.services.length) return false;
  const scope = scopeOf(push, live);
  const isWell = live.services.every((service, i) => {
    const held = of.services[i];
    return (
      held?.service === service.service &&
      held.status === "operational" &&
      policies.own[service.service] === undefined &&
      sameReplicas(held, service) &&
      isPlainlyWell(service, scope, policies.base)
    );
  });
  return isWell && newsOfTheRest(of) === newsOfTheRest({ ...live, ...judgedBy(policies) });
}

function judgedBy({ hash }: Policies): Pick<Tell, "policies"> {
  return hash === "" ? {} : { policies: hash };
}

/**
 * Whether a tell that arrives after another one is older than that. What lies ahead of `now` is no newer: it was told
 * before a clock was set right, and would silence its cluster until the world has caught up with it.
 */
export function isOvertaken(held: Pick<Tell, "heardAt"> | null, tell: Pick<Tell, "heardAt">, now: Millis): boolean {
  return held !== null && held.heardAt > tell.heardAt && held.heardAt <= now + FUTURE_MS;
}

/** Whether the push after one at `now` will be told if it comes in time: what is only for the Board goes with that one. */
export function isTellAhead(told: Told | null, now: Millis, intervalMs: number): boolean {
  return told === null || now + intervalMs - told.heardAt >= TELL_INTERVAL_MS;
}

/** What the readings of each service say, by its name: `held` itself if that says the same. */
export function statusesOf(
  { services }: Tell,
  held: Readonly<Record<string, ServiceStatus>>,
): Readonly<Record<string, ServiceStatus>> {
  let known = 0;
  let same = true;
  const compare = (name: string, { status, readings = status }: ServiceVerdict): void => {
    if (readings === null) return;
    known++;
    same &&= held[name] === readings;
  };
  for (const told of services) eachVerdict(told, compare);
  if (same && Object.keys(held).length === known) return held;
  const said: Record<string, ServiceStatus> = {};
  for (const told of services) {
    eachVerdict(told, (name, { status, readings = status }) => {
      if (readings !== null) said[name] = readings;
    });
  }
  return said;
}

/** A service's verdict, and those by limits of components. */
function eachVerdict(told: ToldService, take: (name: string, verdict: ServiceVerdict) => void): void {
  take(told.service, told);
  if (told.own === undefined) return;
  for (const [component, verdict] of Object.entries(told.own)) take(ownName(told.service, component), verdict);
}

/** Whether a tell says anything else than the one before it, numbers and times aside. Asked with every push. */
export function isNews(held: NewsFacts | null, tell: NewsFacts): boolean {
  if (held === null || held.agentVersion !== tell.agentVersion) return true;
  if (held.services.length !== tell.services.length) return true;
  const differs = tell.services.some((told, i) => {
    const before = held.services[i];
    return (
      before === undefined ||
      before.service !== told.service ||
      before.status !== told.status ||
      !sameReplicas(before, told) ||
      ownNews(before) !== ownNews(told)
    );
  });
  return differs || newsOfTheRest(held) !== newsOfTheRest(tell);
}

function sameReplicas({ replicas: a }: Replicated, { replicas: b }: Replicated): boolean {
  return a === b || (a !== null && b !== null && a.ready === b.ready && a.desired === b.desired);
}

/** Mostly there is none, and nothing is made. */
function ownNews({ own }: Pick<ServiceNews, "own">): string {
  if (own === undefined) return "";
  return JSON.stringify(Object.entries(own).map(([component, { status }]) => [component, status]));
}

function newsText(facts: NewsFacts): string {
  const { agentVersion, services } = facts;
  const told = services.map(({ service, status, replicas, own }) =>
    own === undefined ? [service, status, replicas] : [service, status, replicas, ownNews({ own })],
  );
  return JSON.stringify([agentVersion, told, newsOfTheRest(facts)]);
}

interface RestOfNews extends Pick<NewsFacts, "sources" | "leases" | "policies"> {
  readonly detector?: NewsFacts["detector"] | undefined;
}

/** What is small beside the services. When a point was judged last is no news. */
function newsOfTheRest(facts: RestOfNews): string {
  const { sources, leases, policies, detector } = facts;
  return JSON.stringify([
    Object.entries(sources).map(([name, { state }]) => [name, state]),
    leases.targets.map(({ target, generation, state }) => [target, generation, state]),
    leases.allowed,
    ...(policies === undefined ? [] : [policies]),
    ...(detector === undefined ? [] : [{ ...detector, judgedTo: null }]),
  ]);
}
