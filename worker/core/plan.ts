/** A planned maintenance: its phases from the notice to the all-clear, and what people do to it. */
import { LEASE_HOURS_MAX } from "../../protocol/lease.ts";
import { failure, success } from "../../protocol/result.ts";
import { DAY, HOUR, MINUTE } from "../../protocol/time.ts";
import type { Millis } from "../../protocol/time.ts";
import type { Announcing } from "./announce.ts";
import type { AnnouncementRequest, Made } from "./announce-maintenance.ts";
import { announceMaintenance, withMaintenanceUpdate } from "./announce-maintenance.ts";
import { itemOf } from "./checklist.ts";
import { shortHash } from "./hash.ts";
import type { Announced, Announcement, Maintenance } from "./maintenance.ts";
import { maintenanceStatus, startMaintenance, verifyingSince } from "./maintenance.ts";
import type { Plan, PlanTarget, Watching } from "./plan-facts.ts";

/** The runbook: "Communication: 7 days advance notice". */
export const NOTICE_DAYS = 7;
export const NOTICE_DAYS_MAX = 90;
/** The runbook: "Monitor for 30 minutes". */
const VERIFY_MS = 30 * MINUTE;
/** Verifying for so long without an all-clear, it was forgotten. */
const FORGOTTEN_MS = 2 * VERIFY_MS;
/** A week from now was typed a moment ago. */
const TYPED_MS = 5 * MINUTE;

export const ALL_CLEAR = "Maintenance complete. All systems operational.";
const COMPLETE = "Maintenance complete.";
const VERIFYING = "The work is done. We are watching the systems for 30 minutes.";

export interface PlanRequest extends AnnouncementRequest {
  readonly emergency: boolean;
  readonly reason: string;
  readonly targets: readonly PlanTarget[];
  readonly closing: Plan["closing"];
}

export function planMaintenance(
  request: PlanRequest,
  components: readonly string[],
  made: Made,
  noticeMs: Millis,
  now: Millis,
): Announcing<Announcement> {
  const { emergency, reason, targets, closing, startsAt, endsAt } = request;
  if (!emergency && !isInTime(startsAt, now, noticeMs)) return failure({ code: "notice", which: daysText(noticeMs) });
  if (targets.length > 0 && endsAt - startsAt > LEASE_HOURS_MAX * HOUR)
    return failure({ code: "order", which: `with a target it lasts ${LEASE_HOURS_MAX} hours at most` });
  const announced = announceMaintenance(request, components, made, now);
  if (!announced.ok) return announced;
  return success({ ...announced.value, plan: { emergency, noticeMs, reason, targets, closing, ticks: [] } });
}

function daysText(ms: Millis): string {
  const days = Math.round(ms / DAY);
  return days === 1 ? "1 day" : `${days} days`;
}

/** Whether what starts then is told early enough. */
function isInTime(startsAt: Millis, toldAt: Millis, noticeMs: Millis): boolean {
  return startsAt - toldAt >= noticeMs - TYPED_MS;
}

/** Why a planned one cannot be put to another time; null if it can. */
export function moveFault({ plan, startsAt: before }: Announcement, startsAt: Millis, now: Millis) {
  if (plan === undefined || plan.emergency || startsAt === before || isInTime(startsAt, now, plan.noticeMs))
    return null;
  return { code: "notice", which: daysText(plan.noticeMs) } as const;
}

/** When people were told of the time that it has now. */
export function toldAt({ createdAt, retimedAt }: Pick<Announced, "createdAt" | "retimedAt">): Millis {
  return retimedAt ?? createdAt;
}

/** From when on it takes longer than it should, and why; null while it does not. What nobody looked at is not good. */
export function overdueFrom(
  announcement: Announcement,
  watching: Watching | null,
  now: Millis,
): { readonly at: Millis; readonly reason: string } | null {
  const { endsAt, plan } = announcement;
  const status = maintenanceStatus(announcement, now);
  if (plan === undefined || status === "completed" || status === "scheduled") return null;
  const since = verifyingSince(announcement, now);
  if (since === null)
    return { at: endsAt, reason: "its planned end has passed, and nobody said that the work is done" };
  const [badSince, failing] = watching === null ? [since, "nothing was looked at"] : [watching.since, watching.failing];
  if (watching?.isGood !== true)
    return { at: Math.max(since + VERIFY_MS, badSince), reason: `checks fail after 30 minutes: ${failing}` };
  return { at: since + FORGOTTEN_MS, reason: "nobody gave the all-clear" };
}

export function isOverdue(announcement: Announcement, watching: Watching | null, now: Millis): boolean {
  return now >= (overdueFrom(announcement, watching, now)?.at ?? Infinity);
}

/** When the checks will have been good for as long as the runbook asks; null while they are not. */
export function allClearAt(announcement: Announcement, watching: Watching | null, now: Millis): Millis | null {
  const since = verifyingSince(announcement, now);
  if (since === null || watching?.isGood !== true) return null;
  return Math.max(since, watching.since) + VERIFY_MS;
}

/** The work is done: from now on it is watched. */
export function verified(announcement: Announcement, made: Pick<Made, "by"> & { readonly id: string }, now: Millis) {
  return withMaintenanceUpdate(announcement, { status: "verifying", body: VERIFYING }, made, now);
}

/** It is over. What is said of it is what is so: not every end is an all-clear. */
export function completed(
  announcement: Announcement,
  isAllWell: boolean,
  made: Pick<Made, "by"> & { readonly id: string },
  now: Millis,
): Announcing<Announcement> {
  return withMaintenanceUpdate(
    announcement,
    { status: "completed", body: isAllWell ? ALL_CLEAR : COMPLETE },
    made,
    now,
  );
}

/** Ticks an item of the checklist, or takes the tick back. Ticked twice it stays who ticked it first. */
export function ticked(
  announcement: Announcement,
  { item, isDone }: { readonly item: string; readonly isDone: boolean },
  by: string,
  now: Millis,
): Announcing<Announcement> {
  const { plan, id } = announcement;
  if (plan === undefined || itemOf(item) === null)
    return failure({ code: "unknown", which: plan === undefined ? id : item });
  const known = plan.ticks.some((tick) => tick.item === item);
  if (known === isDone) return success(announcement);
  const ticks = isDone ? [...plan.ticks, { item, by, at: now }] : plan.ticks.filter((tick) => tick.item !== item);
  return success({ ...announcement, plan: { ...plan, ticks } });
}

/** What its clusters are asked for once it began. The id is made of what it is for: asked twice it is one. */
export function leasesFor(announcement: Announcement, now: Millis): readonly Maintenance[] {
  const { plan, endsAt, name, by, id } = announcement;
  if (plan === undefined || plan.leases !== undefined || plan.targets.length === 0) return [];
  if (maintenanceStatus(announcement, now) !== "in_progress" || now >= endsAt) return [];
  return plan.targets.map((target) => {
    const request = { ...target, name, reason: plan.reason, hours: (endsAt - now) / HOUR };
    const lease = startMaintenance(request, shortHash(`${id} ${target.cluster}/${target.service}`), by, now);
    return { ...lease, endsAt, announcement: id };
  });
}

/** Whether its clusters have nothing to hold any more: traffic comes back before it is watched. */
export function isWorkOver(announcement: Announcement, now: Millis): boolean {
  const status = maintenanceStatus(announcement, now);
  return status === "verifying" || status === "completed";
}

/** How many of those that were told in time, of all that began in the last `days`. */
export interface NoticeShare {
  readonly days: number;
  readonly met: number;
  readonly of: number;
}

/** What was called off before it began bothered nobody. */
export function noticeShare(
  all: readonly (Announced & Pick<Announcement, "plan">)[],
  days: number,
  now: Millis,
): NoticeShare {
  const began = all.filter(
    ({ startsAt, cancelledAt }) => cancelledAt === undefined && startsAt <= now && startsAt > now - days * DAY,
  );
  const met = began.filter(
    (one) =>
      one.plan?.emergency !== true && isInTime(one.startsAt, toldAt(one), one.plan?.noticeMs ?? NOTICE_DAYS * DAY),
  );
  return { days, met: met.length, of: began.length };
}
