/** `/sitemap.xml` (sitemaps.org): every page that has an address of its own, with the day on which it was changed last. */
import type { PageLog, PageSnapshot } from "../../protocol/page.ts";
import type { Millis } from "../../protocol/time.ts";
import type { Html } from "./html.ts";
import { markup } from "./html.ts";
import { isoText } from "./iso.ts";

/** `origin` is without a slash at its end. At most 1,000 announcements, and as many components as there are. */
export function renderSitemap(snapshot: PageSnapshot, log: PageLog, origin: string): string {
  const urls = [
    url(`${origin}/`),
    url(`${origin}/history`),
    ...snapshot.components.map(({ id }) => url(`${origin}/components/${id}`)),
    ...log.incidents.map(({ id, updatedAt }) => url(`${origin}/incidents/${id}`, updatedAt)),
    ...log.maintenances.map(({ id, updatedAt }) => url(`${origin}/maintenance/${id}`, updatedAt)),
  ];
  return markup`<?xml version="1.0" encoding="utf-8"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">${urls}</urlset>
`.text;
}

function url(address: string, changedAt?: Millis): Html {
  return markup`<url><loc>${address}</loc>${changedAt !== undefined && markup`<lastmod>${isoText(changedAt)}</lastmod>`}</url>`;
}
