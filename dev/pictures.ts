/**
 * Draws the pictures in web/picture/, one a state: the card that chats and networks show beside a link, and the icon for
 * what knows no SVG. They are part of the repository; this is how they were made, and how they are made again.
 *
 *   CHROMIUM=/usr/bin/chromium node dev/pictures.ts [regular.otf semibold.otf]
 *
 * The cards there are set in Inter, and were made smaller with `pngquant --nofs 32` and `optipng -o5`.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { COMPONENT_STATUSES } from "../protocol/status.ts";
import type { ComponentStatus } from "../protocol/status.ts";
import { iconSvg } from "../web/view/shape.ts";

const OUT = fileURLToPath(new URL("../web/picture/", import.meta.url));
/** What Open Graph's readers expect. */
const CARD = { width: 1200, height: 630 };
const ICON = { width: 32, height: 32 };

/** No name: these are the same for every page. No "now": the picture stays in a chat for years. */
const WORDS: Record<ComponentStatus, string> = {
  operational: "All systems operational",
  under_maintenance: "Under maintenance",
  unknown: "Status unknown",
  degraded_performance: "Degraded performance",
  partial_outage: "Partial outage",
  major_outage: "Major outage",
};

async function fontFace([regular, semibold]: readonly string[]): Promise<string> {
  if (regular === undefined || semibold === undefined) return "";
  const faces = [regular, semibold].map(async (file, i) => {
    const data = (await readFile(file)).toString("base64");
    return `@font-face{font-family:card;font-weight:${i === 0 ? 400 : 600};src:url(data:font/otf;base64,${data})}`;
  });
  return (await Promise.all(faces)).join("");
}

function card(status: ComponentStatus, faces: string): string {
  return `<style>${faces}body{margin:0;width:1200px;height:630px;box-sizing:border-box;padding:0 96px;display:flex;flex-direction:column;justify-content:center;gap:40px;background:#fbfcfd;color:#1b1f27;font:400 36px/1.3 card,system-ui,sans-serif}svg{width:112px;height:112px;margin-left:-8px}h1{margin:0;font:600 84px/1.1 card,system-ui,sans-serif;letter-spacing:-.02em}p{margin:0;color:#4b5058}</style>${iconSvg(status)}<h1>${WORDS[status]}</h1><p>when this link was shared. Open it for what is now.</p>`;
}

function icon(status: ComponentStatus): string {
  return `<style>body{margin:0}svg{display:block;width:32px;height:32px}</style>${iconSvg(status)}`;
}

const faces = await fontFace(process.argv.slice(2));
await mkdir(OUT, { recursive: true });
const browser = await chromium.launch({
  executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
  args: ["--headless", "--no-sandbox", "--disable-gpu"],
});
for (const status of COMPONENT_STATUSES) {
  for (const [name, size, html] of [
    ["card", CARD, card(status, faces)],
    ["icon", ICON, icon(status)],
  ] as const) {
    const page = await browser.newPage({ viewport: size });
    await page.setContent(html);
    await page.evaluate("document.fonts.ready");
    await writeFile(`${OUT}${name}-${status}.png`, await page.screenshot({ omitBackground: name === "icon" }));
    await page.close();
  }
}
await browser.close();
