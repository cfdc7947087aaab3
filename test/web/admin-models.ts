/** What admin pages are tested with and looked at. */
import { HOUR, MINUTE, SECOND } from "../../protocol/time.ts";
import type { AnsweredModel, DetectorPageModel } from "../../web/view/admin/detector-model.ts";
import type { ClusterPageModel } from "../../web/view/admin/fleet-model.ts";
import type {
  AdminFrame,
  AdminHomeModel,
  ArchivePageModel,
  ClusterModel,
  ComponentFormModel,
  ComponentPageModel,
  MaintenanceModel,
  MaintenanceNewModel,
  ReflushModel,
  ServiceModel,
  ServicesModel,
  TargetModel,
} from "../../web/view/admin/model.ts";
import { NOW } from "./snapshots.ts";

export const FRAME: AdminFrame = { pageName: "Acme status", timeZone: "Etc/UTC", now: NOW };

export function cluster(fields: Partial<ClusterModel> = {}): ClusterModel {
  return {
    name: "eu-1",
    state: "reporting",
    heardAt: NOW - 4 * SECOND,
    agentVersion: "0.1.0",
    intervalMs: 10_000,
    skewMs: 40,
    sources: [
      { name: "prometheus", state: "ok", detail: null, okAt: NOW - 4 * SECOND },
      { name: "kubernetes", state: "ok", detail: null, okAt: NOW - 4 * SECOND },
      { name: "certificates", state: "stale", detail: "ledger.shop: connection timed out.", okAt: NOW - 2 * HOUR },
    ],
    spool: { records: 12, bytes: 48_200 },
    features: ["takes leases", "looks for anomalies", "replaces its key"],
    services: 8,
    ...fields,
  };
}

export function maintenance(fields: Partial<MaintenanceModel> = {}): MaintenanceModel {
  const at = NOW - 9 * SECOND;
  return {
    id: "maint0000001",
    name: "Database upgrade",
    status: "in_progress",
    confirmedUntil: NOW + HOUR,
    cluster: "eu-1",
    service: "shop/checkout",
    mode: "scale",
    replicas: 1,
    reason: "Moving the orders table; one replica is enough for reads.",
    by: "operator",
    requestedAt: at,
    startsAt: at,
    endsAt: at + 4 * HOUR,
    endedAt: null,
    deliveredAt: at + 300,
    acceptedAt: at + 1_200,
    appliedAt: at + 8_000,
    restoredAt: null,
    result: { state: "applied", reason: "", evidence: { replicas: 1, ready: 1 }, at: at + 8_000 },
    ...fields,
  };
}

export function refusedMaintenance(): MaintenanceModel {
  const reason = "shop/ledger is not in the agent's leases.targets";
  return maintenance({
    id: "maint0000002",
    name: "Ledger pause",
    service: "shop/ledger",
    acceptedAt: null,
    appliedAt: null,
    result: { state: "forbidden", reason, evidence: null, at: NOW - 5 * SECOND },
  });
}

export function service(name: string, fields: Partial<ServiceModel> = {}): ServiceModel {
  return {
    cluster: "eu-1",
    service: name,
    fresh: true,
    heardAt: NOW - 4 * SECOND,
    status: "operational",
    reason: "within all limits",
    quietSince: null,
    p95: { estimate: 184, lo: 100, hi: 250 },
    errorRatio: 0.0031,
    requestsPerSecond: 12.4,
    replicas: { ready: 3, desired: 3 },
    published: [],
    ...fields,
  };
}

export const HOME: AdminHomeModel = {
  plans: [],
  incidents: [],
  uncovered: [],
  clusters: [
    cluster(),
    cluster({ name: "us-2", state: "silent", heardAt: NOW - 12 * MINUTE, skewMs: -2_300, sources: [] }),
    cluster({
      name: "lab",
      state: "pending",
      heardAt: null,
      agentVersion: null,
      skewMs: null,
      sources: [],
      services: 0,
    }),
  ],
  pendingKeys: [{ cluster: "lab", requestedAt: NOW - 2 * MINUTE }],
  maintenances: [
    maintenance({ id: "maint0000000", name: "Card provider change", endedAt: NOW - HOUR, restoredAt: NOW - HOUR }),
    maintenance(),
    refusedMaintenance(),
  ],
  components: 6,
  archive: {
    delays: [
      { cluster: "us-2", waiting: 411, since: NOW - 27 * MINUTE },
      { cluster: null, waiting: 1, since: NOW - 17 * MINUTE },
    ],
    failure: "unavailable: connection refused",
  },
  drafts: [
    {
      id: "draft0000001",
      title: "Checkout: partial outage",
      cluster: "eu-1",
      components: [{ name: "Checkout", status: "partial_outage" }],
      startedAt: NOW - 9 * MINUTE,
      cause: "Began with HighErrorRate: checkout answers 12 % errors; then SlowAnswers (2 alerts)",
      firing: 2,
      ended: 0,
      endedAt: null,
      unconfirmedSince: null,
    },
  ],
};

export const EMPTY_HOME: AdminHomeModel = {
  plans: [],
  incidents: [],
  uncovered: [],
  clusters: [],
  pendingKeys: [],
  maintenances: [],
  components: 0,
  archive: null,
  drafts: [],
};

const CHECKOUT = { id: "component000", name: "Checkout", group: "Shop" };

export const SERVICES: ServicesModel = {
  query: "",
  services: [
    service("shop/checkout", { published: [CHECKOUT] }),
    service("shop/payments", {
      errorRatio: 0.304,
      status: "partial_outage",
      reason: "error ratio 30 % over the last 3 readings, limit 5 %",
    }),
    service("shop/ledger", { p95: null, errorRatio: 0, requestsPerSecond: 0, replicas: null }),
    service("web/frontend", {
      cluster: "us-2",
      fresh: false,
      heardAt: NOW - 12 * MINUTE,
      status: "unknown",
      reason: "its cluster is silent",
    }),
  ],
  refused: {
    values: { service: "eu-1/shop/ledger", name: "Checkout", group: "Shop" },
    faults: [{ field: "name", message: "Shop has a Checkout already. Choose another name." }],
  },
};

export const CLUSTER_PAGE: ClusterPageModel = {
  cluster: cluster(),
  detector: { state: "watching", threshold: 0.85 },
  services: SERVICES.services.slice(0, 3),
};

const LIMITS: ComponentFormModel["defaults"] = {
  "thresholds.errorRatioDegraded": "1",
  "thresholds.errorRatioPartial": "5",
  "thresholds.errorRatioMajor": "50",
  "thresholds.p95Ms": "500",
  "thresholds.requestsMin": "5",
};

export const COMPONENT_FORM: ComponentFormModel = {
  action: "/admin/components/component000",
  submit: "Save",
  revision: "0c1d2e3f4a5b",
  held: null,
  groups: ["Shop", "Shop / Backend"],
  defaults: LIMITS,
  form: {
    values: {
      name: "Checkout",
      group: "Shop",
      description: "From the cart to a placed order",
      services: "shop/checkout\neu-1/shop/cart-*",
      rule: "all",
      "thresholds.errorRatioDegraded": "0.5",
      url: "https://shop.example.com/health",
      quorum: "",
      "slo.target": "99.9",
      "slo.isPublic": "yes",
      visibility: "public",
      "shows.uptime": "yes",
      "shows.numbers": "yes",
    },
    faults: [],
  },
  preview: {
    status: "partial_outage",
    reason: "us-2: 0 of 3 replicas are ready",
    why: "In 1 of 2 locations, it is not running.",
    services: [
      { ref: "eu-1/shop/checkout", status: "operational", reason: "within all limits" },
      { ref: "us-2/shop/checkout", status: "major_outage", reason: "0 of 3 replicas are ready" },
    ],
    empty: ["eu-1/shop/cart-*"],
    isLater: false,
  },
};

export const COMPONENT_PAGE: ComponentPageModel = {
  id: "component000",
  name: "Checkout",
  group: "Shop",
  status: "partial_outage",
  why: "In 1 of 2 locations, it is not running. About 2 of 100 requests go there.",
  reason: "us-2: 0 of 3 replicas are ready; 2 % of the usual traffic goes there, so it is partial (1 of 2 are well)",
  disagreement: "eu-1 says operational, us-2 says major outage",
  clusters: [
    { cluster: "eu-1", status: "operational", reason: "within all limits", trafficShare: 0.98, heardAt: NOW - 4_000 },
    {
      cluster: "us-2",
      status: "major_outage",
      reason: "0 of 3 replicas are ready",
      trafficShare: 0.02,
      heardAt: NOW - 9_000,
    },
  ],
  outside: {
    url: "https://shop.example.com/health",
    state: "well",
    reason: "200 in 184 ms",
    p95: { estimate: 184, lo: 180, hi: 188 },
    probes: [
      { at: NOW - 2 * MINUTE, words: "503 in 92 ms" },
      { at: NOW - MINUTE, words: "200 in 176 ms" },
      { at: NOW, words: "200 in 184 ms" },
    ],
  },
  services: [
    service("shop/checkout"),
    service("shop/checkout", {
      cluster: "us-2",
      status: "major_outage",
      reason: "0 of 3 replicas are ready",
      quietSince: NOW - 6 * MINUTE,
      p95: null,
      errorRatio: null,
      requestsPerSecond: 0,
      replicas: { ready: 0, desired: 3 },
    }),
  ],
  slo: {
    target: 0.999,
    isPublic: true,
    allowedMs: 43 * MINUTE + 12 * SECOND,
    lostMs: 18 * MINUTE,
    leftRatio: 0.583,
    burn: { hour: 0, sixHours: 0.4 },
    verdict: "met",
    reason: "58 % of the budget is left",
  },
  hidden: false,
  settings: COMPONENT_FORM,
};

export const TARGETS: readonly TargetModel[] = [
  {
    cluster: "eu-1",
    service: "shop/checkout",
    replicas: { ready: 3, desired: 3 },
    allowed: { modes: ["announce", "scale"], floor: 1 },
    reporting: true,
    published: [CHECKOUT],
  },
  {
    cluster: "eu-1",
    service: "shop/ledger",
    replicas: { ready: 2, desired: 2 },
    allowed: null,
    reporting: true,
    published: [],
  },
  {
    cluster: "us-2",
    service: "web/frontend",
    replicas: null,
    allowed: { modes: ["announce"], floor: 0 },
    reporting: false,
    published: [],
  },
];

export const NEW_MAINTENANCE: MaintenanceNewModel = {
  targets: TARGETS,
  values: { target: "eu-1/shop/checkout", mode: "scale", replicas: "1" },
  faults: [],
};

export const FAULTY_MAINTENANCE: MaintenanceNewModel = {
  targets: TARGETS,
  values: { target: "eu-1/shop/ledger", mode: "scale", replicas: "0", name: "Ledger pause", reason: "", hours: "40" },
  faults: [
    { field: "reason", message: "Say why; the cluster's owner reads it beside the change." },
    { field: "hours", message: "At most 24 hours." },
  ],
};

const REFLUSH: ReflushModel = {
  since: NOW - 3 * HOUR,
  by: "one-time link",
  startedAt: NOW - 2 * MINUTE,
  finishedAt: NOW - 90_000,
  own: 214,
  facts: 1_830,
  asked: 3,
  pending: [],
  unreachable: [{ cluster: "us-2", reason: "Error: Durable Object is overloaded." }],
};

export const ARCHIVE_PAGE: ArchivePageModel = {
  archive: HOME.archive,
  reflush: REFLUSH,
  clusters: ["eu-1", "lab", "us-2"],
  values: {},
  faults: [],
};

export const ANSWERED: AnsweredModel = {
  kind: "preview",
  state: "done",
  at: NOW - 3 * MINUTE,
  askedAt: NOW - 5 * MINUTE,
  by: "operator",
  says: "replayed from 2026-11-16T12:00:00Z to 2026-11-23T12:00:00Z by the baseline in use",
  preview: {
    threshold: 0.9,
    against: 0.85,
    would: 3,
    did: 11,
    subjects: [
      { subject: "shop/cart", would: 2, did: 9 },
      { subject: "mesh", would: 1, did: 2 },
    ],
  },
};

export const DETECTOR_PAGE: DetectorPageModel = {
  cluster: "eu-1",
  state: "watching",
  detail: null,
  heardAt: NOW - 4_000,
  judgedTo: NOW - 2 * MINUTE,
  threshold: { threshold: 0.85, since: NOW - 40 * HOUR, setBy: "agent" },
  baseline: { version: 3, from: NOW - 180 * HOUR, to: NOW - 12 * HOUR, services: 12, points: 72_576, leftOut: 2 },
  wished: null,
  isTaken: true,
  asked: null,
  answered: [ANSWERED],
  unusual: [
    { from: NOW - 30 * HOUR, to: NOW - 29 * HOUR, service: "shop/cart", kind: "incident", name: "Cart loses items" },
    { from: NOW - HOUR, to: null, service: null, kind: "maintenance", name: "Nodes are replaced" },
  ],
  form: { values: {}, faults: [] },
};
