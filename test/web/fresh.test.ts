/**
 * Law 1 to the last byte: whatever evidence a snapshot was made of, and however much later somebody reads it, nothing
 * that visitors or programs get of it is green past the evidence's expiry.
 */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { holdsUntil } from "../../protocol/page.ts";
import type { PageSnapshot } from "../../protocol/page.ts";
import { COMPONENT_STATUSES } from "../../protocol/status.ts";
import { MINUTE, SECOND } from "../../protocol/time.ts";
import type { Millis } from "../../protocol/time.ts";
import { renderPage } from "../../web/view/page.ts";
import { shownFirst } from "../../web/view/shown.ts";
import { pageRegions } from "../../web/view/regions.ts";
import type { Component } from "../../worker/core/component.ts";
import type { PageFacts } from "../../worker/core/snapshot.ts";
import { publicSnapshot } from "../../worker/core/snapshot.ts";
import { statusDocument, summaryDocument } from "../../worker/core/statuspage.ts";
import { component, maintenance, NOON, tell, told } from "../support/facts.ts";
import { localeOf } from "../../web/view/words/locale.ts";

const locale = localeOf("en", "Etc/UTC");

const CLUSTERS = ["eu-1", "us-1", "ap-1"] as const;
const ORIGIN = "https://status.test";

/** What a Board may hold at NOON, and how much later it is read. */
const cases = fc.record({
  /** Of each cluster: heard how long ago, good for how long, and what it says of its service; null: never heard. */
  clusters: fc.tuple(
    ...CLUSTERS.map(() =>
      fc.option(
        fc.record({
          agoMs: fc.integer({ min: 0, max: 3 * MINUTE }),
          goodMs: fc.integer({ min: 1, max: 3 * MINUTE }),
          status: fc.constantFrom(...COMPONENT_STATUSES.filter((status) => status !== "under_maintenance")),
        }),
      ),
    ),
  ),
  /** The clusters behind each component. */
  components: fc.array(
    fc.record({ of: fc.subarray([...CLUSTERS], { minLength: 1 }), rule: fc.constantFrom("all", "any") }),
    {
      minLength: 1,
      maxLength: 4,
    },
  ),
  /** A maintenance of the first cluster's service. */
  window: fc.option(
    fc.record({
      startMs: fc.integer({ min: -3 * MINUTE, max: 3 * MINUTE }),
      lengthMs: fc.integer({ min: 1, max: 3 * MINUTE }),
    }),
  ),
  laterMs: fc.oneof(fc.integer({ min: 0, max: 6 * MINUTE }), fc.constantFrom(MINUTE, 60 * MINUTE, 1e12)),
});
type Case = typeof cases extends fc.Arbitrary<infer T> ? T : never;

function factsOf({ clusters, components, window }: Case): PageFacts {
  const tells = clusters.flatMap((one, i) => {
    if (one === null) return [];
    const heard = tell(NOON - one.agoMs, [told(one.status, "shop/checkout")], CLUSTERS[i]);
    return { ...heard, expiresAt: NOON - one.agoMs + one.goodMs };
  });
  const startsAt = NOON + (window?.startMs ?? 0);
  return {
    version: 1,
    page: { id: "page00000000", name: "Acme", timeZone: "Etc/UTC", createdAt: NOON },
    components: components.map(({ of, rule }, i): Component => {
      const services = of.map((cluster) => `${cluster}/shop/checkout`);
      return component({ id: `component000${i}`, name: `Part ${i}`, services, rule: rule as Component["rule"] });
    }),
    tells: new Map(tells.map((one) => [one.cluster, one])),
    outside: new Map(),
    maintenances: window === null ? [] : [maintenance({ startsAt, endsAt: startsAt + window.lengthMs })],
    changes: new Map(),
    archive: { delayedSince: null, isRestoring: false },
  };
}

/** Whether any cluster behind a component vouches for "operational" at `at`: without one it must not be green. */
function mayBeGreen({ services }: Component, { tells }: PageFacts, at: Millis): boolean {
  return services.some((ref) => {
    const held = tells.get(ref.split("/")[0] ?? "");
    return held !== undefined && at < held.expiresAt && held.services[0]?.status === "operational";
  });
}

const GREEN = /class="m operational"/;

/** The markup of one row of the page. */
function rowOf(page: string, id: string): string {
  return page.split("<li").find((row) => row.includes(`/components/${id}"`)) ?? "";
}

/** Everything that is said at `now`, by whether it is green: of each component, and of the page as a whole. */
function greens(snapshot: PageSnapshot, now: Millis) {
  const page = renderPage({ snapshot, now, origin: ORIGIN, isCopy: false, locale }).replace(/<script.*/s, "");
  const live = pageRegions(shownFirst(snapshot, now, locale), now, locale);
  const summary = summaryDocument(snapshot, ORIGIN, now);
  return {
    rows: snapshot.components.map(({ id }, i) => [
      GREEN.test(rowOf(page, id)),
      /Operational/.test(rowOf(page, id)),
      GREEN.test(live[`s-${i}`]?.text ?? ""),
      summary.components.find((row) => row.id === id)?.status === "operational",
    ]),
    whole: [
      /<title>All systems operational/.test(page),
      /<h1[^>]*><svg class="m operational"/.test(page),
      GREEN.test(live["headline"]?.text ?? ""),
      /All systems operational/.test(live["headline"]?.text ?? ""),
      statusDocument(snapshot, ORIGIN, now).status.indicator === "none",
      summary.status.indicator === "none",
      summary.components.filter((row) => row.group).every((row) => row.status === "operational"),
    ],
  };
}

describe("a snapshot read at any later time", () => {
  it("is green nowhere past its evidence's expiry, and everywhere alike", () =>
    fc.assert(
      fc.property(cases, (one) => {
        const facts = factsOf(one);
        const now = NOON + one.laterMs;
        const snapshot = publicSnapshot(facts, NOON);
        const { rows, whole } = greens(snapshot, now);
        const said = facts.components.map((_, i) => rows[i]?.[0] ?? true);
        for (const [i, part] of facts.components.entries()) {
          // A page in order shows them as they stand here: all of one group, by position and name.
          expect(new Set(rows[i]).size).toBe(1);
          if (said[i] === true) expect(mayBeGreen(part, facts, now)).toBe(true);
        }
        expect(new Set(whole).size).toBe(1);
        expect(whole[0]).toBe(said.every(Boolean));
      }),
      { numRuns: 2_000 },
    ));

  it("says the same until the moment that it names, and may be kept for as long", () =>
    fc.assert(
      fc.property(cases, (one) => {
        const snapshot = publicSnapshot(factsOf(one), NOON);
        const until = holdsUntil(snapshot.components, NOON);
        if (until === Infinity) return;
        const statuses = (now: Millis): unknown =>
          summaryDocument(snapshot, ORIGIN, now).components.map((c) => c.status);
        expect(statuses(until - 1)).toEqual(statuses(NOON));
        const named = renderPage({ snapshot, now: NOON, origin: ORIGIN, isCopy: false, locale }).match(
          /<li data-until="[^"]+"/g,
        );
        const first = Math.min(...(named ?? []).map((text) => Date.parse(text.slice(16, -1))));
        expect(until - first).toBeGreaterThanOrEqual(0);
        expect(until - first).toBeLessThan(SECOND);
      }),
      { numRuns: 500 },
    ));
});

it("of a list of turns that was cut off the end is not the last that was kept", () => {
  const held = factsOf({
    clusters: [{ agoMs: 0, goodMs: 3 * MINUTE, status: "operational" }, null, null],
    components: [{ of: ["eu-1"], rule: "all" }],
    window: null,
    laterMs: 0,
  });
  // Ten short maintenances take turns with "operational" while the evidence lasts: more than a reader is told of.
  const maintenances = Array.from({ length: 10 }, (_, i) => {
    const startsAt = NOON + (2 * i + 1) * SECOND;
    return maintenance({ id: `maint000000${i}`, startsAt, endsAt: startsAt + SECOND, createdAt: NOON });
  });
  const snapshot = publicSnapshot({ ...held, maintenances }, NOON);
  expect(snapshot.components[0]?.outlook).toHaveLength(16);
  for (const later of [30 * SECOND, 3 * MINUTE, 60 * MINUTE])
    expect(statusDocument(snapshot, ORIGIN, NOON + later).status.indicator).toBe("minor");
});

describe("a copy whose evidence has expired", () => {
  const facts = factsOf({
    clusters: [{ agoMs: 0, goodMs: MINUTE, status: "operational" }, null, null],
    components: [{ of: ["eu-1"], rule: "all" }],
    window: null,
    laterMs: 0,
  });
  const snapshot = publicSnapshot(facts, NOON);

  it("says so as a document: an indicator that is not none, and since when there is no news", () => {
    expect(statusDocument(snapshot, ORIGIN, NOON + MINUTE - 1).status.indicator).toBe("none");
    expect(statusDocument(snapshot, ORIGIN, NOON + MINUTE).status).toEqual({
      indicator: "minor",
      description: "This is an old copy: no news since 2026-11-23T12:00:00.000Z",
    });
  });

  it("is not what a page says whose agent is silent, but that itself is fresh", () => {
    const later = publicSnapshot(facts, NOON + 2 * MINUTE);
    expect(statusDocument(later, ORIGIN, NOON + 2 * MINUTE).status.description).toBe(
      "Some services are not reporting: data is missing",
    );
    expect(renderPage({ snapshot: later, now: NOON + 2 * MINUTE, origin: ORIGIN, isCopy: false, locale })).toContain(
      "Part 0 is not reporting",
    );
  });

  it("names the moment it was made, and the moment from which no row may be believed", () => {
    const page = renderPage({ snapshot, now: NOON, origin: ORIGIN, isCopy: false, locale });
    expect(page).toContain('<meta name="generated_at" content="2026-11-23T12:00:00Z"/>');
    expect(page).toContain('<li data-until="2026-11-23T12:01:00Z">');
    expect(page).toContain('<p id="asof">as of Mon 23 Nov 12:00:00 UTC</p>');
    expect(page).not.toMatch(/\d (s|min) (ago|old)/);
  });
});

it.each([
  ["nothing is published on", false, "No components are published yet"],
  ["has lost its memory", true, "The page is being restored: data is missing"],
])("a page that %s has nothing to be green about", (_name, isRestoring, description) => {
  const facts = { ...factsOf({ clusters: [null, null, null], components: [], window: null, laterMs: 0 }) };
  const snapshot = publicSnapshot({ ...facts, archive: { delayedSince: null, isRestoring } }, NOON);
  expect(statusDocument(snapshot, ORIGIN, NOON).status).toEqual({ indicator: "minor", description });
  expect(GREEN.test(pageRegions(shownFirst(snapshot, NOON, locale), NOON, locale)["headline"]?.text ?? "")).toBe(false);
});
