/** The page's top line: whose it is, how to hear of what changes, and in which other languages it can be read. */
import type { PageSnapshot } from "../../protocol/page.ts";
import { brandName } from "./brand.ts";
import type { Html } from "./html.ts";
import { markup } from "./html.ts";
import type { Language, Locale } from "./words/locale.ts";
import { home, LANGUAGES } from "./words/locale.ts";

/** Each in its own words, because that is what its readers look for. */
const NAMES: Readonly<Record<Language, string>> = {
  en: "English",
  de: "Deutsch",
  fr: "Français",
  es: "Español",
  ja: "日本語",
  ar: "العربية",
};

/** `path`: of this page, without its language; `own`: where its feeds are, without a slash at its end. */
export interface HeadParts {
  readonly path: string;
  readonly own: string;
}

export function head(snapshot: Pick<PageSnapshot, "page" | "brand">, { path, own }: HeadParts, locale: Locale): Html {
  const { lang, words } = locale;
  // The page itself is where this would lead.
  const whose = brandName(snapshot);
  const name = path === "/" ? whose : markup`<a href="${home(locale)}">${whose}</a>`;
  const languages = LANGUAGES.map((one) =>
    one === lang ? null : markup`<a href="/${one}${path === "/" ? "" : path}" lang="${one}">${NAMES[one]}</a>`,
  );
  return markup`<header><p>${name}</p><details name="menu"><summary>${words.subscribe}</summary><nav aria-label="${words.subscribe}"><a href="${own}/history.atom">Atom</a><a href="${own}/history.rss">RSS</a><a href="${own}/maintenance.ics">${words.calendar}</a></nav></details><details name="menu"><summary>${NAMES[lang]}</summary><nav aria-label="${NAMES[lang]}">${languages}</nav></details></header>`;
}
