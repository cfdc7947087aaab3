/** The golden signals of all services from Prometheus, as points of five minutes: three queries, however long the range. */
import { success, type Result } from "../../protocol/result.ts";
import { SECOND, type Millis } from "../../protocol/time.ts";
import { POINT_MS } from "../core/golden.ts";
import type { GoldenSeries } from "../core/model.ts";
import { REQUESTS_METRIC } from "../core/mesh.ts";
import { DURATION_METRIC, ERROR_CODES, GRPC_ERRORS, serviceOf } from "../../protocol/istio.ts";
import { SERVICES_MAX } from "../../protocol/limits.ts";
import { isRecord } from "../http.ts";
import type { PrometheusConfig } from "./prometheus.ts";
import { askRows } from "./query.ts";

/** Samples of a point arrive up to one scrape and this much after its end, ms. */
const LATE_MS = 15 * SECOND;
const WINDOW = `[${POINT_MS / 1_000}s]`;
const SERVICE = "destination_service_namespace, destination_service_name";

/** Where golden signals come from. */
export interface GoldenSource {
  /** The points from `from` to `to`, both included and both whole points. `pause` is waited between queries. */
  readonly query: (
    from: Millis,
    to: Millis,
    timeoutMs: number,
    pause?: () => Promise<void>,
  ) => Promise<Result<GoldenRange, string>>;
  /** What a point is made of may arrive this long after its end, ms. */
  readonly lateMs: number;
  /** Whose history it is, as an operator reads it. */
  readonly name: string;
}

export function prometheusGolden(config: PrometheusConfig): GoldenSource {
  return {
    query: (from, to, timeoutMs, pause) => queryGolden(config, from, to, timeoutMs, pause),
    lateMs: config.scrapeInterval + LATE_MS,
    name: "Prometheus",
  };
}

export interface GoldenRange {
  readonly from: Millis;
  /** Points of each series. */
  readonly points: number;
  readonly services: ReadonlyMap<string, GoldenSeries>;
}

/** In the order in which they are asked: what comes later is of services that the first one named. */
const QUERIES = [
  ["rate", (by: string) => `sum by (${SERVICE}) (rate(${REQUESTS_METRIC}{${by}}${WINDOW}))`],
  [
    "errors",
    (by: string) =>
      `sum by (${SERVICE}) (rate(${REQUESTS_METRIC}{${by},response_code=~"${ERROR_CODES}"}${WINDOW}) or rate(${REQUESTS_METRIC}{${by},grpc_response_status=~"${[...GRPC_ERRORS].join("|")}"}${WINDOW}))`,
  ],
  [
    "p95Ms",
    (by: string) =>
      `histogram_quantile(0.95, sum by (${SERVICE}, le) (rate(${DURATION_METRIC}_bucket{${by}}${WINDOW})))`,
  ],
] as const;

/** As `GoldenSource` says. `pause` is waited before each query but the first. */
async function queryGolden(
  { url, reporter }: PrometheusConfig,
  from: Millis,
  to: Millis,
  timeoutMs: number,
  pause: () => Promise<void> = () => Promise.resolve(),
): Promise<Result<GoldenRange, string>> {
  const points = Math.round((to - from) / POINT_MS) + 1;
  const services = new Map<string, GoldenSeries>();
  const seconds = (ms: number): string => (ms / SECOND).toFixed(0);
  const span = { start: seconds(from), end: seconds(to), step: `${seconds(POINT_MS)}s` };
  for (const [signal, query] of QUERIES) {
    if (signal !== "rate") await pause();
    const asked = { query: query(`reporter="${reporter}"`), timeout: `${timeoutMs}ms`, ...span };
    const answer = await askRows(`${url}/api/v1/query_range`, asked, timeoutMs, "matrix", (row) => {
      if (!isRecord(row) || !isRecord(row["metric"]) || !Array.isArray(row["values"])) return true;
      const series = seriesOf(services, row["metric"], signal, points);
      if (series !== null) takeValues(series[signal], row["values"], from);
      return true;
    });
    if (!answer.ok) return answer;
  }
  return success({ from, points, services });
}

/** Null of what is not of a service, and of services that the first query did not name. */
function seriesOf(
  services: Map<string, GoldenSeries>,
  metric: Readonly<Record<string, unknown>>,
  signal: keyof GoldenSeries,
  points: number,
): GoldenSeries | null {
  const labels = Object.entries(metric).map(([name, value]) => [name, String(value)] as const);
  const service = serviceOf(Object.fromEntries(labels));
  if (service === null) return null;
  const known = services.get(service);
  if (known !== undefined) return known;
  if (signal !== "rate" || services.size >= SERVICES_MAX) return null;
  const empty = (): Float32Array => new Float32Array(points).fill(Number.NaN);
  const series = { rate: empty(), errors: empty(), p95Ms: empty() };
  services.set(service, series);
  return series;
}

/** Pairs of seconds and a number as text; what is no finite number is no value. */
function takeValues(series: Float32Array, pairs: readonly unknown[], from: Millis): void {
  for (const pair of pairs) {
    if (!Array.isArray(pair)) continue;
    const [seconds, text] = pair as readonly unknown[];
    const value = typeof text === "string" ? Number(text) : Number.NaN;
    if (typeof seconds === "number" && Number.isFinite(value))
      series[Math.round((SECOND * seconds - from) / POINT_MS)] = value;
  }
}
