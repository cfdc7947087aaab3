/** The public documents besides the live page, in a real browser. */
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { PageChange, PageSnapshot } from "../../protocol/page.ts";
import { renderChoose } from "../../web/view/choose.ts";
import { renderIncident } from "../../web/view/incident.ts";
import { renderMaintenancePage } from "../../web/view/maintenance.ts";
import type { PageView } from "../../web/view/page.ts";
import { renderPage } from "../../web/view/page.ts";
import { renderPast } from "../../web/view/past.ts";
import { PAGES_POLICY, PAGE_POLICY } from "../../web/view/policy.ts";
import { renderNothing } from "../../web/view/problem.ts";
import { closePages, startBrowser } from "../support/browser.ts";
import { announced, HOSTILE_BODY, HOSTILE_NAME, incident, resolved, update } from "./announcements.ts";
import type { PageServer } from "./page-server.ts";
import { servePages } from "./page-server.ts";
import { localeOf } from "../../web/view/words/locale.ts";
import { healthy, NOW, said } from "./snapshots.ts";

const hostile = incident({
  id: "hostile00001",
  name: HOSTILE_NAME,
  updates: [update("update000009", "investigating" as const, HOSTILE_BODY, NOW)],
});
const log = { version: 7, incidents: [incident(), hostile, resolved(3)], maintenances: [announced()] };

/** The first view of a page on which whoever could type something has meant ill. */
const hostilePage: PageSnapshot = {
  ...healthy(3),
  components: healthy(3).components.map((one) => ({
    ...one,
    name: HOSTILE_NAME,
    group: HOSTILE_NAME,
    outlook: said("major_outage", NOW, HOSTILE_BODY, NOW),
  })),
  incidents: [hostile, resolved(3, { name: HOSTILE_NAME, updates: hostile.updates })],
  maintenances: [announced({ name: HOSTILE_NAME, updates: [update("mupdate00009", "scheduled", HOSTILE_BODY, NOW)] })],
};

/** The page as `/view/:id` shows it. */
function ownView(view: PageView, id: string): string {
  const components = view.snapshot.components.filter((one) => one.id === id);
  const chosen = { path: `/view/${id}`, ids: [id], gone: 0 };
  return renderPage({ ...view, snapshot: { ...view.snapshot, components }, chosen });
}

let browser: Browser;
let server: PageServer;
let errors: string[];

beforeAll(async () => {
  browser = await startBrowser();
  server = await servePages((path) => {
    const view = {
      snapshot: healthy(),
      log,
      now: NOW,
      origin: server.url,
      isCopy: false,
      locale: localeOf("en", "Etc/UTC"),
    };
    const [, kind = "", id = ""] = path.split(/[/?]/);
    const render: Record<string, () => string | null> = {
      incidents: () => renderIncident(view, id),
      maintenance: () => renderMaintenancePage(view, id),
      history: () => renderPast(view, null),
      view: () => renderChoose(view, []),
      nothing: () => renderNothing(view.locale),
    };
    if (path === "/hostile") return { policy: PAGE_POLICY, body: renderPage({ ...view, snapshot: hostilePage }) };
    if (path.startsWith("/view/")) return { policy: PAGE_POLICY, body: ownView(view, id) };
    const body = render[kind]?.() ?? null;
    return body === null ? null : { policy: PAGES_POLICY, body };
  });
});
afterAll(async () => {
  server.stop();
  await browser.close();
});
beforeEach(() => void (errors = []));
afterEach(() => closePages(browser));

async function open(path: string, options: BrowserContextOptions = {}): Promise<Page> {
  const page = await (await browser.newContext({ timezoneId: "Etc/UTC", ...options })).newPage();
  page.on("console", (message) => errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("dialog", (dialog) => {
    errors.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  server.requests.length = 0;
  await page.goto(server.url + path);
  return page;
}

const PATHS = [
  "/incidents/incident0001",
  "/incidents/hostile00001",
  "/maintenance/announced001",
  "/history",
  "/view",
  "/nothing",
];

it("has a head that is not seen before it is whole, so that it never makes room", async () => {
  const page = await open("/history");
  const isSeen = (): Promise<boolean> => page.locator("header").isVisible();
  expect(await isSeen()).toBe(true);
  // As it is while the reader of the document stands in it.
  await page.evaluate(() => {
    while (document.body.lastElementChild?.localName !== "header") document.body.lastElementChild?.remove();
  });
  expect(await isSeen()).toBe(false);
});

describe.each(PATHS)("%s", (path) => {
  it("is one request that breaks no policy, runs nothing that people wrote, and fits 320 px", async () => {
    const page = await open(path, { viewport: { width: 320, height: 640 } });
    await page.waitForTimeout(50);
    expect(server.requests).toEqual([`GET ${path}`]);
    expect(errors).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(320);
    // Nothing that expires: what is written down keeps its colour.
    const marks = await page.evaluate(() => document.body.getAnimations({ subtree: true }).length);
    expect(marks).toBe(0);
  });
});

it("the first view runs nothing that people wrote, as it came and as its script renders it anew", async () => {
  const page = await open("/hostile");
  await expect.poll(() => server.sockets()).toBe(1);
  const made =
    "main :is(script, img, iframe, form, input, base, object), [onerror], [onload], [onmouseover], [onclick]";
  const look = async (): Promise<void> => {
    await page.evaluate(() => document.querySelectorAll("details").forEach((one) => (one.open = true)));
    expect(await page.locator(made).count()).toBe(0);
    const links = await page.locator("main a").evaluateAll((all) => all.map((a) => (a as HTMLAnchorElement).protocol));
    expect(new Set(links)).toEqual(new Set(["http:", "https:"]));
    expect(errors).toEqual([]);
  };
  expect(await page.locator("h3").first().innerText()).toContain("<script>alert(1)</script>");
  await look();
  const outlook = [{ from: NOW, status: "partial_outage" as const, since: NOW, why: `${HOSTILE_BODY} news` }];
  const components = hostilePage.components.map((one) => ({ ...one, days: [], outlook }));
  server.send({ version: 8, generatedAt: NOW + 1, components, maintenances: [] } satisfies PageChange);
  await expect.poll(() => page.locator(".w").first().innerText()).toMatch(/news$/);
  await look();
  server.drop();
});

describe("a moment", () => {
  const times = async (path: string, timezoneId: string): Promise<readonly string[]> => {
    const page = await open(path, { timezoneId });
    const texts = await page.locator("time").allInnerTexts();
    return texts;
  };

  it.each([
    ["/maintenance/announced001", "Etc/UTC", "Sat, 28 Nov 2026, 02:00–04:00 UTC"],
    ["/maintenance/announced001", "Asia/Tokyo", "Sat, 28 Nov 2026, 02:00–04:00 UTC (11:00–13:00 GMT+9 your time)"],
    [
      "/maintenance/announced001",
      "America/New_York",
      "Sat, 28 Nov 2026, 02:00–04:00 UTC (Fri, 27 Nov 2026, 21:00–23:00 GMT-5 your time)",
    ],
    ["/incidents/incident0001", "Asia/Kolkata", "Mon, 23 Nov 2026, 13:48 UTC (19:18 GMT+5:30 your time)"],
  ])("of %s reads in %s as %s", async (path, zone, words) => expect((await times(path, zone))[0]).toBe(words));
});

describe("the choice of an own view", () => {
  it.each([true, false])("asks for what was chosen (script: %s)", async (javaScriptEnabled) => {
    const page = await open("/view", { javaScriptEnabled });
    await page.getByText("Checkout").click();
    await page.getByText("Search").click();
    await page.getByRole("button").click();
    await expect.poll(() => server.requests.at(-1)).toBe("GET /view?c=component000&c=component003");
  });
});

describe("an own view that is open", () => {
  it("stays what was chosen while news of all the page arrive", async () => {
    const page = await open("/view/component003");
    await expect.poll(() => server.sockets()).toBe(1);
    const { components, maintenances, version } = healthy();
    const said = [{ from: NOW, status: "major_outage", since: NOW, why: "It is not running." }];
    const news = components.map((one) => ({
      ...one,
      days: [],
      ...(one.id === "component003" && { outlook: said }),
    }));
    server.send({ version: version + 1, generatedAt: NOW, components: news, maintenances });
    await expect
      .poll(() => server.requests.filter((line) => line.startsWith("GET")).at(-1))
      .toBe("GET /view/component003");
    expect(await page.locator("h3").allInnerTexts()).toEqual(["Search"]);
    expect(await page.getByText("This is your own view.").count()).toBe(1);
    expect(errors).toEqual([]);
  });
});
