/**
 * The ledger breaks in a real mesh of services that need each other: the page says which component is the cause and
 * which ones only suffer, by names that visitors know, and operators read the evidence.
 */
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Mesh } from "../../dev/mesh/mesh.ts";
import { startMesh } from "../../dev/mesh/mesh.ts";
import { eventually } from "../support/process.ts";
import { System, untilStatus } from "../support/system.ts";

/** Two looks of the agent, 12 s each, and the tells that carry them, 30 s each: what a busy machine may take. */
const SAID_WITHIN_MS = 150_000;
const SERVICES = ["shop/checkout", "shop/payments", "shop/orders", "data/ledger"] as const;

let system: System;
let mesh: Mesh;

beforeAll(async () => {
  mesh = await startMesh();
  system = await System.start();
  const components = SERVICES.map((service) => ({
    name: service.replace(/^\w+\//, "the "),
    services: [`eu-1/${service}`],
  }));
  await system.cli("PUT", "/cli/v1/components", { components });
  const sources = { scrape: { interval: "1s", targets: [mesh.metricsUrl] } };
  await system.startAgent("eu-1", { interval: "2s", sources });
});

afterAll(async () => {
  await mesh?.stop();
  await system?.stop();
});

interface Graph {
  readonly nodes: readonly { readonly name: string; readonly role: string | null }[];
  readonly edges: readonly { readonly from: string; readonly to: string }[];
  readonly findings: readonly {
    readonly causes: readonly string[];
    readonly symptoms: readonly string[];
    readonly evidence: string;
  }[];
}

async function graph(token: string): Promise<Graph | undefined> {
  const answer = await fetch(`${system.url}/api/v1/topology?cluster=eu-1`, {
    headers: { authorization: `Bearer ${token}` },
  });
  return ((await answer.json()) as { graphs: Graph[] }).graphs[0];
}

/** What the page reads, tags aside. */
async function page(): Promise<string> {
  const text = await (await fetch(system.url)).text();
  return text.replace(/<script.*?<\/script>/gs, "").replaceAll(/<[^>]*>/g, "\n");
}

it("a broken ledger is the cause, and those that need it are its symptoms", async () => {
  for (const service of SERVICES)
    await untilStatus(system, service.replace(/^\w+\//, "the "), "operational", SAID_WITHIN_MS);
  const { token } = await system.cli<{ token: string }>("POST", "/cli/v1/tokens", { scope: "read" });
  const edges = [
    { from: "shop/checkout", to: "shop/payments" },
    { from: "shop/payments", to: "data/ledger" },
    { from: "istio-system/istio-ingressgateway", to: "shop/storefront" },
  ];
  await eventually(async () => (await graph(token))?.edges.length === 9, SAID_WITHIN_MS, "the whole graph");
  for (const edge of edges) expect((await graph(token))?.edges).toContainEqual(expect.objectContaining(edge));
  expect((await graph(token))?.findings).toEqual([]);
  expect(await page()).not.toContain("Likely");

  mesh.faults.break("ledger", { mode: "failing", ratio: 0.8 });
  const since = Date.now();
  await eventually(
    async () => {
      const text = await page();
      return /because of the ledger\./.exec(text) !== null && text.includes("trouble in the payments and the orders.");
    },
    SAID_WITHIN_MS,
    "the page to name the cause",
  );
  console.log(`the cause was said ${Math.round((Date.now() - since) / 1_000)} s after it broke`);
  expect((await page()).match(/Likely because of the ledger\./g)).toHaveLength(2);
  // The names that only operators know stay where they are.
  expect(await page()).not.toMatch(/data\/ledger|shop\/|eu-1/);
  const [finding, ...others] = (await graph(token))?.findings ?? [];
  expect(others).toEqual([]);
  expect(finding).toMatchObject({ causes: ["data/ledger"], symptoms: ["shop/orders", "shop/payments"] });
  expect(finding?.evidence).toMatch(
    /shop\/orders and shop\/payments call it, and failing calls .* \d+ % of what fails/,
  );

  mesh.faults.heal(null);
  await eventually(async () => !(await page()).includes("Likely"), SAID_WITHIN_MS, "the page to be well again");
});
