/** Reminders to say more of an incident: set by an operator, gone once somebody says something, due if nobody does. */
import { MINUTE } from "../../protocol/time.ts";
import type { Millis } from "../../protocol/time.ts";
import type { Incident } from "./incident.ts";

/** One an incident. It is kept beside it, because setting one says nothing of the incident itself. */
export interface Reminder {
  readonly incident: string;
  /** When the next update is due. */
  readonly at: Millis;
  /** Whether visitors read that the next update comes by then. */
  readonly isPublic: boolean;
  readonly by: string;
  readonly setAt: Millis;
  /** When operators' open pages were told that it is due; null until then. */
  readonly toldAt: Millis | null;
}

type ReminderState = "waiting" | "due" | "overdue";

/** Nobody says something in the very minute. */
const OVERDUE_MS = 10 * MINUTE;

function reminderState({ at }: Pick<Reminder, "at">, now: Millis): ReminderState {
  if (now < at) return "waiting";
  return now < at + OVERDUE_MS ? "due" : "overdue";
}

/** An update that should have been posted by now. */
export interface Due {
  readonly id: string;
  readonly name: string;
  readonly at: Millis;
  readonly state: Exclude<ReminderState, "waiting">;
}

/** The longest overdue first. */
export function duesOf(
  reminders: readonly Reminder[],
  incidents: ReadonlyMap<string, Pick<Incident, "name">>,
  now: Millis,
): readonly Due[] {
  return reminders
    .toSorted((a, b) => a.at - b.at)
    .flatMap((one) => {
      const state = reminderState(one, now);
      const incident = incidents.get(one.incident);
      return state === "waiting" || incident === undefined
        ? []
        : [{ id: one.incident, name: incident.name, at: one.at, state }];
    });
}

/** When somebody must next be told; null if nobody needs to. */
export function nextReminderAt(reminders: readonly Reminder[]): Millis | null {
  const waiting = reminders.filter(({ toldAt }) => toldAt === null).map(({ at }) => at);
  return waiting.length === 0 ? null : Math.min(...waiting);
}

/** Those that operators are to be told of now. */
export function remindersToTell(reminders: readonly Reminder[], now: Millis): readonly Reminder[] {
  return reminders.filter(({ toldAt, at }) => toldAt === null && at <= now);
}

/** By when visitors are promised the next update, by incident. A promise that was not kept is not repeated. */
export function promises(reminders: readonly Reminder[], now: Millis): ReadonlyMap<string, Millis> {
  const kept = reminders.filter(({ isPublic, at }) => isPublic && now < at);
  return new Map(kept.map(({ incident, at }) => [incident, at]));
}
