/** Green needs fresh positive evidence, whatever was told, asked and declared: every path of the rules is tried. */
import fc from "fast-check";
import { describe, it } from "vitest";
import { outlookAt } from "../../protocol/page.ts";
import type { LiveService, Reading } from "../../protocol/push.ts";
import { READINGS_MAX, SILENT_INTERVALS, FUTURE_MS } from "../../protocol/limits.ts";
import type { Evidence } from "../../worker/core/component.ts";
import { componentVerdict, outlook } from "../../worker/core/component.ts";
import { matrixOf } from "../../worker/core/matrix.ts";
import { RULES } from "../../worker/core/rule.ts";
import { serviceVerdict } from "../../worker/core/service.ts";
import { NOON, component, tell, told } from "../support/facts.ts";

const STATUSES = ["operational", "unknown", "degraded_performance", "partial_outage", "major_outage"] as const;
const INTERVAL_MS = 10_000;

const anyReading = fc
  .record({
    ago: fc.integer({ min: -2 * FUTURE_MS, max: 60_000 }),
    requests: fc.constantFrom(0, 1, 4, 5, 100),
    ratio: fc.constantFrom(0, 0.01, 0.02, 0.06, 0.6, 1),
    p95: fc.constantFrom<Reading["p95"][]>(
      null,
      [120, 100, 250],
      [600, 500, 1_000],
      [490, 250, 500],
      [9_000, 5_000, null],
    ),
  })
  .map(({ ago, requests, ratio, p95 }): Reading => ({
    at: NOON - ago,
    spanMs: 20_000,
    requests,
    errors: requests * ratio,
    p95,
  }));

const anyService = fc.record({
  service: fc.constant("shop/checkout"),
  readings: fc.array(anyReading, { maxLength: READINGS_MAX }),
  latency: fc.constant(null),
  replicas: fc.constantFrom(null, { ready: 0, desired: 0 }, { ready: 0, desired: 3 }, { ready: 1, desired: 3 }),
});

describe("a service", () => {
  it("is green only on requests of now that went well, or on ready replicas", () =>
    fc.assert(
      fc.property(fc.constantFrom(null, ...STATUSES), anyService, fc.boolean(), (previous, service, blind) => {
        const scope = { liveAt: NOON, intervalMs: INTERVAL_MS, blind };
        const { status } = serviceVerdict(previous, service as LiveService, scope);
        const fresh = service.readings.filter(
          ({ at }) => at > NOON - SILENT_INTERVALS * INTERVAL_MS && at <= NOON + FUTURE_MS,
        );
        const good = fresh.some(({ requests, errors }) => requests > 0 && errors < requests * 0.05);
        const isReady = (service.replicas?.ready ?? 0) > 0;
        const isUnrefuted = previous === null || previous === "operational";
        const mayBeGreen = good || (isReady && isUnrefuted);
        const isDown = service.replicas !== null && service.replicas.desired > 0 && !isReady;
        return status !== "operational" || (mayBeGreen && !isDown);
      }),
      { numRuns: 20_000 },
    ));

  it("that nobody reads any more is never green without ready replicas, whatever it was", () =>
    fc.assert(
      fc.property(fc.constantFrom(null, ...STATUSES), anyService, fc.boolean(), (previous, service, blind) => {
        const readings = service.readings.map((reading) => ({
          ...reading,
          at: NOON - 30_000 - Math.abs(reading.at - NOON),
        }));
        const replicas = service.replicas?.ready === 1 ? null : service.replicas;
        const stale = { ...service, readings, replicas } as LiveService;
        const scope = { liveAt: NOON, intervalMs: INTERVAL_MS, blind };
        return serviceVerdict(previous, stale, scope).status !== "operational";
      }),
      { numRuns: 20_000 },
    ));
});

const anyComponent = fc.record({
  rule: fc.constantFrom(...RULES),
  quorum: fc.integer({ min: 1, max: 4 }),
  hasLimits: fc.boolean(),
  members: fc.array(
    fc.record({
      cluster: fc.constantFrom("eu-1", "us-1", "ap-1"),
      name: fc.constantFrom("shop/checkout", "shop/cart"),
      status: fc.constantFrom(...STATUSES),
      own: fc.option(fc.constantFrom(...STATUSES)),
      usualPerSecond: fc.option(fc.integer({ min: 0, max: 1_000 })),
    }),
    { minLength: 1, maxLength: 6 },
  ),
  heard: fc.record({
    "eu-1": fc.integer({ min: 0, max: 300_000 }),
    "us-1": fc.integer({ min: 0, max: 300_000 }),
    "ap-1": fc.integer({ min: 0, max: 300_000 }),
  }),
  after: fc.integer({ min: 0, max: 600_000 }),
});

describe("a component", () => {
  it("is never green on evidence that has expired, by any rule, limit or weight", () =>
    fc.assert(
      fc.property(anyComponent, ({ rule, quorum, hasLimits, members, heard, after }) => {
        const subject = component({
          rule,
          quorum,
          services: [...new Set(members.map(({ cluster, name }) => `${cluster}/${name}`))],
          ...(hasLimits ? { thresholds: { p95Ms: 250 } } : {}),
        });
        const clusters = [...new Set(members.map(({ cluster }) => cluster))];
        const tells = clusters.map((cluster) => {
          const services = members
            .filter((one) => one.cluster === cluster)
            .map(({ name, status, own, usualPerSecond }) => ({
              ...told(status, name),
              ...(own === null ? {} : { own: { [subject.id]: { status: own, reason: "", why: null } } }),
              ...(usualPerSecond === null ? {} : { usualPerSecond }),
            }));
          return tell(NOON + heard[cluster], services, cluster);
        });
        const evidence: Evidence = {
          tells: new Map(tells.map((one) => [one.cluster, one])),
          maintenances: [],
          outside: new Map(),
        };
        const from = Math.max(...tells.map(({ heardAt }) => heardAt));
        const at = from + after;
        const fresh = tells.filter(({ expiresAt }) => at < expiresAt);
        const says = [
          componentVerdict(subject, evidence, at).status,
          matrixOf(subject, evidence, at).status,
          outlookAt({ outlook: outlook(subject, evidence, null, from) }, at).status,
        ];
        // As many clusters as the rule asks for must be fresh, and one of them at least.
        const asked = rule === "any" ? 1 : rule === "all" ? clusters.length : Math.min(quorum, clusters.length);
        const mayBeGreen = clusters.length === 1 ? fresh.length === 1 : fresh.length >= asked;
        return new Set(says).size === 1 && (mayBeGreen || !says.includes("operational"));
      }),
      { numRuns: 10_000 },
    ));
});
