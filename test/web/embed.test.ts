/** What leaves the page for other people's sites and readers, in a real browser: the embed, badges, feeds' contents. */
import type { Browser, Page } from "playwright-core";
import Parser from "rss-parser";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { PageSnapshot } from "../../protocol/page.ts";
import { MINUTE, SECOND } from "../../protocol/time.ts";
import { EMBED_SCRIPT } from "../../web/view/assets.generated.ts";
import { renderBadge } from "../../web/view/badge.ts";
import { renderEmbedFrame } from "../../web/view/embed.ts";
import { historyAtom, historyRss } from "../../web/view/feed/history.ts";
import { WHOLE_PAGE } from "../../web/view/feed/scope.ts";
import { FRAME_POLICY } from "../../web/view/policy.ts";
import { closePages, startBrowser } from "../support/browser.ts";
import { announced, HOSTILE_BODY, HOSTILE_NAME, incident, update } from "./announcements.ts";
import type { PageServer, Served } from "./page-server.ts";
import { servePages } from "./page-server.ts";
import { component, healthy, NOW, said, snapshot } from "./snapshots.ts";

let browser: Browser;
let status: PageServer;
let site: PageServer;
let current: PageSnapshot;
let renderedAt: number;
/** What another site includes, besides the script's address. */
let attributes: string;
let errors: string[];

beforeAll(async () => {
  browser = await startBrowser();
});
afterAll(() => browser.close());

beforeEach(async () => {
  current = healthy(3);
  renderedAt = NOW;
  attributes = "";
  errors = [];
  status = await servePages((path): Served | null => {
    if (path === "/embed.js") return { policy: "", body: EMBED_SCRIPT, headers: { "content-type": "text/javascript" } };
    const body = renderEmbedFrame({ snapshot: current, now: renderedAt, origin: status.url });
    return path === "/embed/frame" ? { policy: FRAME_POLICY, body } : null;
  });
  site = await servePages((path) => {
    const body = `<!doctype html><title>Shop</title><link rel="icon" href="data:,"><script src="${status.url}/embed.js"${attributes} async></script><h1>Shop</h1>`;
    return path === "/" ? { policy: "", body } : null;
  });
});
afterEach(async () => {
  await closePages(browser);
  status.stop();
  site.stop();
});

/** A page of another site whose clock stands at NOW until a test moves it. */
async function open(address: string, options: Parameters<Browser["newContext"]>[0] = {}): Promise<Page> {
  const page = await (await browser.newContext(options)).newPage();
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("dialog", (dialog) => {
    errors.push(`dialog ${dialog.message()}`);
    void dialog.dismiss();
  });
  await page.clock.install({ time: NOW - MINUTE });
  await page.clock.pauseAt(NOW);
  await page.goto(address);
  return page;
}

function payments(words: string): PageSnapshot {
  return snapshot([component(1, { outlook: said("partial_outage", NOW, words, NOW) })]);
}

/** The frame in the other site, once it has told whether it has something to say. */
async function shown(page: Page): Promise<boolean> {
  await page.frameLocator("iframe").locator("main").waitFor({ state: "attached" });
  return page.locator("iframe").isVisible();
}

const frameText = (page: Page): Promise<string> => page.frameLocator("iframe").locator("main").innerText();

describe("the embed on another site", () => {
  it("says nothing while all is well, and costs neither a cookie nor storage", async () => {
    const page = await open(site.url);
    expect(await shown(page)).toBe(false);
    expect(status.requests).toEqual(["GET /embed.js", "GET /embed/frame"]);
    expect(await page.context().cookies()).toEqual([]);
    expect(await page.evaluate(() => [localStorage.length, sessionStorage.length])).toEqual([0, 0]);
    expect(errors).toEqual([]);
  });

  it("shows what is wrong, in Statuspage's frame", async () => {
    current = payments("About 3 in 10 requests fail.");
    const page = await open(site.url);
    await expect.poll(() => shown(page)).toBe(true);
    expect(await frameText(page)).toContain("Payments is failing for some requests");
    expect(await page.locator("iframe").evaluate((one) => [one.clientWidth, one.clientHeight])).toEqual([320, 115]);
    const inside = page.frameLocator("iframe").locator("main");
    expect(await inside.evaluate((one) => one.scrollHeight - one.clientHeight)).toBe(0);
  });

  it("stands where the site wants it, and fits a phone", async () => {
    current = payments("");
    attributes = ' data-position="top-left"';
    const page = await open(site.url, { viewport: { width: 320, height: 600 } });
    await expect.poll(() => shown(page)).toBe(true);
    expect(await page.locator("iframe").boundingBox()).toMatchObject({ x: 16, y: 16, width: 288 });
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(320);
  });

  it("says that data is missing: unknown is not well", async () => {
    current = snapshot([component(0, { outlook: [{ from: 0, status: "unknown", since: NOW, why: null }] })]);
    const page = await open(site.url);
    await expect.poll(() => shown(page)).toBe(true);
    expect(await frameText(page)).toContain("not reporting");
  });

  it("asks again while it is open, shows what has begun, and goes when it is over", async () => {
    const page = await open(site.url);
    expect(await shown(page)).toBe(false);
    current = { ...healthy(3), incidents: [incident()] };
    await page.clock.runFor(31 * SECOND);
    await expect.poll(() => shown(page)).toBe(true);
    expect(await frameText(page)).toContain("Some payments fail");
    current = healthy(3);
    await page.clock.runFor(31 * SECOND);
    await expect.poll(() => shown(page)).toBe(false);
  });

  it("shows an incident over green parts", async () => {
    current = { ...healthy(3), incidents: [incident({ name: "Mails are late", impact: "none" })] };
    const page = await open(site.url);
    await expect.poll(() => shown(page)).toBe(true);
    expect(await frameText(page)).toContain("Mails are late");
  });

  it("asks nothing in a tab that nobody looks at, and once somebody does", async () => {
    const page = await open(site.url);
    expect(await shown(page)).toBe(false);
    const hide = (isHidden: boolean) =>
      page
        .frameLocator("iframe")
        .locator("main")
        .evaluate((_, hidden) => {
          Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
          document.dispatchEvent(new Event("visibilitychange"));
        }, isHidden);
    await hide(true);
    const asked = status.requests.length;
    await page.clock.runFor(95 * SECOND);
    expect(status.requests.length).toBe(asked);
    await hide(false);
    await expect.poll(() => status.requests.length).toBe(asked + 1);
    await hide(false);
    expect(status.requests.length).toBe(asked + 1);
  });

  it("stays closed once it is closed, until something else is said", async () => {
    current = { ...healthy(3), incidents: [incident()] };
    const page = await open(site.url);
    await expect.poll(() => shown(page)).toBe(true);
    await page.frameLocator("iframe").getByRole("button", { name: "Close" }).click();
    await expect.poll(() => shown(page)).toBe(false);
    const asked = status.requests.length;
    await page.clock.runFor(31 * SECOND);
    await expect.poll(() => status.requests.length).toBe(asked + 1);
    expect(await shown(page)).toBe(false);
    current = { ...healthy(3), incidents: [incident({ name: "All payments fail", impact: "critical" })] };
    await page.clock.runFor(31 * SECOND);
    await expect.poll(() => shown(page)).toBe(true);
  });

  it("does not go on saying what nobody confirms", async () => {
    current = payments("About 3 in 10 requests fail.");
    const page = await open(site.url);
    await expect.poll(() => shown(page)).toBe(true);
    status.freeze();
    await page.clock.runFor(61 * SECOND);
    await expect.poll(() => frameText(page)).toContain("The status cannot be read at the moment");
    expect(await frameText(page)).not.toContain("Payments is failing");
  });

  it("listens to its own frame only", async () => {
    const page = await open(site.url);
    expect(await shown(page)).toBe(false);
    // Whoever listens later hears it later: by then the embed has heard it too.
    await page.evaluate(
      () =>
        new Promise((resolve) => {
          addEventListener("message", resolve, { once: true });
          postMessage({ action: "showFrame" }, "*");
        }),
    );
    expect(await page.locator("iframe").isVisible()).toBe(false);
  });

  it("takes what people typed for text", async () => {
    current = { ...healthy(1), incidents: [incident({ name: HOSTILE_NAME, impact: "critical" })] };
    const page = await open(site.url);
    await expect.poll(() => shown(page)).toBe(true);
    expect(await frameText(page)).toContain("<script>alert(1)</script>");
    expect(errors).toEqual([]);
  });
});

describe("a badge in a browser", () => {
  const badge = (name: string, until: number): string =>
    renderBadge({
      name,
      statusAt: (at) => (at < until ? "operational" : "unknown"),
      until,
      now: NOW,
      timeZone: "Etc/UTC",
    });

  it("turns grey by itself when what it says does not hold any more", async () => {
    const page = await open("about:blank");
    await page.setContent(badge("Checkout", NOW + 4 * SECOND));
    const visible = (face: string) => page.locator(`${face} .w`).evaluate((one) => getComputedStyle(one).visibility);
    expect([await visible(".a"), await visible(".b")]).toEqual(["visible", "hidden"]);
    await expect.poll(() => visible(".b")).toBe("visible");
    expect(await visible(".a")).toBe("hidden");
  });

  it("takes an operator's mischief for a name", async () => {
    const page = await open(`data:image/svg+xml,${encodeURIComponent(badge(HOSTILE_NAME, Infinity))}`);
    expect(await page.locator(".n").textContent()).toContain("<script>alert(1)</script>");
    expect(await page.evaluate(() => document.querySelectorAll("script, image, [onerror]").length)).toBe(0);
    expect(errors).toEqual([]);
  });

  it("has room for every name", async () => {
    const page = await open("about:blank");
    const names = ["iii", "Checkout", "WWWWWWWW", "決済サービス", "خدمة الدفع"];
    await page.setContent(names.map((name) => `<p>${badge(name, Infinity)}</p>`).join(""));
    const badges = await page.evaluate(() =>
      [...document.querySelectorAll("svg")].map((svg) => {
        const [label, words] = [".n", ".w"].map((one) => (svg.querySelector(one) as SVGTextElement).getBBox());
        return {
          between: (words?.x ?? 0) - (label?.x ?? 0) - (label?.width ?? 0),
          behind: svg.clientWidth - (words?.x ?? 0) - (words?.width ?? 0),
        };
      }),
    );
    for (const { between, behind } of badges) {
      // The shape with its space on both sides.
      expect(between).toBeGreaterThanOrEqual(22);
      expect(behind).toBeGreaterThanOrEqual(7);
    }
    expect(badges).toHaveLength(names.length);
  });
});

it("what feeds carry is inert in a reader that shows it as it is", async () => {
  const updates = [update("update000009", "monitoring" as const, HOSTILE_BODY, NOW)];
  const log = {
    incidents: [incident({ name: HOSTILE_NAME, updates })],
    maintenances: [
      announced({ name: HOSTILE_NAME, updates: [update("u00000000008", "scheduled", HOSTILE_BODY, NOW)] }),
    ],
  };
  const view = { page: snapshot([]).page, log, origin: "https://status.example.com", scope: WHOLE_PAGE };
  const feeds = [historyAtom(view), historyRss(view)];
  const read = await Promise.all(feeds.map((text) => new Parser().parseString(text)));
  const items = read.flatMap((feed) => feed.items);
  expect(items).toHaveLength(4);
  const page = await open("about:blank");
  // A browser's parser is strict where others forgive: signs that XML has no way to say, for one.
  const faults = await page.evaluate(
    (texts) =>
      texts.map(
        (text) => new DOMParser().parseFromString(text, "application/xml").querySelector("parsererror")?.textContent,
      ),
    feeds,
  );
  expect(faults).toEqual([undefined, undefined]);
  const found = await page.evaluate(
    (texts) => {
      document.body.innerHTML = texts.join("");
      const all = [...document.body.querySelectorAll("*")];
      return {
        tags: [...new Set(all.map((one) => one.localName))],
        attributes: [...new Set(all.flatMap((one) => one.getAttributeNames()))],
        addresses: [...document.querySelectorAll("a")].map((link) => link.getAttribute("href") ?? ""),
      };
    },
    items.flatMap(({ title = "", content = "" }) => [title, content]),
  );
  const ours = ["p", "small", "var", "br", "strong", "a", "pre", "code"];
  expect(found.tags.filter((tag) => !ours.includes(tag))).toEqual([]);
  expect(found.attributes.toSorted()).toEqual(["class", "data-var", "href", "title"]);
  for (const address of found.addresses) expect(address).toMatch(/^$|^https:/);
  expect(errors).toEqual([]);
});
