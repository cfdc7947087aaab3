/** Moments in the visitor's zone, beside the page's. */
import type { Millis } from "../../protocol/time.ts";
import { span } from "../view/format.ts";

const ownZone = Intl.DateTimeFormat().resolvedOptions().timeZone;

/** The same span in the visitor's zone, where that reads differently. */
export function visitorTimes(now: Millis): void {
  for (const time of document.querySelectorAll<HTMLElement>("time:not([title])")) {
    time.title = span(Number(time.dataset["from"]), Number(time.dataset["until"]), now, ownZone);
    if (time.textContent !== time.title) time.append(` (${time.title} your time)`);
  }
}
