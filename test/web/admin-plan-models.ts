/** Models of the pages of planned maintenances, as tests and pictures need them. */
import { DAY, HOUR, MINUTE } from "../../protocol/time.ts";
import type { PlanFormModel, PlanPageModel, PlansModel } from "../../web/view/admin/plan-model.ts";
import { maintenance, TARGETS } from "./admin-models.ts";
import { NOW } from "./snapshots.ts";

const ROW = {
  id: "plan00000000",
  name: "Database upgrade",
  phase: "in_progress",
  startsAt: NOW - HOUR,
  endsAt: NOW + HOUR,
  touches: "Checkout, eu-1/shop/checkout",
  emergency: false,
  recurs: false,
  overdue: null,
} as const;

export function plans(fields: Partial<PlansModel> = {}): PlansModel {
  return {
    now: [
      ROW,
      {
        ...ROW,
        id: "plan00000001",
        name: "Disk replacement",
        emergency: true,
        overdue: "its planned end has passed, and nobody said that the work is done",
      },
    ],
    coming: [
      {
        ...ROW,
        id: "plan00000002",
        name: "Database maintenance",
        phase: "scheduled",
        startsAt: NOW + 8 * DAY,
        endsAt: NOW + 8 * DAY + HOUR,
        recurs: true,
      },
    ],
    past: [
      {
        ...ROW,
        id: "plan00000003",
        name: "Card provider change",
        phase: "completed",
        startsAt: NOW - 9 * DAY,
        endsAt: NOW - 9 * DAY + HOUR,
      },
    ],
    series: [
      {
        id: "series000000",
        name: "Database maintenance",
        rule: "FREQ=WEEKLY;BYDAY=SU from 2026-11-29 03:00 Etc/UTC",
        nextAt: NOW + 8 * DAY,
        endedAt: null,
      },
    ],
    noticeDays: 7,
    shares: [
      { days: 90, met: 3, of: 4 },
      { days: 365, met: 11, of: 12 },
    ],
    policy: { values: {}, faults: [] },
    ...fields,
  };
}

export function planPage(fields: Partial<PlanPageModel> = {}): PlanPageModel {
  return {
    id: "plan00000000",
    name: "Database upgrade",
    phase: "verifying",
    by: "ada",
    reason: "new disks",
    createdAt: NOW - 8 * DAY,
    startsAt: NOW - HOUR,
    endsAt: NOW + HOUR,
    endedAt: null,
    verifyingAt: NOW - 20 * MINUTE,
    emergency: false,
    noticeDays: 7,
    isSteered: true,
    closing: "person",
    overdue: null,
    components: ["Checkout"],
    targets: [
      { cluster: "eu-1", service: "shop/checkout", wish: "scale to 1", lease: maintenance() },
      { cluster: "us-2", service: "shop/checkout", wish: "announce", lease: null },
    ],
    confirmed: { confirmed: 1, of: 2 },
    notices: [
      { phase: "announced", dueAt: NOW - 8 * DAY, at: NOW - 8 * DAY, isSkipped: false },
      { phase: "remind_24h", dueAt: NOW - 25 * HOUR, at: NOW - HOUR, isSkipped: true },
      { phase: "started", dueAt: NOW - HOUR, at: NOW - HOUR, isSkipped: false },
      { phase: "completed", dueAt: NOW + HOUR, at: null, isSkipped: false },
    ],
    checklist: [
      { id: "backup", phase: "before", text: "Full backup taken", tick: { by: "ada", at: NOW - DAY } },
      { id: "apply", phase: "during", text: "Updates applied, rollout complete", tick: null },
      { id: "all-clear", phase: "after", text: "All-clear sent", tick: null },
    ],
    checks: [
      { name: "overview", verdict: "good", reason: "2 of 2 services report", bound: "all of them" },
      { name: "p95", verdict: "bad", reason: "p95 lies in (500, 1000] ms", bound: "at most 500 ms" },
      { name: "pods", verdict: "none", reason: "no agent watches pods there", bound: "all of them ready" },
      {
        name: "anomalies",
        verdict: "unknown",
        reason: "the archive cannot be reached",
        bound: "none since the work was done",
      },
    ],
    allClearAt: null,
    impact: { requests: 1_200, failed: 3, p95Ms: 120, usual: null, unknown: null },
    series: null,
    move: { values: { start: "2026-11-28T02:00", hours: "2", end: "2026-11-28T04:00" }, faults: [] },
    later: [
      { word: "30 minutes more", end: "2026-11-28T04:30" },
      { word: "1 hour more", end: "2026-11-28T05:00" },
    ],
    ...fields,
  };
}

export function planForm(fields: Partial<PlanFormModel> = {}): PlanFormModel {
  return {
    values: { name: "Disk replacement", start: "2026-11-28T02:00", hours: "2", zone: "Etc/UTC", repeat: "once" },
    faults: [],
    action: "/admin/maintenance/plan",
    submit: "Plan maintenance",
    title: "Plan maintenance",
    isSeries: false,
    noticeDays: 7,
    pageZone: "Europe/Berlin",
    components: [
      { id: "checkout0000", name: "Shop / Checkout", isChosen: true },
      { id: "payments0000", name: "Shop / Payments", isChosen: false },
    ],
    targets: TARGETS.map((target, i) => ({
      ...target,
      cluster: "eu-1",
      service: i === 0 ? "shop/checkout" : `shop/other-${i}`,
      wish: i === 0 ? "1" : "",
    })),
    ...fields,
  };
}
