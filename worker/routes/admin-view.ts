/** From what the Board knows to what the admin pages are made of. */
import { quantileOf } from "../../protocol/latency.ts";
import type { LiveComponent } from "../../protocol/page.ts";
import { outlookAt } from "../../protocol/page.ts";
import type { ComponentStatus } from "../../protocol/status.ts";
import type { Millis } from "../../protocol/time.ts";
import { DAY, SECOND } from "../../protocol/time.ts";
import type {
  AdminFrame,
  AdminHomeModel,
  ArchiveModel,
  ComponentFormModel,
  ComponentPageModel,
  ComponentPreviewModel,
  DraftModel,
  OutsideModel,
  PublishedModel,
  ServiceModel,
  TargetModel,
} from "../../web/view/admin/model.ts";
import type { Component, Evidence, Tell, ToldService } from "../core/component.ts";
import { latenciesOf, outsideOf, splitService, verdictFor } from "../core/component.ts";
import type { DraftView } from "../core/draft.ts";
import { unconfirmedSince } from "../core/draft.ts";
import { matrixOf } from "../core/matrix.ts";
import { maintenanceStatus, operatorMaintenance } from "../core/maintenance.ts";
import { inPageOrder } from "../core/order.ts";
import { duesOf } from "../core/reminder.ts";
import { freshUntil, outsideP95, outsideReason, probeWords } from "../core/probe.ts";
import { chooses, isPattern } from "../core/selector.ts";
import { THRESHOLDS } from "../core/thresholds.ts";
import type { OperatorView } from "../objects/operator-view.ts";
import { clusterModels, tellOf } from "./admin-cluster-model.ts";
import { openSummaries, uncoveredOf } from "./admin-incident-model.ts";
import { limitValues } from "./component-request.ts";

/** What stands on every page beside its own facts. All of a view, so that no page is without a reminder that is due. */
export function frameOf(view: OperatorView, now: Millis): AdminFrame {
  const { page, inbox = 0, overdue = [], reminders = [], incidents = [] } = view;
  const dues = duesOf(reminders, new Map(incidents.map((one) => [one.id, one])), now);
  return { pageName: page.name, timeZone: page.timeZone, now, inbox, dues, ...(overdue.length > 0 && { overdue }) };
}

/** @param seen what visitors see of each component now */
export function homeModel(view: OperatorView, seen: ReadonlyMap<string, ComponentStatus>, now: Millis): AdminHomeModel {
  return {
    incidents: openSummaries(view),
    uncovered: uncoveredOf(view, seen).map(({ id, name }) => ({ name, status: seen.get(id) ?? "unknown" })),
    clusters: clusterModels(view, now),
    pendingKeys: view.clusters.flatMap(({ cluster, keys }) =>
      keys.filter(({ state }) => state === "pending").map(({ createdAt }) => ({ cluster, requestedAt: createdAt })),
    ),
    maintenances: view.maintenances.map((maintenance) => operatorMaintenance(maintenance, now)),
    components: view.components.length,
    plans: duePlans(view, now),
    archive: archiveModel(view),
    drafts: draftModels(view, now),
  };
}

function duePlans({ announcements = [] }: OperatorView, now: Millis): AdminHomeModel["plans"] {
  return announcements
    .filter((one) => maintenanceStatus(one, now) !== "completed" && one.startsAt < now + DAY)
    .map(({ id, name, startsAt }) => ({ id, name, startsAt }));
}

/** Those that are still to be decided. A Board of the release before has none. */
export function draftModels(view: OperatorView, now: Millis): readonly DraftModel[] {
  return (view.drafts ?? []).filter(({ decided }) => decided === null).map((draft) => draftModel(draft, view, now));
}

export function draftModel(
  draft: DraftView,
  { components }: Pick<OperatorView, "components">,
  now: Millis,
): DraftModel {
  const nameOf = (id: string): string => components.find((one) => one.id === id)?.name ?? id;
  return {
    id: draft.id,
    title: draft.title,
    cluster: draft.cluster,
    components: draft.components.map(({ component, status }) => ({ name: nameOf(component), status })),
    startedAt: draft.startedAt,
    cause: draft.cause,
    firing: draft.firing,
    ended: draft.ended,
    endedAt: draft.endedAt,
    unconfirmedSince: unconfirmedSince(draft, now),
  };
}

/**
 * What has waited for Postgres for too long, by place; null if nothing has, or if the Board is still the release
 * before's, which does not say.
 */
export function archiveModel({ archive }: Partial<Pick<OperatorView, "archive">>): ArchiveModel | null {
  return archive === undefined || archive.delays.length === 0
    ? null
    : { delays: archive.delays, failure: archive.failure };
}

/** All services of all clusters, in the order of their names. */
export function serviceModels(view: OperatorView, now: Millis): readonly ServiceModel[] {
  return view.tells.flatMap((tell) => servicesOf(tell, view.components, now));
}

export function servicesOf(tell: Tell | null, components: readonly Component[], now: Millis): readonly ServiceModel[] {
  if (tell === null) return [];
  return tell.services
    .map((told) => serviceModel(tell, told, components, now))
    .toSorted((a, b) => a.service.localeCompare(b.service, "en"));
}

function serviceModel(tell: Tell, told: ToldService, components: readonly Component[], now: Millis): ServiceModel {
  const { traffic } = told;
  const fresh = now < tell.expiresAt;
  return {
    cluster: tell.cluster,
    service: told.service,
    fresh,
    heardAt: tell.heardAt,
    status: fresh ? told.status : "unknown",
    reason: fresh ? told.reason : "its cluster is silent",
    quietSince: told.quietSince ?? null,
    p95: quantileOf(latenciesOf(told), 0.95),
    errorRatio: traffic === null || traffic.requests === 0 ? null : traffic.errors / traffic.requests,
    requestsPerSecond: traffic === null ? null : (traffic.requests * SECOND) / traffic.spanMs,
    replicas: told.replicas,
    published: publishedAs(`${tell.cluster}/${told.service}`, components),
  };
}

/** What visitors read beside a component's status: more than its own verdict says, where others are its likely cause. */
export function readByVisitors(components: readonly LiveComponent[], id: string, now: Millis): string | null {
  const shown = components.find((one) => one.id === id);
  return shown === undefined ? null : outlookAt(shown, now).why;
}

/**
 * @param shown what visitors are shown
 * @param form what the form shows: the component as it is, or what was typed and refused
 */
export function componentPageModel(
  view: OperatorView,
  component: Component,
  shown: readonly LiveComponent[],
  { slo, settings }: Pick<ComponentPageModel, "slo" | "settings">,
  now: Millis,
): ComponentPageModel {
  const evidence = evidenceOf(view);
  const { status, why, reason, disagreement, clusters } = matrixOf(component, evidence, now);
  return {
    id: component.id,
    name: component.name,
    group: component.group,
    status,
    why: readByVisitors(shown, component.id, now) ?? why,
    reason,
    disagreement,
    clusters,
    outside: outsideModel(component, evidence, now),
    slo,
    services: component.services.map((ref) => memberModel(component, ref, view, now)),
    hidden: component.hidden === true,
    settings,
  };
}

/** What a form needs of the page besides what it shows of its component. */
export function formFrame(view: OperatorView): Pick<ComponentFormModel, "defaults" | "groups"> {
  const groups = inPageOrder(view.components).flatMap(({ group }) => group ?? []);
  return { defaults: limitValues({ ...THRESHOLDS, ...view.page.thresholds }), groups: [...new Set(groups)] };
}

/** What a component would be now; `held` is what it is, null if it is to be made. */
export function previewModel(
  component: Component,
  held: Component | null,
  view: OperatorView,
  now: Millis,
): ComponentPreviewModel {
  const { status, reason, why } = matrixOf(component, evidenceOf(view), now);
  const refs = component.services;
  return {
    status,
    reason,
    why,
    services: refs.map((ref) => {
      const member = memberModel(component, ref, view, now);
      return { ref, status: member.status, reason: member.reason };
    }),
    empty: (component.selector ?? []).filter((one) => isPattern(one) && !refs.some((ref) => chooses(one, ref))),
    isLater: JSON.stringify(component.thresholds ?? {}) !== JSON.stringify(held?.thresholds ?? {}),
  };
}

/** How a component is seen from outside; null if it has no address. */
export function outsideModel(component: Component, evidence: Evidence, now: Millis): OutsideModel | null {
  if (component.url === undefined) return null;
  const outside = outsideOf(component, evidence);
  return {
    url: component.url,
    state: outside === null || now >= freshUntil(outside) ? "unknown" : outside.state,
    reason: outsideReason(outside, now),
    p95: outside === null ? null : outsideP95(outside, now),
    probes: (outside?.probes ?? []).map((probe) => ({ at: probe.at, words: probeWords(probe) })),
  };
}

/** What the Board judges by. */
export function evidenceOf(
  view: Pick<OperatorView, "tells" | "maintenances" | "outside" | "announcements" | "incidents">,
): Evidence {
  return {
    tells: new Map(view.tells.map((tell) => [tell.cluster, tell])),
    maintenances: view.maintenances,
    outside: new Map((view.outside ?? []).map((one) => [one.url, one])),
    announcements: view.announcements ?? [],
    incidents: view.incidents ?? [],
  };
}

/** A service as a component judges it. Its cluster may report none of that name. */
export function memberModel(component: Component, ref: string, view: OperatorView, now: Millis): ServiceModel {
  const { cluster, service } = splitService(ref);
  const tell = tellOf(view, cluster);
  const told = tell?.services.find((one) => one.service === service);
  if (tell !== null && told !== undefined)
    return serviceModel(tell, { ...told, ...verdictFor(component, told) }, view.components, now);
  return {
    cluster,
    service,
    fresh: false,
    heardAt: tell?.heardAt ?? null,
    status: "unknown",
    reason: tell === null ? "its cluster was never heard" : "its cluster does not report it",
    quietSince: null,
    p95: null,
    errorRatio: null,
    requestsPerSecond: null,
    replicas: null,
    published: publishedAs(ref, view.components),
  };
}

function publishedAs(ref: string, components: readonly Component[]): readonly PublishedModel[] {
  return components
    .filter(({ services }) => services.includes(ref))
    .map(({ id, name, group }) => ({ id, name, group }));
}

/** What a maintenance can be asked for: every service that has a deployment, and every target that an agent allows. */
export function targetModels(view: OperatorView, now: Millis): readonly TargetModel[] {
  return view.tells.flatMap((tell) => {
    const { cluster, services, leases } = tell;
    const deployed = services.filter(({ replicas }) => replicas !== null).map(({ service }) => service);
    const refs = [...new Set([...deployed, ...leases.allowed.map(({ ref }) => ref)])].toSorted();
    return refs.map((service) => ({
      cluster,
      service,
      replicas: services.find((told) => told.service === service)?.replicas ?? null,
      allowed: leases.allowed.find(({ ref }) => ref === service) ?? null,
      reporting: now < tell.expiresAt,
      published: publishedAs(`${cluster}/${service}`, view.components),
    }));
  });
}
