/** Pages to test and to look at: every state there is, and full histories. */
import type { DayTally, Outlook, PageChange, PageComponent, PageMetric, PageSnapshot } from "../../protocol/page.ts";
import type { ComponentStatus } from "../../protocol/status.ts";
import { COMPONENT_STATUSES } from "../../protocol/status.ts";
import { DAY, HOUR, MINUTE, SECOND } from "../../protocol/time.ts";

/** Mon 23 Nov 2026 14:02:39 UTC */
export const NOW = 1_795_442_559_000;

/** Numbers that look random and are the same each time. */
function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}

/** `count` days until today. `trouble` is the share of days on which something was wrong. */
export function days(count: number, seed: number, trouble: number): DayTally[] {
  const roll = dice(seed);
  return Array.from({ length: count }, (_, i) => {
    const ms: Partial<Record<ComponentStatus, number>> = {};
    let rest = i === count - 1 ? 14 * HOUR : DAY;
    if (roll() < trouble) {
      const status = COMPONENT_STATUSES[1 + Math.floor(roll() * 5)] ?? "unknown";
      const spent = Math.floor(roll() * 90 * MINUTE);
      ms[status] = spent;
      rest -= spent;
    }
    ms.operational = rest;
    return { day: new Date(NOW - (count - 1 - i) * DAY).toISOString().slice(0, 10), ms };
  });
}

/** A healthy component heard 8 seconds ago, whose evidence holds for 27 seconds more. */
export function component(index: number, fields: Partial<PageComponent> = {}): PageComponent {
  const roll = dice(index * 7_919 + 17);
  const heardAt = NOW - 8 * SECOND;
  return {
    id: `component${String(index).padStart(3, "0")}`,
    name: NAMES[index % NAMES.length] ?? "Checkout",
    description: null,
    group: index < 8 ? "Shop" : index < 14 ? "Data" : "Platform",
    createdAt: NOW - 200 * DAY,
    updatedAt: NOW - 10 * DAY,
    outlook: said("operational", NOW - 3 * DAY, null, heardAt),
    heardAt,
    p95: { estimate: 20 + roll() * 400, lo: 10, hi: 500 },
    errorRatio: roll() * 0.01,
    requestsPerSecond: roll() * 120,
    days: days(90, index + 3, 0.08),
    ...fields,
  };
}

/** What is said from a report at `heardAt` on, and silence after 35 seconds. */
export function said(status: ComponentStatus, since: number, why: string | null, heardAt: number): Outlook[] {
  const expiresAt = heardAt + 35 * SECOND;
  return [
    { from: heardAt, status, since, why },
    { from: expiresAt, status: "unknown", since: expiresAt, why: null },
  ];
}

const NAMES = [
  "Checkout",
  "Payments",
  "Catalogue",
  "Search",
  "Cart",
  "Accounts",
  "Shipping estimates",
  "Recommendations",
  "Orders",
  "Ledger",
  "Inventory",
  "Reports",
  "Warehouse sync",
  "Exports",
  "Sign-in",
  "Email delivery",
  "Push notifications",
  "Image resizing",
  "Partner API",
  "Webhooks",
];

export function snapshot(components: readonly PageComponent[], fields: Partial<PageSnapshot> = {}): PageSnapshot {
  return {
    version: 7,
    generatedAt: NOW - 8 * SECOND,
    page: { id: "page00000001", name: "Acme status", timeZone: "Etc/UTC", createdAt: NOW - 200 * DAY },
    components,
    maintenances: [],
    ...fields,
  };
}

export function healthy(count = 20): PageSnapshot {
  return snapshot(Array.from({ length: count }, (_, i) => component(i)));
}

/** One component of each status, two kinds of empties, and both kinds of maintenance. */
export function everyState(): PageSnapshot {
  const heardAt = NOW - 8 * SECOND;
  const lost = NOW - 12 * MINUTE;
  const since = NOW - 14 * MINUTE;
  const quiet = { p95: null, errorRatio: null, requestsPerSecond: null };
  return snapshot(
    [
      component(0),
      component(1, {
        outlook: said("partial_outage", since, "About 3 of 10 requests fail.", heardAt),
        errorRatio: 0.304,
      }),
      component(2, {
        outlook: said("degraded_performance", since, "Answers are slower than they should be.", heardAt),
        p95: { estimate: 1_840, lo: 1_000, hi: 2_500 },
      }),
      component(3, { outlook: said("major_outage", since, "It is not running.", heardAt), ...quiet }),
      component(4, { outlook: said("under_maintenance", since, "Database upgrade", heardAt) }),
      component(8, { outlook: said("operational", lost - DAY, null, lost), heardAt: lost }),
      component(9, {
        outlook: [{ from: 0, status: "unknown", since: NOW, why: null }],
        heardAt: null,
        ...quiet,
        days: [],
      }),
      component(10, { days: days(5, 4, 0), requestsPerSecond: 0, errorRatio: 0, p95: null }),
    ],
    {
      maintenances: [
        maintenance("maint0000001", "Database upgrade", NOW - 14 * MINUTE, NOW + 4 * HOUR, true),
        maintenance("maint0000002", "Warehouse move", NOW + 5 * DAY, NOW + 5 * DAY + 2 * HOUR, false),
      ],
    },
  );
}

function maintenance(id: string, name: string, startsAt: number, endsAt: number, confirmed: boolean) {
  const status = startsAt <= NOW ? ("in_progress" as const) : ("scheduled" as const);
  const moments = { startsAt, endsAt, createdAt: startsAt - HOUR, updatedAt: startsAt };
  return { id, name, status, ...moments, components: ["component004"], confirmed };
}

/** A day of the whole page in three charts, with an hour of silence, as Istio's buckets would show it. */
export function dayMetrics(): PageMetric[] {
  const roll = dice(4);
  const stepMs = 15 * MINUTE;
  const from = Math.floor(NOW / stepMs) * stepMs - 95 * stepMs;
  const steps = Array.from({ length: 96 }, (_, i) => {
    if (i >= 30 && i < 34) return null;
    const busy = 1 + 0.5 * Math.sin((i - 20) / 15) + 0.1 * roll();
    return {
      p95: 140 * busy + 30 * roll() + (i > 60 && i < 66 ? 300 : 0),
      errors: 0.002 * roll() + (i > 60 && i < 66 ? 0.02 : 0),
      rate: 80 * busy,
    };
  });
  const common = { component: null, name: "", from, stepMs };
  const bucket = (value: number | undefined, bounds: readonly number[]): number | null =>
    value === undefined ? null : (bounds.find((bound) => value <= bound) ?? null);
  return [
    {
      ...common,
      id: "metricp95000",
      kind: "p95",
      values: steps.map((step) => step && Number(step.p95.toPrecision(4))),
      lo: steps.map((step) => step && ([500, 250, 100].find((bound) => step.p95 > bound) ?? 50)),
      hi: steps.map((step) => bucket(step?.p95, [100, 250, 500, 1_000])),
      limit: 500,
    },
    {
      ...common,
      id: "metricerrors",
      kind: "error_ratio",
      values: steps.map((step) => step && Number(step.errors.toPrecision(4))),
      limit: 0.01,
    },
    {
      ...common,
      id: "metricrate00",
      kind: "request_rate",
      values: steps.map((step) => step && Number(step.rate.toPrecision(4))),
    },
  ];
}

/** A frame: components without their history. */
export function change(components: readonly PageComponent[], at: number): PageChange {
  const live = components.map(({ id, name, outlook, heardAt, p95, errorRatio, requestsPerSecond }) => {
    return { id, name, outlook, heardAt, p95, errorRatio, requestsPerSecond };
  });
  return { version: 8, generatedAt: at, components: live, maintenances: [] };
}
