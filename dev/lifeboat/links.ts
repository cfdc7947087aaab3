/**
 * The copy's files and the ways between them. Pages are folders with an `index.html`, as every static host reads them,
 * and links are relative and name the file, so that they also work from a folder on somebody's disk.
 */

/** Documents for programs: they are there always, and no page has to link to them. */
export const DOCUMENTS = [
  "/api/v2/summary.json",
  "/api/v2/status.json",
  "/api/v2/components.json",
  "/api/v2/incidents.json",
  "/api/v2/incidents/unresolved.json",
  "/api/v2/scheduled-maintenances.json",
  "/api/v2/scheduled-maintenances/upcoming.json",
  "/api/v2/scheduled-maintenances/active.json",
  "/history.rss",
  "/history.atom",
  "/maintenance.ics",
  "/badge.svg",
] as const;

/** What is worth taking along: what people wrote and what was; not forms, and not the own views of visitors. */
const TAKEN =
  /^(\/(en|de|fr|es|ja|ar))?(\/|\/history(\/\d{4}-\d\d)?|\/(incidents|maintenance|components)\/[a-z0-9]+(\/[a-z.]+)?)?$/;

/** Where an address lies among the files. */
export function fileOf(path: string): string {
  const bare = path.replace(/^\/|\/$/g, "");
  if (bare === "") return "index.html";
  return /\.[a-z]+$/.test(bare) ? bare : `${bare}/index.html`;
}

/** Where a link of this site leads, without what is behind `?` and `#`; null if it leads elsewhere. */
function pathOf(href: string, origin: string): string | null {
  const own = href === origin || href.startsWith(`${origin}/`) ? href.slice(origin.length) || "/" : href;
  if (!own.startsWith("/") || own.startsWith("//")) return null;
  return own.replace(/[?#].*$/, "");
}

/** The addresses that a page leads to and a copy should have, each once. */
export function linksOf(html: string, origin: string): readonly string[] {
  const paths = [...html.matchAll(HREF)].flatMap(([, , href = ""]) => pathOf(href, origin) ?? []);
  return [...new Set(paths.filter((path) => (DOCUMENTS as readonly string[]).includes(path) || TAKEN.test(path)))];
}

/** Our own markup: attributes in double quotes. Not those of `<link>`, which say where the page itself is. */
const HREF = /(<a(?: [^<>]*?)? href=")([^"]*)(")/g;
/** The one link that leads to the page itself. */
const LIVE = " data-live";

/** A page whose links lead to the files that are there, and for all else to the page itself. */
export function relinked(html: string, path: string, files: ReadonlySet<string>, origin: string): string {
  const depth = fileOf(path).split("/").length - 1;
  return html.replaceAll(HREF, (whole, before: string, href: string, after: string, at: number) => {
    const to = pathOf(href, origin);
    const isLive = html.slice(at + whole.length, at + whole.length + LIVE.length) === LIVE;
    if (to === null || isLive) return whole;
    const rest = /[?#].*$/.exec(href)?.[0] ?? "";
    const file = fileOf(to);
    return `${before}${files.has(file) ? "../".repeat(depth) + file : origin + to}${rest}${after}`;
  });
}
