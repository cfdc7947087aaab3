import { document } from "./document.ts";
import { markup } from "./html.ts";
import { localeOf } from "./words/locale.ts";

/** `status` is HTTP's; `message` says what to do. */
export interface Problem {
  readonly status: number;
  readonly title: string;
  readonly message: string;
}

/** A page for what cannot be shown. */
export function renderProblem({ status, title, message }: Problem): string {
  return document({
    locale: localeOf("en", "Etc/UTC"),
    kind: "pages",
    address: null,
    title,
    description: message,
    status: "unknown",
    body: markup`<main><div class="top"><p class="code">${status}</p><h1>${title}</h1><p>${message}</p></div><nav><a href="/">Status now</a> <a href="/history">History</a></nav></main>`,
  });
}
