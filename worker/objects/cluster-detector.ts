/** What a Cluster's agent is told of the wishes for its detector: the Board's newest, signed, while the agent has an older one. */
import { detectorWishMessage } from "../../protocol/detector.ts";
import type { DetectorWish } from "../../protocol/detector.ts";
import type { SignedDesired } from "../../protocol/lease.ts";
import { canonicalJson } from "../../protocol/lease.ts";
import type { Push } from "../../protocol/push.ts";
import type { EdgeKey } from "./crypto.ts";

/** Undefined for an agent that has it, or that says nothing of a detector: an earlier one would not know what it is. */
export async function wishFor(
  wish: DetectorWish | undefined,
  { live }: Pick<Push, "live">,
  edgeKey: () => Promise<EdgeKey>,
): Promise<SignedDesired | undefined> {
  const observed = live?.detector?.observedGeneration;
  if (wish === undefined || observed === undefined || wish.generation <= observed) return undefined;
  return (await edgeKey()).sign(canonicalJson(wish), detectorWishMessage);
}
