/** From what the Board knows to what the pages of the clusters are made of. */
import type { LeaseResult } from "../../protocol/lease.ts";
import type { Millis } from "../../protocol/time.ts";
import type { ClusterPageModel, LeasesModel } from "../../web/view/admin/fleet-model.ts";
import type { ClusterIdentity, Tell } from "../core/component.ts";
import { detectorOf } from "../core/detector.ts";
import { maintenanceStatus } from "../core/maintenance.ts";
import type { OperatorView } from "../objects/operator-view.ts";
import { clusterModel, tellOf } from "./admin-cluster-model.ts";
import { servicesOf } from "./admin-view.ts";

/** Leases whose history is listed, the newest. */
const HISTORY_SHOWN = 50;

export function clusterPageModel(view: OperatorView, identity: ClusterIdentity, now: Millis): ClusterPageModel {
  const tell = tellOf(view, identity.cluster);
  const detector = detectorOf(identity.cluster, tell, now);
  return {
    cluster: clusterModel(identity, tell, now),
    detector: { state: detector.state, threshold: detector.threshold?.threshold ?? null },
    services: servicesOf(tell, view.components, now),
  };
}

export function leasesModel(view: OperatorView, identity: ClusterIdentity, now: Millis): LeasesModel {
  const tell = tellOf(view, identity.cluster);
  const asked = view.maintenances
    .filter(({ cluster }) => cluster === identity.cluster)
    .toSorted((a, b) => b.createdAt - a.createdAt);
  return {
    cluster: clusterModel(identity, tell, now),
    leases: tell === null ? [] : targetsOf(tell, view),
    history: asked
      .slice(0, HISTORY_SHOWN)
      .map((one) => ({ ...one, status: maintenanceStatus(one, now), requestedAt: one.createdAt })),
    older: Math.max(0, asked.length - HISTORY_SHOWN),
  };
}

function targetsOf({ cluster, leases }: Tell, view: OperatorView): LeasesModel["leases"] {
  const refs = new Set([...leases.allowed.map(({ ref }) => ref), ...leases.targets.map(({ target }) => target)]);
  return [...refs].map((service) => {
    const result = leases.targets.find(({ target }) => target === service) ?? null;
    const maintenance = view.maintenances.find(
      (asked) => asked.cluster === cluster && asked.service === service && asked.generation === result?.generation,
    );
    return {
      service,
      allowed: leases.allowed.find(({ ref }) => ref === service) ?? null,
      mode: maintenance?.mode ?? null,
      replicas: maintenance?.replicas ?? null,
      expiresAt: maintenance?.endsAt ?? null,
      maintenance: maintenance?.id ?? null,
      result: shortResult(result),
    };
  });
}

function shortResult(result: LeaseResult | null): LeasesModel["leases"][number]["result"] {
  return result === null
    ? null
    : { state: result.state, reason: result.reason, evidence: result.evidence, at: result.at };
}
