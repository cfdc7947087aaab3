/** Moments and numbers as people read them. Always in the page's zone, which is named beside every time of day. */
import type { Quantile } from "../../protocol/latency.ts";
import type { Millis } from "../../protocol/time.ts";
import { DAY, HOUR, MINUTE, SECOND } from "../../protocol/time.ts";
import { flooredRatio } from "../../protocol/uptime.ts";
import type { Html } from "./html.ts";
import { markup } from "./html.ts";

/** Everything that is ever said of a moment, by one format a zone: they are slow to make, and a page has two zones. */
const formats: Record<string, Intl.DateTimeFormat> = {};

function partsOf(at: Millis, timeZone: string): Readonly<Record<string, string>> {
  const format = (formats[timeZone] ??= new Intl.DateTimeFormat("en-GB", {
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
  timeZone: string,
  withSeconds = false,
): readonly [day: string, time: string, zone: string] {
  const { weekday, day, month, hour, minute, second, timeZoneName = timeZone } = partsOf(at, timeZone);
  return [`${weekday} ${day} ${month}`, `${hour}:${minute}${withSeconds ? `:${second}` : ""}`, timeZoneName];
}

/** "Mon 23 Nov" */
export function dayName(at: Millis, timeZone: string): string {
  return readMoment(at, timeZone)[0];
}

const dates = new Map<string, Intl.DateTimeFormat>();

/** "2026-11-23" */
export function dateText(at: Millis, timeZone: string): string {
  const format = dates.get(timeZone) ?? new Intl.DateTimeFormat("en-CA", { timeZone });
  dates.set(timeZone, format);
  return format.format(at);
}

/** "14:02 UTC", with the day before it if that is not today: "Sun 22 Nov 14:02 UTC". */
export function moment(at: Millis, now: Millis, timeZone: string, withSeconds = false): string {
  const [day, time, zone] = readMoment(at, timeZone, withSeconds);
  return `${day === dayName(now, timeZone) ? "" : `${day} `}${time} ${zone}`;
}

/** "14:02–16:02 UTC", with days where they help: "Sat 28 Nov 23:00 – Sun 29 Nov 01:00 UTC". */
export function span(from: Millis, until: Millis, now: Millis, timeZone: string): string {
  const [first, start] = readMoment(from, timeZone);
  const [last, end, zone] = readMoment(until, timeZone);
  if (first !== last) return `${first} ${start} – ${last} ${end} ${zone}`;
  return `${first === dayName(now, timeZone) ? "" : `${first} `}${start}–${end} ${zone}`;
}

/** A length in its largest whole unit: "8 s", "14 min", "3 h", "2 days". */
export function length(ms: number): string {
  if (ms < MINUTE) return `${Math.max(0, Math.floor(ms / SECOND))} s`;
  if (ms < 2 * HOUR) return `${Math.floor(ms / MINUTE)} min`;
  if (ms < 2 * DAY) return `${Math.floor(ms / HOUR)} h`;
  return `${Math.floor(ms / DAY)} days`;
}

function plain(value: number, digits: number): string {
  return String(Number(value.toFixed(digits)));
}

/** 12.4, 3, 0.35: three figures and no trailing zeros. */
function figures(value: number): string {
  return plain(value, value >= 100 ? 0 : value >= 10 ? 1 : 2);
}

function number(value: string, unit: string): Html {
  return markup`<b>${value}</b> ${unit}`;
}

const NOTHING: Html = markup`<b aria-hidden="true">–</b><i class="vh">no data</i>`;

/**
 * "184 ms (100–250)": the estimate, and in small type the bucket that it surely lies in. Where some requests were
 * counted in buckets of the other kind, which cannot be added, "and 187 ms (183–191)" follows for those.
 */
export function quantileText(quantile: Quantile | null): Html {
  if (quantile === null) return NOTHING;
  const { also } = quantile;
  return also === undefined ? oneQuantile(quantile) : markup`${oneQuantile(quantile)} and ${oneQuantile(also)}`;
}

function oneQuantile(quantile: Quantile): Html {
  const [unit, size] = quantile.estimate < SECOND ? ["ms", 1] : ["s", SECOND];
  const inUnit = (ms: number): string => (size === 1 && ms >= 10 ? plain(ms, 0) : figures(ms / size));
  const range = quantile.hi === null ? `over ${inUnit(quantile.lo)}` : `${inUnit(quantile.lo)}–${inUnit(quantile.hi)}`;
  return markup`${number(inUnit(quantile.estimate), unit)} <small>(${range})</small>`;
}

/** "0.3 %". An error ratio that is not zero is never shown as zero. */
export function ratioText(ratio: number | null): Html {
  if (ratio === null) return NOTHING;
  const percent = ratio * 100;
  if (percent > 0 && percent < 0.01) return number("< 0.01", "%");
  return number(figures(percent), "%");
}

/** "12.4 req/s", or a minute's count where a second's would be a fraction of one. */
export function rateText(perSecond: number): Html {
  if (perSecond > 0 && perSecond < 0.1) return number(figures(perSecond * 60), "req/min");
  return number(figures(perSecond), "req/s");
}

/** "99.98 %", floored, so that no outage ever shows as 100 %. Two digits each, to be compared. */
export function uptimeText(ratio: number): string {
  return ratio === 1 ? "100 %" : `${(flooredRatio(ratio, 4) * 100).toFixed(2)} %`;
}
