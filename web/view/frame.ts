/** What the public documents besides the live page have in common: where they belong to, and the ways on. */
import type { PageBrand, PageLog, PageSnapshot } from "../../protocol/page.ts";
import { pageVerdict, shownStatus } from "../../protocol/page.ts";
import type { ComponentStatus } from "../../protocol/status.ts";
import type { Millis } from "../../protocol/time.ts";
import { brandLinks } from "./brand.ts";
import type { DocumentKind } from "./document.ts";
import { document } from "./document.ts";
import { moment } from "./format.ts";
import { head } from "./head.ts";
import type { Html } from "./html.ts";
import { markup } from "./html.ts";
import { fill } from "./words/fill.ts";
import type { Locale } from "./words/locale.ts";
import { home } from "./words/locale.ts";

/** What a document is made of. `origin` is without a slash at its end. */
export interface FrameView {
  readonly snapshot: PageSnapshot;
  readonly log: PageLog;
  readonly now: Millis;
  readonly origin: string;
  /** Whether live data cannot be reached, and this is the last that is known. */
  readonly isCopy: boolean;
  readonly locale: Locale;
}

interface FrameParts {
  readonly kind?: DocumentKind;
  readonly title: string;
  readonly description: string;
  /** What the tab and the card of a shared link show; null for what the page says now. */
  readonly status: ComponentStatus | null;
  /** Where it stands, from its slash on. */
  readonly path: string;
  /** Where feeds of just this are, without a slash at its end; absent where those of the page are meant. */
  readonly own?: string;
  readonly main: Html;
  /** Of a document that goes on living: what its script starts from. It says itself how old it is. */
  readonly living?: Html;
}

export function frame({ snapshot, now, origin, isCopy, locale }: FrameView, parts: FrameParts): string {
  const { kind = "pages", title, description, path, own = "", main, living } = parts;
  const status = parts.status ?? shownStatus(pageVerdict(snapshot, now));
  const { page, generatedAt, brand } = snapshot;
  const { words } = locale;
  return document({
    kind,
    locale,
    title: `${title} · ${page.name}`,
    description,
    status,
    address: { origin, path },
    generatedAt,
    brand,
    body: markup`${head(snapshot, { path, own }, locale)}<main>${(isCopy || living) && markup`<p id="copy"${!isCopy && markup` hidden`}>${words.copy}</p>`}${main}${living}</main><footer>${living === undefined && markup`<p>${fill(words.asOf, { at: moment(generatedAt, 0, locale, true) })}</p>`}${ways(locale, brand)}</footer>`,
  });
}

/** From where nothing else leads on. */
export function ways(locale: Locale, brand?: PageBrand): Html {
  const { base, words } = locale;
  return markup`<nav><a href="${home(locale)}">${words.pages.statusNow}</a> <a href="${base}/history">${words.pastLink}</a> <a href="${base}/view">${words.ownViewLink}</a>${brandLinks(brand)}</nav>`;
}
