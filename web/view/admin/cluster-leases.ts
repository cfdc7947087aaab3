/** The leases of a cluster: what its agent holds now, and how each one went. */
import type { LeaseResult, LeaseState } from "../../../protocol/lease.ts";
import type { ComponentStatus } from "../../../protocol/status.ts";
import type { Html } from "../html.ts";
import { markup } from "../html.ts";
import { moment } from "../english.ts";
import { adminDocument } from "./document.ts";
import { age, marked, segment, table } from "./elements.ts";
import type { LeaseHistoryModel, LeasesModel } from "./fleet-model.ts";
import { allowedText, clusterTabs } from "./fleet-parts.ts";
import type { AdminFrame } from "./model.ts";
import { maintenanceChange, maintenanceLink } from "./parts.ts";

export function renderLeases(model: LeasesModel, frame: AdminFrame): string {
  const { cluster, history, older } = model;
  return adminDocument(
    frame,
    "/admin/clusters",
    `Leases of ${cluster.name}`,
    markup`${clusterTabs(cluster.name, "Leases")}<p class="soft">A maintenance asks for a change by a lease. The agent grants what its own configuration allows, shows what Kubernetes made of it, and gives the former state back at its end, with us or without us.</p>
<div data-poll="10"><h2>Now</h2>
${inForce(model, frame)}
<h2>History</h2>
${table({
  caption: "Leases that were asked for",
  head: ["Maintenance", "Target", "Change", "Way there and back", "By"],
  rows: history.map((one) => [maintenanceLink(one), one.service, maintenanceChange(one), way(one, frame), one.by]),
  empty: markup`No lease was ever asked for here. <a href="/admin/maintenance/new">Start a maintenance</a> when a deployment needs one.`,
})}${older > 0 && markup`<p class="soft">${older} older are not shown. <a href="/admin/events?cluster=${segment(cluster.name)}&amp;kind=lease">The events of leases</a> have all.</p>`}
<h2>What the agent allows</h2>
${allowed(model)}</div>`,
  );
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

/** What somebody wants of a target now, and what the agent makes of it. */
function inForce({ leases }: LeasesModel, frame: AdminFrame): Html {
  return table({
    caption: "Leases now",
    head: ["Target", "Wanted", "Until", "Result"],
    rows: leases
      .filter(({ mode, result }) => mode !== null || result !== null)
      .map(({ service, mode, replicas, maintenance, expiresAt, result }) => [
        service,
        mode === null || maintenance === null
          ? "–"
          : maintenanceLink({ id: maintenance, name: maintenanceChange({ mode, replicas }) }),
        expiresAt === null ? "–" : moment(expiresAt, frame.now, frame.timeZone),
        result === null ? "–" : resultMark(result, frame),
      ]),
    empty: "The agent holds no lease.",
  });
}

function allowed({ cluster, leases }: LeasesModel): Html {
  return table({
    caption: "Targets that the agent allows",
    head: ["Target", "It allows"],
    rows: leases.map((lease) => [lease.service, allowedText(lease.allowed)]),
    empty: markup`The agent of ${cluster.name} allows no target. Its configuration lists them under <code>leases.targets</code>.`,
  });
}

function resultMark(
  { state, reason, at, evidence }: Omit<LeaseResult, "target" | "generation">,
  frame: AdminFrame,
): Html {
  return marked(
    LEASE_MARKS[state],
    state,
    evidenceText(evidence),
    markup` <small>${age(at, frame)}${reason !== "" && markup`<br>${reason}`}</small>`,
  );
}

function evidenceText(evidence: LeaseResult["evidence"]): string {
  if (evidence === null) return "";
  const { ready, replicas } = evidence;
  return ready > replicas ? `, ${ready} ready and ${replicas} wanted` : `, ${ready} of ${replicas} ready`;
}

/** What happened to one, step by step, each with its moment. */
function way(lease: LeaseHistoryModel, { now, timeZone }: AdminFrame): Html {
  // What was applied had been taken in, whenever we heard of it.
  const takenIn =
    lease.deliveredAt === null ? null : Math.min(lease.deliveredAt, ...lease.results.map((result) => result.at));
  const steps: { readonly at: number; readonly said: Html }[] = [
    { at: lease.requestedAt, said: markup`issued, until ${moment(lease.endsAt, now, timeZone)}` },
    ...(takenIn === null ? [] : [{ at: takenIn, said: markup`taken in by the agent` }]),
    ...lease.results.map((result) => ({
      at: result.at,
      said: marked(
        LEASE_MARKS[result.state],
        result.state,
        evidenceText(result.evidence),
        result.reason !== "" && markup` <small>${result.reason}</small>`,
      ),
    })),
    ...(lease.endedAt === null ? [] : [{ at: lease.endedAt, said: markup`ended by somebody before its time` }]),
  ];
  return markup`<ol class="way">${steps
    .toSorted((a, b) => a.at - b.at)
    .map(
      (step) => markup`<li><span class="at">${moment(step.at, now, timeZone, true)}</span> ${step.said}</li>`,
    )}</ol>`;
}
