/** The public documents besides the live page: an incident, a maintenance, a month of history. */
import { renderIncident } from "../../web/view/incident.ts";
import { renderMaintenancePage } from "../../web/view/maintenance.ts";
import { renderPast } from "../../web/view/past.ts";
import { WHOLE_PAGE } from "../../web/view/feed/scope.ts";
import { calendarOf } from "./feeds.ts";
import { htmlPage } from "./renderings.ts";
import type { PublicView, Render } from "./serve.ts";
import { serve } from "./serve.ts";
import type { AppContext, Route } from "./table.ts";

function documentOf(html: (view: PublicView) => string | null): Render {
  return htmlPage(html, { log: true }, "pages");
}

/** A document that one part of its path names. */
function named(name: string, html: (view: PublicView, name: string) => string | null) {
  return (c: AppContext) =>
    serve(
      c,
      documentOf((view) => html(view, c.req.param(name) ?? "")),
    );
}

const calendar = calendarOf(() => WHOLE_PAGE);

/** One maintenance, to be taken into a calendar. */
function eventOf(id: string): Render {
  return {
    ...calendar,
    render: (view) => {
      const maintenances = view.log.maintenances.filter((one) => one.id === id);
      return maintenances.length === 0 ? null : calendar.render({ ...view, log: { ...view.log, maintenances } });
    },
  };
}

const latestMonth = documentOf((view) => renderPast(view, null));

/** Statuspage shows maintenances there too: addresses that people kept of a page that was imported lead to them. */
function incidentOrMaintenance(view: PublicView, id: string): string | null {
  return renderIncident(view, id) ?? renderMaintenancePage(view, id);
}

export const pagesRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/incidents/:id",
    policy: "public",
    isSpoken: true,
    handle: named("id", incidentOrMaintenance),
  },
  {
    method: "GET",
    path: "/maintenance/:id",
    policy: "public",
    isSpoken: true,
    handle: named("id", renderMaintenancePage),
  },
  {
    method: "GET",
    path: "/maintenance/:id/event.ics",
    policy: "public",
    handle: (c) => serve(c, eventOf(c.req.param("id") ?? "")),
  },
  { method: "GET", path: "/history", policy: "public", isSpoken: true, handle: (c) => serve(c, latestMonth) },
  { method: "GET", path: "/history/:month", policy: "public", isSpoken: true, handle: named("month", renderPast) },
];
