import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { PageComponent } from "../../protocol/page.ts";
import { COMPONENT_STATUSES } from "../../protocol/status.ts";
import { DAY, HOUR, MINUTE, SECOND } from "../../protocol/time.ts";
import { PAGE_SCRIPT } from "../../web/view/assets.generated.ts";
import { notices } from "../../web/view/notice.ts";
import { renderPage } from "../../web/view/page.ts";
import { renderProblem } from "../../web/view/problem.ts";
import { shownFirst } from "../../web/view/shown.ts";
import { pageRegions, reason } from "../../web/view/regions.ts";
import { localeOf } from "../../web/view/words/locale.ts";
import { component, days, everyState, healthy, NOW, said, snapshot } from "./snapshots.ts";

/** RFC 6928: what fits the first ten packets, and so the first round trip. */
const FIRST_VIEW_BYTES_MAX = 14_600;
const SCRIPT_BYTES_MAX = 4_096;

const locale = localeOf("en", "Etc/UTC");
const view = { now: NOW, origin: "https://status.acme.example", isCopy: false, locale };

/** What a reader sees in one region. */
function text(markup: string): string {
  return markup
    .replace(/<[^>]*>/g, "")
    .replaceAll("&#39;", "'")
    .trim();
}

function regionsOf(one: PageComponent, now = NOW) {
  const regions = pageRegions(shownFirst(snapshot([one]), now, locale), now, locale);
  const of = (key: string): string => regions[key]?.text ?? "";
  return { headline: of("headline"), state: of("s-0"), why: of("w-0"), numbers: of("n-0") };
}

describe("the first view", () => {
  it("is at most 14,600 bytes with 20 components of 90 full days each", () => {
    const bytes = gzipSync(renderPage({ ...view, snapshot: healthy() }), { level: 6 }).length;
    expect(bytes).toBeLessThanOrEqual(FIRST_VIEW_BYTES_MAX);
  });

  it("is so up to its script even when something happened on every third day and every component is in trouble", () => {
    const troubled = Array.from({ length: 20 }, (_, i) =>
      component(i, {
        days: days(90, i + 3, 0.33),
        outlook: said("partial_outage", NOW - (i + 1) * HOUR, `About ${i + 1} in 30 requests fail.`, NOW - 8 * SECOND),
      }),
    );
    // The script stands last: nobody waits for it to read the page.
    const [read = ""] = renderPage({ ...view, snapshot: snapshot(troubled) }).split("<script");
    const bytes = gzipSync(read, { level: 6 }).length;
    expect(bytes).toBeLessThanOrEqual(FIRST_VIEW_BYTES_MAX);
  });

  it("carries a script of at most 4 KB", () => {
    expect(gzipSync(PAGE_SCRIPT, { level: 6 }).length).toBeLessThanOrEqual(SCRIPT_BYTES_MAX);
  });

  it("asks for nothing else: no file, no inline handler, no style attribute", () => {
    const page = renderPage({ ...view, snapshot: everyState() });
    const [markup = ""] = page.split("<script");
    expect(markup).not.toMatch(
      /\ssrc=|<link(?! rel="((icon|stylesheet)" href="data:|canonical|alternate))|\sstyle="|\son[a-z]+="|@import|url\(/,
    );
  });
});

describe("history that is late", () => {
  const lateAt = (archive: { delayedSince: number | null; isRestoring: boolean }): string =>
    renderPage({ ...view, snapshot: { ...healthy(), archive } });

  it("is said once, in a quiet line, with the moment and with what it does not touch", () => {
    expect(text(lateAt({ delayedSince: NOW - 20 * MINUTE, isRestoring: false }))).toContain(
      "History is delayed since 13:42 UTC: the archive cannot be reached. Live status is not affected.",
    );
    expect(text(lateAt({ delayedSince: null, isRestoring: true }))).toContain("History is being restored");
    const archive = { delayedSince: null, isRestoring: true };
    const lost = renderPage({ ...view, snapshot: { ...snapshot([]), archive } });
    expect(text(lost)).toContain("What is shown here is being restored from the archive");
  });

  it("is not mentioned while it is not, or where nothing is known of it", () => {
    for (const page of [
      lateAt({ delayedSince: null, isRestoring: false }),
      renderPage({ ...view, snapshot: healthy() }),
    ])
      expect(text(page)).not.toContain("History is");
  });

  it("leaves the first view within its bytes", () =>
    expect(gzipSync(lateAt({ delayedSince: NOW - HOUR, isRestoring: false }), { level: 6 }).length).toBeLessThanOrEqual(
      FIRST_VIEW_BYTES_MAX,
    ));
});

describe("a state", () => {
  it.each([
    ["operational", "All systems operational", "Operational", ""],
    ["degraded_performance", "Checkout is degraded", "Degraded performance", "Since 13:48 UTC: It is so."],
    ["partial_outage", "Checkout is failing for some requests", "Partial outage", "Since 13:48 UTC: It is so."],
    ["major_outage", "Checkout is down", "Major outage", "Since 13:48 UTC: It is so."],
    ["under_maintenance", "Checkout is under maintenance", "Under maintenance", "Since 13:48 UTC: It is so."],
    ["unknown", "Checkout is not reporting", "Unknown", "Since 13:48 UTC: It is so."],
  ] as const)("%s has its sentence, its shape, its word and its reason", (status, headline, word, why) => {
    const seen = regionsOf(component(0, { outlook: said(status, NOW - 14 * MINUTE, "It is so.", NOW - 8 * SECOND) }));
    expect([text(seen.headline), text(seen.state), text(seen.why)]).toEqual([headline, word, why]);
    expect(seen.state).toContain(`<svg class="m ${status}" aria-hidden="true"><use href="#${status}"`);
  });

  it("has a shape of its own, drawn once a page", () => {
    const page = renderPage({ ...view, snapshot: everyState() });
    const drawings = COMPONENT_STATUSES.map((status) => page.split(`<symbol id="${status}"`)[1]?.split("</symbol>")[0]);
    expect(new Set(drawings).size).toBe(COMPONENT_STATUSES.length);
    expect(drawings).not.toContain(undefined);
  });

  it.each([
    ["silent since its last report", { heardAt: NOW - 12 * MINUTE }, "No report since 13:50 UTC"],
    ["silent since the day before", { heardAt: NOW - DAY }, "No report since Sun 22 Nov 14:02 UTC"],
    ["never heard", { heardAt: null }, "No report yet"],
    ["heard, but not in full", { heardAt: NOW - 5 * SECOND }, "Data missing since 13:51 UTC"],
  ])("unknown says what is missing: %s", (_name, fields, why) => {
    const outlook = [{ from: 0, status: "unknown" as const, since: NOW - 11 * MINUTE, why: null }];
    expect(reason(component(0, { ...fields, outlook }), NOW, locale)).toBe(why);
  });

  it("unknown says why, where that is known: its mesh has not been silent", () => {
    const why = "It did not answer from outside, and has not been asked since.";
    const outlook = [{ from: 0, status: "unknown" as const, since: NOW, why }];
    const seen = component(0, { heardAt: NOW - 5 * SECOND, outlook });
    expect(reason(seen, NOW, locale)).toBe(`Since 14:02 UTC: ${why}`);
  });

  it("of unknown shows neither green nor red nor old numbers", () => {
    const seen = regionsOf(component(0, { heardAt: NOW - HOUR, outlook: said("operational", 0, null, NOW - HOUR) }));
    expect(`${seen.headline}${seen.state}`).not.toMatch(/operational|outage/i);
    expect(text(seen.numbers)).toBe("no numbers");
  });
});

describe("what answers from outside", () => {
  const seen = (until: number, words: string, fields: Partial<PageComponent> = {}): string => {
    const { numbers } = regionsOf(component(0, { ...fields, outside: { until, words } }));
    return text(numbers).replace(/.*(?=from outside)/, "");
  };
  const silent = { heardAt: NOW - HOUR, outlook: said("operational", 0, null, NOW - HOUR) };
  it.each([
    ["stands beside the mesh's own numbers", seen(NOW + 1, "184 ms"), "from outside 184 ms"],
    ["is said where the mesh says nothing", seen(NOW + 1, "184 ms", silent), "from outside 184 ms"],
    ["that fails is said to", seen(NOW + 1, "failing"), "from outside failing"],
    ["is unknown once nobody has looked for too long", seen(NOW, "184 ms"), "from outside unknown"],
    ["is not mentioned where nobody looks", text(regionsOf(component(0)).numbers).replace(/.*req\/s/, ""), ""],
  ])("%s", (_name, shown, words) => expect(shown).toBe(words));

  it("reaches the open page too", () => {
    const one = component(0, { outside: { until: NOW + MINUTE, words: "184 ms" } });
    const page = renderPage({ ...view, snapshot: snapshot([one]) });
    expect(page).toContain('"outside":{"until"');
  });
});

describe("time passing", () => {
  const heardAt = NOW - 8 * SECOND;
  const one = component(0, { outlook: said("operational", NOW - DAY, null, heardAt), heardAt });
  it.each([
    [heardAt + 35 * SECOND - 1, "Operational"],
    [heardAt + 35 * SECOND, "Unknown"],
  ])("turns evidence into unknown at its expiry and not before (%i)", (now, word) => {
    expect(text(regionsOf(one, now).state)).toBe(word);
  });

  it("makes a copy that nobody refreshes say so, and nothing in it green", () => {
    const page = renderPage({ ...view, snapshot: healthy(3), now: NOW + 10 * MINUTE, isCopy: true });
    expect(page).toContain('<p id="copy">Live data cannot be reached: ');
    expect(page).toContain('<h1 id="headline"><svg class="m unknown"');
    expect(page).toContain("No news since 14:02 UTC");
    expect(page).toContain("as of Mon 23 Nov 14:02:31 UTC");
    expect(page.split("<main")[1]).not.toMatch(/class="m operational"/);
  });

  it.each([
    ["names one", 1, "Checkout is down"],
    ["names two", 2, "Checkout and Payments are down"],
    ["counts more", 3, "3 of 5 components are down"],
    ["says all", 5, "All components are down"],
  ])("headline %s", (_name, count, sentence) => {
    const all = Array.from({ length: 5 }, (_, i) =>
      component(i, i < count ? { outlook: said("major_outage", NOW, null, heardAt) } : {}),
    );
    expect(text(pageRegions(shownFirst(snapshot(all), NOW, locale), NOW, locale)["headline"]?.text ?? "")).toBe(
      sentence,
    );
  });
});

describe("maintenance", () => {
  const base = { id: "m00000000001", name: "Upgrade", createdAt: NOW, updatedAt: NOW, components: ["component000"] };
  const inForce = { ...base, status: "in_progress" as const, startsAt: NOW - HOUR, endsAt: NOW + HOUR };
  it.each([
    [
      "asked for",
      { ...inForce, confirmed: false },
      "Maintenance: Upgrade13:02–15:02 UTC. Requested: not yet confirmed by the systems concerned. Affects Checkout.",
    ],
    [
      "in force",
      { ...inForce, confirmed: true },
      "Maintenance: Upgrade13:02–15:02 UTC. Confirmed: it is in force. Affects Checkout.",
    ],
    [
      "planned",
      { ...base, status: "scheduled" as const, startsAt: NOW + DAY, endsAt: NOW + DAY + HOUR, confirmed: false },
      "Scheduled maintenance: UpgradeTue 24 Nov 14:02–15:02 UTC. Affects Checkout.",
    ],
    [
      "of which no cluster is asked anything",
      { ...inForce, confirmed: false, unasked: true as const },
      "Maintenance: Upgrade13:02–15:02 UTC. Affects Checkout.",
    ],
    [
      "late",
      { ...inForce, endsAt: NOW - 2 * MINUTE, confirmed: false, unasked: true as const },
      "Maintenance: Upgrade13:02–14:00 UTC. Its planned end has passed. Affects Checkout.",
    ],
    [
      "verified after its planned end",
      { ...inForce, status: "verifying" as const, endsAt: NOW - 2 * MINUTE, confirmed: false },
      "Maintenance: Upgrade13:02–14:00 UTC. Affects Checkout.",
    ],
    ["over", { ...inForce, status: "completed" as const, confirmed: true }, ""],
  ])("%s", (_name, maintenance, notice) => {
    const page = snapshot([component(0)], { maintenances: [maintenance] });
    expect(text(notices(page, NOW, locale).text)).toBe(notice);
  });

  it("is told in the page's zone, by name", () => {
    const page = snapshot([component(0)], { maintenances: [{ ...inForce, confirmed: true }] });
    expect(notices(page, NOW, localeOf("en", "Europe/Berlin")).text).toContain("14:02–16:02 CET");
  });
});

describe("hostile text", () => {
  const EVIL = `"><script>alert(1)</script><img src=x onerror='alert(2)'>{{7*7}}`;
  it("stays text in every field that reaches the page", () => {
    const page = renderPage({
      ...view,
      origin: `https://${EVIL}`,
      snapshot: snapshot(
        [component(0, { name: EVIL, group: EVIL, description: EVIL, outlook: said("partial_outage", NOW, EVIL, NOW) })],
        {
          page: { id: EVIL, name: EVIL, timeZone: "Etc/UTC", createdAt: NOW },
          maintenances: [
            {
              id: EVIL,
              name: EVIL,
              status: "in_progress",
              startsAt: NOW - 1,
              endsAt: NOW + HOUR,
              createdAt: NOW,
              updatedAt: NOW,
              components: [EVIL, "component000"],
              confirmed: false,
            },
          ],
        },
      ),
    });
    expect(page.match(/<script/g)).toHaveLength(1);
    expect(page).not.toMatch(/<img|onerror='/);
  });

  it("stays text on a problem page", () => {
    expect(renderProblem({ status: 404, title: EVIL, message: EVIL }, locale)).not.toMatch(/<script>alert|<img/);
  });
});

describe("an empty page", () => {
  it("says what its operator does next, and is not green", () => {
    const page = renderPage({ ...view, snapshot: snapshot([]) });
    expect(page).toContain("npm run -s admin-link");
    expect(page).toContain("Nothing is published yet");
    expect(page.split("<main")[1]).not.toMatch(/class="m operational"/);
  });
});

describe("what is withheld of a component", () => {
  const shown = (withheld: readonly ("uptime" | "numbers")[]): string =>
    renderPage({ ...view, snapshot: snapshot([component(0, { withheld }), component(1)]) });
  const bars = (page: string): number => page.match(/class="bars"/g)?.length ?? 0;

  it("is its bars, whose place is kept so that numbers stand below each other", () => {
    expect(bars(shown([]))).toBe(2);
    expect(bars(shown(["uptime"]))).toBe(1);
    expect(shown(["uptime"])).toMatch(/id="w-0"><\/p><div><\/div><p class="n" id="n-0">/);
  });
});
