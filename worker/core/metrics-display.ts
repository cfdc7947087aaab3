/**
 * Statuspage's `/metrics-display/ID/PERIOD.json`: what its page script draws charts from. A period has the steps that
 * its readers count on; where ours are longer, a value stands in each step that it is of. Sum and mean are null of a
 * percentile: percentiles are never averaged.
 */
import type { ChartValues } from "../../protocol/charts.ts";
import type { PageMetric, PageSnapshot } from "../../protocol/page.ts";
import type { Millis } from "../../protocol/time.ts";
import { SECOND } from "../../protocol/time.ts";
import { rfc3339 } from "./calendar.ts";

/** `reference/statuspage-v2.md` §4. `interval` in seconds. */
export const DISPLAY_PERIODS = {
  day: { count: 288, interval: 300 },
  week: { count: 336, interval: 1_800 },
  month: { count: 336, interval: 7_200 },
} as const;
export type DisplayPeriod = keyof typeof DISPLAY_PERIODS;

type Row = "p95" | "errorRatio" | "perSecond";
const ROWS = { p95: "p95", error_ratio: "errorRatio", request_rate: "perSecond" } as const satisfies Record<
  PageMetric["kind"],
  Row
>;
const NAMES = { p95: "Response time, p95", error_ratio: "Error ratio", request_rate: "Requests" } as const;

/**
 * The document; null if the page has no such chart. Only steps that were seen are in `data`.
 *
 * @param charts of the metric's component, or of the whole page; null while the archive cannot be asked
 */
export function displayDocument(
  { metrics = [], page }: PageSnapshot,
  id: string,
  period: DisplayPeriod,
  charts: Pick<ChartValues, "from" | "stepMs" | Row> | null,
  now: Millis,
) {
  const metric = metrics.find((one) => one.id === id);
  if (metric === undefined) return null;
  const values = charts?.[ROWS[metric.kind]] ?? [];
  const { from, stepMs } = charts ?? { from: now, stepMs: 1 };
  const { count, interval } = DISPLAY_PERIODS[period];
  const last = Math.floor(now / SECOND / interval) * interval;
  const data = Array.from({ length: count }, (_, i) => last - (count - 1 - i) * interval).flatMap((timestamp) => {
    const value = values[Math.floor((timestamp * SECOND - from) / stepMs)] ?? null;
    return value === null ? [] : [{ timestamp, value }];
  });
  const sum = metric.kind === "p95" ? null : data.reduce((total, { value }) => total + value, 0);
  const mean = sum === null || data.length === 0 ? null : sum / data.length;
  const newest = data.at(-1);
  const at = (moment: Millis): string => rfc3339(moment, page.timeZone);
  return {
    period: { count, interval, identifier: period },
    metrics: [
      {
        metric: {
          id,
          name: metric.name === "" ? NAMES[metric.kind] : metric.name,
          metric_identifier: id,
          created_at: at(page.createdAt),
          updated_at: at(newest === undefined ? page.createdAt : newest.timestamp * SECOND),
          metrics_provider_id: null,
          metrics_display_id: id,
          most_recent_data_at: newest === undefined ? null : at(newest.timestamp * SECOND),
          backfilled: true,
          last_fetched_at: at(now),
          backfill_percentage: 100,
        },
        summary: { sum, mean },
        data,
      },
    ],
    summary: { sum, mean, last: newest?.value ?? null },
  };
}
