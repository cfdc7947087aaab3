/** What a document tells its script. */
import type { LiveLocale } from "../view/words/locale.ts";

/** The language and zone: every document carries its words. */
export const locale = JSON.parse(document.body.dataset["words"] as string) as LiveLocale;

/** Learns what is said of trouble in the page's language; in vain where nobody answers. Not bundled. */
export async function learnMessages(): Promise<void> {
  Object.assign(locale, await import(`/words/${document.documentElement.lang}.js`).catch(() => null));
}

/** What the live page was rendered from. It is another element once the page was fetched anew. */
export function rendered(name: "page" | "now" | "first"): string;
export function rendered(name: "own"): string | undefined;
export function rendered(name: string): string | undefined {
  return document.getElementById("days")?.dataset[name];
}
