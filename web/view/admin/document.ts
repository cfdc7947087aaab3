import { ADMIN_SCRIPT, ADMIN_STYLE } from "../assets.generated.ts";
import type { Html } from "../html.ts";
import { markup, trusted } from "../html.ts";
import { iconUrl, shape, shapeSheet } from "../shape.ts";
import { duesRegion } from "./dues.ts";
import type { AdminFrame } from "./model.ts";

const PLACES = [
  ["/admin", "Home"],
  ["/admin/incidents", "Incidents"],
  ["/admin/components", "Components"],
  ["/admin/services", "Services"],
  ["/admin/page", "Page"],
  ["/admin/topology", "Topology"],
  ["/admin/maintenance", "Maintenance"],
  ["/admin/archive", "Archive"],
  ["/admin/people", "People"],
  ["/admin/audit", "Audit"],
  ["/admin/account", "Account"],
] as const;

/** A page behind the door. `place` is the address that the navigation marks; `main` holds what may be replaced live. */
export function adminDocument(frame: AdminFrame, place: string, title: string, main: Html): string {
  const links = PLACES.map(
    ([href, word]) =>
      markup`<a href="${href}"${href === place && trusted(' aria-current="page"')}>${word}${href === "/admin/services" && waiting(frame)}</a> `,
  );
  return shell(
    `${title} · ${frame.pageName} admin`,
    markup`<header><p><b>${frame.pageName}</b> admin</p>
<nav>${links}<a href="/">Public page</a></nav>
<form method="post" action="/admin/sign-out"><button class="quiet">Sign out</button></form></header>
<div id="dues" role="status">${duesRegion(frame.dues ?? [], frame)}</div>
<main id="main" data-zone="${frame.timeZone}" data-now="${frame.now}">
${(frame.overdue ?? []).map(overdue)}<h1>${title}</h1>
${main}</main>
<p class="vh" role="status" id="say"></p>`,
  );
}

/** How many services nobody has decided about. */
function waiting({ inbox = 0 }: AdminFrame): Html | null {
  return inbox === 0 ? null : markup` <small>(${inbox > 999 ? "999+" : inbox} new)</small>`;
}

/** A window that nobody closes is on every page. */
function overdue({ id, name, reason }: { readonly id: string; readonly name: string; readonly reason: string }): Html {
  return markup`<p class="warning" role="alert">${shape("degraded_performance")} <span><a href="/admin/maintenance/${encodeURIComponent(id)}">${name}</a> takes longer than planned: ${reason}.</span></p>
`;
}

/** The bare document, for the sign-in page too. */
export function shell(title: string, body: Html): string {
  return markup`<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><meta name="color-scheme" content="light dark"><meta name="robots" content="noindex">
<title>${title}</title><link rel="icon" href="${iconUrl("under_maintenance")}"><style>${trusted(ADMIN_STYLE)}</style></head>
<body>${shapeSheet()}${body}<script>${trusted(ADMIN_SCRIPT)}</script></body></html>
`.text;
}
