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

/** @param isLive whether somebody renders this again in a second: only then may it say how long ago something was */
export function pageRegions(change: PageChange, now: Millis, timeZone: string, isLive: boolean): Regions {
  const regions: Record<string, Html> = {
    headline: headlineRegion(change, now, timeZone),
    asof: asOfRegion(change, now, timeZone, isLive),
  };
  for (const component of change.components) {
    const { status } = outlookAt(component, now);
    regions[`s-${component.id}`] = stateRegion(component.name, status);
    regions[`w-${component.id}`] = markup`${reason(component, now, timeZone)}`;
    regions[`n-${component.id}`] = numbersRegion(component, status);
    regions[`a-${component.id}`] = markup`${dataAge(component, now, timeZone, isLive)}`;
  }
  return regions;
}

function headlineRegion(change: PageChange, now: Millis, timeZone: string): Html {
  return markup`${shape(pageStatus(change.components, now))}${headline(change, now, timeZone)}`;
}

/** A page that nobody renders again may be read on any later day, so it names its own. */
function asOfRegion(change: PageChange, now: Millis, timeZone: string, isLive: boolean): Html {
  const well = tally(change.components, now);
  const { generatedAt } = change;
  const age = isLive && `, ${length(now - generatedAt)} ago`;
  return markup`as of ${moment(generatedAt, isLive ? now : 0, timeZone, true)}${age}${well !== null && ` · ${well}`}`;
}

function stateRegion(name: string, status: ComponentStatus): Html {
  return markup`${shape(status)}<h3>${name}</h3><p>${statusWord(status)}</p>`;
}

/** What trouble it is, since when, and why; nothing for a component that is well. */
export function reason(component: LiveComponent, now: Millis, timeZone: string): string {
  const { status, since, why } = outlookAt(component, now);
  if (status === "operational") return "";
  const at = moment(since, now, timeZone);
  if (status === "unknown") {
    if (component.heardAt === null) return "No report yet";
    if (component.heardAt <= since) return `No report since ${moment(component.heardAt, now, timeZone)}`;
    if (why === null) return `Data missing since ${at}`;
  }
  return why === null ? `Since ${at}` : `Since ${at}: ${why}`;
}

function numbersRegion({ p95, errorRatio, requestsPerSecond }: LiveComponent, status: ComponentStatus): Html {
  // Old numbers beside "unknown" would read as news.
  if (status === "unknown" || requestsPerSecond === null) return markup`no numbers`;
  return markup`<span>p95 ${quantileText(p95)}</span> <span>error ratio ${ratioText(errorRatio)}</span> <span>${rateText(requestsPerSecond)}</span>`;
}

function dataAge({ heardAt }: LiveComponent, now: Millis, timeZone: string, isLive: boolean): string {
  if (heardAt === null) return "";
  return isLive ? `data ${length(now - heardAt)} old` : `data of ${moment(heardAt, now, timeZone)}`;
}
