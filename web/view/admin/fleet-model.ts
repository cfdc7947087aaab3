/** What the pages of the clusters are made of. Moments are Millis; `null` is "not known" or "has not happened". */
import type { AlertKind, EventKind } from "../../../protocol/record.ts";
import type { LeaseMode, LeaseResult } from "../../../protocol/lease.ts";
import type { MaintenanceStatus } from "../../../protocol/page.ts";
import type { Millis } from "../../../protocol/time.ts";
import type { DetectorState } from "./detector-model.ts";
import type { ClusterModel, FormModel, ServiceModel } from "./model.ts";

export interface ClustersModel {
  readonly clusters: readonly ClusterModel[];
  /** Whether who looks may let one join. */
  readonly mayChange: boolean;
}

export interface ClusterPageModel {
  readonly cluster: ClusterModel;
  /** Who looks for anomalies there, and from which score on it speaks. `threshold` is null where nobody says. */
  readonly detector: { readonly state: DetectorState; readonly threshold: number | null };
  readonly services: readonly ServiceModel[];
}

/** POST /admin/clusters; `namespaces` with commas between. */
export type ClusterField = "name" | "prometheus" | "namespaces";

export interface ClusterNewModel {
  readonly form: FormModel<ClusterField>;
}

/** A code that was made just now: shown once, for only its hash is kept. */
export interface EnrolmentModel {
  readonly cluster: string;
  /** agent.yaml, with the code in it. */
  readonly yaml: string;
  readonly expiresAt: Millis;
}

export interface KeyModel {
  readonly keyId: string;
  /** SHA-256 of the public key in groups of four, as the agent prints it too. */
  readonly fingerprint: string;
  readonly state: "active" | "pending" | "revoked";
  readonly createdAt: Millis;
  /** When its agent was asked for another one. */
  readonly rotateAskedAt?: Millis;
  /** The key that it took the place of. */
  readonly replaces?: string;
  /** When it ends, or ended, because another took its place. */
  readonly retiresAt?: Millis;
}

export interface KeysModel {
  readonly cluster: ClusterModel;
  readonly keys: readonly KeyModel[];
  readonly mayChange: boolean;
  /** Whether its agent can be asked for another key. */
  readonly canRotate: boolean;
  /** The form of a pending key that came back; `values.keyId` says which. */
  readonly form: FormModel<"keyId" | "fingerprint">;
}

/** An operation the agent's owner allows: what the agent last reported of its own configuration. */
export interface AllowedModel {
  readonly modes: readonly LeaseMode[];
  readonly floor: number;
}

/** What the cluster makes of one target now. `maintenance` is the id of the one that asked. */
interface LeaseModel {
  readonly service: string;
  readonly allowed: AllowedModel | null;
  readonly mode: LeaseMode | null;
  readonly replicas: number | null;
  readonly expiresAt: Millis | null;
  readonly maintenance: string | null;
  readonly result: Pick<LeaseResult, "state" | "reason" | "evidence" | "at"> | null;
}

/** One lease's way into the cluster and back. */
export interface LeaseHistoryModel {
  /** The maintenance that asked for it. */
  readonly id: string;
  readonly name: string;
  readonly status: MaintenanceStatus;
  readonly service: string;
  readonly mode: LeaseMode;
  readonly replicas: number | null;
  readonly by: string;
  readonly requestedAt: Millis;
  readonly startsAt: Millis;
  readonly endsAt: Millis;
  readonly endedAt: Millis | null;
  /** When the agent said that it holds it. */
  readonly deliveredAt: Millis | null;
  /** What the agent reported, oldest first, an entry a change. */
  readonly results: readonly LeaseResult[];
}

export interface LeasesModel {
  readonly cluster: ClusterModel;
  readonly leases: readonly LeaseModel[];
  /** Newest first. */
  readonly history: readonly LeaseHistoryModel[];
  /** Older ones that are not here. */
  readonly older: number;
}

export interface EventModel {
  readonly cluster: string;
  readonly at: Millis;
  readonly kind: EventKind | AlertKind | "gap";
  readonly subject: string;
  readonly body: Readonly<Record<string, unknown>>;
}

/** GET /admin/events: all may be empty. `from` and `until` YYYY-MM-DDTHH:MM in UTC. */
export type EventField = "cluster" | "kind" | "component" | "from" | "until";

export interface EventsModel {
  readonly form: FormModel<EventField>;
  readonly clusters: readonly string[];
  readonly components: readonly { readonly id: string; readonly name: string }[];
  /** Newest first; null if Postgres cannot be reached. */
  readonly events: readonly EventModel[] | null;
  /** Addresses of the pages beside this one; null where there is none. */
  readonly newer: string | null;
  readonly older: string | null;
}
