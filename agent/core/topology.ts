/** Who calls whom: the counters of requests, read by both of their ends and as a graph of services. */
import * as v from "valibot";
import { ServiceName } from "../../protocol/name.ts";
import type { Millis } from "../../protocol/time.ts";
import { EDGES_MAX, type Topology } from "../../protocol/topology.ts";
import { growth } from "./counters.ts";
import type { Sample } from "./exposition.ts";
import { isError } from "../../protocol/istio.ts";
import { codeHidden, cut, REQUESTS_METRIC, type Reporter } from "./mesh.ts";

/** A graph is looked at once in so many intervals: it changes with deployments, not with requests. */
export const TOPOLOGY_INTERVALS = 6;
/** A topology's JSON, bytes: what of a push neither the services nor the records may count on. */
export const TOPOLOGY_BYTES_MAX = 64_000;
/** Series that a target may have; what is beyond is not looked at, so that memory stays bounded. */
const SERIES_MAX = 100_000;

/** The labels that tell one edge from another, and what became of its requests. */
export const EDGE_LABELS = [
  "reporter",
  "source_workload_namespace",
  "source_workload",
  "destination_workload_namespace",
  "destination_workload",
  "destination_service_namespace",
  "destination_service_name",
  "response_code",
  "grpc_response_status",
] as const;

/** What one series of `REQUESTS_METRIC` grew by in the span. */
export interface EdgeRow {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Who is asked about an edge: a caller sees the requests too that reached nobody. */
export function edgeReporters(reporter: Reporter): readonly Reporter[] {
  return [...new Set(["source", reporter] as const)];
}

/**
 * The graph of one span. Both ends count an edge: the caller's count is taken where there is one, because a service
 * without a pod counts nothing itself. A caller is named as the service that its workload stands behind, if one does.
 */
export function topologyOf(at: Millis, spanMs: number, rows: readonly EdgeRow[]): Topology {
  const edges = edgesOf(callsOf(rows));
  const sorted = [...edges.values()].toSorted(byWeight);
  let kept = sorted.slice(0, EDGES_MAX);
  for (;;) {
    const topology = packed(at, spanMs, kept, sorted.length - kept.length);
    if (kept.length === 0 || JSON.stringify(topology).length <= TOPOLOGY_BYTES_MAX) return topology;
    kept = kept.slice(0, Math.floor(kept.length * 0.9));
  }
}

/** One row, read: who called which service, and the workload that answered; null where a label names nobody. */
interface Call {
  readonly isSource: boolean;
  readonly caller: string | null;
  readonly service: string;
  readonly callee: string | null;
  readonly requests: number;
  readonly isError: boolean;
  readonly isHidden: boolean;
}

/** The rows of services that have a name. Names are few and rows are many, so each name is looked at once. */
function callsOf(rows: readonly EdgeRow[]): readonly Call[] {
  const known = new Map<string, string | null>();
  const named = (namespace = "", workload = ""): string | null => {
    const name = `${namespace}/${workload}`;
    const found = known.get(name) ?? (known.has(name) ? null : workloadName(name));
    known.set(name, found);
    return found;
  };
  return rows.flatMap(({ labels, value }) => {
    const caller = named(labels["source_workload_namespace"], labels["source_workload"]);
    const service = named(labels["destination_service_namespace"], labels["destination_service_name"]);
    if (service === null) return [];
    const callee = named(labels["destination_workload_namespace"], labels["destination_workload"]);
    const isSource = labels["reporter"] === "source";
    const isHidden = value > 0 && codeHidden(labels);
    return [{ isSource, caller, service, callee, requests: value, isError: isError(labels), isHidden }];
  });
}

/** null where a label names nobody: Istio says "unknown" of what is outside the mesh. */
function workloadName(name: string): string | null {
  return v.is(ServiceName, name) && !name.startsWith("unknown/") && !name.endsWith("/unknown") ? name : null;
}

interface Edge {
  readonly from: string;
  readonly to: string;
  requests: number;
  errors: number;
}

/** Failing edges first, then busy ones: what is left out says least. */
function byWeight(a: Edge, b: Edge): number {
  return b.errors - a.errors || b.requests - a.requests || compare(a.from, b.from) || compare(a.to, b.to);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function edgesOf(calls: readonly Call[]): ReadonlyMap<string, Edge> {
  const services = serviceByWorkload(calls);
  const seenBySource = new Set(calls.filter(({ isSource }) => isSource).map(bothEnds));
  const edges = new Map<string, Edge>();
  const hidden = new Set<string>();
  for (const call of calls) {
    const { caller, service: to, requests } = call;
    if (caller === null || (!call.isSource && seenBySource.has(bothEnds(call)))) continue;
    const from = services.get(caller) ?? caller;
    if (from === to) continue;
    const key = `${from} ${to}`;
    if (call.isHidden) hidden.add(key);
    const edge = edges.get(key) ?? { from, to, requests: 0, errors: 0 };
    edges.set(key, edge);
    edge.requests += requests;
    if (call.isError) edge.errors += requests;
  }
  // Nobody has seen whether anything failed there, and "0 errors" would acquit the callee.
  for (const key of hidden) edges.delete(key);
  return edges;
}

function bothEnds({ caller, service }: Call): string {
  return `${caller} ${service}`;
}

/** The service that most requests to each workload were meant for: `reviews-v1` and `reviews-v2` stand behind `reviews`. */
function serviceByWorkload(calls: readonly Call[]): ReadonlyMap<string, string> {
  const counts = new Map<string, Map<string, number>>();
  for (const { callee, service, requests } of calls) {
    if (callee === null) continue;
    const behind = counts.get(callee) ?? new Map<string, number>();
    counts.set(callee, behind);
    behind.set(service, (behind.get(service) ?? 0) + requests);
  }
  return new Map([...counts].map(([workload, behind]) => [workload, mostAsked(behind) ?? workload]));
}

function mostAsked(counts: ReadonlyMap<string, number>): string | undefined {
  return [...counts].toSorted(([a, m], [b, n]) => n - m || compare(a, b))[0]?.[0];
}

function packed(at: Millis, spanMs: number, edges: readonly Edge[], left: number): Topology {
  const workloads = [...new Set(edges.flatMap(({ from, to }) => [from, to]))].toSorted();
  const places = new Map(workloads.map((name, i) => [name, i]));
  return {
    at: Math.round(at),
    spanMs: Math.max(1, Math.round(spanMs)),
    workloads,
    edges: edges.map(({ from, to, requests, errors }) => [
      places.get(from) ?? 0,
      places.get(to) ?? 0,
      cut(requests),
      cut(errors),
    ]),
    left,
  };
}

/** The raw values of one target's series of requests, by series. */
export type EdgeValues = ReadonlyMap<string, number>;

/** What a target's series grew by since `before`, and their values now; without a former look there is nothing to tell. */
export function edgeGrowth(
  before: EdgeValues | null,
  samples: readonly Sample[],
  reporter: Reporter,
): { readonly values: EdgeValues; readonly rows: readonly EdgeRow[] } {
  const asked = new Set<string>(edgeReporters(reporter));
  const values = new Map<string, number>();
  const rows: EdgeRow[] = [];
  for (const { name, labels, value, series } of samples) {
    if (name !== REQUESTS_METRIC || !asked.has(labels["reporter"] ?? "") || !Number.isFinite(value)) continue;
    if (values.size >= SERIES_MAX) break;
    values.set(series, value);
    if (before !== null) rows.push({ labels, value: growth(before.get(series), value) });
  }
  return { values, rows };
}
