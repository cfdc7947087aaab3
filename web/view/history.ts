/**
 * Ninety days as one small picture: a path a state, and in each path one stroke a run of days. The stroke's dashes cut
 * it into bars, so a quiet quarter costs the bytes of a single line.
 *
 *   viewBox 90 × 10, a day is one unit wide:  ▕▔▔▔▏ base, full height: the day was observed
 *                                            ▕  ▄▏ trouble rises from below, higher if worse: readable in greyscale
 *                                            ▕ ▁ ▏ hollow: nothing was observed
 */
import type { DayTally } from "../../protocol/page.ts";
import type { ComponentStatus } from "../../protocol/status.ts";
import type { Millis } from "../../protocol/time.ts";
import { MINUTE } from "../../protocol/time.ts";
import { uptimeRatio } from "../../protocol/uptime.ts";
import { dateText, length, shortDay, uptimeText } from "./format.ts";
import type { Html } from "./html.ts";
import { markup } from "./html.ts";
import { fill } from "./words/fill.ts";
import type { Locale } from "./words/locale.ts";
import type { LiveWords } from "./words/words.ts";

export const HISTORY_DAYS = 90;

/** What a day is drawn as: the worst that was seen, else what it mostly was. `null`: nothing was observed. */
export function dayMark(ms: DayTally["ms"]): ComponentStatus | null {
  const { operational = 0, unknown = 0, under_maintenance: maintenance = 0 } = ms;
  for (const status of ["major_outage", "partial_outage", "degraded_performance"] as const) {
    if ((ms[status] ?? 0) > 0) return status;
  }
  if (maintenance > 0) return "under_maintenance";
  if (operational === 0 && unknown === 0) return null;
  // Green needs evidence for at least half of what is known of the day.
  return operational >= unknown ? "operational" : "unknown";
}

/** Days since 1970-01-01 of a YYYY-MM-DD (Howard Hinnant, "chrono-compatible low-level date algorithms"). */
export function dayNumber(day: string): number {
  // Cut by place: a page of 20 components asks this 1,800 times.
  const [year, month, date] = [Number(day.slice(0, 4)), Number(day.slice(5, 7)), Number(day.slice(8, 10))];
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + date - 1;
  return (
    era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - 719_468
  );
}

/** The number of the day that holds `now` in a zone. */
export function today(now: Millis, timeZone: string): number {
  return dayNumber(dateText(now, timeZone));
}

/** Where the strokes of a layer lie, if not along the upper edge: silence is three dashes, not a bar. */
const HEIGHTS: Readonly<Record<string, readonly number[]>> = { unknown: [1, 5, 9] };

const LAYERS = [
  "none",
  "unknown",
  "operational",
  "under_maintenance",
  "degraded_performance",
  "partial_outage",
  "major_outage",
] as const;

/** Whether a day is part of a layer: trouble is drawn over the bar of a day that was observed. */
function inLayer(mark: ComponentStatus | null | undefined, layer: (typeof LAYERS)[number]): boolean {
  if (mark === undefined) return false;
  if (mark === null) return layer === "none";
  return mark === layer || (layer === "operational" && mark !== "unknown");
}

/** The runs of each layer as path data, from below: "M12 0h3" is three days from the twelfth on. */
function runs(marks: readonly (ComponentStatus | null)[]): [(typeof LAYERS)[number], string][] {
  return LAYERS.flatMap((layer): [(typeof LAYERS)[number], string][] => {
    let path = "";
    let start = -1;
    for (let i = 0; i <= marks.length; i++) {
      const isIn = inLayer(marks[i], layer);
      if (isIn && start < 0) start = i;
      if (!isIn && start >= 0) {
        for (const y of HEIGHTS[layer] ?? [0]) path += `M${start} ${y}h${i - start}`;
        start = -1;
      }
    }
    return path === "" ? [] : [[layer, path]];
  });
}

/** What a day can have had besides being well, worst first, each with its letter in the read-out. */
export const TROUBLE = [
  ["major_outage", "x"],
  ["partial_outage", "p"],
  ["degraded_performance", "d"],
  ["under_maintenance", "m"],
  ["unknown", "u"],
] as const;

/**
 * The days that differ from "no trouble", for `tellDay`: "-12 40 87p14d3" is no data before the twelfth and on the
 * fortieth day, and 14 and 3 minutes of trouble on the 87th. Small, because most days have nothing to tell.
 */
function readOut(days: ReadonlyMap<number, DayTally["ms"]>, begin: number): string {
  const told: string[] = [`-${begin < 0 ? HISTORY_DAYS : begin}`];
  for (let i = begin; i >= 0 && i < HISTORY_DAYS; i++) {
    const ms = days.get(i) ?? {};
    if (dayMark(ms) === null) told.push(String(i));
    const parts = TROUBLE.map(([status, letter]) => [letter, Math.ceil((ms[status] ?? 0) / MINUTE)] as const);
    const text = parts.map(([letter, minutes]) => (minutes > 0 ? letter + minutes : "")).join("");
    if (text !== "") told.push(i + text);
  }
  return told.join(" ");
}

/** "14 min partial outage, 3 min degraded": what a read-out says of the day `index`. */
export function tellDay(readout: string, index: number, words: LiveWords): string {
  const [begin, ...entries] = readout.split(" ");
  if (index < -Number(begin)) return words.noData;
  const entry = entries.find((text) => Number.parseInt(text, 10) === index);
  if (entry === undefined) return words.noTrouble;
  const parts = Object.entries(words.trouble).flatMap(([letter, word]) => {
    const [, minutes] = entry.split(letter);
    return minutes === undefined ? [] : `${length(Number.parseInt(minutes, 10) * MINUTE, words)} ${word}`;
  });
  return parts.join(", ") || words.noData;
}

/** The bars of one component with their caption: "99.98 % in 90 days", and what is to stand behind it. */
export function historyBars(tallies: readonly DayTally[], now: Millis, locale: Locale, behind = ""): Html {
  const last = today(now, locale.timeZone);
  const first = last - HISTORY_DAYS + 1;
  const days = new Map(
    tallies
      .map((tally) => [dayNumber(tally.day) - first, tally.ms] as const)
      .filter(([i]) => i >= 0 && i < HISTORY_DAYS),
  );
  const marks = Array.from({ length: HISTORY_DAYS }, (_, i) => dayMark(days.get(i) ?? {}));
  const begin = marks.findIndex((mark) => mark !== null);
  const paths = runs(marks).map(([layer, d]) =>
    layer === "none"
      ? markup`<path class="none" d="${d}"/><path class="gap" d="${d}"/>`
      : markup`<path class="${layer}" d="${d}"/>`,
  );
  return markup`<div class="h" data-steps="${HISTORY_DAYS}" data-x="${readOut(days, begin)}"><div class="bars" tabindex="0" role="img" aria-label="${summary(days, begin, first, locale)}"><svg viewBox="0 0 90 10" preserveAspectRatio="none" aria-hidden="true">${paths}</svg></div><p>${caption(tallies, begin, first, locale)}${behind}</p></div>`;
}

function caption(tallies: readonly DayTally[], begin: number, first: number, locale: Locale): Html {
  const { words } = locale;
  const ratio = uptimeRatio(tallies.map(({ ms }) => ms));
  if (ratio === null) return markup`${words.noDataYet}`;
  const since =
    begin <= 0
      ? fill(words.inDays, { n: HISTORY_DAYS })
      : `· ${fill(words.historyStarts, { day: shortDay(first + begin, locale, locale.day) })}`;
  return markup`<b>${uptimeText(ratio, locale)}</b> ${since}`;
}

/** The picture in words: how long it was what. */
function summary(days: ReadonlyMap<number, DayTally["ms"]>, begin: number, first: number, locale: Locale): string {
  const { words } = locale;
  const all = fill(words.history, { n: HISTORY_DAYS });
  if (begin < 0) return `${all}: ${words.noDataYet}`;
  const told = TROUBLE.flatMap(([status, letter]) => {
    const hit = [...days.values()].filter((ms) => (ms[status] ?? 0) > 0);
    const total = hit.reduce((sum, ms) => sum + (ms[status] ?? 0), 0);
    return hit.length === 0 ? [] : [`${length(total, locale)} ${locale.trouble[letter]}`];
  });
  const start = begin > 0 ? fill(words.historyStarts, { day: shortDay(first + begin, locale, locale.day) }) : all;
  return `${start}: ${told.length === 0 ? locale.noTrouble : told.join(", ")}`;
}
