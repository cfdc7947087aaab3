import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { ChainEntry, ChainHead, Correction } from "../../protocol/chain.ts";
import { entryText, followChain, GENESIS } from "../../protocol/chain.ts";
import type { DayTally } from "../../protocol/page.ts";
import type { ComponentStatus } from "../../protocol/status.ts";
import { DAY, HOUR, MINUTE } from "../../protocol/time.ts";
import type { StatusChange } from "../../worker/core/component.ts";
import type { Draft } from "../../worker/core/freeze.ts";
import {
  amendments,
  asCorrected,
  daysToFreeze,
  FREEZE_GRACE_MS,
  frozenDays,
  linked,
} from "../../worker/core/freeze.ts";
import { dayTallies } from "../../worker/core/history.ts";
import { spansOf, spent } from "../../worker/core/uptime.ts";

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/** A page whose components have a journal each, and the chain that it has written so far. */
class Page {
  entries: readonly ChainEntry[] = [];
  readonly #changes: ReadonlyMap<string, readonly StatusChange[]>;
  timeZone: string;

  constructor(
    journals: Readonly<Record<string, readonly (readonly [string, ComponentStatus])[]>>,
    timeZone = "Etc/UTC",
  ) {
    this.timeZone = timeZone;
    this.#changes = new Map(
      Object.entries(journals).map(([component, told]) => [
        component,
        told.map(([moment, status]) => ({ component, at: Date.parse(moment), status })),
      ]),
    );
  }

  get facts() {
    const components = [...this.#changes.keys()].map((id) => ({ id }));
    return { frozen: frozenDays(this.entries), components, changes: this.#changes, timeZone: this.timeZone };
  }

  add(drafts: readonly Draft[]): void {
    for (const draft of drafts) {
      const entry = linked(draft, frozenDays(this.entries).head);
      this.entries = [...this.entries, { ...entry, hash: sha256(entryText(entry)) }];
    }
  }

  freeze(moment: string): string[] {
    const drafts = daysToFreeze(this.facts, Date.parse(moment));
    this.add(drafts);
    return drafts.map(({ day }) => day);
  }

  amend(correction: Partial<Correction>, moment = "2026-11-24T12:00:00Z") {
    const asked = { ...falseAlarm, ...correction };
    const made = amendments(asked, this.facts, this.entries, Date.parse(moment));
    if (made.ok) this.add(made.value);
    return made.ok ? made.value.map(({ day, tallies }) => [day, tallies]) : made.failure;
  }

  days(moment: string, component = "shop") {
    return dayTallies(
      component,
      this.#changes.get(component) ?? [],
      this.facts.frozen,
      Date.parse(moment),
      this.timeZone,
    );
  }

  get fault() {
    return followChain(GENESIS, this.entries, sha256).fault;
  }
}

/** Tallies together. */
function spentIn(tallies: readonly DayTally["ms"][]): DayTally["ms"] {
  const all: Partial<Record<ComponentStatus, number>> = {};
  for (const [status, ms] of tallies.flatMap((one) => Object.entries(one)))
    all[status as ComponentStatus] = (all[status as ComponentStatus] ?? 0) + ms;
  return all;
}

const falseAlarm: Correction = {
  component: "shop",
  from: Date.parse("2026-11-22T06:00:00Z"),
  to: Date.parse("2026-11-22T08:00:00Z"),
  status: "operational",
  reason: "the probe was wrong",
  by: "one-time link",
};

/** Up since the 21st at noon, but for two hours of the 22nd. */
const outage = [
  ["2026-11-21T12:00:00Z", "operational"],
  ["2026-11-22T06:00:00Z", "major_outage"],
  ["2026-11-22T08:00:00Z", "operational"],
] as const;

describe("a day freezes", () => {
  it.each([
    ["not while it lasts", "2026-11-21T23:59:59Z", []],
    ["not before its evidence had its time", "2026-11-22T00:14:59.999Z", []],
    ["a quarter of an hour after its end", "2026-11-22T00:15:00Z", ["2026-11-21"]],
    ["with all that were missed", "2026-11-24T12:00:00Z", ["2026-11-21", "2026-11-22", "2026-11-23"]],
  ])("%s", (_name, moment, days) => {
    expect(FREEZE_GRACE_MS).toBe(15 * MINUTE);
    const page = new Page({ shop: outage });
    expect(page.freeze(moment)).toEqual(days);
    expect(page.freeze(moment)).toEqual([]);
    expect(page.fault).toBeNull();
  });

  it("with all components of the page, each with its time in each status", () => {
    const page = new Page({ shop: outage, cart: [["2026-11-22T23:00:00Z", "unknown"]] });
    page.freeze("2026-11-23T01:00:00Z");
    expect(page.entries.map(({ tallies }) => tallies)).toEqual([
      { shop: { operational: 12 * HOUR } },
      { shop: { operational: 22 * HOUR, major_outage: 2 * HOUR }, cart: { unknown: HOUR } },
    ]);
  });

  it("and stands, whatever its journal says later", () => {
    const page = new Page({ shop: outage });
    page.freeze("2026-11-24T12:00:00Z");
    const rewritten = new Page({ shop: [["2026-11-21T12:00:00Z", "major_outage"]] });
    rewritten.entries = page.entries;
    expect(rewritten.days("2026-11-24T12:00:00Z")).toEqual([
      { day: "2026-11-21", ms: { operational: 12 * HOUR } },
      { day: "2026-11-22", ms: { operational: 22 * HOUR, major_outage: 2 * HOUR } },
      { day: "2026-11-23", ms: { operational: 24 * HOUR } },
      { day: "2026-11-24", ms: { major_outage: 12 * HOUR } },
    ]);
  });

  it("of a page without components too, so that the next begins where it ended", () => {
    const page = new Page({ shop: outage });
    page.freeze("2026-11-22T01:00:00Z");
    const empty = new Page({});
    empty.entries = page.entries;
    expect(empty.freeze("2026-11-24T01:00:00Z")).toEqual(["2026-11-22", "2026-11-23"]);
    expect(new Page({}).freeze("2026-11-24T01:00:00Z")).toEqual([]);
  });

  it.each([
    ["Europe/Berlin", "2026-03-29", 23],
    ["Europe/Berlin", "2026-10-25", 25],
    ["Australia/Lord_Howe", "2026-10-04", 23.5],
    ["America/New_York", "2026-11-01", 25],
  ])("%s: the %s has its %d hours", (zone, day, hours) => {
    const page = new Page({ shop: [["2026-01-01T00:00:00Z", "operational"]] }, zone);
    page.freeze(new Date(Date.parse(day) + 3 * DAY).toISOString());
    const frozen = page.entries.find((entry) => entry.day === day);
    expect(frozen?.tallies).toEqual({ shop: { operational: hours * HOUR } });
  });

  it.each([
    ["Pacific/Kiritimati", "Pacific/Niue"],
    ["Pacific/Niue", "Pacific/Kiritimati"],
    ["Etc/UTC", "Asia/Kathmandu"],
  ])("when the page moves from %s to %s no moment is lost or counted twice", (from, to) => {
    const page = new Page({ shop: [["2026-11-21T12:00:00Z", "operational"]] }, from);
    page.freeze("2026-11-23T12:00:00Z");
    page.timeZone = to;
    page.freeze("2026-11-26T12:00:00Z");
    const counted = page.days("2026-11-26T12:00:00Z").reduce((sum, { ms }) => sum + (ms.operational ?? 0), 0);
    expect(counted).toBe(5 * DAY);
    expect(page.fault).toBeNull();
    const names = page.days("2026-11-26T12:00:00Z").map(({ day }) => day);
    expect(names).toEqual([...new Set(names)].toSorted());
  });
});

describe("a correction", () => {
  const frozen = (): Page => {
    const page = new Page({ shop: outage, cart: outage });
    page.freeze("2026-11-24T12:00:00Z");
    return page;
  };

  it("is an entry of its own, and what stood there stays", () => {
    const page = frozen();
    const before = page.entries;
    expect(page.amend({})).toEqual([["2026-11-22", { shop: { operational: 24 * HOUR } }]]);
    expect(page.entries.slice(0, 3)).toEqual(before);
    expect(page.entries[3]).toMatchObject({ n: 4, previous: before[2]?.hash, correction: falseAlarm });
    expect(page.fault).toBeNull();
    const was = { operational: 22 * HOUR, major_outage: 2 * HOUR };
    expect(page.days("2026-11-24T12:00:00Z")[1]).toEqual({ day: "2026-11-22", ms: { operational: 24 * HOUR }, was });
    expect(page.days("2026-11-24T12:00:00Z", "cart")[1]).toEqual({ day: "2026-11-22", ms: was });
  });

  it("says what its own time was, and nothing of the time beside it", () =>
    expect(frozen().amend({ from: Date.parse("2026-11-22T07:00:00Z"), status: "partial_outage" })).toEqual([
      ["2026-11-22", { shop: { operational: 22 * HOUR, major_outage: HOUR, partial_outage: HOUR } }],
    ]));

  it("over midnight is one for each day", () =>
    expect(
      frozen().amend({
        from: Date.parse("2026-11-21T23:00:00Z"),
        to: Date.parse("2026-11-22T01:00:00Z"),
        status: "major_outage",
      }),
    ).toEqual([
      ["2026-11-21", { shop: { operational: 11 * HOUR, major_outage: HOUR } }],
      ["2026-11-22", { shop: { operational: 21 * HOUR, major_outage: 3 * HOUR } }],
    ]));

  it("of a day that was corrected before goes on from there, and the oldest tally stays the one that was", () => {
    const page = frozen();
    page.amend({ to: Date.parse("2026-11-22T07:00:00Z") });
    expect(page.amend({ from: Date.parse("2026-11-22T07:00:00Z") })).toEqual([
      ["2026-11-22", { shop: { operational: 24 * HOUR } }],
    ]);
    const was = { operational: 22 * HOUR, major_outage: 2 * HOUR };
    expect(page.days("2026-11-24T12:00:00Z")[1]?.was).toEqual(was);
    expect(page.fault).toBeNull();
  });

  it("stands wherever the days are counted anew, and only on the days that were corrected", () => {
    const page = frozen();
    page.amend({});
    // One more, over a midnight, of which only the second day was frozen otherwise.
    const from = Date.parse("2026-11-22T23:00:00Z");
    page.amend({ from, to: from + 2 * HOUR, status: "partial_outage" });
    const until = Date.parse("2026-11-24T00:00:00Z");
    const spans = spansOf(page.facts.changes.get("shop") ?? [], until);
    const counted = spent(asCorrected(spans, page.entries), { from: 0, to: until });
    const frozenDays = page.days("2026-11-24T00:00:00Z").map(({ ms }) => spentIn([ms]));
    expect(counted).toEqual(frozenDays.reduce((a, b) => spentIn([a, b]), {}));
    expect(counted).toEqual({ operational: 58 * HOUR, partial_outage: 2 * HOUR });
  });

  it.each([
    ["of a component that is not there", { component: "nobody" }, "unknown_component"],
    ["of a day that goes on", { to: Date.parse("2026-11-24T00:00:00.001Z") }, "not_frozen"],
    ["of a day before the first", { from: Date.parse("2026-11-20T23:59:59Z") }, "not_frozen"],
    ["that changes nothing", { status: "major_outage" }, "unchanged"],
  ] as const)("%s is refused", (_name, correction, refusal) => expect(frozen().amend(correction)).toBe(refusal));

  it("says nothing of the hours before a history begins", () =>
    expect(
      frozen().amend({
        from: Date.parse("2026-11-21T06:00:00Z"),
        to: Date.parse("2026-11-21T13:00:00Z"),
        status: "unknown",
      }),
    ).toEqual([["2026-11-21", { shop: { operational: 11 * HOUR, unknown: HOUR } }]]));

  it("up to the last frozen moment is taken", () =>
    expect(
      frozen().amend({
        from: Date.parse("2026-11-23T23:00:00Z"),
        to: Date.parse("2026-11-24T00:00:00Z"),
        status: "unknown",
      }),
    ).toEqual([["2026-11-23", { shop: { operational: 23 * HOUR, unknown: HOUR } }]]));

  it("is one of five hundred at most", () => {
    const page = frozen();
    const [freeze] = page.entries;
    const filler = Array.from({ length: 500 }, () => ({
      ...(freeze as ChainEntry),
      correction: falseAlarm,
      tallies: {},
    }));
    const made = amendments(falseAlarm, page.facts, [...page.entries, ...filler], Date.now());
    expect(made).toEqual({ ok: false, failure: "too_many" });
    expect(amendments(falseAlarm, page.facts, [...page.entries, ...filler.slice(1)], Date.now()).ok).toBe(true);
  });
});

describe("the chain", () => {
  const page = new Page({ shop: outage });
  page.freeze("2026-11-24T12:00:00Z");
  page.amend({});
  const [first, second, third, amendment] = page.entries as [ChainEntry, ChainEntry, ChainEntry, ChainEntry];
  const rehashed = (entry: ChainEntry): ChainEntry => ({ ...entry, hash: sha256(entryText(entry)) });
  const follow = (entries: readonly ChainEntry[], head: ChainHead = GENESIS) => followChain(head, entries, sha256);

  it("holds, and can be followed in pieces", () => {
    const half = follow([first, second]);
    expect(follow([third, amendment], half.head)).toEqual(follow(page.entries));
    expect(follow(page.entries)).toEqual({
      head: { n: 4, hash: amendment.hash, frozenTo: Date.parse("2026-11-24T00:00:00Z") },
      fault: null,
    });
  });

  it("does not depend on the order in which a store gives fields and components back", () => {
    const both = new Page({ shop: outage, cart: outage });
    both.freeze("2026-11-23T12:00:00Z");
    const shuffle = (value: unknown): unknown =>
      value === null || typeof value !== "object"
        ? value
        : Object.fromEntries(
            Object.entries(value)
              .toReversed()
              .map(([key, each]) => [key, shuffle(each)]),
          );
    expect(follow(both.entries.map((entry) => shuffle(entry) as ChainEntry)).fault).toBeNull();
  });

  const kinder = { ...second, tallies: { shop: { operational: DAY } } };
  it.each([
    ["a tally is changed", [first, kinder, third, amendment], { n: 2, fault: "changed" }],
    ["a tally and its hash are changed", [first, rehashed(kinder), third, amendment], { n: 3, fault: "unlinked" }],
    ["a day is taken out", [first, third, amendment], { n: 2, fault: "missing" }],
    ["the first day is taken out", [second, third, amendment], { n: 1, fault: "missing" }],
    [
      "a reason is changed",
      [first, second, third, { ...amendment, correction: { ...falseAlarm, reason: "" } }],
      { n: 4, fault: "changed" },
    ],
    ["two days change places", [second, first], { n: 1, fault: "missing" }],
    [
      "a day is frozen again",
      [first, rehashed({ ...first, n: 2, previous: first.hash })],
      { n: 2, fault: "frozen_twice" },
    ],
    [
      "what is amended is not frozen",
      [first, rehashed({ ...amendment, n: 2, previous: first.hash })],
      { n: 2, fault: "amends_nothing" },
    ],
  ] as const)("shows it when %s", (_name, entries, fault) => expect(follow(entries).fault).toEqual(fault));

  it.each(["day", "timeZone", "from", "to", "at"] as const)("covers the field %s", (field) => {
    const changed = { ...second, [field]: typeof second[field] === "number" ? second[field] + 1 : "x" };
    expect(follow([first, changed]).fault).toEqual({ n: 2, fault: "changed" });
  });
});
