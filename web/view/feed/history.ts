/**
 * Incidents and maintenances as RSS and Atom, at Statuspage's paths and in its form (`reference/statuspage-v2.md` §4):
 * one entry each, revised in place, the same id for ever.
 */
import { generateAtomFeed, generateRssFeed } from "feedsmith";
import type { PageIncident, PageMaintenance } from "../../../protocol/page.ts";
import type { Millis } from "../../../protocol/time.ts";
import { isoText } from "../iso.ts";
import type { Html } from "../html.ts";
import { markup } from "../html.ts";
import type { FeedView } from "./scope.ts";
import { within } from "./scope.ts";
import { statusName, tagless, updatesHtml, windowHtml, xmlText } from "./text.ts";

/** As many as Statuspage sends. */
const ENTRIES_MAX = 50;

interface Entry {
  readonly id: string;
  readonly title: string;
  readonly path: string;
  readonly publishedAt: Millis;
  readonly updatedAt: Millis;
  readonly content: Html;
}

/** `/history.atom` of the page or of a part of it. */
export function historyAtom(view: FeedView): string {
  const { page, origin, scope } = view;
  const found = entries(view);
  // A tag's authority has no port (RFC 4151).
  const host = origin.replaceAll(/^https?:\/\/|:\d+$/g, "");
  return generateAtomFeed({
    id: `tag:${host},2005:${scope.path}/history`,
    title: { value: titleOf(view) },
    updated: isoText(updatedAt(view, found)),
    authors: [{ name: tagless(page.name) }],
    links: [
      { rel: "alternate", type: "text/html", href: `${origin}${scope.path}` },
      { rel: "self", type: "application/atom+xml", href: `${origin}${scope.path}/history.atom` },
    ],
    xml: { lang: "en-US" },
    entries: found.map(({ id, title, path, publishedAt, updatedAt, content }) => ({
      id: `tag:${host},2005:Incident/${id}`,
      title: { value: title },
      published: isoText(publishedAt),
      updated: isoText(updatedAt),
      links: [{ rel: "alternate", type: "text/html", href: `${origin}${path}` }],
      content: { type: "html", value: xmlText(content.text) },
    })),
  });
}

/** `/history.rss` of the page or of a part of it. A changed entry is dated by its change, so that readers show it. */
export function historyRss(view: FeedView): string {
  const { origin, scope } = view;
  const found = entries(view);
  return generateRssFeed({
    title: titleOf(view),
    link: `${origin}${scope.path}`,
    description: "Incidents and maintenances, each with all that was said of it",
    language: "en-US",
    pubDate: isoText(updatedAt(view, found)),
    atom: { links: [{ rel: "self", type: "application/rss+xml", href: `${origin}${scope.path}/history.rss` }] },
    items: found.map(({ title, path, updatedAt, content }) => ({
      title,
      description: xmlText(content.text),
      pubDate: isoText(updatedAt),
      link: `${origin}${path}`,
      guid: { value: `${origin}${path}`, isPermaLink: true },
    })),
  });
}

function titleOf({ page, scope }: FeedView): string {
  const parts = [statusName(page.name), ...(scope.name === null ? [] : [scope.name]), "Incident History"];
  return tagless(parts.join(" - "));
}

/** Newest first. */
function entries({ page, log, scope }: FeedView): readonly Entry[] {
  return [
    ...within(log.incidents, scope).map((incident) => ofIncident(incident, page.timeZone)),
    ...within(log.maintenances, scope).map((maintenance) => ofMaintenance(maintenance, page.timeZone)),
  ]
    .toSorted((a, b) => b.publishedAt - a.publishedAt || (a.id < b.id ? -1 : 1))
    .slice(0, ENTRIES_MAX);
}

function ofIncident({ id, name, createdAt, updatedAt, updates }: PageIncident, timeZone: string): Entry {
  return {
    id,
    title: tagless(name),
    path: `/incidents/${id}`,
    publishedAt: createdAt,
    updatedAt,
    content: updatesHtml(updates, timeZone),
  };
}

function ofMaintenance(maintenance: PageMaintenance, timeZone: string): Entry {
  const { id, name, createdAt, updatedAt, updates = [] } = maintenance;
  return {
    id,
    title: tagless(name),
    path: `/maintenance/${id}`,
    publishedAt: createdAt,
    updatedAt,
    content: markup`${windowHtml(maintenance, timeZone)}${updatesHtml(updates, timeZone)}`,
  };
}

/** A feed without entries is as old as its page. */
function updatedAt({ page }: FeedView, found: readonly Entry[]): Millis {
  return found.reduce((newest, entry) => Math.max(newest, entry.updatedAt), page.createdAt);
}
