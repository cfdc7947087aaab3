/** Planned maintenances and series for the command line: what the admin does, without a browser. */
import * as v from "valibot";
import type { Millis } from "../../protocol/time.ts";
import { HOUR } from "../../protocol/time.ts";
import { clusterCount } from "../core/announced.ts";
import { checklistOf } from "../core/checklist.ts";
import { seriesRequest } from "../core/config/series.ts";
import type { Announcement } from "../core/maintenance.ts";
import { operatorMaintenance } from "../core/maintenance.ts";
import { isEmergency } from "../core/notice-policy.ts";
import { allClearAt } from "../core/plan.ts";
import type { Series } from "../core/schedule.ts";
import type { PlanAct } from "../objects/board-plans.ts";
import { boardOf } from "../objects/env.ts";
import type { OperatorView } from "../objects/operator-view.ts";
import { nextOf, phaseOf } from "./admin-plan-view.ts";
import { idOf, iso, publicOrigin, refuseAnnouncement } from "./announce.ts";
import { refuse } from "./answer.ts";
import { withJson } from "./cli.ts";
import { PlanSchema, SeriesSaidSchema } from "./plan-schema.ts";
import type { AppContext, Route } from "./table.ts";

const BODY_MAX = 65_536;

function planLine(c: AppContext, one: Announcement, view: OperatorView, now: Millis) {
  const { id, name, startsAt, endsAt, cancelledAt, plan } = one;
  const list = checklistOf(view.page);
  return {
    id,
    name,
    status: phaseOf(one, now),
    /** Why it takes longer than it should. */
    overdue: view.overdue?.find((overdue) => overdue.id === id)?.reason ?? null,
    emergency: isEmergency(one),
    startsAt: iso(startsAt),
    endsAt: iso(endsAt),
    cancelledAt: cancelledAt === undefined ? null : iso(cancelledAt),
    series: plan?.series?.id ?? null,
    clusters: clusterCount(one, view.maintenances),
    ticked: {
      done: list.filter(({ id: item }) => plan?.ticks.some((tick) => tick.item === item)).length,
      of: list.length,
    },
    url: `${publicOrigin(c, view)}/maintenance/${id}`,
  };
}

function seriesLine(one: Series, view: OperatorView, now: Millis) {
  const { id, name, rule, start, timeZone, lengthMs, endedAt } = one;
  const next = nextOf(one, view.announcements ?? [], now);
  return {
    id,
    name,
    rule,
    start,
    timeZone,
    hours: lengthMs / HOUR,
    next: next === null ? null : iso(next),
    endedAt: endedAt === null ? null : iso(endedAt),
  };
}

async function listPlans(c: AppContext): Promise<Response> {
  const view = await boardOf(c.env).operatorView([]);
  const now = Date.now();
  const steered = (view.announcements ?? []).filter(({ plan }) => plan !== undefined);
  return c.json({
    plans: steered.toSorted((a, b) => b.startsAt - a.startsAt).map((one) => planLine(c, one, view, now)),
    series: (view.series ?? []).map((one) => seriesLine(one, view, now)),
  });
}

/** One with all that is known of it, as its page in the admin shows it. */
async function showPlan(c: AppContext): Promise<Response> {
  const [view, plan] = await Promise.all([boardOf(c.env).operatorView([]), boardOf(c.env).plan(idOf(c))]);
  const one = view.announcements?.find(({ id }) => id === idOf(c));
  if (one?.plan === undefined || plan === null) return refuse(c, "not_found", `There is no plan "${idOf(c)}".`);
  const now = Date.now();
  const { ticks } = one.plan;
  return c.json({
    plan: {
      ...planLine(c, one, view, now),
      checklist: checklistOf(view.page).map((item) => {
        const tick = ticks.find((done) => done.item === item.id);
        return { ...item, tickedBy: tick?.by ?? null, tickedAt: tick === undefined ? null : iso(tick.at) };
      }),
      notices: plan.notices.map(({ phase, dueAt, at, outcome }) => ({
        phase,
        dueAt: iso(dueAt),
        at: iso(at),
        outcome,
      })),
      checks: plan.checks,
      leases: view.maintenances
        .filter(({ announcement }) => announcement === one.id)
        .map((lease) => {
          const { cluster, service, result, confirmedUntil, endsAt } = operatorMaintenance(lease, now);
          const until = confirmedUntil === null ? null : iso(confirmedUntil);
          return {
            cluster,
            service,
            state: result?.state ?? null,
            reason: result?.reason ?? null,
            confirmedUntil: until,
            endsAt: iso(endsAt),
          };
        }),
    },
  });
}

async function steered(c: AppContext, act: PlanAct, by: string, status: 200 | 201): Promise<Response> {
  const done = await boardOf(c.env).steer(act, by);
  if (!done.ok) return refuseAnnouncement(c, done.failure);
  const view = await boardOf(c.env).operatorView([]);
  const now = Date.now();
  const { value } = done;
  if (value === null) return c.json({}, status);
  return "rule" in value
    ? c.json({ series: seriesLine(value, view, now) }, status)
    : c.json({ plan: planLine(c, value, view, now) }, status);
}

const plan = withJson(PlanSchema, (c, request, by) => steered(c, { kind: "maintenance.plan", request }, by, 201));

const verify = withJson(v.strictObject({}), (c, _, by) =>
  steered(c, { kind: "maintenance.verify", id: idOf(c) }, by, 200),
);

const tick = withJson(v.strictObject({ item: v.string(), isDone: v.boolean() }), (c, { item, isDone }, by) =>
  steered(c, { kind: "maintenance.tick", id: idOf(c), item, isDone }, by, 200),
);

/** The all-clear, where it is one. `anyway` ends it all the same, and then the page says no more than is so. */
const complete = withJson(v.strictObject({ anyway: v.optional(v.boolean(), false) }), async (c, { anyway }, by) => {
  const act = { kind: "maintenance.complete", id: idOf(c) } as const;
  if (anyway) return steered(c, act, by, 200);
  const [view, held] = await Promise.all([boardOf(c.env).operatorView([]), boardOf(c.env).plan(idOf(c))]);
  const one = view.announcements?.find(({ id }) => id === idOf(c));
  if (one?.plan === undefined || held === null) return refuse(c, "not_found", `There is no plan "${idOf(c)}".`);
  const now = Date.now();
  if (now >= (allClearAt(one, held.watching, now) ?? Infinity)) return steered(c, act, by, 200);
  const failing = held.checks?.filter(({ verdict }) => verdict !== "good" && verdict !== "none");
  const why =
    failing === undefined
      ? "nobody said that the work is done"
      : failing.length === 0
        ? "the checks have not been good for 30 minutes yet"
        : failing.map(({ name, reason }) => `${name}: ${reason}`).join("; ");
  return refuse(c, "conflict", `This is no all-clear: ${why}.`);
});

const planSeries = withJson(SeriesSaidSchema, (c, said, by) =>
  steered(c, { kind: "series.plan", request: seriesRequest(said) }, by, 201),
);

const endSeries = withJson(v.strictObject({}), (c, _, by) => steered(c, { kind: "series.end", id: idOf(c) }, by, 200));

const written = { method: "POST", policy: "cli", bodyMaxBytes: BODY_MAX } as const;

export const planRoutes: readonly Route[] = [
  { method: "GET", path: "/cli/v1/plans", policy: "cli", handle: listPlans },
  { method: "GET", path: "/cli/v1/plans/:id", policy: "cli", handle: showPlan },
  { ...written, path: "/cli/v1/plans", handle: plan },
  { ...written, path: "/cli/v1/plans/:id/verify", handle: verify },
  { ...written, path: "/cli/v1/plans/:id/complete", handle: complete },
  { ...written, path: "/cli/v1/plans/:id/tick", handle: tick },
  { ...written, path: "/cli/v1/series", handle: planSeries },
  { ...written, path: "/cli/v1/series/:id/end", handle: endSeries },
];
