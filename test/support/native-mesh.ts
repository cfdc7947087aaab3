/** A mesh whose proxies expose native histograms: every second each service answers its values once more. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { exponentialLatency, indexOf } from "../../protocol/exponential.ts";
import { SECOND } from "../../protocol/time.ts";
import { counterFamily, histogramFamily, PROTOBUF_CONTENT_TYPE } from "./protobuf.ts";

interface NativeMesh {
  readonly metricsUrl: string;
  stop(): void;
}

/** @param services of namespace `shop`, by name: the schema of their histograms, -4 to 4, and their values in ms */
export async function startNativeMesh(
  services: Readonly<Record<string, { readonly schema: number; readonly values: readonly number[] }>>,
): Promise<NativeMesh> {
  const all = Object.entries(services).map(([name, { schema, values }]) => {
    const buckets = new Map<number, number>();
    for (const value of values) buckets.set(indexOf(schema, value), (buckets.get(indexOf(schema, value)) ?? 0) + 1);
    const { scale, offset, counts } = exponentialLatency({ scale: schema, zeros: 0, buckets, sum: 0 });
    const labels = {
      reporter: "destination",
      destination_service_namespace: "shop",
      destination_service_name: name,
    };
    return { labels, schema: scale, offset, counts, requests: values.length };
  });
  const page = (): Buffer => {
    // By the clock, so that every scrape sees its moment.
    const rounds = Math.floor((Date.now() % 3_600_000) / SECOND);
    const requests = all.map((one) => ({
      labels: { ...one.labels, response_code: "200" },
      value: one.requests * rounds,
    }));
    const durations = all.map((one) => ({ ...one, zeros: 0, counts: one.counts.map((count) => count * rounds) }));
    return Buffer.concat([
      counterFamily("istio_requests_total", requests),
      histogramFamily("istio_request_duration_milliseconds", durations),
    ]);
  };
  const server = createServer((_request, response) => {
    response.setHeader("content-type", PROTOBUF_CONTENT_TYPE);
    response.end(page());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { metricsUrl: `http://127.0.0.1:${port}/metrics`, stop: () => server.close() };
}

/** The lognormal distribution of `reference/mesh-metrics.md` 3, as its quantiles: of its p95, 149 ms, Istio's bounds make 199. */
export const LOGNORMAL: readonly number[] = Array.from(
  { length: 1_000 },
  (_, i) => 40 * Math.exp(0.8 * probit((i + 0.5) / 1_000)),
);

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
