/**
 * Agents that push what a mesh of 50 services gives: counted, rounded, packed and signed by the real one's code, made
 * beforehand. Counts have the fractions that Prometheus' `increase` makes up: whole ones would pack better.
 */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { toReading, toWindow } from "../agent/core/mesh.ts";
import type { MeshCounts, ServiceReading } from "../agent/core/mesh.ts";
import { wireForm } from "../agent/core/wire.ts";
import { enrol, Keyring, signedHeaders } from "../agent/identity.ts";
import type { Identity } from "../agent/identity.ts";
import { AGENT_VERSION } from "../agent/push.ts";
import { packed } from "../agent/transport.ts";
import { makeEnrollment } from "../dev/cli/edge.ts";
import type { Operator } from "../dev/cli/edge.ts";
import { ISTIO_BOUNDS } from "../protocol/latency.ts";
import { READINGS_MAX } from "../protocol/limits.ts";
import { agentPath, PUSH_PATH, SESSION_PATH } from "../protocol/path.ts";
import { EXTRAS } from "../protocol/push.ts";
import type { Live, Push, Receipt } from "../protocol/push.ts";
import type { WindowRecord } from "../protocol/record.ts";
import { sessionOpenMessage } from "../protocol/session.ts";
import { DAY, MINUTE, minuteOf, SECOND } from "../protocol/time.ts";
import { PROTOCOL_VERSION } from "../protocol/version.ts";
import { once, requestBytes } from "./load.ts";
import type { Line } from "./load.ts";
import { frameBytes, openSocket } from "./socket.ts";

export const SERVICES = 50;
export const INTERVAL_MS = 10 * SECOND;
/** At the interval above: each minute's windows ride in one push of six. */
export const PUSHES_PER_MINUTE = MINUTE / INTERVAL_MS;
/** Prometheus counts a reading over this much, because two scrapes must lie within. */
const LOOKBACK_MS = 20 * SECOND;

export interface SimulatedAgent {
  readonly cluster: string;
  readonly services: readonly string[];
  /** The next pushes as signed requests, in the order in which they must be sent, within a minute of being made. */
  posts(count: number): Buffer[];
  /** The next pushes as frames of its session. */
  frames(count: number): Buffer[];
  /** From the next push on this service has no replica that is ready; null ends it. */
  halt(service: string | null): void;
  /** A proved session. */
  openSession(): Promise<Line>;
  /** Bodies of a push without records and of one with a minute's windows of all services: unpacked and packed, bytes. */
  sizes(): readonly { readonly json: number; readonly gzip: number }[];
}

/**
 * Enrols an agent for `cluster` and opens its epoch. `number` tells agents apart: what they count, and in which of their
 * pushes the windows ride.
 *
 * @param at the agent's pretended time: the bench may let minutes pass in milliseconds, and windows may be days old
 */
export async function startSimulatedAgent(
  operator: Operator,
  cluster: string,
  directory: string,
  number = 0,
  at = Date.now() - 5 * DAY,
): Promise<SimulatedAgent> {
  const identity = new Keyring(join(directory, cluster));
  const { code } = await makeEnrollment(operator, cluster, false);
  const enrolled = await enrol(identity, operator.url, cluster, code, Date.now());
  if (enrolled.outcome !== "enrolled") throw new Error(`${cluster} was not enrolled: ${JSON.stringify(enrolled)}`);
  const mesh = new Mesh(number, at);
  const url = new URL(operator.url + agentPath(PUSH_PATH, cluster));
  const opening = await once(Number(url.port), signed(identity, url, mesh.push(null, null, [])));
  if (opening.status !== 200) throw new Error(`${cluster} got HTTP ${opening.status}: ${opening.body.toString()}`);
  const { epoch } = JSON.parse(opening.body.toString()) as Receipt;
  let frames = 0;
  return {
    cluster,
    services: mesh.services,
    posts: (count) => Array.from({ length: count }, () => signed(identity, url, mesh.next(epoch))),
    frames: (count) =>
      Array.from({ length: count }, () =>
        frameBytes("binary", packed({ type: "push", id: ++frames, push: wireForm(mesh.next(epoch), EXTRAS) })),
      ),
    halt: (service) => void (mesh.halted = service),
    async openSession() {
      const line = await openSocket(Number(url.port), url.host, agentPath(SESSION_PATH, cluster));
      const opened = await line.exchange(frameBytes("text", Buffer.from(proof(identity, cluster, url.host))));
      if (opened.status === 200) return line;
      throw new Error(`the session of ${cluster} was not opened: ${opened.body.toString()}`);
    },
    sizes: () =>
      [[], mesh.windows()].map((items) => {
        const push = wireForm(mesh.push(epoch, mesh.live(), items), EXTRAS);
        return { json: JSON.stringify(push).length, gzip: packed(push).length };
      }),
  };
}

function signed(identity: Identity, url: URL, push: Push): Buffer {
  const body = packed(wireForm(push, EXTRAS));
  const headers = { ...signedHeaders(identity, url.href, body, Date.now()), "content-encoding": "gzip" };
  return requestBytes("POST", url.host, url.pathname + url.search, headers, body);
}

/** The first message of a session. */
function proof(identity: Identity, cluster: string, host: string): string {
  const open = {
    v: PROTOCOL_VERSION,
    cluster,
    keyId: identity.keyId,
    sentAt: Date.now(),
    nonce: randomBytes(16).toString("hex"),
    observedGeneration: 0,
  };
  return JSON.stringify({ type: "open", ...open, signature: identity.sign(sessionOpenMessage(open, host)) });
}

/** A mesh without trouble but what is asked for: what its agent has counted, and what it sends next. */
class Mesh {
  readonly services = serviceNames();
  halted: string | null = null;
  readonly #random: () => number;
  readonly #readings = new Map<string, readonly ServiceReading[]>();
  #at: number;
  #next = 1;
  /** Pushes so far, counted so that agents do not all send their windows at the same time. */
  #pushes: number;

  constructor(number: number, at: number) {
    this.#random = generator(number + 1);
    this.#pushes = number;
    this.#at = at;
  }

  /** The next push: with the windows of the last minute, or without. */
  next(epoch: number): Push {
    const records = this.#pushes++ % PUSHES_PER_MINUTE === 0 ? this.windows() : [];
    const push = this.push(epoch, this.live(), records);
    this.#next += records.length;
    this.#at += INTERVAL_MS;
    return push;
  }

  push(epoch: number | null, live: Live | null, items: readonly WindowRecord[]): Push {
    return {
      v: PROTOCOL_VERSION,
      spool: "0123456789abcdef0123456789abcdef",
      epoch,
      sentAt: this.#at + 1_234,
      skewMs: 17,
      intervalMs: INTERVAL_MS,
      agentVersion: AGENT_VERSION,
      live,
      base: 1,
      records: { first: this.#next, items: [...items] },
    };
  }

  /** Three readings of each service, of which one is new. */
  live(): Live {
    const at = this.#at;
    const services = this.services.map((service) => {
      const held = this.#readings.get(service) ?? [];
      const missing = Array.from({ length: READINGS_MAX - held.length }, (_, i) => at - i * INTERVAL_MS).toReversed();
      const made = missing.map((then) => toReading(then, LOOKBACK_MS, this.#counts(LOOKBACK_MS)));
      const readings = [...held, ...made];
      this.#readings.set(service, readings.slice(1));
      const latency = readings.at(-1)?.latency ?? null;
      const replicas = { ready: service === this.halted ? 0 : 3, desired: 3 };
      return { service, readings: readings.map(({ reading }) => reading), latency, replicas };
    });
    const ok = { state: "ok" as const, detail: null, okAt: at };
    const leases = { observedGeneration: 0, targets: [], allowed: [] };
    return { at, services, sources: { prometheus: ok, kubernetes: ok }, leases };
  }

  windows(): WindowRecord[] {
    // Sent when the last samples of the minute had time to come.
    const minute = minuteOf(this.#at) - MINUTE;
    return this.services.map((service) => toWindow(service, minute, MINUTE, this.#counts(MINUTE)));
  }

  /** About 20 requests a second around 50 ms. Few fail, and each series is extrapolated on its own. */
  #counts(spanMs: number): MeshCounts {
    const requests = (20 * spanMs) / SECOND;
    const stretch = 1 + 0.4 * this.#random();
    let below = 0;
    const buckets = new Map(
      [...ISTIO_BOUNDS, Number.POSITIVE_INFINITY].map((bound, i) => {
        below += Math.round(requests * this.#random() * Math.exp(-((i - 5) ** 2) / 3)) * stretch;
        return [bound, below];
      }),
    );
    const errors = Math.min(below, this.#random() < 0.2 ? stretch : 0);
    return { requests: below, errors, buckets, sum: below * 50 * (0.5 + this.#random()) };
  }
}

function serviceNames(): string[] {
  const names = ["cart", "catalog", "checkout", "mail", "orders", "prices", "search", "shipping", "stock", "users"];
  return ["billing", "core", "edge", "payments", "shop"].flatMap((space) => names.map((name) => `${space}/${name}`));
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
