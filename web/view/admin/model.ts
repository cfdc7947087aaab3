/**
 * What the admin pages are made of. Facts only: which step a maintenance has reached, what needs a human and what a
 * state is called are the views' business. Moments are Millis; `null` is "not known" or "has not happened", never zero.
 */
import type { Quantile } from "../../../protocol/latency.ts";
import type { LeaseMode, LeaseResult } from "../../../protocol/lease.ts";
import type { MaintenanceStatus } from "../../../protocol/page.ts";
import type { ComponentStatus } from "../../../protocol/status.ts";
import type { Millis } from "../../../protocol/time.ts";
import type { AllowedModel } from "./fleet-model.ts";
import type { IncidentSummary } from "./incident-model.ts";

/** What every admin page needs besides its own facts. `timeZone` is the page's, an IANA name. */
export interface AdminFrame {
  readonly pageName: string;
  readonly timeZone: string;
  readonly now: Millis;
  /** Services that wait to be published. */
  readonly inbox?: number;
  /** Maintenances that take longer than they should: every page says so. Absent is none. */
  readonly overdue?: readonly { readonly id: string; readonly name: string; readonly reason: string }[];
  /** Updates of incidents that should have been posted by now, the longest overdue first. */
  readonly dues?: readonly DueModel[];
}

/** An update of an incident that somebody wanted to be reminded of. */
export interface DueModel {
  readonly id: string;
  readonly name: string;
  readonly at: Millis;
  readonly state: "due" | "overdue";
}

/** Something typed that cannot be taken. `field` is the form field's name; null if it is about the whole form. */
export interface Fault {
  readonly field: string | null;
  readonly message: string;
}

/** Health of one of an agent's sources, as its last push said. */
export interface SourceModel {
  readonly name: "prometheus" | "scrape" | "kubernetes" | "certificates";
  readonly state: "ok" | "stale" | "down";
  readonly detail: string | null;
  readonly okAt: Millis | null;
}

/**
 * `waiting`: a code was given out, no agent has come. `pending`: a key waits to be accepted. `reporting`: heard within
 * the time allowed. `silent`: was heard, and no longer is. `revoked`: its key was taken away.
 */
export type ClusterState = "waiting" | "pending" | "reporting" | "silent" | "revoked";

/** A key that asks to be let in: the page of its cluster's keys has the form. */
export interface PendingKeyModel {
  readonly cluster: string;
  readonly requestedAt: Millis;
}

export interface ClusterModel {
  readonly name: string;
  readonly state: ClusterState;
  /** When the last push was received. */
  readonly heardAt: Millis | null;
  readonly agentVersion: string | null;
  readonly intervalMs: number | null;
  /** How far the agent's clock is ahead of ours, ms. */
  readonly skewMs: number | null;
  readonly sources: readonly SourceModel[];
  /** Facts that its agent keeps until Postgres has them, and their bytes on its disk; null where it does not say. */
  readonly spool: { readonly records: number; readonly bytes: number } | null;
  /** What its agent does beyond the first of them, in words. */
  readonly features: readonly string[];
  /** How many services it reports. */
  readonly services: number;
}

/** The component a service is shown as. */
export interface PublishedModel {
  readonly id: string;
  readonly name: string;
  readonly group: string | null;
}

/** One service as its cluster last reported it. */
export interface ServiceModel {
  readonly cluster: string;
  /** namespace/name */
  readonly service: string;
  /** False if its cluster is silent: the numbers are old. */
  readonly fresh: boolean;
  readonly heardAt: Millis | null;
  /** What its last evidence says, with its numbers; unknown once that has expired. */
  readonly status: ComponentStatus;
  readonly reason: string;
  /** Since when it gets no requests; null while it does, or if not known. */
  readonly quietSince: Millis | null;
  readonly p95: Quantile | null;
  readonly errorRatio: number | null;
  readonly requestsPerSecond: number | null;
  readonly replicas: { readonly ready: number; readonly desired: number } | null;
  /** Components that this service is part of; empty if it is not public. */
  readonly published: readonly PublishedModel[];
}

/** A maintenance with the facts of its way into the cluster and back. */
export interface MaintenanceModel {
  readonly id: string;
  /** What visitors read. */
  readonly name: string;
  readonly status: MaintenanceStatus;
  readonly cluster: string;
  /** namespace/name of the target */
  readonly service: string;
  readonly mode: LeaseMode;
  /** What `scale` asks for; null with `announce`. */
  readonly replicas: number | null;
  readonly reason: string;
  readonly by: string;
  readonly requestedAt: Millis;
  readonly startsAt: Millis;
  /** When the lease expires and the agent restores by itself. */
  readonly endsAt: Millis;
  /** When somebody ended it early. */
  readonly endedAt: Millis | null;
  /** When the agent reported that it has taken in this maintenance's generation. */
  readonly deliveredAt: Millis | null;
  /** When Kubernetes was first seen to have taken the change: the first result that carries evidence. */
  readonly acceptedAt: Millis | null;
  /** When the result was first `applied`. */
  readonly appliedAt: Millis | null;
  /** Until when the cluster confirmed to hold it: `endsAt`, unless that was moved; null if it never did. */
  readonly confirmedUntil: Millis | null;
  /** When the result was first `released` or `expired`: the former state is back. */
  readonly restoredAt: Millis | null;
  /** The agent's newest result; null before its first. */
  readonly result: Pick<LeaseResult, "state" | "reason" | "evidence" | "at"> | null;
}

/** Facts that have waited for Postgres for too long at one place: a cluster, or null for the page's own. */
interface DelayModel {
  readonly cluster: string | null;
  readonly waiting: number;
  readonly since: Millis;
}

export interface ArchiveModel {
  /** Never empty, oldest first. */
  readonly delays: readonly DelayModel[];
  /** What the page's own last attempt ran into; null if it went well. */
  readonly failure: string | null;
}

/** Sending again what a Postgres that was restored to `since` may have lost. */
export interface ReflushModel {
  readonly since: Millis;
  readonly by: string;
  readonly startedAt: Millis;
  /** Null while it goes on. */
  readonly finishedAt: Millis | null;
  /** Facts of the page itself, and of the clusters that were asked so far. */
  readonly own: number;
  readonly facts: number;
  readonly asked: number;
  /** Clusters that are still to be asked. */
  readonly pending: readonly string[];
  readonly unreachable: readonly { readonly cluster: string; readonly reason: string }[];
}

/** POST /admin/archive/reflush: `since` YYYY-MM-DDTHH:MM in UTC, `cluster` a name or empty for all. */
type ReflushField = "since" | "cluster";

export interface ArchivePageModel {
  readonly archive: ArchiveModel | null;
  /** The last run, or the one under way; null if there never was one. */
  readonly reflush: ReflushModel | null;
  readonly clusters: readonly string[];
  readonly values: Readonly<Partial<Record<ReflushField, string>>>;
  readonly faults: readonly Fault[];
}

export interface AdminHomeModel {
  readonly clusters: readonly ClusterModel[];
  readonly pendingKeys: readonly PendingKeyModel[];
  /** All that are not completed, and the newest completed ones; any order. */
  readonly maintenances: readonly MaintenanceModel[];
  /** Public components now. */
  readonly components: number;
  /** Planned ones that are under way, or begin within a day. */
  readonly plans: readonly { readonly id: string; readonly name: string; readonly startsAt: Millis }[];
  readonly archive: ArchiveModel | null;
  /** Drafts that nobody has decided, newest first. */
  readonly drafts: readonly DraftModel[];
  /** Incidents that are open, newest first. */
  readonly incidents: readonly IncidentSummary[];
  /** Components that are unwell and that no open incident speaks of, by the names that visitors know. */
  readonly uncovered: readonly { readonly name: string; readonly status: ComponentStatus }[];
}

/** What alerts made of a rule, or the evidence by itself. */
export interface DraftModel {
  readonly id: string;
  /** What the incident would be called. */
  readonly title: string;
  readonly cluster: string;
  /** Public names, each with what would be said of it. */
  readonly components: readonly { readonly name: string; readonly status: ComponentStatus }[];
  /** Start of the first bad minute. */
  readonly startedAt: Millis;
  readonly cause: string;
  readonly firing: number;
  readonly ended: number;
  /** When the last of its alerts ended. */
  readonly endedAt: Millis | null;
  /** Since when nobody confirms that its alerts fire; null while somebody does. */
  readonly unconfirmedSince: Millis | null;
}

/** A form that came back: what was typed, and what is wrong with it. */
export interface FormModel<Field extends string> {
  readonly values: Readonly<Partial<Record<Field, string>>>;
  readonly faults: readonly Fault[];
}

export interface ServicesModel {
  /** `?q=`, matched by the route; empty for all. */
  readonly query: string;
  readonly services: readonly ServiceModel[];
  /** The publish form that was refused: `values.service` ("cluster/namespace/name") says which row's it was. */
  readonly refused: FormModel<"service" | "name" | "group"> | null;
}

/**
 * POST /admin/components/:id. The names are the paths of `ComponentRequestSchema`: `services` one a line, each
 * "cluster/namespace/name" or what chooses some; an empty field takes away what stood there.
 * `revision` is of the component that the form shows.
 */
export type ComponentField =
  | "name"
  | "group"
  | "description"
  | "services"
  | "rule"
  | "quorum"
  | "url"
  | "slo.target"
  | "slo.isPublic"
  | "visibility"
  | "shows.uptime"
  | "shows.numbers"
  | "startsOn"
  | "revision"
  | LimitField;

/** A target over 30 days. `leftRatio` is what is left of what may be lost, negative once more was. */
export interface SloModel {
  readonly target: number;
  readonly isPublic: boolean;
  readonly allowedMs: number;
  readonly lostMs: number;
  readonly leftRatio: number;
  /** Null where nothing was observed. */
  readonly burn: { readonly hour: number | null; readonly sixHours: number | null };
  readonly verdict: "met" | "burning" | "missed" | "unknown";
  readonly reason: string;
}

/** Shares in percent. */
export type LimitField =
  `thresholds.${"errorRatioDegraded" | "errorRatioPartial" | "errorRatioMajor" | "p95Ms" | "requestsMin"}`;

/** POST /admin/limits */
export interface LimitsModel {
  /** What is taken where a field is empty, as the form shows it. */
  readonly defaults: Readonly<Record<LimitField, string>>;
  readonly form: Pick<FormModel<LimitField>, "values" | "faults">;
}

/** A component's address, asked from outside each minute. */
export interface OutsideModel {
  readonly url: string;
  readonly state: "well" | "slow" | "failing" | "unknown";
  /** What was seen, with the limit it broke. */
  readonly reason: string;
  /** Of the good answers of this hour and the one before. */
  readonly p95: Quantile | null;
  /** The last probes, oldest first, at most three. */
  readonly probes: readonly { readonly at: Millis; readonly words: string }[];
}

/** A component as one cluster has it. */
interface ComponentClusterModel {
  readonly cluster: string;
  readonly status: ComponentStatus;
  readonly reason: string;
  /** Of the component's usual traffic, 0 to 1; null if not known. */
  readonly trafficShare: number | null;
  readonly heardAt: Millis | null;
}

export interface ComponentPageModel {
  readonly id: string;
  readonly name: string;
  readonly group: string | null;
  readonly status: ComponentStatus;
  /** What visitors read of it; null if nothing more than its status. */
  readonly why: string | null;
  /** Why, with numbers and the names of clusters. */
  readonly reason: string;
  /** What its clusters say where they do not say the same; null where they do. */
  readonly disagreement: string | null;
  readonly clusters: readonly ComponentClusterModel[];
  /** How its address is seen from outside; null if it has none. */
  readonly outside: OutsideModel | null;
  /** Null without a target. */
  readonly slo: SloModel | null;
  /** The services it stands for, in its own order; one that nobody reports is unknown. */
  readonly services: readonly ServiceModel[];
  /** Known to operators only. */
  readonly hidden: boolean;
  readonly settings: ComponentFormModel;
}

/** GET …/preview has the same fields as the form. */
export interface ComponentFormModel {
  readonly action: string;
  readonly submit: string;
  /** Of the component as it is; null for one that is to be made. */
  readonly revision: string | null;
  /** What stands now where somebody changed it meanwhile; null where nobody did. */
  readonly held: Readonly<Partial<Record<ComponentField, string>>> | null;
  /** Names to choose from. */
  readonly groups: readonly string[];
  /** What its limits are where it has none of its own, as the form shows them. */
  readonly defaults: Readonly<Record<LimitField, string>>;
  readonly form: FormModel<ComponentField>;
  /** What the form as it stands would make of it; null where nobody asked. */
  readonly preview: ComponentPreviewModel | null;
}

export interface ComponentPreviewModel {
  readonly status: ComponentStatus;
  readonly reason: string;
  /** What visitors would read; null if nothing more than the status. */
  readonly why: string | null;
  readonly services: readonly { readonly ref: string; readonly status: ComponentStatus; readonly reason: string }[];
  /** What chooses nothing yet. */
  readonly empty: readonly string[];
  /** Limits were changed, which clusters judge by from their next report on. */
  readonly isLater: boolean;
}

export interface ComponentNewModel {
  readonly settings: ComponentFormModel;
}

/** A deployment that a maintenance can be asked for. */
export interface TargetModel {
  readonly cluster: string;
  readonly service: string;
  readonly replicas: { readonly ready: number; readonly desired: number } | null;
  /** Null: the agent's configuration does not allow this target, and will refuse. */
  readonly allowed: AllowedModel | null;
  /** False if the cluster is silent: the request waits until its agent returns. */
  readonly reporting: boolean;
  readonly published: readonly PublishedModel[];
}

/** A service, or a workload that nobody reports: then `status` is null. */
export interface GraphNodeModel {
  /** namespace/name */
  readonly name: string;
  readonly status: ComponentStatus | null;
  readonly reason: string | null;
  readonly requestsPerSecond: number | null;
  readonly errorRatio: number | null;
  readonly p95: Quantile | null;
  readonly role: "cause" | "symptom" | null;
  /** Of a symptom: where its trouble likely comes from. */
  readonly causes: readonly string[];
}

/** Calls; `errorRatio` is null where there were none. */
export interface GraphEdgeModel {
  readonly from: string;
  readonly to: string;
  readonly requestsPerSecond: number;
  readonly errorRatio: number | null;
}

export interface GraphModel {
  readonly cluster: string;
  /** When the agent's look arrived, and what it spans; null if there is none, or an old one. */
  readonly heardAt: Millis | null;
  readonly spanMs: number | null;
  /** False if the cluster is silent. */
  readonly fresh: boolean;
  /** Edges that the agent left out. */
  readonly left: number;
  readonly nodes: readonly GraphNodeModel[];
  readonly edges: readonly GraphEdgeModel[];
  /** Likely causes; one without symptoms is in trouble by itself. */
  readonly findings: readonly {
    readonly causes: readonly string[];
    readonly symptoms: readonly string[];
    readonly evidence: string;
  }[];
}

export interface TopologyModel {
  /** All that told something. */
  readonly clusters: readonly string[];
  /** Null if there is no cluster. */
  readonly graph: GraphModel | null;
}

/**
 * POST /admin/maintenance: `target` "cluster/namespace/name", `mode` "announce" or "scale", `replicas` (digits, only
 * with scale), `reason`, `name`, `hours` (1 to LEASE_HOURS_MAX, decimals allowed).
 */
export type MaintenanceField = "target" | "mode" | "replicas" | "reason" | "name" | "hours";

export interface MaintenanceNewModel {
  readonly targets: readonly TargetModel[];
  /** What was typed, or what a link chose (`{ target }`); absent fields get their defaults. */
  readonly values: Readonly<Partial<Record<MaintenanceField, string>>>;
  readonly faults: readonly Fault[];
}

export interface MaintenancePageModel {
  readonly maintenance: MaintenanceModel;
  /** Names of the public components that show it. */
  readonly components: readonly string[];
}

/** A frame of `/admin/live`. */
export type AdminLiveFrame =
  | { readonly type: "maintenance"; readonly maintenance: MaintenanceModel }
  /** Something was said of an incident, or is due. */
  | { readonly type: "incidents"; readonly dues: readonly DueModel[] };
