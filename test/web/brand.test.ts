/** A page that is somebody's: its bytes, its look in a real browser, and what a brand that nobody checked could do. */
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { PageBrand } from "../../protocol/page.ts";
import { brandStyle } from "../../web/view/brand.ts";
import { renderComponent } from "../../web/view/component.ts";
import { renderEmbedFrame } from "../../web/view/embed.ts";
import { renderIncident } from "../../web/view/incident.ts";
import { renderPage } from "../../web/view/page.ts";
import { COMPONENT_POLICY, FRAME_POLICY, PAGES_POLICY, PAGE_POLICY, withStyle } from "../../web/view/policy.ts";
import { localeOf } from "../../web/view/words/locale.ts";
import { svgFault, svgUrl } from "../../worker/core/logo.ts";
import { startBrowser } from "../support/browser.ts";
import { fullView, incident } from "./announcements.ts";
import type { PageServer, Served } from "./page-server.ts";
import { servePages } from "./page-server.ts";
import { NOW } from "./snapshots.ts";

const LOGO = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 96 28"><style>.t{fill:#123b2c}@media(prefers-color-scheme:dark){.t{fill:#e8fff5}}</style><circle cx="14" cy="14" r="12" fill="#00bb66"/><path d="M8 15l4 4 8-9" fill="none" stroke="#fff" stroke-width="3"/><path class="t" d="M34 22l6-16h4l6 16h-4l-1-4h-6l-1 4zm6-7h4l-2-6zM62 10c-2-2-6-1-6 4s4 6 6 4v4c-4 2-10 0-10-8s6-10 10-8zM68 6h4l3 8 3-8h4v16h-3V12l-3 8h-2l-3-8v10h-3z"/></svg>`;
const BRAND: PageBrand = {
  logo: svgUrl(LOGO),
  accent: { light: "#028145", dark: "#3ddc97" },
  links: [
    { name: "Help centre", url: "https://help.acme.example/" },
    { name: "Acme", url: "https://acme.example/" },
  ],
  variables: { paper: { light: "#fffdf8", dark: "#14110d" } },
};
const EVIL = "#fff}</style><script>evil()</script><style>*{background:url(https://evil.example)";
/** As if nobody had checked it. */
const HOSTILE: PageBrand = {
  logo: `data:image/svg+xml,"><script>evil()</script>`,
  accent: { light: EVIL, dark: "expression(evil())" },
  links: [
    { name: "<img src=x onerror=evil()>", url: "https://help.example/\"onclick='evil()" },
    { name: "Run", url: "javascript:evil()" },
  ],
  variables: { [EVIL]: { light: "#ffffff" }, paper: { light: EVIL, dark: "#14110d;background:url(//evil.example)" } },
};

function documents(brand: PageBrand | undefined, origin: string): Readonly<Record<string, Served>> {
  const { brand: _, ...page } = fullView();
  const snapshot = { ...page, incidents: [incident()], ...(brand && { brand }) };
  const log = { version: 7, incidents: snapshot.incidents, maintenances: [] };
  const view = { snapshot, log, now: NOW, origin, isCopy: false, locale: localeOf("en", "Etc/UTC") };
  const hash = `sha256-${createHash("sha256")
    .update(brandStyle(brand ?? {}))
    .digest("base64")}`;
  const served = (policy: string, body: string | null): Served => ({
    policy: brand === undefined ? policy : withStyle(policy, hash),
    body: body ?? "",
  });
  return {
    "/": served(PAGE_POLICY, renderPage(view)),
    "/incident": served(PAGES_POLICY, renderIncident(view, "incident0001")),
    "/component": served(
      COMPONENT_POLICY,
      renderComponent({ ...view, component: "component001", range: "day", charts: null }),
    ),
    "/embed": served(FRAME_POLICY, renderEmbedFrame(view)),
  };
}

describe("on the wire", () => {
  const bytes = (brand?: PageBrand): number =>
    gzipSync(documents(brand, "https://status.acme.example")["/"]?.body ?? "", { level: 6 }).length;

  it("the first view with a logo, two links and colours is at most 14,600 bytes", () => {
    expect(svgFault(LOGO)).toBeNull();
    expect(bytes(BRAND)).toBeLessThanOrEqual(14_600);
  });
  it("a page without a brand has nothing of one", () => {
    const { body = "" } = documents(undefined, "https://status.acme.example")["/"] ?? {};
    expect(body.match(/<style>/g)).toHaveLength(1);
    expect(body).not.toMatch(/<img|header img/);
    expect(brandStyle({})).toBe("");
    expect(brandStyle({ links: [], origin: "https://status.acme.example" })).toBe("");
  });
});

describe("a brand that nobody checked", () => {
  it("is no style but what is a colour", () => {
    expect(brandStyle({ accent: HOSTILE.accent, variables: HOSTILE.variables } as PageBrand)).toBe("");
    const one = { ...HOSTILE.variables, ink: { light: "#111111" } };
    expect(brandStyle({ variables: one })).toBe("@media not (prefers-color-scheme:dark){:root{--ink:#111111}}");
  });
  it.each(["/", "/incident", "/component", "/embed"])("is inert on %s", (path) => {
    const { body = "" } = documents(HOSTILE, "https://status.acme.example")[path] ?? {};
    expect(body.match(/<script/g)).toHaveLength(1);
    expect(body).not.toMatch(/<img src=x|href="javascript|evil\(\)<\/script|[^#\w;]onclick='/);
    expect(body.match(/<\/style>/g)?.length).toBeLessThanOrEqual(3);
  });
});

describe("in a real browser", () => {
  let browser: Browser;
  let server: PageServer;
  let brand: PageBrand = BRAND;
  beforeAll(async () => {
    browser = await startBrowser();
    server = await servePages((path) => documents(brand, server.url)[path] ?? null);
  });
  afterAll(async () => {
    await browser.close();
    server.stop();
  });

  /** A window that keeps what the policy refused, what is logged and what is asked for. */
  async function open(colorScheme: "light" | "dark", width: number) {
    const page = await browser.newPage({ colorScheme, viewport: { width, height: 800 } });
    const faults: string[] = [];
    const asked = new Set<string>();
    page.on("console", (message) => faults.push(message.text()));
    page.on("pageerror", (error) => faults.push(error.message));
    page.on("request", (request) => {
      const { protocol, pathname } = new URL(request.url());
      if (protocol !== "data:") asked.add(pathname);
    });
    await page.addInitScript(() => {
      addEventListener("securitypolicyviolation", ({ effectiveDirective }) => console.log(effectiveDirective));
      Object.assign(globalThis, { moved: 0 });
      new PerformanceObserver((list) => Object.assign(globalThis, { moved: list.getEntries().length })).observe({
        type: "layout-shift",
        buffered: true,
      });
    });
    return { page, faults, asked };
  }

  const look = (page: Page) =>
    page.evaluate(() => {
      const style = getComputedStyle(document.documentElement);
      const logo = document.querySelector("img");
      const link = document.querySelector('a[href^="https://help"]');
      return {
        accent: style.getPropertyValue("--accent"),
        paper: style.backgroundColor,
        logo: logo && logo.naturalWidth > 0 ? [logo.width, logo.height] : null,
        link: link === null ? null : getComputedStyle(link).color,
        tooWide: Math.max(0, document.documentElement.scrollWidth - innerWidth),
        moved: (globalThis as unknown as { moved: number }).moved,
      };
    });

  it.each([
    ["light", 1280, { accent: "#028145", paper: "rgb(255, 253, 248)", link: "rgb(2, 129, 69)" }],
    ["dark", 360, { accent: "#3ddc97", paper: "rgb(20, 17, 13)", link: "rgb(61, 220, 151)" }],
  ] as const)("on %s paper of %i px its colours, logo and links are seen", async (scheme, width, seen) => {
    brand = BRAND;
    const { page, faults, asked } = await open(scheme, width);
    // What grows old meanwhile moves by itself.
    await page.clock.setFixedTime(NOW);
    for (const path of ["/", "/incident", "/component"]) {
      await page.goto(server.url + path);
      expect(await look(page)).toEqual({ ...seen, logo: [96, 28], tooWide: 0, moved: 0 });
    }
    await page.goto(`${server.url}/embed`);
    expect(await look(page)).toMatchObject({ ...seen, link: null, logo: null });
    expect([...asked]).toEqual(["/", "/incident", "/component", "/embed"]);
    expect(faults).toEqual([]);
    await page.close();
  });

  it("one that nobody checked loads nothing, runs nothing and changes no colour", async () => {
    brand = HOSTILE;
    const { page, faults, asked } = await open("light", 1280);
    await page.goto(`${server.url}/`);
    expect(await page.evaluate(() => getComputedStyle(document.documentElement).backgroundImage)).toBe("none");
    expect((await look(page)).accent).toContain("oklch");
    expect(faults).toEqual([]);
    expect([...asked]).toEqual(["/"]);
    await page.close();
  });

  it("a page that is open while it changes renews itself without a word of its policy", async () => {
    brand = BRAND;
    const { page, faults } = await open("light", 1280);
    await page.clock.install({ time: NOW });
    await page.goto(`${server.url}/`);
    brand = { ...BRAND, accent: { light: "#1e40af", dark: "#507cf0" } };
    // By the page's own clock it is old by then, so that it asks.
    const asks = page.waitForResponse((response) => response.url() === `${server.url}/`);
    await page.clock.fastForward(60_000);
    await asks;
    await page.waitForTimeout(200);
    expect((await look(page)).accent).toBe("#028145");
    await page.reload();
    expect((await look(page)).accent).toBe("#1e40af");
    expect(faults).toEqual([]);
    await page.close();
  });
});
