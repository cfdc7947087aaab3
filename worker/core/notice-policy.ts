/**
 * How early a maintenance is told of. The one rule of the admin, the command line and what recurs: at least as early as
 * the policy asks for, or it is called an emergency, which visitors read.
 */
import { DAY, MINUTE } from "../../protocol/time.ts";
import type { Millis } from "../../protocol/time.ts";
import type { Announced, Announcement } from "./maintenance.ts";

/** The runbook: "Communication: 7 days advance notice". */
export const NOTICE_DAYS = 7;
export const NOTICE_DAYS_MAX = 90;
/** A week from now was typed a moment ago. */
const TYPED_MS = 5 * MINUTE;

type Told = Announced & Pick<Announcement, "plan">;

/** Why it cannot be told of now that it starts then; null if it can. */
export function noticeFault(
  { startsAt, emergency }: { readonly startsAt: Millis; readonly emergency?: boolean | undefined },
  noticeMs: Millis,
  now: Millis,
) {
  if (emergency === true || isInTime(startsAt, now, noticeMs)) return null;
  return { code: "notice", which: daysText(noticeMs) } as const;
}

function isInTime(startsAt: Millis, toldAt: Millis, noticeMs: Millis): boolean {
  return startsAt - toldAt >= noticeMs - TYPED_MS;
}

function daysText(ms: Millis): string {
  const days = Math.round(ms / DAY);
  return days === 1 ? "1 day" : `${days} days`;
}

/** Whether visitors read that it is told of later than the policy asks. */
export function isEmergency({ plan, emergency }: Partial<Pick<Told, "plan" | "emergency">>): boolean {
  return emergency === true || plan?.emergency === true;
}

/** The same as an emergency. */
export function asEmergency<One extends Told>(one: One): One {
  return { ...one, emergency: true, ...(one.plan !== undefined && { plan: { ...one.plan, emergency: true } }) };
}

/** When people were told of the time that it has now. */
export function toldAt({ createdAt, retimedAt }: Pick<Announced, "createdAt" | "retimedAt">): Millis {
  return retimedAt ?? createdAt;
}

/** How many of those that were told in time, of all that began in the last `days`. */
export interface NoticeShare {
  readonly days: number;
  readonly met: number;
  readonly of: number;
}

/** What was called off before it began bothered nobody. */
export function noticeShare(all: readonly Told[], days: number, now: Millis): NoticeShare {
  const began = all.filter(
    ({ startsAt, cancelledAt }) => cancelledAt === undefined && startsAt <= now && startsAt > now - days * DAY,
  );
  const met = began.filter(
    (one) => !isEmergency(one) && isInTime(one.startsAt, toldAt(one), one.plan?.noticeMs ?? NOTICE_DAYS * DAY),
  );
  return { days, met: met.length, of: began.length };
}
