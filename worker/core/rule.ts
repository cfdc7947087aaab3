/** How the statuses of several parts become one: a component's services, or its clusters. */
import type { ComponentStatus } from "../../protocol/status.ts";
import { COMPONENT_STATUSES } from "../../protocol/status.ts";
import { THRESHOLDS } from "./thresholds.ts";

/**
 * `all`: as bad as the worst of its parts. `any`: well while one of them is. `quorum`: well while a number of them are.
 * The parts are its clusters, each of which is as bad as the worst of its services there: clusters stand in for each
 * other. A component of one cluster has its services for parts.
 */
export const RULES = ["all", "any", "quorum"] as const;
export type Rule = (typeof RULES)[number];

export interface Part {
  readonly status: ComponentStatus;
  /** Requests a second that it usually gets; null if that is not known, or if parts do not stand in for each other. */
  readonly usualPerSecond: number | null;
  /** Scaled to zero: unknown, but not for want of news. It serves nobody, and stands in for nobody. */
  readonly isOff?: boolean;
}

export interface Ruled {
  readonly status: ComponentStatus;
  /** The first part that is as bad as this; null if there is no part. */
  readonly by: number | null;
  /** Set if a major outage of parts is a partial one of the whole: the share of usual traffic that they get. */
  readonly failingShare: number | null;
}

/** @param quorum how many parts must be well; what is missing or more than there are means all */
export function ruled(rule: Rule, quorum: number | undefined, parts: readonly Part[]): Ruled {
  const needed = rule === "any" ? 1 : rule === "all" ? parts.length : Math.min(quorum ?? parts.length, parts.length);
  const found = nthMildest(parts, needed, rule !== "all");
  const status = (found?.isOff === true ? nthMildest(parts, needed, false) : found)?.status ?? null;
  if (status === null) return { status: "unknown", by: null, failingShare: null };
  const by = parts.findIndex((part) => part.status === status);
  const share = rule === "all" && status === "major_outage" ? minorFailingShare(parts) : null;
  return { status: share === null ? status : "partial_outage", by, failingShare: share };
}

/**
 * Silence stands where the order of statuses puts it, between being well and being in trouble: what could still be met
 * is unknown, and not an outage.
 *
 * @param offLast what is switched off comes after all others
 */
function nthMildest(parts: readonly Part[], n: number, offLast: boolean): Part | null {
  const place = ({ status, isOff }: Part): number =>
    offLast && isOff === true ? COMPONENT_STATUSES.length : rank(status);
  return parts.toSorted((a, b) => place(a) - place(b))[n - 1] ?? null;
}

function rank(status: ComponentStatus): number {
  return COMPONENT_STATUSES.indexOf(status);
}

/**
 * The share of usual traffic that goes to parts in a major outage, if the rest is surely served: an outage is major when
 * more than half of the requests fail, wherever. Null if it is that, or if it cannot be told: a part that is silent, or
 * whose traffic is not known, softens nothing.
 */
function minorFailingShare(parts: readonly Part[]): number | null {
  let [total, failing, served] = [0, 0, 0];
  for (const { status, usualPerSecond } of parts) {
    if (usualPerSecond === null) return null;
    total += usualPerSecond;
    if (status === "major_outage") failing += usualPerSecond;
    else if (status !== "unknown" && status !== "under_maintenance") served += usualPerSecond;
  }
  return total > 0 && served >= total * (1 - THRESHOLDS.errorRatioMajor) ? failing / total : null;
}
