/** Every kind of public page, judged by axe in a real browser: on both papers, on the smallest phone and on a desktop. */
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { MINUTE } from "../../protocol/time.ts";
import { renderChoose } from "../../web/view/choose.ts";
import { renderComponent } from "../../web/view/component.ts";
import { renderEmbedFrame } from "../../web/view/embed.ts";
import { renderIncident } from "../../web/view/incident.ts";
import { renderMaintenancePage } from "../../web/view/maintenance.ts";
import { renderPage } from "../../web/view/page.ts";
import { renderPast } from "../../web/view/past.ts";
import { COMPONENT_POLICY, FRAME_POLICY, PAGES_POLICY, PAGE_POLICY } from "../../web/view/policy.ts";
import { renderProblem } from "../../web/view/problem.ts";
import type { Language } from "../../web/view/words/locale.ts";
import { LANGUAGES, localeOf, splitLanguage } from "../../web/view/words/locale.ts";
import { axeFaults } from "../support/axe.ts";
import { startBrowser } from "../support/browser.ts";
import { announced, HOSTILE_BODY, HOSTILE_NAME, incident, resolved, update } from "./announcements.ts";
import { CHARTS } from "./component-charts.ts";
import type { PageServer, Served } from "./page-server.ts";
import { servePages } from "./page-server.ts";
import { everyState, healthy, NOW, snapshot } from "./snapshots.ts";

const hostile = incident({
  id: "hostile00001",
  name: HOSTILE_NAME,
  updates: [update("update000009", "investigating" as const, HOSTILE_BODY, NOW)],
});
const log = { version: 7, incidents: [incident(), hostile, resolved(3)], maintenances: [announced()] };
const troubled = {
  ...everyState(),
  incidents: log.incidents,
  maintenances: [...everyState().maintenances, announced()],
};

/** The documents of a path, in a language. */
function documents(lang: Language, origin: string): Readonly<Record<string, () => Served>> {
  const view = { snapshot: troubled, log, now: NOW, origin, isCopy: false, locale: localeOf(lang, "Europe/Berlin") };
  const page = (body: string): Served => ({ policy: PAGE_POLICY, body });
  const pages = (body: string | null): Served => ({ policy: PAGES_POLICY, body: body ?? "" });
  return {
    "/": () => page(renderPage(view)),
    "/empty": () => page(renderPage({ ...view, snapshot: snapshot([]) })),
    "/old": () => page(renderPage({ ...view, snapshot: healthy(3), now: NOW + 10 * MINUTE, isCopy: true })),
    "/incident": () => pages(renderIncident(view, "incident0001")),
    "/hostile": () => pages(renderIncident(view, "hostile00001")),
    "/maintenance": () => pages(renderMaintenancePage(view, announced().id)),
    "/history": () => pages(renderPast(view, null)),
    "/choose": () => pages(renderChoose(view, ["component001"])),
    "/problem": () =>
      pages(
        renderProblem({ status: 404, title: "There is no such page", message: "Look at the status." }, view.locale),
      ),
    "/component": () => ({
      policy: COMPONENT_POLICY,
      body: renderComponent({ ...view, component: "component001", range: "day", charts: CHARTS }) ?? "",
    }),
    "/embed": () => ({ policy: FRAME_POLICY, body: renderEmbedFrame(view) }),
  };
}

let browser: Browser;
let server: PageServer;
beforeAll(async () => {
  browser = await startBrowser();
  server = await servePages((path) => {
    const { lang, path: rest } = splitLanguage(path);
    return documents(lang ?? "en", server.url)[rest]?.() ?? null;
  });
});
afterAll(async () => {
  await browser.close();
  server.stop();
});

/** A window of each kind, which all documents share. */
const windows: Record<string, Promise<Page>> = {};

/** What axe finds, and how much wider the page is than the window. */
async function faults(path: string, width: number, colorScheme: "light" | "dark"): Promise<readonly string[]> {
  const kind = `${width} ${colorScheme}`;
  const viewport = { width, height: 900 };
  // What fades in is pale for a moment, and a page that lives may show something new at any.
  const options = { viewport, colorScheme, bypassCSP: true, reducedMotion: "reduce" } as const;
  const page = await (windows[kind] ??= browser.newPage(options));
  await page.goto(server.url + path);
  return (await axeFaults(page)).map((fault) => `${path} ${kind} ${fault}`);
}

it.each(Object.keys(documents("en", "")))("%s has nothing to mend on either paper, small or large", async (path) => {
  const small = await faults(`/ar${path}`, 320, "dark");
  const large = await faults(path, 1440, "light");
  expect([...small, ...large]).toEqual([]);
});

it.each(LANGUAGES)("%s has nothing to mend on the first view", async (lang) => {
  const small = await faults(`/${lang}`, 320, "light");
  const large = await faults(`/${lang}`, 1440, "dark");
  expect([...small, ...large]).toEqual([]);
});
