/** The newest of what people said of an incident or a maintenance in full, and the rest of it folded. */
import type { IncidentStatus, MaintenanceStatus, PageUpdate } from "../../protocol/page.ts";
import type { Millis } from "../../protocol/time.ts";
import { moment } from "./format.ts";
import type { Html } from "./html.ts";
import { markup } from "./html.ts";
import { renderMarkdown } from "./markdown.ts";
import { counted } from "./words/fill.ts";
import type { Locale } from "./words/locale.ts";

/** The first view is weighed: no text in it is longer, and no more is folded. Its own page has all of it. */
const NEWEST_CHARS_MAX = 1_500;
const OLDER_CHARS_MAX = 400;
const OLDER_MAX = 4;

export interface Announcement {
  readonly updates: readonly PageUpdate<IncidentStatus | MaintenanceStatus>[];
  /** Where all of it is told. */
  readonly path: string;
}

export function announcement({ updates, path }: Announcement, now: Millis, locale: Locale): Html | null {
  const [newest, ...older] = updates;
  if (newest === undefined) return null;
  const shown = older.slice(0, OLDER_MAX);
  const more = older.length > OLDER_MAX && readOn(path, locale);
  return markup`${told(newest, NEWEST_CHARS_MAX, path, now, locale)}${shown.length > 0 && markup`<details><summary>${counted(locale.words.earlierUpdates, older.length, locale)}</summary>${shown.map((one) => told(one, OLDER_CHARS_MAX, path, now, locale))}${more}</details>`}`;
}

function told(
  { status, body, displayAt }: Announcement["updates"][number],
  charsMax: number,
  path: string,
  now: Millis,
  locale: Locale,
): Html {
  const isCut = body.length > charsMax;
  const text = isCut ? `${body.slice(0, body.lastIndexOf(" ", charsMax) + 1 || charsMax).trimEnd()}…` : body;
  return markup`<p class="at"><b>${locale.words.pages.stage[status]}</b> ${moment(displayAt, now, locale)}</p><div class="md" dir="auto">${renderMarkdown(text)}</div>${isCut && readOn(path, locale)}`;
}

function readOn(path: string, { words }: Locale): Html {
  return markup`<p><a href="${path}">${words.readOn}</a></p>`;
}
