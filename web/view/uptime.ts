/** Uptime in words and numbers beside the bars: a target, months, what was corrected, and that past days are frozen. */
import type { DayTally, FrozenMark, PageComponent, PageSlo, PageSnapshot } from "../../protocol/page.ts";
import { COMPONENT_STATUSES } from "../../protocol/status.ts";
import type { Millis } from "../../protocol/time.ts";
import { DAY, MINUTE } from "../../protocol/time.ts";
import { uptimeRatio } from "../../protocol/uptime.ts";
import { dateText, length, uptimeText } from "./format.ts";
import { dayNumber, HISTORY_DAYS, shortDay, today } from "./history.ts";
import type { Html } from "./html.ts";
import { markup } from "./html.ts";
import { statusWord } from "./words.ts";

/** " · target 99.9 %: 31 min left", and nothing without one. */
export function sloText(slo: PageSlo | undefined): string {
  if (slo === undefined) return "";
  const { target, allowedMs, lostMs } = slo;
  const left = allowedMs - lostMs;
  const state = left < 0 ? `missed by ${length(-left)}` : `${length(left)} left`;
  return ` · target ${Number((target * 100).toFixed(5))} %: ${state}`;
}

/** What a target means, where one is shown. */
export function sloRule(components: readonly PageComponent[]): string {
  const days = components.find(({ slo }) => slo !== undefined)?.slo?.days;
  return days === undefined ? "" : ` A target is of ${days} days; what is left of it may still be lost in them.`;
}

/** Thirty days, the month before and this one, each component a row; below it what was corrected. Folded. */
export function uptimeTable({ components, page }: PageSnapshot, now: Millis): Html | null {
  if (components.length === 0) return null;
  const last = today(now, page.timeZone);
  const thisMonth = shortDay(last).split(" ")[1] ?? "";
  const date = Number.parseInt(shortDay(last), 10);
  const before = last - date;
  const ranges = [
    ["30 days", last - 29, last],
    [shortDay(before).split(" ")[1] ?? "", before - Number.parseInt(shortDay(before), 10) + 1, before],
    [thisMonth, before + 1, last],
  ] as const;
  const spans = ranges.map(([, from, to]) => [dayText(from), dayText(to)] as const);
  const rows = components.map(
    ({ name, days }) =>
      markup`<tr><th scope="row">${name}</th>${spans.map(([from, to]) => markup`<td>${figure(days, from, to)}</td>`)}</tr>`,
  );
  const corrected = components.flatMap(corrections);
  return markup`<details><summary>Uptime by month, this one so far</summary><table><thead><tr><td></td>${ranges.map(([word]) => markup`<th scope="col">${word}</th>`)}</tr></thead><tbody>${rows}</tbody></table>${corrected.length > 0 && markup`<p>Corrected after the day was over: ${corrected.join("; ")}.</p>`}</details>`;
}

/** A component's uptime over 90 and 30 days, this month so far and the two before it, newest last. */
export function monthsOf(
  days: readonly DayTally[],
  now: Millis,
  timeZone: string,
): readonly { readonly name: string; readonly uptime: string }[] {
  const last = today(now, timeZone);
  const month = (end: number, back: number): { readonly name: string; readonly from: number; readonly to: number } => {
    const from = end - Number.parseInt(shortDay(end), 10) + 1;
    return back === 0 ? { name: shortDay(end).split(" ")[1] ?? "", from, to: end } : month(from - 1, back - 1);
  };
  const ranges = [
    { name: "90 days", from: last - HISTORY_DAYS + 1, to: last },
    { name: "30 days", from: last - 29, to: last },
    ...[2, 1, 0].map((back) => month(last, back)),
  ];
  return ranges.map(({ name, from, to }) => ({ name, uptime: figure(days, dayText(from), dayText(to)) }));
}

/** "2026-11-23" of a day's number. */
function dayText(day: number): string {
  return dateText(day * DAY, "UTC");
}

function figure(tallies: readonly DayTally[], from: string, to: string): string {
  const within = tallies.filter(({ day }) => from <= day && day <= to);
  const ratio = uptimeRatio(within.map(({ ms }) => ms));
  return ratio === null ? "–" : uptimeText(ratio);
}

/** "Checkout on 20 Nov (was 60 min major outage)" */
function corrections({ name, days }: PageComponent): readonly string[] {
  return days.flatMap(({ day, was }) =>
    was === undefined ? [] : [`${name} on ${shortDay(dayNumber(day))} (was ${tallyText(was)})`],
  );
}

/** "14 min partial outage, 3 min unknown": the worst first. */
export function tallyText(ms: DayTally["ms"]): string {
  const told = COMPONENT_STATUSES.toReversed().flatMap((status) => {
    const spent = ms[status] ?? 0;
    if (status === "operational" || spent === 0) return [];
    return [`${length(Math.max(spent, MINUTE))} ${statusWord(status).toLowerCase()}`];
  });
  return told.length === 0 ? "no trouble" : told.join(", ");
}

/** As many digits as nobody can hit by trying; `npm run -s uptime:verify -- --hash` takes them. */
const HASH_SHOWN = 16;

/** That past days stand, and what proves it. */
export function frozenText(frozen: FrozenMark | undefined): Html | null {
  if (frozen === undefined) return null;
  return markup` Past days are frozen, and a correction shows what stood there before; all of them up to ${frozen.day} have the fingerprint <code>${frozen.hash.slice(0, HASH_SHOWN)}</code>.`;
}
