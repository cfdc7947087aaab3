/**
 * A large cluster for one agent: 500 services behind a real Prometheus, 2,000 pods behind the in-process API server, and
 * endpoints with certificates. Pods come and go a little, as they do anywhere.
 *
 * Between agent and Prometheus stands a counter. It hands on what is asked about now, and answers itself what is asked
 * about the last week: to fill a real Prometheus with that takes minutes. What the agent reads is as long either way.
 */
import { createServer, get, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { setTimeout as sleep } from "node:timers/promises";
import { REQUESTS_METRIC } from "../agent/core/mesh.ts";
import { DURATION_METRIC } from "../protocol/istio.ts";
import { startKubernetesServer } from "../dev/kubernetes/server.ts";
import { makeIdentity } from "../dev/mesh/certificate.ts";
import { createMetrics, METRICS_CONTENT_TYPE, type MeshMetrics } from "../dev/mesh/metrics.ts";
import { SECOND } from "../protocol/time.ts";
import { startPrometheus } from "../test/support/prometheus.ts";

export const SERVICES = 500;
export const PODS_EACH = 4;
export const SCRAPE_MS = 15 * SECOND;
export const TOKEN = "bench";
const NAMESPACES = Array.from({ length: 10 }, (_, i) => `team-${i}`);
const CALLERS_EACH = 2;
/** With a sidecar's containers, a pod's JSON has about so many bytes. */
const POD_BYTES = 8_192;
const ENDPOINTS = 20;
/** Requests of each caller between two scrapes. */
const REQUESTS = 3;
const POD_CHANGES_MS = SECOND;
const REPLICA_CHANGES_MS = 30 * SECOND;
const FIRST_SAMPLES_MS = 90 * SECOND;

export interface Crowd {
  /** Where the agent believes Prometheus to be. */
  readonly prometheusUrl: string;
  readonly kubernetesUrl: string;
  readonly namespaces: readonly string[];
  /** `host:port` of TLS. */
  readonly endpoints: readonly { readonly host: string; readonly port: number; readonly serverName: string }[];
  /** Queries that Prometheus was asked so far, and whatever else. */
  asked(): { readonly queries: number; readonly others: number };
  stop(): Promise<void>;
}

/** Resolves once Prometheus has what a first reading needs. */
export async function startCrowd(directory: string): Promise<Crowd> {
  const stops: (() => unknown)[] = [];
  const stop = async (): Promise<void> => {
    for (const one of stops.toReversed()) await one();
  };
  try {
    const mesh = await startMeshOf(stops);
    const prometheus = await startPrometheus(directory, `${mesh}/stats/prometheus`, `${SCRAPE_MS / SECOND}s`);
    stops.push(() => prometheus.program.kill9());
    const counter = await startCounter(prometheus.url, stops);
    const kubernetesUrl = await startCluster(stops);
    const endpoints = await startEndpoints(stops);
    await untilSampled(prometheus.url);
    return { ...counter, kubernetesUrl, namespaces: NAMESPACES, endpoints, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function workload(i: number): { readonly namespace: string; readonly name: string } {
  return { namespace: NAMESPACES[i % NAMESPACES.length] ?? "", name: `service-${i}` };
}

/** The counters of all proxies as one target. Each scrape sees a little more. */
async function startMeshOf(stops: (() => unknown)[]): Promise<string> {
  const metrics = createMetrics();
  let scrapes = 0;
  return listen(stops, (_, response) => {
    recordRound(metrics, scrapes++);
    response.writeHead(200, { "content-type": METRICS_CONTENT_TYPE }).end(metrics.render());
  });
}

function recordRound(metrics: MeshMetrics, round: number): void {
  for (let i = 0; i < SERVICES * CALLERS_EACH; i++) {
    const to = workload(i % SERVICES);
    const from = workload((i + 1 + Math.floor(i / SERVICES)) % SERVICES);
    for (let request = 0; request < REQUESTS; request++) {
      const durationMs = 5 + ((i * 31 + round * 17 + request * 53) % 200);
      const code = i % 50 === 0 && request === 0 ? 503 : 200;
      for (const reporter of ["source", "destination"] as const)
        metrics.record({ reporter, from, to, code, durationMs });
    }
  }
}

async function startCounter(
  prometheus: string,
  stops: (() => unknown)[],
): Promise<Pick<Crowd, "prometheusUrl" | "asked">> {
  let [queries, others] = [0, 0];
  const prometheusUrl = await listen(stops, (request, response) => {
    const url = new URL(request.url ?? "/", prometheus);
    if (/\/query(_range)?$/.test(url.pathname)) queries++;
    else others++;
    if (url.pathname.endsWith("/query_range")) answerRange(url.searchParams, response);
    else handOn(url, request, response);
  });
  return { prometheusUrl, asked: () => ({ queries, others }) };
}

function handOn(url: URL, request: IncomingMessage, response: ServerResponse): void {
  const headers = { "accept-encoding": String(request.headers["accept-encoding"] ?? "identity") };
  get(url, { headers }, (answer) => {
    const { "content-type": type = "text/plain", "content-encoding": encoding = "identity" } = answer.headers;
    response.writeHead(answer.statusCode ?? 502, { "content-type": type, "content-encoding": encoding });
    answer.pipe(response);
  }).on("error", () => response.writeHead(502).end());
}

/** Each service has its days, and what is left to chance. */
function answerRange(asked: URLSearchParams, response: ServerResponse): void {
  const [from = 0, to = 0, step = 300] = ["start", "end", "step"].map((name) =>
    Number.parseInt(asked.get(name) ?? "", 10),
  );
  const query = asked.get("query") ?? "";
  const most = query.includes(DURATION_METRIC) ? 120 : query.includes("5[0-9]") ? 0.2 : 20;
  if (!query.includes(REQUESTS_METRIC) && most !== 120) return void response.writeHead(400).end();
  const result = Array.from({ length: SERVICES }, (_, i) => {
    const { namespace, name } = workload(i);
    const values: (readonly [number, string])[] = [];
    for (let at = from; at <= to; at += step) {
      const day = 1 + 0.5 * Math.sin((2 * Math.PI * (at + i * 600)) / 86_400);
      values.push([at, String(most * day * (0.9 + 0.2 * chance(at + i)))]);
    }
    return { metric: { destination_service_namespace: namespace, destination_service_name: name }, values };
  });
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify({ status: "success", data: { resultType: "matrix", result } }));
}

/** From 0 to 1, and for one number always the same. */
function chance(seed: number): number {
  const hash = Math.imul(seed ^ (seed >>> 15), 0x2c1b3c6d);
  return ((hash ^ (hash >>> 12)) >>> 0) / 2 ** 32;
}

async function startCluster(stops: (() => unknown)[]): Promise<string> {
  const deployments = Array.from({ length: SERVICES }, (_, i) => ({ ...workload(i), replicas: PODS_EACH }));
  const [verbs, groups, resources] = [["get", "list", "watch"], ["*"], ["*"]];
  const server = await startKubernetesServer({
    tokens: { [TOKEN]: "agent" },
    rbac: [{ user: "agent", verbs, groups, resources, namespaces: NAMESPACES }],
    deployments,
  });
  stops.push(() => server.stop());
  // Its own controllers would make smaller pods.
  server.setControllers(false);
  const ready = { observedGeneration: 1, replicas: PODS_EACH, readyReplicas: PODS_EACH };
  for (const { namespace, name } of deployments) {
    server.addPods(namespace, name, PODS_EACH, POD_BYTES);
    server.setStatus("deployments", namespace, name, ready);
  }
  let turn = 0;
  const next = (): { readonly namespace: string; readonly name: string } => workload((turn++ * 13) % SERVICES);
  const pods = setInterval(() => {
    const { namespace, name } = next();
    server.addPods(namespace, name, 1, POD_BYTES + (turn % 100));
  }, POD_CHANGES_MS);
  const replicas = setInterval(() => {
    const { namespace, name } = next();
    server.setStatus("deployments", namespace, name, { readyReplicas: PODS_EACH - (turn % 2) });
  }, REPLICA_CHANGES_MS);
  stops.push(() => [pods, replicas].forEach(clearInterval));
  return server.url;
}

async function startEndpoints(stops: (() => unknown)[]): Promise<Crowd["endpoints"]> {
  const { key, certificate } = await makeIdentity(workload(0), Date.now());
  const server = createTlsServer({ key, cert: certificate }, (socket) => socket.end());
  server.on("tlsClientError", () => {});
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  stops.push(() => server.close());
  const { port } = server.address() as AddressInfo;
  const serverName = (i: number): string => `${workload(i).name}.${workload(i).namespace}`;
  return Array.from({ length: ENDPOINTS }, (_, i) => ({ host: "127.0.0.1", port, serverName: serverName(i) }));
}

async function untilSampled(prometheus: string): Promise<void> {
  const query = encodeURIComponent(`count(increase(${REQUESTS_METRIC}{reporter="destination"}[1m]))`);
  const giveUpAt = performance.now() + FIRST_SAMPLES_MS;
  for (;;) {
    const answer = (await (await fetch(`${prometheus}/api/v1/query?query=${query}`)).json()) as {
      readonly data?: { readonly result: readonly { readonly value: readonly [number, string] }[] };
    };
    if (Number(answer.data?.result[0]?.value[1] ?? 0) >= SERVICES * CALLERS_EACH) return;
    if (performance.now() > giveUpAt) throw new Error("Prometheus has no samples of the mesh");
    await sleep(SECOND);
  }
}

async function listen(
  stops: (() => unknown)[],
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<string> {
  const server: Server = createServer(answer);
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  stops.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
