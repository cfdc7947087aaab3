/** What programs of visitors read: feeds, the calendar, badges; of the whole page, and of a part of it. */
import type { PageComponent } from "../../protocol/page.ts";
import { outlookAt, pageVerdict, shownStatus, turnsAt } from "../../protocol/page.ts";
import type { ComponentStatus } from "../../protocol/status.ts";
import type { Millis } from "../../protocol/time.ts";
import { SECOND } from "../../protocol/time.ts";
import { renderBadge } from "../../web/view/badge.ts";
import { maintenanceCalendar } from "../../web/view/feed/calendar.ts";
import { historyAtom, historyRss } from "../../web/view/feed/history.ts";
import type { FeedScope, FeedView } from "../../web/view/feed/scope.ts";
import { componentScope, partOf, WHOLE_PAGE } from "../../web/view/feed/scope.ts";
import { PICTURE_HEADERS } from "./renderings.ts";
import type { PublicView, Render, Rendering } from "./serve.ts";
import { serve } from "./serve.ts";
import type { AppContext, Route } from "./table.ts";

/** What the document is about; null if the page has no such part. */
type ScopeOf = (view: PublicView) => FeedScope | null;

const OPEN = { "access-control-allow-origin": "*", "x-content-type-options": "nosniff" };

function feed(type: string, scopeOf: ScopeOf, write: (view: FeedView, names: Names) => string): Render {
  return {
    // Each of its entries says when it is from.
    agesWell: true,
    needs: { log: true },
    render(view) {
      const scope = scopeOf(view);
      if (scope === null) return null;
      const { snapshot, log, origin } = view;
      const names: Names = new Map(snapshot.components.map(({ id, name }) => [id, name]));
      const body = write({ page: snapshot.page, log, origin, scope }, names);
      return { body, headers: { "content-type": `${type}; charset=utf-8`, ...OPEN } };
    },
  };
}

/** Of components, by id. */
type Names = ReadonlyMap<string, string>;

export function rssOf(scopeOf: ScopeOf): Render {
  return feed("application/rss+xml", scopeOf, historyRss);
}

export function atomOf(scopeOf: ScopeOf): Render {
  return feed("application/atom+xml", scopeOf, historyAtom);
}

export function calendarOf(scopeOf: ScopeOf): Render {
  return feed("text/calendar", scopeOf, maintenanceCalendar);
}

/** The worse of the components in scope and of what people announced of them. */
export function badgeOf(scopeOf: ScopeOf): Render {
  return {
    agesWell: false,
    render(view) {
      const scope = scopeOf(view);
      if (scope === null) return null;
      const { page } = view.snapshot;
      const part = partOf(view.snapshot, scope);
      const statusAt = (at: Millis): ComponentStatus => shownStatus(pageVerdict(part, at));
      return badge(view, scope.name ?? page.name, part.components, statusAt);
    },
  };
}

/** A component's badge says what its row says. */
function componentBadge(id: string): Render {
  return {
    agesWell: false,
    render(view) {
      const component = view.snapshot.components.find((one) => one.id === id);
      if (component === undefined) return null;
      return badge(view, component.name, [component], (at) => outlookAt(component, at).status);
    },
  };
}

/** A badge counts down to when it turns grey, from when it is loaded: it may be late by this much. */
const BADGE_KEPT_MS = 5 * SECOND;

function badge(
  { snapshot, now }: PublicView,
  name: string,
  components: readonly PageComponent[],
  statusAt: (at: Millis) => ComponentStatus,
): Rendering {
  const until = turnsAt(components, statusAt, now);
  return {
    body: renderBadge({ name, statusAt, until, now, timeZone: snapshot.page.timeZone }),
    keepUntil: now + BADGE_KEPT_MS,
    headers: PICTURE_HEADERS,
  };
}

const wholePage: ScopeOf = () => WHOLE_PAGE;

function oneComponent(c: AppContext): ScopeOf {
  const id = c.req.param("id") ?? "";
  return ({ snapshot }) => componentScope(snapshot.components, id);
}

const pageFeeds = { rss: rssOf(wholePage), atom: atomOf(wholePage), calendar: calendarOf(wholePage) };
const pageBadge = badgeOf(wholePage);

function get(path: string, handle: Route["handle"]): Route {
  return { method: "GET", path, policy: "public", handle };
}

export const feedRoutes: readonly Route[] = [
  get("/history.rss", (c) => serve(c, pageFeeds.rss)),
  get("/history.atom", (c) => serve(c, pageFeeds.atom)),
  get("/maintenance.ics", (c) => serve(c, pageFeeds.calendar)),
  get("/components/:id/history.rss", (c) => serve(c, rssOf(oneComponent(c)))),
  get("/components/:id/history.atom", (c) => serve(c, atomOf(oneComponent(c)))),
  get("/components/:id/maintenance.ics", (c) => serve(c, calendarOf(oneComponent(c)))),
  get("/badge.svg", (c) => serve(c, pageBadge)),
  get("/badge/:file{[a-z0-9]+\\.svg}", (c) =>
    serve(c, componentBadge((c.req.param("file") ?? "").slice(0, -".svg".length))),
  ),
];
