/** From what the Board knows of maintenances to what their admin pages are made of. */
import type { Millis } from "../../protocol/time.ts";
import { DAY, HOUR, MINUTE } from "../../protocol/time.ts";
import type {
  ImpactModel,
  NoticeModel,
  PlanPageModel,
  PlanPhase,
  PlanRowModel,
  PlansModel,
  PlanTargetModel,
  SeriesRowModel,
} from "../../web/view/admin/plan-model.ts";
import { clusterCount, knownOf } from "../core/announced.ts";
import { checklistOf } from "../core/checklist.ts";
import type { Announcement, Maintenance } from "../core/maintenance.ts";
import { endOf, maintenanceStatus, operatorMaintenance, verifyingSince } from "../core/maintenance.ts";
import { noticeMoments } from "../core/notices.ts";
import { isEmergency, NOTICE_DAYS, noticeShare } from "../core/notice-policy.ts";
import { allClearAt } from "../core/plan.ts";
import type { PlanTarget } from "../core/plan-facts.ts";
import { occurrences, wallText } from "../core/recurrence.ts";
import type { Series } from "../core/schedule.ts";
import type { PlanView } from "../objects/board-plans.ts";
import type { OperatorView } from "../objects/operator-view.ts";

/** Lines of what is over. */
const PAST_SHOWN = 50;

/** What is one click for whoever works at night. */
const LATER = [
  ["30 minutes more", 30 * MINUTE],
  ["1 hour more", HOUR],
] as const;

export function noticeDaysOf({ page }: Pick<OperatorView, "page">): number {
  return page.noticeDays ?? NOTICE_DAYS;
}

export function plansModel(view: OperatorView, policy: PlansModel["policy"], now: Millis): PlansModel {
  const { announcements = [], series = [] } = view;
  const alone = view.maintenances.filter(({ announcement }) => announcement === undefined);
  const all = [...announcements, ...alone];
  const rows = all.map((one) => rowOf(one, view, now));
  const of = (...phases: readonly PlanPhase[]) => rows.filter(({ phase }) => phases.includes(phase));
  return {
    now: of("in_progress", "verifying").toSorted((a, b) => a.startsAt - b.startsAt),
    coming: of("scheduled").toSorted((a, b) => a.startsAt - b.startsAt),
    past: of("completed", "cancelled")
      .toSorted((a, b) => b.startsAt - a.startsAt)
      .slice(0, PAST_SHOWN),
    series: series.map((one) => seriesRow(one, announcements, now)),
    noticeDays: noticeDaysOf(view),
    shares: [90, 365].map((days) => noticeShare(all, days, now)),
    policy,
  };
}

export function phaseOf(one: Announcement | Maintenance, now: Millis): PlanPhase {
  return one.cancelledAt === undefined ? maintenanceStatus(one, now) : "cancelled";
}

function rowOf(one: Announcement | Maintenance, view: OperatorView, now: Millis): PlanRowModel {
  const touches =
    "service" in one
      ? [`${one.cluster}/${one.service}`]
      : [...namesOf(one, view), ...(one.plan?.targets ?? []).map(({ cluster, service }) => `${cluster}/${service}`)];
  const plan = "service" in one ? undefined : one.plan;
  return {
    id: one.id,
    name: one.name,
    phase: phaseOf(one, now),
    startsAt: one.startsAt,
    endsAt: endOf(one),
    touches: touches.length === 0 ? "–" : touches.join(", "),
    emergency: isEmergency(one),
    recurs: plan?.series !== undefined,
    overdue: view.overdue?.find(({ id }) => id === one.id)?.reason ?? null,
  };
}

/** Those that it names, and those that stand on its deployments. */
function namesOf(one: Announcement, { components }: OperatorView): readonly string[] {
  const touched = knownOf(one, components);
  return components.filter(({ id }) => touched.includes(id)).map(({ name }) => name);
}

function seriesRow(series: Series, announcements: readonly Announcement[], now: Millis): SeriesRowModel {
  const { id, name, rule, start, timeZone, endedAt } = series;
  const nextAt = nextOf(series, announcements, now);
  return { id, name, rule: `${rule} from ${start.replace("T", " ")} ${timeZone}`, nextAt, endedAt };
}

/** When the next occurrence begins, moved ones where they were moved to; null if none comes. */
export function nextOf(series: Series, announcements: readonly Announcement[], now: Millis): Millis | null {
  const standing = announcements.filter(({ plan, startsAt }) => plan?.series?.id === series.id && startsAt > now);
  const next = standing
    .filter((one) => maintenanceStatus(one, now) === "scheduled")
    .map(({ startsAt }) => startsAt)
    .toSorted((a, b) => a - b)[0];
  return next ?? (series.endedAt === null ? (occurrences(series, now, now + 400 * DAY, 1)[0] ?? null) : null);
}

export function planPageModel(
  one: Announcement,
  plan: PlanView,
  view: OperatorView,
  impact: ImpactModel | null,
  move: PlanPageModel["move"],
  now: Millis,
): PlanPageModel {
  const { id, name, by, createdAt, startsAt, endsAt } = one;
  const ticks = new Map((one.plan?.ticks ?? []).map((tick) => [tick.item, tick]));
  return {
    id,
    name,
    by,
    createdAt,
    startsAt,
    endsAt,
    phase: phaseOf(one, now),
    reason: one.plan?.reason ?? null,
    endedAt: maintenanceStatus(one, now) === "completed" ? endOf(one) : null,
    verifyingAt:
      verifyingSince(one, now) ?? one.updates?.find(({ status }) => status === "verifying")?.displayAt ?? null,
    emergency: isEmergency(one),
    noticeDays: one.plan === undefined ? noticeDaysOf(view) : Math.round(one.plan.noticeMs / DAY),
    isSteered: one.plan !== undefined,
    closing: one.plan?.closing ?? "person",
    overdue: view.overdue?.find((overdue) => overdue.id === id)?.reason ?? null,
    components: namesOf(one, view),
    targets: (one.plan?.targets ?? []).map((target) => targetModel(target, one, view, now)),
    confirmed: clusterCount(one, view.maintenances),
    notices: noticeModels(one, plan, now),
    checklist: checklistOf(view.page).map((item) => ({ ...item, tick: ticks.get(item.id) ?? null })),
    checks: plan.checks,
    allClearAt: allClearAt(one, plan.watching, now),
    impact,
    series: one.plan?.series?.id ?? null,
    move: {
      values: {
        start: wallText(startsAt, "Etc/UTC"),
        hours: String((endsAt - startsAt) / HOUR),
        end: wallText(endsAt, "Etc/UTC"),
        ...move.values,
      },
      faults: move.faults,
    },
    later: LATER.map(([word, ms]) => ({ word, end: wallText(Math.max(endsAt, now) + ms, "Etc/UTC") })),
  };
}

function targetModel(target: PlanTarget, { id }: Announcement, view: OperatorView, now: Millis): PlanTargetModel {
  const { cluster, service, mode, replicas } = target;
  const lease = view.maintenances.find(
    (one) => one.announcement === id && one.cluster === cluster && one.service === service,
  );
  return {
    cluster,
    service,
    wish: mode === "scale" ? `scale to ${replicas ?? "?"}` : "announce",
    lease: lease === undefined ? null : operatorMaintenance(lease, now),
  };
}

/** What was recorded, and what is to come; of what it was before there are no notices. */
function noticeModels(one: Announcement, { notices, watching, since }: PlanView, now: Millis): readonly NoticeModel[] {
  const known = new Set(notices.map(({ key }) => key));
  const told = notices.map(({ phase, dueAt, at, outcome }) => ({ phase, dueAt, at, isSkipped: outcome === "skipped" }));
  const coming = noticeMoments(one, watching, now)
    .filter(({ key, dueAt }) => !known.has(key) && dueAt >= since && dueAt > now)
    .map(({ phase, dueAt }) => ({ phase, dueAt, at: null, isSkipped: false }));
  return [...told, ...coming].toSorted((a, b) => a.dueAt - b.dueAt);
}
