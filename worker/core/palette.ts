/** The page's own colours, as `web/style/tokens.css` has them: a test holds the two together. */
import type { Oklch } from "./colour.ts";

export type Mode = "light" | "dark";
export const MODES: readonly Mode[] = ["light", "dark"];

export const PALETTE = {
  light: {
    paper: [0.99, 0.002, 260],
    raised: [0.97, 0.004, 260],
    ink: [0.24, 0.015, 260],
    soft: [0.43, 0.015, 260],
    line: [0.24, 0.015, 260, 0.1],
    hollow: [0.24, 0.015, 260, 0.17],
    accent: [0.455, 0.14, 262],
    operational: [0.62, 0.13, 155],
    base: [0.82, 0.075, 155],
    degraded_performance: [0.64, 0.135, 72],
    partial_outage: [0.64, 0.17, 48],
    major_outage: [0.55, 0.2, 27],
    under_maintenance: [0.57, 0.13, 250],
    unknown: [0.58, 0.012, 260],
  },
  dark: {
    paper: [0.18, 0.01, 260],
    raised: [0.22, 0.012, 260],
    ink: [0.93, 0.006, 260],
    soft: [0.75, 0.01, 260],
    line: [0.93, 0.006, 260, 0.12],
    hollow: [0.93, 0.006, 260, 0.2],
    accent: [0.78, 0.1, 262],
    operational: [0.72, 0.13, 155],
    base: [0.44, 0.065, 155],
    degraded_performance: [0.78, 0.14, 82],
    partial_outage: [0.72, 0.16, 50],
    major_outage: [0.65, 0.2, 25],
    under_maintenance: [0.7, 0.12, 250],
    unknown: [0.68, 0.012, 260],
  },
} as const satisfies Record<Mode, Record<string, Oklch>>;

export type Token = keyof (typeof PALETTE)["light"];
