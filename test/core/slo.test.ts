import { describe, expect, it } from "vitest";
import type { ComponentStatus } from "../../protocol/status.ts";
import { DAY, HOUR, MINUTE, SECOND } from "../../protocol/time.ts";
import type { StatusChange } from "../../worker/core/component.ts";
import { publicSnapshot } from "../../worker/core/snapshot.ts";
import { sloState } from "../../worker/core/slo.ts";
import { spansOf } from "../../worker/core/uptime.ts";
import { component, NOON, tell, told } from "../support/facts.ts";

/** Well for a month, but for the stretches named: how long ago each began and how long it lasted. */
function stateAt(target: number, stretches: readonly (readonly [number, number, ComponentStatus])[], now = NOON) {
  const changes: StatusChange[] = [{ component: "c", at: now - 40 * DAY, status: "operational" }];
  const days = [{ day: "2026-11-23", ms: { operational: 30 * DAY } as Partial<Record<ComponentStatus, number>> }];
  for (const [ago, lasted, status] of stretches) {
    changes.push(
      { component: "c", at: now - ago, status },
      { component: "c", at: now - ago + lasted, status: "operational" },
    );
    days.push({ day: "2026-11-23", ms: { [status]: lasted } });
  }
  return sloState({ target, isPublic: true }, days, spansOf(changes, now), now);
}

describe("a budget", () => {
  it.each([
    [0.999, 43 * MINUTE + 12 * SECOND],
    [0.99, 7 * HOUR + 12 * MINUTE],
    [0.99999, 25_920],
  ])("of %d over 30 days is %d ms", (target, ms) => expect(stateAt(target, []).allowedMs).toBe(ms));

  it.each([
    ["nothing was lost", [], 1, "met", "100 % of the budget is left"],
    ["degraded time is not lost", [[3 * DAY, DAY, "degraded_performance"]], 1, "met", "100 % of the budget is left"],
    [
      "maintenance and silence are not lost",
      [
        [3 * DAY, DAY, "under_maintenance"],
        [9 * DAY, DAY, "unknown"],
      ],
      1,
      "met",
      "100 % of the budget is left",
    ],
    [
      "a partial outage loses 0.3 of its time",
      [[3 * DAY, HOUR, "partial_outage"]],
      0.583,
      "met",
      "58 % of the budget is left",
    ],
    ["an outage loses all of it", [[3 * DAY, 21 * MINUTE, "major_outage"]], 0.514, "met", "51 % of the budget is left"],
    [
      "the last of it is spent",
      [[3 * DAY, 43 * MINUTE + 12 * SECOND, "major_outage"]],
      0,
      "met",
      "0 % of the budget is left",
    ],
    [
      "a little more is lost",
      [[3 * DAY, 44 * MINUTE, "major_outage"]],
      -0.019,
      "missed",
      "more was lost than 30 days may lose",
    ],
  ] as const)("of three nines, when %s", (_name, stretches, left, verdict, reason) => {
    const state = stateAt(0.999, stretches);
    expect([Number(state.leftRatio.toFixed(3)), state.verdict, state.reason]).toEqual([left, verdict, reason]);
  });
});

describe("a burn rate", () => {
  it.each([
    ["nothing burns", 0.999, [], 0, 0, "met"],
    ["a minute of an hour is lost", 0.999, [[10 * MINUTE, MINUTE, "major_outage"]], 16.7, 2.8, "burning"],
    ["50 s of an hour are lost", 0.999, [[10 * MINUTE, 50 * SECOND, "major_outage"]], 13.9, 2.3, "met"],
    ["two minutes of six hours are lost", 0.999, [[3 * HOUR, 2 * MINUTE, "major_outage"]], 0, 5.6, "met"],
    ["130 s of six hours are lost", 0.999, [[3 * HOUR, 130 * SECOND, "major_outage"]], 0, 6, "burning"],
    ["what was lost is seven hours ago", 0.999, [[7 * HOUR, HOUR, "major_outage"]], 0, 0, "missed"],
    ["the target is low", 0.99, [[10 * MINUTE, 5 * MINUTE, "major_outage"]], 8.3, 1.4, "met"],
  ] as const)("when %s", (_name, target, stretches, hour, sixHours, verdict) => {
    const { burn, verdict: said } = stateAt(target, stretches);
    expect([burn.hour, burn.sixHours].map((rate) => rate && Number(rate.toFixed(1)))).toEqual([hour, sixHours]);
    expect(said).toBe(verdict);
  });

  it("of an hour that was seen for two minutes is of an hour: what is young does not burn for a few seconds", () => {
    const changes = [
      { component: "c", at: NOON - 2 * MINUTE, status: "operational" as const },
      { component: "c", at: NOON - MINUTE, status: "major_outage" as const },
      { component: "c", at: NOON - 24 * SECOND, status: "operational" as const },
    ];
    const { burn, verdict } = sloState(
      { target: 0.999, isPublic: true },
      [{ day: "2026-11-23", ms: { operational: MINUTE } }],
      spansOf(changes, NOON),
      NOON,
    );
    expect([burn.hour?.toFixed(3), burn.sixHours?.toFixed(3), verdict]).toEqual(["10.000", "1.667", "met"]);
  });

  it("of time that nobody observed is not known", () => {
    const changes = [{ component: "c", at: NOON - DAY, status: "unknown" as const }];
    const { burn, verdict, reason } = sloState({ target: 0.999, isPublic: true }, [], spansOf(changes, NOON), NOON);
    expect([burn, verdict]).toEqual([{ hour: null, sixHours: null }, "unknown"]);
    expect(reason).toBe("nothing was observed in 30 days");
  });

  it("says how long a whole budget would last", () => {
    expect(stateAt(0.999, [[10 * MINUTE, 10 * MINUTE, "major_outage"]]).reason).toBe(
      "burn rate 166.7 over 1 h, limit 14.4: at that rate a whole budget lasts 4 h",
    );
    expect(stateAt(0.999, [[3 * HOUR, 130 * SECOND, "major_outage"]]).reason).toMatch(/lasts 4 days$/);
  });
});

describe("on the public page", () => {
  const changes = [
    { component: "checkout0000", at: NOON - 60 * DAY, status: "operational" as const },
    { component: "checkout0000", at: NOON - 40 * DAY, status: "major_outage" as const },
    { component: "checkout0000", at: NOON - 40 * DAY + HOUR, status: "operational" as const },
    { component: "checkout0000", at: NOON - 5 * DAY, status: "partial_outage" as const },
    { component: "checkout0000", at: NOON - 5 * DAY + HOUR, status: "operational" as const },
  ];
  const shown = (slo: { target: number; isPublic: boolean }, said: readonly StatusChange[] = changes) =>
    publicSnapshot(
      {
        version: 1,
        page: { id: "page00000000", name: "Acme", timeZone: "Etc/UTC", createdAt: 0 },
        components: [component({ createdAt: NOON - 60 * DAY, slo })],
        maintenances: [],
        outside: new Map(),
        tells: new Map(said === changes ? [["eu-1", tell(NOON, [told("operational")])]] : []),
        changes: new Map([["checkout0000", said]]),
        archive: { delayedSince: null, isRestoring: false },
      },
      NOON,
    ).components[0];

  it("stands a target that is public, with what its thirty days lost and no more", () =>
    expect(shown({ target: 0.99, isPublic: true })?.slo).toEqual({
      target: 0.99,
      days: 30,
      allowedMs: 7 * HOUR + 12 * MINUTE,
      lostMs: 18 * MINUTE,
    }));

  it("stands none of which nothing was seen: what is left of it is no news", () => {
    const silent = [{ component: "checkout0000", at: NOON - 40 * DAY, status: "unknown" as const }];
    expect(shown({ target: 0.99, isPublic: true }, silent)).not.toHaveProperty("slo");
  });

  it("stands none that is the operator's own", () =>
    expect(shown({ target: 0.99, isPublic: false })).not.toHaveProperty("slo"));
});
