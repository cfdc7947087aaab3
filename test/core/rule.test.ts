import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ComponentStatus } from "../../protocol/status.ts";
import { COMPONENT_STATUSES, worst } from "../../protocol/status.ts";
import type { Part, Rule } from "../../worker/core/rule.ts";
import { RULES, ruled } from "../../worker/core/rule.ts";

/** "up" and "down" read faster in a table. */
const STATUS = {
  up: "operational",
  down: "major_outage",
  slow: "degraded_performance",
  partial: "partial_outage",
  silent: "unknown",
  maintenance: "under_maintenance",
} as const satisfies Record<string, ComponentStatus>;
type Word = keyof typeof STATUS;

const parts = (words: readonly Word[], usual: readonly (number | null)[] = []): readonly Part[] =>
  words.map((word, i) => ({ status: STATUS[word], usualPerSecond: usual[i] ?? null }));

describe("a rule over clusters", () => {
  it.each([
    // all: as bad as the worst, and silence is worse than being well
    ["all", undefined, ["up", "up"], "up"],
    ["all", undefined, ["up", "slow"], "slow"],
    ["all", undefined, ["up", "silent"], "silent"],
    ["all", undefined, ["down", "silent"], "down"],
    ["all", undefined, ["silent", "silent"], "silent"],
    ["all", undefined, [], "silent"],
    // any: well while one is
    ["any", undefined, ["up", "down"], "up"],
    ["any", undefined, ["up", "silent"], "up"],
    ["any", undefined, ["slow", "down"], "slow"],
    ["any", undefined, ["silent", "down"], "silent"],
    ["any", undefined, ["down", "down"], "down"],
    ["any", undefined, ["silent", "silent"], "silent"],
    ["any", undefined, ["maintenance", "down"], "maintenance"],
    // quorum: well while so many are
    ["quorum", 2, ["up", "up", "down"], "up"],
    ["quorum", 2, ["up", "slow", "down"], "slow"],
    ["quorum", 2, ["up", "down", "down"], "down"],
    ["quorum", 2, ["up", "up", "silent"], "up"],
    ["quorum", 2, ["up", "silent", "down"], "silent"],
    ["quorum", 2, ["up", "silent", "silent"], "silent"],
    ["quorum", 2, ["silent", "slow", "down"], "slow"],
    ["quorum", 2, ["silent", "silent", "down"], "silent"],
    ["quorum", 2, ["silent", "down", "down"], "down"],
    ["quorum", 1, ["silent", "down"], "silent"],
    ["quorum", 3, ["up", "up", "silent"], "silent"],
    // more than there are, or no number at all: all of them
    ["quorum", 9, ["up", "down"], "down"],
    ["quorum", undefined, ["up", "down"], "down"],
  ] as const)("%s %s of %s is %s", (rule, quorum, words, status) =>
    expect(ruled(rule, quorum, parts(words)).status).toBe(STATUS[status]),
  );

  it("a quorum of one is any, and one of all is all", () =>
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...COMPONENT_STATUSES), { minLength: 1, maxLength: 6 }), (statuses) => {
        const some = statuses.map((status): Part => ({ status, usualPerSecond: null }));
        const judged = (rule: Rule, quorum?: number) => ruled(rule, quorum, some).status;
        return (
          judged("quorum", 1) === judged("any") &&
          judged("quorum", statuses.length) === judged("all") &&
          judged("all") === worst(statuses)
        );
      }),
    ));

  it.each([
    ["any", 1, ["off", "down"], "down"],
    ["any", 1, ["off", "up"], "up"],
    ["any", 1, ["off", "off"], "silent"],
    ["any", 1, ["off", "silent", "down"], "silent"],
    ["quorum", 2, ["off", "up", "down"], "down"],
    ["quorum", 2, ["off", "up", "up"], "up"],
    ["quorum", 2, ["off", "up"], "silent"],
    ["quorum", 2, ["off", "down"], "down"],
    ["all", 1, ["off", "down"], "down"],
    ["all", 1, ["off", "up"], "silent"],
  ] as const)("%s %s of %s, where what is switched off stands in for nobody, is %s", (rule, quorum, words, status) => {
    const some = words.map((word): Part =>
      word === "off"
        ? { status: "unknown", usualPerSecond: null, isOff: true }
        : { status: STATUS[word], usualPerSecond: null },
    );
    expect(ruled(rule, quorum, some).status).toBe(STATUS[status]);
  });

  it("is in trouble only if it is so however well those are that say nothing", () =>
    fc.assert(
      fc.property(
        fc.constantFrom(...RULES),
        fc.integer({ min: 1, max: 4 }),
        fc.array(fc.constantFrom(...COMPONENT_STATUSES), { minLength: 1, maxLength: 5 }),
        (rule, quorum, statuses) => {
          const judged = (all: readonly ComponentStatus[]) =>
            ruled(
              rule,
              quorum,
              all.map((status) => ({ status, usualPerSecond: null })),
            ).status;
          const isTrouble = (status: ComponentStatus): boolean => worst([status, "unknown"]) !== "unknown";
          const best = statuses.map((status) => (status === "unknown" ? "operational" : status));
          return !isTrouble(judged(statuses)) || isTrouble(judged(best));
        },
      ),
      { numRuns: 5_000 },
    ));

  it("is green only if as many are known to be well as it asks for", () =>
    fc.assert(
      fc.property(
        fc.constantFrom(...RULES),
        fc.integer({ min: 1, max: 4 }),
        fc.array(fc.constantFrom(...COMPONENT_STATUSES), { maxLength: 5 }),
        fc.array(fc.option(fc.double({ min: 0, max: 1_000, noNaN: true })), { minLength: 5, maxLength: 5 }),
        (rule, quorum, statuses, usual) => {
          const some = statuses.map((status, i): Part => ({ status, usualPerSecond: usual[i] ?? null }));
          const well = statuses.filter((status) => status === "operational").length;
          const asked = rule === "any" ? 1 : rule === "all" ? statuses.length : Math.min(quorum, statuses.length);
          return ruled(rule, quorum, some).status !== "operational" || (well >= asked && well > 0);
        },
      ),
      { numRuns: 5_000 },
    ));
});

describe("all of several clusters, by their traffic: major is when more than half of the requests fail", () => {
  it.each([
    ["one with 2 % of it is down", ["up", "down"], [98, 2], "partial", 0.02],
    ["one with half of it is down", ["up", "down"], [50, 50], "partial", 0.5],
    ["one with more than half of it is down", ["up", "down"], [49, 51], "down", null],
    ["a small one is down and the large one slow", ["slow", "down"], [98, 2], "partial", 0.02],
    ["two small ones of three are down", ["up", "down", "down"], [90, 5, 5], "partial", 0.1],
    ["a small one is down and the large one silent", ["silent", "down"], [98, 2], "down", null],
    ["a small one is down and the large one in maintenance", ["maintenance", "down"], [98, 2], "down", null],
    ["all are down", ["down", "down"], [98, 2], "down", null],
    ["nobody knows the traffic of one", ["up", "down"], [98, null], "down", null],
    ["none of them ever had any", ["up", "down"], [0, 0], "down", null],
    ["a small one is partly out: no worse than it is", ["up", "partial"], [98, 2], "partial", null],
  ] as const)("%s", (_name, words, usual, status, failingShare) =>
    expect(ruled("all", undefined, parts(words, usual))).toMatchObject({ status: STATUS[status], failingShare }),
  );

  it.each(["any", "quorum"] as const)("a rule of %s counts clusters, not requests", (rule) =>
    expect(ruled(rule, 2, parts(["down", "down"], [98, 2])).status).toBe("major_outage"),
  );
});
