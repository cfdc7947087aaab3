/** The world cannot reach a storefront whose mesh is healthy: visitors and operators are told which side failed. */
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Mesh } from "../../dev/mesh/mesh.ts";
import { startMesh } from "../../dev/mesh/mesh.ts";
import { eventually } from "../support/process.ts";
import { System, untilStatus } from "../support/system.ts";

const WAIT_MS = 90_000;

let system: System;
let mesh: Mesh;

beforeAll(async () => {
  mesh = await startMesh();
  system = await System.start();
  const components = [{ name: "Storefront", services: ["eu-1/shop/storefront"], url: mesh.doorUrl }];
  await system.cli("PUT", "/cli/v1/components", { components });
  const scrape = { interval: "5s", targets: [mesh.metricsUrl] };
  await system.startAgent("eu-1", { interval: "10s", sources: { scrape } });
});

afterAll(async () => {
  await mesh?.stop();
  await system?.stop();
});

/** What visitors read, without markup. */
async function page(): Promise<string> {
  const markup = await (await fetch(`${system.url}/`)).text();
  return markup.replaceAll(/<script.*?<\/script>|<style>.*?<\/style>|<[^>]*>/gs, " ").replaceAll(/\s+/g, " ");
}

/** What operators read of the component. */
async function adminPage(): Promise<string> {
  const { url } = await system.cli<{ url: string }>("POST", "/cli/v1/admin-links");
  const signedIn = await fetch(`${system.url}/admin/sign-in`, {
    method: "POST",
    redirect: "manual",
    headers: { origin: system.url },
    body: new URLSearchParams({ token: new URL(url).searchParams.get("token") ?? "" }),
  });
  const cookie = signedIn.headers.get("set-cookie")?.split(";")[0] ?? "";
  const summary = (await (await fetch(`${system.url}/api/v2/summary.json`)).json()) as { components: { id: string }[] };
  const path = `/admin/components/${summary.components[0]?.id}`;
  return (await fetch(`${system.url}${path}`, { headers: { cookie } })).text();
}

it("the outside fails while the mesh is healthy: said so, until three good answers take it back", async () => {
  await untilStatus(system, "Storefront", "operational", WAIT_MS);
  await system.cron();
  await untilStatus(system, "Storefront", "operational", WAIT_MS);

  expect(mesh.faults.break("door", { mode: "failing", ratio: 1 })).toBe(true);
  await system.cron();
  await system.cron();
  await untilStatus(system, "Storefront", "partial_outage", WAIT_MS);
  await eventually(
    async () => (await page()).includes("It is well inside, but it cannot be reached from outside."),
    WAIT_MS,
    "the page to say which side failed",
  );
  const admin = await adminPage();
  expect(admin).toContain("the mesh is healthy, the outside world cannot reach it");
  expect(admin).toMatch(/502 in \d+ ms, in 2 of the last 3 probes/);
  // The mesh's own verdict is what it was: its visitors are inside already.
  expect(admin).toContain("within all limits");

  mesh.faults.heal("door");
  for (let round = 0; round < 3; round++) await system.cron();
  await untilStatus(system, "Storefront", "operational", WAIT_MS);
});

it("an answer that the world waits too long for is said, too", async () => {
  mesh.faults.break("door", { mode: "slow", ratio: 1 });
  await system.cron();
  await system.cron();
  await untilStatus(system, "Storefront", "degraded_performance", WAIT_MS);
  await eventually(
    async () => (await page()).includes("It is well inside, but it answers slowly from outside."),
    WAIT_MS,
    "the page to say that the outside waits",
  );
});
