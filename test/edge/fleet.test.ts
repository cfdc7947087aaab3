/**
 * A cluster joins, in a browser and with the real agent, while Postgres is away: the form's own agent.yaml, the
 * fingerprint that the agent prints, a key that is replaced while it works, and one that is taken away.
 */
import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { AxeResults, RunOptions } from "axe-core";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startBrowser } from "../support/browser.ts";
import { Edge } from "../support/miniflare.ts";
import { eventually } from "../support/process.ts";

const WITHIN_MS = 60_000;
const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const MAIN = resolve(import.meta.dirname, "../../agent/main.ts");

let edge: Edge;
let browser: Browser;
let page: Page;
let folder = "";
let agent: ChildProcess | null = null;
/** What the agent has logged. */
let said = "";
const errors: string[] = [];

const base = (): string => edge.url.replace("127.0.0.1", "localhost");
const go = (path: string) => page.goto(base() + path);
const shown = async (path: string): Promise<string> => {
  await go(path);
  return page.locator("main").innerText();
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "fleet-"));
  // Nobody answers there: all of this works while Postgres is away.
  [edge, browser] = await Promise.all([
    Edge.start({ databaseEndpoint: "http://127.0.0.1:9", flushMs: 60_000 }),
    startBrowser(),
  ]);
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  page = await context.newPage();
  page.on("pageerror", ({ message }) => errors.push(message));
  page.on("console", (message) => {
    // A refusal is an answer of these tests, and the browser writes each down.
    if (message.type() === "error" && !/status of 400|WebSocket/.test(message.text())) errors.push(message.text());
  });
  const { url } = await edge.cli<{ url: string }>("POST", "/cli/v1/admin-links");
  await go(`/admin/sign-in${new URL(url).search}`);
  await page.getByRole("button", { name: "Sign in" }).first().click();
  await page.waitForURL(/\/admin(\/account)?$/, { timeout: WITHIN_MS });
});

afterAll(async () => {
  agent?.kill("SIGKILL");
  await browser?.close();
  await edge?.remove();
  rmSync(folder, { recursive: true, force: true });
});

const run = (...args: string[]): ChildProcess => {
  const child = spawn(process.execPath, [MAIN, "--config", join(folder, "agent.yaml"), ...args]);
  child.stdout.on("data", (chunk) => (said += String(chunk)));
  child.stderr.on("data", (chunk) => (said += String(chunk)));
  return child;
};

async function restart(): Promise<void> {
  const before = agent;
  const gone = new Promise((done) => before?.once("exit", done));
  before?.kill("SIGKILL");
  if (before !== null) await gone;
  agent = run();
}

it("a cluster joins by its form, and speaks once somebody has said what its agent prints", async () => {
  await go("/admin/clusters");
  await page.getByRole("link", { name: "Let a cluster join" }).click();
  await page.getByLabel("Name", { exact: true }).fill("eu-1");
  await page.getByLabel("Its Prometheus (optional)").fill("http://127.0.0.1:9");
  await page.getByRole("button", { name: "Make its configuration" }).click();
  const yaml = await page.locator("#agent-yaml").innerText();
  // The agent's own ways, sooner: it pushes every second.
  const quick = yaml
    .replace("interval: 10s", "interval: 1s")
    .replace("./agent-data", join(folder, "data"))
    .replace(base(), edge.url)
    .replace("edge: http://localhost", "edge: http://127.0.0.1");
  writeFileSync(join(folder, "agent.yaml"), quick);
  await restart();
  const fingerprint = (): string => /"fingerprint":"([0-9a-f:]{79})"/.exec(said)?.[1] ?? "";
  await eventually(() => said.includes("an operator has to compare the fingerprint"), WITHIN_MS, "the agent to enrol");
  await page.getByRole("link", { name: "Go to its keys" }).click();
  expect(await page.locator("main").innerText()).toContain(fingerprint());
  await page.getByLabel("What the agent prints").fill(fingerprint().replaceAll(/[0-7]/g, "8"));
  await page.getByRole("button", { name: "Let it in" }).click();
  expect(await page.locator("main").innerText()).toContain("This is not the key that asks.");
  await page.getByLabel("What the agent prints").fill(fingerprint());
  await page.keyboard.press("Enter");
  // Not before the form has arrived: another address asked for meanwhile would take it back.
  await page.waitForURL(/\/keys$/, { timeout: WITHIN_MS });
  expect(await page.locator("main").innerText()).toMatch(/State\s+Since\s+Change[^]*in use/);
  // Refused, it would ask again in a minute.
  await restart();
  await eventually(async () => (await shown("/admin/clusters")).includes("reporting"), WITHIN_MS, "its pushes");
  expect(await shown("/admin/clusters/eu-1")).toMatch(/prometheus down/);
  said = "";
  const check = run("--check");
  await new Promise((done) => check.once("exit", done));
  expect(said).toMatch(/identity "eu-1": enrolled, fingerprint [0-9a-f:]{79}/);
});

it("its key is replaced while it works, and one that is taken away is refused with the next push", async () => {
  await eventually(
    async () => (await shown("/admin/clusters/eu-1")).includes("replaces its key"),
    WITHIN_MS,
    "an agent that says what it knows",
  );
  await go("/admin/clusters/eu-1/keys");
  await page.getByText("Replace", { exact: true }).click();
  await page.getByRole("button", { name: "Replace this key" }).click();
  await eventually(
    async () => /in place of[^]*replaced, and works until/.test(await shown("/admin/clusters/eu-1/keys")),
    WITHIN_MS,
    "another key in use",
  );
  expect(said).toContain("the key was replaced");
  await restart();
  await eventually(
    async () => (await shown("/admin/clusters")).includes("reporting"),
    WITHIN_MS,
    "the new key's pushes",
  );
  for (const _ of ["the new one", "the one before it"]) {
    await go("/admin/clusters/eu-1/keys");
    await page.getByText("Revoke", { exact: true }).first().click();
    await page.getByRole("button", { name: "Revoke this key of eu-1" }).first().click();
    await page.waitForURL(/\/keys$/);
  }
  expect(await shown("/admin/clusters")).toContain("revoked");
  await eventually(() => said.includes("401"), WITHIN_MS, "the agent to be refused");
});

it("nothing that axe finds is wrong with these pages, and a phone is wide enough for them", async () => {
  const storageState = await page.context().storageState();
  const viewport = { width: 360, height: 800 };
  const context = await browser.newContext({ bypassCSP: true, storageState, viewport, colorScheme: "dark" });
  const looked = await context.newPage();
  for (const path of ["/admin/clusters/eu-1/keys", "/admin/clusters/new", "/admin/events", "/admin/alerts"]) {
    await looked.goto(base() + path);
    await looked.addScriptTag({ path: AXE });
    const found = await looked.evaluate(async () => {
      const { axe } = window as unknown as { axe: { run(of: Document, options: RunOptions): Promise<AxeResults> } };
      const { violations } = await axe.run(document, {});
      return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
    });
    const overflow = await looked.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect([path, found, overflow]).toEqual([path, [], 0]);
  }
  await context.close();
  expect(errors).toEqual([]);
});
