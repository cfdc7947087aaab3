/** The clusters, each with its agent. */
import type { Html } from "../html.ts";
import { markup } from "../html.ts";
import { adminDocument } from "./document.ts";
import { table } from "./elements.ts";
import type { ClustersModel } from "./fleet-model.ts";
import type { AdminFrame, ClusterModel } from "./model.ts";
import { clusterLink, clusterState, heard, skewText, sourceList, spoolText } from "./parts.ts";
import { clusterPath } from "./fleet-parts.ts";

export function renderClusters({ clusters, mayChange }: ClustersModel, frame: AdminFrame): string {
  return adminDocument(
    frame,
    "/admin/clusters",
    "Clusters",
    markup`<p class="actions">${mayChange && markup`<a class="primary" href="/admin/clusters/new">Let a cluster join</a> `}<a href="/admin/events">Events of all clusters</a></p>
<div data-poll="10">${table({
      caption: "Clusters",
      head: ["Cluster", "State", "Last push", "Agent", "Clock", "Spool", "Services", "Sources"],
      rows: clusters.map((cluster) => [
        clusterLink(cluster.name),
        state(cluster),
        heard(cluster, frame),
        cluster.agentVersion ?? "–",
        skewText(cluster.skewMs),
        spoolText(cluster.spool),
        markup`<span class="number">${cluster.services}</span>`,
        sourceList(cluster.sources, frame),
      ]),
      empty: markup`No cluster yet. ${mayChange ? markup`<a href="/admin/clusters/new">Let one join</a>` : "An owner lets one join"}: an agent in it tells what its mesh sees.`,
    })}</div>`,
  );
}

/** With where to go on, where somebody must. */
function state(cluster: ClusterModel): Html {
  const next = { waiting: "what its agent needs", pending: "compare and accept", revoked: "let it in again" } as const;
  const word = cluster.state in next ? next[cluster.state as keyof typeof next] : null;
  return markup`${clusterState(cluster)}${word !== null && markup` <small><a href="${clusterPath(cluster.name, "keys")}">${word}</a></small>`}`;
}
