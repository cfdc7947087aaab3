/** Uptime in words and numbers beside the bars: a target, months, what was corrected, and that past days are frozen. */
import type { DayTally, FrozenMark, PageComponent, PageSlo, PageSnapshot } from "../../protocol/page.ts";
import type { Millis } from "../../protocol/time.ts";
import { DAY, MINUTE } from "../../protocol/time.ts";
import { uptimeRatio } from "../../protocol/uptime.ts";
import { dateText, length, shortDay, uptimeText } from "./format.ts";
import { dayNumber, HISTORY_DAYS, today, TROUBLE } from "./history.ts";
import type { Html } from "./html.ts";
import { markup } from "./html.ts";
import { fill, filled } from "./words/fill.ts";
import type { LiveLocale, Locale } from "./words/locale.ts";

/** " · target 99.9 %: 31 min left", and nothing without one. */
export function sloText(slo: PageSlo | undefined, locale: Locale): string {
  if (slo === undefined) return "";
  const { target, allowedMs, lostMs } = slo;
  const left = allowedMs - lostMs;
  const { words } = locale;
  const state = fill(left < 0 ? words.targetMissed : words.targetLeft, { length: length(Math.abs(left), locale) });
  const percent = String(Number((target * 100).toFixed(5))).replace(".", locale.point);
  return ` · ${fill(words.target, { percent, state })}`;
}

/** Whether visitors see of a component how long it was up, or its numbers. */
export function shows({ withheld = [] }: PageComponent, what: "uptime" | "numbers"): boolean {
  return !withheld.includes(what);
}

/** What a target means, where one is shown. */
function sloRule(components: readonly PageComponent[], { words }: Locale): string {
  const days = components.find(({ slo }) => slo !== undefined)?.slo?.days;
  return days === undefined ? "" : ` ${fill(words.targetRule, { n: days })}`;
}

/** How uptime is counted, what it was, and what was corrected of it. */
export function counting(snapshot: PageSnapshot, now: Millis, locale: Locale): Html {
  const { frozen, components } = snapshot;
  const { words, timeZone } = locale;
  const isProbed = components.some(({ outside }) => outside !== undefined);
  return markup`<section id="counting"><h2>${words.counting}</h2><p>${fill(words.countingRule, { zone: timeZone.replace(/^Etc\//, "") })}${frozenText(frozen, locale)}${sloRule(components, locale)} ${words.countingBars}</p><p>${words.countingP95}${isProbed && ` ${words.countingOutside}`} ${words.countingSilence}</p>${uptimeTable(snapshot, now, locale)}</section>`;
}

/** Thirty days, the month before and this one, each component a row; below it what was corrected. Folded. */
function uptimeTable(snapshot: PageSnapshot, now: Millis, locale: Locale): Html | null {
  const components = snapshot.components.filter((one) => shows(one, "uptime"));
  if (components.length === 0) return null;
  const { words, timeZone } = locale;
  const last = today(now, timeZone);
  const before = last - dateOf(last);
  const ranges = [
    [words.thirtyDays, last - 29, last],
    [shortDay(before, locale, words.month), before - dateOf(before) + 1, before],
    [shortDay(last, locale, words.month), before + 1, last],
  ] as const;
  const spans = ranges.map(([, from, to]) => [dayText(from), dayText(to)] as const);
  const rows = components.map(
    ({ name, days }) =>
      markup`<tr><th scope="row">${name}</th>${spans.map(([from, to]) => markup`<td>${figure(days, from, to, locale)}</td>`)}</tr>`,
  );
  const corrected = components.flatMap((component) => corrections(component, locale));
  return markup`<details><summary>${words.uptimeByMonth}</summary><table><thead><tr><td></td>${ranges.map(([word]) => markup`<th scope="col">${word}</th>`)}</tr></thead><tbody>${rows}</tbody></table>${corrected.length > 0 && markup`<p>${fill(words.corrected, { list: corrected.join("; ") })}</p>`}</details>`;
}

/** A component's uptime over 90 and 30 days, this month so far and the two before it, newest last. */
export function monthsOf(
  days: readonly DayTally[],
  now: Millis,
  locale: Locale,
): readonly { readonly name: string; readonly uptime: string }[] {
  const { words } = locale;
  const last = today(now, locale.timeZone);
  const month = (end: number, back: number): { readonly name: string; readonly from: number; readonly to: number } => {
    const from = end - dateOf(end) + 1;
    return back === 0 ? { name: shortDay(end, locale, words.month), from, to: end } : month(from - 1, back - 1);
  };
  const ranges = [
    { name: words.chart.ninetyDays, from: last - HISTORY_DAYS + 1, to: last },
    { name: words.thirtyDays, from: last - 29, to: last },
    ...[2, 1, 0].map((back) => month(last, back)),
  ];
  return ranges.map(({ name, from, to }) => ({ name, uptime: figure(days, dayText(from), dayText(to), locale) }));
}

/** "2026-11-23" of a day's number. */
function dayText(day: number): string {
  return dateText(day * DAY, "UTC");
}

/** 23 of a day's number. */
function dateOf(day: number): number {
  return Number(dayText(day).slice(-2));
}

function figure(tallies: readonly DayTally[], from: string, to: string, locale: Locale): string {
  const within = tallies.filter(({ day }) => from <= day && day <= to);
  const ratio = uptimeRatio(within.map(({ ms }) => ms));
  return ratio === null ? "–" : uptimeText(ratio, locale);
}

/** "Checkout on 20 Nov (was 60 min major outage)" */
function corrections({ name, days }: PageComponent, locale: Locale): readonly string[] {
  return days.flatMap(({ day, was }) =>
    was === undefined
      ? []
      : [
          fill(locale.words.correction, {
            name,
            day: shortDay(dayNumber(day), locale, locale.day),
            was: tallyText(was, locale),
          }),
        ],
  );
}

/** "14 min partial outage, 3 min no report": the worst first. */
export function tallyText(ms: DayTally["ms"], locale: LiveLocale): string {
  const told = TROUBLE.flatMap(([status, letter]) => {
    const spent = ms[status] ?? 0;
    return spent === 0 ? [] : [`${length(Math.max(spent, MINUTE), locale)} ${locale.trouble[letter]}`];
  });
  return told.length === 0 ? locale.noTrouble : told.join(", ");
}

/** As many digits as nobody can hit by trying; `npm run -s uptime:verify -- --hash` takes them. */
const HASH_SHOWN = 16;

/** That past days stand, and what proves it. */
function frozenText(frozen: FrozenMark | undefined, { words }: Locale): Html | null {
  if (frozen === undefined) return null;
  const hash = markup`<code>${frozen.hash.slice(0, HASH_SHOWN)}</code>`;
  return markup` ${filled(words.frozen, { day: frozen.day, hash })}`;
}
