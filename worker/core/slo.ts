/**
 * A promise and what is left of it. The budget is of the whole window, so a page in its first minute is not in breach of
 * a month; maintenance and silence spend nothing of it, and both stand beside the figure.
 *
 *   target 99.9 % over 30 days  ─▶  43 min 12 s may be lost
 *   burn rate 1                 ─▶  the budget lasts exactly as long as the window; 14.4 spends it in two days
 */
import type { DayTally, PageSlo } from "../../protocol/page.ts";
import type { Millis } from "../../protocol/time.ts";
import { DAY, HOUR } from "../../protocol/time.ts";
import { lostMs, uptimeRatio } from "../../protocol/uptime.ts";
import type { StatusSpan } from "./uptime.ts";
import { spent } from "./uptime.ts";

/** What an operator promises of a component. */
export interface Slo {
  /** 0.999 is 99.9 %. */
  readonly target: number;
  /** Whether visitors read of it. */
  readonly isPublic: boolean;
}

/** A promise of all is none that can be kept, and one of less than half says nothing. */
export const TARGET_MIN = 0.5;
export const TARGET_MAX = 0.99999;

export const SLO_DAYS = 30;

/** "The Site Reliability Workbook", chapter 5: 2 % of a month's budget in an hour, 5 % of it in six. */
const BURN_HOUR_MAX = 14.4;
const BURN_SIX_HOURS_MAX = 6;

export const SLO_VERDICTS = ["met", "burning", "missed", "unknown"] as const;
/** `unknown`: nothing was observed. A budget of which nobody looked is not kept by that. */
type SloVerdict = (typeof SLO_VERDICTS)[number];

export interface SloState extends PageSlo {
  /** Share of the budget that is left; negative once more was lost than may be. */
  readonly leftRatio: number;
  /** How many times faster than the budget allows it is being spent; null where nothing was observed. */
  readonly burn: { readonly hour: number | null; readonly sixHours: number | null };
  readonly verdict: SloVerdict;
  readonly reason: string;
}

/** What visitors read of a target; null while nothing was observed. @param days the last `SLO_DAYS` */
export function publicSlo({ target, isPublic }: Slo, days: readonly DayTally[]): PageSlo | null {
  return isPublic && isObserved(days) ? spentOf(target, days) : null;
}

function isObserved(days: readonly DayTally[]): boolean {
  return uptimeRatio(days.map(({ ms }) => ms)) !== null;
}

function spentOf(target: number, days: readonly DayTally[]): PageSlo {
  return { target, days: SLO_DAYS, allowedMs: allowedMs(target), lostMs: lostMs(days.map(({ ms }) => ms)) };
}

/**
 * @param days the last `SLO_DAYS`, as far as anything was observed
 * @param spans of the component up to `now`, corrected as its days are
 */
export function sloState(slo: Slo, days: readonly DayTally[], spans: readonly StatusSpan[], now: Millis): SloState {
  const shown = spentOf(slo.target, days);
  const burn = { hour: burnRate(slo, spans, HOUR, now), sixHours: burnRate(slo, spans, 6 * HOUR, now) };
  const leftRatio = 1 - shown.lostMs / shown.allowedMs;
  return { ...shown, leftRatio, burn, ...(isObserved(days) ? verdictOf(leftRatio, burn) : UNOBSERVED) };
}

const UNOBSERVED = { verdict: "unknown", reason: `nothing was observed in ${SLO_DAYS} days` } as const;

function verdictOf(leftRatio: number, { hour, sixHours }: SloState["burn"]): Pick<SloState, "verdict" | "reason"> {
  if (leftRatio < 0) return { verdict: "missed", reason: `more was lost than ${SLO_DAYS} days may lose` };
  const fast = [
    { rate: hour ?? 0, limit: BURN_HOUR_MAX, of: "1 h" },
    { rate: sixHours ?? 0, limit: BURN_SIX_HOURS_MAX, of: "6 h" },
  ].find(({ rate, limit }) => rate >= limit);
  if (fast === undefined) return { verdict: "met", reason: `${percent(leftRatio)} of the budget is left` };
  const { rate, limit, of } = fast;
  return {
    verdict: "burning",
    reason: `burn rate ${rate.toFixed(1)} over ${of}, limit ${limit}: at that rate a whole budget lasts ${lasts(rate)}`,
  };
}

function lasts(rate: number): string {
  const hours = (SLO_DAYS * 24) / rate;
  return hours < 48 ? `${Math.max(1, Math.floor(hours))} h` : `${Math.floor(hours / 24)} days`;
}

/** Floored: what is left is never shown as more. */
function percent(ratio: number): string {
  return `${Math.floor(ratio * 100)} %`;
}

/** Of the budget that is meant for such a length, not of what was observed of it: as with the budget, silence spends nothing. */
function burnRate({ target }: Slo, spans: readonly StatusSpan[], lengthMs: number, now: Millis): number | null {
  const ms = spent(spans, { from: now - lengthMs, to: now });
  return uptimeRatio([ms]) === null ? null : lostMs([ms]) / (lengthMs * (1 - target));
}

/** In whole ms: 1 − 0.999 is a little more than a thousandth. */
function allowedMs(target: number): number {
  return Math.round((1 - target) * SLO_DAYS * DAY);
}
