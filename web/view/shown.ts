/** What an open page starts from. */
import type { PageSnapshot } from "../../protocol/page.ts";
import { headIncident } from "../../protocol/page.ts";
import type { Millis } from "../../protocol/time.ts";
import { translated } from "./words/fill.ts";
import type { LiveWords } from "./words/words.ts";
import { flatGroups, groupsOf } from "./groups.ts";
import type { Shown } from "./regions.ts";

/** What the script starts from: all of it is in the page in words as well, and in its language. */
export function shownFirst(snapshot: PageSnapshot, now: Millis, words: LiveWords): Shown {
  const { generatedAt, components, maintenances, incidents, announced, archive } = snapshot;
  const turns = maintenances.flatMap(({ startsAt, endsAt }) => [startsAt, endsAt]).filter((at) => at > now);
  return {
    generatedAt,
    components: components.map(({ id, name, outlook, heardAt, p95, errorRatio, requestsPerSecond, outside }) => {
      const said = outlook.map((one) => ({ ...one, why: one.why && translated(one.why, words) }));
      const seen = outside && { outside: { ...outside, words: translated(outside.words, words) } };
      return { id, name, outlook: said, heardAt, p95, errorRatio, requestsPerSecond, ...seen };
    }),
    incident: headIncident(incidents),
    groups: flatGroups(groupsOf(components)).map(({ all }) => all),
    turnsAt: turns.length === 0 ? null : Math.min(...turns),
    ...(announced === undefined ? {} : { announced }),
    ...(archive === undefined ? {} : { archive }),
  };
}
