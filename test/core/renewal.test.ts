/** The end of a lease is moved while its cluster holds it. */
import { describe, expect, it } from "vitest";
import type { DesiredState, LeaseResult } from "../../protocol/lease.ts";
import { success } from "../../protocol/result.ts";
import { HOUR, MINUTE } from "../../protocol/time.ts";
import { clusterCount } from "../../worker/core/announced.ts";
import { asWanted, withLease } from "../../worker/core/desired.ts";
import type { Announcement, Maintenance } from "../../worker/core/maintenance.ts";
import { confirmedUntil, operatorMaintenance, withLeaseGiven, withReport } from "../../worker/core/maintenance.ts";
import { lengthFault, toRenew, withRenewal } from "../../worker/core/renewal.ts";
import { restored } from "../../worker/core/restore.ts";
import { retimed } from "../../worker/core/retime.ts";
import { maintenance, NOON } from "../support/facts.ts";

const END = NOON + HOUR;
const LATER = NOON + 3 * HOUR;

const result = (state: LeaseResult["state"], generation = 7): LeaseResult => ({
  target: "shop/checkout",
  generation,
  state,
  reason: "in force",
  evidence: null,
  at: NOON + 1,
});
const report = (...targets: LeaseResult[]) => ({ observedGeneration: 9, targets, allowed: [] });

const plan = (facts: Partial<Announcement> = {}): Announcement => ({
  id: "planplanplan",
  name: "Upgrade",
  by: "ada",
  createdAt: NOON - HOUR,
  updatedAt: NOON,
  enteredAt: NOON - HOUR,
  writtenAt: NOON,
  startsAt: NOON,
  endsAt: END,
  endedAt: null,
  components: [],
  plan: {
    emergency: true,
    noticeMs: 0,
    reason: "disks",
    targets: [{ cluster: "eu-1", service: "shop/checkout", mode: "scale", replicas: 1 }],
    closing: "person",
    ticks: [],
    leases: ["maint0000000"],
  },
  ...facts,
});
const held = maintenance({ announcement: "planplanplan", generation: 7, endsAt: END, results: [result("applied")] });
/** As the Board keeps it once the plan's end was moved. */
function renewed(lease: Maintenance = held, endsAt = LATER): Maintenance {
  const [asked] = toRenew(plan({ endsAt }), [lease], NOON + MINUTE);
  if (asked === undefined) throw new Error("nothing to renew");
  return withRenewal(lease, asked);
}

function ok<T>(
  answer: { readonly ok: true; readonly value: T } | { readonly ok: false; readonly failure: unknown },
): T {
  if (!answer.ok) throw new Error(JSON.stringify(answer.failure));
  return answer.value;
}

describe("a plan's leases", () => {
  it.each([
    ["follow its end when that is later", LATER, NOON + MINUTE, 1],
    ["follow it when that is sooner", NOON + 30 * MINUTE, NOON + MINUTE, 1],
    ["follow it after they expired: the work goes on", LATER, END + MINUTE, 1],
    ["stay when it stays", END, NOON + MINUTE, 0],
    ["stay when the plan is past that end, too", NOON + 30 * MINUTE, NOON + 40 * MINUTE, 0],
    ["are not asked for before it begins", LATER, NOON - MINUTE, 0],
  ])("%s", (_name, endsAt, now, count) => {
    const asked = toRenew(plan({ endsAt }), [held], now);
    expect(asked).toHaveLength(count);
    for (const one of asked) expect(one).toMatchObject({ id: held.id, endsAt, startsAt: NOON });
  });

  it("that somebody ended by hand stay ended, and so do all when the work is done", () => {
    expect(toRenew(plan({ endsAt: LATER }), [{ ...held, endedAt: NOON + 1 }], NOON + MINUTE)).toEqual([]);
    const update = {
      id: "u",
      status: "verifying",
      body: "",
      createdAt: NOON,
      updatedAt: NOON,
      displayAt: NOON,
      affected: [],
      by: "ada",
    } as const;
    expect(toRenew(plan({ endsAt: LATER, updates: [update] }), [held], NOON + MINUTE)).toEqual([]);
  });

  it("are held for a day at most, however often the end is moved", () => {
    expect(lengthFault(NOON, NOON + 24 * HOUR)).toBeNull();
    const moved = retimed(plan(), { endsAt: NOON + 25 * HOUR }, 0, NOON + MINUTE);
    expect(moved).toMatchObject({ failure: { code: "order", which: "with a target it lasts 24 hours at most" } });
    expect(retimed(held, { endsAt: NOON + 25 * HOUR }, 0, NOON + MINUTE)).toMatchObject({ failure: { code: "order" } });
    expect(retimed(held, { startsAt: NOON + HOUR }, 0, NOON - MINUTE)).toMatchObject({ failure: { code: "order" } });
    expect(ok(retimed(held, { endsAt: LATER }, 0, NOON + MINUTE)).endsAt).toBe(LATER);
  });
});

describe("what a cluster confirmed", () => {
  const count = (lease: Maintenance, endsAt = LATER) => clusterCount(plan({ endsAt }), [lease]).confirmed;

  it("is the former end until it shows the new one in force", () => {
    expect([confirmedUntil(held), count(held, END)]).toEqual([END, 1]);
    const asked = renewed();
    expect([confirmedUntil(asked), count(asked)]).toEqual([END, 0]);
    const again = withReport(asked, report(result("applied")), NOON + 2);
    expect([confirmedUntil(again), count(again)], "that was of the former end").toEqual([END, 0]);
    const given = withLeaseGiven(asked, asked, success(9), NOON + 3);
    expect(confirmedUntil(given)).toBe(END);
    const waiting = withReport(given, report(result("pending", 9)), NOON + 4);
    expect([confirmedUntil(waiting), count(waiting)]).toEqual([END, 0]);
    const shown = withReport(waiting, report(result("applied", 9)), NOON + 5);
    expect([confirmedUntil(shown), count(shown)]).toEqual([LATER, 1]);
  });

  it("is news though state and reason are as before: the generation is another", () => {
    const given = withLeaseGiven(renewed(), renewed(), success(9), NOON + 3);
    expect(confirmedUntil(withReport(given, report(result("applied", 9)), NOON + 5))).toBe(LATER);
  });

  it("of an end that was moved while the Cluster was asked for another is of that other", () => {
    const first = renewed();
    const second = renewed(first, NOON + 4 * HOUR);
    const given = withLeaseGiven(second, first, success(9), NOON + 3);
    const shown = withReport(given, report(result("applied", 9)), NOON + 4);
    expect(confirmedUntil(shown)).toBe(END);
    const again = withReport(
      withLeaseGiven(shown, second, success(11), NOON + 5),
      report(result("applied", 11)),
      NOON + 6,
    );
    expect(confirmedUntil(again)).toBe(NOON + 4 * HOUR);
  });

  it("counts of one that is over if it was ever in force", () => {
    expect(count({ ...renewed(), endedAt: NOON + 2 * HOUR })).toBe(1);
    expect(count({ ...renewed({ ...held, results: [] }), endedAt: NOON + 2 * HOUR })).toBe(0);
  });

  it("of one that had expired and goes on is that it is in force again", () => {
    const expired = withReport(held, report(result("expired")), END + 1);
    expect(operatorMaintenance(expired, END + 1).restoredAt).not.toBeNull();
    const given = withLeaseGiven(renewed(expired), renewed(expired), success(9), END + 2);
    const shown = withReport(given, report(result("applied", 9)), END + 3);
    expect(operatorMaintenance(shown, END + 3)).toMatchObject({ restoredAt: null, confirmedUntil: LATER });
  });
});

describe("the desired state", () => {
  const empty: DesiredState = { v: 1, cluster: "eu-1", generation: 0, leases: [] };
  const first = withLease(empty, { ...held, generation: null }, NOON);
  if (typeof first === "string") throw new Error(first);
  const of = { ...held, generation: first.generation };

  it("gets a new generation of the same lease for another end, and none for the same", () => {
    const asked = renewed(of);
    const next = withLease(first, asked, NOON + MINUTE);
    if (typeof next === "string") throw new Error(next);
    expect(next.leases).toMatchObject([{ generation: NOON + MINUTE, expiresAt: LATER, notBefore: NOON }]);
    expect(next.generation).toBe(NOON + MINUTE);
    expect(withLease(next, asked, NOON + 2 * MINUTE)).toBe(next);
  });

  it("of a Cluster that was rewound has the new end under its generation, and never under the former", () => {
    const asked = renewed(of);
    expect(asWanted(empty, [asked], NOON + MINUTE)).toBe(empty);
    expect(asWanted(first, [asked], NOON + MINUTE)).toBe(first);
    const given = withLeaseGiven(asked, asked, success(NOON + 9), NOON + MINUTE);
    const healed = asWanted(first, [given], NOON + MINUTE);
    expect(healed.leases).toMatchObject([{ generation: NOON + 9, expiresAt: LATER }]);
    expect(asWanted(healed, [given], NOON + HOUR)).toBe(healed);
    const anew = withLease(empty, asked, NOON - HOUR);
    expect(anew).toMatchObject({ leases: [{ generation: NOON + 1, expiresAt: LATER }] });
  });

  it("is asked for again by a Board that lost its memory before the Cluster answered", () => {
    const back = (lease: Maintenance) =>
      restored(
        [{ kind: "maintenance", body: { ...lease } }],
        {
          page: { id: "p", name: "", createdAt: 0, timeZone: "UTC" },
          components: [],
          maintenances: new Map(),
          announcements: new Map(),
          incidents: new Map(),
          series: new Map(),
          clusters: new Map(),
        },
        NOON + MINUTE,
      ).unsure.map(({ act }) => act);
    expect(back(renewed(of))).toEqual(["set"]);
    expect(back(withLeaseGiven(renewed(of), renewed(of), success(NOON + 9), NOON + MINUTE))).toEqual([]);
  });
});
