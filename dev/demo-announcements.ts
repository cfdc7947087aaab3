/** What the demo announces to be looked at: an open incident, one that is over, and a maintenance to come. */
import type { Millis } from "../protocol/time.ts";
import { DAY, HOUR, MINUTE } from "../protocol/time.ts";
import { tellIncident, tellMaintenance } from "./cli/announcing.ts";
import type { Operator } from "./cli/edge.ts";

interface Saying {
  readonly at: Millis;
  readonly status: string;
  readonly body: string;
  readonly components?: readonly { readonly component: string; readonly status: string }[];
}

/** Announces them; where each can be read. */
export async function announceExamples(operator: Operator, now: Millis): Promise<readonly string[]> {
  // Its end first: what is over when it is written down says nothing of what components are now.
  const slow = await incident(operator, "Search was slow", [
    { at: now - 3 * DAY + HOUR, status: "resolved", body: "Searches are answered as fast as before." },
    { at: now - 3 * DAY + 40 * MINUTE, status: "monitoring", body: "A new index is in place; we are watching it." },
    {
      at: now - 3 * DAY,
      status: "investigating",
      body: "Searches take up to 8 seconds.",
      components: [{ component: "Product catalog", status: "degraded_performance" }],
    },
  ]);
  const failing = await incident(operator, "Some payments fail", [
    {
      at: now - 14 * MINUTE,
      status: "investigating",
      body: "Some payments by card fail. We are looking into it.",
      components: [{ component: "Payments", status: "partial_outage" }],
    },
    {
      at: now - 4 * MINUTE,
      status: "identified",
      body: "About **3 of 10** payments by card fail: a certificate of our card processor has expired. We are replacing it.",
    },
  ]);
  // As early as a new page's policy asks.
  const startsAt = nextSaturday(now + 7 * DAY) + 2 * HOUR;
  const maintenance = await tellMaintenance(operator, null, {
    name: "Database upgrade",
    body: "Orders can be read, but not changed, for up to 20 minutes.",
    startsAt: new Date(startsAt).toISOString(),
    endsAt: new Date(startsAt + 2 * HOUR).toISOString(),
    components: ["Orders", "Ledger"],
  });
  return [failing, slow, maintenance].map(({ name, url }) => `${name}  ${url}`);
}

/** Opens an incident with the first saying, and adds the others. */
async function incident(operator: Operator, name: string, sayings: readonly Saying[]) {
  let id: string | null = null;
  let url = "";
  for (const { at, ...saying } of sayings) {
    const said = { name, ...saying, at: new Date(at).toISOString() };
    ({ id, url } = await tellIncident(operator, id, said));
  }
  return { name, url };
}

/** Its midnight, UTC. */
function nextSaturday(now: Millis): Millis {
  const today = Math.floor(now / DAY) * DAY;
  const days = (6 - new Date(today).getUTCDay() + 7) % 7;
  return today + (days === 0 ? 7 : days) * DAY;
}
