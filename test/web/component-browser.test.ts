/** A component's own page in a real browser: it lives, and its pictures are read out. */
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { MINUTE, SECOND } from "../../protocol/time.ts";
import { renderComponent } from "../../web/view/component.ts";
import { COMPONENT_POLICY } from "../../web/view/policy.ts";
import { localeOf } from "../../web/view/words/locale.ts";
import { closePages, startBrowser } from "../support/browser.ts";
import { CHARTS } from "./component-charts.ts";
import type { PageServer } from "./page-server.ts";
import { servePages } from "./page-server.ts";
import { change, healthy, NOW, said } from "./snapshots.ts";

const ID = "component001";
let browser: Browser;
let server: PageServer;
let errors: string[] = [];

beforeAll(async () => {
  browser = await startBrowser();
});
afterAll(() => browser.close());
beforeEach(async () => {
  errors = [];
  server = await servePages((path) => {
    const view = {
      snapshot: healthy(),
      now: NOW,
      origin: server.url,
      isCopy: false,
      locale: localeOf("en", "Etc/UTC"),
    };
    const log = { version: 7, incidents: [], maintenances: [] };
    const body = renderComponent({ ...view, log, component: ID, range: "day", charts: CHARTS });
    return body === null || path !== `/components/${ID}` ? null : { policy: COMPONENT_POLICY, body };
  });
  return async () => {
    await closePages(browser);
    server.stop();
  };
});

async function open(width = 1_280): Promise<Page> {
  const context = await browser.newContext({ timezoneId: "Etc/UTC", viewport: { width, height: 900 } });
  const page = await context.newPage();
  page.on("console", (message) => errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(error.message));
  await page.clock.install({ time: NOW - MINUTE });
  await page.clock.pauseAt(NOW);
  await page.goto(`${server.url}/components/${ID}`);
  return page;
}

const readOut = (page: Page, box: string): Promise<string | null> => page.locator(box).first().getAttribute("data-r");

describe("a component's page in a browser", () => {
  it("is one request, and nothing that the policy forbids; 320 px are wide enough", async () => {
    const page = await open(320);
    await expect.poll(() => server.sockets()).toBe(1);
    expect(server.requests.filter((line) => line.startsWith("GET"))).toEqual([`GET /components/${ID}`]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(320);
    expect(errors).toEqual([]);
  });

  it("reads charts and bars out: with the arrow keys aloud, under the pointer beside them", async () => {
    const page = await open();
    const chart = page.locator(".plot").first();
    await chart.focus();
    await page.keyboard.press("ArrowLeft");
    expect(await readOut(page, ".large")).toBe("13:47 UTC: p99 900 ms, p95 184 ms, p50 40 ms");
    expect(await page.locator("#say").textContent()).toBe("13:47 UTC: p99 900 ms, p95 184 ms, p50 40 ms");
    for (let i = 0; i < 45; i++) await page.keyboard.press("ArrowLeft");
    expect(await readOut(page, ".large")).toBe("02:32 UTC: p99 900 ms, p95 no data, p50 40 ms");
    const { x = 0, y = 0, width = 0 } = (await chart.boundingBox()) ?? {};
    await page.mouse.move(x + width / 4 + 2, y + 20);
    expect(await readOut(page, ".large")).toMatch(/^Sun 22 Nov 20:02 UTC: p99 900 ms/);
    await page.locator(".bars").focus();
    await page.keyboard.press("ArrowLeft");
    expect(await readOut(page, ".full .h")).toMatch(/^23 Nov: /);
  });

  it("shows what a frame says of it, keeps its charts and an open table, and says it", async () => {
    const page = await open();
    await expect.poll(() => server.sockets()).toBe(1);
    await page.locator("details.values summary").click();
    const chart = await page.locator(".plot").first().elementHandle();
    const outlook = said("partial_outage", NOW, "About 3 in 10 requests fail.", NOW);
    const components = healthy().components.map((one) => (one.id === ID ? { ...one, outlook } : one));
    server.send(change(components, NOW));
    await expect.poll(() => page.locator("#s-0").innerText()).toContain("Partial outage");
    expect(await page.locator("#w-0").innerText()).toBe("Since 14:02 UTC: About 3 in 10 requests fail.");
    expect(await page.locator("#say").textContent()).toBe("Payments: Partial outage");
    expect(await page.locator("details.values").getAttribute("open")).toBe("");
    expect(await chart?.evaluate((element) => element.isConnected)).toBe(true);
  });

  it("is never green for longer than its evidence holds", async () => {
    const page = await open();
    await expect.poll(() => server.sockets()).toBe(1);
    server.freeze();
    await page.clock.runFor(30 * SECOND);
    expect(await page.locator("#s-0").innerText()).toContain("Unknown");
    expect(await page.locator("main .m.operational").count()).toBe(0);
    await page.clock.runFor(30 * SECOND);
    await expect.poll(() => page.locator("#copy").isVisible()).toBe(true);
  });
});
