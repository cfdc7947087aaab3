/**
 * The runbook's morning list over all clusters: Prometheus' targets, rules and series, pods and autoscalers. What one
 * cluster says is wrong is said; that all is well only where every cluster says so.
 */
import { ALL_SERIES } from "../../protocol/health.ts";
import type { HealthReport } from "../../protocol/health.ts";
import type { Millis } from "../../protocol/time.ts";
import type { ClusterIdentity, Tell } from "./component.ts";
import type { Reviewed } from "./overview.ts";

/** Words of `kubectl get pods` with which nothing is wrong. A terminating pod is not a failing one. */
const WELL_PODS: ReadonlySet<string> = new Set(["Running", "Succeeded", "Completed", "Terminating"]);
/** Troubles that are spelled out in one reason, and names of one of them. */
const SAID_MAX = 5;
const NAMES_MAX = 3;

/** What a cluster says of one item: how many it has looked at, and what is wrong; null if it does not tell. */
type Said = { readonly seen: number; readonly wrong: readonly string[] } | null;

const ITEMS = {
  targets: { what: "Prometheus targets", of: targetsOf, ofPrometheus: true },
  rules: { what: "Prometheus rules", of: rulesOf, ofPrometheus: true },
  series: { what: "growth of Prometheus series", of: seriesOf, ofPrometheus: true },
  pods: { what: "pods", of: podsOf, ofPrometheus: false },
  autoscalers: { what: "autoscalers", of: autoscalersOf, ofPrometheus: false },
} as const;
export type MorningItem = keyof typeof ITEMS;

type Heard = Pick<Tell, "cluster" | "expiresAt" | "sources" | "health">;

/** @param tells of clusters, of which one that is silent now tells nothing */
export function reviewMorning(
  clusters: readonly Pick<ClusterIdentity, "cluster">[],
  tells: readonly Heard[],
  now: Millis,
): Readonly<Record<MorningItem, Reviewed>> {
  const fresh = new Map(tells.filter(({ expiresAt }) => now < expiresAt).map((tell) => [tell.cluster, tell]));
  const names = [...new Set([...clusters, ...tells].map(({ cluster }) => cluster))];
  const review = ({ what, of, ofPrometheus }: (typeof ITEMS)[MorningItem]): Reviewed =>
    reviewed(
      what,
      names.map((cluster) => {
        const tell = fresh.get(cluster);
        if (tell?.health === undefined) return { cluster, said: null, why: null };
        const why = ofPrometheus ? (tell.health.prometheus?.detail ?? null) : null;
        return { cluster, said: of(tell.health, tell), why };
      }),
    );
  return {
    targets: review(ITEMS.targets),
    rules: review(ITEMS.rules),
    series: review(ITEMS.series),
    pods: review(ITEMS.pods),
    autoscalers: review(ITEMS.autoscalers),
  };
}

interface Answer {
  readonly cluster: string;
  readonly said: Said;
  /** Why it does not tell, where that is known. */
  readonly why: string | null;
}

function reviewed(what: string, all: readonly Answer[]): Reviewed {
  const known = all.flatMap(({ cluster, said }) => (said === null ? [] : [{ cluster, ...said }]));
  const [first] = all.filter(({ said, why }) => said === null && why !== null);
  const because = first === undefined ? "" : ` (${first.cluster}: ${first.why})`;
  if (known.length === 0) return { verdict: "unknown", reason: `no agent tells of ${what}${because}` };
  const silent = all.length - known.length;
  const missing = silent === 0 ? "" : `; ${silent} of ${all.length} clusters do not tell${because}`;
  const wrong = known.flatMap((one) => one.wrong.map((text) => `${one.cluster}: ${text}`));
  if (wrong.length > 0) {
    const more = wrong.length > SAID_MAX ? `; ${wrong.length - SAID_MAX} more` : "";
    return { verdict: "warning", reason: wrong.slice(0, SAID_MAX).join("; ") + more + missing };
  }
  const seen = known.reduce((sum, one) => sum + one.seen, 0);
  return { verdict: silent > 0 ? "unknown" : "ok", reason: `${seen} ${what}, nothing wrong${missing}` };
}

function targetsOf({ prometheus }: HealthReport): Said {
  const targets = prometheus?.targets ?? null;
  if (targets === null) return null;
  const { up, down, unknown, named } = targets;
  const seen = up + down + unknown;
  return { seen, wrong: down === 0 ? [] : [`${down} of ${seen} targets down (${shortened(named, down)})`] };
}

function rulesOf({ prometheus }: HealthReport): Said {
  const rules = prometheus?.rules ?? null;
  if (rules === null) return null;
  const { ok, failing, named } = rules;
  return {
    seen: ok + failing,
    wrong: failing === 0 ? [] : [`${failing} of ${ok + failing} rules fail (${shortened(named, failing)})`],
  };
}

/** A constant size is no warning, however large. */
function seriesOf({ prometheus }: HealthReport): Said {
  const series = prometheus?.series ?? null;
  if (series === null || series.top.every(({ before }) => before === null)) return null;
  const { head, headBefore, top, growing } = series;
  const known = [{ metric: ALL_SERIES, series: head, before: headBefore }, ...top];
  const wrong = growing.map((name) => {
    const found = known.find(({ metric }) => metric === name);
    const counts = `${found?.series ?? "?"} series, ${found?.before ?? "?"} a day ago`;
    return `${name === ALL_SERIES ? "all metrics" : name} grew to ${counts}`;
  });
  return { seen: top.length, wrong };
}

/** What an API server does not show in full proves nothing of the rest. */
function podsOf({ workloads }: HealthReport, { sources }: Heard): Said {
  if (workloads === null) return null;
  const { pods } = workloads;
  const wrong = pods
    .filter(({ status }) => !WELL_PODS.has(status))
    .map(({ namespace, status, count }) => `${count} ${status} in ${namespace}`);
  if (pods.length === 0 || (wrong.length === 0 && sources["kubernetes"]?.state !== "ok")) return null;
  return { seen: pods.reduce((sum, { count }) => sum + count, 0), wrong };
}

function autoscalersOf({ workloads }: HealthReport, { sources }: Heard): Said {
  if (workloads === null) return null;
  const { total, atLimit, named } = workloads.autoscalers;
  // That none is seen is what an agent says too that may not look.
  if (total === 0 || (atLimit === 0 && sources["kubernetes"]?.state !== "ok")) return null;
  return {
    seen: total,
    wrong: atLimit === 0 ? [] : [`${atLimit} of ${total} at its limit (${shortened(named, atLimit)})`],
  };
}

function shortened(names: readonly string[], total: number): string {
  const more = total - Math.min(names.length, NAMES_MAX);
  return names.slice(0, NAMES_MAX).join(", ") + (more > 0 ? `, ${more} more` : "");
}
