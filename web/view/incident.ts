/** `/incidents/:id`: one incident from its newest word back to its first. */
import type { PageIncident } from "../../protocol/page.ts";
import { isUnresolved } from "../../protocol/page.ts";
import { impactStatus } from "../../protocol/status.ts";
import { momentTag } from "./dates.ts";
import { length } from "./format.ts";
import type { FrameView } from "./frame.ts";
import { frame } from "./frame.ts";
import type { Html } from "./html.ts";
import { markup } from "./html.ts";
import { markdownText } from "./markdown.ts";
import { shape } from "./shape.ts";
import { affectedFact, fact, timeline } from "./timeline.ts";
import { fill, filled } from "./words/fill.ts";

/** Characters of an update that a search engine or a card shows of a document. */
export const DESCRIPTION_CHARS = 200;

/** Null if there is no such incident. One that is part of another now is that one. */
export function renderIncident(view: FrameView, asked: string): string | null {
  const { log, snapshot, locale } = view;
  const id = leadsTo(asked, log.merged);
  const incident = log.incidents.find((one) => one.id === id);
  if (incident === undefined) return null;
  const { name, status, impact, components, updates } = incident;
  const { pages } = locale.words;
  const state = isUnresolved(incident) ? impactStatus(impact) : "operational";
  const main = markup`<div class="top"><p class="code">${pages.incident}</p><h1>${shape(state)}<bdi>${name}</bdi></h1><p class="lead">${pages.stage[status]} · ${pages.impact[impact]}</p></div><dl>${moments(incident, view)}${affectedFact(components, snapshot.components, updates, locale)}</dl>${timeline(updates, locale)}`;
  return frame(view, {
    title: name,
    description: `${pages.stage[status]}. ${markdownText(updates[0]?.body ?? "").slice(0, DESCRIPTION_CHARS)}`.trim(),
    status: isUnresolved(incident) ? state : null,
    path: `/incidents/${id}`,
    main,
  });
}

function leadsTo(id: string, merged: FrameView["log"]["merged"] = {}): string {
  return Object.hasOwn(merged, id) ? (merged[id] ?? id) : id;
}

function moments({ startedAt, resolvedAt, nextUpdateBy }: PageIncident, { now, locale }: FrameView): Html {
  const { pages } = locale.words;
  const lasted = length((resolvedAt ?? now) - startedAt, locale);
  const end =
    resolvedAt === null
      ? fact(pages.stillOpen, fill(pages.after, { length: lasted }))
      : fact(pages.stage.resolved, filled(pages.resolvedAt, { at: momentTag(resolvedAt, locale), length: lasted }));
  // One that is past is no promise any more, however old the copy of this page is.
  const next =
    nextUpdateBy !== undefined && now < nextUpdateBy && fact(pages.nextUpdateBy, momentTag(nextUpdateBy, locale));
  return markup`${fact(pages.began, momentTag(startedAt, locale))}${end}${next}`;
}
