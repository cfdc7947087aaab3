/** What can be wrong with a service, on command. */
export const FAULT_MODES = ["failing", "slow", "silent"] as const;
type FaultMode = (typeof FAULT_MODES)[number];

/** `ratio` is the share of answers that suffer, 0 to 1; of `silent` the share of requests that are never made. */
export interface Fault {
  readonly mode: FaultMode;
  readonly ratio: number;
}

const RATIO_DEFAULT = 0.3;

/** What suffers unless somebody says how much: a service that is silent gets nothing at all. */
export function ratioDefault(mode: FaultMode): number {
  return mode === "silent" ? 1 : RATIO_DEFAULT;
}

/** How much longer a slow answer takes, ms: every one of them is above the runbook's alert at 500 ms. */
export const SLOW_MS = { least: 700, most: 1_400 } as const;

/**
 * Spreads a ratio evenly over a sequence of requests: of any `n` in a row, `n · ratio` suffer, give or take one. A dice
 * would make "30 %" of a few requests anything between none and all.
 */
export function evenly(): (ratio: number) => boolean {
  let due = 0;
  return (ratio) => {
    due += ratio;
    // 0.1 ten times is a hair below 1.
    if (due < 1 - 1e-9) return false;
    due -= 1;
    return true;
  };
}
