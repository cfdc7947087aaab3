/** Native histograms: as Prometheus writes them in its answers, and read from a real one. */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { is } from "valibot";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { nativeCounts, type NativeBucket } from "../../agent/core/native.ts";
import { createPrometheusSource, queryMesh } from "../../agent/source/prometheus.ts";
import { boundAt, exponentialLatency, exponentialOf, indexOf, ZERO_MAX_MS } from "../../protocol/exponential.ts";
import { ISTIO_BOUNDS, mergeLatency, quantile } from "../../protocol/latency.ts";
import type { WindowRecord } from "../../protocol/record.ts";
import { RecordSchema } from "../../protocol/record.ts";
import { MINUTE, minuteOf, SECOND } from "../../protocol/time.ts";
import { distribution, trueQuantile } from "../support/latencies.ts";
import { eventually, type RunningProgram } from "../support/process.ts";
import { startPrometheus } from "../support/prometheus.ts";
import { counterFamily, histogramFamily, PROTOBUF_CONTENT_TYPE } from "../support/protobuf.ts";

/** The buckets of some values as Prometheus' API writes them: text and back, only those that hold anything. */
function answered(values: readonly number[], schema: number): NativeBucket[] {
  const held = new Map<number, number>();
  for (const value of values.filter((one) => one > ZERO_MAX_MS)) {
    held.set(indexOf(schema, value), (held.get(indexOf(schema, value)) ?? 0) + 1);
  }
  const zeros = values.filter((one) => one <= ZERO_MAX_MS).length;
  const buckets = [...held].map(([index, count]) => ({
    left: boundAt(schema, index),
    right: boundAt(schema, index + 1),
    count,
  }));
  const all = zeros === 0 ? buckets : [{ left: -(2 ** -128), right: 2 ** -128, count: zeros }, ...buckets];
  return all.map(({ left, right, count }) => ({ left: Number(`${left}`), right: Number(`${right}`), count }));
}

describe("an answer's buckets", () => {
  it("of any schema, finer ones than ours too, are the histogram that was counted", () =>
    fc.assert(
      fc.property(distribution, fc.integer({ min: -4, max: 8 }), fc.nat(3), (values, schema, zeros) => {
        const all = [...values, ...Array.from({ length: zeros }, () => 0)];
        const buckets = new Map<number, number>();
        for (const value of values.filter((one) => one > ZERO_MAX_MS)) {
          buckets.set(indexOf(schema, value), (buckets.get(indexOf(schema, value)) ?? 0) + 1);
        }
        const none = all.length - [...buckets.values()].reduce((a, b) => a + b, 0);
        const latency = exponentialLatency({ scale: schema, zeros: none, buckets, sum: 7 });
        expect(nativeCounts(answered(all, schema), 7)).toEqual({ scheme: "exponential", latency });
      }),
      { numRuns: 2_000 },
    ));

  const bucket = (left: number, right: number, count: number): NativeBucket => ({ left, right, count });
  it.each<[string, NativeBucket[], Record<number, number> | null]>([
    ["with bounds of its own", [bucket(100, 200, 3), bucket(250, 300, 1)], { 100: 0, 200: 3, 250: 3, 300: 4 }],
    [
      "open at both ends",
      [bucket(Number.NEGATIVE_INFINITY, 100, 2), bucket(700, Number.POSITIVE_INFINITY, 1)],
      { 100: 2, 700: 2 },
    ],
    ["that hold durations below zero", [bucket(-2, -1, 1), bucket(100, 250, 1)], null],
    ["with a zero bucket that is wider than nothing", [bucket(-5, 5, 1), bucket(8, 16, 1)], null],
    ["that are longer than any duration", [bucket(2 ** 70, 2 ** 71, 1)], null],
  ])("%s", (_name, buckets, upTo) => {
    const found = nativeCounts(buckets, 1);
    if (upTo === null) return expect(found).toBeNull();
    const total = buckets.reduce((sum, { count }) => sum + count, 0);
    const expected = [
      ...Object.entries(upTo).map(([le, count]) => [Number(le), count]),
      [Number.POSITIVE_INFINITY, total],
    ];
    expect(found).toEqual({ scheme: "explicit", buckets: new Map(expected as [number, number][]) });
  });

  it("with Istio's bounds have all of them, whichever are empty", () => {
    const found = nativeCounts([bucket(5, 10, 2), bucket(100, 250, 1)], 1);
    expect(found?.scheme === "explicit" && [...found.buckets.keys()]).toEqual([
      ...ISTIO_BOUNDS,
      Number.POSITIVE_INFINITY,
    ]);
  });
});

describe("a real Prometheus that scrapes native histograms", () => {
  /** Lognormal, median 40 ms, σ 0.8: of its true p95, 149 ms, Istio's bounds make 199. */
  const VALUES = Array.from({ length: 1_000 }, (_, i) => 40 * Math.exp(0.8 * probit((i + 0.5) / 1_000)));
  let folder = "";
  let mesh: Server;
  let prometheus: RunningProgram;
  let url = "";

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "native-"));
    mesh = createServer((_request, response) => {
      response.setHeader("content-type", PROTOBUF_CONTENT_TYPE);
      response.end(page());
    });
    await new Promise<void>((resolve) => mesh.listen(0, "127.0.0.1", resolve));
    const target = `http://127.0.0.1:${(mesh.address() as AddressInfo).port}/metrics`;
    const started = await startPrometheus(folder, target, "1s");
    prometheus = started.program;
    url = started.url;
    const enough = async (): Promise<boolean> => {
      const answer = await queryMesh(config(), 10 * SECOND, Date.now(), 1_000);
      return answer.ok && (answer.value.services.get("shop/native")?.requests ?? 0) > 4_000;
    };
    await eventually(enough, 30_000, "a few scrapes");
  });

  afterAll(async () => {
    await prometheus?.stop();
    mesh?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const config = () => ({ url, scrapeInterval: SECOND, reporter: "destination" as const });
  const source = (closed: WindowRecord[] = [], now: () => number = Date.now, from: number | null = null) =>
    createPrometheusSource({
      config: config(),
      intervalMs: 5 * SECOND,
      now,
      isConfirmed: () => true,
      sink: { closedUntil: () => from, close: (windows) => closed.push(...windows) > 0 && false },
    });

  /** A thousand requests a second, by the clock, so that every scrape sees its moment. */
  function page(): Buffer {
    const rounds = Math.floor((Date.now() % 3_600_000) / SECOND);
    const labels = (name: string) => ({
      reporter: "destination",
      destination_service_namespace: "shop",
      destination_service_name: name,
    });
    const native = (name: string, schema: number) => {
      const exact = exponentialLatency({ scale: schema, zeros: 0, buckets: new Map(bucketsOf(schema)), sum: 0 });
      const counts = exact.counts.map((count) => count * rounds);
      return { labels: labels(name), schema: exact.scale, zeros: 0, offset: exact.offset, counts };
    };
    const requests = ["native", "coarse"].map((name) => ({
      labels: { ...labels(name), response_code: "200" },
      value: 1_000 * rounds,
    }));
    return Buffer.concat([
      counterFamily("istio_requests_total", requests),
      histogramFamily("istio_request_duration_milliseconds", [native("native", 4), native("coarse", 1)]),
    ]);
  }

  function bucketsOf(schema: number): ReadonlyMap<number, number> {
    const buckets = new Map<number, number>();
    for (const value of VALUES) buckets.set(indexOf(schema, value), (buckets.get(indexOf(schema, value)) ?? 0) + 1);
    return buckets;
  }

  it("reads p95 within 2.17 % where Istio's bounds are a third off", async () => {
    const found = await source().collect();
    const right = trueQuantile(VALUES, 0.95);
    const [estimate = 0, lo = 0, hi] = found.get("shop/native")?.reading.p95 ?? [];
    console.log(`true p95 ${right.toFixed(1)} ms, read ${estimate} (${lo} to ${hi})`);
    expect(Math.abs(estimate - right)).toBeLessThan(0.0217 * right);
    expect(right > lo && right <= (hi ?? 0)).toBe(true);
    expect(found.get("shop/native")?.latency).toMatchObject({ scheme: "exponential", scale: 4 });
    expect(found.get("shop/coarse")?.latency).toMatchObject({ scheme: "exponential", scale: 1 });
  });

  it("closes minutes with them, which the wire takes and which add up", async () => {
    const closed: WindowRecord[] = [];
    const minute = minuteOf(Date.now());
    await source(closed, () => minute + MINUTE + 17 * SECOND, minute).closeDue();
    const [coarse, native] = closed.toSorted((a, b) => (a.service < b.service ? -1 : 1));
    expect(closed.every((window) => is(RecordSchema, window))).toBe(true);
    expect(native?.latency?.scheme).toBe("exponential");
    const both = native?.latency && coarse?.latency && mergeLatency(native.latency, coarse.latency);
    expect(both).toMatchObject({ scheme: "exponential", scale: 1 });
    const p95 = native?.latency && quantile(native.latency, 0.95);
    expect(p95?.estimate).toBeCloseTo(quantile(exponentialOf(VALUES), 0.95)?.estimate ?? 0, 0);
  });
});

/** The value below which the share `p` of a normal distribution lies. */
function probit(p: number): number {
  let [low, high] = [-8, 8];
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (normalBelow(middle) < p) low = middle;
    else high = middle;
  }
  return low;
}

/** By Simpson's rule. */
function normalBelow(x: number): number {
  const steps = 400;
  const width = (x + 8) / steps;
  const density = (at: number): number => Math.exp((-at * at) / 2) / Math.sqrt(2 * Math.PI);
  let sum = density(-8) + density(x);
  for (let i = 1; i < steps; i++) sum += density(-8 + i * width) * (i % 2 === 1 ? 4 : 2);
  return (sum * width) / 3;
}
