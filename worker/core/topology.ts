/** Who calls whom in a cluster, as the Board holds it. */
import type { Live } from "../../protocol/push.ts";
import type { Millis } from "../../protocol/time.ts";
import { MINUTE } from "../../protocol/time.ts";
import type { Topology } from "../../protocol/topology.ts";
import type { Tell } from "./component.ts";

/** A graph as it is held: its age is counted from when it was received. */
export type ToldTopology = Omit<Topology, "at"> & { readonly heardAt: Millis };

/** A graph that was not renewed for so long is no evidence any more: agents look once a minute. */
const TOPOLOGY_FRESH_MS = 10 * MINUTE;
/** The graph that a push brings, if it does. */
export function topologyIn({ topology }: Live, now: Millis): ToldTopology | null {
  if (topology === undefined) return null;
  const { spanMs, workloads, edges, left } = topology;
  return { heardAt: now, spanMs, workloads, edges, left };
}

/** The tell with the graph that is known: it comes along with one tell in several. */
export function withTopology(tell: Tell, held: Tell | null): Tell {
  const known = held?.topology;
  if (tell.topology !== undefined || known === undefined || !isFresh(known, tell.heardAt)) return tell;
  return { ...tell, topology: known };
}

/** Whether a graph is still evidence. */
export function isFresh({ heardAt }: ToldTopology, now: Millis): boolean {
  return now - heardAt < TOPOLOGY_FRESH_MS;
}

/** Calls over the graph's span. */
export interface Edge {
  readonly from: string;
  readonly to: string;
  readonly requests: number;
  readonly errors: number;
}

export function edgesOf({ workloads, edges }: ToldTopology): readonly Edge[] {
  return edges.map(([from, to, requests, errors]) => ({
    from: workloads[from] ?? "",
    to: workloads[to] ?? "",
    requests,
    errors,
  }));
}
