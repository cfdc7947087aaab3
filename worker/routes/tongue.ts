/** Documents that speak the visitor's language: the one that their path begins with, else what the browser asks for. */
import type { Language } from "../../web/view/words/locale.ts";
import { acceptedLanguage, LANGUAGES, splitLanguage } from "../../web/view/words/locale.ts";
import type { Context } from "hono";

export interface Tongue {
  readonly lang: Language;
  /** What the path begins with: "/de" where it names the language. */
  readonly base: string;
  readonly headers: Readonly<Record<string, string>>;
  /** What tells apart answers of one path: nothing where the path says it all. */
  readonly key: string;
}

const ENGLISH: Tongue = { lang: "en", base: "", headers: {}, key: "" };

export function tongueOf(c: Context, pathname: string, isSpoken: boolean): Tongue {
  if (!isSpoken) return ENGLISH;
  const named = splitLanguage(pathname).lang;
  if (named !== null) return { lang: named, base: `/${named}`, headers: { "content-language": named }, key: "" };
  const lang = acceptedLanguage(c.req.header("accept-language"));
  // No route serves a path that begins with a dot.
  return { lang, base: "", headers: { "content-language": lang, vary: "accept-language" }, key: `/.${lang}` };
}

/** A spoken document's path, and the same behind each language: "/history" and "/de/history". */
export function inEveryLanguage(path: string): readonly string[] {
  return [path, ...LANGUAGES.map((lang) => `/${lang}${path === "/" ? "" : path}`)];
}
