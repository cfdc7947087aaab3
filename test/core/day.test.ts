import { describe, expect, it } from "vitest";
import { explicitLatency } from "../../protocol/latency.ts";
import type { Millis } from "../../protocol/time.ts";
import { DAY, HOUR, MINUTE, SECOND } from "../../protocol/time.ts";
import type { Component, Tell } from "../../worker/core/component.ts";
import type { Days } from "../../worker/core/day.ts";
import {
  DAY_STEP_MS,
  dayMetrics,
  DEFAULT_METRICS,
  NO_DAY,
  readsDue,
  sampled,
  withArchive,
} from "../../worker/core/day.ts";
import { evenPlan, ratesOf, seriesPoints } from "../../worker/core/series.ts";
import { THRESHOLDS } from "../../worker/core/thresholds.ts";
import { component, NOON, tell, told } from "../support/facts.ts";

const CHECKOUT = component();
const LEDGER = component({ id: "ledger000000", name: "Ledger", services: ["eu-1/shop/ledger"] });

/** What a cluster tells: a second's requests and errors over 20 s, all answered within one bucket. */
function service(name: string, perSecond: number, errorRatio = 0, bucket = 1) {
  const requests = perSecond * 20;
  const counts = [0, 0, 0, 0];
  counts[bucket] = requests;
  const latency = explicitLatency([100, 250, 500], counts, 0);
  return {
    ...told("operational", name),
    traffic: { requests, errors: requests * errorRatio, spanMs: 20_000 },
    latency,
  };
}

/** Samples each 30 s of what `tellAt` tells, from `from` on and before `to`. */
function play(
  from: Millis,
  to: Millis,
  tellAt: (at: Millis) => Tell,
  targets: ReadonlySet<string> = new Set([""]),
  components: readonly Component[] = [CHECKOUT, LEDGER],
  days: Days = {},
): Days {
  for (let at = from; at < to; at += 30 * SECOND)
    days = sampled(days, targets, components, new Map([["eu-1", tellAt(at)]]), at);
  return days;
}

function values(days: Days, kind: string, now: Millis): readonly (number | null)[] {
  return (
    dayMetrics(days, DEFAULT_METRICS, () => THRESHOLDS, now)
      .find((one) => one.kind === kind)
      ?.values.slice(-4) ?? []
  );
}

describe("the last day of the page", () => {
  const steady = (at: Millis) => tell(at, [service("shop/checkout", 10, 0.1), service("shop/ledger", 30)]);
  const days = play(NOON, NOON + HOUR, steady);
  const now = NOON + HOUR - SECOND;

  it("adds up requests of all published services, and no others", () => {
    const others = (at: Millis) => tell(at, [...steady(at).services, service("shop/private", 500, 1)]);
    expect(values(days, "request_rate", now)).toEqual([40, 40, 40, 40]);
    expect(play(NOON, NOON + HOUR, others)).toEqual(days);
  });

  it("weighs errors by requests", () => expect(values(days, "error_ratio", now)).toEqual([0.025, 0.025, 0.025, 0.025]));

  it("merges counts of a step and reads its percentile once: one bad minute of 15 is not averaged in", () => {
    const slow = (at: Millis) =>
      tell(at, [service("shop/checkout", at < NOON + MINUTE ? 1_000 : 10, 0, at < NOON + MINUTE ? 2 : 0)]);
    const [metric] = dayMetrics(
      play(NOON, NOON + 31 * MINUTE, slow),
      DEFAULT_METRICS,
      () => THRESHOLDS,
      NOON + 31 * MINUTE,
    );
    expect([metric?.lo?.at(-3), metric?.hi?.at(-3)]).toEqual([250, 500]);
    expect([metric?.lo?.at(-2), metric?.hi?.at(-2)]).toEqual([0, 100]);
  });

  it("has a gap where nobody was heard, and not a zero", () => {
    const later = play(NOON + HOUR + 30 * MINUTE, NOON + 2 * HOUR, steady, undefined, undefined, days);
    expect(values(later, "request_rate", NOON + 2 * HOUR - 1)).toEqual([null, null, 40, 40]);
  });

  it("does not believe a tell that has expired", () => {
    const stale = play(NOON, NOON + HOUR, () => tell(NOON, [service("shop/checkout", 10)]));
    expect(values(stale, "request_rate", now)).toEqual([]);
  });

  it("keeps a day and no more, whatever is heard", () => {
    const long = play(NOON - 2 * DAY, NOON, steady);
    expect(long[""]?.steps).toHaveLength(95);
    expect(values(long, "request_rate", NOON - 1)).toEqual([40, 40, 40, 40]);
    expect(values(long, "request_rate", NOON + 3 * DAY)).toEqual([]);
  });

  it("forgets what a clock wrote that was ahead, once it is set right", () => {
    const ahead = play(NOON + 5 * HOUR, NOON + 6 * HOUR, steady);
    const right = play(NOON, NOON + HOUR, steady, undefined, undefined, ahead);
    expect(right[""]?.steps.map(({ at }) => at).every((at) => at < NOON + HOUR)).toBe(true);
  });

  it("is of one component where a chart is", () => {
    const both = play(NOON, NOON + HOUR, steady, new Set(["", LEDGER.id]));
    const choice = { id: "ledgerrate00", name: "Ledger", kind: "request_rate", component: LEDGER.id } as const;
    const [metric] = dayMetrics(both, [choice], () => THRESHOLDS, now);
    expect([metric?.name, metric?.values.slice(-2)]).toEqual(["Ledger", [30, 30]]);
    expect(Object.keys(play(NOON + HOUR, NOON + HOUR + MINUTE, steady, new Set([""]), undefined, both))).toEqual([""]);
  });

  it("says its limits, and its own where a component has them", () => {
    const limits = () => ({ ...THRESHOLDS, p95Ms: 200 });
    expect(dayMetrics(days, DEFAULT_METRICS, limits, now).map(({ limit }) => limit)).toEqual([200, 0.01, undefined]);
  });

  it("draws nothing of a quarter of an hour: that is no line", () =>
    expect(dayMetrics(play(NOON, NOON + MINUTE, steady), DEFAULT_METRICS, () => THRESHOLDS, NOON + MINUTE)).toEqual(
      [],
    ));
});

describe("what Postgres knows of the day", () => {
  const now = NOON + 1 * MINUTE;
  const plan = evenPlan(now, DAY_STEP_MS, 96);
  const latency = explicitLatency([100, 250, 500], [0, 900, 0, 0], 0);
  const row = (slot: number, coveredMs: number) => ({ slot, requests: 900, errors: 9, coveredMs, reach: 0, latency });
  const points = (...slots: readonly [number, number][]) =>
    seriesPoints(plan, { rows: slots.map(([slot, ms]) => row(slot, ms)), gaps: [], services: 1 }, now);

  it("fills holes", () => {
    const filled = withArchive(NO_DAY, points([93, DAY_STEP_MS], [94, DAY_STEP_MS]), now);
    expect(values({ "": filled }, "request_rate", now)).toEqual([null, 1, 1, null]);
    expect(values({ "": filled }, "error_ratio", now)).toEqual([null, 0.01, 0.01, null]);
  });

  it("takes the place of samples only where it saw as much", () => {
    const heard = play(NOON - HOUR, NOON, (at) => tell(at, [service("shop/checkout", 40)]))[""] ?? NO_DAY;
    const filled = withArchive(heard, points([92, DAY_STEP_MS], [93, DAY_STEP_MS / 3], [95, MINUTE]), now);
    expect(values({ "": filled }, "request_rate", now)).toEqual([1, 40, 40, null]);
    const whole = withArchive(heard, points([92, DAY_STEP_MS], [93, DAY_STEP_MS]), now);
    expect(values({ "": whole }, "request_rate", now)).toEqual([1, 1, 40, null]);
  });

  it("is asked for at once where there is nothing, then hourly while there are holes, the oldest answer first", () => {
    expect(readsDue({ a: { ...NO_DAY, readAt: now - 2 * HOUR }, "": NO_DAY }, now)).toEqual(["", "a"]);
    expect(readsDue({ "": { ...NO_DAY, readAt: now } }, now + 59 * MINUTE)).toEqual([]);
    expect(readsDue({ "": { ...NO_DAY, readAt: now } }, now + HOUR)).toEqual([""]);
    const full = play(NOON - DAY, NOON, (at) => tell(at, [service("shop/checkout", 40)]));
    expect(readsDue(full, now)).toEqual([]);
  });

  it("has a rate by the time that was seen, beside the points of which most was", () => {
    const rates = ratesOf(points([92, DAY_STEP_MS], [93, DAY_STEP_MS / 2], [94, DAY_STEP_MS / 100]), now);
    expect(rates.slice(92, 95)).toEqual([{ perSecond: 1, share: 1 }, { perSecond: 2, share: 0.5 }, null]);
  });
});
