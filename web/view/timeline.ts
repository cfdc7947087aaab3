/** What people said of an incident or a maintenance, newest first, each with an address of its own. */
import type {
  AffectedComponent,
  IncidentStatus,
  MaintenanceStatus,
  PageComponent,
  PageUpdate,
} from "../../protocol/page.ts";
import { MINUTE } from "../../protocol/time.ts";
import { momentTag } from "./dates.ts";
import type { Html } from "./html.ts";
import { markup } from "./html.ts";
import { renderMarkdown } from "./markdown.ts";
import { shape } from "./shape.ts";
import { filled } from "./words/fill.ts";
import type { Locale } from "./words/locale.ts";

type AnyUpdate = PageUpdate<IncidentStatus | MaintenanceStatus>;

/** With its heading; nothing where nobody said anything. */
export function timeline(updates: readonly AnyUpdate[], locale: Locale): Html | null {
  if (updates.length === 0) return null;
  const { words } = locale;
  return markup`<h2>${words.pages.updates}</h2><ol class="line">${updates.map((update) => entry(update, locale))}</ol>`;
}

function entry(update: AnyUpdate, locale: Locale): Html {
  const { id, status, body, displayAt, affected } = update;
  const turns = affected.filter(({ from, to }) => from !== to);
  return markup`<li id="u-${id}"><h3>${locale.words.pages.stage[status]}</h3><p class="at"><a href="#u-${id}">${momentTag(displayAt, locale)}</a>${notes(update, locale)}</p><div class="md" dir="auto">${renderMarkdown(body)}</div>${turns.length > 0 && markup`<ul class="turns">${turns.map((one) => turn(one, locale))}</ul>`}</li>
`;
}

/** When it was written, if that is not when it is said to be from; and that it was changed since. */
function notes({ createdAt, updatedAt, displayAt }: AnyUpdate, locale: Locale): Html {
  const { written, changed } = locale.words.pages;
  const said = (text: string, at: number): Html => markup` · ${filled(text, { at: momentTag(at, locale) })}`;
  return markup`${Math.abs(createdAt - displayAt) >= MINUTE && said(written, createdAt)}${updatedAt - createdAt >= MINUTE && said(changed, updatedAt)}`;
}

/** "Payments: ● Operational → ◆ Partial outage" */
function turn({ name, from, to }: AffectedComponent, { status, dir }: Locale): Html {
  const arrow = dir === "rtl" ? "←" : "→";
  return markup`<li><bdi>${name}</bdi>: <span>${shape(from)} ${status[from]}</span> ${arrow} <span>${shape(to)} ${status[to]}</span></li>`;
}

type Named = Pick<PageComponent, "id" | "name">;

/** Components by the names they have now, or had when they were last spoken of: some are gone. */
function affectedBy(
  ids: readonly string[],
  components: readonly Named[],
  updates: readonly AnyUpdate[],
): readonly Named[] {
  const then = new Map(
    updates.toReversed().flatMap(({ affected }) => affected.map((one) => [one.component, one.name])),
  );
  const now = new Map(components.map(({ id, name }) => [id, name]));
  return [...new Set([...ids, ...then.keys()])].flatMap((id) => {
    const name = now.get(id) ?? then.get(id);
    return name === undefined ? [] : { id, name };
  });
}

export function namesOf(...given: Parameters<typeof affectedBy>): readonly string[] {
  return affectedBy(...given).map(({ name }) => name);
}

/** What is affected, as a line of facts that leads to those that still are; nothing where nobody said. */
export function affectedFact(
  ids: readonly string[],
  components: readonly Named[],
  updates: readonly AnyUpdate[],
  { base, words }: Locale,
): Html | null {
  const affected = affectedBy(ids, components, updates).map(({ id, name }) =>
    components.some((one) => one.id === id)
      ? markup`<a href="${base}/components/${id}"><bdi>${name}</bdi></a>`
      : markup`<bdi>${name}</bdi>`,
  );
  const list = affected.map((one, i) => (i === 0 ? one : markup`, ${one}`));
  return list.length === 0 ? null : fact(words.pages.affects, markup`${list}`);
}

/** A line of facts. */
export function fact(name: string, value: Html | string): Html {
  return markup`<div><dt>${name}</dt><dd>${value}</dd></div>`;
}
