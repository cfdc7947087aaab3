/** Moments and numbers as people read them: in the page's language and zone, which is named beside every time of day. */
import type { Quantile } from "../../protocol/latency.ts";
import type { Millis } from "../../protocol/time.ts";
import { DAY, HOUR, MINUTE, SECOND } from "../../protocol/time.ts";
import { flooredRatio } from "../../protocol/uptime.ts";
import type { Html } from "./html.ts";
import { markup } from "./html.ts";
import { fill } from "./words/fill.ts";
import type { LiveLocale } from "./words/locale.ts";
import type { LiveWords } from "./words/words.ts";

/** Everything that is ever said of a moment, by one format a language and zone: they are slow to make. */
const formats: Record<string, Intl.DateTimeFormat> = {};

function partsOf(at: Millis, intl: string, timeZone: string): Readonly<Record<string, string>> {
  const format = (formats[intl + timeZone] ??= new Intl.DateTimeFormat(intl, {
    timeZone,
    hourCycle: "h23",
    weekday: "short",
    day: "numeric",
    month: "short",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    timeZoneName: "short",
  }));
  return Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, value]));
}

/** A moment's day "Mon 23 Nov", its time of day "14:02", and the zone's name then: "UTC", "CET", "GMT-3". */
function readMoment(
  at: Millis,
  locale: LiveLocale,
  withSeconds = false,
): readonly [day: string, time: string, zone: string] {
  const parts = partsOf(at, locale.intl, locale.timeZone);
  const { hour, minute, second, timeZoneName = locale.timeZone } = parts;
  return [fill(locale.date, parts), `${hour}:${minute}${withSeconds ? `:${second}` : ""}`, timeZoneName];
}

/** "23 Nov" of a day's number, by a text of Intl's parts: `day` or `month`. */
export function shortDay(day: number, words: LiveWords, text: string): string {
  return fill(text, partsOf(day * DAY, words.intl, "UTC"));
}

const dates = new Map<string, Intl.DateTimeFormat>();

/** "2026-11-23" */
export function dateText(at: Millis, timeZone: string): string {
  const format = dates.get(timeZone) ?? new Intl.DateTimeFormat("en-CA", { timeZone });
  dates.set(timeZone, format);
  return format.format(at);
}

/** "Mon 23 Nov" */
export function dayName(at: Millis, locale: LiveLocale): string {
  return readMoment(at, locale)[0];
}

/** "14:02 UTC", with the day before it if that is not today: "Sun 22 Nov 14:02 UTC". */
export function moment(at: Millis, now: Millis, locale: LiveLocale, withSeconds = false): string {
  const [day, time, zone] = readMoment(at, locale, withSeconds);
  return `${day === dayName(now, locale) ? "" : `${day} `}${time} ${zone}`;
}

/** "14:02–16:02 UTC", with days where they help: "Sat 28 Nov 23:00 – Sun 29 Nov 01:00 UTC". */
export function span(from: Millis, until: Millis, now: Millis, locale: LiveLocale): string {
  const [first, start] = readMoment(from, locale);
  const [last, end, zone] = readMoment(until, locale);
  if (first !== last) return `${first} ${start} – ${last} ${end} ${zone}`;
  return `${first === dayName(now, locale) ? "" : `${first} `}${start}–${end} ${zone}`;
}

/** A length in its largest whole unit: "8 s", "14 min", "3 h", "2 days". */
export function length(ms: number, { seconds, minutes, hours, days }: LiveWords): string {
  const [text, unit] =
    ms < MINUTE ? [seconds, SECOND] : ms < 2 * HOUR ? [minutes, MINUTE] : ms < 2 * DAY ? [hours, HOUR] : [days, DAY];
  return fill(text, { n: Math.max(0, Math.floor(ms / unit)) });
}

function plain(value: number, digits: number, { point }: LiveWords): string {
  return String(Number(value.toFixed(digits))).replace(".", point);
}

/** 12.4, 3, 0.35: three figures and no trailing zeros. */
function figures(value: number, words: LiveWords): string {
  return plain(value, value >= 100 ? 0 : value >= 10 ? 1 : 2, words);
}

function number(value: string, unit: string): Html {
  return markup`<b>${value}</b> ${unit}`;
}

function nothing({ noData }: LiveWords): Html {
  return markup`<b aria-hidden="true">–</b><i class="vh">${noData}</i>`;
}

/**
 * "184 ms (100–250)": the estimate, and in small type the bucket that it surely lies in. Where some requests were
 * counted in buckets of the other kind, which cannot be added, "and 187 ms (183–191)" follows for those.
 */
export function quantileText(quantile: Quantile | null, words: LiveWords): Html {
  if (quantile === null) return nothing(words);
  const { also } = quantile;
  const one = oneQuantile(quantile, words);
  return also === undefined ? one : markup`${one} ${words.and} ${oneQuantile(also, words)}`;
}

function oneQuantile(quantile: Quantile, words: LiveWords): Html {
  const [unit, size] = quantile.estimate < SECOND ? ["ms", 1] : ["s", SECOND];
  const inUnit = (ms: number): string => (size === 1 && ms >= 10 ? plain(ms, 0, words) : figures(ms / size, words));
  const lo = inUnit(quantile.lo);
  const range = quantile.hi === null ? `> ${lo}` : `${lo}–${inUnit(quantile.hi)}`;
  return markup`${number(inUnit(quantile.estimate), unit)} <small>(${range})</small>`;
}

/** "0.3 %". An error ratio that is not zero is never shown as zero. */
export function ratioText(ratio: number | null, words: LiveWords): Html {
  if (ratio === null) return nothing(words);
  const percent = ratio * 100;
  return number(percent > 0 && percent < 0.01 ? `< ${figures(0.01, words)}` : figures(percent, words), "%");
}

/** "12.4 req/s", or a minute's count where a second's would be a fraction of one. */
export function rateText(perSecond: number, words: LiveWords): Html {
  if (perSecond > 0 && perSecond < 0.1) return number(figures(perSecond * 60, words), words.perMinute);
  return number(figures(perSecond, words), words.perSecond);
}

/** "99.98 %", floored, so that no outage ever shows as 100 %. Two digits each, to be compared. */
export function uptimeText(ratio: number, words: LiveWords): string {
  return `${ratio === 1 ? 100 : (flooredRatio(ratio, 4) * 100).toFixed(2).replace(".", words.point)} %`;
}
