/** `/sitemap.xml` (sitemaps.org): every page that has an address of its own, with the day on which it was changed last. */
import type { PageLog, PageSnapshot } from "../../protocol/page.ts";
import type { Millis } from "../../protocol/time.ts";
import type { Html } from "./html.ts";
import { markup } from "./html.ts";
import { isoText } from "./iso.ts";
import { LANGUAGES } from "./words/locale.ts";

/** `origin` is without a slash at its end. At most 1,000 announcements, and as many components as there are. */
export function renderSitemap(snapshot: PageSnapshot, log: PageLog, origin: string): string {
  const urls = [
    page(origin),
    url(`${origin}/history`),
    ...snapshot.components.map(({ id }) => url(`${origin}/components/${id}`)),
    ...log.incidents.map(({ id, updatedAt }) => url(`${origin}/incidents/${id}`, updatedAt)),
    ...log.maintenances.map(({ id, updatedAt }) => url(`${origin}/maintenance/${id}`, updatedAt)),
  ];
  return markup`<?xml version="1.0" encoding="utf-8"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:xhtml="http://www.w3.org/1999/xhtml">${urls}</urlset>
`.text;
}

/** The page itself, in each of its languages: other pages tell theirs in their heads. */
function page(origin: string): Html {
  const spoken = ["", ...LANGUAGES].map(
    (lang) => markup`<xhtml:link rel="alternate" hreflang="${lang || "x-default"}" href="${origin}/${lang}"/>`,
  );
  return markup`<url><loc>${origin}/</loc>${spoken}</url>`;
}

function url(address: string, changedAt?: Millis): Html {
  return markup`<url><loc>${address}</loc>${changedAt !== undefined && markup`<lastmod>${isoText(changedAt)}</lastmod>`}</url>`;
}
