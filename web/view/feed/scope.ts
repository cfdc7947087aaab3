/** What a feed, a calendar or a badge is about, and what of the page's announcements that leaves. */
import type { PageComponent, PageIncident, PageLog, PageMaintenance, PageSnapshot } from "../../../protocol/page.ts";
import { concerns } from "../../../protocol/page.ts";

/** The whole page, one of its components, or those that a visitor picked. */
export interface FeedScope {
  /** "" for the whole page, else "/components/:id" or "/view/:ids": the page that its documents belong to. */
  readonly path: string;
  /** "Checkout", "Checkout, Payments"; null for the whole page. */
  readonly name: string | null;
  /** Null for the whole page. */
  readonly components: ReadonlySet<string> | null;
}

export const WHOLE_PAGE: FeedScope = { path: "", name: null, components: null };

/** One component of the page; null if it has no such one. */
export function componentScope(
  components: readonly Pick<PageComponent, "id" | "name">[],
  id: string,
): FeedScope | null {
  const component = components.find((one) => one.id === id);
  return component === undefined
    ? null
    : { path: `/components/${id}`, name: component.name, components: new Set([id]) };
}

/** More names than these make no title. */
const NAMED_MAX = 3;

/** Those of a visitor's own view, which stands at `path`; null if the page has none of them any more. */
export function chosenScope(
  components: readonly Pick<PageComponent, "id" | "name">[],
  ids: readonly string[],
  path: string,
): FeedScope | null {
  const chosen = components.filter(({ id }) => ids.includes(id));
  if (chosen.length === 0) return null;
  const name = chosen.length > NAMED_MAX ? `${chosen.length} components` : chosen.map((one) => one.name).join(", ");
  return { path, name, components: new Set(chosen.map(({ id }) => id)) };
}

/** All that a feed is made of. Pure facts: the same ones give the same bytes. */
export interface FeedView {
  readonly page: PageSnapshot["page"];
  readonly log: Pick<PageLog, "incidents" | "maintenances">;
  /** The page's own address without a slash at its end. */
  readonly origin: string;
  readonly scope: FeedScope;
}

/** Those that concern who looks at `scope`. */
export function within<Announcement extends PageIncident | PageMaintenance>(
  announcements: readonly Announcement[],
  { components }: FeedScope,
): readonly Announcement[] {
  if (components === null) return announcements;
  return announcements.filter((one) => concerns(one, components));
}

/** The part of the page that is in `scope`. */
export function partOf(
  { components, incidents = [] }: Pick<PageSnapshot, "components" | "incidents">,
  scope: FeedScope,
): Pick<PageSnapshot, "components" | "incidents"> {
  const chosen = scope.components;
  return {
    components: chosen === null ? components : components.filter(({ id }) => chosen.has(id)),
    incidents: within(incidents, scope),
  };
}
