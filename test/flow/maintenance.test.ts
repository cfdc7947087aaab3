/** An operator in a real browser puts a deployment into maintenance and takes it out again; the cluster's API shows it. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import type { Mesh } from "../../dev/mesh/mesh.ts";
import { KUBERNETES_TOKEN_DEFAULT, startMesh } from "../../dev/mesh/mesh.ts";
import { startBrowser } from "../support/browser.ts";
import { eventually } from "../support/process.ts";
import { System, untilStatus } from "../support/system.ts";

const SECOND = 1_000;

let system: System;
let mesh: Mesh;
let browser: Browser;
let context: BrowserContext;
let admin: Page;
let visitor: Page;
const errors: string[] = [];

/** What `kubectl get deployment -o yaml` would say of maintenance. */
function deployment(name: string): {
  readonly replicas: unknown;
  readonly annotations: Readonly<Record<string, unknown>>;
} {
  const object = mesh.kubernetes.deployment("shop", name) as {
    readonly spec?: { readonly replicas?: unknown };
    readonly metadata: { readonly annotations?: Readonly<Record<string, unknown>> };
  };
  return { replicas: object.spec?.replicas, annotations: object.metadata.annotations ?? {} };
}

async function newPage(path: string): Promise<Page> {
  const page = await context.newPage();
  page.on("console", (message) => {
    if (message.type() === "error") errors.push(`${path}: ${message.text()}`);
  });
  page.on("pageerror", (error) => errors.push(`${path}: ${error.message}`));
  await page.goto(`${system.url}${path}`);
  return page;
}

async function textOf(page: Page): Promise<string> {
  return page.locator("main").innerText();
}

/** Fills the form and sends it; answers the address of the maintenance. */
async function startMaintenance(
  service: string,
  mode: "announce" | "scale",
  replicas: string,
  hours: string,
): Promise<string> {
  await admin.goto(`${system.url}/admin/maintenance/new`);
  await admin.locator("#target").selectOption(`demo/${service}`);
  await admin.locator(`input[name=mode][value=${mode}]`).check();
  if (mode === "scale") await admin.locator("#replicas").fill(replicas);
  await admin.locator("#name").fill("Database upgrade");
  await admin.locator("#reason").fill("new disks");
  await admin.locator("#hours").fill(hours);
  await admin.getByRole("button", { name: "Start maintenance" }).click();
  await admin.waitForURL(/\/admin\/maintenance\/[0-9a-z]{12}$/);
  return admin.url();
}

async function endMaintenance(): Promise<void> {
  await admin.locator("form[action$='/end'] button").first().click();
}

beforeAll(async () => {
  [system, mesh, browser] = await Promise.all([System.start(), startMesh(), startBrowser()]);
  mkdirSync(join(system.directory, "demo"), { recursive: true });
  writeFileSync(join(system.directory, "demo", "token"), KUBERNETES_TOKEN_DEFAULT);
  const modes = ["announce", "scale"];
  await system.startAgent("demo", {
    interval: "5s",
    sources: {
      scrape: { interval: "5s", targets: [mesh.metricsUrl] },
      kubernetes: { url: mesh.kubernetesUrl, tokenFile: "./token", namespaces: ["shop", "data"] },
    },
    leases: {
      budget: { perTargetPerHour: 60, maxShareOfTargets: 1 },
      targets: ["shop/checkout", "shop/cart"].map((ref) => ({
        ref,
        modes,
        floor: 1,
        maxHours: 4,
        onExpiry: "restore",
      })),
    },
  });
  context = await browser.newContext();
});

afterAll(async () => {
  await browser?.close();
  await system?.stop();
  await mesh?.stop();
});

it("signs in by a link that works once", async () => {
  const { url } = await system.cli<{ url: string }>("POST", "/cli/v1/admin-links");
  admin = await newPage(new URL(url).pathname + new URL(url).search);
  await admin.getByRole("button", { name: "Sign in" }).click();
  await admin.waitForURL(`${system.url}/admin`);
  await admin.goto(`${system.url}/admin/clusters`);
  expect(await textOf(admin)).toContain("demo");
  const again = await fetch(`${system.url}/admin/sign-in`, {
    method: "POST",
    headers: { origin: system.url, "content-type": "application/x-www-form-urlencoded" },
    body: new URL(url).search.slice(1),
    redirect: "manual",
  });
  expect(again.status).toBe(401);
});

it("publishes a service as a component, and the public page has it", async () => {
  await admin.goto(`${system.url}/admin/services?q=checkout`);
  const form = admin
    .locator("form.publish")
    .filter({ has: admin.locator("input[name=service][value='demo/shop/checkout']") });
  await form.locator("input[name=name]").fill("Checkout");
  await form.locator("input[name=group]").fill("Shop");
  await form.getByRole("button", { name: "Publish" }).click();
  await eventually(
    async () => (await system.statusOf("Checkout")) === "operational",
    30 * SECOND,
    "Checkout on the page",
  );
  visitor = await newPage("/");
  expect(await textOf(visitor)).toContain("Checkout");
});

it("scales a deployment down for a maintenance and back to exactly what it was, without a reload anywhere", async () => {
  expect(deployment("checkout")).toEqual({ replicas: 3, annotations: {} });
  await startMaintenance("shop/checkout", "scale", "1", "1");
  const since = Date.now();
  await eventually(() => deployment("checkout").replicas === 1, 45 * SECOND, "Kubernetes to have 1 replica");
  expect(deployment("checkout").annotations).toMatchObject({
    maintenance: "true",
    "observatory.edge/prior-replicas": "3",
  });
  await eventually(async () => /\bapplied\b/i.test(await textOf(admin)), 45 * SECOND, "the admin page to say applied");
  await eventually(
    async () => (await textOf(visitor)).includes("nder maintenance"),
    45 * SECOND,
    "the public page to say it",
  );
  console.log(`applied and shown ${Date.now() - since} ms after the click`);
  await untilStatus(system, "Checkout", "under_maintenance", 10 * SECOND);
  await endMaintenance();
  await eventually(() => deployment("checkout").replicas === 3, 45 * SECOND, "Kubernetes to have 3 replicas again");
  expect(deployment("checkout").annotations).not.toHaveProperty("maintenance");
  expect(deployment("checkout").annotations).not.toHaveProperty(["observatory.edge/prior-replicas"]);
  await eventually(
    async () => /restored|released/i.test(await textOf(admin)),
    45 * SECOND,
    "the admin page to say restored",
  );
  await eventually(
    async () => (await textOf(visitor)).includes("All systems operational"),
    45 * SECOND,
    "the public page to be well again",
  );
});

it("a target that the agent's configuration does not allow is refused, shown as refused, and untouched", async () => {
  await startMaintenance("shop/payments", "announce", "", "1");
  await eventually(async () => /refused/i.test(await textOf(admin)), 45 * SECOND, "the admin page to say refused");
  expect(await textOf(admin)).toContain("leases.targets");
  expect(deployment("payments")).toEqual({ replicas: 3, annotations: {} });
});

it("a fault in the form keeps what was typed and says how to mend it", async () => {
  const answer = await context.request.post(`${system.url}/admin/maintenance`, {
    headers: { origin: system.url, "sec-fetch-site": "same-origin" },
    form: { target: "demo/shop/cart", mode: "scale", replicas: "", name: "Kept & safe", reason: "why", hours: "99" },
  });
  expect(answer.status()).toBe(400);
  const html = await answer.text();
  expect(html).toContain("Kept &#38; safe");
  expect(html).toContain("at most 24 hours");
});

/** A page of the same operator in which nothing runs: all of it is links and forms. */
async function withoutScript(path: string): Promise<Page> {
  const plain = await browser.newContext({ javaScriptEnabled: false, storageState: await context.storageState() });
  onTestFinished(() => plain.close());
  const page = await plain.newPage();
  await page.goto(`${system.url}${path}`);
  return page;
}

it("the runbook's weekly maintenance is planned in two clicks, and ended in two, without a script", async () => {
  const page = await withoutScript("/admin/maintenance");
  await page.getByRole("link", { name: "database, every Sunday 03:00 UTC" }).click();
  await page.getByRole("button", { name: "Plan maintenance" }).click();
  expect(new URL(page.url()).pathname).toBe("/admin/maintenance");
  expect(await page.getByRole("link", { name: "Database maintenance" }).count()).toBe(6);
  expect(await textOf(page)).toMatch(/Sun \d+ \w+ 03:00 UTC/);
  await page.locator("a[href^='/admin/maintenance/series/']").click();
  await page.getByRole("button", { name: "End the series" }).click();
  expect(await textOf(page)).toContain("called off");
  expect(await page.locator("table", { hasText: "scheduled" }).count()).toBe(0);
});

it("a plan is refused, called an emergency, begun, ticked, verified and completed, without a script", async () => {
  const page = await withoutScript("/admin/maintenance/plan");
  await page.locator("#name").fill("Disk <replacement>");
  await page.locator("#start").fill(new Date().toISOString().slice(0, 16));
  await page.locator("select[name=zone]").selectOption("Etc/UTC");
  await page.locator("#hours").fill("0.5");
  await page.locator("summary").click();
  await page.locator("select[name='target:demo/shop/cart']").selectOption("announce");
  await page.locator("#reason").fill("new disks");
  await page.getByRole("button", { name: "Plan maintenance" }).click();
  expect(await page.locator("#fault-emergency").innerText()).toContain("less than 7 days");
  expect(await page.locator("#name").inputValue()).toBe("Disk <replacement>");
  await page.locator("input[name=emergency]").check();
  await page.getByRole("button", { name: "Plan maintenance" }).click();
  const path = new URL(page.url()).pathname;
  expect(path).toMatch(/^\/admin\/maintenance\/[0-9a-z]{12}$/);
  const says = (text: string): Promise<number> =>
    eventually(
      async () => {
        await page.reload();
        return (await textOf(page)).includes(text);
      },
      45 * SECOND,
      `the page to say "${text}"`,
    );
  await says("1 of 1 cluster confirmed");
  expect(deployment("cart").annotations).toMatchObject({ maintenance: "true" });
  await page.getByRole("button", { name: "Full backup taken" }).press("Enter");
  expect(await page.getByRole("button", { name: "Full backup taken" }).getAttribute("aria-pressed")).toBe("true");
  await page.getByRole("button", { name: "Work is done, verify" }).click();
  await says("Overview");
  await eventually(
    () => !("maintenance" in deployment("cart").annotations),
    45 * SECOND,
    "the cluster to be as it was",
  );
  await page.getByRole("button", { name: "Complete anyway" }).click();
  await says("completed");
  const open = await (await fetch(`${system.url}${path.replace("/admin", "")}`)).text();
  expect(open).toContain("Emergency maintenance");
  expect(open).toContain("Confirmed by 1 of 1 clusters");
  expect(open).not.toContain("shop/cart");
});

it("restores by itself at the lease's expiry while the edge is gone", async () => {
  // 36 s: shorter than the form would take, and the rule is the same.
  const form = { target: "demo/shop/cart", mode: "scale", replicas: "1", name: "Short", reason: "why", hours: "0.01" };
  const headers = { origin: system.url, "sec-fetch-site": "same-origin" };
  const since = Date.now();
  expect((await context.request.post(`${system.url}/admin/maintenance`, { headers, form })).status()).toBe(200);
  await eventually(() => deployment("cart").replicas === 1, 45 * SECOND, "Kubernetes to have 1 replica");
  await system.edge.kill9();
  const took = await eventually(() => deployment("cart").replicas === 3, 66 * SECOND, "the agent to restore alone");
  expect(deployment("cart").annotations).not.toHaveProperty("maintenance");
  console.log(`restored ${took} ms after the edge died, ${Date.now() - since - 36 * SECOND} ms after the lease's end`);
  expect(Date.now() - since).toBeGreaterThan(35 * SECOND);
});

it("no page printed an error", () =>
  expect(errors.filter((text) => !text.includes("WebSocket") && !text.includes("ERR_CONNECTION"))).toEqual([]));
