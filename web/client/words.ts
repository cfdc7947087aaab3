/** What a document tells its script. */
import type { LiveLocale } from "../view/words/locale.ts";

/** The language and zone: every document carries its words. */
export const locale = JSON.parse(
  (document.getElementById("words") as HTMLElement).dataset["words"] as string,
) as LiveLocale;

/** Learns what is said of trouble in the page's language; in vain where nobody answers. Not bundled. */
export async function learnMessages(): Promise<void> {
  Object.assign(locale, await import(`/words/${document.documentElement.lang}.js`).catch(() => null));
}

/** What a page was rendered from. It is another element once the page was fetched anew. */
export function rendered(name: "page" | "now", of?: DocumentFragment): string;
export function rendered(name: "own"): string | undefined;
export function rendered(name: string, of: Document | DocumentFragment = document): string | undefined {
  return of.getElementById("data")?.dataset[name];
}
