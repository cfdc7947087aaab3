/** Regions of the page in place: only what reads differently is touched. */
import type { Html } from "../view/html.ts";

interface TrustedTypes {
  createPolicy(name: string, rules: { createHTML: (text: string) => string }): { createHTML: (text: string) => string };
}

/** The one place where text becomes markup; what comes here was made by our views, which escape. */
const policy = (globalThis as { trustedTypes?: TrustedTypes }).trustedTypes?.createPolicy("view", {
  createHTML: (text) => text,
});

export function trustedMarkup(text: string): string {
  return policy?.createHTML(text) ?? text;
}

const shown = new WeakMap<Element, string>();

/** What is put in place fades in by the style, unless the reader wants no motion. */
export function patch(regions: Readonly<Record<string, Html>>): void {
  for (const [id, { text }] of Object.entries(regions)) {
    const element = document.getElementById(id);
    if (element === null || shown.get(element) === text) continue;
    element.innerHTML = trustedMarkup(text);
    shown.set(element, text);
  }
}
