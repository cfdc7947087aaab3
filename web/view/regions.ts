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
import { headline, statusWord, tally } from "./words.ts";

export type Regions = Readonly<Record<string, Html>>;

export function pageRegions(change: PageChange, now: Millis, timeZone: string): Regions {
  const { components, generatedAt } = change;
  const regions: Record<string, Html> = {
    headline: markup`${shape(pageStatus(components, now))}${headline(change, now, timeZone)}`,
    asof: asOf(change, now, `${moment(generatedAt, now, timeZone, true)}, ${length(now - generatedAt)} ago`),
  };
  for (const component of components) {
    const { status } = outlookAt(component, now);
    regions[`s-${component.id}`] = stateRegion(component.name, status);
    regions[`w-${component.id}`] = markup`${reason(component, now, timeZone)}`;
    regions[`n-${component.id}`] = numbersRegion(component, status, now);
    regions[`a-${component.id}`] = markup`${dataAge(component, now)}`;
  }
  return regions;
}

function asOf({ components }: PageChange, now: Millis, when: string): Html {
  const well = tally(components, now);
  return markup`as of ${when}${well !== null && ` · ${well}`}`;
}

/**
 * The same for a page that nobody may render again: it may be read on any later day, so it says when something was and
 * not how long ago, and names its day.
 */
export function stillRegions(change: PageChange, now: Millis, timeZone: string): Regions {
  const ages = change.components.map(({ id, heardAt }) => [
    `a-${id}`,
    markup`${heardAt !== null && `data of ${moment(heardAt, now, timeZone)}`}`,
  ]);
  return {
    ...pageRegions(change, now, timeZone),
    ...(Object.fromEntries(ages) as Regions),
    asof: asOf(change, now, moment(change.generatedAt, 0, timeZone, true)),
  };
}

function stateRegion(name: string, status: ComponentStatus): Html {
  return markup`${shape(status)}<h3>${name}</h3><p>${statusWord(status)}</p>`;
}

/** What trouble it is, since when, and why; nothing for a component that is well. */
export function reason(component: LiveComponent, now: Millis, timeZone: string): string {
  const { status, since, why } = outlookAt(component, now);
  if (status === "operational") return "";
  const at = moment(since, now, timeZone);
  if (status === "unknown" && why === null) {
    if (component.heardAt === null) return "No report yet";
    if (component.heardAt <= since) return `No report since ${moment(component.heardAt, now, timeZone)}`;
    return `Data missing since ${at}`;
  }
  return why === null ? `Since ${at}` : `Since ${at}: ${why}`;
}

/** Numbers from inside the mesh and, where somebody looks, the answer from outside: each is evidence of its own. */
function numbersRegion(
  { p95, errorRatio, requestsPerSecond, outside }: LiveComponent,
  status: ComponentStatus,
  now: Millis,
): Html {
  const seen = outside && markup` <span>from outside <b>${now < outside.until ? outside.words : "unknown"}</b></span>`;
  // Old numbers beside "unknown" would read as news.
  return status === "unknown" || requestsPerSecond === null
    ? markup`<span>no numbers</span>${seen}`
    : markup`<span>p95 ${quantileText(p95)}</span> <span>error ratio ${ratioText(errorRatio)}</span> <span>${rateText(requestsPerSecond)}</span>${seen}`;
}

function dataAge({ heardAt }: LiveComponent, now: Millis): string {
  return heardAt === null ? "" : `data ${length(now - heardAt)} old`;
}
