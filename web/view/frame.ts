/** What the public documents besides the live page have in common: where they belong to, and the ways on. */
import type { PageLog, PageSnapshot } from "../../protocol/page.ts";
import type { ComponentStatus } from "../../protocol/status.ts";
import type { Millis } from "../../protocol/time.ts";
import type { DocumentKind } from "./document.ts";
import { document } from "./document.ts";
import type { Html } from "./html.ts";
import { markup } from "./html.ts";
import type { Locale } from "./words/locale.ts";

/** What a document is made of. `origin` is without a slash at its end. */
export interface FrameView {
  readonly snapshot: PageSnapshot;
  readonly log: PageLog;
  readonly now: Millis;
  readonly origin: string;
  /** Whether live data cannot be reached, and this is the last that is known. */
  readonly isCopy: boolean;
  readonly locale: Locale;
}

interface FrameParts {
  readonly kind?: DocumentKind;
  readonly title: string;
  readonly description: string;
  /** What the tab shows. */
  readonly status: ComponentStatus;
  /** Where it stands, from its slash on. */
  readonly path: string;
  readonly main: Html;
}

export function frame({ snapshot, origin, locale }: FrameView, parts: FrameParts): string {
  const { kind = "pages", title, description, status, path, main } = parts;
  const { page } = snapshot;
  return document({
    kind,
    locale,
    title: `${title} · ${page.name}`,
    description,
    status,
    address: { origin, path },
    generatedAt: snapshot.generatedAt,
    body: markup`<header><p><a href="/">${page.name}</a></p></header><main data-zone="${page.timeZone}">${main}</main><footer><nav><a href="/">Status now</a> <a href="/history">History</a></nav></footer>`,
  });
}
