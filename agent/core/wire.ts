/** A push in the newest form that an edge takes. */
import { compactService } from "../../protocol/compact.ts";
import type { Extra, Push } from "../../protocol/push.ts";

/**
 * @param accepts what the edge's last receipt said; empty for an edge that said nothing, or is not known yet
 */
export function wireForm(push: Push, accepts: readonly string[]): unknown {
  if (push.live === null || !accepts.includes("compact" satisfies Extra)) return push;
  return { ...push, live: { ...push.live, services: push.live.services.map(compactService) } };
}
