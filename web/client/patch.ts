/** Regions of the page in place: only what reads differently is touched. */
import type { Html } from "../view/html.ts";

interface Rules {
  createHTML(text: string): string;
}
interface TrustedTypes {
  createPolicy(name: string, rules: Rules): Rules;
}

/** The one place where text becomes markup; what comes here was made by our views, which escape. */
const rules: Rules = { createHTML: (text) => text };
const policy = (globalThis as { trustedTypes?: TrustedTypes }).trustedTypes?.createPolicy("view", rules) ?? rules;

function write(element: Element, text: string): void {
  element.innerHTML = policy.createHTML(text);
}

/** A document's elements, none of which does anything: no policy is asked about its styles, and nothing is loaded. */
export function inert(text: string): DocumentFragment {
  const template = document.createElement("template");
  write(template, text);
  return template.content;
}

const shown = new WeakMap<Element, string>();

/** What is put in place fades in by the style, unless the reader wants no motion. */
export function patch(regions: Readonly<Record<string, Html>>): void {
  for (const [id, { text }] of Object.entries(regions)) {
    const element = document.getElementById(id);
    if (element === null || shown.get(element) === text) continue;
    write(element, text);
    shown.set(element, text);
  }
}
