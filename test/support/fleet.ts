/** Many agents that push, as their Clusters tell the Board of it: real rules, pretended time, seeded dice. */
import type { Live } from "../../protocol/push.ts";
import type { Millis } from "../../protocol/time.ts";
import { SECOND } from "../../protocol/time.ts";
import type { Tell } from "../../worker/core/component.ts";
import { RUNBOOK } from "../../worker/core/policies.ts";
import type { ServiceStatus } from "../../worker/core/service.ts";
import type { Told } from "../../worker/core/tell.ts";
import { isNews, isTellDue, newsOf, silentAt, tellOf, toldOf } from "../../worker/core/tell.ts";
import { NOON, push } from "./facts.ts";

export interface FleetOptions {
  readonly clusters: number;
  readonly forMs: number;
  readonly services: number;
  /** First pushes fall into this span: short after a deploy that made all agents reconnect. */
  readonly spreadMs: number;
  /** Chances a push: that a service's replicas change from here on, and that the session breaks right after it. */
  readonly changes: number;
  readonly breaks: number;
}

/** A call that the Board gets. `isChange`: something else than the passing of time caused it. */
export interface FleetCall {
  readonly at: Millis;
  readonly cluster: string;
  readonly method: "hear" | "hush";
  readonly isChange: boolean;
  readonly tell: Tell;
}

interface Member {
  readonly cluster: string;
  at: Millis;
  told: Told | null;
  heard: Tell | null;
  statuses: Readonly<Record<string, ServiceStatus>>;
  ready: number;
}

const INTERVAL_MS = 10 * SECOND;
/** A push waits for the sources and the network: no two are exactly an interval apart. */
const JITTER_MS = SECOND;

/** All calls of the fleet in the order in which they come. */
export function* fleetCalls({
  clusters,
  forMs,
  services,
  spreadMs,
  changes,
  breaks,
}: FleetOptions): Generator<FleetCall> {
  const dice = seeded(clusters);
  const members = Array.from({ length: clusters }, (_, i): Member => {
    const at = NOON + dice() * spreadMs;
    return { cluster: `c-${i}`, at, told: null, heard: null, statuses: {}, ready: 3 };
  });
  for (let turn = 0; turn * INTERVAL_MS < forMs; turn++) {
    const calls: FleetCall[] = [];
    for (const member of members) {
      const now = Math.round(member.at + turn * INTERVAL_MS + dice() * JITTER_MS);
      if (dice() < changes) member.ready = member.ready === 3 ? 2 : 3;
      const heard = hears(member, services, now);
      if (heard !== null) calls.push(heard);
      if (member.heard !== null && dice() < breaks) {
        member.told = null;
        const expiresAt = silentAt(now, INTERVAL_MS);
        calls.push({
          at: now + 1,
          cluster: member.cluster,
          method: "hush",
          isChange: true,
          tell: { ...member.heard, expiresAt },
        });
      }
    }
    yield* calls.toSorted((a, b) => a.at - b.at);
  }
}

/** What a Cluster does with a push: `Cluster.#hear`, without its memory. */
function hears(member: Member, services: number, now: Millis): FleetCall | null {
  const live = liveOf(services, member.ready, now);
  const tell = tellOf(
    member.cluster,
    push({ sentAt: now }),
    live,
    { policies: RUNBOOK, statuses: member.statuses },
    { waiting: 0, since: null },
    now,
  );
  member.statuses = Object.fromEntries(tell.services.map(({ service, status }) => [service, status]));
  const news = newsOf(null, tell);
  if (!isTellDue(member.told, news, now)) return null;
  const isChange = member.told === null || isNews(member.heard, tell);
  member.told = toldOf(tell, news);
  member.heard = tell;
  return { at: now, cluster: member.cluster, method: "hear", isChange, tell };
}

function liveOf(services: number, ready: number, now: Millis): Live {
  const readings = [20_000, 10_000, 0].map((ago) => ({
    at: now - ago,
    spanMs: 20_000,
    requests: 100,
    errors: 0,
    p95: [120, 100, 250] as [number, number, number],
  }));
  return {
    at: now,
    services: Array.from({ length: services }, (_, i) => ({
      service: `shop/service-${i}`,
      readings,
      latency: null,
      replicas: { ready: i === 0 ? ready : 3, desired: 3 },
    })),
    sources: { prometheus: { state: "ok", detail: null, okAt: now } },
    leases: { observedGeneration: 0, targets: [], allowed: [] },
  };
}

function seeded(seed: number): () => number {
  let state = seed + 1;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}
