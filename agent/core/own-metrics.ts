/** What the agent says of itself, in Prometheus' text format 0.0.4. */
import type { LeaseResult } from "../../protocol/lease.ts";
import type { SourceState } from "../../protocol/push.ts";
import type { Millis } from "../../protocol/time.ts";

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
  return [...families(facts), ...processFamilies(rssBytes, cpu)]
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
  const counts = new Map<string, number>();
  for (const [ref, { status }] of pods) {
    const key = JSON.stringify([ref.slice(0, ref.indexOf("/")), status]);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts].map(([key, count]) => {
    const [namespace = "", status = ""] = JSON.parse(key) as string[];
    return [{ namespace, status }, count];
  });
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
