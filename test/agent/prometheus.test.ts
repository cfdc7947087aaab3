/** The reader of Prometheus against a real one (Debian's package), which scrapes an endpoint made here. */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { createServer as createProbe, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  createPrometheusSource,
  queryMesh,
  type PrometheusConfig,
  type PrometheusSource,
} from "../../agent/source/prometheus.ts";
import type { WindowRecord } from "../../protocol/record.ts";
import { is } from "valibot";
import { RecordSchema } from "../../protocol/record.ts";
import { minuteOf, MINUTE, SECOND } from "../../protocol/time.ts";

const PROMETHEUS = "/usr/bin/prometheus";
const READY_WITHIN_MS = 30_000;
let folder = "";
let mesh: Server;
let prometheus: ChildProcess;
let url = "";

function labels(name: string, reporter = "destination"): string {
  return `reporter="${reporter}",destination_service_namespace="shop",destination_service_name="${name}"`;
}

/** Ten requests a second and service, by the clock, so that every scrape sees its moment. */
function page(): string {
  const grown = Math.floor(((Date.now() % 3_600_000) / SECOND) * 10);
  return `istio_requests_total{${labels("cart")},response_code="200"} ${grown * 0.7}
istio_requests_total{${labels("cart")},response_code="503"} ${grown * 0.3}
istio_requests_total{${labels("cart", "source")},response_code="200"} ${grown}
istio_requests_total{${labels("grpc")},response_code="200",grpc_response_status="0"} ${grown * 0.9}
istio_requests_total{${labels("grpc")},response_code="200",grpc_response_status="14"} ${grown * 0.1}
istio_requests_total{${labels("idle")},response_code="200"} 7
istio_requests_total{${labels("hidden")},response_code="xx"} ${grown}
istio_requests_total{${labels("cart", "source")},source_workload="orders-v2",source_workload_namespace="shop",response_code="503"} ${grown * 0.2}
istio_requests_total{${labels("orders")},destination_workload="orders-v2",destination_workload_namespace="shop",response_code="200"} ${grown}
istio_requests_total{${labels("PassthroughCluster")},response_code="200"} ${grown}
istio_request_duration_milliseconds_bucket{${labels("cart")},le="25"} ${grown * 0.9}
istio_request_duration_milliseconds_bucket{${labels("cart")},le="500"} ${grown}
istio_request_duration_milliseconds_bucket{${labels("cart")},le="+Inf"} ${grown}
istio_request_duration_milliseconds_sum{${labels("cart")}} ${grown * 30}
`;
}

async function freePort(): Promise<number> {
  const probe = createProbe();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** Asks until `isMet`; the test's own time limit is the bound. */
async function until(what: string, isMet: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + READY_WITHIN_MS;
  while (!(await isMet().catch(() => false))) {
    if (Date.now() > end) throw new Error(`not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "prometheus-"));
  mesh = createServer((_request, response) => response.end(page()));
  await new Promise<void>((resolve) => mesh.listen(0, "127.0.0.1", resolve));
  const target = `127.0.0.1:${(mesh.address() as AddressInfo).port}`;
  const config = join(folder, "prometheus.yml");
  writeFileSync(
    config,
    `scrape_configs: [{ job_name: mesh, scrape_interval: 1s, scrape_timeout: 1s, static_configs: [{ targets: ["${target}"] }] }]\n`,
  );
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  const flags = [
    `--config.file=${config}`,
    `--storage.tsdb.path=${join(folder, "tsdb")}`,
    `--web.listen-address=127.0.0.1:${port}`,
    "--log.level=error",
  ];
  prometheus = spawn(PROMETHEUS, flags, { stdio: "ignore" });
  const started = Promise.withResolvers<void>();
  prometheus.once("error", (error) =>
    started.reject(new Error(`${PROMETHEUS} is needed: apt-get install prometheus`, { cause: error })),
  );
  prometheus.once("spawn", () => started.resolve());
  await started.promise;
  await until("a few scrapes", async () => {
    const answer = await queryMesh(reading, 10 * SECOND, Date.now(), 1_000);
    return answer.ok && (answer.value.services.get("shop/cart")?.requests ?? 0) > 40;
  });
});

afterAll(async () => {
  const ended = new Promise((resolve) => prometheus.once("exit", resolve));
  prometheus.kill("SIGKILL");
  await ended;
  mesh.close();
  rmSync(folder, { recursive: true, force: true });
});

const reading: PrometheusConfig = {
  get url() {
    return url;
  },
  scrapeInterval: SECOND,
  reporter: "destination",
};

interface Started {
  readonly source: PrometheusSource;
  readonly closed: WindowRecord[];
  readonly closings: number[];
}

function start(
  config: PrometheusConfig,
  now: () => number = Date.now,
  closedUntil: number | null = null,
  isConfirmed: () => boolean = () => true,
): Started {
  const closed: WindowRecord[] = [];
  const closings: number[] = [];
  const source = createPrometheusSource({
    config,
    intervalMs: 5 * SECOND,
    now,
    isConfirmed,
    sink: {
      closedUntil: () => closings.at(-1) ?? closedUntil,
      close(windows, until) {
        closed.push(...windows);
        closings.push(until);
        return true;
      },
    },
  });
  return { source, closed, closings };
}

describe("reading a real Prometheus", () => {
  it("brings all services in one look, with errors of HTTP and of gRPC, each request once", async () => {
    const { source } = start(reading);
    const found = await source.collect();
    expect([...found.keys()].toSorted()).toEqual(["shop/cart", "shop/grpc", "shop/idle", "shop/orders"]);
    const cart = found.get("shop/cart")?.reading;
    expect((cart?.errors ?? 0) / (cart?.requests ?? 1)).toBeCloseTo(0.3, 2);
    // 10 a second over 5 s, as far as increase() can tell from a second's scrapes.
    expect(cart?.requests).toBeGreaterThan(30);
    expect(cart?.requests).toBeLessThan(70);
    const grpc = found.get("shop/grpc")?.reading;
    expect((grpc?.errors ?? 0) / (grpc?.requests ?? 1)).toBeCloseTo(0.1, 2);
    expect(cart?.p95?.slice(1)).toEqual([25, 500]);
    expect(found.get("shop/cart")?.latency).toMatchObject({ scheme: "explicit", bounds: [25, 500] });
  });

  it("brings who calls whom in one query, callers by the names of their services", async () => {
    const { source } = start(reading);
    expect(source.topology()).toBeNull();
    const before = Date.now();
    await source.lookAround();
    const topology = source.topology();
    expect(topology).toMatchObject({ spanMs: 30_000, workloads: ["shop/cart", "shop/orders"], left: 0 });
    expect(topology?.edges[0]?.slice(0, 2)).toEqual([1, 0]);
    const [, , requests = 0, errors = 0] = topology?.edges[0] ?? [];
    expect(errors).toBe(requests);
    expect(requests).toBeGreaterThan(1);
    expect(topology?.at).toBeGreaterThanOrEqual(before);
    // The next look is not due yet.
    await source.lookAround();
    expect(source.topology()).toBe(topology);
  });

  it("knows a zero from no data", async () => {
    const found = await start(reading).source.collect();
    expect(found.get("shop/idle")?.reading).toMatchObject({ requests: 0, errors: 0, p95: null });
    expect(found.get("shop/idle")?.latency).toBeNull();
    expect(found.has("shop/nobody")).toBe(false);
  });

  it("says that codes were relabelled away instead of no errors", async () => {
    const { source } = start(reading);
    await source.collect();
    expect(source.state()).toMatchObject({
      state: "ok",
      detail: "response codes were relabelled away for 1 services: no errors can be seen",
    });
  });

  it("says where no metrics are, and what may be wrong", async () => {
    const { source } = start({ ...reading, url, reporter: "waypoint" });
    expect((await source.collect()).size).toBe(0);
    expect(source.state()).toMatchObject({ state: "stale", okAt: null });
    expect(source.state().detail).toContain('reporter="waypoint"');
  });

  it("closes minutes at their ends, late by a scrape and 15 s, each once, and catches up what it missed", async () => {
    // Three minutes on: the minutes since Prometheus started are over, and the first of them holds what was scraped so far.
    const minute = minuteOf(Date.now());
    const { source, closed, closings } = start(reading, () => minute + 3 * MINUTE + 16 * SECOND, minute - MINUTE);
    expect(await source.closeDue()).toBeNull();
    expect(closings).toEqual([minute, minute + MINUTE, minute + 2 * MINUTE, minute + 3 * MINUTE]);
    expect(new Set(closed.map(({ service, at }) => `${service} ${at}`)).size).toBe(closed.length);
    const cart = closed.filter(({ service }) => service === "shop/cart");
    expect(cart.length).toBeGreaterThan(0);
    expect(cart.every((window) => is(RecordSchema, window) && window.spanMs === MINUTE)).toBe(true);
    expect(await source.closeDue()).toBeNull();
    expect(closings).toHaveLength(4);
  });

  it("leaves a minute open while its last samples may still come", async () => {
    const minute = minuteOf(Date.now());
    const { source, closings } = start(reading, () => minute + MINUTE + 15 * SECOND, minute);
    await source.closeDue();
    expect(closings).toEqual([]);
  });

  it("closes nothing by a clock in doubt", async () => {
    const minute = minuteOf(Date.now());
    let isConfirmed = false;
    const late = (): number => minute + 3 * MINUTE + 16 * SECOND;
    const { source, closings } = start(reading, late, minute, () => isConfirmed);
    expect([await source.closeDue(), closings]).toEqual([null, []]);
    isConfirmed = true;
    await source.closeDue();
    expect(closings).toHaveLength(3);
  });

  it("goes on with the last complete minute when a wrong clock had closed an hour ahead", async () => {
    const minute = minuteOf(Date.now());
    const { source, closings } = start(reading, () => minute + 16 * SECOND, minute + 60 * MINUTE);
    await source.closeDue();
    expect(closings).toEqual([minute]);
  });

  it("that cannot be reached closes nothing and says why", async () => {
    const { source, closings } = start({ url: "http://127.0.0.1:9", scrapeInterval: SECOND, reporter: "destination" });
    expect((await source.collect()).size).toBe(0);
    expect(source.state()).toMatchObject({ state: "down", okAt: null });
    expect(await source.closeDue()).not.toBeNull();
    expect(closings).toEqual([]);
  });
});

describe("an answer of something else than Prometheus", () => {
  it.each([
    ["an error", 422, JSON.stringify({ status: "error", error: "parse error" }), "HTTP 422: parse error"],
    ["a page", 200, "<html></html>", "HTTP 200: not an answer of Prometheus"],
    [
      "another kind of value",
      200,
      JSON.stringify({ status: "success", data: { resultType: "matrix", result: [] } }),
      "HTTP 200: not an answer of Prometheus",
    ],
  ])("%s is a state, not data", async (_name, status, body, detail) => {
    const other = createServer((_request, response) => response.writeHead(status).end(body));
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { source } = start({ ...reading, url: `http://127.0.0.1:${(other.address() as AddressInfo).port}` });
    await source.collect();
    expect(source.state()).toMatchObject({ state: "down", detail });
    other.close();
  });

  it("to who calls whom leaves the readings as they are, and is said", async () => {
    const metric = { destination_service_namespace: "shop", destination_service_name: "cart", response_code: "200" };
    const data = { resultType: "vector", result: [{ metric, value: [1, "5"] }] };
    const other = createServer((request, response) => {
      const isAsked = decodeURIComponent(request.url ?? "").includes("source_workload");
      response.writeHead(isAsked ? 422 : 200);
      response.end(
        JSON.stringify(isAsked ? { status: "error", error: "too many samples" } : { status: "success", data }),
      );
    });
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { source } = start({ ...reading, url: `http://127.0.0.1:${(other.address() as AddressInfo).port}` });
    await source.lookAround();
    expect((await source.collect()).has("shop/cart")).toBe(true);
    const detail = "who calls whom cannot be asked: HTTP 422: too many samples";
    expect(source.state()).toMatchObject({ state: "ok", detail });
    expect(source.topology()).toBeNull();
    other.close();
  });

  it("with NaN for a value is no data", async () => {
    const metric = { destination_service_namespace: "shop", destination_service_name: "cart", response_code: "200" };
    const body = JSON.stringify({
      status: "success",
      warnings: ["a block is missing"],
      data: { resultType: "vector", result: [{ metric, value: [1, "NaN"] }] },
    });
    const other = createServer((_request, response) => response.end(body));
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { source } = start({ ...reading, url: `http://127.0.0.1:${(other.address() as AddressInfo).port}` });
    expect((await source.collect()).size).toBe(0);
    expect(source.state().detail).toContain("a block is missing");
    other.close();
  });
});
