/** Facts for tests of rules: small, whole, and true unless a test says otherwise. */
import type { LiveService, Push, Reading } from "../../protocol/push.ts";
import type { WindowRecord } from "../../protocol/record.ts";
import type { Millis } from "../../protocol/time.ts";
import { MINUTE } from "../../protocol/time.ts";
import type { Component, Tell, ToldService } from "../../worker/core/component.ts";
import type { Incident, IncidentUpdate } from "../../worker/core/incident.ts";
import type { Announcement, Maintenance } from "../../worker/core/maintenance.ts";

/** Noon of a Monday. */
export const NOON: Millis = Date.UTC(2026, 10, 23, 12);

/** "12:00:10" as a moment of that Monday. */
export function at(clock: string): Millis {
  return Date.parse(`2026-11-23T${clock}Z`);
}

export function windowRecord(minutes: number, service = "shop/checkout"): WindowRecord {
  return {
    kind: "window",
    service,
    at: NOON + minutes * MINUTE,
    spanMs: MINUTE,
    requests: 60,
    errors: 1,
    latency: null,
  };
}

export function push(
  facts: Partial<Push> & { readonly first?: number; readonly items?: readonly unknown[] },
): Push & { epoch: number } {
  const { first, items, ...rest } = facts;
  return {
    v: 1,
    spool: "a".repeat(32),
    epoch: 1_000,
    sentAt: NOON,
    skewMs: 0,
    intervalMs: 10_000,
    agentVersion: "1.0.0",
    live: null,
    base: 1,
    records: { first: first ?? 1, items: [...(items ?? [])] },
    ...rest,
  } as Push & { epoch: number };
}

export function reading(
  clock: string,
  errorRatio: number,
  p95: Reading["p95"] = [120, 100, 250],
  requests = 100,
): Reading {
  return { at: at(clock), spanMs: 20_000, requests, errors: requests * errorRatio, p95 };
}

export function liveService(
  readings: readonly Reading[],
  replicas: LiveService["replicas"] = { ready: 3, desired: 3 },
): LiveService {
  return { service: "shop/checkout", readings: [...readings], latency: null, replicas };
}

export function told(status: ToldService["status"], service = "shop/checkout", why: string | null = null): ToldService {
  return { service, status, reason: status, why, traffic: null, latency: null, replicas: null };
}

export function tell(heardAt: Millis, services: readonly ToldService[], cluster = "eu-1"): Tell {
  return {
    cluster,
    heardAt,
    expiresAt: heardAt + 60_000,
    intervalMs: 10_000,
    agentVersion: "1.0.0",
    skewMs: 0,
    sources: {},
    services,
    leases: { observedGeneration: 0, targets: [], allowed: [] },
    backlog: { waiting: 0, since: null },
  };
}

export function component(facts: Partial<Component> = {}): Component {
  return {
    id: "checkout0000",
    name: "Checkout",
    description: null,
    group: "Shop",
    services: ["eu-1/shop/checkout"],
    rule: "all",
    position: 1,
    createdAt: NOON,
    updatedAt: NOON,
    ...facts,
  };
}

export function maintenance(facts: Partial<Maintenance> = {}): Maintenance {
  return {
    id: "maint0000000",
    name: "Database upgrade",
    reason: "new disks",
    by: "one-time link",
    cluster: "eu-1",
    service: "shop/checkout",
    mode: "scale",
    replicas: 1,
    createdAt: NOON,
    updatedAt: NOON,
    startsAt: NOON,
    endsAt: NOON + 60 * MINUTE,
    endedAt: null,
    generation: 7,
    deliveredAt: null,
    results: [],
    ...facts,
  };
}

export function incidentUpdate({
  at: moment = NOON,
  ...facts
}: Partial<IncidentUpdate> & { readonly at?: Millis }): IncidentUpdate {
  return {
    id: `update${String(Math.abs(moment - NOON) / MINUTE).padStart(6, "0")}`,
    status: "investigating",
    body: "We are looking into it.",
    createdAt: moment,
    updatedAt: moment,
    displayAt: moment,
    affected: [],
    by: "command line",
    ...facts,
  };
}

export function incident(facts: Partial<Incident> = {}): Incident {
  return {
    id: "incident0000",
    name: "Checkout fails",
    impact: null,
    createdAt: NOON,
    updatedAt: NOON,
    startedAt: NOON,
    writtenAt: NOON,
    updates: [incidentUpdate({})],
    ...facts,
  };
}

export function announcement(facts: Partial<Announcement> = {}): Announcement {
  return {
    id: "announced000",
    name: "Database upgrade",
    by: "command line",
    createdAt: NOON,
    updatedAt: NOON,
    startsAt: NOON + 60 * MINUTE,
    endsAt: NOON + 120 * MINUTE,
    endedAt: null,
    components: ["checkout0000"],
    enteredAt: NOON,
    writtenAt: NOON,
    ...facts,
  };
}
