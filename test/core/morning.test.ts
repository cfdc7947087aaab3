/** The runbook's morning list over all clusters: what is wrong is said, and nobody's silence is called well. */
import { describe, expect, it } from "vitest";
import type { HealthReport } from "../../protocol/health.ts";
import type { MorningItem } from "../../worker/core/morning.ts";
import { reviewMorning } from "../../worker/core/morning.ts";
import { NOON, tell } from "../support/facts.ts";

const OK = { kubernetes: { state: "ok", detail: null, okAt: NOON } } as const;
const STALE = { kubernetes: { state: "stale", detail: "pods: forbidden", okAt: NOON } } as const;

const WELL = {
  prometheus: {
    at: NOON,
    targets: { up: 40, down: 0, unknown: 1, named: [] },
    rules: { ok: 7, failing: 0, named: [] },
    series: { head: 9_000, headBefore: 9_000, top: [{ metric: "carts", series: 800, before: 800 }], growing: [] },
    detail: null,
  },
  workloads: {
    pods: [
      { namespace: "shop", status: "Running", count: 12 },
      { namespace: "shop", status: "Completed", count: 1 },
    ],
    autoscalers: { total: 3, atLimit: 0, named: [] },
  },
} satisfies HealthReport;

function told(health: HealthReport | null, sources: object = OK, cluster = "eu-1") {
  return { ...tell(NOON, [], cluster), sources: { ...sources }, ...(health === null ? {} : { health }) };
}
function review(item: MorningItem, ...tells: readonly ReturnType<typeof told>[]): string {
  const { verdict, reason } = reviewMorning(tells, tells, NOON + 1)[item];
  return `${verdict}: ${reason}`;
}
const prometheus = (facts: Partial<typeof WELL.prometheus> | object) =>
  told({ ...WELL, prometheus: { ...WELL.prometheus, ...facts } as HealthReport["prometheus"] });
const workloads = (facts: object, sources: object = OK) =>
  told({ ...WELL, workloads: { ...WELL.workloads, ...facts } as HealthReport["workloads"] }, sources);

describe("what a cluster tells", () => {
  const named = ["a 1", "b 2", "c 3", "d 4"];
  it.each<readonly [string, MorningItem, ReturnType<typeof told>, string]>([
    ["all targets up", "targets", told(WELL), "ok: 41 Prometheus targets, nothing wrong"],
    [
      "some down",
      "targets",
      prometheus({ targets: { up: 30, down: 9, unknown: 1, named } }),
      "warning: eu-1: 9 of 40 targets down (a 1, b 2, c 3, 6 more)",
    ],
    [
      "no such API is not 0 down",
      "targets",
      prometheus({ targets: null }),
      "unknown: no agent tells of Prometheus targets",
    ],
    [
      "and why it is not told is said",
      "rules",
      prometheus({ rules: null, detail: "rules: HTTP 404" }),
      "unknown: no agent tells of Prometheus rules (eu-1: rules: HTTP 404)",
    ],
    [
      "a rule that fails",
      "rules",
      prometheus({ rules: { ok: 6, failing: 1, named: ["slo burn"] } }),
      "warning: eu-1: 1 of 7 rules fail (slo burn)",
    ],
    [
      "a metric that grows",
      "series",
      prometheus({
        series: {
          ...WELL.prometheus.series,
          top: [{ metric: "carts", series: 9_000, before: 800 }],
          growing: ["carts"],
        },
      }),
      "warning: eu-1: carts grew to 9000 series, 800 a day ago",
    ],
    [
      "what was a day ago is not known yet",
      "series",
      prometheus({ series: { ...WELL.prometheus.series, top: [{ metric: "carts", series: 800, before: null }] } }),
      "unknown: no agent tells of growth of Prometheus series",
    ],
    ["pods that run or have ended", "pods", told(WELL), "ok: 13 pods, nothing wrong"],
    [
      "pods that do not",
      "pods",
      workloads({ pods: [...WELL.workloads.pods, { namespace: "shop", status: "CrashLoopBackOff", count: 2 }] }),
      "warning: eu-1: 2 CrashLoopBackOff in shop",
    ],
    ["pods, not all of which may be seen", "pods", told(WELL, STALE), "unknown: no agent tells of pods"],
    ["no pod at all is none that was seen", "pods", workloads({ pods: [] }), "unknown: no agent tells of pods"],
    ["autoscalers with room", "autoscalers", told(WELL), "ok: 3 autoscalers, nothing wrong"],
    [
      "one without, seen by an agent that does not see all",
      "autoscalers",
      workloads({ autoscalers: { total: 3, atLimit: 1, named: ["shop/cart"] } }, STALE),
      "warning: eu-1: 1 of 3 at its limit (shop/cart)",
    ],
    [
      "no autoscaler may be one that may not be seen",
      "autoscalers",
      workloads({ autoscalers: { total: 0, atLimit: 0, named: [] } }),
      "unknown: no agent tells of autoscalers",
    ],
    ["an agent of before", "pods", told(null), "unknown: no agent tells of pods"],
  ])("%s: %s", (_name, item, one, said) => expect(review(item, one)).toBe(said));
});

describe("of several clusters", () => {
  it("one that does not tell keeps the rest from being called well", () =>
    expect(review("targets", told(WELL), told(null, OK, "eu-2"))).toBe(
      "unknown: 41 Prometheus targets, nothing wrong; 1 of 2 clusters do not tell",
    ));

  it("clusters that tell of other items only are among those that do not", () =>
    expect(review("rules", prometheus({ rules: null }), told(WELL, OK, "eu-2"), told(null, OK, "eu-3"))).toMatch(
      /^unknown: 7 .*2 of 3 clusters do not tell$/,
    ));

  it("one that has fallen silent tells nothing, however well it was", () => {
    const tells = [told(WELL)];
    const { pods } = reviewMorning(tells, tells, NOON + 60_000);
    expect(pods).toEqual({ verdict: "unknown", reason: "no agent tells of pods" });
  });

  it("a reason stays short", () => {
    const bad = { targets: { up: 0, down: 1, unknown: 0, named: ["a 1"] } };
    const tells = Array.from({ length: 40 }, (_, i) => ({ ...prometheus(bad), cluster: `c-${i}` }));
    expect(review("targets", ...tells)).toMatch(/c-4: 1 of 1 targets down \(a 1\); 35 more$/);
  });
});
