/** The graph of a cluster's services for operators: what is known of each, who calls whom, and what is likely the cause. */
import { quantileOf } from "../../protocol/latency.ts";
import type { Quantile } from "../../protocol/latency.ts";
import type { Millis } from "../../protocol/time.ts";
import { SECOND } from "../../protocol/time.ts";
import type { Finding } from "./cause.ts";
import { findingsOf, isTrouble } from "./cause.ts";
import type { Tell, ToldService } from "./component.ts";
import { latenciesOf } from "./component.ts";
import type { ServiceStatus } from "./service.ts";
import type { Edge } from "./topology.ts";
import { edgesOf, isFresh } from "./topology.ts";

/** One service or workload of a graph. `status` is null of what no agent reports: a gateway, or a name beyond the mesh. */
interface GraphNode {
  readonly name: string;
  readonly status: ServiceStatus | null;
  readonly reason: string | null;
  readonly requestsPerSecond: number | null;
  readonly errorRatio: number | null;
  readonly p95: Quantile | null;
  /** `cause` and `symptom` only of what is in trouble, and only where the calls say so. */
  readonly role: "cause" | "symptom" | null;
  /** Of a symptom: where its trouble likely comes from. */
  readonly causes: readonly string[];
}

/** `errorRatio` is null of an edge that carried nothing. */
interface GraphEdge {
  readonly from: string;
  readonly to: string;
  readonly requestsPerSecond: number;
  readonly errorRatio: number | null;
}

interface ClusterGraph {
  readonly cluster: string;
  /** When the graph was received; null if none is held, or none that is still good. */
  readonly heardAt: Millis | null;
  readonly spanMs: number | null;
  /** Whether the services' states are still good. */
  readonly fresh: boolean;
  /** Edges that the agent left out. */
  readonly left: number;
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
  readonly findings: readonly Finding[];
}

/** Graphs in one answer: each has at most 2,000 edges, and an answer stays far below the 32 MiB of one call. */
const GRAPHS_MAX = 20;

/** `clusters` are all that told something, in the order given; `graphs` of the one asked for, or of as many as fit. */
export interface Graphs {
  readonly clusters: readonly string[];
  readonly graphs: readonly ClusterGraph[];
}

/** @param wanted a cluster's name; null for the first few, those in trouble first */
export function graphsOf(tells: readonly Tell[], wanted: string | null, now: Millis): Graphs {
  const clusters = tells.map(({ cluster }) => cluster);
  if (wanted !== null) {
    const graphs = tells.filter(({ cluster }) => cluster === wanted).map((tell) => graphOf(tell, now));
    return { clusters, graphs };
  }
  const inTrouble = (tell: Tell): boolean =>
    now < tell.expiresAt && tell.services.some(({ status }) => isTrouble(status));
  const sorted = tells.toSorted((a, b) => Number(inTrouble(b)) - Number(inTrouble(a)));
  return { clusters, graphs: sorted.slice(0, GRAPHS_MAX).map((tell) => graphOf(tell, now)) };
}

/** A cluster's graph with what is known of its nodes, in the order of their names. */
function graphOf(tell: Tell, now: Millis): ClusterGraph {
  const topology = tell.topology !== undefined && isFresh(tell.topology, now) ? tell.topology : null;
  const fresh = now < tell.expiresAt;
  const services = new Map(tell.services.map((told) => [told.service, told]));
  const findings = fresh && topology !== null ? findingsOf(tell.services, topology) : [];
  const names = [...new Set([...services.keys(), ...(topology?.workloads ?? [])])].toSorted();
  return {
    cluster: tell.cluster,
    heardAt: topology?.heardAt ?? null,
    spanMs: topology?.spanMs ?? null,
    fresh,
    left: topology?.left ?? 0,
    nodes: names.map((name) => nodeOf(name, services.get(name) ?? null, fresh, findings)),
    edges: topology === null ? [] : edgesOf(topology).map((edge) => graphEdge(edge, topology.spanMs)),
    findings,
  };
}

function nodeOf(name: string, told: ToldService | null, fresh: boolean, findings: readonly Finding[]): GraphNode {
  const traffic = fresh ? (told?.traffic ?? null) : null;
  const causes = findings.filter(({ symptoms }) => symptoms.includes(name)).flatMap((finding) => finding.causes);
  const isCause = findings.some((finding) => finding.causes.includes(name) && finding.symptoms.length > 0);
  return {
    name,
    status: told === null ? null : fresh ? told.status : "unknown",
    reason: fresh ? (told?.reason ?? null) : null,
    requestsPerSecond: traffic === null ? null : (traffic.requests * SECOND) / traffic.spanMs,
    errorRatio: traffic === null || traffic.requests === 0 ? null : traffic.errors / traffic.requests,
    p95: !fresh || told === null ? null : quantileOf(latenciesOf(told), 0.95),
    role: causes.length > 0 ? "symptom" : isCause ? "cause" : null,
    causes,
  };
}

function graphEdge({ from, to, requests, errors }: Edge, spanMs: number): GraphEdge {
  const requestsPerSecond = (requests * SECOND) / spanMs;
  return { from, to, requestsPerSecond, errorRatio: requests > 0 ? errors / requests : null };
}
