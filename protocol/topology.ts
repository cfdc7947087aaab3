/**
 * Who calls whom in one mesh: the dependency graph of a cluster, as its metrics saw it over one span.
 *
 *   { at, spanMs, workloads: ["shop/checkout", "shop/payments", …], edges: [[0, 1, 120, 3], …], left }
 *
 * Names stand once, edges say `[from, to, requests, errors]` by place in `workloads`: 2,000 edges are then about 60 kB.
 * An edge with 0 requests is known and quiet. `from` is a service where one stands behind the calling workload, else the
 * workload itself (a gateway). It rides in `live` about once a minute, and only to an edge whose last receipt accepts it.
 */
import * as v from "valibot";
import { errorsAmongRequests } from "./count.ts";
import { ServiceName } from "./name.ts";

/** Edges a push may carry. */
export const EDGES_MAX = 2_000;
/** Names that they may speak of. */
const WORKLOADS_MAX = 2 * EDGES_MAX;

const Moment = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const Count = v.pipe(v.number(), v.finite(), v.minValue(0));

const EdgeSchema = v.pipe(
  v.strictTuple([Moment, Moment, Count, Count]),
  v.check(([, , requests, errors]) => errorsAmongRequests({ requests, errors }), "more errors than requests"),
);

export const TopologySchema = v.pipe(
  v.strictObject({
    /** When the span ended, by the agent's clock. */
    at: Moment,
    spanMs: v.pipe(Moment, v.minValue(1)),
    workloads: v.pipe(v.array(ServiceName), v.maxLength(WORKLOADS_MAX)),
    edges: v.pipe(v.array(EdgeSchema), v.maxLength(EDGES_MAX)),
    /** Edges beyond the bounds, the quietest ones, which are not here. */
    left: Moment,
  }),
  v.check(
    ({ workloads, edges }) => edges.every(([from, to]) => from < workloads.length && to < workloads.length),
    "an edge of no workload",
  ),
);
export type Topology = Readonly<v.InferOutput<typeof TopologySchema>>;
