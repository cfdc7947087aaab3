/** What is wished of detectors, what they answer, and what a list of anomalies says without one. */
import { describe, expect, it } from "vitest";
import type { DetectorAnswer, DetectorReport, DetectorWish } from "../../protocol/detector.ts";
import { LEFT_OUT_MAX } from "../../protocol/detector.ts";
import { DAY, HOUR, MINUTE } from "../../protocol/time.ts";
import type { Tell } from "../../worker/core/component.ts";
import {
  anomaliesSaid,
  commandOf,
  detectorOf,
  detectorsOf,
  isAsked,
  nextWish,
  thresholdProblem,
  unusualOf,
  withAnswer,
} from "../../worker/core/detector.ts";
import type { Incident } from "../../worker/core/incident.ts";
import type { Announcement, Maintenance } from "../../worker/core/maintenance.ts";
import { component } from "../support/facts.ts";

const NOW = Date.UTC(2026, 10, 23, 12);
const checkout = component({ id: "checkout0000", services: ["eu-1/shop/checkout", "us-1/shop/checkout"] });
const basket = component({ id: "basket000000", services: ["eu-1/shop/cart", "eu-1/shop/prices"] });

function incident(
  facts: Partial<Incident> & { readonly of?: string; readonly to?: string; readonly resolved?: number },
) {
  const { of = checkout.id, to = "major_outage", resolved, startedAt = NOW - HOUR, ...rest } = facts;
  const said = (status: string, displayAt: number) => ({
    id: "u",
    body: "",
    status,
    createdAt: displayAt,
    displayAt,
    by: "ops",
    affected: [{ component: of, name: "", from: "operational", to }],
  });
  const updates = [
    said("investigating", startedAt),
    ...(resolved === undefined ? [] : [{ ...said("resolved", resolved), affected: [] }]),
  ];
  return { id: "i", name: "Checkout fails", startedAt, updates, ...rest } as unknown as Incident;
}

const maintenance = (facts: Partial<Maintenance> = {}): Maintenance =>
  ({
    id: "m",
    name: "Upgrade",
    cluster: "eu-1",
    service: "shop/checkout",
    results: [],
    endedAt: null,
    startsAt: NOW - 2 * HOUR,
    endsAt: NOW - HOUR,
    ...facts,
  }) as unknown as Maintenance;

const announcement = (facts: Partial<Announcement> = {}): Announcement =>
  ({
    id: "a",
    name: "Move",
    components: [basket.id],
    endedAt: null,
    enteredAt: NOW - DAY,
    startsAt: NOW - 3 * HOUR,
    endsAt: NOW - 2 * HOUR,
    ...facts,
  }) as unknown as Announcement;

describe("times that were not usual", () => {
  const of = (said: Partial<Parameters<typeof unusualOf>[2]>) =>
    unusualOf("eu-1", [checkout, basket], { maintenances: [], ...said }, NOW).map(
      ({ kind, service, from, to }) =>
        `${kind} ${service} ${(from - NOW) / HOUR} ${to === null ? "on" : (to - NOW) / HOUR}`,
    );

  it.each<[string, Partial<Parameters<typeof unusualOf>[2]>, readonly string[]]>([
    [
      "an incident is of its component's services in this cluster",
      { incidents: [incident({ resolved: NOW })] },
      ["incident shop/checkout -1 0"],
    ],
    ["one that is not resolved lasts", { incidents: [incident({})] }, ["incident shop/checkout -1 on"]],
    ["one that made nothing worse says nothing", { incidents: [incident({ to: "operational" })] }, []],
    ["one of a component that is not there says nothing", { incidents: [incident({ of: "other" })] }, []],
    ["a lease's maintenance is of its target", { maintenances: [maintenance()] }, ["maintenance shop/checkout -2 -1"]],
    ["one in another cluster is none of this one's", { maintenances: [maintenance({ cluster: "us-1" })] }, []],
    [
      "an announced one is of all its components' services",
      { announcements: [announcement()] },
      ["maintenance shop/cart -3 -2", "maintenance shop/prices -3 -2"],
    ],
    ["one that was called off never was", { announcements: [announcement({ cancelledAt: NOW - DAY })] }, []],
    [
      "what is over for a week says nothing any more",
      { incidents: [incident({ startedAt: NOW - 8 * DAY, resolved: NOW - 7 * DAY })] },
      [],
    ],
  ])("%s", (_name, said, expected) => expect(of(said)).toEqual(expected));

  it("are bounded: the newest are told", () => {
    const many = Array.from({ length: LEFT_OUT_MAX + 5 }, (_, i) =>
      incident({ startedAt: NOW - (i + 1) * MINUTE, resolved: NOW }),
    );
    const told = unusualOf("eu-1", [checkout], { maintenances: [], incidents: many }, NOW);
    expect([told.length, told[0]?.from]).toEqual([LEFT_OUT_MAX, NOW - MINUTE]);
  });
});

const NOTHING = { cluster: "eu-1", threshold: null, unusual: [], command: null };
const STRICT = { ...NOTHING, threshold: 0.9 };

describe("a wish", () => {
  it("is none as long as nothing was ever wished, and then stays what it is until something differs", () => {
    expect(nextWish(null, NOTHING, 0, NOW)).toBeNull();
    const first = nextWish(null, STRICT, 0, NOW);
    expect(first).toEqual({ v: 1, generation: NOW, ...STRICT });
    expect(nextWish(first, STRICT, 0, NOW + 1)).toBe(first);
    expect(nextWish(first, NOTHING, NOW, NOW)).toMatchObject({ threshold: null, generation: NOW + 1 });
  });

  it("of a Board that lost its memory is above the one that the agent holds, also where nothing is wished", () => {
    expect(nextWish(null, NOTHING, NOW + 5_000, NOW)?.generation).toBe(NOW + 5_001);
    // A claim from the future moves nothing.
    expect(nextWish(null, STRICT, NOW + HOUR, NOW)?.generation).toBe(NOW);
  });
});

describe("a question", () => {
  const command = commandOf({ kind: "preview", threshold: 0.9 }, "a".repeat(12), "ops", NOW);
  const wish: DetectorWish = { v: 1, generation: NOW, ...NOTHING, command };
  const answer = (facts: Partial<DetectorAnswer> = {}): DetectorAnswer => ({
    id: command.id,
    kind: "preview",
    state: "done",
    at: NOW,
    says: "",
    ...facts,
  });
  const telling = (given: DetectorAnswer | null, expiresAt = NOW + HOUR): Tell =>
    ({ cluster: "eu-1", heardAt: NOW, expiresAt, detector: { answer: given } }) as unknown as Tell;

  it.each([
    ["that was just put is under way", telling(null), NOW, true],
    ["that nobody begins is not for ever", telling(null), NOW + HOUR, false],
    [
      "that the agent is at is, however long it takes",
      telling(answer({ state: "running" }), NOW + DAY),
      NOW + HOUR,
      true,
    ],
    ["whose agent fell silent over it is not", telling(answer({ state: "running" }), NOW + 1), NOW + HOUR, false],
  ])("%s", (_name, tell, now, expected) => expect(isAsked(command, tell, now)).toBe(expected));

  it("is answered once: then it is wished no more, and the answer is kept beside who asked", () => {
    const book = withAnswer({ wish, answered: [] }, answer());
    expect([book.wish.command, book.answered]).toEqual([null, [{ command, answer: answer() }]]);
    expect(withAnswer(book, answer({ says: "again" }))).toBe(book);
  });

  it.each([
    ["while it runs", answer({ state: "running" })],
    ["by an answer to another", answer({ id: "b".repeat(12) })],
    ["by nothing", null],
  ])("is not answered %s", (_name, given) => {
    const book = { wish, answered: [] };
    expect(withAnswer(book, given)).toBe(book);
  });

  it.each([
    [0.59, false],
    [0.6, true],
    [1, true],
    [1.01, false],
    [Number.NaN, false],
  ])("a threshold of %s may be set: %s", (threshold, isFine) =>
    expect(thresholdProblem(threshold) === null).toBe(isFine),
  );
});

describe("a list of anomalies", () => {
  const report = (state: DetectorReport["state"]): DetectorReport => ({
    observedGeneration: 0,
    detail: null,
    threshold: 0.85,
    since: NOW - DAY,
    setBy: "agent",
    baseline: null,
    judgedTo: NOW,
    answer: null,
    state,
  });
  const tell = (cluster: string, detector: DetectorReport | undefined, expiresAt = NOW + MINUTE): Tell =>
    ({ cluster, heardAt: NOW, expiresAt, ...(detector && { detector }) }) as unknown as Tell;
  const active = (cluster: string) => ({ cluster, keys: [{ state: "active" }] }) as never;
  const said = (raised: number, ...tells: readonly Tell[]) => {
    const clusters = tells.map(({ cluster }) => active(cluster));
    return anomaliesSaid(raised, 0, detectorsOf(clusters, tells, NOW));
  };
  const watching = tell("eu-1", report("watching"));

  it.each<[string, ReturnType<typeof said>, string, RegExp]>([
    ["of a cluster that is watched is none", said(0, watching), "none", /^none was raised; the cluster is watched$/],
    ["of one of two is partly", said(0, watching, tell("us-1", report("learning"))), "partly", /1 of 2 clusters/],
    [
      "of a silent one is unknown",
      said(0, tell("eu-1", report("watching"), NOW)),
      "unknown",
      /^Nobody looks .*eu-1 is silent/,
    ],
    ["of an agent of before is unknown", said(0, tell("eu-1", undefined)), "unknown", /an agent of before/],
    ["of one that is blind is unknown", said(0, tell("eu-1", report("blind"))), "unknown", /nothing to judge/],
    ["of no cluster at all is unknown", said(0), "unknown", /this is not the same as none$/],
    ["with something in it is that", said(3, watching), "reported", /^3 newest, 0 of them open/],
  ])("%s", (_name, found, status, note) => expect(found).toEqual({ status, note: expect.stringMatching(note) }));

  it("tells the threshold in force also of a cluster that fell silent, with since when", () => {
    expect(detectorOf("eu-1", tell("eu-1", report("watching"), NOW), NOW)).toMatchObject({
      state: "silent",
      threshold: { threshold: 0.85, since: NOW - DAY, setBy: "agent" },
    });
  });
});
