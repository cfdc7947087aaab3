/** The pods and autoscalers of the runbook's morning list, few words for however many there are. */
import { NAMED_MAX, POD_GROUPS_MAX, type WorkloadHealth } from "../../protocol/health.ts";
import { plainLine } from "./text.ts";

type ByRef<T> = ReadonlyMap<string, T>;

/** @param pods and @param autoscalers by `namespace/name` */
export function workloadHealth(
  pods: ByRef<{ readonly status: string }>,
  autoscalers: ByRef<{ readonly isAtLimit: boolean }>,
): WorkloadHealth {
  const limited = [...autoscalers].flatMap(([ref, { isAtLimit }]) => (isAtLimit ? [plainLine(ref, 256)] : []));
  return {
    pods: podsByStatus(pods).slice(0, POD_GROUPS_MAX),
    autoscalers: { total: autoscalers.size, atLimit: limited.length, named: limited.slice(0, NAMED_MAX) },
  };
}

/** How many pods of a namespace have the same word for how they are, the commonest first. */
export function podsByStatus(pods: ByRef<{ readonly status: string }>): WorkloadHealth["pods"] {
  const counts = new Map<string, WorkloadHealth["pods"][number]>();
  for (const [ref, { status }] of pods) {
    const namespace = ref.slice(0, ref.indexOf("/"));
    const key = JSON.stringify([namespace, status]);
    counts.set(key, { namespace, status: plainLine(status, 100), count: (counts.get(key)?.count ?? 0) + 1 });
  }
  return [...counts.values()].toSorted((a, b) => b.count - a.count);
}
