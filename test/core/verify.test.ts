import { describe, expect, it } from "vitest";
import type { ExplicitLatency } from "../../protocol/latency.ts";
import { DAY, HOUR, MINUTE } from "../../protocol/time.ts";
import { publicMaintenances } from "../../worker/core/announced.ts";
import type { ToldService } from "../../worker/core/component.ts";
import { impactOf, impactPlans } from "../../worker/core/impact.ts";
import type { Announcement } from "../../worker/core/maintenance.ts";
import type { Check, CheckFacts } from "../../worker/core/verify.ts";
import { checksOf, watchedOn } from "../../worker/core/verify.ts";
import { announcement, component, maintenance, NOON, tell, told } from "../support/facts.ts";

const latency = (counts: readonly number[]): ExplicitLatency => ({
  scheme: "explicit",
  bounds: [100, 250, 500, 1_000],
  counts: [...counts],
  sum: 5_000,
});
const well: ToldService = {
  ...told("operational"),
  traffic: { requests: 100, errors: 0, spanMs: 20_000 },
  latency: latency([0, 100, 0, 0, 0]),
  replicas: { ready: 3, desired: 3 },
};
const report = {
  observedGeneration: 0,
  state: "watching",
  detail: null,
  threshold: 0.8,
  since: NOON,
  setBy: "agent",
} as const;
const detector = { ...report, baseline: null, judgedTo: NOON, answer: null };

function facts(services: readonly ToldService[], more: Partial<CheckFacts> = {}): CheckFacts {
  const heard = { ...tell(NOON, services), detector } as CheckFacts["tells"] extends ReadonlyMap<string, infer T>
    ? T
    : never;
  const watched = { at: NOON, anomalies: [] };
  return { components: [component()], tells: new Map([["eu-1", heard]]), watched, ...more };
}

const verdicts = (given: CheckFacts, now = NOON + 1): Record<string, Check["verdict"]> =>
  Object.fromEntries(checksOf(announcement(), given, NOON, now).map(({ name, verdict }) => [name, verdict]));
const GOOD = { overview: "good", errors: "good", p95: "good", pods: "good", anomalies: "good" };

describe("the checks after a maintenance", () => {
  it("are good where all that the runbook asks for is seen", () => expect(verdicts(facts([well]))).toEqual(GOOD));

  it.each([
    [
      "errors",
      "bad",
      "one in fifty requests fails",
      { ...well, traffic: { requests: 100, errors: 2, spanMs: 20_000 } },
    ],
    ["errors", "unknown", "nobody asks anything", { ...well, traffic: null }],
    ["p95", "bad", "it is above 500 ms", { ...well, latency: latency([0, 0, 0, 100, 0]) }],
    ["p95", "unknown", "nothing is known of it", { ...well, latency: null }],
    [
      "p95",
      "unknown",
      "the buckets cannot tell",
      { ...well, latency: { ...latency([]), bounds: [100, 1_000], counts: [0, 100, 0] } },
    ],
    ["pods", "bad", "one is not ready", { ...well, replicas: { ready: 2, desired: 3 } }],
    ["pods", "bad", "it was not scaled up again", { ...well, replicas: { ready: 0, desired: 0 } }],
    ["pods", "none", "nobody watches them", { ...well, replicas: null }],
  ] as const)("%s is %s where %s", (name, verdict, _why, service) =>
    expect(verdicts(facts([service]))).toEqual({ ...GOOD, [name]: verdict }),
  );

  it("know nothing of what fell silent", () =>
    expect(verdicts(facts([well]), NOON + HOUR)).toMatchObject({
      overview: "unknown",
      errors: "unknown",
      p95: "unknown",
    }));

  it("see an anomaly of a service that was touched, raised since the work was done, and no other", () => {
    const raised = (service: string, newestAt: number) => ({ cluster: "eu-1", service, raised: 1, newestAt });
    const seen = (...anomalies: ReturnType<typeof raised>[]) =>
      verdicts(facts([well], { watched: { at: NOON, anomalies } }));
    expect(seen(raised("shop/checkout", NOON + 1))).toEqual({ ...GOOD, anomalies: "bad" });
    expect(seen(raised("shop/checkout", NOON - 1), raised("shop/other", NOON + 1))).toEqual(GOOD);
    expect(verdicts(facts([well], { watched: null }))).toEqual({ ...GOOD, anomalies: "unknown" });
  });
});

describe("how the checks have been", () => {
  const check = (verdict: Check["verdict"]): Check => ({ name: "pods", verdict, reason: "why", bound: "" });
  const good = watchedOn(announcement(), null, [check("good"), check("none")], NOON, NOON + 1);
  it.each([
    ["goes on minute by minute", "good", NOON + MINUTE, NOON + 1],
    ["begins anew with what is not known", "unknown", NOON + MINUTE, NOON + MINUTE],
    ["begins anew with what is bad", "bad", NOON + MINUTE, NOON + MINUTE],
    ["begins anew after minutes that nobody looked at", "good", NOON + 6 * MINUTE, NOON + 6 * MINUTE],
    ["begins anew when the clock was set back", "good", NOON - MINUTE, NOON - MINUTE],
  ] as const)("%s", (_name, verdict, now, since) => {
    const next = watchedOn(announcement(), good, [check(verdict)], NOON - HOUR, now);
    expect(next).toMatchObject({ since, isGood: verdict === "good", failing: verdict === "good" ? "" : "pods: why" });
  });
});

describe("what visitors read of a plan", () => {
  const targets = ["eu-1", "us-2"].map(
    (cluster) => ({ cluster, service: "shop/checkout", mode: "announce", replicas: null }) as const,
  );
  const plan = { emergency: true, noticeMs: 7 * DAY, reason: "secret", targets, closing: "person", ticks: [] } as const;
  const one: Announcement = announcement({ startsAt: NOON, components: [], plan });
  const applied = {
    target: "shop/checkout",
    generation: 7,
    state: "applied",
    reason: "",
    evidence: null,
    at: NOON,
  } as const;
  const lease = (cluster: string, isApplied: boolean) =>
    maintenance({ id: `lease${cluster}000`, cluster, announcement: one.id, results: isApplied ? [applied] : [] });
  const shown = (...maintenances: ReturnType<typeof lease>[]) =>
    publicMaintenances({ components: [component()], maintenances, announcements: [one] }, NOON + 1);

  it("is one maintenance, with the count of clusters and without a name of any", () => {
    const [seen, ...more] = shown(lease("eu-1", true), lease("us-2", false));
    expect(more).toEqual([]);
    expect(seen).toMatchObject({
      clusters: { confirmed: 1, of: 2 },
      confirmed: false,
      emergency: true,
      components: ["checkout0000"],
    });
    expect(JSON.stringify(seen)).not.toMatch(/eu-1|us-2|shop\/|secret/);
    expect(shown(lease("eu-1", true), lease("us-2", true))[0]).toMatchObject({ confirmed: true });
    expect(shown()[0]).toMatchObject({ confirmed: false, clusters: { confirmed: 0, of: 2 } });
  });
});

describe("measured impact", () => {
  const point = (requests: number, p95: number | null) => ({
    from: 0,
    to: 0,
    gap: false,
    seen: {
      requests,
      errors: requests / 10,
      coverage: 1,
      p50: null,
      p95: p95 === null ? null : ({ estimate: p95, lo: 0, hi: p95, method: "midpoint" } as const),
      p99: null,
    },
  });
  it("is held against the same whole hours of the four weeks before", () => {
    const plans = impactPlans(NOON + 10 * MINUTE, NOON + 70 * MINUTE);
    expect(plans.map(({ from, to }) => [from, to])).toEqual(
      [0, 7, 14, 21, 28].map((days) => [NOON - days * DAY, NOON - days * DAY + 2 * HOUR]),
    );
  });
  it("averages counts and no percentile, and knows nothing where there is no history", () => {
    const empty = { from: 0, to: 0, gap: false, seen: null };
    expect(impactOf([point(100, 120), point(200, 100), empty, point(400, 140), empty])).toEqual({
      requests: 100,
      failed: 10,
      p95Ms: 120,
      usual: { requests: 300, failed: 30, p95Ms: [100, 140], weeks: 2 },
    });
    expect(impactOf([empty, empty])).toEqual({ requests: null, failed: null, p95Ms: null, usual: null });
  });
});
