/** What visitors read when each part of the system stops in turn, and the copy that outlives all of it. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RunningDatabase } from "../../dev/database/database.ts";
import { startDatabase } from "../../dev/database/database.ts";
import { openPage, startBrowser } from "../support/browser.ts";
import { runCommand } from "../support/command.ts";
import { Edge } from "../support/miniflare.ts";
import { eventually } from "../support/process.ts";
import { EdgeAgent, SERVICE } from "./agent.ts";

/** Between the pushes of the agent that is stopped: what it said is good for three of them. */
const INTERVAL_MS = 1_000;
const WITHIN_MS = 60_000;

let database: RunningDatabase;
let edge: Edge;
/** Of Checkout, which goes on, and of Search, which is stopped. */
let steady: EdgeAgent;
let agent: EdgeAgent;

beforeAll(async () => {
  database = await startDatabase({});
  edge = await Edge.start({ databaseEndpoint: database.endpoint, flushMs: 200 });
  steady = await EdgeAgent.start(edge, "eu-1");
  agent = await EdgeAgent.start(edge, "eu-2", { intervalMs: INTERVAL_MS });
  const components = [
    { name: "Checkout", group: "Shop", services: [`eu-1/${SERVICE}`] },
    { name: "Search", group: "Shop", services: [`eu-2/${SERVICE}`] },
  ];
  await edge.cli("PUT", "/cli/v1/components", { components });
  await steady.push();
});

afterAll(async () => {
  await Promise.all([steady?.remove(), agent?.remove()]);
  await edge?.remove();
  await database?.stop();
});

/** What a visitor reads: the status of the answer, the headline, and how each component is. */
async function read() {
  const page = await edge.visit("/");
  const html = await page.text();
  const headline = /<h1[^>]*>(.*?)<\/h1>/s.exec(html)?.[1]?.replaceAll(/<[^>]*>/g, "");
  const [checkout, search] = ["Checkout", "Search"].map(
    (name) => new RegExp(`>${name}</a></h3>.*?<p>([^<]*)`).exec(html)?.[1],
  );
  const isCopy = !/<p id="copy"[^>]* hidden/.test(html);
  return { status: page.status, headline, checkout, search, isCopy };
}

/** The page once a component is said to be so. */
async function until(name: "checkout" | "search", state: string) {
  let last = await read();
  await eventually(async () => (last = await read())[name] === state, WITHIN_MS, `${name} to be ${state}`);
  return last;
}

describe("the page answers 200 with the right words", () => {
  it("while all is well", async () => {
    await agent.push();
    expect(await read()).toEqual({
      status: 200,
      headline: "All systems operational",
      checkout: "Operational",
      search: "Operational",
      isCopy: false,
    });
  });

  it("while Postgres is stopped: it is as live as ever", async () => {
    database.inject("refuse");
    steady.errorRatio = 1;
    await steady.push();
    expect(await until("checkout", "Major outage")).toMatchObject({ status: 200, isCopy: false });
    steady.errorRatio = 0;
    await steady.push();
    expect(await until("checkout", "Operational")).toMatchObject({ status: 200, isCopy: false });
    database.heal();
  });

  it("once the agent is stopped: unknown within three intervals, and neither well nor an outage", async () => {
    const session = agent.openSession();
    await eventually(() => session.isOpen(), WITHIN_MS, "the session to be open");
    await agent.push();
    await until("search", "Operational");
    await session.stop();
    const seen = new Set<string | undefined>();
    await eventually(
      async () => {
        const { search, status } = await read();
        expect(status).toBe(200);
        seen.add(search);
        return search === "Unknown";
      },
      3 * INTERVAL_MS + 5_000,
      "the silence to be said",
    );
    expect([...seen]).toEqual(["Operational", "Unknown"]);
  });

  it("while the Board is stopped: what it said last, which says so, and the news once it is back", async () => {
    await agent.restart();
    await until("search", "Operational");
    await edge.kill();
    const heal = edge.spoil("Board");
    await edge.start();
    // How it ages is the outlook's: what it said of the silence above, a copy says by the same lines.
    expect(await read()).toMatchObject({ status: 200, search: "Operational", isCopy: true });
    const summary = await edge.visit("/api/v2/summary.json");
    expect([summary.status, summary.headers.get("cache-control")]).toEqual([200, "no-store"]);
    await summary.arrayBuffer();
    await edge.kill();
    heal();
    await edge.start();
    await agent.push();
    expect(await until("search", "Operational")).toMatchObject({ status: 200, isCopy: false });
  });
});

describe("the lifeboat", () => {
  const parent = mkdtempSync(join(tmpdir(), "observatory-lifeboat-"));
  const out = join(parent, "out");
  const text = (file: string): string => readFileSync(join(out, file), "utf8");
  const OWN = "https://status.acme.example";
  const incident = { name: "Checkout was slow", status: "resolved", body: "It is *over*.", components: [] };

  beforeAll(async () => {
    await agent.push();
    await until("search", "Operational");
    const { code, problem } = await runCommand("incident", ["open", incident.name, "--message", incident.body], edge);
    expect([code, problem]).toEqual([0, ""]);
    // Its links begin with another address than the one that it is asked by.
    expect(await runCommand("page", ["--origin", OWN], edge)).toMatchObject({ code: 0, problem: "" });
    expect(await runCommand("lifeboat", [out], edge)).toMatchObject({ code: 0, problem: "" });
  });
  afterAll(() => rmSync(parent, { recursive: true, force: true }));

  it("has the page, what people wrote, history, feeds, the API and badges", () => {
    const { files } = JSON.parse(text("copy.json")) as { files: string[] };
    for (const file of ["index.html", "history/index.html", "history.atom", "maintenance.ics", "badge.svg"])
      expect(files).toContain(file);
    expect(files.filter((file) => file.startsWith("api/v2/"))).toHaveLength(8);
    expect(files.filter((file) => /^incidents\/\w+\/index\.html$/.test(file))).toHaveLength(1);
    expect(text("index.html")).toContain('<a href="api/v2/summary.json">');
    expect(text("index.html")).toContain(`<a href="${OWN}/" data-live>`);
    for (const file of files.filter((name) => name.endsWith(".html"))) {
      expect([file, text(file).includes('<aside class="boat">')]).toEqual([file, true]);
      expect(text(file)).not.toContain("<script");
    }
  });

  it("says of nothing that it is well", () => {
    expect(text("index.html")).toMatch(/>Checkout<\/a><\/h3><div[^>]*><svg.*?<\/svg><p>Unknown/);
    expect(text("index.html")).not.toContain("All systems operational");
    expect(JSON.parse(text("api/v2/status.json"))).toMatchObject({ status: { indicator: "minor" } });
    const { components } = JSON.parse(text("api/v2/components.json")) as { components: { status: string }[] };
    expect(components.map(({ status }) => status)).not.toContain("operational");
    expect(text("badge.svg").toLowerCase()).not.toContain("operational");
  });

  it("is read from a disk: each of its links leads to a file that is there, or to the page itself", async () => {
    const browser = await startBrowser();
    try {
      const { page, errors, requests } = await openPage(browser, pathToFileURL(join(out, "history/index.html")).href);
      await page.getByRole("link", { name: incident.name }).first().click();
      expect(await page.locator("h1").textContent()).toContain(incident.name);
      expect(page.url()).toMatch(/^file:.*\/incidents\/\w+\/index\.html/);
      await page.getByRole("link", { name: "Status now" }).click();
      expect(page.url()).toBe(pathToFileURL(join(out, "index.html")).href);
      expect([errors, requests.filter((request) => !request.endsWith(".html"))]).toEqual([[], []]);
    } finally {
      await browser.close();
    }
    for (const file of (JSON.parse(text("copy.json")) as { files: string[] }).files) {
      if (!file.endsWith(".html")) continue;
      for (const [, href = ""] of text(file).matchAll(/<a [^>]*?href="([^"#]+)/g)) {
        if (/^https?:/.test(href)) continue;
        expect([file, href, readdirSync(dirname(join(out, dirname(file), href))).length > 0]).toEqual([
          file,
          href,
          true,
        ]);
        readFileSync(join(out, dirname(file), href));
      }
    }
  });

  it("replaces a copy, and nothing else", async () => {
    expect(await runCommand("lifeboat", [out], edge)).toMatchObject({ code: 0, problem: "" });
    const other = join(parent, "mine");
    mkdirSync(other);
    writeFileSync(join(other, "thesis.txt"), "years of work");
    const refused = await runCommand("lifeboat", [other], edge);
    expect([refused.code, refused.problem]).toEqual([1, expect.stringContaining("holds something that is no copy")]);
    expect([readdirSync(other), readdirSync(parent).toSorted()]).toEqual([["thesis.txt"], ["mine", "out"]]);
  });
});
