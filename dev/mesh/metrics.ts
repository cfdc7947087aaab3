/**
 * Istio's standard metrics, as a sidecar exposes them on `/stats/prometheus`: a counter of requests and a histogram of
 * durations for each pair of workloads, seen once from the source and once from the destination.
 */
import { ISTIO_BOUNDS } from "../../protocol/latency.ts";
import type { ServiceSpec } from "./topology.ts";

type Reporter = "source" | "destination";
export type Workload = Pick<ServiceSpec, "namespace" | "name">;

/** One finished request. `durationMs` is what the reporter measured itself. */
interface Observation {
  readonly reporter: Reporter;
  readonly from: Workload;
  readonly to: Workload;
  readonly code: number;
  readonly durationMs: number;
}

export interface MeshMetrics {
  record(observation: Observation): void;
  /** Prometheus' text format, version 0.0.4. */
  render(): string;
  /** How many requests of `service` with the code were seen by `reporter`: what a test compares with its own count. */
  requests(reporter: Reporter, service: string, code?: number): number;
}

interface Series {
  readonly reporter: Reporter;
  readonly service: string;
  readonly code: number;
  readonly labels: string;
  /** By bucket, not cumulative; the last is +Inf. */
  readonly counts: number[];
  sum: number;
  total: number;
}

export const METRICS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

export function createMetrics(): MeshMetrics {
  const series = new Map<string, Series>();
  return {
    record(observation) {
      const { reporter, from, to, code } = observation;
      const key = `${reporter} ${from.namespace}/${from.name} ${to.namespace}/${to.name} ${code}`;
      let found = series.get(key);
      if (found === undefined) {
        found = {
          reporter,
          service: to.name,
          code,
          labels: labelsOf(observation),
          counts: Array.from({ length: ISTIO_BOUNDS.length + 1 }, () => 0),
          sum: 0,
          total: 0,
        };
        series.set(key, found);
      }
      add(found, observation.durationMs);
    },
    render: () => render([...series.values()]),
    requests: (reporter, service, code) =>
      [...series.values()]
        .filter((one) => one.reporter === reporter && one.service === service && (code ?? one.code) === one.code)
        .reduce((total, one) => total + one.total, 0),
  };
}

function add(series: Series, durationMs: number): void {
  const found = ISTIO_BOUNDS.findIndex((bound) => durationMs <= bound);
  const at = found === -1 ? ISTIO_BOUNDS.length : found;
  series.counts[at] = (series.counts[at] ?? 0) + 1;
  series.sum += durationMs;
  series.total++;
}

/** All values here are our own names, so nothing needs escaping. */
function labelsOf({ reporter, from, to, code }: Observation): string {
  const labels = {
    reporter,
    source_workload: from.name,
    source_workload_namespace: from.namespace,
    destination_workload: to.name,
    destination_workload_namespace: to.namespace,
    destination_service: `${to.name}.${to.namespace}.svc.cluster.local`,
    destination_service_name: to.name,
    destination_service_namespace: to.namespace,
    request_protocol: "http",
    response_code: String(code),
    grpc_response_status: "",
    response_flags: "-",
    // Only the server's side knows how the connection was secured: Istio's sources say "unknown".
    connection_security_policy: reporter === "destination" ? "mutual_tls" : "unknown",
  };
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${value}"`)
    .join(",");
}

function render(series: readonly Series[]): string {
  const lines = ["# TYPE istio_requests_total counter"];
  for (const one of series) lines.push(`istio_requests_total{${one.labels}} ${one.total}`);
  lines.push("# TYPE istio_request_duration_milliseconds histogram");
  for (const one of series) {
    let cumulative = 0;
    for (const [i, count] of one.counts.entries()) {
      cumulative += count;
      lines.push(
        `istio_request_duration_milliseconds_bucket{${one.labels},le="${ISTIO_BOUNDS[i] ?? "+Inf"}"} ${cumulative}`,
      );
    }
    lines.push(`istio_request_duration_milliseconds_sum{${one.labels}} ${one.sum}`);
    lines.push(`istio_request_duration_milliseconds_count{${one.labels}} ${one.total}`);
  }
  return `${lines.join("\n")}\n`;
}
