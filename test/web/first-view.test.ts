import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { PageSnapshot } from "../../protocol/page.ts";
import { DAY, HOUR } from "../../protocol/time.ts";
import { REST_SHEET } from "../../web/view/assets.generated.ts";
import { flatGroups, groupsOf, isOpen } from "../../web/view/groups.ts";
import { renderPage } from "../../web/view/page.ts";
import { LANGUAGES, localeOf } from "../../web/view/words/locale.ts";
import { announced, fullView, HOSTILE_BODY, HOSTILE_NAME, incident, resolved, update } from "./announcements.ts";
import { component, healthy, NOW, said, snapshot } from "./snapshots.ts";

const view = { now: NOW, origin: "https://status.acme.example", isCopy: false, locale: localeOf("en", "Etc/UTC") };
const render = (page: PageSnapshot): string => renderPage({ ...view, snapshot: page });
const bytes = (page: PageSnapshot): number => gzipSync(render(page), { level: 6 }).length;
const text = (markup: string): string =>
  markup.replace(/<style>.*?<\/style>|<script.*?<\/script>|<[^>]*>/gs, " ").replace(/\s+/g, " ");
const main = (page: PageSnapshot): string => text(render(page).split("<main")[1] ?? "");

describe("the first view on the wire", () => {
  it.each(LANGUAGES)("is at most 14,600 bytes with four groups, three charts and an open incident in %s", (lang) => {
    const page = renderPage({ ...view, locale: localeOf(lang, "Etc/UTC"), snapshot: fullView() });
    // Real ones pack worse than those that only count: twelve letters and figures by chance.
    const asReal = page.replace(/component0\d\d/g, (id) =>
      createHash("sha256").update(id).digest("base64url").toLowerCase().slice(0, 12),
    );
    expect(gzipSync(asReal, { level: 6 }).length).toBeLessThanOrEqual(14_600);
  });
  it("is at most 40 KB with a hundred components", () => expect(bytes(fullView(100))).toBeLessThanOrEqual(40_000));
  it("is bounded whatever people write", () => {
    const long = Array.from({ length: 40 }, (_, i) =>
      update(`u${i}`, "identified" as const, `${i} word `.repeat(3_000), NOW),
    );
    expect(bytes({ ...fullView(), incidents: [incident({ updates: long })] })).toBeLessThan(bytes(fullView()) + 600);
  });
});

describe("what is painted first", () => {
  it("is the headline and the open incident, whole, in the first 3,000 bytes, before the rest of the style", () => {
    const page = render(fullView());
    const first = page.slice(0, page.indexOf('<link rel="stylesheet"'));
    expect(gzipSync(first, { level: 6 }).length).toBeLessThanOrEqual(3_000);
    expect(text(first)).toContain("Some payments fail Since 13:48 UTC");
    expect(text(first)).toContain("1 earlier update");
    // A browser waits for the sheet that is named there, and paints meanwhile what stands before it.
    expect(page.slice(first.length)).toMatch(/^<link rel="stylesheet" href="data:text\/css,[^"]*"\/>/);
    expect(first).toMatch(/<div id="notices">.*<\/div>$/s);
  });
});

describe("what people announced", () => {
  it("stands at the top: the incident with its newest words, the older ones folded, then what is planned", () => {
    const page = { ...healthy(9), incidents: [incident()], maintenances: [announced()] };
    const shown = main(page);
    const order = [
      "Some payments fail",
      "Since 13:48 UTC · Affects Payments.",
      "Identified 13:58 UTC About 3 of 10 payments",
      "1 earlier update",
      "Investigating 13:48 UTC",
      "Scheduled maintenance: Database upgrade",
      "Sat 28 Nov 02:00–04:00 UTC",
      "Orders can be read but not changed",
      "Checkout",
    ];
    const places = order.map((words, i) =>
      shown.indexOf(words, i === order.length - 1 ? shown.indexOf("Orders can be") : 0),
    );
    expect(places).not.toContain(-1);
    expect(places).toEqual(places.toSorted((a, b) => a - b));
  });

  it("is the headline where it is worse than what is seen, and not where it is not", () => {
    const headline = (page: PageSnapshot): string =>
      render(page).split('<h1 id="headline">')[1]?.split("</h1>")[0] ?? "";
    expect(headline({ ...healthy(3), incidents: [incident()] })).toMatch(
      /class="m partial_outage".*Some payments fail$/,
    );
    expect(headline({ ...healthy(3), incidents: [resolved(1)] })).toContain("All systems operational");
    const down = component(0, { outlook: said("major_outage", NOW, null, NOW) });
    expect(headline(snapshot([down], { incidents: [incident()] }))).toMatch(
      /class="m major_outage".*Checkout is down$/,
    );
  });

  it("leaves the top once it is over, called off or done", () => {
    const over = [
      announced({ status: "completed", startsAt: NOW - HOUR, endsAt: NOW - 1 }),
      announced({ cancelledAt: NOW }),
    ];
    expect(render({ ...healthy(3), incidents: [resolved(2)], maintenances: over })).not.toContain('class="notice');
  });

  it("is inert, whatever was typed", () => {
    const name = HOSTILE_NAME;
    const page = render({
      ...healthy(3),
      incidents: [
        incident({
          name,
          updates: [update("a", "identified", HOSTILE_BODY, NOW), update("b", "identified", HOSTILE_BODY, NOW)],
        }),
        resolved(3, { name, updates: [update("c", "resolved", HOSTILE_BODY, NOW)] }),
      ],
      maintenances: [announced({ name, updates: [update("d", "scheduled", HOSTILE_BODY, NOW)] })],
    });
    expect(page.match(/<script/g)).toHaveLength(1);
    expect(page.replace(`href="${REST_SHEET}"`, "")).not.toMatch(
      /<(?:img|svg\/|iframe|base|form|input|div onclick)|href="(?:javascript|data:text|vbscript)/i,
    );
  });
});

describe("the last two weeks", () => {
  it("tell each day on which something was, and runs of quiet days in one line", () => {
    const page = { ...healthy(3), incidents: [resolved(6)] };
    expect(main(page).slice(main(page).indexOf("Past incidents"))).toContain(
      "Past incidents Mon 23 Nov – Wed 18 Nov No incidents Tue 17 Nov Search was slow Resolved 12:02–13:02 UTC · lasted 60 min Searches are answered as fast as before. Mon 16 Nov – Tue 10 Nov No incidents",
    );
  });
  it("name what is still open on the day on which it began, without its words: they stand above", () => {
    const page = { ...healthy(3), incidents: [incident()] };
    expect(main(page).slice(main(page).indexOf("Past incidents"))).toContain(
      "Past incidents Mon 23 Nov Some payments fail Identified Sun 22 Nov – Tue 10 Nov No incidents",
    );
  });
  it("say nothing of days before the page was", () => {
    const { page } = healthy(1);
    const young = { ...healthy(1), page: { ...page, createdAt: NOW - DAY }, incidents: [] };
    expect(main(young)).toContain("Past incidents Mon 23 Nov – Sun 22 Nov No incidents");
  });
  it("call no day quiet that something reached into", () => {
    const long = resolved(6, { resolvedAt: NOW - 4 * DAY });
    const told = main({ ...healthy(3), incidents: [incident(), long] });
    expect(told.slice(told.indexOf("Past incidents"))).toContain(
      "Past incidents Mon 23 Nov Some payments fail Identified Sun 22 Nov – Fri 20 Nov No incidents Tue 17 Nov Search was slow",
    );
  });
  it("tell what was taken over from before the page was", () => {
    const { page } = healthy(1);
    const young = { ...healthy(1), page: { ...page, createdAt: NOW }, incidents: [resolved(6)] };
    expect(main(young)).toMatch(/Past incidents Mon 23 Nov No incidents Tue 17 Nov Search was slow .* All of history/);
    expect(main(young).match(/No incidents/g)).toHaveLength(1);
  });
  it("are left out where nobody wrote anything down", () => expect(main(healthy(1))).not.toContain("Past incidents"));
});

it("leads from each component to its own page, in the language that is read", () => {
  const german = renderPage({ ...view, locale: localeOf("de", "Etc/UTC", "/de"), snapshot: healthy(1) });
  expect(render(healthy(1))).toContain('<h3><a href="/components/component000">Checkout</a></h3>');
  expect(german).toContain('<h3><a href="/de/components/component000">Checkout</a></h3>');
});

describe("groups", () => {
  const grouped = (...groups: (string | null)[]) => groups.map((group, i) => component(i, { group }));
  it.each([
    ["in the order of their first component", ["B", "A", "B"], ["B 0,2", "A 1"]],
    [
      "within each other",
      ["Platform", "Shop", "Platform / Data", "Platform / Data / Hot"],
      ["Platform 0,2,3", "Data 2,3", "Hot 3", "Shop 1"],
    ],
    ["no deeper than three", ["A / B / C / D"], ["A 0", "B 0", "C / D 0"]],
    ["and without one", [null, "A"], ["null 0", "A 1"]],
    ["never lose a component to an odd name", [" / ", "/ A", "A / "], [" /  0", "/ A 1", "A 2"]],
  ])("stand %s", (_name, names, told) => {
    const shown = flatGroups(groupsOf(grouped(...names))).map(({ name, all }) => `${name} ${all.join()}`);
    expect(shown).toEqual(told);
  });

  it("say their worst state and how many are in it, those within among them", () => {
    const parts = grouped("Platform", "Platform / Data", "Platform / Data");
    const down = { ...component(2), group: "Platform / Data", outlook: said("major_outage", NOW, null, NOW) };
    const page = render(snapshot([...parts.slice(0, 2), down]));
    const summaries = [...page.matchAll(/<span id="g-\d">(.*?)<\/span>/g)].map(([, words = ""]) => text(words).trim());
    expect(summaries).toEqual(["Major outage 1/3", "Major outage 1/2"]);
  });

  it("that are well are closed at first where there are many components, and nowhere else", () => {
    const many = Array.from({ length: 41 }, (_, i) =>
      component(i, {
        group: i < 20 ? "A" : "B",
        ...(i === 30 && { outlook: said("degraded_performance", NOW, null, NOW) }),
      }),
    );
    expect(groupsOf(many).map((group) => isOpen(group, many, NOW))).toEqual([false, true]);
    const few = many.slice(0, 40);
    expect(groupsOf(few).map((group) => isOpen(group, few, NOW))).toEqual([true, true]);
  });
});
