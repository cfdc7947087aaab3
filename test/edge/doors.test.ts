/** People at the doors of the admin, in a real browser with a passkey of software and no mouse. */
import { createRequire } from "node:module";
import type { AxeResults, RunOptions } from "axe-core";
import type { Browser, BrowserContext, CDPSession, Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { RunningDatabase } from "../../dev/database/database.ts";
import { startDatabase } from "../../dev/database/database.ts";
import { startBrowser } from "../support/browser.ts";
import { runCommand } from "../support/command.ts";
import { Edge } from "../support/miniflare.ts";
import { eventually } from "../support/process.ts";

const WITHIN_MS = 30_000;
/** More than any page here has to stop at. */
const STOPS_MAX = 120;
const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

let database: RunningDatabase;
let edge: Edge;
let browser: Browser;
let context: BrowserContext;
let page: Page;
let device: CDPSession;
let authenticator: string;
const errors: string[] = [];

/** Passkeys are made for names, not for addresses. */
const base = (): string => edge.url.replace("127.0.0.1", "localhost");

beforeAll(async () => {
  [database, browser] = await Promise.all([startDatabase({}), startBrowser()]);
  edge = await Edge.start({ databaseEndpoint: database.endpoint, flushMs: 200 });
  context = await browser.newContext();
  page = await context.newPage();
  page.on("pageerror", ({ message }) => errors.push(message));
  page.on("console", (message) => {
    // A refusal is an answer of these tests, and the browser writes each down.
    if (message.type() === "error" && !/status of (401|403|503)|WebSocket/.test(message.text()))
      errors.push(message.text());
  });
  device = await context.newCDPSession(page);
  await device.send("WebAuthn.enable");
  authenticator = await newDevice();
});
afterAll(async () => {
  await browser?.close();
  await edge?.remove();
  await database?.stop();
});

/** A device with a screen lock, whose owner is there and unlocks it. */
async function newDevice(): Promise<string> {
  const { authenticatorId } = await device.send("WebAuthn.addVirtualAuthenticator", {
    options: {
      protocol: "ctap2",
      transport: "internal",
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
  return authenticatorId;
}

async function link(...args: readonly string[]): Promise<string> {
  const { code, out, problem } = await runCommand("admin-link", args, edge);
  expect([code, problem]).toEqual([0, expect.stringContaining("works once")]);
  return out.trim();
}

/** Goes by the tabulator to what has this role and name, and sees that its reader is told where they are. */
async function reach(role: "button" | "textbox" | "link" | "radio", name: string | RegExp): Promise<void> {
  const wanted = page.getByRole(role, { name }).first();
  await wanted.waitFor({ timeout: WITHIN_MS });
  const isThere = (): Promise<boolean> => wanted.evaluate((element) => element === document.activeElement);
  for (let stops = 0; !(await isThere()); stops++) {
    if (stops > STOPS_MAX) throw new Error(`no way to "${String(name)}" by the keyboard`);
    await page.keyboard.press("Tab");
  }
  const ring = await wanted.evaluate((element) => getComputedStyle(element).outlineStyle);
  expect([name, ring]).not.toEqual([name, "none"]);
}

async function press(role: "button" | "link", name: string | RegExp): Promise<void> {
  await reach(role, name);
  await page.keyboard.press("Enter");
}

async function type(name: string, text: string): Promise<void> {
  await reach("textbox", name);
  await page.keyboard.press("ControlOrMeta+A");
  await page.keyboard.type(text);
}

const at = (path: RegExp): Promise<void> => page.waitForURL(path, { timeout: WITHIN_MS });
const shows = (text: string): Promise<void> => page.getByText(text).first().waitFor({ timeout: WITHIN_MS });

/** What everybody proved is an hour old from now on. */
async function anHourLater(): Promise<void> {
  await edge.kill();
  const before = "json_set(body, '$.verifiedAt', json_extract(body, '$.verifiedAt') - 3600000)";
  edge.remember("Board", `UPDATE work SET body = ${before} WHERE kind = 'login'`);
  await edge.start();
}

const PATHS = ["/admin/sign-in", "/admin/account", "/admin/people", "/admin/audit", "/admin/audit/export"];

/** What axe finds on every page about people and doors; the last one asks for a proof first. */
async function faults(width: number, colorScheme: "light" | "dark"): Promise<readonly string[]> {
  const found: string[] = [];
  const own = await browser.newContext({ viewport: { width, height: 900 }, colorScheme, bypassCSP: true });
  await own.addCookies(await context.cookies());
  const shown = await own.newPage();
  for (const path of PATHS) {
    await shown.goto(base() + path);
    await shown.addScriptTag({ path: AXE });
    const { violations } = await shown.evaluate(async (): Promise<AxeResults> => {
      const { axe } = globalThis as unknown as { axe: { run(options: RunOptions): Promise<AxeResults> } };
      return axe.run({ resultTypes: ["violations"] });
    });
    const wide = await shown.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    const nodes = violations.flatMap(({ id, nodes: all }) => all.map(({ html }) => `${id}: ${html.slice(0, 160)}`));
    found.push(...nodes.map((node) => `${path} ${width} ${colorScheme} ${node}`));
    if (wide > 0) found.push(`${path} ${width}: ${wide} px too wide`);
  }
  await own.close();
  return found;
}

it("a link signs in once, a passkey is made, and opens the door from then on", async () => {
  await page.goto(await link("--as", "Ana", "--role", "owner"));
  await press("button", "Sign in");
  await at(/\/admin\/account$/);
  await shows("You have none yet.");
  await type("Name of a new passkey", "Work laptop");
  await press("button", "Add a passkey");
  await shows("Work laptop");
  await press("button", "Sign out");
  await at(/\/admin\/sign-in$/);
  await press("button", "Sign in with a passkey");
  await at(/\/admin$/);
  await page.goto(`${base()}/admin/account`);
  await shows("(this one)");
  expect(await page.getByRole("cell", { name: "a passkey", exact: true }).count()).toBe(1);
});

it("what could do harm asks for the passkey anew, and goes on with what was typed", async () => {
  await page.goto(`${base()}/admin/people`);
  await anHourLater();
  await type("Name", "Bo & Söhne <b>");
  await press("button", "Make an invitation");
  await shows("Confirm that it is you");
  expect(await faults(320, "dark")).toEqual([]);
  expect(await faults(1440, "light")).toEqual([]);
  await press("button", "Confirm with a passkey");
  await shows("A link for Bo & Söhne <b>");
  expect(await page.getByRole("rowheader", { name: "Bo & Söhne <b>" }).count()).toBe(1);
});

it("without a passkey's device a fresh link confirms, and what was typed goes on by one more button", async () => {
  await anHourLater();
  await page.goto(`${base()}/admin/account`);
  await press("button", "Add a passkey");
  await shows("Confirm that it is you");
  await page.goto(`${base()}/admin/people`);
  await type("Name", "Cleo");
  await press("button", "Make an invitation");
  await type("The link", await link("--as", "Ana"));
  await press("button", "Confirm with the link");
  await press("button", "Go on");
  await shows("A link for Cleo");
});

it("the audit shows what was done, is exported, and its chain can be followed", async () => {
  await page.goto(`${base()}/admin/audit?q=person.add`);
  await shows("Bo & Söhne <b>");
  const [download] = await Promise.all([page.waitForEvent("download"), press("link", "Export as JSON lines")]);
  expect(download.suggestedFilename()).toBe("audit.jsonl");
  await eventually(
    async () => (await runCommand("audit", ["verify"], edge)).out.includes("all as they were written"),
    WITHIN_MS,
    "a chain that can be followed",
  );
  const exported = await runCommand("audit", ["export"], edge);
  const lines = exported.out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { readonly act: string });
  expect(lines.map(({ act }) => act)).toEqual(expect.arrayContaining(["passkey.add", "person.add", "session.confirm"]));
});

it("a lost passkey opens nothing any more, and its owner comes back by the command line", async () => {
  await page.goto(`${base()}/admin/account`);
  const other = await browser.newContext();
  await other.addCookies(await context.cookies());
  const thief = await other.newPage();
  await thief.goto(`${base()}/admin`);
  expect(thief.url()).toMatch(/\/admin$/);
  const url = await link("--as", "ana", "--forget-passkeys");
  // Whoever had the lost one is out, without touching anything.
  await thief.waitForURL(/\/admin\/sign-in$/, { timeout: WITHIN_MS });
  await page.goto(`${base()}/admin/sign-in`);
  await press("button", "Sign in with a passkey");
  await shows("This passkey does not open this page.");
  await device.send("WebAuthn.removeVirtualAuthenticator", { authenticatorId: authenticator });
  authenticator = await newDevice();
  await page.goto(url);
  await press("button", "Sign in");
  await at(/\/admin\/account$/);
  await shows("You have none yet.");
  await type("Name of a new passkey", "New phone");
  await press("button", "Add a passkey");
  await shows("New phone");
  await press("button", "Remove");
  await shows("You have none yet.");
});

it("no page printed an error", () => expect(errors).toEqual([]));
