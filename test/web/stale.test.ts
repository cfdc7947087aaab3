/**
 * A page that nobody renews, in a real browser with real time and a real cache: a frozen feed, a way back while offline,
 * clocks that are wrong by hours, a file, a tab in the background, no script. Nowhere does anything stay green.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { HOUR, SECOND } from "../../protocol/time.ts";
import type { Millis } from "../../protocol/time.ts";
import { renderPage } from "../../web/view/page.ts";
import { PAGE_POLICY } from "../../web/view/policy.ts";
import { startBrowser } from "../support/browser.ts";
import type { PageServer } from "./page-server.ts";
import { servePages } from "./page-server.ts";
import { component, snapshot } from "./snapshots.ts";
import { localeOf } from "../../web/view/words/locale.ts";

const locale = localeOf("en", "Etc/UTC");

/** How long the evidence on the page lasts from its rendering on. */
const EVIDENCE_MS = 6 * SECOND;
/** The page renders each second. */
const TICK_MS = 1_500;

let browser: Browser;
let context: BrowserContext;
let server: PageServer;
let body: string;
let renderedAt: Millis;

beforeAll(async () => {
  browser = await startBrowser(true);
});
afterAll(() => browser.close());

beforeEach(async () => {
  server = await servePages((path) => {
    if (path === "/elsewhere") return { policy: "default-src 'none'", body: "<title>Elsewhere</title>" };
    if (path !== "/") return null;
    const headers = {
      date: new Date().toUTCString(),
      // As the Worker sends it.
      "cache-control": "public, max-age=5, stale-while-revalidate=60, stale-if-error=86400",
    };
    return { policy: PAGE_POLICY, body, headers };
  });
  context = await browser.newContext({ timezoneId: "Etc/UTC" });
  render();
});
afterEach(async () => {
  await context.close();
  server.stop();
});

/** Two components that are well, heard just now. */
function render(evidenceMs = EVIDENCE_MS): void {
  const now = Date.now();
  renderedAt = now;
  const until = now + evidenceMs;
  const outlook = [
    { from: now, status: "operational" as const, since: now - HOUR, why: null },
    { from: until, status: "unknown" as const, since: until, why: null },
  ];
  const components = [0, 1].map((i) => component(i, { outlook, heardAt: now, days: [] }));
  body = renderPage({
    snapshot: snapshot(components, { generatedAt: now }),
    now,
    origin: server.url,
    isCopy: false,
    locale,
  });
}

/** A visitor whose clock is off by `ms`; timers and the browser's own books are as they are. */
async function visitor(ms = 0): Promise<Page> {
  const page = await context.newPage();
  await page.addInitScript((offset) => {
    const now = Date.now.bind(Date);
    Date.now = () => now() + offset;
  }, ms);
  return page;
}

/** What is green on a page: marks, the headline, the tab. */
async function greens(page: Page): Promise<readonly string[]> {
  const marks = await page.locator("#headline .m.operational, main li .m.operational").count();
  const headline = await page.locator("#headline").innerText();
  return [
    ...(marks > 0 ? [`${marks} marks`] : []),
    ...(/operational/i.test(headline) ? ["headline"] : []),
    ...(/operational/i.test(await page.title()) ? ["title"] : []),
  ];
}

const ALL = ["3 marks", "headline", "title"];

async function expire(evidenceMs = EVIDENCE_MS): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, renderedAt + evidenceMs + TICK_MS - Date.now()));
}

async function goesOffline(): Promise<void> {
  server.freeze();
  await context.setOffline(true);
}

describe("a page that nobody renews", () => {
  it("is green while its evidence lasts and not after it, over an open and silent socket", async () => {
    const page = await visitor();
    await page.goto(server.url);
    expect(await greens(page)).toEqual(ALL);
    server.freeze();
    await expire();
    expect(await greens(page)).toEqual([]);
    expect(await page.locator("#headline").innerText()).toMatch(/^No news since \d\d:\d\d UTC$/);
  });

  it("says that live data cannot be reached also where the edge takes requests and answers none", async () => {
    const page = await visitor();
    await page.goto(server.url);
    await expect.poll(() => server.sockets()).toBe(1);
    server.freeze("hangs");
    server.drop();
    // Without a socket the page asks after 10 to 15 s, and waits 10 s for an answer.
    await expect.poll(() => page.locator("#copy").isVisible(), { timeout: 45 * SECOND, interval: SECOND }).toBe(true);
    expect(await greens(page)).toEqual([]);
  });

  it("loses its green in a tab in the background too", async () => {
    const page = await visitor();
    await page.addInitScript(() => Object.defineProperty(document, "hidden", { get: () => true }));
    await page.goto(server.url);
    server.freeze();
    await expire();
    expect(await page.title()).toMatch(/^No news since/);
    expect(await page.locator("[rel=icon]").getAttribute("href")).toBe("data:,");
  });

  it.each([
    ["right", 0],
    ["three hours ahead", 3 * HOUR],
    ["three hours behind", -3 * HOUR],
  ])("out of the browser's cache while offline is green nowhere: clock %s", async (_name, ms) => {
    const page = await visitor(ms);
    await page.goto(server.url);
    await page.goto(`${server.url}/elsewhere`);
    await goesOffline();
    // As a link or a bookmark, so that it is the cache that answers and not a page kept alive.
    await page.goto(server.url, { waitUntil: "commit" });
    const [bytes] = await page.evaluate(() =>
      (performance.getEntriesByType("navigation") as PerformanceNavigationTiming[]).map((entry) => entry.transferSize),
    );
    expect(bytes).toBe(0);
    await expect.poll(() => greens(page)).toEqual([]);
    await expect.poll(() => page.locator("#copy").isVisible()).toBe(true);
    expect(await page.locator("#asof").innerText()).toMatch(/^as of .* UTC/);
  });

  it("kept alive for the way back is green no more once its evidence has expired", async () => {
    const page = await visitor();
    await page.goto(server.url);
    await page.evaluate(() => ((globalThis as { isTheSame?: boolean }).isTheSame = true));
    await page.goto(`${server.url}/elsewhere`);
    await goesOffline();
    await expire();
    await page.goBack({ waitUntil: "commit" });
    await expect.poll(() => page.title(), { timeout: 2 * SECOND }).toMatch(/^No news since/);
    expect(await greens(page)).toEqual([]);
  });

  it("saved to a file and opened later is green nowhere", async () => {
    const folder = mkdtempSync(join(tmpdir(), "page-"));
    try {
      writeFileSync(join(folder, "page.html"), body);
      await expire();
      const page = await visitor();
      await page.goto(`file://${folder}/page.html`);
      expect(await greens(page)).toEqual([]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("a visitor whose clock is wrong", () => {
  it("by hours ahead sees what is so as soon as the page has asked what time it is", async () => {
    render(2 * EVIDENCE_MS);
    const page = await visitor(5 * HOUR);
    await page.goto(server.url);
    // Nothing vouches for green before that.
    await expect.poll(() => greens(page), { timeout: EVIDENCE_MS }).toEqual(ALL);
    server.freeze();
    // An answer's date has whole seconds, so the page's clock is behind by up to one.
    await expire(2 * EVIDENCE_MS + SECOND);
    expect(await greens(page)).toEqual([]);
  });

  it("by hours behind sees green for no longer than others, but for the time in which it came", async () => {
    const page = await visitor(-5 * HOUR);
    await page.goto(server.url);
    const cameMs = Date.now() - renderedAt;
    expect(await greens(page)).toEqual(ALL);
    server.freeze();
    await expire(EVIDENCE_MS + cameMs);
    expect(await greens(page)).toEqual([]);
  });
});

describe("without a script", () => {
  it("names the moment and the day, how to renew it, and has no colour for longer than evidence lasts", async () => {
    const still = await browser.newContext({ javaScriptEnabled: false });
    const page = await still.newPage();
    await page.goto(server.url);
    const day = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short", timeZone: "UTC" });
    const text = await page.locator("main").innerText();
    expect(text).toContain(`as of ${day.format(renderedAt).replace(",", "")} `);
    expect(text).toContain("reload it for what is now");
    expect(text).not.toMatch(/\d (s|min|h|days) (ago|old)/);
    const colours = async (): Promise<ReadonlySet<string>> =>
      new Set(await page.locator("main .m").evaluateAll((marks) => marks.map((mark) => getComputedStyle(mark).color)));
    const fresh = await colours();
    // A minute later, without waiting for it.
    await page.evaluate(() => document.getAnimations().forEach((animation) => (animation.currentTime = 61_000)));
    const old = await colours();
    // oklab(lightness a b), oklch(lightness chroma hue): how far from grey.
    const chroma = ([colour = ""]: readonly string[]): number => {
      const [, a = 0, b = 0] = (colour.match(/-?[\d.]+/g) ?? []).map(Number);
      return colour.startsWith("oklab") ? Math.hypot(a, b) : a;
    };
    expect([fresh.size, old.size]).toEqual([1, 1]);
    expect(chroma([...fresh])).toBeGreaterThan(0.1);
    expect(chroma([...old])).toBeLessThan(0.02);
    await still.close();
  });
});
