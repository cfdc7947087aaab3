import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { PageSnapshot } from "../../protocol/page.ts";
import { DAY, HOUR, MINUTE, SECOND } from "../../protocol/time.ts";
import { renderClusters } from "../../web/view/admin/clusters.ts";
import { renderMaintenanceNew } from "../../web/view/admin/maintenance-new.ts";
import { renderMaintenance } from "../../web/view/admin/maintenance.ts";
import { renderPage } from "../../web/view/page.ts";
import { ADMIN_POLICY, PAGE_POLICY } from "../../web/view/policy.ts";
import { closePages, startBrowser } from "../support/browser.ts";
import { incident } from "./announcements.ts";
import { FRAME, HOME, maintenance, NEW_MAINTENANCE } from "./admin-models.ts";
import type { PageServer } from "./page-server.ts";
import { servePages } from "./page-server.ts";
import { change, component, everyState, healthy, NOW, said } from "./snapshots.ts";
import { localeOf, splitLanguage } from "../../web/view/words/locale.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await startBrowser();
});
afterAll(() => browser.close());

let server: PageServer;
/** What the server answers on / just now, and when it rendered it. */
let current: PageSnapshot;
let renderedAt: number;
/** What another version of the edge has in its styles. */
let restyled: string;
let errors: string[];

const asked = maintenance({ deliveredAt: null, acceptedAt: null, appliedAt: null, result: null });

beforeEach(async () => {
  current = healthy();
  renderedAt = NOW;
  errors = [];
  restyled = "";
  const admin = (body: string) => ({ policy: ADMIN_POLICY, body });
  server = await servePages((path) => {
    const { lang, path: unnamed } = splitLanguage(path);
    if (unnamed === "/") {
      const spoken = localeOf(lang ?? "en", "Etc/UTC");
      const body = renderPage({
        snapshot: current,
        now: renderedAt,
        origin: server.url,
        isCopy: false,
        locale: spoken,
      });
      return { policy: PAGE_POLICY, body: body.replaceAll("</style>", () => `${restyled}</style>`) };
    }
    if (path === "/admin/clusters") return admin(renderClusters({ clusters: HOME.clusters, mayChange: true }, FRAME));
    if (path === "/admin/maintenance/new") return admin(renderMaintenanceNew(NEW_MAINTENANCE, FRAME));
    if (path === "/admin/maintenance/maint0000001") {
      return admin(renderMaintenance({ maintenance: asked, components: [] }, FRAME));
    }
    return null;
  });
});
afterEach(async () => {
  // First: a page whose server goes away says so, in the middle of the next test.
  await closePages(browser);
  server.stop();
});

/** A page whose clock stands at NOW until a test moves it; it collects what the console says. */
async function open(path: string, options: BrowserContextOptions = {}): Promise<Page> {
  const context = await browser.newContext({ timezoneId: "Etc/UTC", ...options });
  const page = await context.newPage();
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") errors.push(message.text());
  });
  page.on("pageerror", (error) => errors.push(error.message));
  await page.clock.install({ time: NOW - MINUTE });
  await page.clock.pauseAt(NOW);
  await page.goto(server.url + path);
  return page;
}

/**
 * What is seen while the clock runs on. Pages do not all ask in one moment for what a frame tells of, but within
 * seconds; and in steps, as an answer is given up after ten seconds of this clock, however busy the machine is.
 */
function soon<Seen>(page: Page, look: () => Promise<Seen>) {
  return expect.poll(
    async () => {
      await page.clock.runFor(2 * SECOND);
      return look();
    },
    { interval: SECOND },
  );
}

async function connected(): Promise<void> {
  await expect.poll(() => server.sockets()).toBeGreaterThan(0);
}

describe("the public page in a browser", () => {
  it("is one request, and nothing that the policy forbids", async () => {
    const page = await open("/");
    await connected();
    expect(server.requests.filter((line) => line.startsWith("GET"))).toEqual(["GET /"]);
    expect(await page.title()).toBe("All systems operational · Acme status");
    expect(errors).toEqual([]);
  });

  it("is read without a script", async () => {
    current = everyState();
    const page = await open("/", { javaScriptEnabled: false });
    const text = await page.locator("main").innerText();
    for (const words of [
      "Search is down",
      "About 3 of 10 requests fail.",
      "No report since 13:50 UTC",
      "history starts 19 Nov",
    ]) {
      expect(text).toContain(words);
    }
    expect(server.requests).toEqual(["GET /"]);
  });

  it("turns every row unknown when its feed is frozen, at the evidence's expiry", async () => {
    const page = await open("/");
    await connected();
    server.freeze();
    await page.clock.runFor(26 * SECOND);
    expect(await page.locator("#headline").innerText()).toContain("All systems operational");
    await page.clock.runFor(3 * SECOND);
    expect(await page.locator("#headline").innerText()).toContain("No news since 14:02 UTC");
    expect(await page.locator("#s-0").innerText()).toMatch(/Unknown/);
    expect(await page.locator("#w-0").innerText()).toBe("No report since 14:02 UTC");
    expect(await page.locator("main .m.operational").count()).toBe(0);
    expect(await page.locator("#say").textContent()).toContain("No news since 14:02 UTC");
    expect(await page.title()).toContain("No news since 14:02 UTC");
    expect(await page.locator("[rel=icon]").getAttribute("href")).toBe("data:,");
  });

  it("is not made green again by a copy that answers with its old date, however often", async () => {
    const page = await open("/");
    server.drop();
    const greens = async (): Promise<number> => page.locator("main .m.operational").count();
    for (let seconds = 0; seconds < 120; seconds += 5) {
      await page.clock.runFor(5 * SECOND);
      if (seconds >= 30) expect(await greens()).toBe(0);
    }
    expect(server.requests.filter((line) => line === "GET /").length).toBeGreaterThan(3);
  });

  it("speaks its language when it is live, too, and asks for itself in it", async () => {
    const page = await open("/ar");
    await connected();
    // Reasons in its language come with the first of them, and the page itself needs none.
    server.send(change(healthy().components, NOW + 1));
    expect(server.requests.filter((line) => line.startsWith("GET"))).toEqual(["GET /ar"]);
    const outlook = said("partial_outage", NOW, "About 3 of 10 requests fail. Likely because of Ledger.", NOW);
    server.send(
      change(
        healthy().components.map((c) => (c.name === "Payments" ? { ...c, outlook } : c)),
        NOW + 1,
      ),
    );
    await expect.poll(() => page.locator("#w-1").innerText()).toContain("يفشل نحو 3 من كل 10 من الطلبات.");
    expect(await page.locator("#w-1").innerText()).toContain("السبب على الأرجح: Ledger.");
    await page.locator(".bars").first().focus();
    await page.keyboard.press("ArrowLeft");
    const seen = await page.locator("main").innerText();
    expect(`${seen} ${await page.locator("#say").textContent()}`).not.toMatch(
      /\b(data|since|operational|requests|days)\b/,
    );
    server.drop();
    const asks = (): Promise<number> => Promise.resolve(server.requests.filter((line) => line === "GET /ar").length);
    await page.clock.runFor(40 * SECOND);
    await soon(page, asks).toBeGreaterThan(1);
    expect(server.requests).not.toContain("GET /");
    // Time runs to the right where words run to the left: the newest day stands under "today".
    const [today, bars] = await Promise.all([
      page.locator(".scale span:last-child").last().boundingBox(),
      page.locator(".bars").first().boundingBox(),
    ]);
    expect(today?.x).toBeGreaterThan((bars?.x ?? Infinity) + (bars?.width ?? 0) / 2);
    expect(errors.filter((text) => !text.includes("WebSocket"))).toEqual([]);
  });

  it("shows a frame of /live within its own row, and says it", async () => {
    const page = await open("/");
    await connected();
    const outlook = said("partial_outage", NOW, "About 3 in 10 requests fail.", NOW);
    const components = healthy().components.map((c) => (c.name === "Payments" ? { ...c, outlook } : c));
    const bars = await page.locator(".bars").first().elementHandle();
    server.send(change(components, NOW + 1));
    await expect.poll(() => page.locator("#headline").innerText()).toContain("Payments is failing for some requests");
    expect(await page.locator("#w-1").innerText()).toBe("Since 14:02 UTC: About 3 in 10 requests fail.");
    expect(await page.locator("#say").textContent()).toBe(
      "Payments is failing for some requests. Payments: Partial outage.",
    );
    expect(await bars?.evaluate((element) => element.isConnected)).toBe(true);
    expect(errors).toEqual([]);
  });

  it("says that history is late soon after a frame does, and no longer than that", async () => {
    const page = await open("/");
    await connected();
    const { components } = current;
    for (const [at, delayedSince] of [
      [NOW + 1, NOW - HOUR],
      [NOW + 2, null],
    ] as const) {
      const archive = { delayedSince, isRestoring: false };
      current = { ...current, generatedAt: at, archive };
      server.send({ ...change(components, at), archive });
      const late = (): Promise<number> => page.locator(".late").count();
      await soon(page, late).toBe(delayedSince === null ? 0 : 1);
    }
    expect(errors).toEqual([]);
  });

  it("ignores a frame older than what it shows", async () => {
    const page = await open("/");
    await connected();
    const outlook = said("major_outage", NOW, null, NOW);
    server.send(
      change(
        healthy().components.map((c) => ({ ...c, outlook })),
        NOW - HOUR,
      ),
    );
    server.send(
      change(
        healthy().components.map((c) => ({ ...c, p95: { estimate: 7, lo: 5, hi: 10 } })),
        NOW + 1,
      ),
    );
    await expect.poll(() => page.locator("#n-0").innerText()).toContain("7 ms");
    expect(await page.locator("#headline").innerText()).toContain("All systems operational");
    // Had the old frame been shown, both it and its correction would have been said.
    expect(await page.locator("#say").textContent()).toBe("");
  });

  it("fetches the page again when a component comes or goes", async () => {
    const page = await open("/");
    await connected();
    current = { ...healthy(3), generatedAt: NOW, version: 8 };
    server.send(change(current.components, NOW + 1));
    await soon(page, () => page.locator("main li").count()).toBe(3);
    expect(errors).toEqual([]);
  });

  it("keeps its own style where another version answers, whose style its policy does not know", async () => {
    const page = await open("/");
    await connected();
    const style = (): Promise<string> =>
      page
        .locator(".bars")
        .first()
        .evaluate((bars) => getComputedStyle(bars).height);
    expect(await style()).toBe("24px");
    for (const n of [3, 4]) {
      restyled = `.v${n}{margin:0}`;
      current = { ...healthy(n), generatedAt: NOW + n, version: n };
      server.send(change(current.components, NOW + n));
      await soon(page, () => page.locator("main li").count()).toBe(n);
      expect(await style()).toBe("24px");
    }
    expect(errors).toEqual([]);
  });

  it("asks for the page while no frame comes, and shows what it says", async () => {
    const page = await open("/");
    await connected();
    const heardAt = NOW + 40 * SECOND;
    const outlook = said("major_outage", heardAt, "It is not running.", heardAt);
    current = {
      ...healthy(),
      generatedAt: heardAt,
      components: healthy().components.map((c) => ({ ...c, heardAt, outlook })),
    };
    // Over an open socket silence is nothing unusual for a while.
    await page.clock.runFor(35 * SECOND);
    expect(server.requests.filter((line) => line === "GET /")).toHaveLength(1);
    await page.clock.runFor(8 * SECOND);
    await soon(page, () => page.locator("#headline").innerText()).toContain("All components are down");
  });

  it("asks at once if a cache has kept it for a while", async () => {
    renderedAt = NOW - 5 * MINUTE;
    current = { ...healthy(), generatedAt: renderedAt };
    const page = await open("/");
    await page.clock.runFor(SECOND);
    await expect.poll(() => server.requests.filter((line) => line === "GET /").length).toBe(2);
  });

  it("asks again when it learns at its socket's return that it missed something", async () => {
    const page = await open("/");
    await connected();
    current = { ...healthy(2), generatedAt: NOW };
    server.drop();
    await expect.poll(() => server.sockets()).toBe(0);
    await page.clock.runFor(3 * SECOND);
    await connected();
    server.send(change(current.components, NOW));
    await soon(page, () => page.locator("main li").count()).toBe(2);
  });

  it("asks for what was announced, which frames do not carry", async () => {
    current = { ...healthy(), announced: "nothing" };
    const page = await open("/");
    await connected();
    await page.locator(".bars").nth(2).focus();
    current = { ...healthy(), generatedAt: NOW + 1, incidents: [incident()], announced: "one" };
    server.send({ ...change(current.components, NOW + 1), announced: "one" });
    await soon(page, () => page.locator("#days").innerText()).toContain(incident().name);
    await soon(page, () => page.locator("#say").textContent()).toContain(
      "Some payments fail. Since 13:48 UTC · Affects Payments.. Identified 13:58 UTC. About 3 of 10 payments by card fail.",
    );
    // What came stands above: who reads with the keyboard stays where they were.
    expect(
      await page.evaluate(() => [...document.querySelectorAll(".bars")].indexOf(document.activeElement as Element)),
    ).toBe(2);
  });

  it("reads a day out of the bars with the arrow keys", async () => {
    current = {
      ...healthy(),
      components: [
        component(0, {
          days: [
            { day: "2026-11-22", ms: { operational: DAY, partial_outage: 14 * MINUTE } },
            { day: "2026-11-23", ms: { operational: HOUR } },
          ],
        }),
      ],
    };
    const page = await open("/");
    expect(server.requests).not.toContain("GET /readout.js");
    await page.locator(".bars").focus();
    const read = async (key: string): Promise<string | null> => {
      await page.keyboard.press(key);
      return page.locator("#say").textContent();
    };
    // The script that reads comes with the first focus; there is no day after the last.
    await expect.poll(() => read("ArrowRight")).toBe("23 Nov: no trouble");
    expect(server.requests).toContain("GET /readout.js");
    await page.keyboard.press("ArrowLeft");
    expect(await page.locator("#say").textContent()).toBe("22 Nov: 14 min partial outage");
    await page.keyboard.press("ArrowLeft");
    expect(await page.locator("#say").textContent()).toBe("21 Nov: no data");
  });

  it("adds the visitor's own zone to the times of a maintenance", async () => {
    current = everyState();
    const page = await open("/", { timezoneId: "Asia/Kolkata" });
    expect(await page.locator("#notices").innerText()).toContain("13:48–18:02 UTC (19:18–23:32 GMT+5:30 your time)");
  });

  it.each([320, 360, 768, 1280, 3840])("never scrolls sideways at %i px", async (width) => {
    current = everyState();
    const page = await open("/", { viewport: { width, height: 800 } });
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
  });
});

describe("an admin page in a browser", () => {
  it("lets a maintenance's steps arrive without a reload", async () => {
    const page = await open("/admin/maintenance/maint0000001");
    await connected();
    expect(await page.locator("#m-state").innerText()).toBe("requested");
    server.send({ type: "maintenance", maintenance: maintenance() });
    await expect.poll(() => page.locator("#m-state").innerText()).toBe("applied");
    expect(await page.locator("#m-steps").innerText()).toContain("1 of 1 ready");
    server.send({ type: "maintenance", maintenance: maintenance({ endedAt: NOW, restoredAt: NOW }) });
    await expect.poll(() => page.locator("#m-state").innerText()).toBe("ended");
    expect(await page.getByRole("button", { name: "End now" }).count()).toBe(0);
    // Once more when the socket opened, for what was sent between the rendering and that.
    expect(server.requests.filter((line) => line.startsWith("GET"))).toHaveLength(2);
    expect(errors).toEqual([]);
  });

  it("says what will happen while the form is filled in", async () => {
    const page = await open("/admin/maintenance/new");
    await page.getByLabel("Replicas").fill("0");
    expect(await page.locator("#consequence").innerText()).toContain("keeps at least 1 replicas");
    await page.getByLabel("Target").selectOption("eu-1/shop/ledger");
    expect(await page.locator("#consequence").innerText()).toContain("does not allow shop/ledger as a target");
    expect(errors).toEqual([]);
  });

  it("counts ages in the list of clusters, which fits a phone", async () => {
    const page = await open("/admin/clusters", { viewport: { width: 360, height: 740 } });
    // 4 s old when it was rendered. The page catches up once when its socket opens, whenever that is, and counts on.
    await page.clock.runFor(8 * SECOND);
    await expect
      .poll(async () => {
        await page.clock.runFor(SECOND);
        return page.locator("table").first().innerText();
      })
      .toMatch(/1\d s ago/);
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
    expect(errors).toEqual([]);
  });
});
