/** A planned maintenance on a time line: `play` makes the Board's steps at the moments given, and answers what was told. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DAY, HOUR, MINUTE } from "../../protocol/time.ts";
import type { Announcement } from "../../worker/core/maintenance.ts";
import { announcedSpan, maintenanceStatus } from "../../worker/core/maintenance.ts";
import {
  announceLeased,
  announceMaintenance,
  cancelledMaintenance,
  changedMaintenance,
} from "../../worker/core/announce-maintenance.ts";
import type { Notice } from "../../worker/core/notices.ts";
import { nextNoticeAt, noticeMoments, noticesDue } from "../../worker/core/notices.ts";
import type { PlanRequest } from "../../worker/core/plan.ts";
import { checklistOf } from "../../worker/core/checklist.ts";
import { noticeShare } from "../../worker/core/notice-policy.ts";
import { retimed } from "../../worker/core/retime.ts";
import {
  ALL_CLEAR,
  allClearAt,
  completed,
  isOverdue,
  leasesFor,
  planMaintenance,
  ticked,
  verified,
} from "../../worker/core/plan.ts";
import type { Watching } from "../../worker/core/plan-facts.ts";
import { NOON } from "../support/facts.ts";

const WEEK = 7 * DAY;
const START = NOON + 10 * DAY;
const made = { id: "planplanplan", update: "updateupdate", by: "ada" };
const request: PlanRequest = {
  name: "Database upgrade",
  body: "Orders are read-only.",
  startsAt: START,
  endsAt: START + 2 * HOUR,
  components: [],
  emergency: false,
  reason: "new disks",
  targets: [],
  closing: "person",
};

function planned(facts: Partial<PlanRequest> = {}, now = NOON): Announcement {
  const result = planMaintenance({ ...request, ...facts }, ["component"], made, WEEK, now);
  if (!result.ok) throw new Error(result.failure.code);
  return result.value;
}

function ok<T>(
  result: { readonly ok: true; readonly value: T } | { readonly ok: false; readonly failure: unknown },
): T {
  if (!result.ok) throw new Error(JSON.stringify(result.failure));
  return result.value;
}

const good = (at: number, since = at): Watching => ({ maintenance: made.id, at, isGood: true, since, failing: "" });
const bad = (at: number, since = at): Watching => ({ maintenance: made.id, at, isGood: false, since, failing: "p95" });

interface World {
  one: Announcement;
  watching: Watching | null;
  told: Notice[];
}

/** One wake of the Board. */
function wake(world: World, now: number): readonly Notice[] {
  const isKnown = (key: string): boolean => world.told.some((notice) => notice.key === key);
  const facts = { isKnown, watching: world.watching, since: NOON };
  const due = noticesDue(world.one, facts, now).map((one, i) => ({ ...one, number: world.told.length + i + 1 }));
  world.told.push(...due);
  return due;
}

const outcomes = (told: readonly Notice[]) =>
  told.map(({ phase, outcome }) => (outcome === "out" ? phase : `(${phase})`));

describe("the policy", () => {
  it.each([
    ["a week and a minute before it starts it may be planned", WEEK + MINUTE, false, true],
    ["a week before, typed some minutes ago, it may", WEEK - 4 * MINUTE, false, true],
    ["six days before it is refused", 6 * DAY, false, false],
    ["unless it is called an emergency", HOUR, true, true],
  ])("%s", (_name, lead, emergency, isOk) => {
    const facts = { ...request, startsAt: NOON + lead, endsAt: NOON + lead + HOUR, emergency };
    const result = planMaintenance(facts, [], made, WEEK, NOON);
    expect(result.ok).toBe(isOk);
    if (!result.ok) expect(result.failure).toEqual({ code: "notice", which: "7 days" });
  });

  it("holds for one that is moved, too, and not for one that keeps its start", () => {
    const soon = { startsAt: NOON + 2 * DAY };
    expect(retimed(planned(), soon, 0, NOON)).toMatchObject({ failure: { code: "notice", which: "7 days" } });
    expect(retimed(planned(), { name: "Other", startsAt: START }, WEEK, START - HOUR).ok).toBe(true);
    expect(retimed(planned({ emergency: true }), soon, WEEK, NOON).ok).toBe(true);
  });

  it("lets one be moved nearer that is called an emergency by that", () => {
    const moved = ok(retimed(planned(), { startsAt: NOON + 2 * DAY, emergency: true }, WEEK, NOON));
    expect(moved).toMatchObject({ emergency: true, plan: { emergency: true }, startsAt: NOON + 2 * DAY });
    expect(noticeShare([moved], 90, START)).toEqual({ days: 90, met: 0, of: 1 });
  });

  it("holds for what is announced without a plan, by the policy of now", () => {
    const { startsAt, endsAt, name } = request;
    const plain = { name, startsAt, endsAt, components: [] };
    expect(announceMaintenance({ ...plain, startsAt: NOON + DAY }, [], made, WEEK, NOON)).toMatchObject({
      failure: { code: "notice" },
    });
    const announced = ok(announceMaintenance(plain, [], made, WEEK, NOON));
    expect(announced.emergency).toBeUndefined();
    expect(retimed(announced, { startsAt: NOON + DAY }, 2 * DAY, NOON)).toMatchObject({ failure: { which: "2 days" } });
    expect(retimed(announced, { startsAt: NOON + DAY }, DAY, NOON).ok).toBe(true);
    const lease = {
      cluster: "eu-1",
      service: "shop/checkout",
      mode: "announce",
      replicas: null,
      reason: "disks",
    } as const;
    expect(announceLeased({ ...plain, startsAt: NOON + DAY }, lease, made, WEEK, NOON)).toMatchObject({
      failure: { code: "notice" },
    });
    const emergency = { ...plain, startsAt: NOON + DAY, endsAt: NOON + DAY + HOUR, emergency: true };
    expect(announceLeased(emergency, lease, made, WEEK, NOON)).toMatchObject({ value: { emergency: true } });
    expect(announceMaintenance(emergency, [], made, WEEK, NOON)).toMatchObject({ value: { emergency: true } });
  });

  it("is published as the share that met it: of those that began, without those called off, by when the time was told", () => {
    const late = { ...planned(), retimedAt: START - DAY };
    const off = ok(cancelledMaintenance(planned({ emergency: true }), NOON + DAY));
    const all = [planned(), late, planned({ emergency: true }), off];
    expect(noticeShare(all, 90, START + DAY)).toEqual({ days: 90, met: 1, of: 3 });
    expect(noticeShare(all, 90, START - 1)).toEqual({ days: 90, met: 0, of: 0 });
    expect(noticeShare(all, 90, START + 90 * DAY)).toEqual({ days: 90, met: 0, of: 0 });
  });

  it("lets a target be held for a day at most", () => {
    const targets = [{ cluster: "eu-1", service: "shop/checkout", mode: "announce", replicas: null } as const];
    expect(planMaintenance({ ...request, targets, endsAt: START + 25 * HOUR }, [], made, WEEK, NOON)).toMatchObject({
      failure: { code: "order" },
    });
  });
});

describe("its phases", () => {
  const begun = planned();
  const verifying = ok(verified(begun, { id: "v", by: "ada" }, START + HOUR));
  const over = ok(completed(verifying, true, { id: "c", by: "ada" }, START + 2 * HOUR));
  it.each([
    ["is scheduled before", begun, START - 1, "scheduled"],
    ["begins by itself", begun, START, "in_progress"],
    ["does not end by itself", begun, START + 3 * HOUR, "in_progress"],
    ["is verified once somebody says that the work is done", verifying, START + HOUR, "verifying"],
    ["is completed by the all-clear", over, START + 2 * HOUR, "completed"],
  ] as const)("%s", (_name, one, now, status) => expect(maintenanceStatus(one, now)).toBe(status));

  it("covers its components until the work is done, and never beyond the planned end", () => {
    expect(announcedSpan(begun)).toEqual([START, START + 2 * HOUR]);
    expect(announcedSpan(verifying)).toEqual([START, START + HOUR]);
  });

  it("says what is so at its end", () => {
    expect(over.updates?.at(-1)?.body).toBe(ALL_CLEAR);
    const unwell = ok(completed(verifying, false, { id: "c", by: "ada" }, START + 2 * HOUR));
    expect(unwell.updates?.at(-1)?.body).toBe("Maintenance complete.");
  });

  it.each([
    ["before its planned end it is not", begun, null, START + 2 * HOUR - 1, false],
    ["past it, it is", begun, null, START + 2 * HOUR, true],
    ["while it is verified it is not", verifying, bad(START + 89 * MINUTE, START + HOUR), START + 89 * MINUTE, false],
    [
      "with checks failing after 30 minutes it is",
      verifying,
      bad(START + 90 * MINUTE, START + HOUR),
      START + 90 * MINUTE,
      true,
    ],
    ["with checks that nobody looked at, too", verifying, null, START + 90 * MINUTE, true],
    [
      "with good checks it waits for the all-clear",
      verifying,
      good(START + 100 * MINUTE, START + HOUR),
      START + 100 * MINUTE,
      false,
    ],
    ["which may be forgotten", verifying, good(START + 2 * HOUR, START + HOUR), START + 2 * HOUR, true],
    ["completed it is not", over, bad(START + 9 * HOUR), START + 9 * HOUR, false],
    [
      "one that ends by the clock never is",
      { ...begun, plan: undefined } as unknown as Announcement,
      null,
      START + 9 * HOUR,
      false,
    ],
  ])("overdue: %s", (_name, one, watching, now, expected) => expect(isOverdue(one, watching, now)).toBe(expected));

  it("is all clear after 30 good minutes since the work was done, and after 30 more since it was not", () => {
    expect(allClearAt(verifying, good(START + HOUR), START + 90 * MINUTE)).toBe(START + 90 * MINUTE);
    expect(allClearAt(verifying, good(START + 80 * MINUTE), START + 90 * MINUTE)).toBe(START + 110 * MINUTE);
    expect(allClearAt(verifying, bad(START + HOUR), START + 90 * MINUTE)).toBeNull();
  });

  it("asks its clusters once it began, for what is left of it, under ids of their own", () => {
    const targets = [
      { cluster: "eu-1", service: "shop/checkout", mode: "announce", replicas: null },
      { cluster: "eu-2", service: "shop/checkout", mode: "scale", replicas: 1 },
    ] as const;
    const one = planned({ targets });
    expect(leasesFor(one, START - 1)).toEqual([]);
    const leases = leasesFor(one, START + HOUR);
    expect(leases).toMatchObject([
      { cluster: "eu-1", announcement: made.id, startsAt: START + HOUR, endsAt: START + 2 * HOUR, reason: "new disks" },
      { cluster: "eu-2", mode: "scale", replicas: 1 },
    ]);
    expect(new Set(leases.map(({ id }) => id)).size).toBe(2);
    expect(leasesFor(one, START + HOUR)).toEqual(leases);
    expect(leasesFor(one, START + 2 * HOUR), "it is too late").toEqual([]);
    const plan = one.plan && { ...one.plan, leases: leases.map(({ id }) => id) };
    expect(leasesFor({ ...one, plan } as Announcement, START + HOUR), "it asked already").toEqual([]);
  });

  it("remembers who ticked what first, and takes a tick back", () => {
    const list = checklistOf({});
    const once = ok(ticked(begun, { item: "backup", isDone: true }, list, "ada", NOON + 1));
    expect(ok(ticked(once, { item: "backup", isDone: true }, list, "bob", NOON + 2))).toBe(once);
    expect(once.plan?.ticks).toEqual([{ item: "backup", by: "ada", at: NOON + 1 }]);
    expect(ok(ticked(once, { item: "backup", isDone: false }, list, "bob", NOON + 2)).plan?.ticks).toEqual([]);
    expect(ticked(begun, { item: "nonsense", isDone: true }, list, "ada", NOON)).toMatchObject({
      failure: { code: "unknown" },
    });
  });
});

describe("its notices", () => {
  const world = (facts: Partial<PlanRequest> = {}): World => ({ one: planned(facts), watching: null, told: [] });

  it("go out one by one, each at its moment", () => {
    const w = world();
    const at: [string, number][] = [];
    for (let now = NOON; now <= START + HOUR; now += MINUTE)
      for (const { phase } of wake(w, now)) at.push([phase, now]);
    w.one = ok(verified(w.one, { id: "v", by: "ada" }, START + HOUR));
    w.watching = good(START + HOUR);
    for (const { phase } of wake(w, START + HOUR)) at.push([phase, START + HOUR]);
    w.one = ok(completed(w.one, true, { id: "c", by: "ada" }, START + 91 * MINUTE));
    for (const { phase } of wake(w, START + 91 * MINUTE)) at.push([phase, START + 91 * MINUTE]);
    expect(at).toEqual([
      ["announced", NOON],
      ["remind_7d", START - WEEK],
      ["remind_24h", START - DAY],
      ["remind_1h", START - HOUR],
      ["started", START],
      ["verifying", START + HOUR],
      ["completed", START + 91 * MINUTE],
    ]);
    expect(w.told.at(-1)?.detail).toBe(ALL_CLEAR);
    expect(w.told.map(({ number }) => number)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(w.told[3]?.key).toBe(`${made.id}:${START}:remind_1h`);
  });

  it("of moments that passed while nobody was awake: only the newest goes out", () => {
    const w = world();
    wake(w, NOON);
    expect(outcomes(wake(w, START - 30 * MINUTE))).toEqual(["(remind_7d)", "(remind_24h)", "remind_1h"]);
    expect(outcomes(wake(w, START + 3 * HOUR))).toEqual(["(started)", "overdue"]);
  });

  it("of a reminder whose moment was before it was told are none", () => {
    const w = world({ startsAt: NOON + 2 * HOUR, endsAt: NOON + 3 * HOUR, emergency: true });
    const phases = noticeMoments(w.one, null, NOON).map(({ phase }) => phase);
    expect(phases).toEqual(["announced", "remind_1h", "started"]);
  });

  it("of one that begins at once is one: that it has begun", () => {
    const w = world({ startsAt: NOON, endsAt: NOON + HOUR, emergency: true });
    expect(outcomes(wake(w, NOON))).toEqual(["(announced)", "started"]);
  });

  it("say once more that it takes too long, once it was given more time", () => {
    const w = world();
    wake(w, START);
    expect(outcomes(wake(w, START + 2 * HOUR))).toEqual(["overdue"]);
    w.one = ok(retimed(w.one, { endsAt: START + 4 * HOUR }, WEEK, START + 3 * HOUR));
    expect(outcomes(wake(w, START + 3 * HOUR))).toEqual([]);
    expect(outcomes(wake(w, START + 4 * HOUR))).toEqual(["overdue"]);
    expect(outcomes(wake(w, START + 5 * HOUR))).toEqual([]);
  });

  it("are told anew of another time, and not of the old one", () => {
    const w = world();
    wake(w, NOON);
    wake(w, START - DAY);
    w.one = ok(changedMaintenance(w.one, { startsAt: START + 9 * DAY, endsAt: START + 9 * DAY + HOUR }, START - HOUR));
    expect(outcomes(wake(w, START - HOUR))).toEqual(["moved"]);
    expect(outcomes(wake(w, START))).toEqual([]);
    expect(outcomes(wake(w, START + 8 * DAY))).toEqual(["(remind_7d)", "remind_24h"]);
    // And back again.
    w.one = ok(
      changedMaintenance(w.one, { startsAt: START + 20 * DAY, endsAt: START + 20 * DAY + HOUR }, START + 8 * DAY),
    );
    expect(outcomes(wake(w, START + 8 * DAY))).toEqual(["moved"]);
    w.one = ok(
      changedMaintenance(w.one, { startsAt: START + 9 * DAY, endsAt: START + 9 * DAY + HOUR }, START + 8 * DAY + 1),
    );
    expect(outcomes(wake(w, START + 8 * DAY + 1))).toEqual(["moved"]);
    expect(outcomes(wake(w, START + 9 * DAY - HOUR))).toEqual(["remind_1h"]);
  });

  it("end with the one that says that it was called off", () => {
    const w = world();
    wake(w, NOON);
    w.one = ok(cancelledMaintenance(w.one, START - 2 * DAY));
    expect(outcomes(wake(w, START - 2 * DAY))).toEqual(["(remind_7d)", "cancelled"]);
    expect(outcomes(wake(w, START + DAY))).toEqual([]);
  });

  it("that were due before this page kept any are nobody's news", () => {
    const imported = { ...planned(), createdAt: NOON - 30 * DAY, enteredAt: NOON + DAY };
    expect(noticesDue(imported, { isKnown: () => false, watching: null, since: 0 }, NOON + DAY)).toEqual([]);
    expect(noticesDue(planned(), { isKnown: () => false, watching: null, since: NOON + 1 }, NOON + 1)).toEqual([]);
  });

  it("are told at most once, never two at a time, and all in the end, however the Board wakes and dies", () => {
    const moments = fc.array(fc.integer({ min: 0, max: 12 * DAY }), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(moments, fc.array(fc.boolean(), { maxLength: 60 }), (wakes, crashes) => {
        const w = world();
        let isDone = false;
        // A clock may jump back: the wakes are not sorted.
        wakes.forEach((after, i) => {
          const now = NOON + after;
          if (now > START + HOUR && !isDone) {
            w.one = ok(verified(w.one, { id: "v", by: "ada" }, now));
            isDone = true;
          }
          // A crash loses what was not yet written, and all of it together.
          if (crashes[i] === true) wake({ ...w, told: [...w.told] }, now);
          else if (wake(w, now).filter(({ outcome }) => outcome === "out").length > 1) throw new Error("a burst");
          if (wake(w, now).length > (crashes[i] === true ? Infinity : 0)) throw new Error("told again at once");
        });
        const keys = w.told.map(({ key }) => key);
        if (new Set(keys).size !== keys.length) throw new Error("told twice");
        // Whatever happened, from the end on nothing is left but what is over.
        wake(w, START + 20 * DAY);
        const all = noticeMoments(w.one, null, START + 20 * DAY).map(({ key }) => key);
        if (!all.every((key) => w.told.some((notice) => notice.key === key))) throw new Error("one is missing");
      }),
      { numRuns: 300 },
    );
  });

  it("are waited for until the next is due", () => {
    const facts = { isKnown: () => false, watching: null, since: NOON };
    expect(nextNoticeAt(planned(), facts, NOON + 1)).toBe(START - WEEK);
    expect(nextNoticeAt(planned(), facts, START - HOUR)).toBe(START);
    expect(nextNoticeAt(ok(cancelledMaintenance(planned(), NOON + 1)), facts, NOON + 1)).toBe(Infinity);
  });
});
