import { connect } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startMesh, type Mesh } from "../../dev/mesh/mesh.ts";
import { DAY } from "../../protocol/time.ts";

/** Requests of a test's own, without the demo's visitors: then every number is known. */
async function visit(mesh: Mesh, service: string, times: number): Promise<number[]> {
  const port = mesh.addresses.get(service)?.port ?? 0;
  const answers = Array.from({ length: times }, async () => {
    const response = await fetch(`http://127.0.0.1:${port}/`);
    await response.arrayBuffer();
    return response.status;
  });
  return Promise.all(answers);
}

async function control(mesh: Mesh, path: string, body: unknown): Promise<number> {
  const response = await fetch(`${mesh.controlUrl}/control/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return response.status;
}

/** The values of all samples of a metric whose labels hold `parts`, as the mesh exposes them. */
async function sum(mesh: Mesh, metric: string, ...parts: string[]): Promise<number> {
  const text = await (await fetch(mesh.metricsUrl)).text();
  const lines = text
    .split("\n")
    .filter((line) => line.startsWith(`${metric}{`) && parts.every((part) => line.includes(part)));
  return lines.reduce((total, line) => total + Number(line.slice(line.lastIndexOf(" "))), 0);
}

describe("the demo mesh", () => {
  let mesh: Mesh;
  beforeAll(async () => {
    mesh = await startMesh({ visitsPerSecond: 0 });
  });
  afterAll(() => mesh.stop());

  it("counts each request once at its destination, in the counter and in the histogram alike", async () => {
    await visit(mesh, "catalog", 20);
    const at = ['reporter="destination"', 'destination_service_name="catalog"', 'destination_service_namespace="shop"'];
    expect(await sum(mesh, "istio_requests_total", ...at)).toBe(20);
    expect(await sum(mesh, "istio_request_duration_milliseconds_count", ...at)).toBe(20);
    expect(await sum(mesh, "istio_request_duration_milliseconds_bucket", ...at, 'le="+Inf"')).toBe(20);
  });

  it("shows every call from both of its ends", async () => {
    await visit(mesh, "orders", 10);
    const edge = ['source_workload="orders"', 'destination_service_name="ledger"'];
    // A caller that lost its patience has answered before its call ends.
    await expect.poll(() => sum(mesh, "istio_requests_total", ...edge, 'reporter="source"')).toBe(10);
    expect(await sum(mesh, "istio_requests_total", ...edge, 'reporter="destination"')).toBe(10);
  });

  it("fails three of ten answers of a broken service, which its callers do without, until it is healed", async () => {
    expect(await control(mesh, "break", { service: "payments" })).toBe(200);
    const callers = await visit(mesh, "checkout", 40);
    expect(callers.filter((status) => status !== 200)).toEqual([]);
    const at = ['reporter="source"', 'source_workload="checkout"', 'destination_service_name="payments"'];
    await expect.poll(() => sum(mesh, "istio_requests_total", ...at)).toBe(40);
    // As the broken one counts: what its caller did not wait for is a failure of the caller's too.
    const broken = ['reporter="destination"', ...at.slice(1), 'response_code="503"'];
    expect(await sum(mesh, "istio_requests_total", ...broken)).toBe(12);

    expect(await control(mesh, "heal", { service: "payments" })).toBe(200);
    expect((await visit(mesh, "payments", 10)).every((status) => status === 200)).toBe(true);
  });

  it("fails with the ledger whoever needs it, and nobody behind them", async () => {
    await control(mesh, "break", { service: "ledger", ratio: 1 });
    expect(new Set(await visit(mesh, "orders", 5))).toEqual(new Set([503]));
    expect(new Set(await visit(mesh, "payments", 5))).toEqual(new Set([503]));
    expect(new Set(await visit(mesh, "checkout", 5))).toEqual(new Set([200]));
    await control(mesh, "heal", {});
    expect(new Set(await visit(mesh, "orders", 5))).toEqual(new Set([200]));
  });

  it("takes longer than the runbook's alert when it is slow", async () => {
    await control(mesh, "break", { service: "cart", mode: "slow", ratio: 1 });
    const startedAt = performance.now();
    await visit(mesh, "cart", 3);
    expect(performance.now() - startedAt).toBeGreaterThan(500);
    await control(mesh, "heal", {});
  });

  it("asks a silent service nothing, and misses nothing", async () => {
    await control(mesh, "break", { service: "cart", mode: "silent" });
    const own = () => sum(mesh, "istio_requests_total", 'reporter="destination"', 'destination_service_name="cart"');
    const before = await own();
    expect(new Set(await visit(mesh, "checkout", 5))).toEqual(new Set([200]));
    expect(await own()).toBe(before);
    await control(mesh, "heal", { service: "cart" });
    await visit(mesh, "checkout", 5);
    expect(await own()).toBe(before + 5);
  });

  it("refuses what it does not know", async () => {
    expect(await control(mesh, "break", { service: "nobody" })).toBe(404);
    expect(await control(mesh, "break", { service: "cart", ratio: 2 })).toBe(400);
  });

  it("answers 503 for a service without a pod, and nobody counts that as the service's own answer", async () => {
    const own = () => sum(mesh, "istio_requests_total", 'reporter="destination"', 'destination_service_name="cart"');
    mesh.kubernetes.scale("shop", "cart", 0);
    await expect.poll(async () => visit(mesh, "cart", 1)).toEqual([503]);
    const before = await own();
    expect(await visit(mesh, "cart", 3)).toEqual([503, 503, 503]);
    expect(await own()).toBe(before);
    mesh.kubernetes.scale("shop", "cart", 3);
    await expect.poll(async () => visit(mesh, "cart", 1)).toEqual([200]);
  });

  it("puts the ledger behind a certificate of the mesh that ends in five days", async () => {
    const ledger = mesh.addresses.get("ledger");
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const socket = connect({
      host: "127.0.0.1",
      port: ledger?.port ?? 0,
      servername: "ledger.data",
      ca: ledger?.authority ?? "",
    });
    socket.once("secureConnect", () => resolve(socket.getPeerCertificate().valid_to));
    socket.once("error", reject);
    const days = (Date.parse(await promise) - Date.now()) / DAY;
    socket.destroy();
    expect(days).toBeGreaterThan(4.9);
    expect(days).toBeLessThanOrEqual(5);
  });
});
