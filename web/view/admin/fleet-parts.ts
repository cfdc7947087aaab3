/** What the pages of the clusters show alike. */
import type { Html } from "../html.ts";
import { markup, trusted } from "../html.ts";
import { segment } from "./elements.ts";
import type { AllowedModel } from "./fleet-model.ts";

export function clusterPath(cluster: string, ...rest: readonly string[]): string {
  return ["/admin/clusters", segment(cluster), ...rest].join("/");
}

const TABS = ["Agent", "Keys", "Leases", "Topology", "Events", "Anomalies"] as const;
type Tab = (typeof TABS)[number];

/** The pages of one cluster. Topology and events have pages for all clusters, which are shown for this one. */
export function clusterTabs(cluster: string, current: Tab): Html {
  const query = `?cluster=${segment(cluster)}`;
  const paths: Record<Tab, string> = {
    Agent: clusterPath(cluster),
    Keys: clusterPath(cluster, "keys"),
    Leases: clusterPath(cluster, "leases"),
    Topology: `/admin/topology${query}`,
    Events: `/admin/events${query}`,
    Anomalies: clusterPath(cluster, "anomalies"),
  };
  return markup`<nav class="tabs" aria-label="Cluster ${cluster}">${TABS.map((tab) => markup`<a href="${paths[tab]}"${tab === current && trusted(' aria-current="page"')}>${tab}</a> `)}</nav>
`;
}

export function allowedText(allowed: AllowedModel | null): string {
  if (allowed === null) return "nothing: it will refuse";
  return allowed.modes.includes("scale")
    ? `${allowed.modes.join(", ")}, not below ${allowed.floor}`
    : allowed.modes.join(", ");
}
