/** Which language a visitor reads, and what comes with it. */
import { ar } from "./ar.ts";
import { de } from "./de.ts";
import { en } from "./en.ts";
import { es } from "./es.ts";
import { fr } from "./fr.ts";
import { ja } from "./ja.ts";
import type { LiveWords, Words } from "./words.ts";

/** In the order in which they are offered. The first is spoken where a visitor asks for none of them. */
export const LANGUAGES = ["en", "de", "fr", "es", "ja", "ar"] as const;
export type Language = (typeof LANGUAGES)[number];

const WORDS: Readonly<Record<Language, Words>> = { en, de, fr, es, ja, ar };

/** What the browser's script knows of it. `timeZone` is the page's, an IANA name. */
export interface LiveLocale extends LiveWords {
  readonly timeZone: string;
}

export interface Locale extends LiveLocale {
  readonly lang: Language;
  readonly dir: "ltr" | "rtl";
  readonly words: Words;
  /** What the addresses of spoken documents begin with: "/de" where the visitor's path named it, else nothing. */
  readonly base: string;
}

export function localeOf(lang: Language, timeZone: string, base = ""): Locale {
  const words = WORDS[lang];
  return { ...words.live, lang, dir: lang === "ar" ? "rtl" : "ltr", words, timeZone, base };
}

/** What the live page's script asks for when the first trouble is said in another language than English. */
export function messagesOf(lang: Language): NonNullable<LiveWords["messages"]> {
  return WORDS[lang].live.messages ?? [];
}

/** Where the page itself stands. */
export function home({ base }: Pick<Locale, "base">): string {
  return base === "" ? "/" : base;
}

/** The language that a path begins with, "/de" or "/de/history", and the path without it; null if it names none. */
export function splitLanguage(path: string): { readonly lang: Language | null; readonly path: string } {
  const [, first = "", ...rest] = path.split("/");
  const lang = LANGUAGES.find((one) => one === first) ?? null;
  return { lang, path: lang === null ? path : `/${rest.join("/")}` };
}

/** A longer header is nobody's wish. */
const ACCEPTED_MAX = 32;

/**
 * The language of a request that names none in its path: the most wanted of ours, by `Accept-Language` (RFC 9110
 * 12.5.4). A region is looked past: "de-AT" reads German.
 */
export function acceptedLanguage(header: string | null | undefined): Language {
  let best: Language | null = null;
  let most = 0;
  for (const entry of (header ?? "").split(",", ACCEPTED_MAX)) {
    const [range = "", ...parameters] = entry.trim().toLowerCase().split(";");
    const primary = range.split("-")[0];
    const lang = LANGUAGES.find((one) => one === primary);
    const quality = Number(/^\s*q=(.*)$/.exec(parameters[0] ?? "q=1")?.[1] ?? 0);
    if (lang === undefined || !(quality > most)) continue;
    [best, most] = [lang, quality];
  }
  return best ?? LANGUAGES[0];
}
