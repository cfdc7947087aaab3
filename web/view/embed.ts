/** The frame that other sites show through /embed.js: the page's answer in a few words, while there is something to say. */
import type { PageSnapshot } from "../../protocol/page.ts";
import { headIncident, holdsUntil, pageVerdict, shownStatus } from "../../protocol/page.ts";
import type { Millis } from "../../protocol/time.ts";
import { FRAME_SCRIPT, FRAME_STYLE } from "./assets.generated.ts";
import { brandStyleElement } from "./brand.ts";
import { headline, moment } from "./english.ts";
import { markup, trusted } from "./html.ts";
import { shape, shapeSheet } from "./shape.ts";

export interface EmbedView {
  readonly snapshot: PageSnapshot;
  readonly now: Millis;
  /** The page's own address without a slash at its end. */
  readonly origin: string;
}

/** `data-key` is another whenever something else is said, and empty while all is well: then nothing is shown. */
export function renderEmbedFrame({ snapshot, now, origin }: EmbedView): string {
  const { page, components } = snapshot;
  const verdict = pageVerdict(snapshot, now);
  const status = shownStatus(verdict);
  // Also one that leaves everything up is told: people wrote it for who is here.
  const open = status === "operational" ? headIncident(snapshot.incidents) : verdict.incident;
  const sentence = open?.name ?? headline(snapshot, now, page.timeZone);
  const key = status === "operational" && open === null ? "" : `${status} ${sentence}`;
  const until = Math.min(holdsUntil(components, now), Number.MAX_SAFE_INTEGER);
  return markup`<!doctype html><html lang="en"><head><meta charset="utf-8"/><meta name="viewport" content="width=device-width,initial-scale=1"/><meta name="color-scheme" content="light dark"/><meta name="robots" content="noindex"/><title>${page.name}: ${sentence}</title><style>${trusted(FRAME_STYLE)}</style>${brandStyleElement(snapshot.brand)}</head><body>${shapeSheet()}<main data-key="${key}" data-until="${until}" aria-live="polite"><div id="said"><h1>${shape(status)}${sentence}</h1><p>${page.name} · ${moment(now, now, page.timeZone)}</p></div><div id="lost" hidden><h1>${shape("unknown")}The status cannot be read at the moment</h1><p>${page.name} · no news since ${moment(now, now, page.timeZone)}</p></div><p><a href="${origin}/" target="_blank" rel="noopener">What is known</a></p><button type="button" aria-label="Close">×</button></main><script>${trusted(FRAME_SCRIPT)}</script></body></html> `
    .text;
}
