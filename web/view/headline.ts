/** The sentence at the top. */
import type { HeadIncident, PageChange } from "../../protocol/page.ts";
import { isOutOfDate, outlookAt, pageStatus, worseIncident } from "../../protocol/page.ts";
import type { ComponentStatus } from "../../protocol/status.ts";
import type { Millis } from "../../protocol/time.ts";
import { moment } from "./format.ts";
import { fill } from "./words/fill.ts";
import type { LiveLocale } from "./words/locale.ts";

/** A longer name does not fit a headline beside its verb. */
const NAME_MAX = 40;

type Said = Pick<PageChange, "components" | "generatedAt">;

/** The answer, as one sentence. */
export function headline(said: Said, open: HeadIncident | null, now: Millis, locale: LiveLocale): string {
  const { components } = said;
  const status = pageStatus(components, now);
  // Worse than anything that is seen: people said it in their own words.
  const incident = worseIncident(open, status);
  if (incident !== null) return incident.name;
  if (components.length === 0) return locale.nothing;
  if (status === "operational") return locale.allWell;
  if (isOutOfDate(said, now)) return fill(locale.noNews, { at: moment(said.generatedAt, now, locale) });
  const names = those(components, status, now).map(({ name }) => name);
  const [ofOne = "", ofSeveral = ofOne, ofAll = ofSeveral] = locale.is[status].split("|");
  const n = names.length;
  const total = components.length;
  const isAll = n > 1 && n === total;
  const who = isAll
    ? locale.all
    : n > 2 || names.some((name) => name.length > NAME_MAX)
      ? fill(locale.some, { n, total })
      : names.join(` ${locale.and} `);
  return fill(isAll ? ofAll : n > 1 ? ofSeveral : ofOne, { who });
}

/** Which of them are in that state. */
export function those(components: Said["components"], status: ComponentStatus, now: Millis): Said["components"] {
  return components.filter((one) => outlookAt(one, now).status === status);
}

/** " · 17 of 20 operational", or nothing where the headline has said it. */
export function tally(components: Said["components"], now: Millis, locale: LiveLocale): string {
  const total = components.length;
  const n = those(components, "operational", now).length;
  return n === 0 || n === total ? "" : ` · ${fill(locale.tally, { n, total })}`;
}
