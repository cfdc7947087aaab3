import { describe, expect, it } from "vitest";
import { DAY, HOUR, MINUTE } from "../../protocol/time.ts";
import type { Millis } from "../../protocol/time.ts";
import type { Alert } from "../../worker/core/alert.ts";
import type { Draft, DraftFacts, DraftRule } from "../../worker/core/draft.ts";
import { draftsAfter, draftState, draftsToForget, matches, unconfirmedSince } from "../../worker/core/draft.ts";
import { NOON } from "../support/facts.ts";

const RULE: DraftRule = {
  name: "checkout",
  cluster: null,
  match: { service: ["checkout"] },
  components: [{ component: "component001", status: "partial_outage" }],
  title: null,
};
const FACTS: DraftFacts = {
  rules: [RULE],
  components: new Map([["component001", "Checkout"]]),
  unresolved: new Set(),
};

function alert(n: number, fields: Partial<Alert> = {}): Alert {
  return {
    fingerprint: n.toString(16).padStart(16, "0"),
    startsAt: NOON + n * MINUTE + 20_000,
    turn: 0,
    name: `Alert${n}`,
    severity: "critical",
    summary: `number ${n}`,
    labels: { service: "checkout" },
    group: "g",
    heardAt: NOON + n * MINUTE,
    ended: null,
    ...fields,
  };
}
const over = (one: Alert, at: Millis): Alert => ({ ...one, ended: { at, heardAt: at, how: "resolved" } });

/** Drafts of the cluster after it told these one after the other, each at its minute. */
function drafts(...tells: readonly (readonly [number, readonly Alert[]])[]): readonly Draft[] {
  let held: readonly Draft[] = [];
  for (const [minute, told] of tells) held = after(held, told, minute);
  return held;
}

function after(held: readonly Draft[], told: readonly Alert[], minute: number, facts = FACTS): readonly Draft[] {
  const changed = draftsAfter(held, "eu-1", told, facts, NOON + minute * MINUTE);
  return [...new Map([...held, ...changed].map((draft) => [draft.id, draft])).values()];
}

const decidedAs = (draft: Draft, act: "published" | "dismissed"): Draft => {
  const incident = act === "published" ? "incident0001" : null;
  return { ...draft, decided: { act, incident, by: "anna", at: NOON } };
};

describe("a draft", () => {
  it("says which components are touched, since which minute, and what it likely comes from", () => {
    const [draft] = drafts([3, [alert(3)]], [4, [alert(3), alert(2)]]);
    expect(draft).toMatchObject({
      title: "Checkout: partial outage",
      components: RULE.components,
      startedAt: NOON + 2 * MINUTE,
      cause: "Began with Alert2: number 2; then Alert3 (2 alerts)",
      endedAt: null,
    });
  });

  it("is over when the last of its alerts is, and stays as it is when that is told again", () => {
    const first = over(alert(1), NOON + 5 * MINUTE);
    const half = drafts([1, [alert(1), alert(2)]], [5, [first, alert(2)]]);
    expect(half.map(draftState)).toEqual(["open"]);
    const both = [first, over(alert(2), NOON + 8 * MINUTE)];
    const [ended] = after(half, both, 8);
    expect(ended).toMatchObject({ endedAt: NOON + 8 * MINUTE });
    expect(draftsAfter([ended as Draft], "eu-1", both, FACTS, NOON + 9 * MINUTE)).toEqual([]);
  });

  it("is over where its cluster knows nothing of its alerts any more", () =>
    expect(drafts([1, [alert(1)]], [9, []]).map(draftState)).toEqual(["over"]));

  it("is another one when its alert fires again after its end", () => {
    const again = alert(1, { startsAt: NOON + HOUR });
    const all = drafts([1, [alert(1)]], [5, [over(alert(1), NOON + 5 * MINUTE)]], [61, [again]]);
    expect(all.map(draftState)).toEqual(["over", "open"]);
  });

  it("is made by no alert that was over when it was first told", () =>
    expect(drafts([1, [over(alert(1), NOON)]])).toEqual([]));

  it.each([
    ["dismissed: another alert opens another", "dismissed", new Set<string>(), ["dismissed", "open"]],
    ["published: another alert joins it", "published", new Set(["incident0001"]), ["published"]],
    ["published, its incident resolved: another", "published", new Set<string>(), ["published", "open"]],
  ] as const)("%s", (_name, act, unresolved, states) => {
    const held = drafts([1, [alert(1)]]).map((draft) => decidedAs(draft, act));
    const facts = { ...FACTS, unresolved };
    expect(after(held, [alert(1)], 2, facts).map(draftState)).toEqual([act]);
    expect(after(held, [alert(1), alert(2)], 2, facts).map(draftState)).toEqual(states);
  });

  it("is unconfirmed when nobody repeats its alerts for half a day", () => {
    const [draft] = drafts([1, [alert(1)]]);
    expect(unconfirmedSince(draft as Draft, NOON + HOUR)).toBeNull();
    expect(unconfirmedSince(draft as Draft, NOON + 13 * HOUR)).toBe(NOON + MINUTE);
  });

  it("is forgotten a month after it was decided, and never while it is open", () => {
    const [open] = drafts([1, [alert(1)]]) as [Draft];
    const dismissed = decidedAs(open, "dismissed");
    expect(draftsToForget([open, dismissed], NOON + 40 * DAY)).toEqual([dismissed]);
    expect(draftsToForget([open, dismissed], NOON + 20 * DAY)).toEqual([]);
  });
});

describe("a rule matches an alert", () => {
  it.each<[string, Partial<DraftRule>, boolean]>([
    ["by a label's value", {}, true],
    ["by one of several", { match: { service: ["cart", "checkout"] } }, true],
    ["by how it begins", { match: { service: ["check*"] } }, true],
    ["by all of its labels", { match: { service: ["checkout"], team: ["shop"] } }, false],
    ["by no label that it has not", { match: { constructor: ["*"], team: ["shop"] } }, false],
    ["of its own cluster alone", { cluster: "us-2" }, false],
    ["of the whole word", { match: { service: ["check"] } }, false],
  ])("%s", (_name, rule, isMatch) => expect(matches({ ...RULE, ...rule }, "eu-1", alert(1))).toBe(isMatch));
});
