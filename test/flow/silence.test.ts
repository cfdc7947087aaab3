/** A service that is slow says so; one that nobody asks any more says that, and is never an outage. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Mesh } from "../../dev/mesh/mesh.ts";
import { startMesh } from "../../dev/mesh/mesh.ts";
import { eventually } from "../support/process.ts";
import { System, untilStatus } from "../support/system.ts";

const TOKEN = "the-token-of-this-mesh";

let system: System;
let mesh: Mesh;
const ids = new Map<string, string>();
let token: string;

interface Judged {
  readonly status: string;
  readonly reason: string;
  readonly why: string | null;
  readonly services: readonly { readonly quietSince: number | null }[];
}

beforeAll(async () => {
  [system, mesh] = await Promise.all([System.start(), startMesh({ kubernetesToken: TOKEN })]);
  const components = [
    { name: "Catalog", services: ["bare/shop/catalog"] },
    { name: "Cart, nobody counts its pods", services: ["bare/shop/cart"] },
    { name: "Cart", services: ["watched/shop/cart"] },
  ];
  const put = await system.cli<{ components: { name: string; id: string }[] }>("PUT", "/cli/v1/components", {
    components,
  });
  for (const { name, id } of put.components) ids.set(name, id);
  ({ token } = await system.cli<{ token: string }>("POST", "/cli/v1/tokens", { scope: "read" }));
  // One mesh under two names: one agent reads its metrics, the other its Kubernetes as well.
  const scrape = { interval: "5s", targets: [mesh.metricsUrl] };
  await system.startAgent("bare", { interval: "5s", sources: { scrape } });
  const tokenFile = join(system.directory, "kubernetes-token");
  writeFileSync(tokenFile, TOKEN);
  const kubernetes = { url: mesh.kubernetesUrl, tokenFile, namespaces: ["shop", "data"] };
  await system.startAgent("watched", { interval: "5s", sources: { scrape, kubernetes } });
  await eventually(async () => (await system.summary()).status.indicator === "none", 90_000, "all to be operational");
});

afterAll(async () => {
  await mesh?.stop();
  await system?.stop();
});

async function judged(name: string): Promise<Judged> {
  const headers = { authorization: `Bearer ${token}` };
  return (await (await fetch(`${system.url}/api/v1/components/${ids.get(name)}`, { headers })).json()) as Judged;
}

it("slow is degraded, with the number, the readings and the limit", async () => {
  mesh.faults.break("catalog", { mode: "slow", ratio: 1 });
  await untilStatus(system, "Catalog", "degraded_performance", 90_000);
  const { reason, why } = await judged("Catalog");
  expect(reason).toMatch(/^p95 above \d+ ms (over|in 2 of) the last [23] readings, limit 500 ms$/);
  expect(why).toBe("Answers are slower than they should be.");
  expect(await (await fetch(`${system.url}/`)).text()).toContain("Answers are slower than they should be.");
  mesh.faults.heal("catalog");
});

it("silence is said so: unknown without other evidence, well with ready replicas, and never an outage", async () => {
  mesh.faults.break("cart", { mode: "silent", ratio: 1 });
  const seen = new Set<string>();
  const bare = "Cart, nobody counts its pods";
  await eventually(
    async () => {
      const [one, other] = await Promise.all([judged(bare), judged("Cart")]);
      for (const { status } of [one, other]) seen.add(status);
      return one.reason.startsWith("no requests") && other.reason.endsWith("no requests");
    },
    120_000,
    "silence to be said",
  );
  const [one, other] = await Promise.all([judged(bare), judged("Cart")]);
  expect(one).toMatchObject({ status: "unknown", reason: "no requests, and no replicas are reported" });
  expect(other).toMatchObject({ status: "operational", reason: "3 of 3 replicas are ready; no requests" });
  expect(one.services[0]?.quietSince).toBeGreaterThan(Date.now() - 180_000);
  expect([...seen].toSorted()).toEqual(["operational", "unknown"]);
  expect(await (await fetch(`${system.url}/`)).text()).toContain("No requests reach it");
  mesh.faults.heal("cart");
  await untilStatus(system, bare, "operational", 90_000);
});
