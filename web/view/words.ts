/** What states are called, and the sentence at the top. */
import type { PageComponent } from "../../protocol/page.ts";
import { outlookAt, pageStatus } from "../../protocol/page.ts";
import type { ComponentStatus } from "../../protocol/status.ts";
import type { Millis } from "../../protocol/time.ts";

export const STATUS_WORDS: Record<ComponentStatus, string> = {
  operational: "Operational",
  under_maintenance: "Under maintenance",
  unknown: "Unknown",
  degraded_performance: "Degraded performance",
  partial_outage: "Partial outage",
  major_outage: "Major outage",
};

/** What is said of one after "is", and of several after "are". */
const PREDICATES: Record<ComponentStatus, string> = {
  operational: "operational",
  under_maintenance: "under maintenance",
  unknown: "not reporting",
  degraded_performance: "degraded",
  partial_outage: "failing for some requests",
  major_outage: "down",
};

/** A longer name does not fit a headline beside its verb. */
const NAME_MAX = 40;

type Named = Pick<PageComponent, "name" | "outlook">;

/** The answer, as one sentence. */
export function headline(components: readonly Named[], now: Millis): string {
  if (components.length === 0) return "Nothing is published yet";
  const status = pageStatus(components, now);
  if (status === "operational") return "All systems operational";
  const names = components.filter((c) => outlookAt(c, now).status === status).map((c) => c.name);
  // "All are not" reads as "not all are".
  if (status === "unknown" && names.length > 1 && names.length === components.length)
    return "No component is reporting";
  return `${subject(names, components.length)} ${PREDICATES[status]}`;
}

function subject(names: readonly string[], total: number): string {
  if (names.length > 1 && names.length === total) return "All components are";
  if (names.length > 2 || names.some((name) => name.length > NAME_MAX)) {
    return `${names.length} of ${total} components ${names.length > 1 ? "are" : "is"}`;
  }
  return `${names.join(" and ")} ${names.length > 1 ? "are" : "is"}`;
}

/** "17 of 20 operational", or null where the headline has said it. */
export function tally(components: readonly Named[], now: Millis): string | null {
  const well = components.filter((c) => outlookAt(c, now).status === "operational").length;
  return components.length < 2 || well === components.length ? null : `${well} of ${components.length} operational`;
}
