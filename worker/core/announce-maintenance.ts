/** What people do to announce a maintenance, and what becomes of it by each. */
import type { LeaseMode } from "../../protocol/lease.ts";
import type { MaintenanceStatus } from "../../protocol/page.ts";
import { failure, success } from "../../protocol/result.ts";
import { DAY, HOUR, MINUTE } from "../../protocol/time.ts";
import type { Millis } from "../../protocol/time.ts";
import type { Announcing, UpdateRequest } from "./announce.ts";
import { isTooLong } from "./announce.ts";
import type { Announced, Announcement, Maintenance, MaintenanceUpdate } from "./maintenance.ts";
import { maintenanceStatus, startMaintenance } from "./maintenance.ts";
import { asEmergency, noticeFault } from "./notice-policy.ts";
import { lengthFault } from "./renewal.ts";

/** How far ahead, and how long: what is longer than that is no maintenance. */
const AHEAD_MAX_MS = 730 * DAY;
const LENGTH_MAX_MS = 92 * DAY;
/** "Now" may have been typed a moment ago. */
const PAST_MS = 5 * MINUTE;

/** A target that is to be put into maintenance with it. */
export interface LeaseRequest {
  readonly cluster: string;
  readonly service: string;
  readonly mode: LeaseMode;
  readonly replicas: number | null;
  readonly reason: string;
}

export interface AnnouncementRequest {
  readonly name: string;
  readonly body?: string | undefined;
  readonly startsAt: Millis;
  readonly endsAt: Millis;
  /** By id, name, or "group / name". */
  readonly components: readonly string[];
  /** Told of later than the policy asks; visitors read so. */
  readonly emergency?: boolean | undefined;
}

export interface AnnouncementChange {
  readonly name?: string | undefined;
  readonly startsAt?: Millis | undefined;
  readonly endsAt?: Millis | undefined;
  readonly emergency?: boolean | undefined;
}

/** Who writes, under which id. */
export interface Made {
  readonly id: string;
  readonly update: string;
  readonly by: string;
}

export function announceMaintenance(
  request: AnnouncementRequest,
  components: readonly string[],
  { id, update, by }: Made,
  noticeMs: Millis,
  now: Millis,
): Announcing<Announcement> {
  const { name, body, endsAt, emergency } = request;
  const fault = spanFault(request, now) ?? noticeFault(request, noticeMs, now);
  if (fault !== null) return failure(fault);
  const startsAt = Math.max(request.startsAt, now);
  const facts = { id, name, by, createdAt: now, updatedAt: now, startsAt, endsAt, endedAt: null, components };
  const plain: Announcement = { ...facts, enteredAt: now, writtenAt: now };
  const announcement = emergency === true ? asEmergency(plain) : plain;
  return body === undefined
    ? success(announcement)
    : withMaintenanceUpdate(announcement, { body }, { id: update, by }, now);
}

/** The same with a lease: it covers its target, and the components that stand on it. */
export function announceLeased(
  request: AnnouncementRequest,
  lease: LeaseRequest,
  { id, update, by }: Made,
  noticeMs: Millis,
  now: Millis,
): Announcing<Maintenance> {
  const { name, body, endsAt, emergency } = request;
  const startsAt = Math.max(request.startsAt, now);
  const fault = spanFault(request, now) ?? noticeFault(request, noticeMs, now) ?? lengthFault(startsAt, endsAt);
  if (fault !== null) return failure(fault);
  const hours = (endsAt - startsAt) / HOUR;
  const plain = { ...startMaintenance({ ...lease, name, hours }, id, by, now), startsAt, endsAt };
  const maintenance = emergency === true ? asEmergency(plain) : plain;
  return body === undefined
    ? success(maintenance)
    : withMaintenanceUpdate(maintenance, { body }, { id: update, by }, now);
}

/** Why a maintenance cannot be from `startsAt` to `endsAt`; null if it can. */
function spanFault({ startsAt, endsAt }: Pick<Announced, "startsAt" | "endsAt">, now: Millis) {
  if (startsAt < now - PAST_MS) return { code: "order", which: "it begins in the past" } as const;
  if (startsAt > now + AHEAD_MAX_MS) return { code: "order", which: "it begins in more than two years" } as const;
  return endFault({ startsAt, endsAt }, now);
}

function endFault({ startsAt, endsAt }: Pick<Announced, "startsAt" | "endsAt">, now: Millis) {
  if (endsAt <= startsAt) return { code: "order", which: "it ends before it begins" } as const;
  if (endsAt <= now) return { code: "order", which: "it ends in the past" } as const;
  if (endsAt - startsAt > LENGTH_MAX_MS) return { code: "order", which: "it is longer than 92 days" } as const;
  return null;
}

/** One more update. It begins by itself; an update can only say that it is being verified, or completed. */
export function withMaintenanceUpdate<One extends Announced>(
  maintenance: One,
  { status, body, at = Infinity }: UpdateRequest<MaintenanceStatus>,
  { id, by }: { readonly id: string; readonly by: string },
  now: Millis,
): Announcing<One> {
  const current = maintenanceStatus(maintenance, now);
  const said = status ?? current;
  const isUnderWay = current === "in_progress" || current === "verifying";
  if (said !== current && !(isUnderWay && said !== "scheduled"))
    return failure({
      code: "order",
      which: `it is ${current.replace("_", " ")}, and cannot be said to be ${said.replace("_", " ")}`,
    });
  const displayAt = Math.min(at, now);
  const update: MaintenanceUpdate = {
    id,
    status: said,
    body,
    createdAt: now,
    updatedAt: now,
    displayAt,
    affected: [],
    by,
  };
  const changed: One = {
    ...maintenance,
    updatedAt: now,
    updates: [...(maintenance.updates ?? []), update].toSorted((a, b) => a.displayAt - b.displayAt),
    ...(said === "completed" && isUnderWay ? { endedAt: now, sequence: (maintenance.sequence ?? 0) + 1 } : {}),
  };
  return isTooLong(changed) ? failure({ code: "too_long", which: maintenance.id }) : success(changed);
}

/** Another name or time. What has begun keeps its start, what is over stays as it was. */
export function changedMaintenance<One extends Announced>(
  maintenance: One,
  { name = maintenance.name, startsAt = maintenance.startsAt, endsAt = maintenance.endsAt }: AnnouncementChange,
  now: Millis,
): Announcing<One> {
  const status = maintenanceStatus(maintenance, now);
  if (status === "completed") return failure({ code: "is_over", which: maintenance.id });
  const changed = { ...maintenance, name, startsAt, endsAt };
  const isMoved = startsAt !== maintenance.startsAt;
  if (isMoved && status !== "scheduled") return failure({ code: "order", which: "it has begun" });
  // What it covers must not reach back: nobody was told of it then.
  if (isMoved) changed.startsAt = Math.max(startsAt, now);
  const fault = isMoved ? spanFault({ startsAt, endsAt }, now) : endFault(changed, now);
  if (fault !== null) return failure(fault);
  const isSame = name === maintenance.name && !isMoved && endsAt === maintenance.endsAt;
  if (isSame) return success(maintenance);
  const moved = isMoved ? { retimedAt: now } : {};
  return success({ ...changed, ...moved, updatedAt: now, sequence: (maintenance.sequence ?? 0) + 1 });
}

/** Called off before it began, or ended if it has begun. Calendars keep it, and say so. */
export function cancelledMaintenance<One extends Announced>(maintenance: One, now: Millis): Announcing<One> {
  const status = maintenanceStatus(maintenance, now);
  if (status === "completed") return failure({ code: "is_over", which: maintenance.id });
  const how = status === "scheduled" ? { cancelledAt: now, endedAt: now } : { endedAt: now };
  return success({ ...maintenance, ...how, updatedAt: now, sequence: (maintenance.sequence ?? 0) + 1 });
}
