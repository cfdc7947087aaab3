/** A cluster's agent: whether it speaks, how well it sees, and what it sees. */
import type { Html } from "../html.ts";
import { markup } from "../html.ts";
import { length } from "../english.ts";
import { detectorMark } from "./detector.ts";
import { adminDocument } from "./document.ts";
import { segment, table } from "./elements.ts";
import type { ClusterPageModel } from "./fleet-model.ts";
import { clusterPath, clusterTabs } from "./fleet-parts.ts";
import type { AdminFrame } from "./model.ts";
import { clusterState, heard, READING_HEAD, readingCells, skewText, sourceList, spoolText } from "./parts.ts";

export function renderCluster(model: ClusterPageModel, frame: AdminFrame): string {
  const { cluster } = model;
  const facts: [string, Html | string][] = [
    ["State", clusterState(cluster)],
    ["Last push", heard(cluster, frame)],
    ["Pushes every", cluster.intervalMs === null ? "–" : length(cluster.intervalMs)],
    ["Agent", cluster.agentVersion ?? "–"],
    ["Its clock", skewText(cluster.skewMs)],
    ["Its spool", spoolText(cluster.spool)],
    ["It also", cluster.features.length === 0 ? "–" : cluster.features.join(", ")],
    ["Sources", sourceList(cluster.sources, frame)],
    ["Anomalies", anomaliesText(model)],
  ];
  return adminDocument(
    frame,
    "/admin/clusters",
    `Cluster ${cluster.name}`,
    markup`${clusterTabs(cluster.name, "Agent")}<div data-poll="10">${next(model)}<dl>${facts.map(([term, fact]) => markup`<div><dt>${term}</dt><dd>${fact}</dd></div>`)}</dl>
<h2>Services</h2>
${table({
  caption: "Services",
  head: ["Service", ...READING_HEAD, "Shown as"],
  rows: model.services.map((service) => [
    service.service,
    ...readingCells(service, frame),
    service.published.length === 0
      ? markup`<a href="/admin/services?q=${segment(service.service)}">not public</a>`
      : service.published.map((p) => p.name).join(", "),
  ]),
  empty: "No service reported. The agent's sources say what they cannot reach.",
})}</div>`,
  );
}

/** What somebody must do before anything is reported. */
function next({ cluster }: ClusterPageModel): Html | null {
  const said = {
    waiting: "Its agent has not come yet.",
    pending: "Its agent asks to be let in.",
    revoked: "Its agent was shown the door.",
    reporting: null,
    silent: null,
  }[cluster.state];
  if (said === null) return null;
  return markup`<p class="empty">${said} <a href="${clusterPath(cluster.name, "keys")}">What to do: its keys</a></p>
`;
}

function anomaliesText({ cluster, detector }: ClusterPageModel): Html {
  const threshold = detector.threshold === null ? "" : `, threshold ${detector.threshold}`;
  return markup`${detectorMark(detector.state)} · <a href="${clusterPath(cluster.name, "anomalies")}">Threshold and baseline${threshold}</a>`;
}
