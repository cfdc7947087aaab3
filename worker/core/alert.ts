/**
 * Alerts as an Alertmanager tells them, and which of them are news. `reference/mesh-metrics.md`, section 6.
 *
 * A notification is a list of what its group holds now, not of what changed, and it comes more than once: both of a
 * high-availability pair may send it, each repeats it, and a retry may arrive after what came later. So deliveries are
 * never counted. What counts is the episode of an alert, from its beginning to its end, by its fingerprint:
 *
 *   firing  ──resolved, or gone from its group──▶  ended  ──fires again──▶  firing, another episode
 *
 * Alertmanager does not retry what is refused with 4xx, so nothing is refused that can be understood.
 */
import type { Millis } from "../../protocol/time.ts";
import { DAY, MINUTE } from "../../protocol/time.ts";
import { TOO_OLD_MS } from "../../protocol/limits.ts";
import type { AlertKind, EventRecord } from "../../protocol/record.ts";
import { oneLine } from "../../protocol/name.ts";

export type AlertEvent = Omit<EventRecord, "kind"> & { readonly kind: AlertKind };

/** An alert as a notification has it. */
export interface ToldAlert {
  readonly isFiring: boolean;
  readonly fingerprint: string;
  readonly startsAt: Millis;
  /** Null while it fires. */
  readonly endsAt: Millis | null;
  readonly name: string;
  readonly severity: string | null;
  readonly summary: string | null;
  readonly labels: Readonly<Record<string, string>>;
}

/** What an Alertmanager tells at once: what one of its groups holds. */
export interface Notification {
  readonly group: string;
  /** Whether the group holds no other alerts than these. */
  readonly isComplete: boolean;
  readonly alerts: readonly ToldAlert[];
  /** Those that cannot be understood. */
  readonly refused: readonly { readonly index: number; readonly reason: string }[];
}

/** One episode of one alert. */
export interface Alert {
  /** Alertmanager's: 16 hex digits, equal for equal labels. */
  readonly fingerprint: string;
  /** As it was told first: two Prometheus of a pair see the beginning some seconds apart. */
  readonly startsAt: Millis;
  /** Rises where an episode goes on that was taken for ended. */
  readonly turn: number;
  readonly name: string;
  readonly severity: string | null;
  /** Its annotation `summary`, or `description`. */
  readonly summary: string | null;
  readonly labels: Readonly<Record<string, string>>;
  /** The receiver and the group that told it last. */
  readonly group: string;
  /** When it was last told to fire. Written down at most every `HEARD_EVERY_MS`. */
  readonly heardAt: Millis;
  readonly ended: AlertEnd | null;
}

interface AlertEnd {
  readonly at: Millis;
  /** When that was told. */
  readonly heardAt: Millis;
  /** `resolved`: told so. `absent`: its group came without it. `replaced`: a later episode came first. */
  readonly how: "resolved" | "absent" | "replaced";
}

/** What a Cluster keeps of alerts. */
export interface Alerts {
  /** One for each fingerprint: its latest episode. Those that ended stay for a day, for what is told late. */
  readonly held: readonly Alert[];
}

export const NO_ALERTS: Alerts = { held: [] };

/** Firing alerts that a cluster may have. */
export const FIRING_MAX = 500;
const ENDED_MAX = 500;
const ENDED_KEPT_MS = DAY;
/** A repetition that says nothing new is written down at most this often: it is the default of `group_interval`. */
const HEARD_EVERY_MS = 5 * MINUTE;
/**
 * What was sent before the end may arrive for this long after it: Alertmanager tries a notification for one
 * `group_interval`, which is 5 min by default.
 */
const LATE_MS = 5 * MINUTE;
/** An alert that is missing in its group counts as gone only if nobody told of it for this long: the other one of a pair may know of it earlier. */
const ABSENT_AFTER_MS = 10 * MINUTE;
/** Two beginnings this close are one, seen by two. */
const SAME_BEGIN_MS = 5 * MINUTE;
/** Nobody confirms a firing alert any more: three times the default of `repeat_interval`, 4 h. */
export const UNCONFIRMED_MS = 12 * 60 * MINUTE;

export interface Taken {
  readonly alerts: Alerts;
  readonly events: readonly AlertEvent[];
  /** Whether there is something to be written down. */
  readonly changed: boolean;
  readonly accepted: number;
  /** Of the accepted ones those that were known. */
  readonly known: number;
  /** Those for which there is no room. */
  readonly surplus: number;
}

/** Takes in a notification: what was news becomes events, and nothing becomes an event twice. */
export function takeNotification(alerts: Alerts, told: Notification, now: Millis): Taken {
  const held = new Map(alerts.held.filter((one) => isKept(one, now)).map((one) => [one.fingerprint, one]));
  let firing = [...held.values()].filter(({ ended }) => ended === null).length;
  const events: AlertEvent[] = [];
  let [known, surplus] = [0, 0];
  let changed = held.size < alerts.held.length;
  for (const one of told.alerts) {
    const before = held.get(one.fingerprint) ?? null;
    const next = one.isFiring ? afterFiring(before, one, told.group, now) : afterResolved(before, one, told.group, now);
    const isMore = next.alert.ended === null && (before === null || before.ended !== null);
    if (isMore && firing >= FIRING_MAX) {
      surplus++;
      continue;
    }
    firing += Number(isMore) - Number(before !== null && before.ended === null && next.alert.ended !== null);
    if (next.events.length === 0) known++;
    events.push(...next.events);
    changed ||= next.alert !== before;
    held.set(one.fingerprint, next.alert);
  }
  for (const gone of told.isComplete ? absent(held.values(), told, now) : []) {
    held.set(gone.fingerprint, gone);
    events.push(eventOf("alert.resolved", gone, now));
    changed = true;
  }
  const kept = changed ? { held: bounded([...held.values()]) } : alerts;
  return { alerts: kept, events, changed, accepted: told.alerts.length - surplus, known, surplus };
}

interface Next {
  readonly alert: Alert;
  readonly events: readonly AlertEvent[];
}

function afterFiring(before: Alert | null, told: ToldAlert, group: string, now: Millis): Next {
  if (before === null) return begun(begin(told, group, 0, now), now);
  const { ended } = before;
  if (ended === null) {
    if (told.startsAt > before.startsAt + SAME_BEGIN_MS) {
      const replaced = end(before, { at: told.startsAt, heardAt: now, how: "replaced" });
      const next = begun(begin(told, group, 0, now), now);
      return { ...next, events: [eventOf("alert.resolved", replaced, now), ...next.events] };
    }
    const isSilent = now - before.heardAt < HEARD_EVERY_MS && before.group === group;
    return { alert: isSilent ? before : { ...before, group, heardAt: now }, events: [] };
  }
  const isLater = told.startsAt > before.startsAt + SAME_BEGIN_MS;
  if (isLater || isAfter(told, before)) return begun(begin(told, group, 0, now), now);
  // Sent before the end, and late; who is told nothing but that for longer fires again, or goes on.
  if (ended.how !== "absent" && now - ended.heardAt < LATE_MS) return { alert: before, events: [] };
  if (told.startsAt < before.startsAt - SAME_BEGIN_MS) return { alert: before, events: [] };
  return begun({ ...begin(told, group, before.turn + 1, now), startsAt: before.startsAt }, now);
}

function afterResolved(before: Alert | null, told: ToldAlert, group: string, now: Millis): Next {
  // By the sender's clock, that may be ahead of this one: its end is compared with its beginning.
  const toldAt = Math.max(told.endsAt ?? now, told.startsAt);
  const over: AlertEnd = { at: Math.min(toldAt, now), heardAt: now, how: "resolved" };
  if (before === null || isAfter(told, before)) {
    // Its beginning was missed, or comes later: both are told, and the beginning that comes later is known then.
    const whole = end(begin(told, group, 0, now), over);
    return { alert: whole, events: [eventOf("alert.fired", whole, now), eventOf("alert.resolved", whole, now)] };
  }
  // Over already, or the end of an episode before this one.
  if (before.ended !== null || toldAt < before.startsAt) return { alert: before, events: [] };
  const alert = end(before, over);
  return { alert, events: [eventOf("alert.resolved", alert, now)] };
}

/** Whether it is an episode after one that ended. */
function isAfter(told: ToldAlert, { startsAt, ended }: Alert): boolean {
  return ended !== null && told.startsAt >= ended.at && told.startsAt > startsAt;
}

/** Those that this group told of, and that are missing in a complete list of it. Silenced ones are missing too. */
function absent(held: Iterable<Alert>, told: Notification, now: Millis): readonly Alert[] {
  const listed = new Set(told.alerts.map(({ fingerprint }) => fingerprint));
  return [...held]
    .filter(({ fingerprint, group, ended, heardAt }) => {
      return ended === null && group === told.group && !listed.has(fingerprint) && now - heardAt >= ABSENT_AFTER_MS;
    })
    .map((alert) => end(alert, { at: now, heardAt: now, how: "absent" }));
}

function begin(told: ToldAlert, group: string, turn: number, now: Millis): Alert {
  const { fingerprint, startsAt, name, severity, summary, labels } = told;
  return { fingerprint, startsAt, turn, name, severity, summary, labels, group, heardAt: now, ended: null };
}

function begun(alert: Alert, now: Millis): Next {
  return { alert, events: [eventOf("alert.fired", alert, now)] };
}

function end(alert: Alert, ended: AlertEnd): Alert {
  return { ...alert, ended };
}

function isKept({ ended }: Alert, now: Millis): boolean {
  return ended === null || now - ended.heardAt < ENDED_KEPT_MS;
}

/** What fires, and of what ended the newest: only to be known again. */
function bounded(held: readonly Alert[]): readonly Alert[] {
  const firing = held.filter(({ ended }) => ended === null);
  const ended = held
    .filter((one) => one.ended !== null)
    .toSorted((a, b) => (b.ended?.heardAt ?? 0) - (a.ended?.heardAt ?? 0))
    .slice(0, ENDED_MAX)
    .map((one) => ({ ...one, labels: {}, summary: null }));
  return [...firing, ...ended];
}

/** Names an episode: the same for whoever tells it, and whenever. */
export function alertKey({ fingerprint, startsAt, turn }: Pick<Alert, "fingerprint" | "startsAt" | "turn">): string {
  return `${fingerprint}${startsAt.toString(16).padStart(12, "0")}${Math.min(turn, 0xfff).toString(16).padStart(3, "0")}`;
}

/** The event's id is the episode's key and which end of it this is: 32 hex digits, so that none is stored twice. */
function eventOf(kind: AlertKind, alert: Alert, now: Millis): AlertEvent {
  const { fingerprint, startsAt, name, severity, summary, labels, ended } = alert;
  const isEnd = kind === "alert.resolved";
  const at = isEnd ? (ended?.at ?? now) : startsAt;
  const labelled = Object.entries(labels).map(([label, value]) => `${label}=${value}`);
  return {
    kind,
    id: `${alertKey(alert)}${isEnd ? 1 : 0}`,
    // What fires for a month began before anything that history still takes.
    at: Math.min(Math.max(at, now - TOO_OLD_MS), now),
    subject: name,
    body: {
      says: oneLine([summary ?? name, isEnd ? ENDS[ended?.how ?? "resolved"] : ""].join(" ")).slice(0, 1_024),
      severity,
      fingerprint,
      startedAt: startsAt,
      labels: labelled.join(", ").slice(0, 1_024),
      ...(isEnd && { how: ended?.how ?? "resolved" }),
    },
  };
}

/** The labels as the body of an event has them; those beyond its length are not there. */
export function labelsIn(text: string): Readonly<Record<string, string>> {
  const pairs = text.split(/, (?=[a-zA-Z_]\w*=)/).flatMap((pair) => {
    const at = pair.indexOf("=");
    return at < 1 ? [] : [[pair.slice(0, at), pair.slice(at + 1)] as const];
  });
  return Object.fromEntries(pairs);
}

const ENDS: Readonly<Record<AlertEnd["how"], string>> = {
  resolved: "(resolved)",
  absent: "(its group came without it: resolved without a word, or silenced)",
  replaced: "(it fired anew: its end was not told)",
};
