/** A push that says nothing new is seen to say nothing new: exactly what judging all of it would have found. */
import fc from "fast-check";
import { expect, it } from "vitest";
import type { Live, LiveService, Reading } from "../../protocol/push.ts";
import type { Policies } from "../../worker/core/policies.ts";
import { RUNBOOK } from "../../worker/core/policies.ts";
import { isQuiet, newsOf, statusesOf, tellOf } from "../../worker/core/tell.ts";
import type { Judge } from "../../worker/core/tell.ts";
import { NOON, push } from "../support/facts.ts";

const reading = fc.record({
  at: fc.constantFrom(NOON, NOON, NOON - 10_000, NOON - 20_000, NOON - 60_000, NOON + 90_000),
  spanMs: fc.constant(20_000),
  requests: fc.constantFrom(400, 400, 400, 5, 4, 0),
  errors: fc.constantFrom(0, 0, 0, 4, 5, 20, 201),
  p95: fc.constantFrom<Reading["p95"]>(null, [80, 50, 100], [600, 500, 1_000]),
});
const service = fc.record({
  service: fc.constantFrom("shop/cart", "shop/checkout"),
  readings: fc.array(reading, { maxLength: 3 }),
  latency: fc.constant(null),
  replicas: fc.constantFrom(null, { ready: 3, desired: 3 }, { ready: 2, desired: 3 }, { ready: 0, desired: 3 }),
});
const plainlyWell = fc.constant<LiveService>({
  service: "shop/cart",
  readings: [{ at: NOON, spanMs: 20_000, requests: 400, errors: 0, p95: null }],
  latency: null,
  replicas: { ready: 3, desired: 3 },
});
const live: fc.Arbitrary<Live> = fc.record({
  at: fc.constant(NOON),
  services: fc.uniqueArray(fc.oneof({ weight: 3, arbitrary: plainlyWell }, service), {
    selector: (one: LiveService) => one.service,
    maxLength: 2,
  }),
  sources: fc.constantFrom<Live["sources"]>({}, {}, { prometheus: { state: "down", detail: null, okAt: null } }),
  leases: fc.constantFrom<Live["leases"]>(
    { observedGeneration: 0, targets: [], allowed: [] },
    { observedGeneration: 0, targets: [], allowed: [{ ref: "shop/cart", modes: ["announce"], floor: 0 }] },
  ),
});
const strict: Policies = {
  hash: "strict",
  base: { ...RUNBOOK.base, requestsMin: 500 },
  own: { "shop/cart": [{ component: "cart00000000", thresholds: { ...RUNBOOK.base, p95Ms: 10 } }] },
};
const policies = fc.constantFrom(RUNBOOK, RUNBOOK, strict);
const version = fc.constantFrom("1.0.0", "1.0.0", "1.1.0");

it("and nothing that would be news is missed", () => {
  const seen = { quiet: 0, loud: 0 };
  const moment = fc.tuple(live, policies, version);
  fc.assert(
    fc.property(moment, fc.option(moment, { nil: undefined }), ([was, by, said], next) => {
      const first = heard(was, { policies: by, statuses: {} }, said);
      const before = newsOf(null, first.tell);
      const [now, judgedBy, saysNow] = next ?? [was, by, said];
      const judge: Judge = { policies: judgedBy, statuses: first.statuses };
      const second = heard(now, judge, saysNow);
      const quiet = isQuiet(before, push({ agentVersion: saysNow }), now, judge);
      seen[quiet ? "quiet" : "loud"]++;
      if (!quiet) return;
      expect(newsOf(before, second.tell)).toBe(before);
      expect(second.statuses).toBe(first.statuses);
    }),
    { numRuns: 20_000 },
  );
  // Both happen often enough to mean something.
  expect(Math.min(seen.quiet, seen.loud)).toBeGreaterThan(1_000);
});

function heard(facts: Live, judge: Judge, agentVersion: string) {
  const tell = tellOf("eu-1", push({ agentVersion }), facts, judge, { waiting: 0, since: null }, NOON);
  return { tell, statuses: statusesOf(tell, judge.statuses) };
}
