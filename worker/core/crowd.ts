/** Many visitors at once: how many open pages may come back together, and who of them is one visitor. */
import { MINUTE, SECOND } from "../../protocol/time.ts";

/** Returning pages a second, all shards together: each is a request, a greeting and an upgrade on a machine that just started. */
const RETURNS_PER_S = 250;
const SPREAD_MIN_MS = SECOND;
/** Longer than this a page would rather ask by itself. */
const SPREAD_MAX_MS = MINUTE;

/**
 * Over how long pages should spread their return once they are cut off, ms: a deploy cuts all of them in one moment.
 * Doubles from one second on, so that it rarely has to be said anew.
 */
export function returnSpread(pages: number): number {
  const wantedMs = (pages / RETURNS_PER_S) * SECOND;
  const doubled = SPREAD_MIN_MS * 2 ** Math.ceil(Math.log2(Math.max(1, wantedMs / SPREAD_MIN_MS)));
  return Math.min(SPREAD_MAX_MS, doubled);
}

/**
 * Whose an address is, as far as a bound goes: of IPv6 a household or a machine has 2^64 (RFC 6177), which share its
 * first half.
 */
export function networkOf(address: string): string {
  // What is written with dots is IPv4, in the clothes of IPv6 too.
  if (!address.includes(":") || address.includes(".")) return address;
  const [head = [], tail = []] = address.split("::").map((part) => part.split(":").filter((group) => group !== ""));
  const zeros = Array.from({ length: Math.max(0, 8 - head.length - tail.length) }, () => "0");
  return [...head, ...zeros, ...tail].slice(0, 4).join(":");
}
