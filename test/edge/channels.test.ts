/** Channels from an owner's form to a receiver of the world, with the edge killed between every two steps. */
import { createHmac } from "node:crypto";
import { createServer } from "node:http";
import type { IncomingHttpHeaders, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createRequire } from "node:module";
import type { AxeResults, RunOptions } from "axe-core";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { RunningDatabase } from "../../dev/database/database.ts";
import { startDatabase } from "../../dev/database/database.ts";
import { startBrowser } from "../support/browser.ts";
import type { Operator } from "../support/miniflare.ts";
import { Edge } from "../support/miniflare.ts";
import { eventually } from "../support/process.ts";

const WITHIN_MS = 30_000;
const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

interface Taken {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly data: { readonly type: string; readonly data: { readonly name: string; readonly body: string } };
}

let database: RunningDatabase;
let edge: Edge;
let operator: Operator;
let browser: Browser;
let receiver: Server;
let secret = "";
const taken: Taken[] = [];
/** What the receiver does with the next request; then it answers 200 again. */
let next: ((response: ServerResponse) => void) | null = null;

const address = (): string => `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/in`;
const of = (name: string) => taken.filter(({ data }) => data.data.name === name);

function startReceiver(): Promise<Server> {
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => (body += String(chunk)));
    request.on("end", () => {
      taken.push({ headers: request.headers, body, data: JSON.parse(body) as Taken["data"] });
      const answer = next ?? ((one: ServerResponse) => one.writeHead(200).end());
      next = null;
      answer(response);
    });
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

beforeAll(async () => {
  [database, browser, receiver] = await Promise.all([startDatabase({}), startBrowser(), startReceiver()]);
  const variables = { PROBE_LOOPBACK: "1", NOTICE_TIMEOUT_MS: "3000" };
  edge = await Edge.start({ databaseEndpoint: database.endpoint, flushMs: 200, variables });
  operator = await edge.signIn();
});

afterAll(async () => {
  await browser?.close();
  await edge?.remove();
  await database?.stop();
  receiver?.closeAllConnections();
  receiver?.close();
});

const page = async (): Promise<string> => (await operator.get("/admin/channels")).text();

const open = (name: string): Promise<unknown> => edge.cli("POST", "/cli/v1/incidents", { name, body: "It began." });

it("an owner adds a channel by plain forms, is told what is wrong with it, and tries it", async () => {
  const context = await browser.newContext({ viewport: { width: 360, height: 800 }, javaScriptEnabled: false });
  const tab = await context.newPage();
  const base = edge.url.replace("127.0.0.1", "localhost");
  const { url } = await edge.cli<{ url: string }>("POST", "/cli/v1/admin-links");
  await tab.goto(`${base}/admin/sign-in${new URL(url).search}`);
  await tab.getByRole("button", { name: "Sign in" }).first().click();
  await tab.goto(`${base}/admin/channels`);
  await tab.getByText("Nobody is told yet.").waitFor();

  await tab.getByRole("radio", { name: /^Webhook/ }).check();
  await tab.getByLabel("Name").fill("Our program");
  await tab.getByLabel("Address").fill("https://169.254.169.254/latest");
  await tab.getByRole("button", { name: "Add" }).click();
  await tab.getByText("The address must have a name, not an IP address.").waitFor();
  expect(await tab.getByLabel("Name").inputValue()).toBe("Our program");
  expect(await tab.getByRole("radio", { name: /^Webhook/ }).isChecked()).toBe(true);

  await tab.getByLabel("Address").fill(address());
  await tab.getByRole("button", { name: "Add" }).click();
  secret = (await tab.locator("pre code").textContent()) ?? "";
  expect(secret).toMatch(/^whsec_/);
  await tab.getByRole("button", { name: "Test Our program" }).click();
  await tab.getByText("Our program answered: 200.").waitFor();
  expect(taken.map(({ data }) => data.type)).toEqual(["test"]);
  expect(await tab.content()).not.toContain(secret);

  const { width } = (await tab.locator("main").boundingBox()) ?? { width: 0 };
  expect(width).toBeLessThanOrEqual(360);
  await context.close();
}, 60_000);

it("the page can be read by everybody, whatever it has to say", async () => {
  next = (response) => response.writeHead(400).end();
  await open("Refused");
  await eventually(async () => (await page()).includes("Dead letters"), WITHIN_MS, "a dead letter");
  const tab = await browser.newPage();
  await tab.setContent(await page());
  await tab.addScriptTag({ path: AXE });
  const { violations } = await tab.evaluate(
    (options) => (globalThis as unknown as { axe: { run(o: RunOptions): Promise<AxeResults> } }).axe.run(options),
    { runOnly: ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"] } satisfies RunOptions,
  );
  expect(violations.map(({ id }) => id)).toEqual([]);
  await tab.close();

  const id = /name="id" value="([^"]+)"/.exec(await page())?.[1] ?? "";
  const again = await operator.post("/admin/deliveries/replay", { id });
  expect(await again.text()).toContain("1 on the way again, under the same keys.");
  await eventually(async () => !(await page()).includes("Dead letters"), WITHIN_MS, "its delivery");
  expect(new Set(of("Refused").map(({ headers }) => headers["webhook-id"])).size).toBe(1);
}, 60_000);

it("killed between any two steps it tells everything, each under one key, and the page knows", async () => {
  const kills: readonly (readonly [name: string, act: (name: string) => Promise<void>])[] = [
    [
      "as soon as the act is answered",
      async (name) => {
        await open(name);
        await edge.kill();
      },
    ],
    [
      "while the receiver thinks",
      async (name) => {
        const arrived = new Promise<void>((resolve) => (next = () => resolve()));
        await open(name);
        await arrived;
        await edge.kill();
      },
    ],
    [
      "as soon as the receiver has answered",
      async (name) => {
        const answered = new Promise<void>((resolve) => (next = (one) => void one.writeHead(200).end(() => resolve())));
        await open(name);
        await answered;
        await edge.kill();
      },
    ],
    [
      "before the Outbox could take it",
      async (name) => {
        await edge.kill();
        const mend = edge.spoil("Outbox");
        await edge.start();
        await open(name);
        await eventually(() => edge.logged("news_failed") > 0, WITHIN_MS, "the Outbox to fail");
        await edge.kill();
        mend();
      },
    ],
  ];
  for (const [name, act] of kills) {
    await act(name);
    await edge.start();
    const isTold = async (): Promise<boolean> => of(name).length > 0 && !(await page()).includes("On their way");
    // Whoever looks at the page wakes it, as the cron does each minute.
    await eventually(async () => (await page()) !== "" && (await isTold()), WITHIN_MS, `what was said ${name}`);
    expect(new Set(of(name).map(({ headers }) => headers["webhook-id"])).size, name).toBe(1);
  }
  expect(await page()).not.toContain("Dead letters");
  for (const { headers, body } of taken) expect(headers["webhook-signature"]).toBe(signed(headers, body));
}, 120_000);

/** By the standard's text, not by our code. */
function signed(headers: IncomingHttpHeaders, body: string): string {
  const key = Buffer.from(secret.slice("whsec_".length), "base64");
  const content = `${String(headers["webhook-id"])}.${String(headers["webhook-timestamp"])}.${body}`;
  return `v1,${createHmac("sha256", key).update(content).digest("base64")}`;
}
