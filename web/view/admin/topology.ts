import type { ComponentStatus } from "../../../protocol/status.ts";
import type { Html } from "../html.ts";
import { markup, trusted } from "../html.ts";
import { adminDocument } from "./document.ts";
import { age, marked, table } from "./elements.ts";
import { drawing, drawnNodes, failing } from "./graph.ts";
import type { AdminFrame, GraphEdgeModel, GraphModel, GraphNodeModel, TopologyModel } from "./model.ts";
import { clusterTabs } from "./fleet-parts.ts";
import { clusterLink } from "./parts.ts";
import { length, quantileText, rateText, ratioText, statusWord } from "../english.ts";

/** Calls in the table; the API has the rest. */
const CALLS_SHOWN = 100;
/** Services of which nothing is known, named in a line. */
const NAMED_MAX = 4;

/** Who calls whom in one cluster, and what is likely the cause of its trouble. */
export function renderTopology({ clusters, graph }: TopologyModel, frame: AdminFrame): string {
  return adminDocument(
    frame,
    "/admin/clusters",
    graph === null ? "Who calls whom" : `Who calls whom in ${graph.cluster}`,
    graph === null
      ? markup`<p class="empty">No cluster has told anything yet; <a href="/admin/clusters">its state</a> says what is missing.</p>`
      : markup`${clusterTabs(graph.cluster, "Topology")}${choice(clusters, graph.cluster)}${asOf(graph, frame)}${causes(graph)}${
          graph.edges.length > 0 &&
          markup`${picture(graph)}
${calls(graph)}`
        }${services(graph)}`,
  );
}

function choice(clusters: readonly string[], current: string): Html | null {
  if (clusters.length < 2) return null;
  const options = clusters.map(
    (cluster) => markup`<option${cluster === current && trusted(" selected")}>${cluster}</option>`,
  );
  return markup`<form class="filter" method="get" action="/admin/topology"><label for="cluster">Cluster</label> <select id="cluster" name="cluster">${options}</select> <button class="secondary">Show</button></form>
`;
}

function asOf({ cluster, heardAt, spanMs, fresh, left }: GraphModel, frame: AdminFrame): Html {
  const silent = !fresh && markup` ${marked("unknown", "The cluster is silent: nobody knows how its services are.")}`;
  if (heardAt === null || spanMs === null)
    return markup`<p class="soft">${clusterLink(cluster)} has not told who calls whom in the last ten minutes. An agent looks about once a minute, in the mesh's own counters; one of the release before does not.${silent}</p>
`;
  return markup`<p class="soft">${clusterLink(cluster)}, calls over ${length(spanMs)}, as of ${age(heardAt, frame)}.${left > 0 && ` ${left} of the quietest edges are left out.`}${silent}</p>
`;
}

function causes({ findings, nodes, heardAt, fresh }: GraphModel): Html | null {
  if (heardAt === null || !fresh) return null;
  const statusOf = (name: string): ComponentStatus => nodes.find((node) => node.name === name)?.status ?? "unknown";
  const items = findings.map(
    ({ causes: names, symptoms, evidence }) =>
      markup`<li>${marked(statusOf(names[0] ?? ""), markup`<b>${names.join(", ")}</b> ${symptoms.length > 0 ? "is the likely cause" : "is in trouble by itself"}. ${evidence}${symptoms.length > 0 && markup`<br><span class="soft">In trouble by it: ${symptoms.join(", ")}</span>`}`)}</li>`,
  );
  const silent = notSaying(nodes);
  const none = silent === null && marked("operational", "No service is in trouble.");
  return markup`<section class="needs"><h2>Where trouble comes from</h2>${items.length === 0 ? none : markup`<ul>${items}</ul>`}${silent}</section>
`;
}

/** Services that are reported, and of which nobody knows how they are; null if there are none. */
function notSaying(nodes: readonly GraphNodeModel[]): Html | null {
  const names = nodes.filter(({ status }) => status === "unknown").map(({ name }) => name);
  if (names.length === 0) return null;
  const more = names.length - NAMED_MAX;
  const list = `${names.slice(0, NAMED_MAX).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
  return marked("unknown", `Not known: ${list}.`);
}

function picture(graph: GraphModel): Html {
  const joined = new Set(graph.edges.flatMap(({ from, to }) => [from, to])).size;
  const drawn = drawnNodes(graph).length;
  return markup`${drawing(graph)}${drawn < joined && markup`<p class="soft">Drawn are ${drawn} of ${joined} services: what is in trouble, what is beside it, and the busiest. The table has all.</p>`}`;
}

/** Every call in words, failing ones first, then busy ones. */
function calls({ edges }: GraphModel): Html {
  const sorted = edges.toSorted(
    (a, b) => (b.errorRatio ?? 0) - (a.errorRatio ?? 0) || b.requestsPerSecond - a.requestsPerSecond,
  );
  const more = sorted.length - CALLS_SHOWN;
  return markup`<h2>Calls</h2>
${table({
  caption: "Calls, failing ones first",
  head: ["Calls", "Error ratio", "Requests"],
  rows: sorted
    .slice(0, CALLS_SHOWN)
    .map((edge) => [
      markup`${edge.from} <span class="soft">→</span> ${edge.to}`,
      share(edge),
      edge.requestsPerSecond === 0 ? "quiet" : numeric(rateText(edge.requestsPerSecond)),
    ]),
  empty: "No call was seen.",
})}${more > 0 && markup`<p class="soft">${more} more, all of which fail less or are quieter: <code>GET /api/v1/topology</code> has them.</p>`}
`;
}

function share({ errorRatio }: GraphEdgeModel): Html | string {
  if (errorRatio === null) return "–";
  const status = failing(errorRatio);
  return status === "well" ? numeric(ratioText(errorRatio)) : marked(status, ratioText(errorRatio));
}

function services({ nodes }: GraphModel): Html {
  return markup`<h2>Services</h2>
${table({
  caption: "Services",
  head: ["Service", "State", "Requests", "Error ratio", "p95"],
  rows: nodes.map((node) => [
    node.name,
    state(node),
    node.requestsPerSecond === null ? "–" : numeric(rateText(node.requestsPerSecond)),
    numeric(ratioText(node.errorRatio)),
    numeric(quantileText(node.p95)),
  ]),
  empty: "No service is reported.",
})}`;
}

function numeric(text: Html): Html {
  return markup`<span class="number">${text}</span>`;
}

function state({ status, reason, role, causes: from }: GraphNodeModel): Html {
  if (status === null) return markup`<span class="soft">not reported</span>`;
  const likely =
    role === "cause" ? "Likely cause: " : role === "symptom" ? `Likely because of ${from.join(", ")}: ` : "";
  return marked(status, statusWord(status), markup`<br><small>${likely}${reason}</small>`);
}
