/**
 * What is to be told of a maintenance, and when: facts with a natural key, so that nothing is told twice over restarts,
 * deploys and clocks that jump. A moment that passed while nobody was awake is written down as skipped: of all that are
 * due at once only the newest goes out, because the rest is no news any more.
 *
 *   announced ─ remind_7d ─ remind_24h ─ remind_1h ─ started ─ verifying ─ completed
 *       moved                     cancelled             └── overdue ──┘
 */
import { DAY, HOUR } from "../../protocol/time.ts";
import type { Millis } from "../../protocol/time.ts";
import type { MaintenanceStatus } from "../../protocol/page.ts";
import type { Announced, Announcement } from "./maintenance.ts";
import { endOf, maintenanceStatus, verifyingSince } from "./maintenance.ts";
import { isEmergency, toldAt } from "./notice-policy.ts";
import { overdueFrom } from "./plan.ts";
import type { Watching } from "./plan-facts.ts";

/** In the order in which they follow each other where two are of one moment. */
const NOTICE_PHASES = [
  "announced",
  "moved",
  "remind_7d",
  "remind_24h",
  "remind_1h",
  "started",
  "overdue",
  "verifying",
  "completed",
  "cancelled",
] as const;
type NoticePhase = (typeof NOTICE_PHASES)[number];

const REMINDERS = [
  ["remind_7d", 7 * DAY],
  ["remind_24h", DAY],
  ["remind_1h", HOUR],
] as const satisfies readonly (readonly [NoticePhase, Millis])[];

/** A notice as it was recorded. Channels read those since the number that they saw last. */
export interface Notice {
  /** maintenance:occurrence:phase. The occurrence is when it starts, ms: one that is moved is told of anew. */
  readonly key: string;
  /** Rises by one with every notice of the page; a reader's cursor. */
  readonly number: number;
  readonly maintenance: string;
  readonly phase: NoticePhase;
  /** When it should go out, and when it was recorded. */
  readonly dueAt: Millis;
  readonly at: Millis;
  /** `skipped`: its moment had passed, and a newer one went out. It is told to nobody. */
  readonly outcome: "out" | "skipped";
  readonly name: string;
  readonly startsAt: Millis;
  readonly endsAt: Millis;
  readonly emergency: boolean;
  /** What is said with it: the newest update's words, or why it is overdue. Null if nothing is. */
  readonly detail: string | null;
}

export type NoticeMoment = Pick<Notice, "key" | "phase" | "dueAt">;
type Told = Announced & Partial<Pick<Announcement, "plan" | "enteredAt">>;

export interface NoticeFacts {
  /** Whether a notice of that key is recorded. */
  readonly isKnown: (key: string) => boolean;
  readonly watching: Watching | null;
  /** What was due before is nobody's news: this page did not keep notices then. */
  readonly since: Millis;
}

/** All notices of a maintenance as it stands now, the ones to come included, in their order. */
export function noticeMoments(one: Told, watching: Watching | null, now: Millis): readonly NoticeMoment[] {
  const { id, startsAt, retimedAt, cancelledAt, sequence = 0 } = one;
  const told = toldFrom(one);
  const moment = (
    phase: NoticePhase,
    dueAt: Millis | null,
    key = `${id}:${startsAt}:${phase}`,
  ): readonly NoticeMoment[] => (dueAt === null ? [] : [{ key, phase, dueAt }]);
  const over = endedOf(one, now);
  const all = [
    ...(retimedAt === undefined
      ? moment("announced", told)
      : moment("moved", retimedAt, `${id}:${startsAt}:moved:${sequence}`)),
    ...REMINDERS.flatMap(([phase, lead]) => (startsAt - lead > told ? moment(phase, startsAt - lead) : [])),
    ...moment("started", startsAt),
    ...moment("overdue", overdueOf(one, watching, now), overdueKey(one)),
    ...moment("verifying", verifyingSince(one, now)),
  ].filter(({ dueAt }) => dueAt < (cancelledAt ?? Infinity) && dueAt < over);
  const end =
    cancelledAt === undefined
      ? moment("completed", Number.isFinite(over) ? over : null)
      : moment("cancelled", cancelledAt);
  return [...all, ...end].toSorted(
    (a, b) => a.dueAt - b.dueAt || NOTICE_PHASES.indexOf(a.phase) - NOTICE_PHASES.indexOf(b.phase),
  );
}

/** A series stands on the page weeks ahead; what it is told of each time is the week that comes. */
function toldFrom(one: Told): Millis {
  return one.plan?.series === undefined ? toldAt(one) : Math.max(toldAt(one), one.startsAt - 7 * DAY);
}

function overdueOf(one: Told, watching: Watching | null, now: Millis): Millis | null {
  return isSteered(one) ? (overdueFrom(one, watching, now)?.at ?? null) : null;
}

/** What was given more time is overdue anew when that is over. */
function overdueKey({ id, startsAt, plan }: Told): string {
  const key = `${id}:${startsAt}:overdue`;
  return plan?.extendedAt === undefined ? key : `${key}:${plan.extendedAt}`;
}

function isSteered(one: Told): one is Announcement {
  return one.plan !== undefined;
}

/** When it was or will be over by itself; infinite for one that is steered and still open. */
function endedOf(one: Told, now: Millis): Millis {
  if (one.plan === undefined) return endOf(one);
  return maintenanceStatus(one, now) === "completed" ? endOf(one) : Infinity;
}

/** What is to be recorded now, oldest first, without its number. At most one of it goes out. */
export function noticesDue(one: Told, facts: NoticeFacts, now: Millis): readonly Omit<Notice, "number">[] {
  const from = Math.max(facts.since, one.enteredAt ?? one.createdAt);
  const due = noticeMoments(one, facts.watching, now).filter(
    ({ key, dueAt }) => dueAt <= now && dueAt >= from && !facts.isKnown(key),
  );
  return due.map(({ key, phase, dueAt }, i) => ({
    key,
    maintenance: one.id,
    phase,
    dueAt,
    at: now,
    outcome: i === due.length - 1 ? "out" : "skipped",
    name: one.name,
    startsAt: one.startsAt,
    endsAt: one.endsAt,
    emergency: isEmergency(one),
    detail: detailOf(one, phase, facts.watching, now),
  }));
}

/** In which update the words of a notice stand. */
const SAID: Partial<Record<NoticePhase, MaintenanceStatus>> = {
  announced: "scheduled",
  moved: "scheduled",
  verifying: "verifying",
  completed: "completed",
};

function detailOf(one: Told, phase: NoticePhase, watching: Watching | null, now: Millis): string | null {
  if (phase === "overdue") return isSteered(one) ? (overdueFrom(one, watching, now)?.reason ?? null) : null;
  const said = one.updates?.findLast(({ status }) => status === SAID[phase]);
  return said?.body ?? null;
}

/** When the next notice is due that only the clock brings; infinite if none is. */
export function nextNoticeAt(one: Told, facts: NoticeFacts, now: Millis): Millis {
  const to = noticeMoments(one, facts.watching, now).filter(({ key, dueAt }) => dueAt > now && !facts.isKnown(key));
  return to[0]?.dueAt ?? Infinity;
}
