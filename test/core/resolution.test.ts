/** What is proposed where an incident begins and ends. */
import { describe, expect, it } from "vitest";
import { DAY, HOUR, MINUTE } from "../../protocol/time.ts";
import { failedOf, resolutionPlan, resolutionText } from "../../worker/core/resolution.ts";
import type { SeriesPoint } from "../../worker/core/series.ts";
import { NOON } from "../support/facts.ts";

const point = (requests: number, errors: number, gap = false): SeriesPoint => ({
  from: NOON,
  to: NOON + MINUTE,
  gap,
  seen: { requests, errors, coverage: 1, p50: null, p95: null, p99: null },
});
const EMPTY: SeriesPoint = { from: NOON, to: NOON + MINUTE, gap: false, seen: null };

describe("the end that is proposed", () => {
  const said = (failed: Parameters<typeof resolutionText>[0]["failed"], components = ["Checkout", "Search"]) =>
    resolutionText({ components, length: "42 min", time: "13:48 UTC", failed });

  it.each([
    ["counts what failed", failedOf([point(1_000, 20), point(500, 3)]), "23 of 1,500 requests failed."],
    ["counts no more than is known", failedOf([point(1_000, 20), EMPTY]), "At least 20 of 1,000 requests failed."],
    ["knows of a loss", failedOf([point(1_000, 20, true)]), "At least 20 of 1,000 requests failed."],
    ["says that none failed", failedOf([point(1_000, 0)]), "No request failed."],
    [
      "claims nothing of minutes that are missing",
      failedOf([point(9, 0), EMPTY]),
      "No request is known to have failed.",
    ],
    ["invents nothing while the archive is away", null, "How many requests failed is not known."],
    ["invents nothing where nothing was seen", failedOf([EMPTY]), "How many requests failed is not known."],
  ])("%s", (_name, failed, words) =>
    expect(said(failed)).toBe(`Checkout and Search work again. It lasted 42 min, from 13:48 UTC. ${words}`),
  );

  it("names what works again, or that it is over", () => {
    expect(said(null, ["Checkout"])).toContain("Checkout works again.");
    expect(said(null, [])).toContain("This is over.");
  });

  it.each([1, 59, 5 * 60, 3 * 24 * 60, 11 * 24 * 60])(
    "looks at all of %i minutes, and not at a day more",
    (minutes) => {
      const startedAt = NOON - minutes * MINUTE;
      const plan = resolutionPlan(startedAt, NOON + 7_000);
      expect(plan?.from).toBeLessThanOrEqual(startedAt);
      expect(plan?.from).toBeGreaterThan(startedAt - 2 * HOUR);
      expect(plan?.slots.length).toBeLessThanOrEqual(300);
    },
  );

  it("is without numbers for what lasted for weeks", () => expect(resolutionPlan(NOON - 20 * DAY, NOON)).toBeNull());
});
