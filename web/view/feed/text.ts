/** What people announced, as the text that feeds and calendars carry. English: they are for programs first. */
import type { IncidentStatus, MaintenanceStatus, PageMaintenance, PageUpdate } from "../../../protocol/page.ts";
import type { Millis } from "../../../protocol/time.ts";
import type { Html } from "../html.ts";
import { markup, trusted } from "../html.ts";
import { renderMarkdown } from "../markdown.ts";

const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone);
  if (known !== undefined) return known;
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone,
    hourCycle: "h23",
    month: "short",
    day: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    timeZoneName: "short",
  });
  formats.set(timeZone, format);
  return format;
}

interface WireMoment {
  /** `Nov <var data-var='date'>23</var>` */
  readonly date: Html;
  /** `<var data-var='time'>14:02</var>` */
  readonly time: Html;
  readonly zone: string;
}

/** As Statuspage writes it, without a year: clients look for these very elements. */
function wireMoment(at: Millis, timeZone: string): WireMoment {
  const parts = Object.fromEntries(
    formatOf(timeZone)
      .formatToParts(at)
      .map(({ type, value }) => [type, value]),
  );
  return {
    date: markup`${parts["month"]} <var data-var='date'>${parts["day"]}</var>`,
    time: markup`<var data-var='time'>${parts["hour"]}:${parts["minute"]}</var>`,
    zone: parts["timeZoneName"] ?? timeZone,
  };
}

/** "In progress": a status is called what it is named. */
function statusTitle(status: IncidentStatus | MaintenanceStatus): string {
  return status.charAt(0).toUpperCase() + status.slice(1).replace("_", " ");
}

/** Each update as a paragraph, newest first: `<p><small>Nov 23, 14:02 UTC</small><br><strong>Status</strong> - body</p>`. */
export function updatesHtml(
  updates: readonly PageUpdate<IncidentStatus | MaintenanceStatus>[],
  timeZone: string,
): Html {
  return markup`${updates.map((update) => updateHtml(update, timeZone))}`;
}

function updateHtml(update: PageUpdate<IncidentStatus | MaintenanceStatus>, timeZone: string): Html {
  const { date, time, zone } = wireMoment(update.displayAt, timeZone);
  const head = markup`<p><small>${date}, ${time} ${zone}</small><br><strong>${statusTitle(update.status)}</strong>`;
  const body = renderMarkdown(update.body);
  // Paragraphs do not nest: the first of the body goes on where the status stands.
  return body.text.startsWith("<p>")
    ? markup`${head} - ${trusted(body.text.slice("<p>".length))}`
    : markup`${head}</p>${body}`;
}

/** When it is, in bold above everything else; and that it is not, if it was called off. */
export function windowHtml({ startsAt, endsAt, cancelledAt }: PageMaintenance, timeZone: string): Html {
  const [from, to] = [wireMoment(startsAt, timeZone), wireMoment(endsAt, timeZone)];
  const isOneDay = from.date.text === to.date.text;
  const span = markup`${from.date}, ${from.time} - ${isOneDay ? "" : markup`${to.date}, `}${to.time} ${to.zone}`;
  return cancelledAt === undefined
    ? markup`<p><strong>THIS IS A SCHEDULED EVENT ${span}</strong></p>`
    : markup`<p><strong>CANCELLED</strong> - this maintenance will not take place. It was planned for ${span}.</p>`;
}

/** A page is called "Acme" or "Acme status"; its feeds say what they are the history of. */
export function statusName(name: string): string {
  return /status$/i.test(name) ? name : `${name} Status`;
}

/** XML 1.0 has no way to say these, not even escaped. */
const NOT_IN_XML = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu;

/** Text that XML can carry. */
export function xmlText(text: string): string {
  return text.replaceAll(NOT_IN_XML, "\uFFFD");
}

/** Marks that turn text around: they could show a name as another one. */
const OVERRIDES = /[\u202A-\u202E\u2066-\u2069]/g;

/** Plain text for clients of which some take it for markup: brackets that could open a tag become ones that cannot. */
export function tagless(text: string): string {
  return xmlText(text).replaceAll(OVERRIDES, "").replaceAll("<", "‹").replaceAll(">", "›");
}
