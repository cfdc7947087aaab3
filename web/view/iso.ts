/** Moments as programs read them. */
import type { Millis } from "../../protocol/time.ts";

/** RFC 3339 but for the T: Sweden writes dates that way. */
const instants = new Intl.DateTimeFormat("sv-SE", { timeZone: "UTC", dateStyle: "short", timeStyle: "medium" });

/** For programs, RFC 3339 to the second before: "2026-11-23T14:02:23Z". */
export function isoText(at: Millis): string {
  return `${instants.format(at).replace(" ", "T")}Z`;
}
