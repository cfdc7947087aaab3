/** What people said of an incident or a maintenance, newest first, each with an address of its own. */
import type { AffectedComponent, PageComponent, PageUpdate } from "../../protocol/page.ts";
import type { Indicator } from "../../protocol/status.ts";
import type { ComponentStatus } from "../../protocol/status.ts";
import { MINUTE } from "../../protocol/time.ts";
import { momentTag } from "./dates.ts";
import type { Html } from "./html.ts";
import { markup } from "./html.ts";
import { renderMarkdown } from "./markdown.ts";
import { shape } from "./shape.ts";
import { statusWord } from "./english.ts";

/** What an incident's impact is drawn as. */
export const IMPACT_SHAPES = {
  none: "operational",
  maintenance: "under_maintenance",
  minor: "degraded_performance",
  major: "partial_outage",
  critical: "major_outage",
} as const satisfies Record<Indicator, ComponentStatus>;

type AnyUpdate = PageUpdate<string>;

export function timeline(
  updates: readonly AnyUpdate[],
  words: Readonly<Record<string, string>>,
  timeZone: string,
): Html {
  return markup`<ol class="line">${updates.map((update) => entry(update, words, timeZone))}</ol>`;
}

function entry(update: AnyUpdate, words: Readonly<Record<string, string>>, timeZone: string): Html {
  const { id, status, body, displayAt, affected } = update;
  const turns = affected.filter(({ from, to }) => from !== to);
  return markup`<li id="u-${id}"><h3>${words[status] ?? statusWord(status as ComponentStatus)}</h3><p class="at"><a href="#u-${id}">${momentTag(displayAt, timeZone)}</a>${notes(update, timeZone)}</p><div class="md">${renderMarkdown(body)}</div>${turns.length > 0 && markup`<ul class="turns">${turns.map(turn)}</ul>`}</li>
`;
}

/** When it was written, if that is not when it is said to be from; and that it was changed since. */
function notes({ createdAt, updatedAt, displayAt }: AnyUpdate, timeZone: string): Html {
  return markup`${Math.abs(createdAt - displayAt) >= MINUTE && markup` · written ${momentTag(createdAt, timeZone)}`}${updatedAt - createdAt >= MINUTE && markup` · changed ${momentTag(updatedAt, timeZone)}`}`;
}

/** "Payments: ● Operational → ◆ Partial outage" */
function turn({ name, from, to }: AffectedComponent): Html {
  return markup`<li>${name}: <span>${shape(from)} ${statusWord(from)}</span> → <span>${shape(to)} ${statusWord(to)}</span></li>`;
}

/** Components by the names they have now, or had when they were last spoken of: some are gone. */
export function namesOf(
  ids: readonly string[],
  components: readonly Pick<PageComponent, "id" | "name">[],
  updates: readonly AnyUpdate[],
): readonly string[] {
  const then = new Map(
    updates.toReversed().flatMap(({ affected }) => affected.map((one) => [one.component, one.name])),
  );
  const now = new Map(components.map(({ id, name }) => [id, name]));
  return [...new Set([...ids, ...then.keys()])].flatMap((id) => now.get(id) ?? then.get(id) ?? []);
}
