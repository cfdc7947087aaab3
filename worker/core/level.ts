/** How bad several readings are together: "raise after 2 of 3, clear after 3", whatever was read. */
import { READINGS_MAX } from "../../protocol/limits.ts";

/** One bad reading is noise, two are evidence. */
export const RAISE_READINGS = 2;

/**
 * The level that readings give, 0 for well and higher for worse. Raised by the second worst of them, cleared only when
 * three are better: between the two the former level stays, which is what keeps it from flapping.
 *
 * @param levels of the last readings, at most three
 */
export function steadyLevel(before: number, levels: readonly number[]): number {
  const descending = levels.toSorted((a, b) => b - a);
  const worst = descending[0] ?? 0;
  const raised = descending[RAISE_READINGS - 1] ?? 0;
  if (raised >= before) return raised;
  return levels.length >= READINGS_MAX && worst < before ? worst : before;
}
