/** The golden signals of all services from Prometheus, as points of five minutes: three queries, however long the range. */
import { failure, success, type Result } from "../../protocol/result.ts";
import { SECOND, type Millis } from "../../protocol/time.ts";
import { POINT_MS } from "../core/golden.ts";
import type { GoldenSeries } from "../core/model.ts";
import { REQUESTS_METRIC } from "../core/mesh.ts";
import { DURATION_METRIC, ERROR_CODES, GRPC_ERRORS, serviceOf } from "../../protocol/istio.ts";
import { SERVICES_MAX } from "../../protocol/limits.ts";
import { isRecord, parseJson, request } from "../http.ts";
import type { PrometheusConfig } from "./prometheus.ts";

/** A day of 1,000 services is 10 MB; more is refused rather than held in memory. */
const ANSWER_BYTES_MAX = 32 * 1_048_576;
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
  for (const [signal, query] of QUERIES) {
    if (signal !== "rate") await pause();
    const found = await range(url, query(`reporter="${reporter}"`), from, to, timeoutMs);
    if (!found.ok) return found;
    for (const { service, values } of found.value) {
      let series = services.get(service);
      if (series === undefined) {
        if (signal !== "rate" || services.size >= SERVICES_MAX) continue;
        const empty = (): Float32Array => new Float32Array(points).fill(Number.NaN);
        series = { rate: empty(), errors: empty(), p95Ms: empty() };
        services.set(service, series);
      }
      for (const [seconds, value] of values) series[signal][Math.round((1_000 * seconds - from) / POINT_MS)] = value;
    }
  }
  return success({ from, points, services });
}

interface Found {
  readonly service: string;
  /** Seconds and value; what is no finite number is no value. */
  readonly values: readonly (readonly [number, number])[];
}

async function range(
  url: string,
  query: string,
  from: Millis,
  to: Millis,
  timeoutMs: number,
): Promise<Result<readonly Found[], string>> {
  const parameters = new URLSearchParams({
    query,
    start: (from / 1_000).toFixed(0),
    end: (to / 1_000).toFixed(0),
    step: `${POINT_MS / 1_000}s`,
    timeout: `${timeoutMs}ms`,
  });
  const answer = await request(`${url}/api/v1/query_range?${parameters.toString()}`, {
    timeoutMs,
    bytesMax: ANSWER_BYTES_MAX,
  });
  if (!answer.ok) return answer;
  const found = readMatrix(parseJson(answer.value.text));
  return found === null
    ? failure(`HTTP ${answer.value.status}: not an answer of Prometheus to a range query`)
    : success(found);
}

/**
 * Read by hand: a day of 500 services are 144,000 pairs, and a schema would copy each of them.
 *
 * @returns null if it is no matrix
 */
function readMatrix(json: unknown): readonly Found[] | null {
  if (!isRecord(json) || json["status"] !== "success" || !isRecord(json["data"])) return null;
  const { resultType, result } = json["data"];
  if (resultType !== "matrix" || !Array.isArray(result)) return null;
  return result.flatMap((row: unknown) => {
    if (!isRecord(row) || !isRecord(row["metric"]) || !Array.isArray(row["values"])) return [];
    const labels = Object.entries(row["metric"]).map(([name, value]) => [name, String(value)] as const);
    const service = serviceOf(Object.fromEntries(labels));
    return service === null ? [] : [{ service, values: row["values"].flatMap(readPair) }];
  });
}

function readPair(pair: unknown): readonly (readonly [number, number])[] {
  if (!Array.isArray(pair)) return [];
  const [seconds, text] = pair as readonly unknown[];
  const value = typeof text === "string" ? Number(text) : Number.NaN;
  return typeof seconds === "number" && Number.isFinite(value) ? [[seconds, value]] : [];
}
