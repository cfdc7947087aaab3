/** The page as code: laws of reading and writing, and what a plan says. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HOUR, MINUTE } from "../../protocol/time.ts";
import type { ConfigFile, WholeFile } from "../../worker/core/config/config.ts";
import { applied, configRevision, exported } from "../../worker/core/config/config.ts";
import type { ComponentSaid } from "../../worker/core/config/components.ts";
import type { Configured } from "../../worker/core/config/section.ts";
import type { SeriesSaid } from "../../worker/core/config/series.ts";
import type { Series } from "../../worker/core/schedule.ts";
import { component, NOON } from "../support/facts.ts";

let ids = 0;
const making = {
  now: NOON + HOUR,
  freshId: () => `fresh${String(++ids).padStart(7, "0")}`,
  reported: [{ cluster: "eu-1", services: [{ service: "pay/a" }, { service: "pay/b" }] }],
  deploymentName: "Service status",
  deploymentZone: "Etc/UTC",
  by: "ada",
};
const EMPTY: Configured = {
  page: { id: "emptypage000", name: "Service status", timeZone: "Etc/UTC", createdAt: NOON },
  components: [],
  series: [],
};
const WEEKLY: Series = {
  id: "weekly000000",
  name: "Database maintenance",
  body: "Some requests may take longer.",
  rule: "FREQ=WEEKLY;BYDAY=SU",
  start: "2026-11-29T03:00",
  timeZone: "Etc/UTC",
  lengthMs: HOUR,
  reason: "VACUUM, REINDEX",
  components: ["pay000000000"],
  targets: [
    { cluster: "eu-1", service: "pay/a", mode: "scale", replicas: 1 },
    { cluster: "eu-1", service: "pay/b", mode: "announce", replicas: null },
  ],
  closing: "checks",
  by: "bob",
  createdAt: NOON - HOUR,
  updatedAt: NOON - HOUR,
  endedAt: null,
};
const FULL: Configured = {
  page: {
    id: "fullpage0000",
    name: "Acme",
    timeZone: "Europe/Berlin",
    createdAt: NOON - HOUR,
    thresholds: { p95Ms: 300 },
    metrics: [{ id: "chart0000000", name: "Pay", kind: "p95", component: "pay000000000" }],
    brand: {
      name: "Acme",
      timeZone: "Europe/Berlin",
      accent: { light: "#1e40af", dark: "#507cf0" },
      links: [{ name: "Help", url: "https://h.co/" }],
    },
    draftRules: [
      {
        name: "pay",
        cluster: null,
        match: { severity: ["critical"] },
        components: [{ component: "pay000000000", status: "major_outage" }],
        title: null,
      },
    ],
    anomalies: { "eu-1": { threshold: 0.9, at: NOON } },
    ignored: ["kube-system/*"],
    noticeDays: 5,
    checklist: [{ id: "backup", phase: "before", text: "Backup taken" }],
  },
  series: [
    WEEKLY,
    { ...WEEKLY, id: "ended0000000", name: "Ended", endedAt: NOON },
    {
      ...WEEKLY,
      id: "bare00000000",
      name: "Bare",
      reason: "",
      components: [],
      targets: [],
      closing: "person",
      lengthMs: 20 * MINUTE,
    },
  ],
  components: [
    component({ id: "cart00000000", name: "Cart", group: "Web", position: 2 }),
    component({
      id: "pay000000000",
      name: "Pay",
      group: "Shop / Money",
      description: "Where money moves",
      selector: ["pay/*"],
      services: ["eu-1/pay/a", "eu-1/pay/b"],
      rule: "quorum",
      quorum: 1,
      thresholds: { errorRatioPartial: 0.02 },
      slo: { target: 0.999, isPublic: true },
      url: "https://pay.acme.com/health",
      hidden: true,
      withheld: ["numbers"],
      startsOn: "2026-11-20",
      position: 1,
    }),
  ],
};

const apply = (file: ConfigFile, state: Configured) => {
  const done = applied(file, state, making);
  if (!done.ok) throw new Error(JSON.stringify(done.failure));
  return done.value;
};

const name = fc.stringMatching(/^[A-Z][a-z]{0,6}$/);
const group = fc.option(fc.constantFrom("Shop", "Shop / Money", "Region / EU / West", "Data"), { nil: undefined });
const said: fc.Arbitrary<ComponentSaid> = fc
  .record({
    id: fc.option(fc.stringMatching(/^[0-9a-z]{12}$/), { nil: undefined }),
    name,
    group,
    description: fc.option(name, { nil: undefined }),
    services: fc.array(fc.constantFrom("pay/*", "eu-1/pay/a", "*/pay/b", "us-2/shop/cart"), { maxLength: 3 }),
    rule: fc.constantFrom("all" as const, "any" as const),
    hidden: fc.constantFrom(true as const, undefined),
    withheld: fc.constantFrom(["uptime" as const], undefined),
    slo: fc.constantFrom({ target: 0.99, isPublic: false }, undefined),
    since: fc.constantFrom(NOON, undefined),
  })
  .map((fields) => Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never);
const file: fc.Arbitrary<ConfigFile> = fc
  .record({
    components: fc.uniqueArray(said, {
      maxLength: 6,
      comparator: (a, b) => (a.name === b.name && a.group === b.group) || (a.id !== undefined && a.id === b.id),
    }),
    limits: fc.constantFrom({}, { p95Ms: 250 }),
    ignored: fc.uniqueArray(fc.constantFrom("kube-system/*", "eu-1/a/b")),
    anomalies: fc.constantFrom({}, { "eu-1": 0.9 }),
    page: fc.constantFrom({}, { name: "Other" }, { accent: { light: "#1e40af" } }),
  })
  .map((sections) => ({ version: 1 as const, ...sections }));

describe("what was applied", () => {
  it("is what is read: a plan of it is empty, from whatever stood", () =>
    fc.assert(
      fc.property(file, fc.constantFrom(EMPTY, FULL), (wanted, start) => {
        const { state } = apply(wanted, start);
        const whole = exported(state);
        expect(apply(whole, state).changes).toEqual([]);
        expect(configRevision(apply(whole, state).state)).toBe(configRevision(state));
      }),
    ));

  it("again changes nothing: components keep the moment of their last change", () =>
    fc.assert(
      fc.property(file, (wanted) => {
        const whole = exported(apply(wanted, FULL).state);
        const once = apply(whole, FULL).state;
        const later = applied(whole, once, { ...making, now: making.now + HOUR });
        expect(later.ok && later.value.state).toEqual(once);
      }),
    ));

  it("on an empty system is the same page, under the same ids and in the same order", () => {
    const whole = exported(FULL);
    const { state } = apply(whole, EMPTY);
    expect(exported(state)).toEqual(whole);
    expect(state.page).toEqual({ ...FULL.page, anomalies: { "eu-1": { threshold: 0.9, at: making.now } } });
    const { by: _, createdAt: __, updatedAt: ___, ...weekly } = WEEKLY;
    expect(state.series).toMatchObject([{ id: "bare00000000" }, weekly]);
    expect(state.components.map(({ id }) => id)).toEqual(["pay000000000", "cart00000000"]);
    expect(state.components.find(({ id }) => id === "pay000000000")?.services).toEqual(["eu-1/pay/a", "eu-1/pay/b"]);
  });

  it("keeps what a file leaves out whole, and takes away what it leaves out within", () => {
    const { state } = apply({ version: 1, components: [{ name: "New", services: [], rule: "all" }] }, FULL);
    expect(state.page).toEqual(FULL.page);
    expect(state.series).toEqual(FULL.series);
    expect(state.components).toHaveLength(1);
    const bare = apply({ version: 1, page: {} }, FULL).state.page;
    expect([bare.name, bare.brand, bare.id]).toEqual(["Service status", undefined, "fullpage0000"]);
  });
});

describe("a plan", () => {
  const whole = exported(FULL);
  const plan = (change: Partial<WholeFile>) =>
    apply({ ...whole, ...change }, FULL).changes.map(({ act, section, name: of, fields, place }) => [
      act,
      of ?? section,
      ...fields.map(({ path, before, after }) => `${path}: ${before} → ${after}`),
      ...(place ? [place] : []),
    ]);
  const [pay, cart] = whole.components;
  const [bare, weekly] = whole.series;
  if (pay === undefined || cart === undefined || bare === undefined || weekly === undefined) throw new Error("nothing");

  it.each<[string, Partial<WholeFile>, unknown[]]>([
    ["nothing", {}, []],
    [
      "a field, by its path",
      { components: [{ ...pay, slo: { target: 0.99, isPublic: true } }, cart] },
      [["change", "Shop / Money / Pay", "slo.target: 0.999 → 0.99"]],
    ],
    [
      "a component's new name",
      { components: [pay, { ...cart, name: "Basket" }] },
      [["change", "Web / Basket", 'name: "Cart" → "Basket"']],
    ],
    ["what is there no more", { components: [pay] }, [["delete", "Web / Cart"]]],
    [
      "what is new",
      { components: [pay, cart, { name: "New", services: [], rule: "all" }] },
      [["create", "New", 'name: null → "New"', "services: null → []", 'rule: null → "all"']],
    ],
    [
      "another order, by the fewest moves",
      { components: [cart, pay] },
      [["move", "Shop / Money / Pay", { before: 1, after: 2 }]],
    ],
    ["charts", { charts: null }, [["change", "charts", expect.stringMatching(/^: \[.*\] → null$/)]]],
    ["limits", { limits: {} }, [["change", "limits", "p95Ms: 300 → null"]]],
    ["notice", { noticeDays: null }, [["change", "noticeDays", ": 5 → null"]]],
    ["ignored", { ignored: ["kube-system/*", "a/*"] }, [["create", "a/*", ': null → "a/*"']]],
    [
      "a series that is there no more, and one that is new",
      {
        series: [
          { name: "New", rule: "FREQ=MONTHLY;BYDAY=1SU", start: "2026-12-06T03:00", timeZone: "Etc/UTC", hours: 1 },
          weekly,
        ],
      },
      [
        ["delete", "Bare"],
        [
          "create",
          "New",
          'name: null → "New"',
          'rule: null → "FREQ=MONTHLY;BYDAY=1SU"',
          'start: null → "2026-12-06T03:00"',
          'timeZone: null → "Etc/UTC"',
          "hours: null → 1",
        ],
      ],
    ],
    [
      "a series by its name, where it has no id",
      { series: [bare, { ...weekly, id: undefined, hours: 2 } as unknown as SeriesSaid] },
      [["change", "Database maintenance", "hours: 1 → 2"]],
    ],
    ["a checklist", { checklist: null }, [["change", "checklist", expect.stringMatching(/^: .* → null$/)]]],
    [
      "an item of it",
      {
        checklist: [
          { id: "backup", phase: "before", text: "Backup taken" },
          { id: "smoke", phase: "during", text: "Smoke" },
        ],
      },
      [["create", "Smoke", 'id: null → "smoke"', 'phase: null → "during"', 'text: null → "Smoke"']],
    ],
    ["a rule", { draftRules: [] }, [["delete", "pay"]]],
    ["a threshold", { anomalies: { "us-2": 0.8 } }, [["change", "anomalies", "eu-1: 0.9 → null", "us-2: null → 0.8"]]],
    ["the page", { page: { ...whole.page, name: "Other" } }, [["change", "page", 'name: "Acme" → "Other"']]],
  ])("says %s", (_name, change, says) => expect(plan(change)).toEqual(says));
});

describe("a file is refused as a whole", () => {
  const pay: ComponentSaid = { name: "Pay", services: [], rule: "all" };
  const recurs = { name: "A", rule: "FREQ=WEEKLY;BYDAY=SU", start: "2026-11-29T03:00", timeZone: "Etc/UTC", hours: 1 };
  const item = { id: "backup", phase: "before", text: "Backup taken" } as const;
  it.each<[string, ConfigFile, readonly (string | number)[], RegExp]>([
    [
      "two components of one name",
      { version: 1, components: [pay, pay] },
      ["components", 1, "name"],
      /another component named "Pay"/,
    ],
    [
      "two of one id",
      {
        version: 1,
        components: [
          { ...pay, id: "a".repeat(12) },
          { ...pay, name: "B", id: "a".repeat(12) },
        ],
      },
      ["components", 1, "id"],
      /this id/,
    ],
    [
      "a start that has not come",
      { version: 1, components: [{ ...pay, since: making.now + 1 }] },
      ["components", 0, "since"],
      /must have passed/,
    ],
    [
      "a chart of nobody",
      { version: 1, charts: [{ kind: "p95", component: "Nobody" }] },
      ["charts", 0, "component"],
      /no component "Nobody"/,
    ],
    ["one chart twice", { version: 1, charts: [{ kind: "p95" }, { kind: "p95" }] }, ["charts", 1], /twice/],
    [
      "an accent that nobody can read",
      { version: 1, page: { accent: { light: "#0b6" } } },
      ["page", "accent"],
      /nearest that pass/,
    ],
    [
      "a rule about nobody",
      {
        version: 1,
        draftRules: [{ name: "r", match: { a: ["b"] }, components: [{ component: "x", status: "unknown" }] }],
      },
      ["draftRules", 0, "components", 0],
      /no component "x"/,
    ],
    [
      "a series that never happens",
      { version: 1, series: [{ ...recurs, rule: "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30" }] },
      ["series", 0, "rule"],
      /never/,
    ],
    [
      "a series about nobody",
      { version: 1, series: [{ ...recurs, components: ["x"] }] },
      ["series", 0, "components"],
      /no component "x"/,
    ],
    [
      "a series that holds a deployment for more than a day",
      { version: 1, series: [{ ...recurs, hours: 25, targets: [{ service: "eu-1/pay/a" }] }] },
      ["series", 0, "hours"],
      /24 hours at most/,
    ],
    [
      "two series of one id",
      {
        version: 1,
        series: [
          { ...recurs, id: "weekly000000" },
          { ...recurs, id: "weekly000000" },
        ],
      },
      ["series", 1, "id"],
      /this id/,
    ],
    ["one item twice", { version: 1, checklist: [item, item] }, ["checklist", 1, "id"], /twice/],
    [
      "too many components",
      { version: 1, components: Array.from({ length: 1_001 }, () => pay) },
      ["components"],
      /at most 1000/,
    ],
  ])("for %s", (_name, wanted, path, message) => {
    const done = applied(wanted, EMPTY, making);
    expect(done).toEqual({ ok: false, failure: [{ path, message: expect.stringMatching(message) }] });
  });

  it("for a series that was ended: what it called off stays called off", () => {
    const done = applied({ version: 1, series: [{ ...recurs, id: "ended0000000" }] }, FULL, making);
    expect(done).toMatchObject({ failure: [{ path: ["series", 0, "id"] }] });
  });

  it("with a fault of each section at once", () => {
    const done = applied({ version: 1, page: { accent: { light: "#0b6" } }, components: [pay, pay] }, EMPTY, making);
    expect(!done.ok && done.failure.map(({ path }) => path[0])).toEqual(["page", "components"]);
  });
});

it("what rules and charts say of a component that is gone is left out", () => {
  const state = { ...FULL, components: FULL.components.slice(0, 1) };
  const whole = exported(state);
  expect([whole.charts, whole.draftRules[0]?.components]).toEqual([[], []]);
  expect(apply(whole, state).changes).toEqual([]);
});
