/** Reads the mesh from Prometheus: four queries for all services, now for readings and once a closed span for windows. */
import type { SourceState } from "../../protocol/push.ts";
import { SECOND, type Millis } from "../../protocol/time.ts";
import { parseValue } from "../core/exposition.ts";
import { DURATION_METRIC, isError, serviceOf } from "../../protocol/istio.ts";
import {
  capServices,
  codeHidden,
  emptyCounts,
  REQUESTS_METRIC,
  toReading,
  toWindow,
  type MeshCounts,
  type Reporter,
} from "../core/mesh.ts";
import { nativeCounts } from "../core/native.ts";
import { edgeReporters, EDGE_LABELS, TOPOLOGY_INTERVALS, topologyOf } from "../core/topology.ts";
import { success, type Result } from "../../protocol/result.ts";
import type { Topology } from "../../protocol/topology.ts";
import { dueSpan, windowSpan } from "../core/windows.ts";
import { detailLine } from "../http.ts";
import type { MeshSource, WindowSink } from "./mesh.ts";
import { eachInstant, instant, type HistogramRow, type Rows } from "./query.ts";

/** A query may take this long, whatever the interval, ms. */
const QUERY_TIMEOUT_MAX_MS = 10_000;
/** Samples of a span arrive up to one scrape and this much after its end, ms. */
const LATE_MS = 15 * SECOND;
/** How often it is looked whether a span is due, ms. */
const CLOSE_EVERY_MS = 2_000;
const LIVE_SCRAPES = 4;

export interface PrometheusConfig {
  readonly url: string;
  readonly scrapeInterval: number;
  readonly reporter: Reporter;
}

interface PrometheusOptions {
  readonly config: PrometheusConfig;
  readonly intervalMs: number;
  readonly now: () => Millis;
  /** Whether `now` may be acted on: what a wrong clock closes stays closed. */
  readonly isConfirmed: () => boolean;
  readonly sink: WindowSink;
}

export interface PrometheusSource extends MeshSource {
  /** Closes every span that is due; returns why it stopped short, or null. */
  closeDue(): Promise<string | null>;
  /** Looks at who calls whom, if the last look was long enough ago. */
  lookAround(): Promise<void>;
}

export function createPrometheusSource(options: PrometheusOptions): PrometheusSource {
  const { config, intervalMs, now, isConfirmed, sink } = options;
  const timeoutMs = Math.min(QUERY_TIMEOUT_MAX_MS, Math.floor(intervalMs * 0.8));
  const spanMs = windowSpan(config.scrapeInterval);
  const lookbackMs = Math.max(LIVE_SCRAPES * config.scrapeInterval, intervalMs);
  const around = createLookout(options, lookbackMs, timeoutMs);
  // What has closed can wait until what is now was read: of 500 services each is 2 MB meanwhile.
  let asking: Promise<unknown> = Promise.resolve();
  let state: SourceState = { state: "down", detail: "not asked yet", okAt: null };
  return {
    name: "prometheus",
    state: () => state,
    topology: around.topology,
    lookAround: around.look,
    async collect() {
      const at = now();
      const asked = queryMesh(config, lookbackMs, at, timeoutMs);
      asking = asked;
      const answer = await asked;
      if (!answer.ok) {
        state = { state: "down", detail: detailLine(answer.failure), okAt: state.okAt };
        return new Map();
      }
      const { services, notes } = answer.value;
      const found = services.size > 0;
      const blind = around.failure();
      if (blind !== null) notes.push(`who calls whom cannot be asked: ${blind}`);
      if (!found)
        notes.push(
          `no ${REQUESTS_METRIC}{reporter="${config.reporter}"} in the last ${lookbackMs / 1_000} s: does it scrape the mesh?`,
        );
      state = {
        state: found ? "ok" : "stale",
        detail: notes.length === 0 ? null : detailLine(notes.join("; ")),
        okAt: found ? at : state.okAt,
      };
      return new Map([...services].map(([service, counts]) => [service, toReading(at, lookbackMs, counts)]));
    },
    async closeDue() {
      for (;;) {
        if (!isConfirmed()) return null;
        const span = dueSpan(sink.closedUntil(), now(), spanMs, config.scrapeInterval + LATE_MS);
        if (span === null) return null;
        await asking;
        const answer = await queryMesh(config, span.until - span.from, span.until, timeoutMs);
        if (!answer.ok) return answer.failure;
        if (!isConfirmed()) return null;
        const windows = [...answer.value.services].map(([service, counts]) =>
          toWindow(service, span.from, spanMs, counts),
        );
        // Prometheus keeps them until the disk has room.
        if (!sink.close(windows, span.until)) return "the disk is full";
      }
    },
    stop: () => Promise.resolve(),
  };
}

/** Keeps the newest answer to who calls whom. One that fails changes nothing, and is asked again when it is due again. */
function createLookout(
  { config, intervalMs, now }: PrometheusOptions,
  lookbackMs: number,
  timeoutMs: number,
): {
  topology(this: void): Topology | null;
  /** Why the last look brought nothing; null if it did. */
  failure(this: void): string | null;
  look(this: void): Promise<void>;
} {
  const spanMs = Math.max(lookbackMs, TOPOLOGY_INTERVALS * intervalMs);
  let newest: Topology | null = null;
  let failed: string | null = null;
  let lookedAt = Number.NEGATIVE_INFINITY;
  return {
    topology: () => newest,
    failure: () => failed,
    async look() {
      const passed = performance.now() - lookedAt;
      if (passed < TOPOLOGY_INTERVALS * intervalMs) return;
      lookedAt = performance.now();
      const answer = await queryTopology(config, spanMs, now(), timeoutMs);
      failed = answer.ok ? null : answer.failure;
      if (answer.ok) newest = answer.value;
    },
  };
}

/** The source with its own pace for closing windows. */
export function startPrometheusSource(options: PrometheusOptions): PrometheusSource {
  const source = createPrometheusSource(options);
  let timer: NodeJS.Timeout | null = null;
  let stopped = false;
  let round: Promise<void> = Promise.resolve();
  const next = (): void => {
    round = Promise.all([source.closeDue(), source.lookAround()]).then(() => {
      if (!stopped) timer = setTimeout(next, CLOSE_EVERY_MS);
    });
  };
  next();
  return {
    ...source,
    async stop() {
      stopped = true;
      if (timer !== null) clearTimeout(timer);
      await round;
    },
  };
}

interface MeshAnswer {
  readonly services: ReadonlyMap<string, MeshCounts>;
  /** What an operator should know of an answer that could be used. */
  readonly notes: string[];
}

const BY_SERVICE = "destination_service_namespace, destination_service_name";

/** The counts of every service over the `overMs` before `at`. */
export async function queryMesh(
  config: PrometheusConfig,
  overMs: number,
  at: Millis,
  timeoutMs: number,
): Promise<Result<MeshAnswer, string>> {
  const selector = `{reporter="${config.reporter}"}[${Math.round(overMs)}ms]`;
  const [requests, buckets, sums, natives] = await Promise.all([
    instant(
      config.url,
      `sum by (${BY_SERVICE}, response_code, grpc_response_status) (increase(${REQUESTS_METRIC}${selector}))`,
      at,
      timeoutMs,
    ),
    queryBuckets(
      config.url,
      `sum by (${BY_SERVICE}, le) (increase(${DURATION_METRIC}_bucket${selector}))`,
      at,
      timeoutMs,
    ),
    instant(config.url, `sum by (${BY_SERVICE}) (increase(${DURATION_METRIC}_sum${selector}))`, at, timeoutMs),
    // Only native histograms have their metric's own name; without any this is empty.
    instant(config.url, `sum by (${BY_SERVICE}) (increase(${DURATION_METRIC}${selector}))`, at, timeoutMs),
  ]);
  if (!requests.ok) return requests;
  if (!buckets.ok) return buckets;
  if (!sums.ok) return sums;
  if (!natives.ok) return natives;
  return success(meshCounts(requests.value, buckets.value, sums.value, natives.value));
}

interface Buckets {
  /** Of each service the cumulative counts by upper bound in ms. */
  readonly services: ReadonlyMap<string, Map<number, number>>;
  readonly warnings: readonly string[];
}

/** Summed up while they arrive: as rows, those of 500 services take 4 MB. */
async function queryBuckets(
  url: string,
  query: string,
  at: Millis,
  timeoutMs: number,
): Promise<Result<Buckets, string>> {
  const services = new Map<string, Map<number, number>>();
  const answer = await eachInstant(url, query, at, timeoutMs, (row) => {
    const service = serviceOf(row.labels);
    const le = parseValue(row.labels["le"] ?? "");
    if (!("value" in row) || service === null || le === null) return;
    const buckets = services.get(service) ?? new Map<number, number>();
    services.set(service, buckets);
    buckets.set(le, (buckets.get(le) ?? 0) + row.value);
  });
  return answer.ok ? success({ services, warnings: answer.value }) : answer;
}

/** Who called whom over the `spanMs` before `at`. */
async function queryTopology(
  config: PrometheusConfig,
  spanMs: number,
  at: Millis,
  timeoutMs: number,
): Promise<Result<Topology, string>> {
  const reporters = edgeReporters(config.reporter).join("|");
  const selector = `{reporter=~"${reporters}"}[${Math.round(spanMs)}ms]`;
  const query = `sum by (${EDGE_LABELS.join(", ")}) (increase(${REQUESTS_METRIC}${selector}))`;
  const answer = await instant(config.url, query, at, timeoutMs);
  return answer.ok ? success(topologyOf(at, spanMs, answer.value.rows)) : answer;
}

function meshCounts(requests: Rows, buckets: Buckets, sums: Rows, natives: Rows): MeshAnswer {
  const services = new Map<string, MeshCounts>();
  const hidden = new Set<string>();
  for (const { labels, value } of requests.rows) {
    const service = serviceOf(labels);
    if (service === null) continue;
    const counts = services.get(service) ?? emptyCounts();
    services.set(service, counts);
    counts.requests += value;
    if (isError(labels)) counts.errors += value;
    if (codeHidden(labels) && value > 0) hidden.add(service);
  }
  const notes = [...new Set([requests, buckets, sums, natives].flatMap(({ warnings }) => warnings))].slice(0, 3);
  // "0 % errors" would be a lie: where the codes are gone nobody has seen whether anything failed.
  for (const service of hidden) services.delete(service);
  if (hidden.size > 0)
    notes.push(`response codes were relabelled away for ${hidden.size} services: no errors can be seen`);
  for (const [service, counts] of services) {
    const found = buckets.services.get(service);
    if (found !== undefined) services.set(service, { ...counts, buckets: found });
  }
  for (const { labels, value } of sums.rows) {
    const counts = services.get(serviceOf(labels) ?? "");
    if (counts !== undefined) counts.sum += value;
  }
  addNatives(services, natives.histograms, notes);
  const { kept, left } = capServices(services);
  if (left > 0) notes.push(`${left} services beyond the bound are left out`);
  return { services: kept, notes };
}

function addNatives(
  services: ReadonlyMap<string, MeshCounts>,
  histograms: readonly HistogramRow[],
  notes: string[],
): void {
  let unread = 0;
  for (const { labels, buckets, sum } of histograms) {
    const counts = services.get(serviceOf(labels) ?? "");
    const native = counts === undefined ? null : nativeCounts(buckets, sum);
    if (counts === undefined) continue;
    if (native === null) unread++;
    else if (native.scheme === "exponential") counts.native = native.latency;
    else if (counts.buckets.size === 0) {
      for (const [le, count] of native.buckets) counts.buckets.set(le, count);
      counts.sum += Math.max(0, sum);
    }
  }
  if (unread > 0) notes.push(`native histograms of ${unread} services hold values below 0 or in a wide zero bucket`);
}
