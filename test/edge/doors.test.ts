/** People at the doors of the admin, in a real browser with a passkey of software and no mouse. */
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { RunningDatabase } from "../../dev/database/database.ts";
import { startDatabase } from "../../dev/database/database.ts";
import { axeFaults } from "../support/axe.ts";
import type { PasskeyDevice } from "../support/browser.ts";
import { addPasskeyDevice, startBrowser } from "../support/browser.ts";
import { runCommand } from "../support/command.ts";
import { Keyboard } from "../support/keyboard.ts";
import { Edge } from "../support/miniflare.ts";
import { eventually } from "../support/process.ts";
import type { Archive } from "./archive.ts";
import { openArchive } from "./archive.ts";

const WITHIN_MS = 30_000;

let database: RunningDatabase;
let archive: Archive;
let edge: Edge;
let browser: Browser;
let context: BrowserContext;
let page: Page;
let keys: Keyboard;
let passkeys: PasskeyDevice;
const errors: string[] = [];

/** Passkeys are made for names, not for addresses. */
const base = (): string => edge.url.replace("127.0.0.1", "localhost");

beforeAll(async () => {
  [database, browser] = await Promise.all([startDatabase({}), startBrowser()]);
  edge = await Edge.start({ databaseEndpoint: database.endpoint, flushMs: 200 });
  archive = openArchive(database.url);
  context = await browser.newContext();
  page = await context.newPage();
  page.on("pageerror", ({ message }) => errors.push(message));
  page.on("console", (message) => {
    // A refusal is an answer of these tests, and the browser writes each down.
    if (message.type() === "error" && !/status of (401|403|503)|WebSocket/.test(message.text()))
      errors.push(message.text());
  });
  keys = new Keyboard(page, WITHIN_MS);
  passkeys = await addPasskeyDevice(context, page);
});
afterAll(async () => {
  await browser?.close();
  await edge?.remove();
  await archive?.close();
  await database?.stop();
});

async function link(...args: readonly string[]): Promise<string> {
  const { code, out, problem } = await runCommand("admin-link", args, edge);
  expect([code, problem]).toEqual([0, expect.stringContaining("works once")]);
  return out.trim();
}

const press = (role: "button" | "link", name: string | RegExp): Promise<void> => keys.press(role, name);
const type = (name: string, text: string): Promise<void> => keys.type(name, text);

const at = (path: RegExp): Promise<void> => page.waitForURL(path, { timeout: WITHIN_MS });
const shows = (text: string): Promise<void> => page.getByText(text).first().waitFor({ timeout: WITHIN_MS });

/** What everybody proved is an hour old from now on. */
async function anHourLater(): Promise<void> {
  await edge.kill();
  const before = "json_set(body, '$.verifiedAt', json_extract(body, '$.verifiedAt') - 3600000)";
  edge.remember("Board", `UPDATE work SET body = ${before} WHERE kind = 'login'`);
  await edge.start();
}

/** What axe finds on the page that asks for a proof: every other is seen after the ten tasks. */
async function faults(width: number, colorScheme: "light" | "dark"): Promise<readonly string[]> {
  const own = await browser.newContext({ viewport: { width, height: 900 }, colorScheme, bypassCSP: true });
  await own.addCookies(await context.cookies());
  const shown = await own.newPage();
  await shown.goto(`${base()}/admin/audit/export`);
  await shown.getByText("Confirm that it is you").waitFor({ timeout: WITHIN_MS });
  const found = await axeFaults(shown);
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

it("the audit's chain shows what somebody did to it in Postgres: changed, taken out, or cut off at its end", async () => {
  const verify = async (): Promise<string> => {
    const { code, out, problem } = await runCommand("audit", ["verify"], edge);
    return code === 0 ? "well" : `${out}${problem}`.trim();
  };
  await archive.tamper("CREATE TABLE kept AS SELECT * FROM board_fact WHERE kind = 'audit'");
  for (const [statement, said] of [
    [
      `UPDATE board_fact SET body = jsonb_set(body, '{by}', '"Bo"') WHERE kind = 'audit' AND key = '0000000000000002'`,
      "entry 2 was changed",
    ],
    ["DELETE FROM board_fact WHERE kind = 'audit' AND key = '0000000000000002'", "entry 2 is missing"],
    [
      "DELETE FROM board_fact WHERE kind = 'audit' AND key = (SELECT max(key) FROM kept WHERE length(key) = 16)",
      "is missing",
    ],
  ] as const) {
    await archive.tamper(statement);
    await eventually(async () => (await verify()).includes(said), WITHIN_MS, said);
    await archive.tamper("DELETE FROM board_fact WHERE kind = 'audit' AND key IN (SELECT key FROM kept)");
    await archive.tamper("INSERT INTO board_fact SELECT * FROM kept ON CONFLICT DO NOTHING");
    await eventually(async () => (await verify()) === "well", WITHIN_MS, "a chain that is whole again");
  }
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
  await passkeys.remove();
  passkeys = await addPasskeyDevice(context, page);
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
