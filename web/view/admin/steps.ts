/** The way of a maintenance into the cluster and back, as steps with times. The Worker and the browser both render it. */
import type { Millis } from "../../../protocol/time.ts";
import type { ComponentStatus } from "../../../protocol/status.ts";
import type { Html } from "../html.ts";
import { markup } from "../html.ts";
import { shape } from "../shape.ts";
import type { MaintenanceModel } from "./model.ts";
import { moment } from "../english.ts";

type Facts = Pick<
  MaintenanceModel,
  "result" | "appliedAt" | "acceptedAt" | "deliveredAt" | "endedAt" | "endsAt" | "restoredAt" | "startsAt"
>;

/** Where a maintenance stands, in one word that its table, its page and its summary share. */
export type Standing =
  | "scheduled"
  | "requested"
  | "delivered"
  | "accepted"
  | "applied"
  | "refused"
  | "overtaken"
  | "ending"
  | "expired"
  | "restored";

export function standing(m: Facts, now: Millis): Standing {
  if (m.restoredAt !== null) return "restored";
  if (m.result?.state === "forbidden" || m.result?.state === "conflict") return "refused";
  if (m.result?.state === "superseded") return "overtaken";
  if (m.endedAt !== null && m.endedAt <= now) return m.acceptedAt === null ? "restored" : "ending";
  if (m.endsAt <= now) return "expired";
  if (m.appliedAt !== null) return "applied";
  if (m.acceptedAt !== null) return "accepted";
  if (m.deliveredAt !== null) return "delivered";
  return now < m.startsAt ? "scheduled" : "requested";
}

export const STANDING_WORDS: Record<Standing, readonly [string, ComponentStatus]> = {
  scheduled: ["scheduled", "under_maintenance"],
  requested: ["requested", "unknown"],
  delivered: ["agent has it", "unknown"],
  accepted: ["Kubernetes accepted", "unknown"],
  applied: ["applied", "under_maintenance"],
  refused: ["refused", "major_outage"],
  overtaken: ["changed by somebody else", "partial_outage"],
  ending: ["ending", "unknown"],
  expired: ["expired, restoring", "unknown"],
  restored: ["ended", "operational"],
};

interface Step {
  readonly word: string;
  readonly at: Millis | null;
  readonly state: "done" | "next" | "open" | "failed";
  readonly detail: string | null;
}

/** The steps so far, and those still to come. A refusal ends the list: nothing follows it. */
export function maintenanceSteps(m: MaintenanceModel, now: Millis, timeZone: string): readonly Step[] {
  const said = standing(m, now);
  const failed = said === "refused" || said === "overtaken";
  const over = m.endedAt !== null || m.endsAt <= now || m.restoredAt !== null;
  const forward: [string, Millis | null, string | null][] = [
    ["Requested", m.requestedAt, `by ${m.by}`],
    ["Agent has it", m.deliveredAt, m.deliveredAt === null ? `waits for the agent of ${m.cluster}` : null],
    ["Kubernetes accepted", m.acceptedAt, null],
    ["Applied", m.appliedAt, readiness(m)],
  ];
  const back: [string, Millis | null, string | null][] = [
    m.endedAt !== null
      ? ["Ended", m.endedAt, null]
      : m.endsAt <= now
        ? ["Expired", m.endsAt, "the agent restores by itself"]
        : ["Ends", null, `by itself at ${moment(m.endsAt, now, timeZone)}`],
    ["Restored", m.restoredAt, m.restoredAt === null ? null : "the former state is back"],
  ];
  // What was ended before it began has nothing to wait for on the way in.
  const reached = forward.filter(([, at]) => at !== null);
  const all = failed ? reached : [...(over ? reached : forward), ...back];
  const next = all.findIndex(([, at]) => at === null);
  const steps = all.map(([word, at, detail], i): Step => {
    // Nobody waits for the end of what is in force.
    const awaited = i === next && word !== "Ends";
    return { word, at, detail, state: at !== null ? "done" : awaited ? "next" : "open" };
  });
  if (!failed || m.result === null) return steps;
  const word = said === "refused" ? "Refused" : "Changed by somebody else, and left alone";
  return [...steps, { word, at: m.result.at, state: "failed", detail: m.result.reason }];
}

function readiness({ mode, replicas, result }: MaintenanceModel): string | null {
  const evidence = result?.evidence ?? null;
  if (evidence === null) return null;
  const { ready, replicas: now } = evidence;
  return mode === "scale" ? `${ready} of ${replicas ?? now} ready` : `annotated; ${ready} of ${now} ready, unchanged`;
}

const MARKS = {
  done: "operational",
  next: "unknown",
  open: "unknown",
  failed: "major_outage",
} as const satisfies Record<Step["state"], ComponentStatus>;

/** The region that changes live. */
export function stepsRegion(m: MaintenanceModel, now: Millis, timeZone: string): Html {
  const steps = maintenanceSteps(m, now, timeZone).map(
    ({ word, at, state, detail }) =>
      markup`<li class="${state}">${shape(MARKS[state])}<b>${word}</b> <span class="at">${at === null ? (state === "next" ? "waiting" : "") : moment(at, now, timeZone, true)}</span>${detail !== null && markup`<p>${detail}</p>`}</li>
`,
  );
  return markup`<ol class="steps">${steps}</ol>`;
}

/** Whether there is still something to end, or to take back. */
export function canEnd(m: Facts, now: Millis): boolean {
  return m.endedAt === null && m.restoredAt === null && now < m.endsAt;
}

/** Whether it concerns anybody still: not once the former state is back, nor once a refused one is over. */
export function isOpen(m: Facts, now: Millis): boolean {
  const said = standing(m, now);
  return said !== "restored" && (canEnd(m, now) || (said !== "refused" && said !== "overtaken"));
}
