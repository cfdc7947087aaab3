/** Statuspage's public API on the domain root: whoever could read a page there can read this one at once. */
import type { PageLog, PageSnapshot } from "../../protocol/page.ts";
import type { Millis } from "../../protocol/time.ts";
import {
  activeDocument,
  componentsDocument,
  incidentsDocument,
  maintenancesDocument,
  statusDocument,
  summaryDocument,
  unresolvedDocument,
  upcomingDocument,
} from "../core/statuspage.ts";
import {
  ComponentsDocument,
  IncidentsDocument,
  MaintenancesDocument,
  StatusDocument,
  SummaryDocument,
} from "../core/statuspage-schema.ts";
import { refuse } from "./answer.ts";
import { jsonDocument } from "./renderings.ts";
import { serve } from "./serve.ts";
import type { ApiDescription, AppContext, Route } from "./table.ts";

type Document = (snapshot: PageSnapshot, origin: string, now: Millis, log: PageLog) => object;

function documentRoute(
  name: string,
  summary: string,
  answer: ApiDescription["answer"],
  document: Document,
  needs: { readonly log?: true } = {},
): Route {
  const render = jsonDocument(({ snapshot, origin, now, log }) => document(snapshot, origin, now, log), needs);
  return {
    method: "GET",
    path: `/api/v2/${name}.json`,
    policy: "public",
    api: { summary: `Statuspage's ${summary}`, answer },
    handle: (c) => serve(c, render),
  };
}

/** Who wants to be told should hear that nobody will, rather than believe it. */
function noSubscriptions(c: AppContext): Response {
  return refuse(
    c,
    "not_offered",
    "This page takes no subscriptions through the API. Follow /history.rss, /history.atom or /maintenance.ics instead.",
  );
}

const SUBSCRIBERS = {
  path: "/api/v2/subscribers.json",
  policy: "anyone",
  // What a client sends; nobody looks at it.
  bodyMaxBytes: 16_384,
  handle: noSubscriptions,
} as const;

export const statuspageRoutes: readonly Route[] = [
  documentRoute(
    "summary",
    "summary: components, open incidents, maintenances, status",
    SummaryDocument,
    summaryDocument,
  ),
  documentRoute("status", "status of the page", StatusDocument, statusDocument),
  documentRoute("components", "components, groups among them", ComponentsDocument, componentsDocument),
  documentRoute("incidents", "50 newest incidents", IncidentsDocument, incidentsDocument, { log: true }),
  documentRoute("incidents/unresolved", "incidents that are not over", IncidentsDocument, unresolvedDocument),
  documentRoute("scheduled-maintenances", "50 newest maintenances", MaintenancesDocument, maintenancesDocument, {
    log: true,
  }),
  documentRoute("scheduled-maintenances/upcoming", "maintenances to come", MaintenancesDocument, upcomingDocument),
  documentRoute("scheduled-maintenances/active", "maintenances in force", MaintenancesDocument, activeDocument),
  { method: "POST", ...SUBSCRIBERS },
  { method: "DELETE", ...SUBSCRIBERS },
];
