import type { LeaseState } from "../../../protocol/lease.ts";
import type { AlertKind, EventKind } from "../../../protocol/record.ts";
import type { ComponentStatus } from "../../../protocol/status.ts";
import type { Html } from "../html.ts";
import { markup } from "../html.ts";
import { detectorMark } from "./detector.ts";
import { adminDocument } from "./document.ts";
import { age, button, marked, segment, table } from "./elements.ts";
import type { AdminFrame, AllowedModel, ClusterPageModel, EventModel, LeaseModel } from "./model.ts";
import { clusterState, heard, READING_HEAD, readingCells, skewText, sourceList } from "./parts.ts";
import { length, moment } from "../english.ts";

export function renderCluster(model: ClusterPageModel, frame: AdminFrame): string {
  const { cluster } = model;
  const facts: [string, Html | string][] = [
    ["State", clusterState(cluster)],
    ["Last push", heard(cluster, frame)],
    ["Pushes every", cluster.intervalMs === null ? "–" : length(cluster.intervalMs)],
    ["Agent", cluster.agentVersion ?? "–"],
    ["Its clock", skewText(cluster.skewMs)],
    ["Sources", sourceList(cluster.sources, frame)],
    ["Anomalies", anomaliesText(model)],
  ];
  return adminDocument(
    frame,
    "",
    `Cluster ${cluster.name}`,
    markup`<dl>${facts.map(([term, fact]) => markup`<div><dt>${term}</dt><dd>${fact}</dd></div>`)}</dl>
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
})}
<h2>Maintenance leases</h2>
${leases(model, frame)}
<h2>Events</h2>
${events(model.events, frame)}
<h2>Keys</h2>
${keys(model, frame)}`,
  );
}

function anomaliesText({ cluster, detector }: ClusterPageModel): Html {
  const threshold = detector.threshold === null ? "" : `, threshold ${detector.threshold}`;
  return markup`${detectorMark(detector.state)} · <a href="/admin/clusters/${segment(cluster.name)}/anomalies">Threshold and baseline${threshold}</a>`;
}

const LEASE_MARKS: Record<LeaseState, ComponentStatus> = {
  pending: "unknown",
  applied: "under_maintenance",
  released: "operational",
  expired: "operational",
  conflict: "major_outage",
  forbidden: "major_outage",
  superseded: "partial_outage",
  unverified: "unknown",
};

function leases({ cluster, leases: list }: ClusterPageModel, frame: AdminFrame): Html {
  return table({
    caption: "Maintenance leases",
    head: ["Target", "The agent allows", "Wanted", "Until", "Result"],
    rows: list.map((lease) => [
      lease.service,
      allowedText(lease.allowed),
      wanted(lease),
      lease.expiresAt === null ? "–" : moment(lease.expiresAt, frame.now, frame.timeZone),
      lease.result === null
        ? "–"
        : marked(
            LEASE_MARKS[lease.result.state],
            lease.result.state,
            markup` <small>${age(lease.result.at, frame)}<br>${lease.result.reason}</small>`,
          ),
    ]),
    empty: markup`The agent of ${cluster.name} allows no target. Its configuration lists them under <code>leases.targets</code>.`,
  });
}

export function allowedText(allowed: AllowedModel | null): string {
  if (allowed === null) return "nothing: it will refuse";
  return allowed.modes.includes("scale")
    ? `${allowed.modes.join(", ")}, not below ${allowed.floor}`
    : allowed.modes.join(", ");
}

function wanted({ mode, replicas, maintenance }: LeaseModel): Html | string {
  if (mode === null) return "–";
  const text = mode === "scale" ? `scale to ${replicas ?? "?"}` : "announce";
  return maintenance === null ? text : markup`<a href="/admin/maintenance/${segment(maintenance)}">${text}</a>`;
}

const EVENT_WORDS: Record<EventKind | AlertKind, string> = {
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
};

function events(list: readonly EventModel[] | null, frame: AdminFrame): Html {
  if (list === null)
    return markup`<p class="empty">${marked("unknown", "History cannot be reached: Postgres does not answer. What is above does not need it.")}</p>`;
  return table({
    caption: "Events",
    head: ["What", "Of", "When", "Facts"],
    rows: list.map((event) => [
      EVENT_WORDS[event.kind],
      event.subject,
      age(event.at, frame),
      markup`<small>${eventFacts(event, frame)}</small>`,
    ]),
    empty: "No event yet: certificates, crash loops and lease results appear here.",
  });
}

/** Numbers from this on are moments; no count or size of an event comes near. */
const MOMENT_MIN = 1_000_000_000_000;

/** The agent's own sentence where it has one: the numbers are in it. */
function eventFacts({ body }: EventModel, { now, timeZone }: AdminFrame): string {
  if (typeof body["says"] === "string") return body["says"];
  const facts = Object.entries(body).filter(([, value]) => value !== null);
  return facts
    .map(
      ([key, value]) =>
        `${key} ${typeof value === "number" && value >= MOMENT_MIN ? moment(value, now, timeZone) : String(value)}`,
    )
    .join(" · ");
}

function keys({ cluster, keys: list }: ClusterPageModel, frame: AdminFrame): Html {
  const base = `/admin/clusters/${segment(cluster.name)}`;
  const active = list.some((key) => key.state === "active");
  return markup`${table({
    caption: "Keys",
    head: ["Fingerprint", "State", "Since", ""],
    rows: list.map((key) => [
      markup`<code>${key.fingerprint}</code>`,
      key.state,
      age(key.createdAt, frame),
      key.state === "pending" && button(`${base}/accept`, "Accept", { keyId: key.keyId }, "secondary"),
    ]),
    empty: markup`No key yet. <code>npm run -s enroll -- --cluster ${cluster.name}</code> prints what the agent needs.`,
  })}
${
  active &&
  markup`<details class="danger"><summary>Revoke this agent</summary><p>Pushes and the session of ${cluster.name} are refused from now on, and its components become unknown. Maintenance in force ends by itself at its expiry. The agent must enrol again.</p>${button(`${base}/revoke`, `Revoke ${cluster.name}`, {}, "danger")}</details>`
}`;
}
