/** Another time for what is announced already: what the policy, its leases and its series make of that. */
import { failure, success } from "../../protocol/result.ts";
import type { Millis } from "../../protocol/time.ts";
import type { Announcing } from "./announce.ts";
import type { AnnouncementChange } from "./announce-maintenance.ts";
import { changedMaintenance } from "./announce-maintenance.ts";
import type { Announcement, Maintenance } from "./maintenance.ts";
import { asEmergency, isEmergency, noticeFault } from "./notice-policy.ts";
import { lengthFault } from "./renewal.ts";

/** What begins and ends at other moments, or has another name. Its leases follow when the Board looks at it. */
export function retimed<One extends Announcement | Maintenance>(
  one: One,
  change: AnnouncementChange,
  noticeMs: Millis,
  now: Millis,
): Announcing<One> {
  // Its cluster holds a signed lease that begins then.
  if (isLease(one) && change.startsAt !== undefined && change.startsAt !== one.startsAt)
    return failure({ code: "order", which: "it has a target: cancel it, and announce it anew" });
  const changed = changedMaintenance(one, change, now);
  if (!changed.ok || changed.value === one) return changed;
  const { startsAt, endsAt } = changed.value;
  const fault =
    moveFault(one, changed.value, change.emergency === true, noticeMs, now) ??
    (isHeld(one) && endsAt !== one.endsAt ? lengthFault(startsAt, endsAt) : null);
  if (fault !== null) return failure(fault);
  const told = change.emergency === true ? asEmergency(changed.value) : changed.value;
  return success(withPlan(one, told, now));
}

function isLease(one: Announcement | Maintenance): one is Maintenance {
  return "service" in one;
}

function isHeld(one: Announcement | Maintenance): boolean {
  return isLease(one) || (one.plan?.targets.length ?? 0) > 0;
}

/** A plan keeps the notice that it was made with; what keeps its start was told of already. */
function moveFault(
  before: Announcement | Maintenance,
  { startsAt }: Pick<Announcement, "startsAt">,
  isCalledEmergency: boolean,
  noticeMs: Millis,
  now: Millis,
) {
  if (startsAt === before.startsAt) return null;
  const plan = isLease(before) ? undefined : before.plan;
  const emergency = isCalledEmergency || isEmergency(before);
  return noticeFault({ startsAt, emergency }, plan?.noticeMs ?? noticeMs, now);
}

/** What somebody changed by itself its series leaves alone; what got another end under way is overdue anew after that. */
function withPlan<One extends Announcement | Maintenance>(before: One, after: One, now: Millis): One {
  if (isLease(after) || after.plan === undefined) return after;
  const { series } = after.plan;
  const isExtended = before.startsAt <= now && before.endsAt !== after.endsAt;
  const plan = {
    ...after.plan,
    ...(series !== undefined && { isException: true as const }),
    ...(isExtended && { extendedAt: now }),
  };
  return { ...after, plan };
}
