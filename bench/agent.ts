/** Agents that push what a mesh of 50 services gives: signed like the real one's, made beforehand. */
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { AGENT_VERSION } from "../agent/push.ts";
import { enrol, loadIdentity, signedHeaders } from "../agent/identity.ts";
import type { Identity } from "../agent/identity.ts";
import { makeEnrollment } from "../dev/cli/edge.ts";
import type { Operator } from "../dev/cli/edge.ts";
import { ISTIO_BOUNDS } from "../protocol/latency.ts";
import type { Latency } from "../protocol/latency.ts";
import { agentPath, PUSH_PATH } from "../protocol/path.ts";
import type { Live, Push, Receipt } from "../protocol/push.ts";
import type { WindowRecord } from "../protocol/record.ts";
import { DAY, MINUTE, minuteOf, SECOND } from "../protocol/time.ts";
import { PROTOCOL_VERSION } from "../protocol/version.ts";
import { once, requestBytes } from "./load.ts";

export const SERVICES = 50;
const INTERVAL_MS = 10 * SECOND;
/** At the interval above: each minute's windows ride in one push of six. */
export const PUSHES_PER_MINUTE = MINUTE / INTERVAL_MS;

export interface SimulatedAgent {
  readonly cluster: string;
  readonly services: readonly string[];
  /** The next pushes as bytes, in the order in which they must be sent, within a minute of being made. */
  pushes(count: number): Buffer[];
  /** Body of a push with `live` and one minute's windows of all services: unpacked and packed, bytes. */
  fullPush(): { readonly json: number; readonly gzip: number };
}

/** Enrols an agent for `cluster` and opens its epoch. */
export async function startSimulatedAgent(
  operator: Operator,
  cluster: string,
  directory: string,
): Promise<SimulatedAgent> {
  const identity = loadIdentity(join(directory, cluster));
  const { code } = await makeEnrollment(operator, cluster, false);
  const enrolled = await enrol(identity, operator.url, cluster, code, Date.now());
  if (enrolled.outcome !== "enrolled") throw new Error(`${cluster} was not enrolled: ${JSON.stringify(enrolled)}`);
  const state: State = { random: generator(cluster.length), at: Date.now() - 5 * DAY, next: 1 };
  const url = new URL(operator.url + agentPath(PUSH_PATH, cluster));
  const opening = await once(Number(url.port), signed(identity, url, bodyOf(state, null, null, [])));
  if (opening.status !== 200) throw new Error(`${cluster} got HTTP ${opening.status}: ${opening.body.toString()}`);
  const { epoch } = JSON.parse(opening.body.toString()) as Receipt;
  const nextBody = (index: number): Buffer => {
    const records = index % PUSHES_PER_MINUTE === 0 ? windowsOf(state) : [];
    const body = bodyOf(state, epoch, liveOf(state), records);
    state.next += records.length;
    state.at += INTERVAL_MS;
    return body;
  };
  return {
    cluster,
    services: serviceNames(),
    pushes: (count) => Array.from({ length: count }, (_, index) => signed(identity, url, nextBody(index))),
    fullPush() {
      const body = bodyOf(state, epoch, liveOf(state), windowsOf(state));
      return { json: body.length, gzip: gzipSync(body).length };
    },
  };
}

/** `at` is the agent's pretended time: the bench lets minutes pass in milliseconds, and windows may be five days old. */
interface State {
  readonly random: () => number;
  at: number;
  next: number;
}

function signed(identity: Identity, url: URL, json: Buffer): Buffer {
  const body = Uint8Array.from(gzipSync(json));
  const headers = { ...signedHeaders(identity, url.href, body, Date.now()), "content-encoding": "gzip" };
  return requestBytes("POST", url.host, url.pathname + url.search, headers, body);
}

function bodyOf(state: State, epoch: number | null, live: Live | null, items: readonly WindowRecord[]): Buffer {
  const push: Push = {
    v: PROTOCOL_VERSION,
    spool: "0".repeat(32),
    epoch,
    sentAt: Date.now(),
    skewMs: 0,
    intervalMs: INTERVAL_MS,
    agentVersion: AGENT_VERSION,
    live,
    base: 1,
    records: { first: state.next, items: [...items] },
  };
  return Buffer.from(JSON.stringify(push));
}

function serviceNames(): string[] {
  return Array.from({ length: SERVICES }, (_, i) => `shop/service-${i}`);
}

/** Three readings of 10 s, as a mesh without trouble has them. */
function liveOf({ at, random }: State): Live {
  const services = serviceNames().map((service) => {
    const latency = latencyOf(random, INTERVAL_MS);
    const requests = latency.counts.reduce((sum, count) => sum + count, 0);
    const reading = (ago: number) => ({
      at: at - ago * INTERVAL_MS,
      spanMs: INTERVAL_MS,
      requests,
      errors: 0,
      p95: [Math.round(100 + 150 * random()), 100, 250] as [number, number, number],
    });
    return {
      service,
      readings: [reading(2), reading(1), reading(0)],
      latency: { ...latency, counts: [...latency.counts] } as Live["services"][number]["latency"],
      replicas: { ready: 3, desired: 3 },
    };
  });
  const sources = { prometheus: { state: "ok" as const, detail: null, okAt: at } };
  return { at, services, sources, leases: { observedGeneration: 0, targets: [], allowed: [] } };
}

function windowsOf({ at, random }: State): WindowRecord[] {
  return serviceNames().map((service) => {
    const latency = latencyOf(random, MINUTE);
    return {
      kind: "window",
      service,
      at: minuteOf(at),
      spanMs: MINUTE,
      requests: latency.counts.reduce((sum, count) => sum + count, 0),
      errors: Math.floor(3 * random()),
      latency: { ...latency, counts: [...latency.counts] } as WindowRecord["latency"],
    };
  });
}

/** About 20 requests a second around 50 ms. */
function latencyOf(random: () => number, spanMs: number): Latency {
  const requests = (20 * spanMs) / SECOND;
  const counts = Array.from({ length: ISTIO_BOUNDS.length + 1 }, (_, i) =>
    Math.round(requests * random() * Math.exp(-((i - 5) ** 2) / 3)),
  );
  return { scheme: "explicit", bounds: "istio", counts, sum: Math.round(requests * 50 * (0.5 + random())) };
}

/** Random numbers in [0, 1) that are the same in every run: mulberry32. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
