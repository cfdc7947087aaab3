/** A planned maintenance: its phases from the notice to the all-clear, and what people do to it. */
import { failure, success } from "../../protocol/result.ts";
import { HOUR, MINUTE } from "../../protocol/time.ts";
import type { Millis } from "../../protocol/time.ts";
import type { Announcing } from "./announce.ts";
import type { AnnouncementRequest, Made } from "./announce-maintenance.ts";
import { announceMaintenance, withMaintenanceUpdate } from "./announce-maintenance.ts";
import type { ChecklistItem } from "./checklist.ts";
import { shortHash } from "./hash.ts";
import type { Announcement, Maintenance } from "./maintenance.ts";
import { maintenanceStatus, startMaintenance, verifyingSince } from "./maintenance.ts";
import type { Plan, PlanTarget, Watching } from "./plan-facts.ts";
import { lengthFault } from "./renewal.ts";

/** The runbook: "Monitor for 30 minutes". */
const VERIFY_MS = 30 * MINUTE;
/** Verifying for so long without an all-clear, it was forgotten. */
const FORGOTTEN_MS = 2 * VERIFY_MS;

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
  const fault = targets.length > 0 ? lengthFault(startsAt, endsAt) : null;
  if (fault !== null) return failure(fault);
  const announced = announceMaintenance(request, components, made, noticeMs, now);
  if (!announced.ok) return announced;
  return success({ ...announced.value, plan: { emergency, noticeMs, reason, targets, closing, ticks: [] } });
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
  checklist: readonly ChecklistItem[],
  by: string,
  now: Millis,
): Announcing<Announcement> {
  const { plan, id } = announcement;
  if (plan === undefined || !checklist.some((one) => one.id === item))
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
