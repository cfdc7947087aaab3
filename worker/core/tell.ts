/** What a Cluster tells the Board, and when: on a change of state at once, otherwise every 30 s. */
import { SILENT_INTERVALS, TELL_INTERVAL_MS } from "../../protocol/limits.ts";
import type { Live, Push } from "../../protocol/push.ts";
import type { Millis } from "../../protocol/time.ts";
import type { Backlog, Tell, ToldService } from "./component.ts";
import { shortHash } from "./hash.ts";
import type { ServiceStatus } from "./service.ts";
import { freshReadings, serviceVerdict } from "./service.ts";

/** When an agent that pushed at `heardAt` and said goodbye becomes silent. */
export function silentAt(heardAt: Millis, intervalMs: number): Millis {
  return heardAt + SILENT_INTERVALS * intervalMs;
}

/** @param statuses what each service was decided to be last */
export function tellOf(
  cluster: string,
  push: Push,
  live: Live,
  statuses: Readonly<Record<string, ServiceStatus>>,
  backlog: Backlog,
  now: Millis,
): Tell {
  const scope = { liveAt: live.at, intervalMs: push.intervalMs, blind: isBlind(live) };
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
        ...serviceVerdict(statuses[service.service] ?? null, service, scope),
        traffic:
          newest === undefined ? null : { requests: newest.requests, errors: newest.errors, spanMs: newest.spanMs },
        latency: newest === undefined ? null : service.latency,
        replicas: service.replicas,
      };
    }),
    leases: live.leases,
    backlog,
  };
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

export function toldOf(tell: Tell): Told {
  return { heardAt: tell.heardAt, intervalMs: tell.intervalMs, news: shortHash(newsOf(tell)) };
}

/** Whether a tell is news: a verdict, a source, a lease result or the set of services changed, or the last is 30 s old. */
export function isTellDue(told: Told | null, tell: Tell): boolean {
  if (told === null || tell.heardAt - told.heardAt >= TELL_INTERVAL_MS) return true;
  return told.news !== shortHash(newsOf(tell));
}

/** Whether a tell says anything else than the one before it, numbers and times aside. */
export function isNews(held: Tell | null, tell: Tell): boolean {
  return held === null || newsOf(held) !== newsOf(tell);
}

function newsOf({ services, sources, leases, agentVersion }: Tell): string {
  return JSON.stringify([
    agentVersion,
    services.map(({ service, status, replicas }) => [service, status, replicas]),
    Object.entries(sources).map(([name, { state }]) => [name, state]),
    leases.targets.map(({ target, generation, state }) => [target, generation, state]),
    leases.allowed,
  ]);
}
