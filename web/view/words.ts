/** What states are called, and the sentence at the top. */
import type { PageChange } from "../../protocol/page.ts";
import { isOutOfDate, outlookAt, pageStatus } from "../../protocol/page.ts";
import type { ComponentStatus } from "../../protocol/status.ts";
import type { Millis } from "../../protocol/time.ts";
import { moment } from "./format.ts";

/** "Degraded performance": a status is called what it is named. */
export function statusWord(status: ComponentStatus): string {
  return status.charAt(0).toUpperCase() + status.slice(1).replace("_", " ");
}

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

type Said = Pick<PageChange, "components" | "generatedAt">;

/** The answer, as one sentence. */
export function headline(said: Said, now: Millis, timeZone: string): string {
  const { components } = said;
  if (components.length === 0) return "Nothing is published yet";
  const status = pageStatus(components, now);
  if (status === "operational") return "All systems operational";
  if (isOutOfDate(said, now)) return `No news since ${moment(said.generatedAt, now, timeZone)}`;
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
export function tally(components: Said["components"], now: Millis): string | null {
  const well = components.filter((c) => outlookAt(c, now).status === "operational").length;
  return well === 0 || well === components.length ? null : `${well} of ${components.length} operational`;
}
