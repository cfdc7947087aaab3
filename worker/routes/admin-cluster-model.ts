/** A cluster as lists and its own pages show it. */
import type { Millis } from "../../protocol/time.ts";
import type { ClusterModel, SourceModel } from "../../web/view/admin/model.ts";
import type { ClusterIdentity, Tell } from "../core/component.ts";
import type { OperatorView, ToldView } from "../objects/operator-view.ts";

export function clusterModels(view: OperatorView, now: Millis): readonly ClusterModel[] {
  return view.clusters.map((identity) => clusterModel(identity, tellOf(view, identity.cluster), now));
}

export function tellOf(view: OperatorView, cluster: string): ToldView | null {
  return view.tells.find((tell) => tell.cluster === cluster) ?? null;
}

export function clusterModel({ cluster, keys }: ClusterIdentity, tell: ToldView | null, now: Millis): ClusterModel {
  return {
    name: cluster,
    state: clusterState(keys, tell, now),
    heardAt: tell?.heardAt ?? null,
    agentVersion: tell?.agentVersion ?? null,
    intervalMs: tell?.intervalMs ?? null,
    skewMs: tell?.skewMs ?? null,
    sources: Object.entries(tell?.sources ?? {}).map(([name, source]) => ({
      name: name as SourceModel["name"],
      ...source,
    })),
    spool: tell?.agent?.spool ?? null,
    features: tell === null ? [] : featuresOf(tell),
    // A Board of the release before leaves nothing out, and counts nothing.
    services: tell?.reports ?? tell?.services.length ?? 0,
  };
}

/** What the agent's own words show of what it can do. */
function featuresOf({ detector, health, leases, agent }: Tell): readonly string[] {
  return [
    ...(leases.allowed.length > 0 ? ["takes leases"] : []),
    ...(detector === undefined ? [] : ["looks for anomalies"]),
    ...(health === undefined ? [] : ["tells the morning list"]),
    ...(agent?.knows.includes("rotate") === true ? ["replaces its key"] : []),
  ];
}

function clusterState(keys: ClusterIdentity["keys"], tell: Tell | null, now: Millis): ClusterModel["state"] {
  const states = keys.map(({ state }) => state);
  // One that a collector speaks for has no keys.
  if (states.includes("active") || (states.length === 0 && tell !== null))
    return tell !== null && now < tell.expiresAt ? "reporting" : tell === null ? "waiting" : "silent";
  if (states.includes("pending")) return "pending";
  return states.includes("revoked") ? "revoked" : "waiting";
}
