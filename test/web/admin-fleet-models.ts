/** What the pages of the clusters are tested with and looked at. */
import { DAY, HOUR, MINUTE, SECOND } from "../../protocol/time.ts";
import type { EventsModel, KeysModel, LeasesModel } from "../../web/view/admin/fleet-model.ts";
import { cluster } from "./admin-models.ts";
import { NOW } from "./snapshots.ts";

export const FINGERPRINT = "3f9a:07c1:55de:90b2:1a44:e6f0:8c3d:27b9:ff01:6d52:a8e3:4c70:9b1e:d265:03fa:78cc";

export const KEYS: KeysModel = {
  cluster: cluster(),
  mayChange: true,
  canRotate: true,
  keys: [
    { keyId: "Old1", fingerprint: FINGERPRINT.replaceAll("f", "0"), state: "revoked", createdAt: NOW - 90 * DAY },
    { keyId: "Zk3", fingerprint: FINGERPRINT, state: "active", createdAt: NOW - 30 * HOUR },
    { keyId: "New2", fingerprint: FINGERPRINT.replaceAll("3", "e"), state: "pending", createdAt: NOW - 2 * MINUTE },
  ],
  form: { values: {}, faults: [] },
};

const at = NOW - 20 * MINUTE;

export const LEASES: LeasesModel = {
  cluster: cluster(),
  leases: [
    {
      service: "shop/checkout",
      allowed: { modes: ["announce", "scale"], floor: 1 },
      mode: "scale",
      replicas: 1,
      expiresAt: NOW + 4 * HOUR,
      maintenance: "maint0000001",
      result: { state: "applied", reason: "as wanted", evidence: { replicas: 1, ready: 1 }, at: NOW - SECOND },
    },
    {
      service: "shop/reports",
      allowed: { modes: ["announce"], floor: 0 },
      mode: null,
      replicas: null,
      expiresAt: null,
      maintenance: null,
      result: null,
    },
  ],
  history: [
    {
      id: "maint0000001",
      name: "Database upgrade",
      status: "in_progress",
      service: "shop/checkout",
      mode: "scale",
      replicas: 1,
      by: "Mia",
      requestedAt: at,
      startsAt: at,
      endsAt: at + 4 * HOUR,
      endedAt: null,
      // We heard of it after the agent had already done it.
      deliveredAt: at + 9 * SECOND,
      results: [
        {
          target: "shop/checkout",
          generation: 1,
          state: "applied",
          reason: "as wanted",
          evidence: { replicas: 1, ready: 1 },
          at: at + 7 * SECOND,
        },
      ],
    },
    {
      id: "maint0000002",
      name: "Ledger pause",
      status: "completed",
      service: "shop/ledger",
      mode: "announce",
      replicas: null,
      by: "Jonas",
      requestedAt: at - DAY,
      startsAt: at - DAY,
      endsAt: at - DAY + HOUR,
      endedAt: at - DAY + MINUTE,
      deliveredAt: at - DAY + SECOND,
      results: [
        {
          target: "shop/ledger",
          generation: 0,
          state: "forbidden",
          reason: "shop/ledger is not in the agent's leases.targets",
          evidence: null,
          at: at - DAY + SECOND,
        },
      ],
    },
  ],
  older: 3,
};

export const EVENTS: EventsModel = {
  form: { values: { cluster: "eu-1", kind: "" }, faults: [] },
  clusters: ["eu-1", "us-2"],
  components: [{ id: "component000", name: "Checkout" }],
  newer: null,
  older: "/admin/events?cluster=eu-1&before=1",
  events: [
    {
      cluster: "eu-1",
      at: NOW - HOUR,
      kind: "certificate.seen",
      subject: "ledger.shop:9443",
      body: { issuer: "Demo CA", notAfter: NOW + 120 * HOUR, chain: 2, comment: null },
    },
    {
      cluster: "eu-1",
      at: NOW - 2 * HOUR,
      kind: "anomaly.raised",
      subject: "shop/cart",
      body: { score: 0.91, observed: 30, says: "Error ratio of shop/cart is 30 %, where 0 % to 1.3 % is usual." },
    },
    {
      cluster: "eu-1",
      at: NOW - 26 * HOUR,
      kind: "pod.crash_loop",
      subject: "shop/reports",
      body: { restarts: 7, container: "app" },
    },
    { cluster: "eu-1", at: NOW - 30 * HOUR, kind: "gap", subject: "", body: { reason: "spool_full", count: 12 } },
  ],
};
