/** What is proposed to be said when an incident ends: its measured facts, and where something is not known, that. */
import { HOUR, MINUTE } from "../../protocol/time.ts";
import type { Millis } from "../../protocol/time.ts";
import type { SeriesPlan, SeriesPoint } from "./series.ts";
import { evenPlan } from "./series.ts";

/** Requests while it lasted. `isWhole` is false where minutes are missing: there were at least as many. */
export interface Failed {
  readonly requests: number;
  readonly errors: number;
  readonly isWhole: boolean;
}

const SLOTS_MAX = 300;
/** Each divides an hour, or is hours. */
const STEPS_MS = [MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR];

/** What of the archive covers it; null if it lasted longer than one look can see. */
export function resolutionPlan(startedAt: Millis, now: Millis): SeriesPlan | null {
  const stepMs = STEPS_MS.find((step) => (now - startedAt) / step < SLOTS_MAX - 1);
  return stepMs === undefined ? null : evenPlan(now, stepMs, Math.floor((now - startedAt) / stepMs) + 1);
}

export function failedOf(points: readonly SeriesPoint[]): Failed {
  const seen = points.flatMap((point) => point.seen ?? []);
  return {
    requests: seen.reduce((sum, { requests }) => sum + requests, 0),
    errors: seen.reduce((sum, { errors }) => sum + errors, 0),
    isWhole: seen.length === points.length && points.every(({ gap }) => !gap),
  };
}

/** @param failed null if it is not known; `length` and `time` as visitors read them */
export function resolutionText(facts: {
  readonly components: readonly string[];
  readonly length: string;
  readonly time: string;
  readonly failed: Failed | null;
}): string {
  const { components, length, time, failed } = facts;
  const what =
    components.length === 0
      ? "This is over"
      : `${listed(components)} ${components.length > 1 ? "work" : "works"} again`;
  return `${what}. It lasted ${length}, from ${time}. ${requestsText(failed)}`;
}

function requestsText(failed: Failed | null): string {
  if (failed === null || failed.requests === 0) return "How many requests failed is not known.";
  const { requests, errors, isWhole } = failed;
  const count = (n: number): string => n.toLocaleString("en");
  if (errors === 0) return isWhole ? "No request failed." : "No request is known to have failed.";
  return `${isWhole ? "" : "At least "}${count(errors)} of ${count(requests)} requests failed.`;
}

function listed(names: readonly string[]): string {
  const last = names.at(-1) ?? "";
  return names.length < 2 ? last : `${names.slice(0, -1).join(", ")} and ${last}`;
}
