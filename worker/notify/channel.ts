/**
 * What a channel is: how a message becomes a request, and what an answer means. No I/O and no clock: `worker/objects`
 * asks, and only at the hosts that a channel names.
 */
import type { Answer, Verdict } from "../core/notify-delivery.ts";
import type { Message } from "../core/notify-message.ts";
import type { Millis } from "../../protocol/time.ts";

/** One attempt. */
export interface Attempt {
  /** The delivery's: the same each time. */
  readonly id: string;
  readonly at: Millis;
  /** What signs or proves it, newest first. */
  readonly keys: readonly string[];
}

export interface Outgoing {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface Channel {
  /** The only hosts it is asked at, "*." for all below one; null for any that is public. */
  readonly hosts: readonly string[] | null;
  /** What is wrong with a key that somebody typed, as the end of a sentence; null if nothing, or if it takes none. */
  readonly keyFault: (key: string) => string | null;
  readonly request: (message: Message, attempt: Attempt) => Promise<Outgoing>;
  readonly verdict: (answer: Answer) => Verdict;
}

const STEP_WORDS: Readonly<Record<string, string>> = {
  announced: "announced",
  moved: "moved to another time",
  remind_7d: "begins in a week",
  remind_24h: "begins tomorrow",
  remind_1h: "begins within the hour",
  started: "under way",
  overdue: "takes longer than planned",
  verifying: "done, being verified",
  completed: "completed",
  cancelled: "cancelled",
};

/** "Investigating", "Maintenance begins tomorrow": what a step is called. */
export function stepWords({ topic, step }: Message): string {
  if (topic === "maintenance") return `Maintenance ${STEP_WORDS[step] ?? step}`;
  return step.charAt(0).toUpperCase() + step.slice(1);
}

/** "2026-11-24 02:00–04:00 UTC", or null of what has no window. */
export function windowWords({ window }: Message): string | null {
  if (window === null) return null;
  const [from, to] = [window.startsAt, window.endsAt].map((at) => new Date(at).toISOString());
  const [day = "", start = ""] = (from ?? "").split("T");
  const [lastDay = "", end = ""] = (to ?? "").split("T");
  return `${day} ${start.slice(0, 5)}–${lastDay === day ? "" : `${lastDay} `}${end.slice(0, 5)} UTC`;
}

/** At most `max` UTF-16 units, with a sign where it was cut. */
export function cut(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, max - 1).toWellFormed()}…`;
}
