/** What programs look for at fixed addresses: icons, the card of a shared link, and what there is to read. */
import type { PageSnapshot } from "../../protocol/page.ts";
import { pageVerdict, shownStatus } from "../../protocol/page.ts";
import type { ComponentStatus } from "../../protocol/status.ts";
import { COMPONENT_STATUSES } from "../../protocol/status.ts";
import type { Millis } from "../../protocol/time.ts";
import { renderLlms } from "../../web/view/llms.ts";
import { CARDS, ICONS } from "../../web/view/pictures.generated.ts";
import { iconSvg } from "../../web/view/shape.ts";
import { renderSitemap } from "../../web/view/sitemap.ts";
import { shortHash } from "../core/hash.ts";
import { fromBase64 } from "../objects/crypto.ts";
import { refuse } from "./answer.ts";
import { fixed } from "./fixed.ts";
import { latestSnapshot } from "./latest.ts";
import { PICTURE_HEADERS } from "./renderings.ts";
import type { Render } from "./serve.ts";
import { serve } from "./serve.ts";
import type { AppContext, Route } from "./table.ts";

const ICON_SIZE = 32;

function stateOf(snapshot: PageSnapshot, now: Millis): ComponentStatus {
  return shownStatus(pageVerdict(snapshot, now));
}

const svgIcon: Render = {
  agesWell: false,
  render: ({ snapshot, now }) => ({ body: iconSvg(stateOf(snapshot, now)), headers: PICTURE_HEADERS }),
};

/** Where nothing says which icon to take: feed readers, and browsers that show JSON. */
const icoIcon: Render = {
  agesWell: false,
  render: ({ snapshot, now }) => ({
    body: icoOf(picture(ICONS[stateOf(snapshot, now)])),
    headers: { "content-type": "image/x-icon", "x-content-type-options": "nosniff" },
  }),
};

function picture(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(fromBase64(base64) ?? []);
}

/** An icon file that holds one PNG, which every browser since 2008 reads. */
function icoOf(png: Uint8Array): Uint8Array {
  const [header, entry] = [6, 16];
  const file = new Uint8Array(header + entry + png.length);
  const view = new DataView(file.buffer);
  // Type 1 is an icon; one picture follows.
  view.setUint16(2, 1, true);
  view.setUint16(4, 1, true);
  view.setUint8(6, ICON_SIZE);
  view.setUint8(7, ICON_SIZE);
  // One plane of 32 bits a pixel.
  view.setUint16(10, 1, true);
  view.setUint16(12, 32, true);
  view.setUint32(14, png.length, true);
  view.setUint32(18, header + entry, true);
  file.set(png, header + entry);
  return file;
}

function card(c: AppContext): Response {
  const status = COMPONENT_STATUSES.find((one) => `${one}.png` === c.req.param("file"));
  if (status === undefined) return refuse(c, "not_found", "There is no such card.");
  return fixed(c, picture(CARDS[status]), "image/png", shortHash(CARDS[status]));
}

const TEXT = { "content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff" };

const llms: Render = {
  agesWell: false,
  render: (view) => ({ body: renderLlms(view), headers: TEXT }),
};

const sitemap: Render = {
  agesWell: true,
  needs: { log: true },
  render: ({ snapshot, log, origin }) => ({
    body: renderSitemap(snapshot, log, origin),
    headers: { ...TEXT, "content-type": "application/xml; charset=utf-8" },
  }),
};

/** Own views are as many as there are choices: nobody gains by an index of them. */
async function robots(c: AppContext): Promise<Response> {
  const asked = new URL(c.req.url).origin;
  // Crawlers take an error for "keep out": while nobody knows the page's own address, the one that they asked will do.
  const origin = (await latestSnapshot(c, asked))?.value.brand?.origin ?? asked;
  const lines = ["User-agent: *", "Disallow: /admin", "Disallow: /view", "", `Sitemap: ${origin}/sitemap.xml`, ""];
  return fixed(c, lines.join("\n"), "text/plain; charset=utf-8");
}

function get(path: string, handle: Route["handle"]): Route {
  return { method: "GET", path, policy: "public", handle };
}

export const discoveryRoutes: readonly Route[] = [
  get("/favicon.svg", (c) => serve(c, svgIcon)),
  get("/favicon.ico", (c) => serve(c, icoIcon)),
  get("/card/:file", card),
  get("/llms.txt", (c) => serve(c, llms)),
  get("/sitemap.xml", (c) => serve(c, sitemap)),
  get("/robots.txt", robots),
];
