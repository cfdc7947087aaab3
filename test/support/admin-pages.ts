/** The admin's pages by their routes, which axe looks at; a test holds the list against the table of routes. */

/** Whose page is shown where an address names one. */
export interface Shown {
  readonly cluster: string;
  readonly component: string;
  readonly incident: string;
  readonly update: string;
  readonly maintenance: string;
  readonly series: string;
  readonly template: string;
  readonly draft: string;
}

/** An address of each, by its route. */
export const ADMIN_PAGES = {
  "/admin": () => "/admin",
  "/admin/account": () => "/admin/account",
  "/admin/alerts": () => "/admin/alerts",
  "/admin/archive": () => "/admin/archive",
  "/admin/audit": () => "/admin/audit",
  "/admin/channels": () => "/admin/channels",
  "/admin/clusters": () => "/admin/clusters",
  "/admin/clusters/:cluster": ({ cluster }) => `/admin/clusters/${cluster}`,
  "/admin/clusters/:cluster/anomalies": ({ cluster }) => `/admin/clusters/${cluster}/anomalies`,
  "/admin/clusters/:cluster/keys": ({ cluster }) => `/admin/clusters/${cluster}/keys`,
  "/admin/clusters/:cluster/leases": ({ cluster }) => `/admin/clusters/${cluster}/leases`,
  "/admin/clusters/new": () => "/admin/clusters/new",
  "/admin/components": () => "/admin/components",
  "/admin/components/:id": ({ component }) => `/admin/components/${component}`,
  "/admin/components/:id/uptime": ({ component }) => `/admin/components/${component}/uptime`,
  "/admin/components/new": () => "/admin/components/new",
  "/admin/drafts/:id": ({ draft }) => `/admin/drafts/${draft}`,
  "/admin/events": () => "/admin/events",
  "/admin/incidents": () => "/admin/incidents",
  "/admin/incidents/:id": ({ incident }) => `/admin/incidents/${incident}`,
  "/admin/incidents/:id/updates/:update": ({ incident, update }) => `/admin/incidents/${incident}/updates/${update}`,
  "/admin/incidents/new": () => "/admin/incidents/new",
  "/admin/limits": () => "/admin/limits",
  "/admin/maintenance": () => "/admin/maintenance",
  "/admin/maintenance/:id": ({ maintenance }) => `/admin/maintenance/${maintenance}`,
  "/admin/maintenance/new": () => "/admin/maintenance/new",
  "/admin/maintenance/plan": () => "/admin/maintenance/plan",
  "/admin/maintenance/series/:id": ({ series }) => `/admin/maintenance/series/${series}`,
  "/admin/page": () => "/admin/page",
  "/admin/people": () => "/admin/people",
  "/admin/services": () => "/admin/services",
  "/admin/services/inbox": () => "/admin/services/inbox",
  "/admin/templates": () => "/admin/templates",
  "/admin/templates/:id": ({ template }) => `/admin/templates/${template}`,
  "/admin/templates/new": () => "/admin/templates/new",
  "/admin/topology": () => "/admin/topology",
} as const satisfies Readonly<Record<string, (shown: Shown) => string>>;

/** What answers a GET behind the admin's door and is no page: sockets, files, pieces of a page, ways on to another. */
export const NO_PAGES: readonly string[] = [
  "/admin/account/confirm",
  "/admin/audit/export",
  "/admin/components/:id/preview",
  "/admin/components/new/preview",
  "/admin/incidents/:id/updates",
  "/admin/live",
  "/admin/page/export",
];
