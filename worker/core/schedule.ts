/** A maintenance that recurs: a series, whose next occurrences stand as maintenances of their own. */
import { failure, success } from "../../protocol/result.ts";
import { DAY } from "../../protocol/time.ts";
import type { Millis } from "../../protocol/time.ts";
import type { Announcing } from "./announce.ts";
import { cancelledMaintenance } from "./announce-maintenance.ts";
import { shortHash } from "./hash.ts";
import type { Announcement } from "./maintenance.ts";
import { maintenanceStatus } from "./maintenance.ts";
import { planMaintenance } from "./plan.ts";
import type { PlanRequest } from "./plan.ts";
import type { Recurrence } from "./recurrence.ts";
import { occurrences, recurrenceFault } from "./recurrence.ts";
import { lengthFault } from "./renewal.ts";

/** What recurs, without its moments: each occurrence has its own. */
export interface SeriesRequest extends Recurrence, Omit<PlanRequest, "startsAt" | "endsAt" | "emergency"> {
  readonly lengthMs: Millis;
}

export interface Series extends SeriesRequest {
  readonly id: string;
  readonly by: string;
  readonly createdAt: Millis;
  readonly updatedAt: Millis;
  /** When somebody ended it; null while it goes on. */
  readonly endedAt: Millis | null;
}

/** Occurrences stand this far ahead, and so many at most. */
const AHEAD_MS = 35 * DAY;
const AHEAD_MAX = 8;
/** One a day for as long as a policy may ask for. */
const NEAR_MAX = 400;
export const SERIES_MAX = 20;

export function planSeries(request: SeriesRequest, id: string, by: string, now: Millis): Announcing<Series> {
  const fault = recurrenceFault(request);
  if (fault !== null) return failure({ code: "rule", which: fault });
  const tooLong = request.targets.length > 0 ? lengthFault(0, request.lengthMs) : null;
  if (tooLong !== null) return failure(tooLong);
  return success({ ...request, id, by, createdAt: now, updatedAt: now, endedAt: null });
}

/** What a series makes of what stands there: occurrences to add, and those that are changed or called off. */
export interface Laid {
  readonly added: readonly Announcement[];
  readonly changed: readonly Announcement[];
}

/**
 * @param standing its occurrences, the called-off ones too: what stands is not made again
 * @param noticeMs an occurrence is added early enough to be told of, or not at all
 */
export function laidOut(
  series: Series,
  standing: readonly Announcement[],
  components: readonly string[],
  noticeMs: Millis,
  now: Millis,
): Laid {
  const isOver = series.endedAt !== null;
  const horizon = now + noticeMs + AHEAD_MS;
  const moments = isOver ? [] : occurrences(series, now + noticeMs, horizon, AHEAD_MAX);
  // What is nearer than the notice was added in time, and stays.
  const near = isOver ? [] : occurrences(series, now, now + noticeMs, NEAR_MAX);
  const last = isOver || moments.length < AHEAD_MAX ? horizon : (moments.at(-1) ?? horizon);
  const isDue = (at: Millis): boolean => moments.includes(at) || near.includes(at);
  // Beyond nobody looked; a clock that was set back must call off nothing.
  const isGone = (at: Millis): boolean => isOver || (at <= last && !isDue(at));
  const ids = new Set(standing.map(({ id }) => id));
  const added = moments
    .filter((at) => !ids.has(occurrenceId(series, at)))
    .map((at) => occurrenceOf(series, at, components, noticeMs, now));
  const changed = standing
    .filter((one) => maintenanceStatus(one, now) === "scheduled" && (isOver || one.plan?.isException !== true))
    .flatMap((one) => alteredBy(series, one, isGone, components, now) ?? []);
  return { added: added.flatMap((one) => (one.ok ? [one.value] : [])), changed };
}

/** The same for the same moment of the same series, so that nothing is added twice. */
function occurrenceId({ id }: Series, at: Millis): string {
  return shortHash(`${id} ${at}`);
}

function occurrenceOf(
  series: Series,
  at: Millis,
  components: readonly string[],
  noticeMs: Millis,
  now: Millis,
): Announcing<Announcement> {
  const id = occurrenceId(series, at);
  const request: PlanRequest = { ...series, startsAt: at, endsAt: at + series.lengthMs, emergency: false };
  const planned = planMaintenance(
    request,
    components,
    { id, update: shortHash(`${id} update`), by: series.by },
    noticeMs,
    now,
  );
  if (!planned.ok || planned.value.plan === undefined) return planned;
  return success({ ...planned.value, plan: { ...planned.value.plan, series: { id: series.id, at } } });
}

/** An occurrence as its series has it now; null if it is that already. */
function alteredBy(
  series: Series,
  one: Announcement,
  isGone: (at: Millis) => boolean,
  components: readonly string[],
  now: Millis,
): Announcement | null {
  const { plan } = one;
  if (plan?.series === undefined) return null;
  if (isGone(plan.series.at)) {
    const off = cancelledMaintenance(one, now);
    return off.ok ? off.value : null;
  }
  const { name, lengthMs, reason, targets, closing } = series;
  const endsAt = one.startsAt + lengthMs;
  const wanted = { name, endsAt, components, reason, targets, closing };
  const held = {
    name: one.name,
    endsAt: one.endsAt,
    components: one.components,
    reason: plan.reason,
    targets: plan.targets,
    closing: plan.closing,
  };
  if (JSON.stringify(wanted) === JSON.stringify(held)) return null;
  const sequence = (one.sequence ?? 0) + 1;
  return { ...one, name, endsAt, components, updatedAt: now, sequence, plan: { ...plan, reason, targets, closing } };
}
