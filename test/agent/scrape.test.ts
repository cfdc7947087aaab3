import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createScrapeSource, nextScrapeAt, type ScrapeSource } from "../../agent/source/scrape.ts";
import type { WindowRecord } from "../../protocol/record.ts";
import { MINUTE, SECOND } from "../../protocol/time.ts";

const NOW = 1_795_392_000_000;
let folder = "";
let server: Server;
let url = "";
/** What the endpoint says: a body, or a status. */
let page: string | number = "";
let now = NOW;
let closedUntil: number | null = null;
let closed: WindowRecord[] = [];
/** The process is killed before the spool has the window. */
let isKilled = false;
let isFull = false;
let isConfirmed = true;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "scrape-"));
  server = createServer((_request, response) => {
    response.writeHead(typeof page === "number" ? page : 200, { "content-type": "text/plain; version=0.0.4" });
    response.end(typeof page === "number" ? "" : page);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/stats/prometheus`;
  [now, closedUntil, closed, isKilled, isFull, isConfirmed] = [NOW, null, [], false, false, true];
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A start of the agent: what it closed before is known, as from its spool. */
function start(targets = [url]): ScrapeSource {
  return createScrapeSource({
    config: { interval: 5 * SECOND, targets, reporter: "destination" },
    intervalMs: 10 * SECOND,
    dataDir: folder,
    now: () => now,
    isConfirmed: () => isConfirmed,
    sink: {
      closedUntil: () => closedUntil,
      close(windows, until) {
        if (isKilled) throw new Error("killed");
        if (isFull) return false;
        closed.push(...windows);
        closedUntil = until;
        return true;
      },
    },
  });
}

const CART = 'reporter="destination",destination_service_namespace="shop",destination_service_name="cart"';
/** Counters as Envoy shows them: `fast` requests under 5 ms, `slow` ones under 250 ms, `failed` of them 503. */
function metrics(fast: number, slow: number, failed: number): string {
  return `# TYPE istio_requests_total counter
istio_requests_total{${CART},response_code="200"} ${fast + slow - failed}
istio_requests_total{${CART},response_code="503"} ${failed}
istio_requests_total{reporter="source",destination_service_namespace="shop",destination_service_name="cart",response_code="200"} 99
# TYPE istio_request_duration_milliseconds histogram
istio_request_duration_milliseconds_bucket{${CART},response_code="200",le="5"} ${fast}
istio_request_duration_milliseconds_bucket{${CART},response_code="200",le="250"} ${fast + slow}
istio_request_duration_milliseconds_bucket{${CART},response_code="200",le="+Inf"} ${fast + slow}
istio_request_duration_milliseconds_sum{${CART},response_code="200"} ${fast + slow * 100}
istio_request_duration_milliseconds_count{${CART},response_code="200"} ${fast + slow}
envoy_cluster_upstream_cx_total{cluster="x"} 12
`;
}

async function scrapeAt(source: ScrapeSource, second: number, what: string | number): Promise<void> {
  page = what;
  now = NOW + second * SECOND;
  await source.scrape(now);
}

it.each([
  ["every five seconds", 5, 61_000, 65_000],
  ["on the whole minute", 5, 58_000, 60_000],
  ["never on the same moment again", 5, 60_000, 65_000],
  ["on the minute also where the interval does not divide it", 7, 57_000, 60_000],
  ["and from there on again", 7, 60_000, 67_000],
])("scrapes fall %s", (_name, intervalS, after, expected) => {
  expect(nextScrapeAt(NOW + after, intervalS * SECOND) - NOW).toBe(expected);
});

describe("scraping a mesh directly", () => {
  it("reads the newest growth, from the reporter that counts each request once", async () => {
    const source = start();
    await scrapeAt(source, 5, metrics(100, 0, 0));
    expect((await source.collect()).size).toBe(0);
    await scrapeAt(source, 10, metrics(130, 10, 8));
    expect((await source.collect()).get("shop/cart")).toEqual({
      reading: { at: NOW + 10_000, spanMs: 5_000, requests: 40, errors: 8, p95: [201, 5, 250] },
      latency: { scheme: "explicit", bounds: [5, 250], counts: [30, 10, 0], sum: 1_030 },
    });
    expect(source.state()).toEqual({ state: "ok", detail: null, okAt: NOW + 10_000 });
  });

  it("looks at who calls whom once in six intervals, over the time since the last look", async () => {
    const calls = (requests: number, failed: number): string =>
      `istio_requests_total{reporter="source",source_workload_namespace="shop",source_workload="orders",destination_service_namespace="shop",destination_service_name="cart",response_code="200"} ${requests}
istio_requests_total{reporter="source",source_workload_namespace="shop",source_workload="orders",destination_service_namespace="shop",destination_service_name="cart",response_code="503"} ${failed}
`;
    const source = start();
    await scrapeAt(source, 5, calls(100, 1));
    expect(source.topology()).toBeNull();
    await scrapeAt(source, 60, calls(150, 5));
    expect(source.topology()).toBeNull();
    await scrapeAt(source, 65, calls(160, 11));
    const seen = {
      at: NOW + 65_000,
      spanMs: 60_000,
      workloads: ["shop/cart", "shop/orders"],
      edges: [[1, 0, 70, 10]],
      left: 0,
    };
    expect(source.topology()).toEqual(seen);
    await scrapeAt(source, 120, calls(900, 11));
    expect(source.topology()).toEqual(seen);
    // Nobody answers: what was seen stays, and the next look is over the whole time since.
    await scrapeAt(source, 125, 503);
    expect(source.topology()).toEqual(seen);
    await scrapeAt(source, 130, calls(1_000, 11));
    expect(source.topology()).toEqual({ ...seen, at: NOW + 130_000, spanMs: 65_000, edges: [[1, 0, 840, 0]] });
  });

  it("says of a target that missed a look what it grew by in the time of the others", async () => {
    const of = (source: string, requests: number): string =>
      `istio_requests_total{reporter="source",source_workload_namespace="shop",source_workload="${source}",destination_service_namespace="shop",destination_service_name="cart",response_code="200"} ${requests}\n`;
    const answers = new Map<string, string | number>();
    const other = createServer((_request, response) => {
      const answer = answers.get("other") ?? 503;
      response.writeHead(typeof answer === "number" ? answer : 200).end(typeof answer === "number" ? "" : answer);
    });
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const source = start([url, `http://127.0.0.1:${(other.address() as AddressInfo).port}/stats`]);
    const look = async (second: number, here: string, there: string | number): Promise<void> => {
      answers.set("other", there);
      await scrapeAt(source, second, here);
    };
    await look(0, of("orders", 0), of("checkout", 0));
    await look(60, of("orders", 10), 503);
    expect(source.topology()?.edges).toEqual([[1, 0, 10, 0]]);
    await look(120, of("orders", 20), of("checkout", 40));
    expect(source.topology()?.workloads).toEqual(["shop/cart", "shop/checkout", "shop/orders"]);
    expect(source.topology()?.edges).toEqual([
      [1, 0, 20, 0],
      [2, 0, 10, 0],
    ]);
    other.close();
  });

  it("tells a service without requests from one that is not there", async () => {
    const source = start();
    await scrapeAt(source, 5, metrics(100, 0, 0));
    await scrapeAt(source, 10, metrics(100, 0, 0));
    expect((await source.collect()).get("shop/cart")?.reading).toMatchObject({ requests: 0, p95: null });
    await scrapeAt(source, 15, "up 1\n");
    expect((await source.collect()).size).toBe(0);
    expect(source.state()).toMatchObject({
      state: "stale",
      detail: 'no istio_requests_total{reporter="destination"} at any target',
    });
  });

  it("closes a minute from boundary to boundary, and not the partial one before", async () => {
    const source = start();
    await scrapeAt(source, 30, metrics(100, 0, 0));
    await scrapeAt(source, 60, metrics(150, 0, 0));
    expect(closed).toEqual([]);
    await scrapeAt(source, 90, metrics(180, 0, 0));
    await scrapeAt(source, 120, metrics(190, 10, 1));
    expect(closed).toEqual([
      {
        kind: "window",
        service: "shop/cart",
        at: NOW + MINUTE,
        spanMs: MINUTE,
        requests: 50,
        errors: 1,
        latency: { scheme: "explicit", bounds: [5, 250], counts: [40, 10, 0], sum: 1_040 },
      },
    ]);
  });

  it("counts on over a restart of the agent within the minute", async () => {
    const before = start();
    await scrapeAt(before, 0, metrics(100, 0, 0));
    await scrapeAt(before, 60, metrics(150, 0, 0));
    await scrapeAt(before, 65, metrics(155, 0, 0));
    const after = start();
    await scrapeAt(after, 80, metrics(170, 0, 0));
    await scrapeAt(after, 120, metrics(210, 0, 0));
    expect(closed.map(({ at, spanMs, requests }) => [(at - NOW) / SECOND, spanMs / SECOND, requests])).toEqual([
      [0, 60, 50],
      [60, 60, 60],
    ]);
    expect(readdirSync(folder)).toEqual([`scrape-boundary-${NOW + 120_000}.json`]);
  });

  it("makes one longer window of minutes whose boundary it missed, and invents none", async () => {
    const before = start();
    await scrapeAt(before, 0, metrics(100, 0, 0));
    await scrapeAt(before, 60, metrics(150, 0, 0));
    const after = start();
    await scrapeAt(after, 185, metrics(350, 0, 0));
    await scrapeAt(after, 240, metrics(400, 0, 0));
    expect(closed.slice(1).map(({ at, spanMs, requests }) => [(at - NOW) / SECOND, spanMs / SECOND, requests])).toEqual(
      [[60, 180, 250]],
    );
  });

  it("closes what it could not close when it was killed between the boundary's file and the window", async () => {
    const before = start();
    await scrapeAt(before, 0, metrics(100, 0, 0));
    await scrapeAt(before, 60, metrics(150, 0, 0));
    isKilled = true;
    await expect(scrapeAt(before, 120, metrics(200, 0, 0))).rejects.toThrow("killed");
    isKilled = false;
    await scrapeAt(start(), 180, metrics(260, 0, 0));
    expect(closed.map(({ at, spanMs, requests }) => [(at - NOW) / SECOND, spanMs / SECOND, requests])).toEqual([
      [0, 60, 50],
      [60, 120, 110],
    ]);
  });

  it("while the disk is full keeps one boundary, and closes one longer window when it is not, also after a restart", async () => {
    const source = start();
    await scrapeAt(source, 0, metrics(100, 0, 0));
    await scrapeAt(source, 60, metrics(150, 0, 0));
    isFull = true;
    const boundaries = (): readonly string[] =>
      readdirSync(folder).filter((name) => name.startsWith("scrape-boundary"));
    const before = boundaries();
    for (const minute of [2, 3, 4]) await scrapeAt(source, minute * 60, metrics(minute * 100, 0, 0));
    expect(boundaries()).toEqual(before);
    isFull = false;
    await scrapeAt(start(), 300, metrics(500, 0, 0));
    expect(closed.map(({ at, spanMs, requests }) => [(at - NOW) / SECOND, spanMs / SECOND, requests])).toEqual([
      [0, 60, 50],
      [60, 240, 350],
    ]);
  });

  it("closes nothing by a clock in doubt, and one longer window once it is settled", async () => {
    const source = start();
    await scrapeAt(source, 0, metrics(100, 0, 0));
    isConfirmed = false;
    await scrapeAt(source, 60, metrics(150, 0, 0));
    expect(closed).toEqual([]);
    isConfirmed = true;
    await scrapeAt(source, 120, metrics(180, 0, 0));
    expect(closed.map(({ at, spanMs, requests }) => [(at - NOW) / SECOND, spanMs / SECOND, requests])).toEqual([
      [0, 120, 80],
    ]);
  });

  it("reads and closes again at once when a clock that was taken for right an hour ahead is corrected", async () => {
    const source = start();
    await scrapeAt(source, 3_600, metrics(100, 0, 0));
    await scrapeAt(source, 3_660, metrics(110, 0, 0));
    await scrapeAt(source, 5, metrics(120, 0, 0));
    await scrapeAt(source, 10, metrics(130, 0, 0));
    expect((await source.collect()).get("shop/cart")?.reading).toMatchObject({ at: NOW + 10_000, spanMs: 5_000 });
    closed = [];
    await scrapeAt(source, 60, metrics(140, 0, 0));
    await scrapeAt(source, 120, metrics(150, 0, 0));
    expect(closed.map(({ at, requests }) => [(at - NOW) / SECOND, requests])).toEqual([[60, 10]]);
    await scrapeAt(start(), 180, metrics(170, 0, 0));
    expect(closed.map(({ at, requests }) => [(at - NOW) / SECOND, requests])).toEqual([
      [60, 10],
      [120, 20],
    ]);
  });

  it("begins anew after it was away too long", async () => {
    await scrapeAt(start(), 0, metrics(100, 0, 0));
    const after = start();
    await scrapeAt(after, 600, metrics(900, 0, 0));
    expect(closed).toEqual([]);
    await scrapeAt(after, 660, metrics(910, 0, 0));
    expect(closed.map(({ at, requests }) => [(at - NOW) / SECOND, requests])).toEqual([[600, 10]]);
  });

  it("survives counters that begin again, within a minute and over a restart of both", async () => {
    const before = start();
    await scrapeAt(before, 0, metrics(100, 0, 0));
    await scrapeAt(before, 30, metrics(120, 0, 0));
    await scrapeAt(before, 60, metrics(5, 0, 0));
    expect(closed.map(({ requests }) => requests)).toEqual([25]);
    await scrapeAt(start(), 120, metrics(3, 0, 0));
    expect(closed.map(({ requests }) => requests)).toEqual([25, 3]);
  });

  it("adds up what several proxies of a service counted, and goes on when one is away", async () => {
    const source = start([url, "http://127.0.0.1:9/metrics"]);
    await scrapeAt(source, 0, metrics(100, 0, 0));
    await scrapeAt(source, 5, metrics(110, 0, 0));
    expect((await source.collect()).get("shop/cart")?.reading.requests).toBe(10);
    expect(source.state().state).toBe("ok");
    expect(source.state().detail).toMatch(/^1 of 2 targets failed: http:\/\/127\.0\.0\.1:9\/metrics: /);
  });

  it.each([
    ["an error", 500, /HTTP 500/],
    ["a page that is no metrics", "<html>\n<body>\n", /not in Prometheus' text format/],
  ])("is down with %s, keeps what it knew for the operator and comes back", async (_name, answer, detail) => {
    const source = start();
    await scrapeAt(source, 5, metrics(1, 0, 0));
    await scrapeAt(source, 10, answer);
    expect(source.state()).toMatchObject({ state: "down", okAt: NOW + 5_000 });
    expect(source.state().detail).toMatch(detail);
    await scrapeAt(source, 15, metrics(2, 0, 0));
    expect(source.state().state).toBe("ok");
  });

  it("claims no counts for a minute in which nothing could be scraped", async () => {
    const source = start();
    await scrapeAt(source, 0, metrics(100, 0, 0));
    for (let second = 5; second <= 115; second += 5) await scrapeAt(source, second, 503);
    await scrapeAt(source, 120, metrics(900, 0, 0));
    expect(closed).toEqual([]);
    await scrapeAt(source, 180, metrics(905, 0, 0));
    expect(closed.map(({ at, requests }) => [(at - NOW) / SECOND, requests])).toEqual([[120, 5]]);
  });
});
