/**
 * Incidents: what people said, moment by moment, and what follows from it. Only facts are kept; state and impact are
 * derived, so they cannot go stale.
 */
import type { AffectedComponent, IncidentStatus, PageUpdate } from "../../protocol/page.ts";
import type { ComponentStatus, Indicator } from "../../protocol/status.ts";
import { impactOf, worse } from "../../protocol/status.ts";
import { DAY } from "../../protocol/time.ts";
import type { Millis } from "../../protocol/time.ts";

/** What was said at one moment, and who said it. */
export interface Update<Status> extends PageUpdate<Status> {
  /** For operators only. */
  readonly by: string;
  /** The number of the form that said it: sent twice, it says it once. Absent without one, and in what an earlier version wrote. */
  readonly key?: string;
}

export type IncidentUpdate = Update<IncidentStatus>;

export interface Incident {
  readonly id: string;
  readonly name: string;
  /** Set by hand; null for what its components were said to be. */
  readonly impact: Indicator | null;
  readonly createdAt: Millis;
  readonly updatedAt: Millis;
  readonly startedAt: Millis;
  /**
   * When it was written down here last, and never twice the same: the archive's revision, and what two operators who
   * write at once are told apart by. `updatedAt` may be from another page.
   */
  readonly writtenAt: Millis;
  /** Oldest first by `displayAt`, never empty. */
  readonly updates: readonly IncidentUpdate[];
  /** Why `impact` was set by hand: for operators. Absent where it was not, and in what an earlier version wrote. */
  readonly impactReason?: string;
  /** A postmortem that is being written: for operators until it is published, which makes an update of it. */
  readonly postmortem?: PostmortemDraft;
}

interface PostmortemDraft {
  /** Markdown. */
  readonly body: string;
  readonly by: string;
  readonly at: Millis;
}

/** An incident that is part of another now: its address leads there. */
export interface MergedIncident {
  readonly id: string;
  readonly into: string;
  readonly at: Millis;
}

/** Kept by a Board; the archive has them all. */
const KEPT_MAX = 500;
/** UTF-16 units of JSON of all together: what one answer of an object may carry, several times over. */
const KEPT_TEXT_MAX = 4_000_000;

/** Those that are over stay in what the first view gets for this long. */
const SHOWN_MS = 15 * DAY;
/** Of those that are over: a page with more has them in its history. */
const SHOWN_MAX = 50;

/** What somebody said last decides. */
export function incidentStatus({ updates }: Pick<Incident, "updates">): IncidentStatus {
  return updates.at(-1)?.status ?? "investigating";
}

export function isUnresolved(incident: Pick<Incident, "updates">): boolean {
  return !isOver(incidentStatus(incident));
}

function isOver(status: IncidentStatus): boolean {
  return status === "resolved" || status === "postmortem";
}

/** The heaviest that was said of a component while it lasted: it does not become harmless by being resolved. */
export function incidentImpact({ impact, updates }: Pick<Incident, "impact" | "updates">): Indicator {
  if (impact !== null) return impact;
  return impactOf(
    updates.filter(({ status }) => !isOver(status)).flatMap(({ affected }) => affected.map(({ to }) => to)),
  );
}

/** When it was said to be over, as long as nobody said anything else since. */
export function resolvedAt({ updates }: Pick<Incident, "updates">): Millis | null {
  return updates[updates.findLastIndex(({ status }) => !isOver(status)) + 1]?.displayAt ?? null;
}

/** When people first said that they watch what they mended; null until they did. */
export function monitoringAt({ updates }: Pick<Incident, "updates">): Millis | null {
  return updates.find(({ status }) => status === "monitoring")?.displayAt ?? null;
}

/** The components it touches, as each was said to be last, in the order in which they were named. */
export function affectedNow({ updates }: Pick<Incident, "updates">): readonly AffectedComponent[] {
  const affected = new Map<string, AffectedComponent>();
  for (const update of updates) for (const one of update.affected) affected.set(one.component, one);
  return [...affected.values()];
}

/** What an incident that is not resolved says of a component; null if it says nothing. */
function statusSaid(incident: Incident, component: string): ComponentStatus | null {
  if (!isUnresolved(incident)) return null;
  return (
    incident.updates
      .findLast(({ affected }) => affected.some((one) => one.component === component))
      ?.affected.find((one) => one.component === component)?.to ?? null
  );
}

/** What the unresolved incidents say of a component together: the heaviest, and by which; null if none says anything. */
export function worstSaid(
  incidents: readonly Incident[],
  component: string,
): { readonly status: ComponentStatus; readonly name: string } | null {
  let worst: { readonly status: ComponentStatus; readonly name: string } | null = null;
  for (const incident of incidents) {
    const status = statusSaid(incident, component);
    if (status === null || (worst !== null && worse(worst.status, status) === worst.status)) continue;
    worst = { status, name: incident.name };
  }
  return worst;
}

/** Those of the first view, newest first: what is not resolved, and what was of the last days. */
export function shownIncidents(incidents: readonly Incident[], now: Millis): readonly Incident[] {
  const sorted = newestFirst(incidents);
  const isRecent = (incident: Incident): boolean =>
    Math.max(incident.startedAt, resolvedAt(incident) ?? 0) > now - SHOWN_MS;
  const over = sorted.filter((incident) => !isUnresolved(incident) && isRecent(incident)).slice(0, SHOWN_MAX);
  return sorted.filter((incident) => isUnresolved(incident) || over.includes(incident));
}

/** What a Board keeps of all that was announced: what is not over, and of the rest the newest. */
export function kept<One extends object>(
  all: readonly One[],
  isOpen: (one: One) => boolean,
  at: (one: One) => Millis,
): readonly One[] {
  let [count, text] = [0, 0];
  return all
    .toSorted((a, b) => Number(isOpen(b)) - Number(isOpen(a)) || at(b) - at(a))
    .filter((one) => {
      count++;
      text += JSON.stringify(one).length;
      return isOpen(one) || (count <= KEPT_MAX && text <= KEPT_TEXT_MAX);
    });
}

export function newestFirst(incidents: readonly Incident[]): readonly Incident[] {
  return incidents.toSorted((a, b) => b.startedAt - a.startedAt || b.createdAt - a.createdAt);
}
