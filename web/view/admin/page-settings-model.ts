/** What the page of the page's own settings is made of. */
import type { MetricKind } from "../../../protocol/page.ts";
import type { Fault } from "./model.ts";

export const LINK_ROWS = 6;
export const CHART_ROWS = 6;
export const COLOUR_NAMES = ["paper", "raised", "ink", "soft", "line", "hollow"] as const;

/** A mode's colours as hex, and how well the accent can be read on both grounds, as ratios to 1. */
export interface SampleModel {
  readonly mode: "light" | "dark";
  readonly paper: string;
  readonly raised: string;
  readonly ink: string;
  readonly accent: string;
  readonly onPaper: number;
  readonly onRaised: number;
}

/**
 * POST /admin/page: `name`, `timeZone`, `origin`, `logo` (an SVG or a data: URL), `accent.light`, `accent.dark`, `links.N.name`,
 * `links.N.url`, `variables.NAME.light`, `variables.NAME.dark`; empty is ours. POST /admin/page/preview: the same, and
 * nothing is kept. POST /admin/page/charts: `charts.N.kind`, `charts.N.component`, `charts.N.name`, or `own` for ours.
 */
export interface PageSettingsModel {
  readonly deploymentName: string;
  readonly deploymentZone: string;
  readonly revision: string;
  readonly values: Readonly<Record<string, string>>;
  readonly faults: readonly Fault[];
  /** As the form would have it; null where it cannot be had. */
  readonly samples: readonly SampleModel[] | null;
  /** A logo that may be shown: a data: URL that was checked. */
  readonly logo: string | null;
  readonly charts: readonly { readonly kind: MetricKind; readonly component: string | null; readonly name: string }[];
  readonly areChartsOurs: boolean;
  readonly chartFault: string | null;
  readonly components: readonly { readonly id: string; readonly name: string }[];
}
