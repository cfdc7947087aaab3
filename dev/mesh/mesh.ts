/** The demo mesh in one process: seven services, their visitors, their metrics, and the cluster they run in. */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import * as v from "valibot";
import type { KubernetesServer } from "../kubernetes/server.ts";
import { makeIdentity } from "./certificate.ts";
import { startCluster } from "./cluster.ts";
import { startControl, type Faults } from "./control.ts";
import { DOOR, startDoor } from "./door.ts";
import { evenly, FAULT_MODES, type Fault } from "./fault.ts";
import { createMetrics, type MeshMetrics } from "./metrics.ts";
import { createCaller, startService, type Address, type Caller, type MeshService } from "./service.ts";
import { ENTRANCE, GATEWAY, SERVICES } from "./topology.ts";

/** Requests a second that visitors make; the services make about four more of each. */
const VISITS_PER_SECOND = 8;
/** Visits that may be under way at once; more are not begun. */
const VISITS_MAX = 64;
const VISIT_PATIENCE_MS = 5_000;

/** Good on 127.0.0.1 for a cluster that is not one. */
export const KUBERNETES_TOKEN_DEFAULT = "demo-agent";

export interface MeshOptions {
  /** 0, the default, takes a free port. */
  readonly ports?: {
    readonly control?: number;
    readonly kubernetes?: number;
    readonly ledger?: number;
    readonly door?: number;
  };
  /** Where faults are kept over a restart, and the cluster beside it in `.cluster`; without it both are forgotten. */
  readonly stateFile?: string;
  /** What the agent shows to the Kubernetes API. */
  readonly kubernetesToken?: string;
  /** Visits a second, 0 for none. */
  readonly visitsPerSecond?: number;
}

export interface Mesh {
  readonly metricsUrl: string;
  readonly controlUrl: string;
  readonly kubernetesUrl: string;
  /** The storefront's public address. */
  readonly doorUrl: string;
  readonly addresses: ReadonlyMap<string, Address>;
  readonly metrics: MeshMetrics;
  readonly faults: Faults;
  readonly kubernetes: KubernetesServer;
  /** When the ledger's certificate ends, Millis. */
  readonly certificateExpiresAt: number;
  stop(): Promise<void>;
}

/** Starts everything on 127.0.0.1 and resolves once it answers. */
export async function startMesh(options: MeshOptions = {}): Promise<Mesh> {
  const metrics = createMetrics();
  const faults = createFaults(options.stateFile ?? null);
  const cluster = await startCluster({
    port: options.ports?.kubernetes ?? 0,
    token: options.kubernetesToken ?? KUBERNETES_TOKEN_DEFAULT,
    stateFile: options.stateFile === undefined ? null : `${options.stateFile}.cluster`,
  });
  const asks = askers(faults);
  const addresses = new Map<string, Address>();
  const services: MeshService[] = [];
  let certificateExpiresAt = 0;
  for (const spec of SERVICES) {
    const identity = spec.tls ? await makeIdentity(spec, Date.now()) : null;
    if (identity !== null) certificateExpiresAt = identity.expiresAt;
    const service = await startService({
      spec,
      port: spec.tls ? (options.ports?.ledger ?? 0) : 0,
      identity,
      metrics,
      fault: () => faults.of(spec.name),
      pods: () => cluster.readyPods(spec.namespace, spec.name),
      lookup: (name) => addresses.get(name) ?? null,
      asks,
    });
    services.push(service);
    addresses.set(spec.name, service.address);
  }
  const caller = createCaller(GATEWAY, metrics);
  const door = await startDoor({
    port: options.ports?.door ?? 0,
    entrance: () => addresses.get(ENTRANCE) ?? null,
    caller,
    fault: () => faults.of(DOOR),
  });
  const control = await startControl({ port: options.ports?.control ?? 0, metrics, faults });
  const visitors = startVisitors(
    addresses.get(ENTRANCE) ?? null,
    (to, path, patienceMs) => (asks(ENTRANCE) ? caller.call(to, path, patienceMs) : Promise.resolve(null)),
    options.visitsPerSecond ?? VISITS_PER_SECOND,
  );
  return {
    metricsUrl: `http://127.0.0.1:${control.port}/stats/prometheus`,
    controlUrl: `http://127.0.0.1:${control.port}`,
    kubernetesUrl: cluster.server.url,
    doorUrl: door.url,
    addresses,
    metrics,
    faults,
    kubernetes: cluster.server,
    certificateExpiresAt,
    async stop() {
      visitors.stop();
      caller.stop();
      await Promise.all([
        door.stop(),
        control.stop(),
        cluster.server.stop(),
        ...services.map((service) => service.stop()),
      ]);
    },
  };
}

/** Whether a request to a service is made: of one that is silent, its share is not. */
function askers(faults: { of(service: string): Fault | null }): (service: string) => boolean {
  const suffers = new Map<string, (ratio: number) => boolean>();
  return (service) => {
    const fault = faults.of(service);
    if (fault?.mode !== "silent") return true;
    const skips = suffers.get(service) ?? evenly();
    suffers.set(service, skips);
    return !skips(fault.ratio);
  };
}

/** Visitors come one by one, at random moments: the gaps of a Poisson process. */
function startVisitors(entrance: Address | null, call: Caller["call"], perSecond: number): { stop(): void } {
  let timer: NodeJS.Timeout | null = null;
  let visits = 0;

  async function visit(to: Address): Promise<void> {
    visits++;
    await call(to, "/", VISIT_PATIENCE_MS);
    visits--;
  }
  function next(to: Address): void {
    const gapMs = (-Math.log(1 - Math.random()) / perSecond) * 1_000;
    timer = setTimeout(() => {
      if (visits < VISITS_MAX) void visit(to);
      next(to);
    }, gapMs);
  }

  if (entrance !== null && perSecond > 0) next(entrance);
  return {
    stop() {
      if (timer !== null) clearTimeout(timer);
    },
  };
}

const StateSchema = v.record(
  v.string(),
  v.strictObject({ mode: v.picklist(FAULT_MODES), ratio: v.pipe(v.number(), v.minValue(0), v.maxValue(1)) }),
);

function createFaults(stateFile: string | null): Faults & { of(service: string): Fault | null } {
  const faults = new Map<string, Fault>(stateFile === null ? [] : Object.entries(readState(stateFile)));
  const known = new Set([...SERVICES.map((spec) => spec.name), DOOR]);
  const save = (): void => {
    if (stateFile === null) return;
    writeFileSync(`${stateFile}.new`, JSON.stringify(Object.fromEntries(faults)));
    renameSync(`${stateFile}.new`, stateFile);
  };
  return {
    of: (service) => faults.get(service) ?? null,
    list: () => [...known].map((service) => ({ service, fault: faults.get(service) ?? null })),
    break(service, fault) {
      if (!known.has(service)) return false;
      faults.set(service, fault);
      save();
      return true;
    },
    heal(service) {
      if (service !== null && !known.has(service)) return false;
      for (const name of service === null ? known : [service]) faults.delete(name);
      save();
      return true;
    },
  };
}

/** A missing or damaged file means that nothing is broken: the demo never refuses to start over it. */
function readState(stateFile: string): Record<string, Fault> {
  try {
    const parsed = v.safeParse(StateSchema, JSON.parse(readFileSync(stateFile, "utf8")));
    return parsed.success ? parsed.output : {};
  } catch {
    return {};
  }
}
