/** Moments and numbers where only English is spoken: operators' pages, and what other sites embed. */
import type { Quantile } from "../../protocol/latency.ts";
import type { ComponentStatus } from "../../protocol/status.ts";
import type { PageChange } from "../../protocol/page.ts";
import type { Millis } from "../../protocol/time.ts";
import * as format from "./format.ts";
import * as sentences from "./headline.ts";
import type { Html } from "./html.ts";
import { liveEnglish } from "./words/en.ts";
import type { LiveLocale } from "./words/locale.ts";

const english = (timeZone: string): LiveLocale => ({ ...liveEnglish, timeZone });

export function moment(at: Millis, now: Millis, timeZone: string, withSeconds = false): string {
  return format.moment(at, now, english(timeZone), withSeconds);
}

export function span(from: Millis, until: Millis, now: Millis, timeZone: string): string {
  return format.span(from, until, now, english(timeZone));
}

export function length(ms: number): string {
  return format.length(ms, liveEnglish);
}

export function quantileText(quantile: Quantile | null): Html {
  return format.quantileText(quantile, liveEnglish);
}

export function ratioText(ratio: number | null): Html {
  return format.ratioText(ratio, liveEnglish);
}

export function rateText(perSecond: number): Html {
  return format.rateText(perSecond, liveEnglish);
}

export function uptimeText(ratio: number): string {
  return format.uptimeText(ratio, liveEnglish);
}

export function statusWord(status: ComponentStatus): string {
  return liveEnglish.status[status];
}

export function headline(said: Pick<PageChange, "components" | "generatedAt">, now: Millis, timeZone: string): string {
  return sentences.headline(said, null, now, english(timeZone));
}

/** A name that visitors may like: the workload's own, made readable. @param ref namespace/name, with its cluster or without */
export function readableName(ref: string): string {
  const words = (ref.split("/").at(-1) ?? "").replace(/[-.]+/g, " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}
