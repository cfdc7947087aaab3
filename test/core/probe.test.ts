import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OUTSIDE_FRESH_MS } from "../../protocol/limits.ts";
import type { ComponentStatus } from "../../protocol/status.ts";
import { COMPONENT_STATUSES } from "../../protocol/status.ts";
import { HOUR, MINUTE, SECOND } from "../../protocol/time.ts";
import { componentVerdict, outlook } from "../../worker/core/component.ts";
import type { Outside, Probe } from "../../worker/core/probe.ts";
import { outsideP95, outsideReason, sidesReason, withOutside, withProbe } from "../../worker/core/probe.ts";
import { publicSnapshot } from "../../worker/core/snapshot.ts";
import { NOON, at, component, tell, told } from "../support/facts.ts";

const URL = "https://shop.example.com/health";
const GOOD: Omit<Probe, "at"> = { tookMs: 120, answer: 200 };
const DOWN: Omit<Probe, "at"> = { tookMs: 80, answer: 503 };
const SLOW: Omit<Probe, "at"> = { tookMs: 2_400, answer: 200 };

/** What is seen after probes that come one a minute. */
function seen(...probes: readonly Omit<Probe, "at">[]): Outside | null {
  return probes.reduce<Outside | null>((before, probe, i) => {
    return withProbe(before, URL, { ...probe, at: NOON + i * MINUTE });
  }, null);
}

function statesOf(...probes: readonly Omit<Probe, "at">[]): (string | undefined)[] {
  return probes.map((_, i) => seen(...probes.slice(0, i + 1))?.state);
}

describe("one answer", () => {
  it.each([
    ["200", { tookMs: 120, answer: 200 }, "well"],
    ["204", { tookMs: 120, answer: 204 }, "well"],
    ["the last good status", { tookMs: 120, answer: 299 }, "well"],
    ["a redirect, which nobody looked at", { tookMs: 120, answer: 300 }, "failing"],
    ["a redirect to sign in", { tookMs: 120, answer: 302 }, "failing"],
    ["not found", { tookMs: 120, answer: 404 }, "failing"],
    ["unavailable", { tookMs: 120, answer: 503 }, "failing"],
    ["a half answer", { tookMs: 120, answer: 199 }, "failing"],
    ["nothing in time", { tookMs: 10_000, answer: "timeout" }, "failing"],
    ["no connection", { tookMs: 20, answer: "unreachable" }, "failing"],
    ["just in time", { tookMs: 2_000, answer: 200 }, "well"],
    ["a little late", { tookMs: 2_001, answer: 200 }, "slow"],
    ["late and wrong", { tookMs: 2_001, answer: 500 }, "failing"],
  ] as const)("%s", (_name, probe, state) => expect(seen(probe, probe)?.state).toBe(state));
});

describe("probes in a row", () => {
  it.each([
    ["one bad among good ones is noise", [GOOD, DOWN, GOOD, GOOD], ["well", "well", "well", "well"]],
    ["two of three raise", [GOOD, DOWN, GOOD, DOWN], ["well", "well", "well", "failing"]],
    [
      "two good ones do not clear, three do",
      [DOWN, DOWN, GOOD, GOOD, GOOD],
      ["unknown", "failing", "failing", "failing", "well"],
    ],
    ["one bad with nothing before it tells nothing", [DOWN], ["unknown"]],
    ["one good is enough to be well", [GOOD], ["well"]],
    ["one bad and one good tell nothing yet", [DOWN, GOOD], ["unknown", "unknown"]],
    ["slow and then down is down at two", [SLOW, SLOW, DOWN, DOWN], ["unknown", "slow", "slow", "failing"]],
    [
      "down, then slow: no longer down after three",
      [DOWN, DOWN, SLOW, SLOW, SLOW],
      ["unknown", "failing", "failing", "failing", "slow"],
    ],
  ] as const)("%s", (_name, probes, states) => expect(statesOf(...probes)).toEqual(states));

  it("begin anew after a silence: what was down then is not down now", () => {
    const before = seen(DOWN, DOWN);
    const later = (ms: number) => withProbe(before, URL, { ...GOOD, at: NOON + MINUTE + ms }).state;
    expect(later(OUTSIDE_FRESH_MS - 1)).toBe("failing");
    expect(later(OUTSIDE_FRESH_MS)).toBe("well");
  });

  it("an old probe that comes late changes nothing", () => {
    const before = seen(GOOD, GOOD);
    expect(withProbe(before, URL, { ...DOWN, at: NOON })).toBe(before);
    expect(withProbe(before, URL, { ...DOWN, at: NOON + MINUTE })).toBe(before);
  });

  it("what was seen by a clock that was an hour ahead is forgotten with the first probe after it was set right", () => {
    const right = withProbe(seen(DOWN, DOWN), URL, { ...GOOD, at: NOON - HOUR });
    expect(right).toMatchObject({ state: "well", probes: [{ at: NOON - HOUR }] });
  });
});

/** The mesh inside, the probes outside, and what visitors are told. */
describe("inside beside outside", () => {
  const said = (status: ComponentStatus, outside: Outside | null, at = NOON + 2 * MINUTE) => {
    const why = status === "operational" || status === "unknown" ? null : "About 3 of 10 requests fail.";
    return withOutside({ status, why }, outside, at);
  };
  const well = seen(GOOD, GOOD, GOOD);
  const failing = seen(DOWN, DOWN, DOWN);
  const slow = seen(SLOW, SLOW, SLOW);
  const LATER = NOON + 2 * MINUTE + OUTSIDE_FRESH_MS;
  it.each([
    ["operational", "well", well, "operational", null],
    ["operational", "not asked", null, "operational", null],
    ["operational", "slow", slow, "degraded_performance", "It is well inside, but it answers slowly from outside."],
    ["operational", "failing", failing, "partial_outage", "It is well inside, but it cannot be reached from outside."],
    ["unknown", "well", well, "unknown", null],
    ["unknown", "slow", slow, "degraded_performance", "No news from inside, and it answers slowly from outside."],
    ["unknown", "failing", failing, "partial_outage", "No news from inside, and it cannot be reached from outside."],
    [
      "degraded_performance",
      "well",
      well,
      "degraded_performance",
      "About 3 of 10 requests fail. From outside it still answers.",
    ],
    ["degraded_performance", "slow", slow, "degraded_performance", "About 3 of 10 requests fail."],
    [
      "degraded_performance",
      "failing",
      failing,
      "partial_outage",
      "About 3 of 10 requests fail. And it cannot be reached from outside.",
    ],
    ["partial_outage", "failing", failing, "partial_outage", "About 3 of 10 requests fail."],
    ["major_outage", "well", well, "major_outage", "About 3 of 10 requests fail. From outside it still answers."],
    ["major_outage", "failing", failing, "major_outage", "About 3 of 10 requests fail."],
    ["major_outage", "not asked", null, "major_outage", "About 3 of 10 requests fail."],
  ] as const)("%s inside, %s outside: %s", (inside, _name, outside, status, why) =>
    expect(said(inside, outside)).toEqual({ status, why }),
  );

  it("a maintenance hides a closed door", () => {
    const covered = { status: "under_maintenance", why: "Database upgrade" } as const;
    for (const outside of [well, failing, slow]) expect(withOutside(covered, outside, NOON + 2 * MINUTE)).toBe(covered);
    expect(withOutside(covered, failing, LATER)).toBe(covered);
  });

  it.each([
    ["well", well, "operational"],
    ["failing", failing, "unknown"],
    ["slow", slow, "unknown"],
  ] as const)(
    "%s long ago: what was not refuted is unknown, what was well is the mesh's word",
    (_name, outside, status) => {
      expect(said("operational", outside, LATER).status).toBe(status);
      expect(said("operational", outside, LATER - 1).status).not.toBe(outside?.state === "well" ? "unknown" : status);
      expect(said("major_outage", outside, LATER).status).toBe("major_outage");
      expect(said("unknown", outside, LATER).status).toBe("unknown");
    },
  );

  it.each([
    ["operational", well, null],
    ["operational", failing, "the mesh is healthy, the outside world cannot reach it"],
    ["operational", slow, "the mesh is healthy, the outside world waits too long for it"],
    ["major_outage", well, "the outside answers, the mesh says it fails"],
    ["major_outage", failing, "the mesh says it fails, and the outside world cannot reach it"],
    ["unknown", well, "the outside answers, but the mesh does not report"],
    ["unknown", failing, "the mesh does not report, and the outside world cannot reach it"],
    ["under_maintenance", failing, null],
    ["operational", null, null],
  ] as const)("which side failed, for operators: %s", (inside, outside, reason) =>
    expect(sidesReason(inside, outside, NOON + 2 * MINUTE)).toBe(reason),
  );

  it("the outside makes nothing better, and no probe makes green", () =>
    fc.assert(
      fc.property(
        fc.constantFrom(...COMPONENT_STATUSES),
        fc.array(fc.constantFrom(GOOD, DOWN, SLOW), { maxLength: 5 }),
        fc.integer({ min: 0, max: 10 * MINUTE }),
        (inside, probes, later) => {
          const { status } = said(inside, seen(...probes), NOON + later);
          return COMPONENT_STATUSES.indexOf(status) >= COMPONENT_STATUSES.indexOf(inside);
        },
      ),
    ));
});

describe("a component that is asked from outside", () => {
  const shop = component({ url: URL });
  const evidence = (outside: Outside | null) => ({
    tells: new Map([["eu-1", { ...tell(NOON + 2 * MINUTE, [told("operational")]), expiresAt: at("13:00:00") }]]),
    maintenances: [],
    outside: new Map(outside === null ? [] : [[URL, outside]]),
  });

  it("is not operational while the outside world cannot reach it", () =>
    expect(componentVerdict(shop, evidence(seen(DOWN, DOWN, DOWN)), NOON + 2 * MINUTE).status).toBe("partial_outage"));

  it("is said to answer as soon as it last answered well, not as soon as one bad probe failed", () => {
    const words = (...probes: readonly Omit<Probe, "at">[]) =>
      publicSnapshot(
        {
          version: 1,
          page: { id: "page00000000", name: "Acme", timeZone: "Etc/UTC", createdAt: 0 },
          components: [shop],
          changes: new Map(),
          archive: { delayedSince: null, isRestoring: false },
          ...evidence(seen(...probes)),
        },
        NOON + 2 * MINUTE,
      ).components[0]?.outside?.words;
    expect(words(GOOD, GOOD, GOOD)).toBe("120 ms");
    expect(words(GOOD, GOOD, DOWN)).toBe("120 ms");
    expect(words(SLOW, SLOW, DOWN)).toBe("2400 ms");
    expect(words(DOWN, DOWN, DOWN)).toBe("failing");
    expect(outsideReason(seen(GOOD, GOOD, DOWN), NOON + 2 * MINUTE)).toBe(
      "503 in 80 ms: one bad probe, two make it worse",
    );
  });

  it("turns by itself when nobody asks any more", () => {
    const said = outlook(shop, evidence(seen(DOWN, DOWN, DOWN)), null, NOON + 2 * MINUTE);
    expect(said.map(({ from, status }) => [(from - NOON) / SECOND, status])).toEqual([
      [120, "partial_outage"],
      [300, "unknown"],
      // When the mesh's evidence has expired, too.
      [3_600, "unknown"],
    ]);
  });

  it("has what one of the same address has, and one without an address has nothing", () => {
    const held = evidence(seen(DOWN, DOWN, DOWN));
    expect(componentVerdict(component({ id: "other0000000", url: URL }), held, NOON + 2 * MINUTE).status).toBe(
      "partial_outage",
    );
    expect(componentVerdict(component(), held, NOON + 2 * MINUTE).status).toBe("operational");
  });
});

describe("how long answers take", () => {
  const EVERY = [100, 120, 140, 400].map((tookMs) => ({ tookMs, answer: 200 }));
  const p95 = (outside: Outside | null, at: number) => (outside === null ? null : outsideP95(outside, at));

  it("is a quantile of the good ones, with the bucket that the true value lies in", () => {
    const { estimate, lo, hi } = p95(seen(...EVERY, DOWN, { tookMs: 10_000, answer: "timeout" }), NOON) ?? {};
    expect(lo).toBeLessThan(400);
    expect(hi).toBeGreaterThanOrEqual(400);
    expect(Math.abs((estimate ?? 0) - 400)).toBeLessThan(400 * 0.0217);
  });

  it("is of this hour and the one before, and of none longer ago", () => {
    const first = seen(SLOW);
    const next = (hours: number) => withProbe(first, URL, { ...GOOD, at: NOON + hours * HOUR });
    expect(p95(next(1), NOON + HOUR)?.hi).toBeGreaterThan(2_000);
    expect(p95(next(2), NOON + 2 * HOUR)?.hi).toBeLessThan(130);
    expect(p95(first, NOON + 2 * HOUR - 1)).not.toBeNull();
    expect(p95(first, NOON + 2 * HOUR)).toBeNull();
    expect(p95(seen(DOWN, DOWN), NOON)).toBeNull();
  });

  it("takes no more room the longer it is watched", () => {
    let outside: Outside | null = null;
    for (let minute = 0; minute < 600; minute++)
      outside = withProbe(outside, URL, {
        at: NOON + minute * MINUTE,
        tookMs: 1 + ((minute * 7_919) % 9_000),
        answer: 200,
      });
    expect(outside?.hours).toHaveLength(2);
    // A thousand of them are one row of at most 2 MB.
    expect(JSON.stringify({ ...outside, url: "x".repeat(500) }).length).toBeLessThan(2_000);
  });
});

describe("the reason that operators read", () => {
  it.each([
    ["nothing yet", null, 0, "not probed yet"],
    ["well", seen(GOOD), 0, "200 in 120 ms"],
    ["down", seen(GOOD, DOWN, DOWN), 2, "503 in 80 ms, in 2 of the last 3 probes"],
    ["late", seen(SLOW, SLOW), 1, "200 in 2400 ms, limit 2000 ms, in 2 of the last 2 probes"],
    [
      "silent",
      seen({ tookMs: 10_000, answer: "timeout" }, { tookMs: 10_000, answer: "timeout" }),
      1,
      "no answer in 10 s, in 2 of the last 2 probes",
    ],
    [
      "unreachable",
      seen({ tookMs: 9, answer: "unreachable" }, { tookMs: 9, answer: "unreachable" }),
      1,
      "cannot be reached, in 2 of the last 2 probes",
    ],
    [
      "a redirect",
      seen({ tookMs: 9, answer: 302 }, { tookMs: 9, answer: 302 }),
      1,
      "302 (a redirect, which is not followed: name the address it leads to) in 9 ms, in 2 of the last 2 probes",
    ],
    [
      "a bad certificate",
      seen({ tookMs: 9, answer: 526 }, { tookMs: 9, answer: 526 }),
      1,
      "526 (its certificate is not valid) in 9 ms, in 2 of the last 2 probes",
    ],
    ["one bad", seen(DOWN), 0, "one bad probe, not enough to tell: 503 in 80 ms"],
    ["one bad, then a good one", seen(DOWN, GOOD), 1, "one bad probe, not enough to tell: 503 in 80 ms"],
    ["recovering", seen(DOWN, DOWN, GOOD, GOOD), 3, "recovering: not yet three good probes in a row"],
    ["old", seen(GOOD), 3, "no probe for 3 min; the last said: 200 in 120 ms"],
  ] as const)("%s", (_name, outside, minutes, reason) =>
    expect(outsideReason(outside, NOON + minutes * MINUTE)).toBe(reason),
  );
});
