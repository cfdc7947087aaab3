/** What a component can be said to be, mildest first. `unknown` is silence: never operational, never an outage. */
export const COMPONENT_STATUSES = [
  "operational",
  "under_maintenance",
  "unknown",
  "degraded_performance",
  "partial_outage",
  "major_outage",
] as const;
export type ComponentStatus = (typeof COMPONENT_STATUSES)[number];

/** The page's roll-up, in Statuspage's words. */
export const INDICATORS = ["none", "maintenance", "minor", "major", "critical"] as const;
export type Indicator = (typeof INDICATORS)[number];

export function isWorse(a: ComponentStatus, b: ComponentStatus): boolean {
  return COMPONENT_STATUSES.indexOf(a) > COMPONENT_STATUSES.indexOf(b);
}

/** The heavier of two statuses. */
export function worse(a: ComponentStatus, b: ComponentStatus): ComponentStatus {
  return isWorse(b, a) ? b : a;
}

/** The heaviest of some statuses; `unknown` for none at all, because no evidence is no green. */
export function worst(statuses: readonly ComponentStatus[]): ComponentStatus {
  return COMPONENT_STATUSES.findLast((status) => statuses.includes(status)) ?? "unknown";
}

const INDICATOR_OF = {
  operational: "none",
  under_maintenance: "maintenance",
  unknown: "minor",
  degraded_performance: "minor",
  partial_outage: "major",
  major_outage: "critical",
} as const satisfies Record<ComponentStatus, Indicator>;

/** The indicator a page shows whose worst component is `status`. */
export function indicatorOf(status: ComponentStatus): Indicator {
  return INDICATOR_OF[status];
}

export function isIndicatorWorse(a: Indicator, b: Indicator): boolean {
  return INDICATORS.indexOf(a) > INDICATORS.indexOf(b);
}

/** What an incident means to visitors by what is said of the components that it touches: the heaviest counts. */
export function impactOf(said: readonly ComponentStatus[]): Indicator {
  return INDICATORS[Math.max(0, ...said.map((status) => INDICATORS.indexOf(INDICATOR_OF[status])))] ?? "none";
}

const IMPACT_STATUS = {
  none: "operational",
  maintenance: "under_maintenance",
  minor: "degraded_performance",
  major: "partial_outage",
  critical: "major_outage",
} as const satisfies Record<Indicator, ComponentStatus>;

/** The status whose name, shape and colour an incident's impact has. */
export function impactStatus(impact: Indicator): ComponentStatus {
  return IMPACT_STATUS[impact];
}
