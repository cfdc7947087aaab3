/** Services that agents report and nobody has decided about: they wait until they are published or ignored. */
import type { Component } from "./component.ts";
import type { Reported } from "./selector.ts";
import { chooses, isPattern } from "./selector.ts";

/** What is counted; more are "more". */
export const INBOX_COUNT_MAX = 999;
/** What an operator ignores, each a service or what chooses some. */
export const IGNORED_MAX = 2_000;

/** cluster/namespace/name of each, in the order in which they were reported; at most `max`. */
export function inbox(
  reported: Iterable<Reported>,
  components: readonly Component[],
  ignored: readonly string[] = [],
  max = Number.POSITIVE_INFINITY,
): readonly string[] {
  const known = new Set([...components.flatMap(({ services }) => services), ...ignored]);
  const patterns = ignored.filter(isPattern);
  const found: string[] = [];
  for (const { cluster, services } of reported)
    for (const { service } of services) {
      const ref = `${cluster}/${service}`;
      if (known.has(ref) || patterns.some((one) => chooses(one, ref))) continue;
      if (found.length >= max) return found;
      found.push(ref);
    }
  return found;
}
