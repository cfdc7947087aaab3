/** What people do to announce something: requests of an operator's hand, and what becomes of an incident by each. */
import type { AffectedComponent, IncidentStatus } from "../../protocol/page.ts";
import type { Result } from "../../protocol/result.ts";
import { failure, success } from "../../protocol/result.ts";
import type { ComponentStatus, Indicator } from "../../protocol/status.ts";
import { MINUTE } from "../../protocol/time.ts";
import type { Millis } from "../../protocol/time.ts";
import type { Component, Evidence } from "./component.ts";
import { componentVerdict } from "./component.ts";
import type { Incident, IncidentUpdate } from "./incident.ts";
import { affectedNow, isUnresolved } from "./incident.ts";

/** Bounds of one update. */
export const AFFECTED_MAX = 100;
export const BODY_MAX = 25_000;
/** UTF-16 units of JSON, of one with all its updates: a row of an object holds 2 MB, and a unit is up to 3 bytes. */
const TEXT_MAX = 500_000;
/** Unresolved incidents, or maintenances to come: what is not over is never forgotten, so it has a bound. */
export const OPEN_MAX = 100;
/** What is said to be so now may have been typed by a clock that is ahead. */
export const AHEAD_MS = MINUTE;

/** Why something cannot be announced; `which` names what it is about. */
export interface AnnounceRefusal {
  readonly code:
    | "unknown"
    | "unknown_component"
    | "ambiguous_component"
    | "too_many"
    | "too_long"
    | "is_over"
    | "in_future"
    | "order"
    | "busy"
    | "notice"
    | "rule"
    | "stale"
    | "last_update"
    | "too_old";
  readonly which: string;
  /** `stale`: what stands there now, which whoever asked had not seen. */
  readonly current?: Incident;
}

export type Announcing<T> = Result<T, AnnounceRefusal>;

/** What is said at one moment. What is absent stays as it is. */
export interface UpdateRequest<Status> {
  readonly status?: Status | undefined;
  readonly body: string;
  /** When it was so; absent is now. */
  readonly at?: Millis | undefined;
}

/** The `writtenAt` that whoever asks has seen: another one by now refuses. Absent asks for no such care. */
export interface Guarded {
  readonly revision?: Millis | undefined;
}

export interface IncidentUpdateRequest extends UpdateRequest<IncidentStatus>, Guarded {
  /** By id, name, or "group / name". */
  readonly components: readonly { readonly component: string; readonly status: ComponentStatus }[];
  readonly name?: string | undefined;
  /** Null: computed from then on. */
  readonly impact?: Indicator | null | undefined;
  /** Why `impact` is what somebody says, and not what it is computed to be. */
  readonly impactReason?: string | undefined;
  /** `Update.key`. */
  readonly key?: string | undefined;
  /** When whoever says it wants to be reminded to say more; the Board keeps it. */
  readonly remind?: { readonly at: Millis; readonly isPublic: boolean } | undefined;
}

export interface IncidentRequest extends IncidentUpdateRequest {
  readonly name: string;
  /** Of one that is over already: when it was, and what is said of that. */
  readonly end?: { readonly at: Millis; readonly body: string } | undefined;
}

/** What a Board knows when somebody announces something. */
export interface AnnounceFacts {
  readonly components: readonly Component[];
  readonly evidence: Evidence;
}

/** A component by what an operator calls it. */
export function componentNamed(ref: string, components: readonly Component[]): Announcing<Component> {
  const isIt = ({ id, name, group }: Component): boolean => id === ref || name === ref || `${group} / ${name}` === ref;
  const [found, ...more] = components.filter(isIt);
  if (found === undefined) return failure({ code: "unknown_component", which: ref });
  return more.length > 0 ? failure({ code: "ambiguous_component", which: ref }) : success(found);
}

/** All of them, or why one cannot be taken for a component. */
export function componentsNamed(
  refs: readonly string[],
  components: readonly Component[],
): Announcing<readonly Component[]> {
  const found: Component[] = [];
  for (const ref of refs) {
    const named = componentNamed(ref, components);
    if (!named.ok) return named;
    if (!found.includes(named.value)) found.push(named.value);
  }
  return success(found);
}

/** @param made ids for the incident and its updates, and who opens it */
export function openIncident(
  request: IncidentRequest,
  facts: AnnounceFacts,
  made: { readonly id: string; readonly update: string; readonly end: string; readonly by: string },
  now: Millis,
): Announcing<Incident> {
  const startedAt = request.at ?? now;
  const { id, by } = made;
  const empty: Incident = {
    id,
    name: request.name,
    impact: request.impact ?? null,
    createdAt: now,
    updatedAt: now,
    startedAt,
    // One less than the first that is said of it.
    writtenAt: now - 1,
    updates: [],
  };
  const opened = withIncidentUpdate(
    empty,
    { status: "investigating", ...defined({ ...request, revision: undefined }) },
    facts,
    { id: made.update, by },
    now,
  );
  const { end } = request;
  if (!opened.ok || end === undefined) return opened;
  if (end.at < startedAt) return failure({ code: "order", which: "it ends before it begins" });
  const over = { status: "resolved", body: end.body, at: end.at, components: [] } as const;
  return withIncidentUpdate(opened.value, over, facts, { id: made.end, by }, now);
}

/** An incident with one more update. Its id and who writes it come from outside, as `now` does. */
export function withIncidentUpdate(
  incident: Incident,
  request: IncidentUpdateRequest,
  facts: AnnounceFacts,
  made: Pick<IncidentUpdate, "id" | "by">,
  now: Millis,
): Announcing<Incident> {
  const stale = staleness(incident, request);
  if (stale !== null) return failure(stale);
  const displayAt = request.at ?? now;
  if (displayAt > now + AHEAD_MS) return failure({ code: "in_future", which: "at" });
  const named = componentsNamed(
    request.components.map(({ component }) => component),
    facts.components,
  );
  if (!named.ok) return named;
  const status = request.status ?? incident.updates.at(-1)?.status ?? "investigating";
  const isEnd = status === "resolved" && isUnresolved(incident) && request.components.length === 0;
  const affected = isEnd ? asSeen(incident, facts, now) : affectedBy(incident, request, named.value, facts, now);
  const { id, by } = made;
  const said = { id, status, body: request.body, createdAt: now, updatedAt: now, displayAt, affected, by };
  const update = request.key === undefined ? said : { ...said, key: request.key };
  const changed: Incident = {
    ...withImpact(incident, request),
    name: request.name ?? incident.name,
    startedAt: Math.min(incident.startedAt, displayAt),
    updatedAt: now,
    writtenAt: nextRevision(incident, now),
    updates: inOrder([...incident.updates, update]),
  };
  return isTooLong(changed) ? failure({ code: "too_long", which: incident.id }) : success(changed);
}

/** A stable sort: of one moment the one that was written later says what is. */
export function inOrder<One extends { readonly displayAt: Millis }>(updates: readonly One[]): readonly One[] {
  return updates.toSorted((a, b) => a.displayAt - b.displayAt);
}

/** Why what somebody wants is refused who has not seen what stands there now; null if they have. */
export function staleness(current: Incident, { revision }: Guarded): AnnounceRefusal | null {
  if (revision === undefined || revision === current.writtenAt) return null;
  return { code: "stale", which: current.id, current };
}

/** Later than the one before whatever the clock does. */
export function nextRevision({ writtenAt }: Pick<Incident, "writtenAt">, now: Millis): Millis {
  return Math.max(now, writtenAt + 1);
}

/** The reason goes with the impact that it was given for. */
function withImpact(incident: Incident, { impact, impactReason }: IncidentUpdateRequest): Incident {
  if (impact === undefined) return incident;
  const { impactReason: _, ...rest } = incident;
  return { ...rest, impact, ...(impact !== null && impactReason !== undefined && { impactReason }) };
}

/** Whether it has grown too long to be kept. */
export function isTooLong(announced: object): boolean {
  return JSON.stringify(announced).length > TEXT_MAX;
}

function affectedBy(
  incident: Incident,
  { components }: IncidentUpdateRequest,
  named: readonly Component[],
  facts: AnnounceFacts,
  now: Millis,
): readonly AffectedComponent[] {
  const before = affectedNow(incident);
  return named.map((component) => {
    const { id, name, group } = component;
    const to = components.findLast((one) => [id, name, `${group} / ${name}`].includes(one.component))?.status;
    const from =
      before.find((one) => one.component === id)?.to ?? componentVerdict(component, facts.evidence, now).status;
    return { component: id, name, from, to: to ?? from };
  });
}

/** What an incident leaves behind: its components as the evidence alone would have them. */
function asSeen(
  incident: Incident,
  { components, evidence }: AnnounceFacts,
  now: Millis,
): readonly AffectedComponent[] {
  const incidents = (evidence.incidents ?? []).filter(({ id }) => id !== incident.id);
  return affectedNow(incident).flatMap(({ component: id, to: from }) => {
    const component = components.find((known) => known.id === id);
    if (component === undefined) return [];
    const to = componentVerdict(component, { ...evidence, incidents }, now).status;
    return [{ component: id, name: component.name, from, to }];
  });
}

/** Without what is there and undefined, which would take the place of a default. */
function defined<T extends object>(request: T): T {
  // Fewer keys of the same type.
  return Object.fromEntries(Object.entries(request).filter(([, value]) => value !== undefined)) as T;
}
