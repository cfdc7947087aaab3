/**
 * Everything on the page that can change while it is open, by the id of its element. The Worker renders these into
 * the page and the browser renders them again each second, so both say the same at the same moment by construction.
 */
import type { LiveComponent, PageChange } from "../../protocol/page.ts";
import { outlookAt, pageStatus } from "../../protocol/page.ts";
import type { ComponentStatus } from "../../protocol/status.ts";
import type { Millis } from "../../protocol/time.ts";
import { length, moment, quantileText, rateText, ratioText } from "./format.ts";
import type { Html } from "./html.ts";
import { markup } from "./html.ts";
import { shape } from "./shape.ts";
import { headline, tally } from "./headline.ts";
import { fill, translated } from "./words/fill.ts";
import type { LiveLocale, Locale } from "./words/locale.ts";

export type Regions = Readonly<Record<string, Html>>;

export function pageRegions(change: PageChange, now: Millis, locale: LiveLocale): Regions {
  const { components, generatedAt } = change;
  const regions: Record<string, Html> = {
    headline: markup`${shape(pageStatus(components, now))}${headline(change, now, locale)}`,
    asof: markup`${fill(locale.asOfAgo, { at: moment(generatedAt, now, locale, true), age: length(now - generatedAt, locale) })}${tally(components, now, locale)}`,
  };
  for (const component of components) {
    const { status } = outlookAt(component, now);
    regions[`s-${component.id}`] = stateRegion(component.name, status, locale);
    regions[`w-${component.id}`] = markup`${reason(component, now, locale)}`;
    regions[`n-${component.id}`] = numbersRegion(component, status, now, locale);
    regions[`a-${component.id}`] = markup`${dataAge(component, now, locale)}`;
  }
  return regions;
}

/**
 * The same for a page that nobody may render again: it may be read on any later day, so it says when something was and
 * not how long ago, and names its day.
 */
export function stillRegions(change: PageChange, now: Millis, locale: Locale): Regions {
  const ages = change.components.map(({ id, heardAt }) => [
    `a-${id}`,
    markup`${heardAt !== null && fill(locale.words.dataOf, { at: moment(heardAt, now, locale) })}`,
  ]);
  return {
    ...pageRegions(change, now, locale),
    ...(Object.fromEntries(ages) as Regions),
    asof: markup`${fill(locale.words.asOf, { at: moment(change.generatedAt, 0, locale, true) })}${tally(change.components, now, locale)}`,
  };
}

function stateRegion(name: string, status: ComponentStatus, { status: words }: LiveLocale): Html {
  return markup`${shape(status)}<h3>${name}</h3><p>${words[status]}</p>`;
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
  const answer = outside && translated(now < outside.until ? outside.words : "unknown", locale);
  const seen = outside && markup` <span>${locale.fromOutside} <b>${answer}</b></span>`;
  // Old numbers beside "unknown" would read as news.
  return status === "unknown" || requestsPerSecond === null
    ? markup`<span>${locale.noNumbers}</span>${seen}`
    : markup`<span>p95 ${quantileText(p95, locale)}</span> <span>${locale.errorRatio} ${ratioText(errorRatio, locale)}</span> <span>${rateText(requestsPerSecond, locale)}</span>${seen}`;
}

function dataAge({ heardAt }: LiveComponent, now: Millis, locale: LiveLocale): string {
  return heardAt === null ? "" : fill(locale.dataAge, { age: length(now - heardAt, locale) });
}
