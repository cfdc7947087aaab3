/**
 * What was said of an incident and is not so: a text or a moment that is mended, an update or a whole incident that was
 * posted by mistake. What stood there before is in the audit; visitors see that an update was changed, and when.
 */
import { failure, success } from "../../protocol/result.ts";
import type { Millis } from "../../protocol/time.ts";
import { HOUR } from "../../protocol/time.ts";
import type { Announcing, Guarded } from "./announce.ts";
import { AHEAD_MS, inOrder, isTooLong, nextRevision, staleness } from "./announce.ts";
import type { Incident, IncidentUpdate } from "./incident.ts";
import { isUnresolved } from "./incident.ts";

/** Feeds, mails and other pages have an older one: it is resolved, not taken back. */
export const DELETABLE_MS = HOUR;

/** What is absent stays as it is. */
export interface CorrectionRequest extends Guarded {
  readonly body?: string | undefined;
  readonly at?: Millis | undefined;
}

/** An incident with one of its updates mended. */
export function correctedUpdate(
  incident: Incident,
  update: string,
  request: CorrectionRequest,
  now: Millis,
): Announcing<Incident> {
  const found = updateOf(incident, update, request);
  if (!found.ok) return found;
  const displayAt = request.at ?? found.value.displayAt;
  if (displayAt > now + AHEAD_MS) return failure({ code: "in_future", which: "at" });
  const body = request.body ?? found.value.body;
  if (displayAt === found.value.displayAt && body === found.value.body) return success(incident);
  const mended: IncidentUpdate = { ...found.value, body, displayAt, updatedAt: now };
  const updates = inOrder(incident.updates.map((one) => (one.id === update ? mended : one)));
  const changed = rewritten(incident, updates, now);
  return isTooLong(changed) ? failure({ code: "too_long", which: incident.id }) : success(changed);
}

/** An incident without one of its updates. The last one stays: an incident of which nothing is said is none. */
export function withoutUpdate(incident: Incident, update: string, request: Guarded, now: Millis): Announcing<Incident> {
  const found = updateOf(incident, update, request);
  if (!found.ok) return found;
  if (incident.updates.length === 1) return failure({ code: "last_update", which: update });
  return success(
    rewritten(
      incident,
      incident.updates.filter(({ id }) => id !== update),
      now,
    ),
  );
}

/** Whether an incident that was opened by mistake may go without a trace. */
export function deletable(incident: Incident, request: Guarded, now: Millis): Announcing<Incident> {
  const stale = staleness(incident, request);
  if (stale !== null) return failure(stale);
  return isYoung(incident, now) ? success(incident) : failure({ code: "too_old", which: incident.id });
}

export function isYoung({ createdAt }: Pick<Incident, "createdAt">, now: Millis): boolean {
  return now - createdAt < DELETABLE_MS;
}

/** A postmortem as it is being written: nobody but operators reads it. Empty takes it away. */
export function withPostmortemDraft(
  incident: Incident,
  request: Guarded & { readonly body: string; readonly by: string },
  now: Millis,
): Announcing<Incident> {
  const stale = staleness(incident, request);
  if (stale !== null) return failure(stale);
  const { postmortem: _, ...rest } = incident;
  const { body, by } = request;
  const changed: Incident = {
    ...rest,
    writtenAt: nextRevision(incident, now),
    ...(body.trim() !== "" && { postmortem: { body, by, at: now } }),
  };
  return isTooLong(changed) ? failure({ code: "too_long", which: incident.id }) : success(changed);
}

/**
 * Two incidents of one cause as one: the survivor keeps its name, and what was said of the other stands in its time
 * line at the moments at which it was said. Of what state things are in the survivor alone speaks: the other's words
 * have the state that it was in then.
 */
export function mergedIncident(
  survivor: Incident,
  other: Incident,
  request: Guarded,
  now: Millis,
): Announcing<Incident> {
  const stale = staleness(other, request);
  if (stale !== null) return failure(stale);
  if (survivor.id === other.id) return failure({ code: "order", which: "an incident cannot be merged into itself" });
  if (isUnresolved(other) && !isUnresolved(survivor))
    return failure({ code: "order", which: `"${survivor.name}" is over, and this one is not` });
  const joined = other.updates.map((update) => ({ ...update, status: statusAt(survivor, update) }));
  const merged: Incident = {
    ...rewritten(survivor, inOrder([...joined, ...survivor.updates]), now),
    startedAt: Math.min(survivor.startedAt, other.startedAt),
  };
  return isTooLong(merged) ? failure({ code: "too_long", which: survivor.id }) : success(merged);
}

/** Before it was spoken of, things were as the other said. */
function statusAt({ updates }: Incident, { displayAt, status }: IncidentUpdate): IncidentUpdate["status"] {
  return updates.findLast((one) => one.displayAt <= displayAt)?.status ?? status;
}

function updateOf(incident: Incident, update: string, request: Guarded): Announcing<IncidentUpdate> {
  const stale = staleness(incident, request);
  if (stale !== null) return failure(stale);
  const found = incident.updates.find(({ id }) => id === update);
  return found === undefined ? failure({ code: "unknown", which: update }) : success(found);
}

/** It begins with what is said to be first, unless somebody said that it began before that. */
function rewritten(incident: Incident, updates: Incident["updates"], now: Millis): Incident {
  const first = (all: Incident["updates"]): Millis => Math.min(...all.map(({ displayAt }) => displayAt));
  const began = first(incident.updates);
  const startedAt = incident.startedAt === began ? first(updates) : Math.min(incident.startedAt, first(updates));
  return { ...incident, updates, startedAt, updatedAt: now, writtenAt: nextRevision(incident, now) };
}
