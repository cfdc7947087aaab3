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
  return policy === undefined ? text : policy.createHTML(text);
}

const shown = new Map<string, string>();

/** After other markup came into the page, what we remember of it is void. */
export function forgetShown(): void {
  shown.clear();
}

export function patch(regions: Readonly<Record<string, Html>>): void {
  for (const [id, { text }] of Object.entries(regions)) {
    const before = shown.get(id);
    if (before === text) continue;
    shown.set(id, text);
    // Headline, states and reasons fade in; numbers and ages only change.
    const element = document.getElementById(id);
    // The first round only takes note, unless time has passed since the page was rendered.
    if (element === null || (before === undefined && element.innerHTML === text)) continue;
    element.innerHTML = trustedMarkup(text);
    if (before !== undefined && /^[hsw]/.test(id) && !matchMedia("(prefers-reduced-motion:reduce)").matches) {
      element.animate([{ opacity: 0.3 }, { opacity: 1 }], 150);
    }
  }
}
