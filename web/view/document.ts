/** The frame of public documents: each is one request, with its style, its shapes and its script in it. */
import type { PageBrand } from "../../protocol/page.ts";
import type { ComponentStatus } from "../../protocol/status.ts";
import type { Millis } from "../../protocol/time.ts";
import {
  COMPONENT_SCRIPT,
  COMPONENT_STYLE,
  FIRST_STYLE,
  PAGES_SCRIPT,
  PAGES_STYLE,
  PAGE_SCRIPT,
} from "./assets.generated.ts";
import { brandStyleElement } from "./brand.ts";
import type { Html } from "./html.ts";
import { json, markup, trusted } from "./html.ts";
import { isoText } from "./iso.ts";
import { iconUrl, shapeSheet } from "./shape.ts";
import type { LiveLocale, Locale } from "./words/locale.ts";
import { LANGUAGES } from "./words/locale.ts";

/**
 * `page` is the live page, which is weighed byte by byte; `pages` are what was written down; `component` is a part of
 * what is now, with its numbers. Both of these add to the page's style.
 */
export type DocumentKind = "page" | "pages" | "component";

const ASSETS = {
  page: { style: FIRST_STYLE, script: PAGE_SCRIPT },
  pages: { style: PAGES_STYLE, script: PAGES_SCRIPT },
  component: { style: COMPONENT_STYLE, script: COMPONENT_SCRIPT },
} as const satisfies Record<DocumentKind, object>;

/** `origin` is without a slash at its end, `path` from its slash on. */
interface Address {
  readonly origin: string;
  readonly path: string;
}

export interface DocumentParts {
  readonly kind: DocumentKind;
  /** The script gets its words from here too. */
  readonly locale: Locale;
  readonly title: string;
  readonly description: string;
  /** What the tab's icon shows, and the card where somebody shares its address. */
  readonly status: ComponentStatus;
  /** The address it is known by, without a language; null for what has none, which search engines are told to forget. */
  readonly address: Address | null;
  /** When what it says was put together, if that matters. */
  readonly generatedAt?: Millis;
  /** How the operator made it theirs. */
  readonly brand?: PageBrand | undefined;
  /** That of the live page says itself where its shapes are drawn. */
  readonly body: Html;
}

export function document({
  kind,
  locale,
  title,
  description,
  status,
  address,
  generatedAt,
  brand,
  body,
}: DocumentParts): string {
  const { lang, dir, words, timeZone } = locale;
  const { style, script } = ASSETS[kind];
  // They are half of the words, and most readers never need them: the live page's script asks for them when it does.
  const { messages = [], ...spoken } = words.live;
  const isAsked = kind === "page" && messages.length > 0;
  return markup`<!doctype html><html lang="${lang}"${dir === "rtl" && markup` dir="rtl"`}><head><meta charset="utf-8"/><meta name="viewport" content="width=device-width"/><title>${title}</title><meta name="description" content="${description}"/>${address === null ? markup`<meta name="robots" content="noindex"/>` : known(address, kind, title, status, locale)}${generatedAt !== undefined && markup`<meta name="generated_at" content="${isoText(generatedAt)}"/>`}<link rel="icon" href="${iconUrl(status)}"/><style>${trusted(style)}</style>${brandStyleElement(brand)}</head><body>${kind !== "page" && shapeSheet()}${body}<script id="words" data-words='${json({ ...spoken, timeZone, ...(!isAsked && { messages }) } satisfies LiveLocale)}'>${trusted(script)}</script></body></html> `
    .text;
}

/**
 * Its addresses: behind a language, and without one in that of whoever asks; of the live page, which is weighed, the
 * sitemap tells them. And what chats and networks show of it; they read everything else from title and description.
 */
function known(
  { origin, path }: Address,
  kind: DocumentKind,
  title: string,
  status: ComponentStatus,
  { base }: Locale,
): Html {
  const behind = (prefix: string): string => origin + prefix + (path === "/" && prefix !== "" ? "" : path);
  const spoken = ["", ...LANGUAGES].map(
    (lang) => markup`<link rel="alternate" hreflang="${lang || "x-default"}" href="${behind(lang && `/${lang}`)}"/>`,
  );
  return markup`<link rel="canonical" href="${behind(base)}"/>${kind !== "page" && spoken}<link rel="alternate" type="application/atom+xml" href="${origin}/history.atom"/><meta property="og:title" content="${title}"/><meta property="og:image" content="${origin}/card/${status}.png"/><meta name="twitter:card" content="summary_large_image"/>`;
}
