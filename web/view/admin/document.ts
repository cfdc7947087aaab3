import { ADMIN_SCRIPT, ADMIN_STYLE } from "../assets.generated.ts";
import type { Html } from "../html.ts";
import { markup, trusted } from "../html.ts";
import { iconUrl, shape, shapeSheet } from "../shape.ts";
import { duesRegion } from "./dues.ts";
import type { AdminFrame } from "./model.ts";

/** By what somebody is there for. What is needed at night stands first. */
const PLACES = [
  [
    "Now",
    [
      ["/admin", "Home"],
      ["/admin/incidents", "Incidents"],
      ["/admin/maintenance", "Maintenance"],
    ],
  ],
  [
    "What visitors see",
    [
      ["/admin/components", "Components"],
      ["/admin/services", "Services"],
      ["/admin/page", "Page"],
      ["/admin/channels", "Channels"],
    ],
  ],
  [
    "The mesh",
    [
      ["/admin/clusters", "Clusters"],
      ["/admin/events", "Events"],
      ["/admin/alerts", "Alert rules"],
    ],
  ],
  [
    "Records and people",
    [
      ["/admin/audit", "Audit"],
      ["/admin/archive", "Archive"],
      ["/admin/people", "People"],
      ["/admin/account", "Account"],
    ],
  ],
] as const;

/** A page behind the door. `place` is the address that the navigation marks; `main` holds what may be replaced live. */
export function adminDocument(frame: AdminFrame, place: string, title: string, main: Html): string {
  return shell(
    `${title} · ${frame.pageName} admin`,
    markup`<a class="skip" href="#main">Skip to the page</a>
<header class="frame"><p><b>${frame.pageName}</b> <span class="soft">admin</span></p>
<button type="button" class="menu" popovertarget="places">Menu</button>
<nav class="places" id="places" popover aria-label="Admin">${PLACES.map(([name, places], i) => group(frame, place, `places-${i}`, name, places))}
<div class="leave"><a href="/">Public page</a><form method="post" action="/admin/sign-out"><button>Sign out</button></form></div></nav></header>
<div class="content"><div id="dues" role="status">${duesRegion(frame.dues ?? [], frame)}</div>
<main id="main" data-zone="${frame.timeZone}" data-now="${frame.now}">
${(frame.overdue ?? []).map(overdue)}<h1>${title}</h1>
${main}</main></div>
<p class="vh" role="status" id="say"></p>`,
    true,
  );
}

function group(
  frame: AdminFrame,
  place: string,
  id: string,
  name: string,
  places: readonly (readonly [href: string, word: string])[],
): Html {
  const links = places.map(
    ([href, word]) =>
      markup`<li><a href="${href}"${href === place && trusted(' aria-current="page"')}>${word}${href === "/admin/services" && waiting(frame)}</a></li>`,
  );
  return markup`<div><p id="${id}">${name}</p><ul aria-labelledby="${id}">${links}</ul></div>
`;
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

/** The bare document, for the sign-in page too; `isFramed` if the places stand beside it. */
export function shell(title: string, body: Html, isFramed = false): string {
  return markup`<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><meta name="color-scheme" content="light dark"><meta name="robots" content="noindex">
<title>${title}</title><link rel="icon" href="${iconUrl("under_maintenance")}"><style>${trusted(ADMIN_STYLE)}</style></head>
<body${isFramed && trusted(' class="framed"')}>${shapeSheet()}${body}<script>${trusted(ADMIN_SCRIPT)}</script></body></html>
`.text;
}
