import type { Whose } from "./brand.ts";
import { brandName } from "./brand.ts";
import { document } from "./document.ts";
import { ways } from "./frame.ts";
import { markup } from "./html.ts";
import type { Locale } from "./words/locale.ts";
import { home } from "./words/locale.ts";

/** `status` is HTTP's; `message` says what to do. */
export interface Problem {
  readonly status: number;
  readonly title: string;
  readonly message: string;
}

/** A page for what cannot be shown. It says whose it is where an operator made it theirs and somebody knows. */
export function renderProblem({ status, title, message }: Problem, locale: Locale, whose?: Whose): string {
  const brand = whose?.brand;
  return document({
    locale,
    kind: "pages",
    address: null,
    title,
    description: message,
    status: "unknown",
    brand,
    body: markup`${whose && brand && markup`<header><p><a href="${home(locale)}">${brandName(whose)}</a></p></header>`}<main><div class="top"><p class="code">${status}</p><h1>${title}</h1><p>${message}</p></div>${ways(locale, brand)}</main>`,
  });
}

/** Where there is nothing: in the visitor's language, because anybody may come to such an address. */
export function renderNothing(locale: Locale, whose?: Whose): string {
  const { nothing, nothingHere } = locale.words.pages;
  return renderProblem({ status: 404, title: nothing, message: nothingHere }, locale, whose);
}
