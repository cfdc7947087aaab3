/** The agent without its sources: the real spool, pusher, session and lease actuator, told by a test what the mesh does. */
import { gzipSync } from "node:zlib";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createHash } from "node:crypto";
import { startActuator } from "../../agent/actuator.ts";
import type { Actuator } from "../../agent/actuator.ts";
import { createClock } from "../../agent/clock.ts";
import { enrol, Keyring, signedHeaders } from "../../agent/identity.ts";
import type { Identity } from "../../agent/identity.ts";
import type { KubernetesClient } from "../../agent/kubernetes/client.ts";
import type { LeaseMode } from "../../protocol/lease.ts";
import { AGENT_VERSION, Pusher } from "../../agent/push.ts";
import { startSession } from "../../agent/session.ts";
import type { Session } from "../../agent/session.ts";
import { Spool } from "../../agent/spool.ts";
import type { Latency } from "../../protocol/latency.ts";
import type { SignedDesired } from "../../protocol/lease.ts";
import { agentPath, PUSH_PATH } from "../../protocol/path.ts";
import type { Live, Push, Receipt } from "../../protocol/push.ts";
import type { EventRecord, WindowRecord } from "../../protocol/record.ts";
import { MINUTE, minuteOf } from "../../protocol/time.ts";
import type { Topology } from "../../protocol/topology.ts";
import { PROTOCOL_VERSION } from "../../protocol/version.ts";
import type { Edge } from "../support/miniflare.ts";

export const SERVICE = "shop/checkout";
/** Long enough that nothing which a test does not say falls silent meanwhile. */
const INTERVAL_MS = 60_000;

export interface EdgeAgentOptions {
  /** How many services it reports; the first is `SERVICE`. */
  readonly services?: number;
  readonly intervalMs?: number;
  /** Where it believes the edge to be. */
  readonly url?: string;
  /** The cluster that its leases are applied in; without one it acknowledges them. */
  readonly kubernetes?: KubernetesClient;
}
/** The first of the windows that are closed here began this long ago. */
const STARTED_AGO_MS = 120 * MINUTE;

/** What the edge says of its watermarks. */
export type Marks = Pick<Receipt, "epoch" | "received" | "persisted">;

export class EdgeAgent {
  readonly cluster: string;
  /** How its sources are. */
  sources: Live["sources"] = {};
  /** The share of requests that fail in the mesh. */
  errorRatio = 0;
  /** How long requests take in the mesh, in every window and now. */
  latency: Latency | null = null;
  /** Every window that was closed, as Postgres should hold it in the end: its minute and its requests. */
  readonly closed: { readonly at: number; readonly requests: number }[] = [];
  /** The id of every event that happened. */
  readonly happened: string[] = [];
  /** Desired states as they came, over the session or with a receipt. */
  readonly desired: SignedDesired[] = [];
  readonly #edge: Edge;
  readonly #url: string;
  readonly #dataDir = mkdtempSync(join(tmpdir(), "observatory-agent-"));
  readonly #identity: Identity = new Keyring(this.#dataDir);
  readonly #clock = createClock();
  readonly #startedAt = minuteOf(Date.now() - STARTED_AGO_MS);
  #spool: Spool;
  #pusher: Pusher;
  #actuator: Actuator;
  #session: Session | null = null;

  readonly #kubernetes: KubernetesClient | null;
  readonly #services: readonly string[];
  readonly #intervalMs: number;

  private constructor(edge: Edge, cluster: string, options: EdgeAgentOptions) {
    const { services = 1, intervalMs = INTERVAL_MS, url = edge.url } = options;
    this.#edge = edge;
    this.#kubernetes = options.kubernetes ?? null;
    this.#url = url;
    this.cluster = cluster;
    this.#intervalMs = intervalMs;
    this.#services = Array.from({ length: services }, (_, i) => (i === 0 ? SERVICE : `shop/service-${i}`));
    this.#spool = this.#openSpool();
    this.#actuator = this.#startActuator();
    this.#pusher = this.#newPusher();
  }

  /** Enrols with a fresh code and opens an epoch. */
  static async start(edge: Edge, cluster: string, options: EdgeAgentOptions = {}): Promise<EdgeAgent> {
    const { code } = await edge.cli<{ code: string }>("POST", "/cli/v1/enrollments", { cluster });
    const agent = new EdgeAgent(edge, cluster, options);
    const enrolled = await enrol(agent.#identity, agent.#url, cluster, code, Date.now());
    if (enrolled.outcome !== "enrolled") throw new Error(`${cluster} was not enrolled: ${JSON.stringify(enrolled)}`);
    await agent.push();
    return agent;
  }

  /** Closes minutes of every service and has one event happen; none of these facts is ever the same. */
  close(minutes: number): void {
    const records: (WindowRecord | EventRecord)[] = [];
    for (let i = 0; i < minutes; i++) {
      const at = this.#startedAt + (this.closed.length / this.#services.length) * MINUTE;
      for (const service of this.#services) {
        const requests = 1_000 + this.closed.length;
        records.push({ kind: "window", service, at, spanMs: MINUTE, requests, errors: 1, latency: this.latency });
        this.closed.push({ at, requests });
      }
    }
    records.push(this.#event("pod.crash_loop", SERVICE, {}));
    this.#spool.append(records, Date.now());
  }

  /** Has an event of some kind happen; its id. */
  happen(kind: EventRecord["kind"], subject: string, body: EventRecord["body"]): string {
    const event = this.#event(kind, subject, body);
    this.#spool.append([event], Date.now());
    return event.id;
  }

  #event(kind: EventRecord["kind"], subject: string, body: EventRecord["body"]): EventRecord {
    const id = createHash("sha256").update(`${this.cluster} ${this.happened.length}`).digest("hex").slice(0, 32);
    this.happened.push(id);
    return { kind, id, at: Date.now(), subject, body };
  }

  /** One push, in the first form again should an edge of before refuse a newer one; throws if the edge does not take it. */
  async push(): Promise<void> {
    const first = await this.tryPush();
    const outcome = first.reason.includes("push_malformed") ? await this.tryPush() : first;
    if (!outcome.accepted) throw new Error(`the push was not accepted: ${outcome.reason}`);
  }

  async tryPush(): Promise<{ readonly accepted: boolean; readonly reason: string }> {
    return this.#pusher.pushOnce();
  }

  /** Asks for the watermarks: a push without records and without news. */
  async marks(): Promise<Marks> {
    const { epoch, received, persisted } = await this.#ask({ epoch: this.#spool.epoch, first: this.#spool.base });
    return { epoch, received, persisted };
  }

  /** Asks, as a new process with this spool does, for the epoch. */
  async epoch(): Promise<number> {
    return (await this.#ask({ epoch: null, first: 1 })).epoch;
  }

  /** What the spool still holds: below this number it has freed everything. */
  get base(): number {
    return this.#spool.base;
  }

  /** The next number that the spool will give. */
  get next(): number {
    return this.#spool.next;
  }

  /** The newest desired state that it found to be the edge's own. */
  get observedGeneration(): number {
    return this.#actuator.report().observedGeneration;
  }

  /** Holds a session open from now on; pushes go over it. */
  openSession(): Session {
    this.#session ??= startSession({
      ...this.#shared(),
      observedGeneration: () => this.observedGeneration,
      // Retries at once would ask a dead edge in a loop; half of the usual wait is short enough for a test.
      random: () => 0.5,
    });
    return this.#session;
  }

  /** The process ends and a new one starts on the same disk; its first push asks what the edge knows. */
  async restart(): Promise<void> {
    await this.#end();
    this.#spool = this.#openSpool();
    this.#actuator = this.#startActuator();
    this.#pusher = this.#newPusher();
    await this.push();
  }

  /** Takes the cluster over with a new spool identity: it will ask for an epoch of its own. */
  takeOver(): void {
    this.#spool.renew();
    this.#pusher = this.#newPusher();
  }

  async remove(): Promise<void> {
    await this.#end();
    rmSync(this.#dataDir, { recursive: true, force: true });
  }

  async #end(): Promise<void> {
    await this.#session?.stop();
    this.#session = null;
    await this.#actuator.stop();
    this.#spool.close();
  }

  async #ask({ epoch, first }: { epoch: number | null; first: number }): Promise<Receipt> {
    const now = Date.now();
    const push: Push = {
      v: PROTOCOL_VERSION,
      spool: this.#spool.id,
      epoch,
      sentAt: now,
      skewMs: 0,
      intervalMs: this.#intervalMs,
      agentVersion: AGENT_VERSION,
      live: null,
      base: this.#spool.base,
      records: { first, items: [] },
    };
    const url = `${this.#url}${agentPath(PUSH_PATH, this.cluster)}`;
    const body = Uint8Array.from(gzipSync(JSON.stringify(push)));
    const headers = { ...signedHeaders(this.#identity, url, body, now), "content-encoding": "gzip" };
    const answer = await fetch(url, { method: "POST", headers, body });
    if (answer.status !== 200) throw new Error(`${answer.status} ${await answer.text()}`);
    return (await answer.json()) as Receipt;
  }

  #shared() {
    const onDesired = (desired: SignedDesired): void => {
      this.desired.push(desired);
      this.#actuator.offer(desired);
    };
    return {
      edge: this.#url,
      cluster: this.cluster,
      identity: this.#identity,
      clock: this.#clock,
      onDesired,
      log: () => {},
    };
  }

  #newPusher(): Pusher {
    const random = Math.random;
    const live = (): Live => this.#live();
    const session = (): Session | null => this.#session;
    const intervalMs = this.#intervalMs;
    // Every push has a new look to bring along, where the edge takes it.
    const topology = (): Topology => ({
      at: Date.now(),
      spanMs: MINUTE,
      workloads: [SERVICE, "shop/gateway"],
      edges: [[1, 0, 60, 0]],
      left: 0,
    });
    return new Pusher({ ...this.#shared(), spool: this.#spool, intervalMs, live, topology, session, random });
  }

  #openSpool(): Spool {
    const fail = (message: string): never => {
      throw new Error(message);
    };
    return new Spool({ dataDir: this.#dataDir, fail });
  }

  #startActuator(): Actuator {
    // Without an API server there is nothing to scale.
    const modes: LeaseMode[] = this.#kubernetes === null ? ["announce"] : ["announce", "scale"];
    return startActuator({
      client: this.#kubernetes,
      leases: {
        killSwitch: false,
        dryRun: false,
        edgeKeys: [this.#edge.publicKey],
        budget: { perTargetPerHour: 3, maxShareOfTargets: 1 },
        targets: [{ ref: SERVICE, modes, floor: 1, maxHours: 4, onExpiry: "restore" }],
      },
      cluster: this.cluster,
      dataDir: this.#dataDir,
      now: Date.now,
      isTimeKnown: () => true,
      onChange: () => {},
      // What leases do is told elsewhere; here events are counted.
      onEvent: () => {},
    });
  }

  #live(): Live {
    const at = Date.now();
    const readings = [40_000, 20_000, 0].map((ago) => ({
      at: at - ago,
      spanMs: 20_000,
      requests: 100,
      errors: 100 * this.errorRatio,
      p95: [120, 100, 250] as [number, number, number],
    }));
    const services = this.#services.map((service) => {
      return { service, readings, latency: this.latency, replicas: { ready: 3, desired: 3 } };
    });
    return { at, services, sources: this.sources, leases: this.#actuator.report() };
  }
}
