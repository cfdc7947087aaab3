/** What happened in clusters, in words. */
import type { AlertKind, EventKind } from "../../../protocol/record.ts";

export const EVENT_WORDS: Record<EventKind | AlertKind | "gap", string> = {
  "certificate.seen": "Certificate seen",
  "certificate.renewed": "Certificate renewed",
  "pod.crash_loop": "Crash loop",
  "pod.oom_killed": "Killed for memory",
  "lease.result": "Lease result",
  "anomaly.raised": "Anomaly",
  "anomaly.closed": "Anomaly over",
  "pod.image_pull_failed": "Image not pulled",
  "pod.start_failed": "Cannot start",
  "pod.killed": "Killed",
  "pod.unschedulable": "No node takes it",
  "pod.evicted": "Evicted",
  "deployment.rollout_stuck": "Rollout stuck",
  "deployment.replica_failure": "Pods cannot be made",
  "autoscaler.at_limit": "Autoscaler at its limit",
  "autoscaler.blind": "Autoscaler is blind",
  "alert.fired": "Alert",
  "alert.resolved": "Alert over",
  "certificate.overdue": "Certificate renewal overdue",
  "certificate.expiring": "Certificate ends soon",
  "certificate.expired": "Certificate expired",
  "certificate.not_yet_valid": "Certificate not valid yet",
  "certificate.not_served": "Renewed certificate not served",
  "certificate.healed": "Certificate in order again",
  "certificate.gone": "Certificate gone",
  "mesh_certificate.seen": "Mesh certificate seen",
  "mesh_certificate.renewed": "Mesh certificate renewed",
  "mesh_certificate.gone": "Mesh certificate gone",
  "prometheus.target_down": "Prometheus target down",
  "prometheus.target_up": "Prometheus target up again",
  "prometheus.rule_failing": "Prometheus rule fails",
  "prometheus.rule_healed": "Prometheus rule works again",
  "prometheus.series_growing": "Prometheus series grow",
  "prometheus.series_settled": "Prometheus series settled",
  gap: "Facts were lost",
};

/** What lists may be narrowed to. Mesh certificates renew twice a day each: they are in none but their own. */
export const EVENT_GROUPS = {
  lease: { word: "Leases", of: ["lease."] },
  anomaly: { word: "Anomalies", of: ["anomaly."] },
  alert: { word: "Alerts", of: ["alert."] },
  workload: { word: "Pods and deployments", of: ["pod.", "deployment.", "autoscaler."] },
  certificate: { word: "Certificates", of: ["certificate."] },
  mesh: { word: "Certificates of the mesh", of: ["mesh_certificate."] },
  prometheus: { word: "Prometheus", of: ["prometheus."] },
  gap: { word: "Lost facts", of: ["gap"] },
} as const;
export type EventGroup = keyof typeof EVENT_GROUPS;

export function isEventGroup(text: string): text is EventGroup {
  return Object.hasOwn(EVENT_GROUPS, text);
}

/** The kinds of a group; without one, all but those of the mesh's certificates. */
export function kindsOf(group: EventGroup | null): readonly string[] {
  const groups =
    group === null
      ? Object.values(EVENT_GROUPS).filter(({ word }) => word !== EVENT_GROUPS.mesh.word)
      : [EVENT_GROUPS[group]];
  return Object.keys(EVENT_WORDS).filter((kind) => groups.some(({ of }) => of.some((start) => kind.startsWith(start))));
}
