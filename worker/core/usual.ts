/** What a Board remembers of services beyond their last tell: how much they usually get, and since when nothing. */
import type { Millis } from "../../protocol/time.ts";
import { HOUR, SECOND } from "../../protocol/time.ts";
import type { Tell, ToldService } from "./component.ts";

/** What is usual follows what is, this slowly: an outage that is told late must not have become usual. */
const USUAL_MS = HOUR;
/** Figures kept: a rate that changes by less than this is the same, and fewer would swallow its small steps. */
const FIGURES = 6;

/** The tell with what it cannot know itself, from the one before it. */
export function remembering(held: Tell | null, tell: Tell): Tell {
  const before = new Map(held?.services.map((told) => [told.service, told]));
  // A clock that was set right since has passed backwards.
  const passedMs = held === null ? 0 : Math.max(0, tell.heardAt - held.heardAt);
  return {
    ...tell,
    services: tell.services.map((told) => ({
      ...told,
      ...usual(before.get(told.service), told, passedMs),
      ...quiet(before.get(told.service), told, tell.heardAt),
    })),
  };
}

/** Learned only while it is well: an outage takes the traffic away, and what is left is no measure of what is missing. */
function usual(
  before: ToldService | undefined,
  { traffic, status }: ToldService,
  passedMs: number,
): Pick<ToldService, "usualPerSecond"> {
  const known = before?.usualPerSecond;
  if (traffic === null || status !== "operational") return known === undefined ? {} : { usualPerSecond: known };
  const rate = (traffic.requests * SECOND) / traffic.spanMs;
  const learned = known === undefined ? rate : rate + (known - rate) * Math.exp(-passedMs / USUAL_MS);
  return { usualPerSecond: Number(learned.toPrecision(FIGURES)) };
}

/** From the begin of the first span that had none. */
function quiet(
  before: ToldService | undefined,
  { traffic }: ToldService,
  heardAt: Millis,
): Pick<ToldService, "quietSince"> {
  if (traffic === null || traffic.requests > 0) return {};
  return { quietSince: before?.quietSince ?? heardAt - traffic.spanMs };
}
