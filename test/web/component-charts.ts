/** What the archive may know of a component over a day: with a gap, and with an end that nobody knows. */
import { DAY, MINUTE } from "../../protocol/time.ts";
import type { ComponentCharts } from "../../web/view/component.ts";
import { NOW } from "./snapshots.ts";

const steps = (of: (i: number) => number | null): (number | null)[] => Array.from({ length: 96 }, (_, i) => of(i));
export const CHARTS: ComponentCharts = {
  range: "day",
  at: NOW - MINUTE,
  from: NOW - DAY,
  stepMs: 15 * MINUTE,
  p50: steps(() => 40),
  p95: steps((i) => (i === 50 ? null : 184)),
  lo: steps(() => 100),
  hi: steps((i) => (i === 95 ? null : 250)),
  p99: steps(() => 900),
  errorRatio: steps((i) => i / 96_000),
  perSecond: steps(() => 12.4),
  limits: { p95Ms: 500, errorRatio: 0.01 },
};
