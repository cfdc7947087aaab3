/**
 * Every state of the page and every kind of public document as a picture that somebody looked at. After a change that
 * is meant, `npm run -s golden` takes those that differ anew: look at each of them before it is committed.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { MINUTE } from "../../protocol/time.ts";
import { startPainter } from "../support/browser.ts";
import type { PinnedFonts } from "../support/fonts.ts";
import { pinFonts } from "../support/fonts.ts";
import { difference, reduced } from "../support/picture.ts";
import { goldenPage } from "./golden-pages.ts";
import type { PageServer } from "./page-server.ts";
import { servePages } from "./page-server.ts";
import { NOW } from "./snapshots.ts";

const FOLDER = fileURLToPath(new URL("golden/", import.meta.url));
const IS_RENEWED = process.env["GOLDEN"] === "renew";

/** What of, how wide, and on which paper. */
const PICTURES = Object.entries({
  well: ["1280-light", "360-dark"],
  degraded: ["1280-dark", "360-light"],
  partial: ["1280-light", "360-dark", "700-print", "360-forced"],
  major: ["1280-dark", "360-light"],
  maintenance: ["1280-light", "360-dark"],
  unknown: ["1280-light", "360-dark"],
  copy: ["1280-dark"],
  empty: ["1280-light", "360-dark"],
  young: ["1280-dark"],
  every: ["1280-light"],
  branded: ["1280-light", "360-dark"],
  hundred: ["1280-light"],
  long: ["1280-dark", "320-light"],
  arabic: ["1280-light", "360-dark"],
  component: ["1280-light", "360-dark"],
  incident: ["1280-dark", "360-light"],
  planned: ["360-dark"],
  history: ["1280-dark", "360-light"],
  choose: ["360-light"],
  nothing: ["360-dark"],
  embed: ["320-light"],
  door: ["1280-light", "360-dark"],
  proof: ["1280-dark", "360-light"],
}).flatMap(([name, kinds]) => kinds.map((kind) => `${name}-${kind}`));

let fonts: PinnedFonts;
let browser: Browser;
let server: PageServer;
/** Where decoding is done. */
let table: Page;
beforeAll(async () => {
  fonts = pinFonts();
  browser = await startPainter(fonts);
  server = await servePages((path) => goldenPage(path, server.url));
  table = await browser.newPage();
  if (IS_RENEWED) mkdirSync(FOLDER, { recursive: true });
});
afterAll(async () => {
  await browser.close();
  server.stop();
  fonts.remove();
});

/** A window of each width and paper, which the pictures share. */
const windows: Record<string, Promise<Page>> = {};

async function windowOf(width: string, paper: string): Promise<Page> {
  const options: BrowserContextOptions = {
    viewport: { width: Number(width), height: 115 },
    colorScheme: paper === "dark" ? "dark" : "light",
    timezoneId: "Europe/Berlin",
    ...(paper === "forced" && { forcedColors: "active" }),
  };
  const page = await browser.newPage(options);
  // Nothing ticks: what is shown is what it was at NOW.
  await page.clock.install({ time: NOW - MINUTE });
  await page.clock.pauseAt(NOW);
  if (paper === "print") await page.emulateMedia({ media: "print" });
  return page;
}

async function open(picture: string): Promise<Page> {
  const [name = "", width = "", paper = ""] = picture.split("-");
  const page = await (windows[`${width} ${paper}`] ??= windowOf(width, paper));
  await page.goto(`${server.url}/${name}`);
  return page;
}

/** On a machine with too much to do Chromium says at times that it cannot; the next moment it can. */
const ATTEMPTS = 3;

async function shot(page: Page, attempt = 1): Promise<Buffer> {
  try {
    return await page.screenshot({ fullPage: true, animations: "disabled" });
  } catch (error) {
    if (attempt === ATTEMPTS) throw error;
    return shot(page, attempt + 1);
  }
}

function golden(picture: string): Buffer {
  return readFileSync(join(FOLDER, `${picture}.png`));
}

/** What is wrong, and where to look at it. */
async function fault(picture: string): Promise<string | null> {
  const drawn = await shot(await open(picture));
  const isThere = readdirSync(FOLDER).includes(`${picture}.png`);
  const { fault: words, marked } = isThere
    ? await difference(table, drawn, golden(picture))
    : { fault: "was never looked at", marked: null };
  if (words === null) return null;
  if (IS_RENEWED) {
    writeFileSync(join(FOLDER, `${picture}.png`), await reduced(table, drawn));
    return null;
  }
  const folder = mkdtempSync(join(tmpdir(), `observatory-${picture}-`));
  writeFileSync(join(folder, "drawn.png"), drawn);
  if (marked !== null) writeFileSync(join(folder, "marked.png"), marked);
  return `${picture} ${words}: look into ${folder}; if it is meant, npm run -s golden`;
}

it.each(PICTURES)("%s looks as it did when somebody looked at it", async (picture) => {
  expect(await fault(picture)).toBeNull();
});

it("keeps no picture that is of nothing, and all of them in 1.5 MB", () => {
  const files = readdirSync(FOLDER);
  const old = files.filter((file) => !PICTURES.includes(file.replace(".png", "")));
  if (IS_RENEWED) old.forEach((file) => rmSync(join(FOLDER, file)));
  else expect(old).toEqual([]);
  const bytes = files.reduce((sum, file) => sum + readFileSync(join(FOLDER, file)).length, 0);
  expect(bytes).toBeLessThanOrEqual(1_500_000);
});

/** Where each of these is not seen, a picture says nothing. The smallest of what a person would see. */
const MUTATIONS: Readonly<Record<string, () => void>> = {
  "a mark beside its place": () => {
    const mark = document.querySelector<SVGElement>(".c .m");
    mark?.style.setProperty("translate", "6px 0");
  },
  "no style": () => document.querySelector("style")?.remove(),
  "a state in another's colour": () => {
    const mark = document.querySelector<SVGElement>(".c .m");
    mark?.style.setProperty("--c", "var(--degraded_performance)");
  },
  "a state as another's word": () => {
    const word = document.querySelector(".c div p");
    if (word !== null) word.textContent = "Unknown";
  },
  "days of history in another's colour": () =>
    document.querySelectorAll(".bars .partial_outage").forEach((path) => path.setAttribute("class", "operational")),
  "a row that begins two pixels lower": () => {
    document.querySelector<HTMLElement>("li")?.style.setProperty("translate", "0 2px");
  },
  "a chart without its line": () => document.querySelector(".plot .line")?.remove(),
};

it.each(Object.keys(MUTATIONS))("sees %s", async (name) => {
  const page = await open("partial-360-dark");
  await page.evaluate(MUTATIONS[name] ?? (() => {}));
  expect((await difference(table, await shot(page), golden("partial-360-dark"))).fault).not.toBeNull();
});

it("overlooks what another version of the browser may draw otherwise: everything by a third of a pixel", async () => {
  const page = await open("partial-360-dark");
  await page.evaluate(() => {
    for (const part of document.querySelectorAll<HTMLElement>("header, main")) part.style.translate = "0.33px 0.33px";
  });
  expect((await difference(table, await shot(page), golden("partial-360-dark"))).fault).toBeNull();
});
