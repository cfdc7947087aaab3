/** What the agent says of itself, in Prometheus' text format 0.0.4. */
import type { PrometheusHealth } from "../../protocol/health.ts";
import type { LeaseResult } from "../../protocol/lease.ts";
import type { SourceState } from "../../protocol/push.ts";
import type { Millis } from "../../protocol/time.ts";
import { podsByStatus } from "./workload-health.ts";

export interface OwnFacts {
  readonly isLeading: boolean;
  readonly version?: string;
  readonly cluster?: string;
  readonly sources?: readonly { readonly name: string; readonly state: SourceState }[];
  readonly pushes?: { readonly accepted: number; readonly failed: number; readonly acceptedAt: Millis | null };
  /** Records that the edge has not persisted yet. */
  readonly spooled?: number;
  readonly leases?: readonly LeaseResult[];
  /** Pods by namespace and by what `kubectl get pods` would say of them. */
  readonly pods?: ReadonlyMap<string, { readonly status: string }>;
  readonly autoscalers?: ReadonlyMap<
    string,
    { readonly current: number; readonly desired: number; readonly max: number }
  >;
  readonly missed?: number;
  readonly prometheus?: PrometheusHealth | null;
}

type Labels = Readonly<Record<string, string>>;
interface Family {
  readonly name: string;
  readonly type: "gauge" | "counter";
  readonly help: string;
  readonly samples: readonly (readonly [Labels, number])[];
}

/** `cpu` as `process.cpuUsage()` says it, microseconds. */
export function ownMetrics(facts: OwnFacts, rssBytes: number, cpu: { user: number; system: number }): string {
  const prometheus = facts.prometheus ? prometheusFamilies(facts.prometheus) : [];
  return [...families(facts), ...prometheus, ...processFamilies(rssBytes, cpu)]
    .filter(({ samples }) => samples.length > 0)
    .map(familyText)
    .join("");
}

function families(facts: OwnFacts): readonly Family[] {
  const { sources = [], pushes, leases = [], pods = new Map(), autoscalers = new Map() } = facts;
  const gauge = (name: string, help: string, samples: Family["samples"]): Family => ({
    name,
    type: "gauge",
    help,
    samples,
  });
  const counter = (name: string, help: string, samples: Family["samples"]): Family => ({
    ...gauge(name, help, samples),
    type: "counter",
  });
  const only = (value: number | null | undefined): Family["samples"] =>
    value === null || value === undefined ? [] : [[{}, value]];
  const { version, cluster } = facts;
  return [
    gauge(
      "observatory_agent_info",
      "The agent's version and cluster.",
      version === undefined || cluster === undefined ? [] : [[{ version, cluster }, 1]],
    ),
    gauge(
      "observatory_agent_leading",
      "1 where this agent works, 0 where it stands by.",
      only(facts.isLeading ? 1 : 0),
    ),
    gauge(
      "observatory_agent_source_up",
      "1 where a source is ok, 0.5 where it is stale, 0 where it is down.",
      sources.map(({ name, state }) => [{ source: name }, UP[state.state]]),
    ),
    counter(
      "observatory_agent_pushes_total",
      "Pushes by what became of them.",
      pushes === undefined
        ? []
        : [
            [{ outcome: "accepted" }, pushes.accepted],
            [{ outcome: "failed" }, pushes.failed],
          ],
    ),
    gauge(
      "observatory_agent_last_accepted_push_timestamp_seconds",
      "When the edge last accepted a push.",
      only(pushes?.acceptedAt === null || pushes === undefined ? null : pushes.acceptedAt / 1_000),
    ),
    gauge("observatory_agent_spool_records", "Records that the edge has not persisted yet.", only(facts.spooled)),
    gauge("observatory_agent_leases", "Lease results by state.", tally(leases.map(({ state }) => ["state", state]))),
    gauge("observatory_agent_pods", "Pods by namespace and status.", podSamples(pods)),
    gauge(
      "observatory_agent_autoscaler_replicas",
      "Replicas of autoscalers: current, desired, max.",
      [...autoscalers].flatMap(([ref, { current, desired, max }]) =>
        Object.entries({ current, desired, max }).map(([what, value]) => [{ autoscaler: ref, what }, value] as const),
      ),
    ),
    counter(
      "observatory_agent_kubernetes_missed_changes_total",
      "Changes that a watch kept back and a list brought.",
      only(facts.missed),
    ),
  ];
}

const UP = { ok: 1, stale: 0.5, down: 0 } as const;

function processFamilies(rssBytes: number, cpu: { user: number; system: number }): readonly Family[] {
  return [
    { name: "process_resident_memory_bytes", type: "gauge", help: "Resident memory.", samples: [[{}, rssBytes]] },
    {
      name: "process_cpu_seconds_total",
      type: "counter",
      help: "Processor time.",
      samples: [[{}, (cpu.user + cpu.system) / 1e6]],
    },
  ];
}

function podSamples(pods: ReadonlyMap<string, { readonly status: string }>): Family["samples"] {
  return podsByStatus(pods).map(({ namespace, status, count }) => [{ namespace, status }, count]);
}

/** A part that this Prometheus does not tell has no series: it is not 0. */
function prometheusFamilies({ targets, rules, series }: PrometheusHealth): readonly Family[] {
  const gauge = (name: string, help: string, samples: Family["samples"]): Family => ({
    name: `observatory_agent_prometheus_${name}`,
    type: "gauge",
    help,
    samples,
  });
  const head = series?.head ?? null;
  const grown = (series?.top ?? []).flatMap(({ metric, before }) => (before === null ? [] : [{ metric, before }]));
  return [
    gauge(
      "targets",
      "Targets of the mesh's Prometheus by health.",
      targets === null ? [] : (["up", "down", "unknown"] as const).map((health) => [{ health }, targets[health]]),
    ),
    gauge(
      "rules",
      "Rules of the mesh's Prometheus by health.",
      rules === null ? [] : (["ok", "failing"] as const).map((health) => [{ health }, rules[health]]),
    ),
    gauge("head_series", "Series that the mesh's Prometheus has in memory.", head === null ? [] : [[{}, head]]),
    gauge(
      "metric_series",
      "Series of its ten largest metrics.",
      (series?.top ?? []).map((one) => [{ metric: one.metric }, one.series]),
    ),
    gauge(
      "metric_series_day_ago",
      "The most that those had a day ago, or may have had.",
      grown.map(({ metric, before }) => [{ metric }, before]),
    ),
  ];
}

function tally(all: readonly (readonly [label: string, value: string])[]): Family["samples"] {
  const counts = new Map<string, readonly [Labels, number]>();
  for (const [label, value] of all) counts.set(value, [{ [label]: value }, (counts.get(value)?.[1] ?? 0) + 1]);
  return [...counts.values()];
}

function familyText({ name, type, help, samples }: Family): string {
  const lines = samples.map(([labels, value]) => `${name}${labelText(labels)} ${value}\n`);
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("")}`;
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([key, value]) => {
    return `${key}="${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`;
  });
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}
