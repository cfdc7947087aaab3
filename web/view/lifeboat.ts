/** A page as a file that anybody may keep: it says on top that it is a copy and of when, and runs nothing. */
import type { Millis } from "../../protocol/time.ts";
import { moment } from "./format.ts";
import { markup } from "./html.ts";
import { isoText } from "./iso.ts";
import { filled } from "./words/fill.ts";
import type { Locale } from "./words/locale.ts";

export interface CopyFacts {
  /** Where the page itself is: without a slash at its end, and its path with one in front. */
  readonly origin: string;
  readonly path: string;
  readonly madeAt: Millis;
  readonly locale: Locale;
}

const STYLE =
  ".boat{margin-block-end:2rem;padding:.75rem 1rem;border:1px solid var(--unknown);border-radius:.5rem;background:var(--raised)}";

/** What a copy speaks: of its newest numbers it must not say that they are of now. */
export function copyLocale(locale: Locale): Locale {
  const { chart } = locale.words;
  const { noneHighest: nowHighest, noneHighestAt: nowHighestAt } = chart;
  return { ...locale, words: { ...locale.words, chart: { ...chart, nowHighest, nowHighestAt } } };
}

/** Takes a whole document of ours. The script would renew the page from a host that knows no more than the page does. */
export function asCopy(html: string, { origin, path, madeAt, locale }: CopyFacts): string {
  const { boatMade, boat } = locale.words;
  const at = markup`<time datetime="${isoText(madeAt)}">${moment(madeAt, 0, locale)}</time>`;
  const live = markup`<a href="${origin}${path}" data-live>${origin.replace(/^https?:\/\//, "")}</a>`;
  const note = markup`<aside class="boat"><p><b>${filled(boatMade, { at })}</b> ${filled(boat, { live })}</p></aside>`;
  return (
    html
      .replaceAll(/<(script|noscript)\b[^>]*>[\s\S]*?<\/\1>/g, "")
      // What the script would have started from.
      .replaceAll(/<p hidden id="data"[^>]*><\/p>/g, "")
      .replace("</head>", () => `<style>${STYLE}</style></head>`)
      .replace("<header>", () => `${note.text}<header>`)
  );
}
