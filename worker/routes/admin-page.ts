/** What every handler of an admin page needs. */
import { documentHeaders } from "./document.ts";
import type { AppContext } from "./table.ts";

/** Bytes of a form. */
export const FORM_MAX = 16_384;

export function adminPage(c: AppContext, markup: string, status: 200 | 400 | 401 | 409 = 200): Response {
  return c.html(markup, status, documentHeaders("admin"));
}

export function formOf(body: Uint8Array): URLSearchParams {
  return new URLSearchParams(new TextDecoder().decode(body));
}
