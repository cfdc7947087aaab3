/**
 * A visitor's own view of the page. The choice is in the address and nowhere else: `/view?c=…` is what the form asks,
 * `/view/a,b` the one address of those two, and each other way to write it leads there.
 */
import type { FeedScope } from "../../web/view/feed/scope.ts";
import { chosenScope } from "../../web/view/feed/scope.ts";
import { renderChoose } from "../../web/view/choose.ts";
import { renderPage } from "../../web/view/page.ts";
import { CHOSEN_MAX, chosenIds, chosenSnapshot } from "../core/chosen.ts";
import { refuse } from "./answer.ts";
import { atomOf, badgeOf, calendarOf, rssOf } from "./feeds.ts";
import { htmlPage } from "./renderings.ts";
import type { PublicView, Render } from "./serve.ts";
import { serve } from "./serve.ts";
import type { AppContext, Route } from "./table.ts";
import { tongueOf } from "./tongue.ts";

const form = chooser([]);

function chooser(ids: readonly string[]): Render {
  return htmlPage((view) => renderChoose(view, ids), {}, "pages");
}

function ownPage(ids: readonly string[]): Render {
  return htmlPage((view) => {
    const snapshot = chosenSnapshot(view.snapshot, ids);
    if (snapshot === null) return null;
    const chosen = { path: pathOf(ids), ids, gone: ids.length - snapshot.components.length };
    return renderPage({ ...view, snapshot, chosen });
  });
}

function pathOf(ids: readonly string[]): string {
  return `/view/${ids.join()}`;
}

/** What the visitor's path begins with, if it names a language. */
function baseOf(c: AppContext): string {
  return tongueOf(c, new URL(c.req.url).pathname, true).base;
}

/** The form, or where its answer stands. */
function choose(c: AppContext): Response | Promise<Response> {
  const ids = chosenIds((c.req.queries("c") ?? []).slice(0, CHOSEN_MAX).join());
  return ids === null ? serve(c, form) : c.redirect(baseOf(c) + pathOf(ids), 303);
}

/** What stands under one choice, at `rest` behind its address. */
function under(rest: string, render: (ids: readonly string[]) => Render) {
  return (c: AppContext) => {
    const asked = c.req.param("ids") ?? "";
    const ids = chosenIds(asked);
    if (ids === null) return refuse(c, "not_found", "An own view is the address of components: choose them at /view.");
    const address = `${baseOf(c)}${pathOf(ids)}${rest}`;
    return new URL(c.req.url).pathname === address ? serve(c, render(ids)) : c.redirect(address, 301);
  };
}

/** What programs read of a choice. */
function scoped(make: (scopeOf: (view: PublicView) => FeedScope | null) => Render) {
  return (ids: readonly string[]) => make(({ snapshot }) => chosenScope(snapshot.components, ids, pathOf(ids)));
}

const UNDER: Readonly<Record<string, (ids: readonly string[]) => Render>> = {
  "": ownPage,
  "/choose": chooser,
  "/history.rss": scoped(rssOf),
  "/history.atom": scoped(atomOf),
  "/maintenance.ics": scoped(calendarOf),
  "/badge.svg": scoped(badgeOf),
};

export const viewRoutes: readonly Route[] = [
  { method: "GET", path: "/view", policy: "public", isSpoken: true, handle: choose },
  ...Object.entries(UNDER).map(([rest, render]): Route => ({
    method: "GET",
    path: `/view/:ids${rest}`,
    policy: "public",
    // What programs read is in English.
    ...(!rest.includes(".") && { isSpoken: true }),
    handle: under(rest, render),
  })),
];
