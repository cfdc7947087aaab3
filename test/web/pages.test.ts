/** The public documents besides the live page, as they are rendered. */
import { describe, expect, it } from "vitest";
import type { PageLog } from "../../protocol/page.ts";
import { DAY, HOUR, MINUTE } from "../../protocol/time.ts";
import { renderChoose } from "../../web/view/choose.ts";
import type { FrameView } from "../../web/view/frame.ts";
import { renderIncident } from "../../web/view/incident.ts";
import { renderMaintenancePage } from "../../web/view/maintenance.ts";
import { monthAt } from "../../web/view/months.ts";
import { renderPage } from "../../web/view/page.ts";
import { renderPast } from "../../web/view/past.ts";
import { renderNothing } from "../../web/view/problem.ts";
import { announced, HOSTILE_BODY, HOSTILE_NAME, incident, resolved, update } from "./announcements.ts";
import { LANGUAGES, localeOf } from "../../web/view/words/locale.ts";
import { component, healthy, NOW, said, snapshot } from "./snapshots.ts";

const log: PageLog = { version: 7, incidents: [incident(), resolved(3), resolved(40)], maintenances: [announced()] };
const locale = localeOf("en", "Etc/UTC");
const view = { snapshot: healthy(), log, now: NOW, origin: "https://status.acme.example", isCopy: false, locale };

/** What a reader sees, a space between elements. */
function text(html: string | null): string {
  return (html ?? "")
    .replace(/<(style|script|svg|title)\b.*?<\/\1>/gs, "")
    .replace(/<[^>]*>/g, " ")
    .replaceAll("&#39;", "'")
    .replace(/\s+/g, " ");
}

/** What is wrong in the frame of any document. */
function frameFaults(html: string, path: string): readonly string[] {
  const faults = {
    canonical: !html.includes(`<link rel="canonical" href="https://status.acme.example${path}"/>`),
    "one h1": html.split("<h1").length !== 2,
    title: !/<title>[^<]{3,} · Acme status<\/title>/.test(html),
    "way home": !html.includes('href="/"'),
    "style attribute or handler": /<[^>]*\s(style|on[a-z]+)="/.test(html),
    "another request":
      /<(?:img|script|iframe)[^>]*\ssrc=|<link(?! rel="(?:icon"|canonical"|alternate"|stylesheet" href="data:))/.test(
        html,
      ),
  };
  return Object.entries(faults).flatMap(([name, isFault]) => (isFault ? [name] : []));
}

it.each([
  ["a month", (now: FrameView) => renderPast(now, null)],
  ["what is over", (now: FrameView) => renderIncident(now, "resolved0003")],
  ["the form of an own view", (now: FrameView) => renderChoose(now, [])],
])("%s is shared with the card of what is now, and never as well by itself", (_name, render) => {
  const down = snapshot([component(1, { outlook: said("major_outage", NOW - HOUR, null, NOW) })]);
  const silent = snapshot([component(1, { outlook: said("unknown", NOW - HOUR, null, NOW) })]);
  const cards = [healthy(), down, silent].map(
    (one) => /\/card\/(\w+)\.png/.exec(render({ ...view, snapshot: one }) ?? "")?.[1],
  );
  expect(cards).toEqual(["operational", "major_outage", "unknown"]);
});

describe("an incident's page", () => {
  const html = renderIncident(view, "incident0001") ?? "";

  it("tells what people said, newest first, each at an address of its own", () => {
    expect(frameFaults(html, "/incidents/incident0001")).toEqual([]);
    expect(html.indexOf('id="u-update000002"')).toBeLessThan(html.indexOf('id="u-update000001"'));
    expect(html).toContain('href="#u-update000002"');
    expect(html).toContain("About <strong>3 of 10</strong> payments");
  });

  it("names its state, when it began, and what it does to which component", () => {
    expect(text(html)).toContain("Identified · major impact Began Mon, 23 Nov 2026, 13:48 UTC Still open after 14 min");
    expect(html).toContain('<a href="/components/component001"><bdi>Payments</bdi></a>');
    expect(text(html)).toContain("Payments : Operational → Partial outage");
  });

  it("says how long it lasted once it is over, and its mark is green", () => {
    const over = renderIncident(view, "resolved0003") ?? "";
    expect(text(over)).toContain("Resolved Fri, 20 Nov 2026, 13:02 UTC , after 60 min");
    expect(over).toContain('<h1><svg class="m operational"');
  });

  it("says what was written afterwards, and what was changed", () => {
    const words = update("update000003", "investigating" as const, "It was slow.", NOW);
    const late = { ...words, displayAt: NOW - HOUR };
    const incidents = [incident({ updates: [{ ...late, updatedAt: NOW + 5 * MINUTE }] })];
    expect(text(renderIncident({ ...view, log: { ...log, incidents } }, "incident0001"))).toContain(
      "13:02 UTC · written Mon, 23 Nov 2026, 14:02 UTC · changed Mon, 23 Nov 2026, 14:07 UTC",
    );
  });

  it("keeps the name of a component that is gone", () => {
    const without = { ...view, snapshot: snapshot([component(0)]) };
    const html = renderIncident(without, "incident0001");
    expect(text(html)).toContain("Affects Payments");
    expect(html).not.toContain('href="/components/');
  });

  it("takes nothing that people wrote for markup", () => {
    const updates = [update("update000001", "investigating" as const, HOSTILE_BODY, NOW)];
    const incidents = [incident({ name: HOSTILE_NAME, updates })];
    const page = renderIncident({ ...view, log: { ...log, incidents } }, "incident0001") ?? "";
    const [main = ""] = /<main.*<\/main>/s.exec(page) ?? [];
    const tags = [...main.matchAll(/<(\w+)((?:\s[\w-]+="[^"]*")*)\s*\/?>/g)];
    expect(main.replaceAll(/<\/?\w+(?:\s[\w-]+="[^"]*")*\s*\/?>/g, "")).not.toContain("<");
    const ours = ["main", "div", "p", "h1", "h2", "h3", "svg", "use", "dl", "dt", "dd", "time", "ol", "li", "a", "bdi"];
    const markdowns = ["strong", "em", "code", "pre"];
    expect(tags.map(([, name]) => name).filter((name = "") => ![...ours, ...markdowns].includes(name))).toEqual([]);
    expect(main).not.toMatch(/href="(?!#|https:\/\/a\.example|"|\/)/);
    expect(page.split("<script")).toHaveLength(2);
  });

  it("is not there for any other id", () => expect(renderIncident(view, "announced001")).toBeNull());
});

describe("a maintenance's page", () => {
  const render = (fields = {}, now = NOW) =>
    renderMaintenancePage({ ...view, now, log: { ...log, maintenances: [announced(fields)] } }, "announced001");

  it("says when it is, in how long, what it touches, and what was said of it", () => {
    const html = render() ?? "";
    expect(frameFaults(html, "/maintenance/announced001")).toEqual([]);
    expect(text(html)).toContain("Scheduled · begins in 4 days When Sat, 28 Nov 2026, 02:00–04:00 UTC");
    expect(text(html)).toContain("Affects Orders , Checkout");
    expect(html).toContain('<a href="/maintenance/announced001/event.ics">Add to calendar</a>');
    expect(text(html)).toContain("Orders can be read but not changed");
  });

  it.each([
    ["runs", { status: "in_progress", startsAt: NOW - HOUR, endsAt: NOW + HOUR }, "In progress · ends in 60 min"],
    ["runs on", { status: "in_progress", startsAt: NOW - HOUR, endsAt: NOW - 1 }, "its planned end has passed"],
    ["is verified", { status: "verifying", startsAt: NOW - HOUR, endsAt: NOW - 1 }, "Verifying When"],
    ["is over", { status: "completed", startsAt: NOW - DAY, endsAt: NOW - HOUR }, "Completed When"],
    [
      "was called off",
      { cancelledAt: NOW - DAY },
      "Cancelled Was planned for Sat, 28 Nov 2026, 02:00–04:00 UTC Cancelled Sun",
    ],
  ])("says so when it %s", (_name, fields, words) => expect(text(render(fields))).toContain(words));
});

describe("a month", () => {
  const month = (name: string | null) => renderPast(view, name);

  it("tells what happened, newest first, with the ways to its neighbours", () => {
    const html = month("2026-11") ?? "";
    expect(frameFaults(html, "/history/2026-11")).toEqual([]);
    const links = [...html.matchAll(/<h2><svg.*?<a href="([^"]*)"/g)].map(([, href]) => href);
    expect(links).toEqual(["/maintenance/announced001", "/incidents/incident0001", "/incidents/resolved0003"]);
    expect(html).toContain('<a href="/history/2026-10" rel="prev">October 2026</a>');
    expect(html).not.toContain('rel="next"');
  });

  it("is this one where none is named", () => {
    const html = month(null) ?? "";
    expect(frameFaults(html, "/history")).toEqual([]);
    expect(text(html)).toContain("November 2026");
  });

  it("without anything says so", () => {
    expect(text(month("2026-09"))).toContain("No incident and no maintenance in September 2026.");
    const quiet = renderPast({ ...view, log: { version: 7, incidents: [], maintenances: [] } }, "2026-11");
    expect(text(quiet)).toContain("No incident and no maintenance in November 2026 so far.");
  });

  it.each(["2026-12", "2025-01", "2026-13", "2026-1", "november", "2026-11-01", ""])("%j is none", (name) =>
    expect(month(name)).toBeNull(),
  );

  it("says of which days its uptime is, and where no day is kept", () => {
    expect(text(month("2026-08"))).toContain("Uptime Of the days from 26 Aug on ");
    expect(text(month("2026-07"))).toContain("No day of July 2026 is kept");
  });

  it("is floored, and says what it lost", () => {
    const ms = { operational: 10 * DAY, major_outage: 1, unknown: HOUR };
    const one = component(0, {
      days: [
        { day: "2026-11-02", ms },
        { day: "2026-11-03", ms },
      ],
    });
    const html = renderPast({ ...view, snapshot: snapshot([one]) }, "2026-11");
    expect(text(html)).toContain("Checkout 1 min major outage, 2 h no report 99.99 %");
  });

  it("is cut in the page's zone", () => {
    // 1 November 03:30 UTC is still October in New York.
    const at = Date.UTC(2026, 10, 1, 3, 30);
    const only = { version: 7, maintenances: [], incidents: [incident({ startedAt: at, resolvedAt: at + MINUTE })] };
    const entries = (name: string, timeZone: string) =>
      monthAt({ ...view.snapshot, page: { ...view.snapshot.page, timeZone } }, only, name, NOW)?.entries.length;
    expect([entries("2026-10", "Etc/UTC"), entries("2026-11", "Etc/UTC")]).toEqual([0, 1]);
    expect([entries("2026-10", "America/New_York"), entries("2026-11", "America/New_York")]).toEqual([1, 0]);
  });

  it("shows what reaches over its end in both months", () => {
    const at = Date.UTC(2026, 9, 31, 23);
    const only = { version: 7, maintenances: [], incidents: [incident({ startedAt: at, resolvedAt: at + 2 * HOUR })] };
    for (const name of ["2026-10", "2026-11"]) expect(monthAt(view.snapshot, only, name, NOW)?.entries).toHaveLength(1);
  });
});

describe("the head of every page", () => {
  it("leads to the same page in the other languages, and home", () => {
    const hrefs = (html: string | null) =>
      [...(html ?? "").matchAll(/<a href="([^"]*)" lang/g)].map(([, href]) => href);
    expect(hrefs(renderPast(view, null))).toEqual(["/de", "/fr", "/es", "/ja", "/ar"].map((lang) => `${lang}/history`));
    expect(hrefs(renderPage(view))).toEqual(["/de", "/fr", "/es", "/ja", "/ar"]);
    expect(renderPast(view, null)).toContain('<p><a href="/">Acme status</a></p>');
  });
});

describe("an own view", () => {
  const chosen = { path: "/view/component000,gone00000000", ids: ["component000", "gone00000000"], gone: 1 };

  it("says that it is one, what is gone from it, and the ways on", () => {
    const html = renderPage({ ...view, snapshot: snapshot([component(0)]), chosen });
    expect(frameFaults(html, chosen.path)).toEqual([]);
    expect(text(html)).toContain(
      "This is your own view. 1 of the 2 that were chosen is shown no more. Change it · Whole page · Badge",
    );
    for (const feed of ["history.rss", "history.atom", "maintenance.ics", "badge.svg"])
      expect(html).toContain(`href="${chosen.path}/${feed}"`);
    expect(html).toContain('data-own="component000,gone00000000"');
    expect(text(renderPage(view))).not.toContain("This is your own view");
  });

  it("is chosen in a form that needs no script, with what was chosen before", () => {
    const html = renderChoose(view, ["component001"]);
    expect(frameFaults(html, "/view")).toEqual([]);
    expect(html.match(/<input type="checkbox" name="c" value="\w{12}"/g)).toHaveLength(20);
    expect(html.match(/value="(\w{12})" checked/)?.[1]).toBe("component001");
    expect(html.match(/<fieldset>/g)).toHaveLength(3);
  });
});

describe.each(LANGUAGES.filter((lang) => lang !== "en"))("in %s", (lang) => {
  const spoken = { ...view, locale: localeOf(lang, "Europe/Berlin", `/${lang}`) };
  const cancelled = announced({ id: "cancelled001", cancelledAt: NOW - DAY });
  const busy = { ...spoken, log: { ...log, maintenances: [announced(), cancelled] } };
  const documents = {
    incident: renderIncident(busy, "incident0001"),
    resolved: renderIncident(busy, "resolved0003"),
    maintenance: renderMaintenancePage(busy, "announced001"),
    cancelled: renderMaintenancePage(busy, "cancelled001"),
    month: renderPast(busy, "2026-11"),
    quiet: renderPast(busy, "2026-07"),
    choice: renderChoose(busy, []),
    nothing: renderNothing(spoken.locale),
  };

  it.each(Object.entries(documents))("no English is left on the page of a %s", (_name, html) => {
    // What people wrote stays in their language: names, groups, texts.
    const ours = text((html ?? "").replace(/<(bdi|div class="md"[^>]*)>.*?<\/(bdi|div)>/gs, ""));
    expect(ours.match(/\b(the|is|for|of|after|since|this|show|minor|began|days?|scheduled|outage)\b/gi)).toBeNull();
    expect(html).toContain(`<html lang="${lang}"${lang === "ar" ? ' dir="rtl"' : ""}>`);
  });

  it.each(Object.entries(documents))("the ways from the page of a %s stay in it", (_name, html) => {
    // Above it are the other languages, and feeds, which speak English.
    const [, body = ""] = (html ?? "").split(/<\/header>|<main>/);
    const links = [...body.matchAll(/href="(\/[^"]*)"/g)].map(([, href = ""]) => href);
    expect(links.filter((href) => href.split("/")[1] !== lang && !href.endsWith(".ics"))).toEqual([]);
    expect(html).toContain(`href="/${lang}"`);
  });

  it("a document is known by its address in that language, beside all others", () => {
    const [head = ""] = (documents.month ?? "").split("</head>");
    expect(head).toContain(`<link rel="canonical" href="https://status.acme.example/${lang}/history/2026-11"/>`);
    expect(head).toContain('hreflang="x-default" href="https://status.acme.example/history/2026-11"');
    expect(head.match(/hreflang="\w\w" href="https:\/\/status\.acme\.example\/\w\w\/history\/2026-11"/g)).toHaveLength(
      6,
    );
    expect(renderPage(spoken)).toContain(`<link rel="canonical" href="https://status.acme.example/${lang}"/>`);
  });
});
