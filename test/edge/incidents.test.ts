/** Incidents as an operator has them at night: in a real browser, without a script, and beside somebody else. */
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { RunningDatabase } from "../../dev/database/database.ts";
import { startDatabase } from "../../dev/database/database.ts";
import { MINUTE } from "../../protocol/time.ts";
import { startBrowser } from "../support/browser.ts";
import { Edge } from "../support/miniflare.ts";
import { eventually } from "../support/process.ts";
import { EdgeAgent, SERVICE } from "./agent.ts";
import { alerted } from "./alerted.ts";

const WITHIN_MS = 30_000;

let database: RunningDatabase;
let edge: Edge;
let agent: EdgeAgent;
let browser: Browser;
let page: Page;
/** Of the same operator, whose browser runs no scripts. */
let plain: Page;
const errors: string[] = [];

const base = (): string => edge.url.replace("127.0.0.1", "localhost");
const go = (path: string, of: Page = page) => of.goto(base() + path);
const idOf = (of: Page = page): string => new URL(of.url()).pathname.split("/").at(-1) ?? "";

interface Incident {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly impact: string;
  readonly incident_updates: readonly { readonly status: string; readonly body: string; readonly display_at: string }[];
}

async function incidents(): Promise<readonly Incident[]> {
  const answer = await edge.visit("/api/v2/incidents.json");
  return ((await answer.json()) as { incidents: Incident[] }).incidents;
}

async function incident(id: string): Promise<Incident | undefined> {
  return (await incidents()).find((one) => one.id === id);
}

/** When each thing that was said is said to be from, newest first. */
async function momentsOf(id: string): Promise<readonly string[]> {
  return ((await incident(id))?.incident_updates ?? []).map(({ display_at }) => display_at);
}

async function opened(javaScriptEnabled: boolean): Promise<Page> {
  const context: BrowserContext = await browser.newContext({
    viewport: { width: 1280, height: 900 },
    javaScriptEnabled,
  });
  const made = await context.newPage();
  made.on("pageerror", ({ message }) => errors.push(message));
  made.on("console", (message) => {
    // A refusal is an answer of these tests, and the browser writes each down.
    if (message.type() === "error" && !/status of (400|401|404|409)|WebSocket/.test(message.text()))
      errors.push(message.text());
  });
  const { url } = await edge.cli<{ url: string }>("POST", "/cli/v1/admin-links");
  const { search } = new URL(url);
  await made.goto(`${base()}/admin/sign-in${search}`);
  await made.getByRole("button", { name: "Sign in" }).first().click();
  await made.waitForURL(/\/admin(\/account)?$/, { timeout: WITHIN_MS });
  return made;
}

beforeAll(async () => {
  [database, browser] = await Promise.all([startDatabase({}), startBrowser()]);
  edge = await Edge.start({ databaseEndpoint: database.endpoint, flushMs: 200 });
  agent = await EdgeAgent.start(edge, "eu-1");
  await edge.cli("PUT", "/cli/v1/components", {
    components: ["Checkout", "Search"].map((name) => ({ name, group: "Shop", services: [`eu-1/${SERVICE}`] })),
  });
  agent.close(1);
  await agent.push();
  [page, plain] = [await opened(true), await opened(false)];
});

afterAll(async () => {
  await browser?.close();
  await agent?.remove();
  await edge?.remove();
  await database?.stop();
});

it("works without a script: a fault keeps what was typed, a preview shows it inert, and the impact needs a reason", async () => {
  await go("/admin/incidents/new", plain);
  const post = plain.getByRole("button", { name: "Post this incident" });
  await plain.getByLabel("What visitors read as its name").fill("No script");
  const hostile = "<script>alert(1)</script> <img src=x onerror=alert(1)> [x](javascript:alert(1)) **bold**";
  await plain.getByLabel("What visitors read", { exact: true }).fill(hostile);
  await plain.getByRole("button", { name: "Preview" }).click();
  const preview = plain.locator("#preview");
  expect(await preview.locator("strong").textContent()).toBe("bold");
  expect(await preview.locator("script, img").count()).toBe(0);
  expect(await preview.locator("a").getAttribute("href")).toBe("");
  await plain.getByLabel("Checkout").first().selectOption("partial_outage");
  await plain.getByText("Another impact").click();
  await plain.getByLabel("Impact", { exact: true }).selectOption("critical");
  await post.click();
  expect(await plain.locator("#fault-impactReason").textContent()).toContain("Say why it is not the computed one.");
  expect(await plain.getByLabel("What visitors read", { exact: true }).inputValue()).toBe(hostile);
  await plain.getByLabel("Why it is not the computed one").fill("the largest customer");
  await post.click();
  await plain.getByText("set by hand: the largest customer").waitFor();
  const found = await incident(idOf(plain));
  expect(found).toMatchObject({ name: "No script", impact: "critical" });
  const address = `/incidents/${idOf(plain)}`;
  expect(await (await edge.visit(address)).text()).not.toContain("largest customer");
});

it("begins with a template and ends with what was measured, each by one click", async () => {
  await go("/admin/incidents/new");
  await page.getByRole("link", { name: "Complete outage" }).click();
  await page.waitForURL(/template=complete-outage/);
  expect(await page.getByLabel("What visitors read", { exact: true }).inputValue()).toMatch(
    /has not been available since (\w{3} \d+ \w{3} )?\d\d:\d\d UTC/,
  );
  await page.getByLabel("What visitors read as its name").fill("From a template");
  await page.getByText("All 2 are well").or(page.getByText("1 more is well")).first().waitFor();
  await page.getByLabel("Remind me to say more").selectOption("30");
  await page.getByLabel("and tell visitors when").check();
  await page.getByRole("button", { name: "Post this incident" }).click();
  await page.waitForURL(/\/admin\/incidents\/[a-z0-9]{12}$/);
  const id = idOf();
  await page.getByText("visitors read that the next update comes by then").waitFor();
  const publicPage = async (): Promise<string> => (await edge.visit(`/incidents/${id}`)).text();
  await eventually(async () => (await publicPage()).includes("Next update by"), WITHIN_MS, "the promise on the page");
  await page.getByRole("link", { name: "It is over: propose the words" }).click();
  await page.waitForURL(/propose=resolved/);
  expect(await page.getByRole("radio", { name: "resolved" }).isChecked()).toBe(true);
  expect(await page.getByLabel("What visitors read", { exact: true }).inputValue()).toMatch(
    /It lasted .*from .*\d\d:\d\d UTC/,
  );
  await page.getByRole("button", { name: "Post this update" }).click();
  await eventually(async () => (await incident(id))?.status === "resolved", WITHIN_MS, "the end in the API");
  await eventually(async () => !(await publicPage()).includes("Next update by"), WITHIN_MS, "no promise any more");
});

it("a draft shows what the system saw, is posted by one button, and looked at says what became of it", async () => {
  agent.close(20);
  await agent.push();
  const id = await alerted(edge, "checkout");
  const charts = page.locator(".charts figure");
  await eventually(
    async () => {
      await go(`/admin/drafts/${id}`);
      return (await charts.count()) > 0;
    },
    WITHIN_MS,
    "charts of what the archive has",
  );
  await go("/admin");
  await page.getByRole("link", { name: "Look at it and post it" }).click();
  await page.getByRole("heading", { level: 1, name: "Checkout: partial outage" }).waitFor();
  // The minutes from half an hour before to an hour after, of which the agent closed some.
  expect(await charts.first().getByRole("img").getAttribute("aria-label")).toMatch(
    /^Checkout: failing requests: highest 0\.1 % at .* UTC; no data for/,
  );
  expect(await charts.first().locator("path.incident, path.limit").count()).toBe(2);
  await page.getByText("Began with CheckoutFails: checkout loses requests").waitFor();
  expect(await page.getByRole("main").locator(".primary").count()).toBe(1);
  expect(await page.getByLabel("What visitors read", { exact: true }).inputValue()).toMatch(
    /^Some requests to Checkout have failed since (\w{3} \d+ \w{3} )?\d\d:\d\d UTC; /,
  );
  await page.getByRole("button", { name: "Post this incident" }).click();
  await page.waitForURL(/\/admin\/incidents\/[a-z0-9]{12}$/);
  const posted = idOf();
  expect(await incident(posted)).toMatchObject({ name: "Checkout: partial outage", status: "investigating" });
  const [at] = await momentsOf(posted);
  expect(Date.parse(at ?? "")).toBeLessThan(Date.now() - 109 * MINUTE);
  await go(`/admin/drafts/${id}`);
  await page.getByText(/Posted by /).waitFor();
  await page.getByRole("link", { name: "Go to the incident" }).click();
  expect(idOf()).toBe(posted);
  await edge.cli("POST", `/cli/v1/incidents/${posted}/updates`, { status: "resolved", body: "Over." });
});

it("a draft that is none is dismissed with a reason, which stays", async () => {
  const id = await alerted(edge, "search and more");
  await go(`/admin/drafts/${id}`, plain);
  await plain.getByText("It is no incident").click();
  await plain.getByLabel("Why not").fill(" ");
  await plain.getByRole("button", { name: "Dismiss this draft" }).click();
  await plain.getByText("It must not be empty.").waitFor();
  await plain.getByLabel("Why not").fill("Visitors notice nothing of it");
  await plain.getByRole("button", { name: "Dismiss this draft" }).click();
  await plain.waitForURL(/\/admin$/);
  await go(`/admin/drafts/${id}`, plain);
  await plain.getByText("Because: Visitors notice nothing of it").waitFor();
  expect(await plain.getByRole("button", { name: "Post this incident" }).count()).toBe(0);
});

it("a form that is sent twice is posted once", async () => {
  const operator = await edge.signIn();
  const form = { name: "Sent twice", body: "Once.", status: "investigating", key: "a-number-of-its-own" };
  const [first, second] = await Promise.all([
    operator.post("/admin/incidents", form),
    operator.post("/admin/incidents", form),
  ]);
  expect([first?.status, second?.status]).toEqual([303, 303]);
  expect(first?.headers.get("location")).toBe(second?.headers.get("location"));
  expect((await incidents()).filter(({ name }) => name === "Sent twice")).toHaveLength(1);
});

it("two who write at once lose nothing: the second sees both, and posts after the first or drops theirs", async () => {
  const { incident: made } = await edge.cli<{ incident: { id: string } }>("POST", "/cli/v1/incidents", {
    name: "Two at once",
    body: "It began.",
  });
  const path = `/admin/incidents/${made.id}`;
  await Promise.all([go(path), go(path, plain)]);
  await page.getByLabel("What visitors read", { exact: true }).fill("Mine: a bad deploy.");
  await page.getByRole("radio", { name: "identified" }).check();
  await plain.getByLabel("What visitors read", { exact: true }).fill("Theirs: the disk is full.");
  await plain.getByRole("button", { name: "Post this update" }).click();
  await plain.getByText("Theirs: the disk is full.").first().waitFor();
  // What is typed is not replaced by what the others' act brings.
  expect(await page.getByLabel("What visitors read", { exact: true }).inputValue()).toBe("Mine: a bad deploy.");
  const answered = page.waitForResponse(
    (answer) => answer.request().method() === "POST" && answer.url().endsWith("/updates"),
  );
  await page.getByRole("button", { name: "Post this update" }).click();
  expect((await answered).status()).toBe(409);
  await page.getByText("Somebody wrote while you did").waitFor();
  await page.locator(".conflict").getByText("Theirs: the disk is full.").waitFor();
  expect(await page.getByLabel("What visitors read", { exact: true }).inputValue()).toBe("Mine: a bad deploy.");
  expect(await page.getByRole("radio", { name: "identified" }).isChecked()).toBe(true);
  expect((await incident(made.id))?.incident_updates).toHaveLength(2);
  await page.getByRole("button", { name: "Post mine after theirs" }).first().click();
  await page.waitForURL(new RegExp(`${made.id}$`));
  const said = (await incident(made.id))?.incident_updates.map(({ body }) => body);
  expect(said).toEqual(["Mine: a bad deploy.", "Theirs: the disk is full.", "It began."]);
});

it("a text outlives the session that it was typed in: it is shown, and posted after signing in anew", async () => {
  const { incident: made } = await edge.cli<{ incident: { id: string } }>("POST", "/cli/v1/incidents", {
    name: "A long night",
    body: "It began.",
  });
  const tired = await opened(true);
  await go(`/admin/incidents/${made.id}`, tired);
  await tired.getByLabel("What visitors read", { exact: true }).fill("Typed for an hour:\nline by line.");
  await tired.getByRole("radio", { name: "monitoring" }).check();
  await tired.context().clearCookies();
  await tired.getByRole("button", { name: "Post this update" }).click();
  await tired.getByText("The session is over.").waitFor();
  expect(await tired.getByLabel("body").inputValue()).toBe("Typed for an hour:\nline by line.");
  expect((await incident(made.id))?.incident_updates).toHaveLength(1);
  const [door] = await Promise.all([
    tired.waitForEvent("popup"),
    tired.getByRole("link", { name: "Sign in, in another tab" }).click(),
  ]);
  const { url } = await edge.cli<{ url: string }>("POST", "/cli/v1/admin-links");
  await door.goto(`${base()}/admin/sign-in${new URL(url).search}`);
  await door.getByRole("button", { name: "Sign in" }).first().click();
  await door.waitForURL(/\/admin(\/account)?$/, { timeout: WITHIN_MS });
  await tired.getByRole("button", { name: "Send it again" }).click();
  await tired.waitForURL(new RegExp(`/admin/incidents/${made.id}$`), { timeout: WITHIN_MS });
  expect((await incident(made.id))?.incident_updates).toMatchObject([
    { body: "Typed for an hour:\nline by line.", status: "monitoring" },
    { body: "It began." },
  ]);
  await tired.context().close();
});

it("what was said is corrected, and deleted, and the public page says so", async () => {
  const { incident: made } = await edge.cli<{ incident: { id: string } }>("POST", "/cli/v1/incidents", {
    name: "To be corrected",
    body: "It begun.",
  });
  await edge.cli("POST", `/cli/v1/incidents/${made.id}/updates`, { body: "Posted by mistake." });
  const moments = await momentsOf(made.id);
  await go(`/admin/incidents/${made.id}`);
  await page.getByRole("link", { name: "Correct" }).last().click();
  await page.getByLabel("What visitors read", { exact: true }).fill("It began.");
  await page.getByRole("button", { name: "Save" }).click();
  await eventually(
    async () => (await incident(made.id))?.incident_updates.at(-1)?.body === "It began.",
    WITHIN_MS,
    "the corrected text",
  );
  // The moment was not touched, and stays to the millisecond, which the field does not show.
  await eventually(async () => (await momentsOf(made.id)).join() === moments.join(), WITHIN_MS, "the same moments");
  await page.getByRole("link", { name: "Correct" }).first().click();
  await page.getByText("Posted by mistake", { exact: true }).click();
  await page.getByRole("button", { name: "Delete this update" }).click();
  await page.waitForURL(new RegExp(`/incidents/${made.id}$`));
  expect((await incident(made.id))?.incident_updates.map(({ body }) => body)).toEqual(["It began."]);
  await page.getByText("Merge or delete").click();
  await page.getByLabel(/Delete “To be corrected”/).check();
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  await page.waitForURL(/\/admin\/incidents$/);
  expect(await incident(made.id)).toBeUndefined();
  await eventually(async () => (await edge.visit(`/incidents/${made.id}`)).status === 404, WITHIN_MS, "no page of it");
});

it("a postmortem is a draft until it is published", async () => {
  const { incident: made } = await edge.cli<{ incident: { id: string } }>("POST", "/cli/v1/incidents", {
    name: "Learnt from",
    body: "It began.",
  });
  await edge.cli("POST", `/cli/v1/incidents/${made.id}/updates`, { status: "resolved", body: "It is over." });
  await go(`/admin/incidents/${made.id}`);
  await page.getByLabel("Postmortem").fill("A disk was full.");
  await page.getByRole("button", { name: "Save the draft" }).click();
  await page.getByText("A draft: saved by").waitFor();
  expect(JSON.stringify(await incidents())).not.toContain("A disk was full.");
  await page.getByRole("button", { name: "Publish it" }).click();
  await eventually(async () => (await incident(made.id))?.status === "postmortem", WITHIN_MS, "the postmortem");
  expect((await incident(made.id))?.incident_updates[0]).toMatchObject({
    status: "postmortem",
    body: "A disk was full.",
  });
  await eventually(
    async () => (await (await edge.visit(`/incidents/${made.id}`)).text()).includes("A disk was full."),
    WITHIN_MS,
    "the postmortem on the page",
  );
});

it("two incidents of one cause become one, whose page both addresses show", async () => {
  const open = async (name: string): Promise<string> =>
    (await edge.cli<{ incident: { id: string } }>("POST", "/cli/v1/incidents", { name, body: `${name} began.` }))
      .incident.id;
  const [survivor, other] = [await open("The survivor"), await open("The other")];
  await go(`/admin/incidents/${other}`, plain);
  await plain.getByText("Merge or delete").click();
  await plain.getByLabel("Merge it into").selectOption(survivor);
  await plain.getByRole("button", { name: "Merge", exact: true }).click();
  await plain.waitForURL(new RegExp(`/admin/incidents/${survivor}$`));
  expect((await incident(survivor))?.incident_updates.map(({ body }) => body)).toEqual([
    "The other began.",
    "The survivor began.",
  ]);
  expect(await incident(other)).toBeUndefined();
  await eventually(
    async () => (await (await edge.visit(`/incidents/${other}`)).text()).includes("The survivor"),
    WITHIN_MS,
    "the survivor at the other's address",
  );
});

it("no page printed an error", () => expect(errors).toEqual([]));
