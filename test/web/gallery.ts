/** Pictures that somebody looked at, in a folder, and what pages look like now beside them. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { MINUTE } from "../../protocol/time.ts";
import { startPainter } from "../support/browser.ts";
import type { PinnedFonts } from "../support/fonts.ts";
import { pinFonts } from "../support/fonts.ts";
import { difference, reduced } from "../support/picture.ts";
import type { PageServer, Served } from "./page-server.ts";
import { servePages } from "./page-server.ts";
import { NOW } from "./snapshots.ts";

const IS_RENEWED = process.env["GOLDEN"] === "renew";
/** On a machine with too much to do Chromium says at times that it cannot; the next moment it can. */
const ATTEMPTS = 3;

export interface GalleryOptions {
  /** Beside this file. */
  readonly folder: string;
  /** "NAME-WIDTH-PAPER" of each. */
  readonly pictures: readonly string[];
  /** Of the window, px: the picture is of the whole page. */
  readonly heightPx: number;
  /** The document of a path. */
  readonly page: (path: string, origin: string) => Served | null;
  /** What is done with a page before it is looked at. */
  readonly prepare?: (page: Page, name: string) => Promise<void>;
}

export class Gallery {
  readonly #options: GalleryOptions;
  readonly #folder: string;
  readonly #fonts: PinnedFonts;
  readonly #browser: Browser;
  readonly #server: PageServer;
  /** Where decoding is done. */
  readonly #table: Page;
  /** A window of each width and paper, which the pictures share. */
  readonly #windows: Record<string, Promise<Page>> = {};

  private constructor(
    options: GalleryOptions,
    at: { fonts: PinnedFonts; browser: Browser; server: PageServer },
    table: Page,
  ) {
    this.#options = options;
    this.#folder = fileURLToPath(new URL(`${options.folder}/`, import.meta.url));
    this.#fonts = at.fonts;
    this.#browser = at.browser;
    this.#server = at.server;
    this.#table = table;
    if (IS_RENEWED) mkdirSync(this.#folder, { recursive: true });
  }

  static async open(options: GalleryOptions): Promise<Gallery> {
    const fonts = pinFonts();
    const browser = await startPainter(fonts);
    const server: PageServer = await servePages((path) => options.page(path, server.url));
    return new Gallery(options, { fonts, browser, server }, await browser.newPage());
  }

  async close(): Promise<void> {
    await this.#browser.close();
    this.#server.stop();
    this.#fonts.remove();
  }

  /** The page of a picture, as it is now. */
  async show(picture: string): Promise<Page> {
    const [name = "", width = "", paper = ""] = picture.split("-");
    const page = await (this.#windows[`${width} ${paper}`] ??= this.#windowOf(width, paper));
    await page.goto(`${this.#server.url}/${name}`);
    await this.#options.prepare?.(page, name);
    return page;
  }

  async #windowOf(width: string, paper: string): Promise<Page> {
    const options: BrowserContextOptions = {
      viewport: { width: Number(width), height: this.#options.heightPx },
      colorScheme: paper === "dark" ? "dark" : "light",
      timezoneId: "Europe/Berlin",
      ...(paper === "forced" && { forcedColors: "active" }),
    };
    const page = await this.#browser.newPage(options);
    // Nothing ticks: what is shown is what it was at NOW.
    await page.clock.install({ time: NOW - MINUTE });
    await page.clock.pauseAt(NOW);
    if (paper === "print") await page.emulateMedia({ media: "print" });
    return page;
  }

  /** What the page shows otherwise than its picture; null if nothing. */
  async differs(page: Page, picture: string): Promise<string | null> {
    return (await difference(this.#table, await shot(page), this.#golden(picture))).fault;
  }

  #golden(picture: string): Buffer {
    return readFileSync(join(this.#folder, `${picture}.png`));
  }

  /** What is wrong, and where to look at it. */
  async fault(picture: string): Promise<string | null> {
    const drawn = await shot(await this.show(picture));
    const isThere = readdirSync(this.#folder).includes(`${picture}.png`);
    const { fault: words, marked } = isThere
      ? await difference(this.#table, drawn, this.#golden(picture))
      : { fault: "was never looked at", marked: null };
    if (words === null) return null;
    if (IS_RENEWED) {
      writeFileSync(join(this.#folder, `${picture}.png`), await reduced(this.#table, drawn));
      return null;
    }
    const folder = mkdtempSync(join(tmpdir(), `observatory-${picture}-`));
    writeFileSync(join(folder, "drawn.png"), drawn);
    if (marked !== null) writeFileSync(join(folder, "marked.png"), marked);
    return `${picture} ${words}: look into ${folder}; if it is meant, npm run -s golden`;
  }

  /** Pictures that are of nothing any more, which are gone if they are taken anew, and the bytes of all. */
  kept(): { readonly old: readonly string[]; readonly bytes: number } {
    const files = readdirSync(this.#folder);
    const old = files.filter((file) => !this.#options.pictures.includes(file.replace(".png", "")));
    const bytes = files.reduce((sum, file) => sum + readFileSync(join(this.#folder, file)).length, 0);
    if (!IS_RENEWED) return { old, bytes };
    old.forEach((file) => rmSync(join(this.#folder, file)));
    return { old: [], bytes };
  }
}

async function shot(page: Page, attempt = 1): Promise<Buffer> {
  try {
    return await page.screenshot({ fullPage: true, animations: "disabled" });
  } catch (error) {
    if (attempt === ATTEMPTS) throw error;
    return shot(page, attempt + 1);
  }
}
