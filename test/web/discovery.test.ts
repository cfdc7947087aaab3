/** What programs look for at fixed addresses. */
import { XMLParser, XMLValidator } from "fast-xml-parser";
import { describe, expect, it } from "vitest";
import type { PageSnapshot } from "../../protocol/page.ts";
import { COMPONENT_STATUSES } from "../../protocol/status.ts";
import { MINUTE } from "../../protocol/time.ts";
import { renderLlms } from "../../web/view/llms.ts";
import { CARDS, ICONS } from "../../web/view/pictures.generated.ts";
import { renderPage } from "../../web/view/page.ts";
import { renderSitemap } from "../../web/view/sitemap.ts";
import { localeOf } from "../../web/view/words/locale.ts";
import { announced, HOSTILE_NAME, incident, resolved } from "./announcements.ts";
import { component, everyState, NOW, snapshot } from "./snapshots.ts";

const origin = "https://status.example.com";

describe("llms.txt", () => {
  const text = renderLlms({ snapshot: { ...everyState(), incidents: [incident(), resolved(2)] }, now: NOW, origin });

  it("says what is, since when and why", () => {
    expect(text).toContain("Overall, as of 2026-11-23T14:02:39Z: major outage.");
    expect(text).toContain("- [Checkout](https://status.example.com/components/component000) (Shop): operational\n");
    expect(text).toContain("(Shop): partial outage since 2026-11-23T13:48:39Z. About 3 of 10 requests fail.");
    expect(text).toContain("incidents/incident0001): identified since 2026-11-23T13:48:39Z");
    expect(text).toContain("[Database upgrade](https://status.example.com/maintenance/maint0000001)");
    expect(text).not.toContain("Search was slow");
  });

  it("never calls well what nobody confirms any more", () => {
    const later = renderLlms({ snapshot: snapshot([component(0)]), now: NOW + MINUTE, origin });
    expect(later).toContain("Overall, as of 2026-11-23T14:03:39Z: unknown.");
    expect(later).toMatch(/\(Shop\): unknown since/);
  });

  it("keeps a name within its line and out of its markup", () => {
    const hostile = snapshot([component(0, { name: "a](https://evil.example)\n# [b" })]);
    const said = renderLlms({ snapshot: hostile, now: NOW, origin });
    expect(said).toContain(String.raw`[a\](https://evil.example) \# \[b](https://status.example.com/components/`);
  });
});

describe("sitemap.xml", () => {
  it("names every page that has an address of its own", () => {
    const log = { version: 1, incidents: [incident({ name: HOSTILE_NAME })], maintenances: [announced()] };
    const xml = renderSitemap(everyState(), log, origin);
    expect(XMLValidator.validate(xml)).toBe(true);
    const { urlset } = new XMLParser().parse(xml) as { urlset: { url: { loc: string; lastmod?: string }[] } };
    const paths = urlset.url.map(({ loc }) => loc.slice(origin.length));
    expect(paths.slice(0, 3)).toEqual(["/", "/history", "/components/component000"]);
    expect(paths.slice(-2)).toEqual(["/incidents/incident0001", "/maintenance/announced001"]);
    expect(urlset.url.at(-2)?.lastmod).toBe("2026-11-23T13:58:39Z");
    expect(xml).toContain(`<xhtml:link rel="alternate" hreflang="x-default" href="${origin}/"/>`);
    expect(xml).toContain(`<xhtml:link rel="alternate" hreflang="de" href="${origin}/de"/>`);
  });
});

describe("a shared link", () => {
  it("shows the card of what the page says, and its title as text", () => {
    const shown = { ...everyState(), incidents: [incident({ impact: "critical" })], page: named(HOSTILE_NAME) };
    const html = renderPage({ snapshot: shown, now: NOW, origin, isCopy: false, locale: localeOf("en", "Etc/UTC") });
    const [head = ""] = html.split("<style>");
    expect(head).toContain('<meta property="og:image" content="https://status.example.com/card/major_outage.png"/>');
    // Where feed readers look when they are given the page's address.
    expect(head).toContain('type="application/atom+xml" href="https://status.example.com/history.atom"/>');
    expect(head).toContain('<link rel="canonical" href="https://status.example.com/"/>');
    expect(head).toMatch(/<meta property="og:title" content="[^"]*&#60;script&#62;alert\(1\)[^"<>]*"\/>/);
    expect(head).not.toContain("<script>");
  });
});

function named(name: string): PageSnapshot["page"] {
  return { ...everyState().page, name };
}

describe.each([
  ["card", CARDS, 1200, 630, 12_000],
  ["icon", ICONS, 32, 32, 1_000],
] as const)("the %s", (_name, pictures, width, height, bytesMax) => {
  it.each(COMPONENT_STATUSES)("of %s is a small PNG of the right size, and no other's", (status) => {
    const png = Buffer.from(pictures[status], "base64");
    expect(png.subarray(1, 4).toString()).toBe("PNG");
    expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([width, height]);
    expect(png.length).toBeLessThan(bytesMax);
    expect(COMPONENT_STATUSES.filter((other) => pictures[other] === pictures[status])).toEqual([status]);
  });
});
