/** One service of the demo mesh: a real HTTP server that works a while, calls others, and answers. */
import {
  createServer,
  request as httpRequest,
  Agent,
  type IncomingMessage,
  type RequestListener,
  type Server,
} from "node:http";
import { createServer as createTlsServer, request as tlsRequest, Agent as TlsAgent } from "node:https";
import type { ServerIdentity } from "./certificate.ts";
import { evenly, SLOW_MS, type Fault } from "./fault.ts";
import type { MeshMetrics, Workload } from "./metrics.ts";
import { WORK_SIGMA, type Call, type ServiceSpec } from "./topology.ts";

/** A call is cut after this long, ms, even when nobody waits for it any more. */
const CALL_TIMEOUT_MS = 5_000;
/** Sockets that one workload keeps open to all others together. */
const SOCKETS_MAX = 64;
/** Answers that a service works on at once; more are refused with 503, as Envoy's circuit breaker would. */
const CONCURRENCY_MAX = 256;

/** Names the caller: what mutual TLS proves in a real mesh, a header claims here. */
const CALLER_HEADER = "x-mesh-caller";
/** Marks an answer that the service itself never saw: there was no pod to take the request. */
const NO_POD_HEADER = "x-mesh-no-pod";

/** Where a service listens; `authority` is set behind TLS. */
export interface Address {
  readonly spec: ServiceSpec;
  readonly port: number;
  readonly authority: string | null;
}

export interface ServiceOptions {
  readonly spec: ServiceSpec;
  readonly port: number;
  readonly identity: ServerIdentity | null;
  readonly metrics: MeshMetrics;
  readonly fault: () => Fault | null;
  /** How many pods the cluster runs of it. None: requests are answered 503. */
  readonly pods: () => number;
  readonly lookup: (name: string) => Address | null;
  /** Whether this request to a service is made at all. */
  readonly asks: (name: string) => boolean;
}

export interface MeshService {
  readonly address: Address;
  stop(): Promise<void>;
}

/** A workload's way to call others. Counts what it sees as Istio's `reporter="source"`. */
export interface Caller {
  /** The status, or null when the answer did not come within `patienceMs`. */
  call(to: Address, path: string, patienceMs: number): Promise<number | null>;
  stop(): void;
}

/** Starts one service on 127.0.0.1; port 0 takes a free one. */
export async function startService(options: ServiceOptions): Promise<MeshService> {
  const { spec, identity } = options;
  const caller = createCaller(spec, options.metrics);
  const listener = serve(options, caller);
  const server: Server =
    identity === null
      ? createServer(listener)
      : createTlsServer({ key: identity.key, cert: `${identity.certificate}\n${identity.authority}\n` }, listener);
  server.keepAliveTimeout = 30_000;
  const port = await listen(server, options.port);
  return {
    address: { spec, port, authority: identity?.authority ?? null },
    async stop() {
      caller.stop();
      await close(server);
    },
  };
}

function serve(options: ServiceOptions, caller: Caller): RequestListener {
  const { spec, metrics } = options;
  const suffers = evenly();
  const chances = spec.calls.map(evenly);
  let working = 0;

  async function answer(): Promise<number> {
    const fault = options.fault();
    const hit = fault !== null && suffers(fault.ratio);
    if (hit && fault.mode === "failing") {
      await pause(workTime(spec.workMs) / 4);
      return 503;
    }
    await pause(workTime(spec.workMs) + (hit && fault.mode === "slow" ? between(SLOW_MS.least, SLOW_MS.most) : 0));
    // One after the other, as most handlers are written.
    for (const [i, call] of spec.calls.entries()) {
      if (chances[i]?.(call.share) === true && !(await follow(call)) && call.needed === true) return 503;
    }
    return 200;
  }

  /** Whether the call was answered in time, and well. */
  async function follow(call: Call): Promise<boolean> {
    // A call that nobody makes is missed by nobody.
    if (!options.asks(call.to)) return true;
    const to = options.lookup(call.to);
    return to !== null && (await caller.call(to, `/from/${spec.name}`, call.patienceMs)) === 200;
  }

  async function handle(request: IncomingMessage): Promise<number> {
    const startedAt = performance.now();
    working++;
    const code = working > CONCURRENCY_MAX ? 503 : await answer();
    working--;
    metrics.record({
      reporter: "destination",
      from: callerOf(request),
      to: spec,
      code,
      durationMs: performance.now() - startedAt,
    });
    return code;
  }

  return (request, response) => {
    request.resume();
    if (options.pods() === 0) {
      response.writeHead(503, { "content-type": "text/plain", [NO_POD_HEADER]: "1" }).end("no healthy upstream\n");
      return;
    }
    void handle(request).then((code) => {
      response.writeHead(code, { "content-type": "application/json" });
      response.end(`${JSON.stringify({ service: spec.name, status: code === 200 ? "ok" : "unavailable" })}\n`);
    });
  };
}

/** The calling half of a workload. Connections are kept open, which is most of what keeps the demo cheap. */
export function createCaller(from: Workload, metrics: MeshMetrics): Caller {
  const plain = new Agent({ keepAlive: true, maxSockets: SOCKETS_MAX });
  const secure = new TlsAgent({ keepAlive: true, maxSockets: SOCKETS_MAX });

  function send(to: Address, path: string): Promise<number> {
    const startedAt = performance.now();
    const { promise, resolve } = Promise.withResolvers<number>();
    const options = {
      host: "127.0.0.1",
      port: to.port,
      path,
      timeout: CALL_TIMEOUT_MS,
      headers: { [CALLER_HEADER]: `${from.namespace}/${from.name}` },
    };
    const sent =
      to.authority === null
        ? httpRequest({ ...options, agent: plain })
        : tlsRequest({
            ...options,
            agent: secure,
            ca: to.authority,
            servername: `${to.spec.name}.${to.spec.namespace}`,
          });
    const settle = (code: number): void => {
      metrics.record({ reporter: "source", from, to: to.spec, code, durationMs: performance.now() - startedAt });
      resolve(code);
    };
    sent.once("response", (response) => {
      response.resume();
      response.once("end", () => settle(response.statusCode ?? 503));
      response.once("error", () => settle(503));
    });
    sent.once("timeout", () => sent.destroy(new Error("timeout")));
    // Envoy answers 503 for an upstream that it cannot reach.
    sent.once("error", () => settle(503));
    sent.end();
    return promise;
  }

  return {
    async call(to, path, patienceMs) {
      const { promise: late, resolve } = Promise.withResolvers<null>();
      const timer = setTimeout(() => resolve(null), patienceMs);
      const code = await Promise.race([send(to, path), late]);
      clearTimeout(timer);
      return code;
    },
    stop() {
      plain.destroy();
      secure.destroy();
    },
  };
}

function callerOf(request: IncomingMessage): Workload {
  const [namespace = "unknown", name = "unknown"] = (request.headers[CALLER_HEADER] ?? "unknown/unknown")
    .toString()
    .split("/");
  // Anything else that speaks to the port is "unknown", as in Istio: label values stay our own names.
  return /^[a-z-]{1,40}$/.test(namespace) && /^[a-z-]{1,40}$/.test(name)
    ? { namespace, name }
    : { namespace: "unknown", name: "unknown" };
}

/** A log-normal time around `medianMs`. */
function workTime(medianMs: number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
  return medianMs * Math.exp(WORK_SIGMA * normal);
}

function between(least: number, most: number): number {
  return least + (most - least) * Math.random();
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

/** Binds to 127.0.0.1 and returns the port. */
export function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : port);
    });
  });
}

export function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
