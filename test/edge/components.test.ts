/** Components, services that wait and the page, in a real browser before a real edge with an agent; and the page as code. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, BrowserContext, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { RunningDatabase } from "../../dev/database/database.ts";
import { startDatabase } from "../../dev/database/database.ts";
import { startBrowser } from "../support/browser.ts";
import { runCommand } from "../support/command.ts";
import { Edge } from "../support/miniflare.ts";
import { EdgeAgent } from "./agent.ts";

const WITHIN_MS = 30_000;

let database: RunningDatabase;
let edge: Edge;
let agent: EdgeAgent;
let browser: Browser;
let context: BrowserContext;
let page: Page;
const folder = mkdtempSync(join(tmpdir(), "observatory-config-"));
const errors: string[] = [];

const base = (): string => edge.url.replace("127.0.0.1", "localhost");
const go = (path: string) => page.goto(base() + path);
const shows = (text: string | RegExp): Promise<void> => page.getByText(text).first().waitFor({ timeout: WITHIN_MS });
const says = (): Promise<string | null> => page.locator("#say").textContent();
const names = (): Promise<string[]> => page.locator("#order li a").allTextContents();

beforeAll(async () => {
  [database, browser] = await Promise.all([startDatabase({}), startBrowser()]);
  edge = await Edge.start({ databaseEndpoint: database.endpoint, flushMs: 200 });
  agent = await EdgeAgent.start(edge, "eu-1", { services: 5 });
  context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  page = await context.newPage();
  page.on("pageerror", ({ message }) => errors.push(message));
  page.on("console", (message) => {
    // A refusal is an answer of these tests, and the browser writes each down.
    if (message.type() === "error" && !/status of (400|409)|WebSocket/.test(message.text()))
      errors.push(message.text());
  });
  const { out } = await runCommand("admin-link", [], edge);
  await page.goto(out.trim());
  await page.getByRole("button", { name: "Sign in" }).first().click();
  await page.waitForURL(/\/admin(\/account)?$/, { timeout: WITHIN_MS });
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await browser?.close();
  await agent?.remove();
  await edge?.remove();
  await database?.stop();
});

it("services that agents report wait until several of them are published at once", async () => {
  await go("/admin");
  await page.getByRole("link", { name: /Services \(5 new\)/ }).waitFor({ timeout: WITHIN_MS });
  await go("/admin/services/inbox");
  for (const name of ["service-1", "service-2", "service-3"]) await page.getByLabel(name).check();
  await page.getByLabel("Group of new ones").fill("Shop");
  await page.getByRole("button", { name: "Publish" }).click();
  await page.getByRole("link", { name: /Services \(2 new\)/ }).waitFor({ timeout: WITHIN_MS });
  await page.getByLabel("service-4").check();
  await page.getByRole("button", { name: "Ignore", exact: true }).click();
  await shows("Ignored (1)");
  expect(await page.getByLabel("service-4").count()).toBe(0);
});

it("a component is made of what a selector matches, which is shown while it is typed", async () => {
  await go("/admin/components");
  await page.getByRole("link", { name: "New component" }).click();
  await page.getByLabel("Name", { exact: true }).fill("Front door");
  await page.getByLabel("Group", { exact: true }).fill("Web");
  await page.getByLabel("Services", { exact: true }).fill("shop/check*\nnobody/*");
  await page.locator("#preview").getByText("It stands for 1 service:").waitFor({ timeout: WITHIN_MS });
  expect(await page.locator("#preview code").allTextContents()).toEqual(["eu-1/shop/checkout", "nobody/*"]);
  await page.getByRole("button", { name: "Create" }).click();
  await shows("Web: Front door");
  await go("/admin/components");
  expect(await names()).toEqual(["Service 1", "Service 2", "Service 3", "Front door"]);
});

it("arrows move it, keep the focus, and say where it is now", async () => {
  const up = page.getByRole("button", { name: "Move Service 3 up" });
  await up.focus();
  await page.keyboard.press("Enter");
  await expect.poll(names).toEqual(["Service 1", "Service 3", "Service 2", "Front door"]);
  await expect.poll(says).toBe("Service 3 is now 2 of 3 in Shop.");
  expect(await up.evaluate((element) => element === document.activeElement)).toBe(true);
  await page.keyboard.press("Enter");
  await expect.poll(names).toEqual(["Service 3", "Service 1", "Service 2", "Front door"]);
  await page.getByRole("button", { name: "Move Web up" }).press("Enter");
  await expect.poll(names).toEqual(["Front door", "Service 3", "Service 1", "Service 2"]);
});

/** From the grip of one to the middle of another, as a hand goes. */
async function drag(grip: Locator, target: Locator, below: boolean): Promise<void> {
  const [from, to] = [await grip.boundingBox(), await target.boundingBox()];
  if (from === null || to === null) throw new Error("nothing to drag");
  await page.mouse.move(from.x + from.width / 2, from.y + from.height / 2);
  await page.mouse.down();
  const y = to.y + to.height * (below ? 0.8 : 0.2);
  await page.mouse.move(to.x + 60, y, { steps: 12 });
  await page.mouse.move(to.x + 61, y, { steps: 2 });
  await page.mouse.up();
}
const row = (name: string): Locator =>
  page.locator("#order li", { has: page.getByRole("link", { name, exact: true }) });

it("a hand moves it too, into another group as well, and Escape takes it back", async () => {
  await drag(row("Service 2").locator(".grip"), row("Service 3"), false);
  await expect.poll(says).toBe("Service 2 is now 1 of 3 in Shop.");
  expect(await names()).toEqual(["Front door", "Service 2", "Service 3", "Service 1"]);
  await drag(row("Service 1").locator(".grip"), row("Front door"), true);
  await expect.poll(says).toBe("Service 1 is now 2 of 2 in Web.");
  await go("/admin/components");
  expect(await names()).toEqual(["Front door", "Service 1", "Service 2", "Service 3"]);
  const groups = (): Promise<string[]> => page.locator("#order h2").allTextContents();
  expect(await groups()).toEqual(["Web", "Shop"]);
  await drag(page.locator("section[data-group=Shop] .bar .grip"), page.locator("section[data-group=Web] .bar"), false);
  await expect.poll(says).toBe("Shop is now group 1 of 2.");
  await drag(page.locator("section[data-group=Shop] .bar .grip"), row("Service 1"), true);
  await expect.poll(says).toBe("Shop is now group 2 of 2.");
  expect(await groups()).toEqual(["Web", "Shop"]);
  const box = await row("Service 3").locator(".grip").boundingBox();
  await page.mouse.move((box?.x ?? 0) + 8, (box?.y ?? 0) + 8);
  await page.mouse.down();
  await page.mouse.move(300, ((await row("Front door").boundingBox())?.y ?? 0) + 4, { steps: 8 });
  await page.keyboard.press("Escape");
  await page.mouse.up();
  expect(await names()).toEqual(["Front door", "Service 1", "Service 2", "Service 3"]);
  const answer = await fetch(`${edge.url}/api/v2/components.json`);
  const { components } = (await answer.json()) as { components: { name: string }[] };
  expect(components.map(({ name }) => name)).toEqual([
    "Web",
    "Front door",
    "Service 1",
    "Shop",
    "Service 2",
    "Service 3",
  ]);
});

it("arrows work without a script, and the focus stays", async () => {
  const plain = await browser.newContext({ javaScriptEnabled: false });
  await plain.addCookies(await context.cookies());
  const shown = await plain.newPage();
  await shown.goto(`${base()}/admin/components`);
  await shown.getByRole("button", { name: "Move Service 3 up" }).click();
  await shown.getByText("Service 3 is now 1 of 2 in Shop.").waitFor({ state: "attached", timeout: WITHIN_MS });
  expect(await shown.locator("button:focus").getAttribute("aria-label")).toBe("Move Service 3 up");
  await plain.close();
});

it("what is hidden is gone for visitors, and its form says so", async () => {
  await go("/admin/components");
  await page.getByRole("link", { name: "Service 1" }).click();
  await page.getByLabel("Operators only").check();
  await page.getByRole("button", { name: "Save" }).click();
  await shows("Hidden: known to operators only.");
  await expect
    .poll(async () => (await (await fetch(`${edge.url}/api/v2/components.json`)).text()).includes("Service 1"), {
      timeout: WITHIN_MS,
    })
    .toBe(false);
});

it("an accent is shown as it would be, and one that nobody can read is refused with the nearest that can", async () => {
  await go("/admin/page");
  await page.getByLabel("Name", { exact: true }).fill("Acme status");
  await page.getByLabel("On light paper").fill("#0b6");
  await page
    .locator("#samples")
    .getByText(/needs 4\.5.*The nearest that pass/)
    .waitFor({ timeout: WITHIN_MS });
  await page.getByLabel("On light paper").fill("#1e40af");
  await page
    .locator("#samples")
    .getByText(/#1e40af on light paper: \d/)
    .waitFor({ timeout: WITHIN_MS });
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await shows("Acme status");
  await page.locator("select[name='charts.1.kind']").selectOption("");
  await page.getByRole("button", { name: "Save charts" }).click();
  await page.getByRole("button", { name: "Back to ours" }).waitFor({ timeout: WITHIN_MS });
});

it("the page is a file that says what it would change, line by line, and whose faults have their places", async () => {
  const file = join(folder, "status.yaml");
  expect(await runCommand("config", ["export", file], edge)).toMatchObject({ code: 0, problem: "" });
  const plan = (...more: string[]) => runCommand("config", ["plan", file, ...more], edge);
  expect(await plan("--detailed")).toMatchObject({ code: 0, out: "No changes: the page is as the file says.\n" });
  const text = readFileSync(file, "utf8");
  expect(text).toContain("name: Acme status");
  const faulty = text.replace("rule: all", "rule: most").replace("version: 1", "version: 1\nusers: []");
  writeFileSync(file, faulty);
  const line = (of: string): number => faulty.split("\n").findIndex((one) => one.includes(of)) + 1;
  const refused = await runCommand("config", ["apply", file], edge);
  expect(refused.code).toBe(1);
  expect(refused.problem).toContain(
    `status.yaml:${line("rule: most")}:11: components.0.rule: must be all, any, quorum`,
  );
  expect(refused.problem).toContain(`status.yaml:${line("users:")}:8: users: is nothing that a file can say here`);
  writeFileSync(file, text.replace("name: Front door", "name: Entrance"));
  const planned = await plan("--detailed");
  expect([planned.code, planned.out]).toEqual([
    2,
    expect.stringMatching(
      /^~ components: Web \/ Entrance\n {4}name: "Front door" → "Entrance"\n\n0 to create, 1 to change/,
    ),
  ]);
  expect((await runCommand("config", ["apply", file], edge)).out).toMatch(/Applied\.\n$/);
  expect((await plan()).out).toBe("No changes: the page is as the file says.\n");
  await go("/admin/components");
  expect(await names()).toContain("Entrance");
});

it("no page printed an error", () => expect(errors).toEqual([]));
