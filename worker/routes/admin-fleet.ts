/** The clusters, each with its agent, its services and its leases. */
import type { ClusterIdentity } from "../core/component.ts";
import { includesRole } from "../core/access.ts";
import { renderCluster } from "../../web/view/admin/cluster.ts";
import { renderLeases } from "../../web/view/admin/cluster-leases.ts";
import { renderClusters } from "../../web/view/admin/clusters.ts";
import type { Millis } from "../../protocol/time.ts";
import type { OperatorView } from "../objects/operator-view.ts";
import { boardOf } from "../objects/env.ts";
import { clusterModels } from "./admin-cluster-model.ts";
import { clusterPageModel, leasesModel } from "./admin-fleet-model.ts";
import { adminPage } from "./admin-page.ts";
import { frameOf } from "./admin-view.ts";
import { refuse } from "./answer.ts";
import type { Visitor } from "./guard.ts";
import type { AppContext, Route, RouteRequest } from "./table.ts";

export const NO_CLUSTER = "There is no such cluster.";

/** Whether somebody may let agents in, and take keys away. */
export function isOwner({ role }: Visitor): boolean {
  return role !== null && includesRole(role, "owner");
}

async function list(c: AppContext, { visitor }: RouteRequest): Promise<Response> {
  const view = await boardOf(c.env).operatorView([]);
  const now = Date.now();
  const model = { clusters: clusterModels(view, now), mayChange: isOwner(visitor) };
  return adminPage(c, renderClusters(model, frameOf(view, now)));
}

/** A page of the cluster that the address names. */
async function ofCluster(
  c: AppContext,
  whose: readonly string[],
  render: (view: OperatorView, identity: ClusterIdentity, now: Millis) => string,
): Promise<Response> {
  const view = await boardOf(c.env).operatorView(whose);
  const identity = view.clusters.find(({ cluster }) => cluster === c.req.param("cluster"));
  if (identity === undefined) return refuse(c, "not_found", NO_CLUSTER);
  return adminPage(c, render(view, identity, Date.now()));
}

function show(c: AppContext): Promise<Response> {
  return ofCluster(c, [c.req.param("cluster") ?? ""], (view, identity, now) =>
    renderCluster(clusterPageModel(view, identity, now), frameOf(view, now)),
  );
}

function leases(c: AppContext): Promise<Response> {
  return ofCluster(c, [], (view, identity, now) => renderLeases(leasesModel(view, identity, now), frameOf(view, now)));
}

const viewer = { method: "GET", policy: "admin", role: "viewer" } as const;

export const fleetRoutes: readonly Route[] = [
  { ...viewer, path: "/admin/clusters", handle: list },
  { ...viewer, path: "/admin/clusters/:cluster", handle: show },
  { ...viewer, path: "/admin/clusters/:cluster/leases", handle: leases },
];
