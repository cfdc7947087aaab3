import { describe, expect, it } from "vitest";
import { DAY, HOUR } from "../../protocol/time.ts";
import { cancelledMaintenance, changedMaintenance } from "../../worker/core/announce-maintenance.ts";
import type { Announcement } from "../../worker/core/maintenance.ts";
import { maintenanceStatus } from "../../worker/core/maintenance.ts";
import { noticeMoments } from "../../worker/core/notices.ts";
import { noticeShare } from "../../worker/core/notice-policy.ts";
import { WEEKLY_SUNDAY } from "../../worker/core/recurrence.ts";
import type { Series } from "../../worker/core/schedule.ts";
import { laidOut, planSeries } from "../../worker/core/schedule.ts";
import { NOON } from "../support/facts.ts";

const WEEK = 7 * DAY;
const request = {
  name: "Database maintenance",
  components: [],
  reason: "vacuum",
  targets: [],
  closing: "person",
  rule: WEEKLY_SUNDAY,
  start: "2026-11-29T03:00",
  timeZone: "Etc/UTC",
  lengthMs: HOUR,
} as const;

function series(facts: Partial<Series> = {}): Series {
  const planned = planSeries({ ...request, ...facts }, "series000000", "ada", NOON);
  if (!planned.ok) throw new Error(planned.failure.which);
  return { ...planned.value, ...facts };
}

/** The Board's step: what stands there afterwards. */
function lay(of: Series, standing: readonly Announcement[], now: number): readonly Announcement[] {
  const { added, changed } = laidOut(of, standing, ["component"], WEEK, now);
  return [...standing.map((one) => changed.find(({ id }) => id === one.id) ?? one), ...added];
}

const starts = (all: readonly Announcement[], now = NOON): readonly string[] =>
  all
    .filter((one) => maintenanceStatus(one, now) === "scheduled")
    .map(({ startsAt }) => new Date(startsAt).toISOString().slice(0, 16));

describe("a series", () => {
  it("stands some weeks ahead, and begins with the first that is told of in time", () => {
    const laid = lay(series(), [], NOON);
    expect(starts(laid)).toEqual(
      ["2026-12-06", "2026-12-13", "2026-12-20", "2026-12-27", "2027-01-03"].map((day) => `${day}T03:00`),
    );
    expect(laid[0]).toMatchObject({
      name: "Database maintenance",
      endsAt: Date.UTC(2026, 11, 6, 4),
      components: ["component"],
    });
    expect(noticeShare(laid, 90, Date.UTC(2027, 0, 10))).toEqual({ days: 90, met: 5, of: 5 });
  });

  it("is laid out once, however often somebody looks, and goes on as time does", () => {
    let standing: readonly Announcement[] = [];
    for (let now = NOON; now < NOON + 60 * DAY; now += HOUR) standing = lay(series(), standing, now);
    expect(new Set(standing.map(({ id }) => id)).size).toBe(standing.length);
    // From the second Sunday on, each once: of sixty days, of the notice, and of the weeks ahead.
    expect(standing.length).toBe(13);
    expect(standing.every(({ sequence }) => sequence === undefined)).toBe(true);
  });

  it("calls nothing off when the clock is set back", () => {
    const standing = lay(series(), [], NOON + 30 * DAY);
    expect(laidOut(series(), standing, ["component"], WEEK, NOON).changed).toEqual([]);
  });

  it("leaves alone what was called off or moved by itself", () => {
    const [first, second, ...rest] = lay(series(), [], NOON);
    const off = first && cancelledMaintenance(first, NOON + 1);
    const moved =
      second &&
      changedMaintenance(second, { startsAt: second.startsAt + HOUR, endsAt: second.endsAt + HOUR }, NOON + 1);
    if (off?.ok !== true || moved?.ok !== true || moved.value.plan === undefined) throw new Error("refused");
    const exception = { ...moved.value, plan: { ...moved.value.plan, isException: true as const } };
    const standing = [off.value, exception, ...rest];
    expect(lay(series(), standing, NOON + 2)).toEqual(standing);
    expect(lay(series({ name: "Another" }), standing, NOON + 2).map(({ name }) => name)).toEqual([
      "Database maintenance",
      "Database maintenance",
      "Another",
      "Another",
      "Another",
    ]);
  });

  it("that is changed changes what comes, and its calendar entries with it", () => {
    const standing = lay(series(), [], NOON);
    const longer = lay(series({ lengthMs: 2 * HOUR }), standing, NOON + 1);
    expect(longer.map(({ id, endsAt, sequence }) => [id, endsAt, sequence])).toEqual(
      standing.map(({ id, endsAt }) => [id, endsAt + HOUR, 1]),
    );
    const monthly = lay(series({ rule: "FREQ=MONTHLY;BYDAY=1SU" }), standing, NOON + 1);
    expect(starts(monthly)).toEqual(["2026-12-06T03:00", "2027-01-03T03:00"]);
    expect(monthly.filter(({ cancelledAt }) => cancelledAt !== undefined)).toHaveLength(3);
  });

  it("that is ended calls off what comes, and nothing of what has begun", () => {
    const standing = lay(series(), [], NOON);
    const now = Date.UTC(2026, 11, 6, 3, 30);
    const over = lay(series({ endedAt: now }), standing, now);
    expect(over.map((one) => maintenanceStatus(one, now))).toEqual(["in_progress", ...Array(4).fill("completed")]);
    expect(over.slice(1).every(({ cancelledAt }) => cancelledAt === now)).toBe(true);
  });

  it("tells of each occurrence in the week before it, and not when it was laid out", () => {
    const last = lay(series(), [], NOON).at(-1);
    if (last === undefined) throw new Error("none");
    expect(noticeMoments(last, null, NOON).map(({ phase, dueAt }) => [phase, last.startsAt - dueAt])).toEqual([
      ["announced", WEEK],
      ["remind_24h", DAY],
      ["remind_1h", HOUR],
      ["started", 0],
    ]);
  });

  it("is bounded: one a day stands eight times", () =>
    expect(laidOut(series({ rule: "FREQ=DAILY" }), [], [], WEEK, NOON).added).toHaveLength(8));
});
