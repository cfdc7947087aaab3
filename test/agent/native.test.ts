/** Native histograms: as Prometheus writes them in its answers, and read from a real one. */
import { mkdtempSync, rmSync } from "node:fs";
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
import { LOGNORMAL, startNativeMesh } from "../support/native-mesh.ts";
import { eventually, type RunningProgram } from "../support/process.ts";
import { startPrometheus } from "../support/prometheus.ts";

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
        // That one bucket alone is Istio's, below.
        fc.pre(schema !== 0 || none > 0 || [...buckets.keys()].some((index) => index !== -1));
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

it("a minute in which all took half a millisecond to one is of Istio's bounds, as the busier ones beside it", () => {
  const bucket = { left: 0.5, right: 1, count: 3 };
  expect(nativeCounts([bucket], 2)?.scheme).toBe("explicit");
  // Nobody chose bounds that have a zero bucket.
  expect(nativeCounts([{ left: -(2 ** -128), right: 2 ** -128, count: 1 }, bucket], 2)?.scheme).toBe("exponential");
});

describe("a real Prometheus that scrapes native histograms", () => {
  let folder = "";
  let mesh: Awaited<ReturnType<typeof startNativeMesh>>;
  let prometheus: RunningProgram;
  let url = "";

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "native-"));
    mesh = await startNativeMesh({
      native: { schema: 4, values: LOGNORMAL },
      coarse: { schema: 1, values: LOGNORMAL },
    });
    const started = await startPrometheus(folder, mesh.metricsUrl, "1s");
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
    mesh?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const config = () => ({ url, scrapeInterval: SECOND, reporter: "destination" as const });
  const source = (closed: WindowRecord[] = [], now: () => number = Date.now, from: number | null = null) => {
    let until = from;
    const close = (windows: readonly WindowRecord[], end: number): boolean => {
      closed.push(...windows);
      until = end;
      return true;
    };
    const sink = { closedUntil: () => until, close };
    return createPrometheusSource({ config: config(), intervalMs: 5 * SECOND, now, isConfirmed: () => true, sink });
  };

  it("reads p95 within 2.17 % where Istio's bounds are a third off", async () => {
    const found = await source().collect();
    const right = trueQuantile(LOGNORMAL, 0.95);
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
    // The minute that runs may have just begun, and the one before may have been nearly over when Prometheus started.
    await source(closed, () => minute + MINUTE + 17 * SECOND, minute - MINUTE).closeDue();
    const [native, coarse] = ["shop/native", "shop/coarse"].map((name) =>
      closed.find(({ service }) => service === name),
    );
    expect(closed.every((window) => is(RecordSchema, window))).toBe(true);
    expect(native?.latency?.scheme).toBe("exponential");
    const both = native?.latency && coarse?.latency && mergeLatency(native.latency, coarse.latency);
    expect(both).toMatchObject({ scheme: "exponential", scale: 1 });
    const p95 = native?.latency && quantile(native.latency, 0.95);
    expect(p95?.estimate).toBeCloseTo(quantile(exponentialOf(LOGNORMAL), 0.95)?.estimate ?? 0, 0);
  });
});
