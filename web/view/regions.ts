/**
 * Everything on the page that can change while it is open, by the id of its element: components are known by their
 * place, which costs fewer bytes than their names. The Worker renders these into
 * the page and the browser renders them again each second, so both say the same at the same moment by construction.
 */
import type { HeadIncident, LiveComponent, PageChange } from "../../protocol/page.ts";
import { outlookAt, pageStatus, worseIncident } from "../../protocol/page.ts";
import type { ComponentStatus } from "../../protocol/status.ts";
import type { Millis } from "../../protocol/time.ts";
import { length, moment, quantileText, rateText, ratioText } from "./format.ts";
import type { Html } from "./html.ts";
import { markup } from "./html.ts";
import { shape } from "./shape.ts";
import { headline, tally, those } from "./headline.ts";
import { fill, translated } from "./words/fill.ts";
import type { LiveLocale, Locale } from "./words/locale.ts";

export type Regions = Readonly<Record<string, Html>>;

/** What an open page knows: what is in the newest frame, and what only the page itself carries. */
export interface Shown extends Pick<PageChange, "components" | "generatedAt" | "archive" | "announced"> {
  /** The worst of those that are open. */
  readonly incident: HeadIncident | null;
  /** Indexes of the components of each group, those of groups within it among them. */
  readonly groups: readonly (readonly number[])[];
  /** When the next maintenance begins or ends, and the page says something else; null if none does. */
  readonly turnsAt: Millis | null;
}

export function pageRegions(change: Shown, now: Millis, locale: LiveLocale): Regions {
  const { components, generatedAt, incident, groups } = change;
  const worst = pageStatus(components, now);
  const regions: Record<string, Html> = {
    headline: markup`${shape(worseIncident(incident, worst)?.status ?? worst)}${headline(change, incident, now, locale)}`,
    asof: markup`${fill(locale.asOfAgo, { at: moment(generatedAt, now, locale, true), age: length(now - generatedAt, locale) })}${tally(components, now, locale)}`,
  };
  for (const [i, component] of components.entries()) {
    const { status } = outlookAt(component, now);
    regions[`s-${i}`] = markup`${shape(status)}<p>${locale.status[status]}</p>`;
    regions[`w-${i}`] = markup`${reason(component, now, locale)}`;
    regions[`n-${i}`] = numbersRegion(component, status, now, locale);
    regions[`a-${i}`] = markup`${dataAge(component, now, locale)}`;
  }
  for (const [i, group] of groups.entries()) {
    const members = components.filter((_, index) => group.includes(index));
    regions[`g-${i}`] = groupRegion(members, now, locale);
  }
  return regions;
}

/**
 * The same for a page that nobody may render again: it may be read on any later day, so it says when something was and
 * not how long ago, and names its day.
 */
export function stillRegions(change: Shown, now: Millis, locale: Locale): Regions {
  const ages = change.components.map(({ heardAt }, i) => [
    `a-${i}`,
    markup`${heardAt !== null && fill(locale.words.dataOf, { at: moment(heardAt, now, locale) })}`,
  ]);
  return {
    ...pageRegions(change, now, locale),
    ...(Object.fromEntries(ages) as Regions),
    asof: markup`${fill(locale.words.asOf, { at: moment(change.generatedAt, 0, locale, true) })}${tally(change.components, now, locale)}`,
  };
}

/** A group's worst state, and how many of its components are in it. */
function groupRegion(components: readonly LiveComponent[], now: Millis, { status: words }: LiveLocale): Html {
  const status = pageStatus(components, now);
  const count = those(components, status, now).length;
  return markup`${shape(status)}${words[status]} <b>${count}/${components.length}</b>`;
}

/** What trouble it is, since when, and why; nothing for a component that is well. */
export function reason(component: LiveComponent, now: Millis, locale: LiveLocale): string {
  const { status, since, why } = outlookAt(component, now);
  const { heardAt } = component;
  if (status === "operational") return "";
  const [text, at] =
    why !== null
      ? [locale.sinceWhy, since]
      : status !== "unknown"
        ? [locale.since, since]
        : heardAt === null
          ? [locale.noReport, since]
          : heardAt <= since
            ? [locale.silentSince, heardAt]
            : [locale.missingSince, since];
  return fill(text, { at: moment(at, now, locale), why: translated(why ?? "", locale) });
}

/** Numbers from inside the mesh and, where somebody looks, the answer from outside: each is evidence of its own. */
function numbersRegion(
  { p95, errorRatio, requestsPerSecond, outside }: LiveComponent,
  status: ComponentStatus,
  now: Millis,
  locale: LiveLocale,
): Html {
  const answer =
    outside && (now < outside.until ? translated(outside.words, locale) : locale.status.unknown.toLowerCase());
  const seen = outside && markup` <span>${locale.fromOutside} <b>${answer}</b></span>`;
  // Old numbers beside "unknown" would read as news.
  return status === "unknown" || requestsPerSecond === null
    ? markup`<span>${locale.noNumbers}</span>${seen}`
    : markup`<span>p95 ${quantileText(p95, locale)}</span> <span>${locale.errorRatio} ${ratioText(errorRatio, locale)}</span> <span>${rateText(requestsPerSecond, locale)}</span>${seen}`;
}

function dataAge({ heardAt }: LiveComponent, now: Millis, locale: LiveLocale): string {
  return heardAt === null ? "" : fill(locale.dataAge, { age: length(now - heardAt, locale) });
}
