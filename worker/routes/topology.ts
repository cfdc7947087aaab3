/** Who calls whom, for operators: the API and the page that say the same. */
import * as v from "valibot";
import { ClusterName } from "../../protocol/name.ts";
import { renderTopology } from "../../web/view/admin/topology.ts";
import { boardOf } from "../objects/env.ts";
import { frameOf } from "./admin-view.ts";
import { adminPage } from "./admin-page.ts";
import { refuse } from "./answer.ts";
import { answerAs, Count, Moment, QuantileAnswer, Ratio } from "./described.ts";
import type { AppContext, Route } from "./table.ts";

const Name = v.pipe(v.string(), v.description("namespace/name"));

const TopologyAnswer = v.strictObject({
  clusters: v.pipe(v.array(v.string()), v.description("All that told something")),
  graphs: v.array(
    v.strictObject({
      cluster: v.string(),
      heardAt: v.pipe(
        v.nullable(Moment),
        v.description("When the graph was received; null: there is none, or it is old"),
      ),
      spanMs: v.pipe(v.nullable(Count), v.description("What the edges' numbers are of")),
      fresh: v.pipe(v.boolean(), v.description("false: the cluster is silent, and nobody knows how its services are")),
      left: v.pipe(Count, v.description("Edges that the agent left out, the quietest ones")),
      nodes: v.array(
        v.strictObject({
          name: Name,
          status: v.pipe(v.nullable(v.string()), v.description("null: nobody reports it, as of a gateway")),
          reason: v.nullable(v.string()),
          requestsPerSecond: v.nullable(Count),
          errorRatio: v.nullable(Ratio),
          p95: QuantileAnswer,
          role: v.nullable(v.picklist(["cause", "symptom"])),
          causes: v.pipe(v.array(Name), v.description("Of a symptom: where its trouble likely comes from")),
        }),
      ),
      edges: v.array(v.strictObject({ from: Name, to: Name, requestsPerSecond: Count, errorRatio: v.nullable(Ratio) })),
      findings: v.pipe(
        v.array(v.strictObject({ causes: v.array(Name), symptoms: v.array(Name), evidence: v.string() })),
        v.description("Likely causes, those with most symptoms first"),
      ),
    }),
  ),
});

const TopologyQuery = v.object({ cluster: v.optional(ClusterName) });

async function topology(c: AppContext): Promise<Response> {
  const query = v.safeParse(TopologyQuery, c.req.query());
  if (!query.success) return refuse(c, "request_malformed", "Ask for ?cluster= with a cluster's name, or for all.");
  return answerAs(c, TopologyAnswer, await boardOf(c.env).graphs(query.output.cluster ?? null));
}

async function showTopology(c: AppContext): Promise<Response> {
  const query = v.safeParse(TopologyQuery, c.req.query());
  const wanted = query.success ? (query.output.cluster ?? null) : null;
  const board = boardOf(c.env);
  const [view, { clusters, graphs }] = await Promise.all([board.operatorView([]), board.graphs(wanted)]);
  const [graph = null] = graphs;
  if (graph === null && wanted !== null) return refuse(c, "not_found", "This cluster has not told anything.");
  return adminPage(c, renderTopology({ clusters, graph }, frameOf(view, Date.now())));
}

export const topologyRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/api/v1/topology",
    policy: "read",
    scope: "metrics",
    api: {
      summary:
        "Who calls whom, and what is likely the cause of trouble: of one cluster, or of 20 at most, troubled ones first",
      query: TopologyQuery,
      answer: TopologyAnswer,
    },
    handle: topology,
  },
  { method: "GET", path: "/admin/topology", policy: "admin", role: "viewer", handle: showTopology },
];
