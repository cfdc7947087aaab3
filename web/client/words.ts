/** What a document tells its script. */
import type { LiveLocale } from "../view/words/locale.ts";

/** The language and zone: every document carries its words. */
export const locale = JSON.parse(document.body.dataset["words"] as string) as LiveLocale;

/** What the live page was rendered from. It is another element once the page was fetched anew. */
export function rendered(name: "page" | "now" | "first"): string {
  return document.getElementById("days")?.dataset[name] as string;
}
