/** Sums over time, in one statement a chart: what lies between two cuts is added here, bucket by bucket. */
import { sql } from "drizzle-orm";
import type { Latency } from "../../protocol/latency.ts";
import { TOO_OLD_MS } from "../../protocol/limits.ts";
import type { Millis } from "../../protocol/time.ts";
import { dayOf } from "../core/calendar.ts";
import { splitService } from "../core/component.ts";
import type { Range, SeriesPlan, SeriesPoint, SeriesRow, Span } from "../core/series.ts";
import { seriesPlan, seriesPoints } from "../core/series.ts";
import type { Database, StoreResult } from "./database.ts";
import { denseExplicit, denseExponential } from "./latency.ts";
import type { SparseCounts } from "./latency.ts";
import { moment, textArray } from "./sql.ts";

/** Services a chart: as many as a component may stand for. */
export const SERIES_SERVICES_MAX = 100;
/** Declared losses a cluster and chart; the newest are kept, and those that touch are one. */
const GAPS_MAX = 500;

export interface Series {
  readonly plan: SeriesPlan;
  /** The plan's slots, oldest first, with what was seen in each. The newest minutes wait up to a flush's interval. */
  readonly points: readonly SeriesPoint[];
}

/**
 * What some services (cluster/namespace/name) did together over a range that ends with `now`, cut in `timeZone`, which
 * for days must be the page's. At most `SERIES_SERVICES_MAX`; more throws. One statement.
 */
export async function seriesOf(
  db: Database,
  asked: {
    readonly services: readonly string[];
    readonly range: Range;
    readonly now: Millis;
    readonly timeZone: string;
  },
): Promise<StoreResult<Series>> {
  const { range, now, timeZone } = asked;
  return seriesOver(db, { ...asked, plan: seriesPlan(range, now, timeZone) });
}

/** The same over any plan. */
export async function seriesOver(
  db: Database,
  asked: {
    readonly services: readonly string[];
    readonly plan: SeriesPlan;
    readonly now: Millis;
    readonly timeZone: string;
  },
): Promise<StoreResult<Series>> {
  const { services, plan, now, timeZone } = asked;
  if (services.length > SERIES_SERVICES_MAX) throw new RangeError(`${services.length} services in one series`);
  const statement = seriesStatement(plan, services.map(splitService), timeZone);
  const result = await db.run((drizzle) => drizzle.execute<StoredRow>(statement));
  if (!result.ok) return result;
  const rows = result.value.rows.flatMap(rowOf);
  const gaps = result.value.rows.flatMap(gapOf);
  return { ok: true, value: { plan, points: seriesPoints(plan, { rows, gaps, services: services.length }, now) } };
}

/** A sum has a slot; a gap has none, and lies between `starts` and `reach`. */
interface StoredRow extends Record<string, unknown> {
  readonly slot: number | null;
  readonly bounds: string;
  readonly requests: number;
  readonly errors: number;
  readonly covered_ms: number;
  readonly sum: number;
  readonly counts: SparseCounts | null;
  readonly starts: number;
  readonly reach: number;
}

function rowOf(row: StoredRow): SeriesRow | [] {
  const { slot, requests, errors, covered_ms: coveredMs, reach } = row;
  return slot === null ? [] : { slot: slot - 1, requests, errors, coveredMs, reach, latency: latencyOf(row) };
}

function gapOf({ slot, starts, reach }: StoredRow): Span | [] {
  return slot === null ? { from: starts, to: reach } : [];
}

function latencyOf({ bounds: text, counts, sum }: StoredRow): Latency | null {
  if (counts === null) return null;
  // Windows of exponential histograms and of none are summed up together.
  if (text === "") return denseExponential(counts, sum);
  // As the flush wrote it from a checked record: a name, or an array of numbers.
  return denseExplicit(text === "istio" ? text : (JSON.parse(text) as number[]), counts, sum);
}

type Target = { readonly cluster: string; readonly service: string };

/**
 * LATERAL with OFFSET 0 holds the planner to one walk of the primary key a service, whatever it believes of the table.
 * Sums carry the index of their slot, by the very cuts that the points have.
 */
function seriesStatement(plan: SeriesPlan, services: readonly Target[], timeZone: string) {
  const clusters = [...new Set(services.map(({ cluster }) => cluster))];
  return sql`
    WITH target AS (
      SELECT * FROM unnest(${textArray(services.map(({ cluster }) => cluster))}::text[],
        ${textArray(services.map(({ service }) => service))}::text[]) AS t(cluster_id, service_id)
    ), ${sumsOf(plan, timeZone)}, lost AS (
      SELECT range_agg(int8range(g.starts, g.reach)) AS spans
      FROM unnest(${textArray(clusters)}::text[]) AS c(cluster_id) CROSS JOIN LATERAL (
        SELECT (extract(epoch FROM e.observed_at) * 1000)::bigint AS starts, (e.body->>'until')::bigint AS reach
        FROM event AS e
        WHERE e.cluster_id = c.cluster_id AND e.kind = 'gap'
          AND e.observed_at >= ${moment(plan.from - TOO_OLD_MS)} AND e.observed_at < ${moment(plan.to)}
        ORDER BY e.observed_at DESC, e.id DESC LIMIT ${sql.raw(String(GAPS_MAX))}
      ) AS g WHERE g.reach > g.starts AND g.reach > ${plan.from}
    )
    SELECT slot, bounds, requests, errors, covered_ms, sum, counts, 0 AS starts, reach
    FROM totals LEFT JOIN buckets USING (slot, bounds)
    UNION ALL
    SELECT NULL, '', 0, 0, 0, 0, NULL, lower(span)::float8, upper(span)::float8 FROM lost, unnest(spans) AS span`;
}

/**
 * `totals` and `buckets` by slot and bounds. Minutes hold counts and a span; hours and days are sums already, and
 * one that covers nothing is what is left when a longer window took its minutes elsewhere.
 */
function sumsOf(plan: SeriesPlan, timeZone: string) {
  if (plan.source === "minute") {
    return sql`
    rows AS (
      SELECT width_bucket(w.minute, ${starts(plan)}) AS slot, w.*, coalesce(w.latency->>'bounds', '') AS bounds
      FROM target CROSS JOIN LATERAL (
        SELECT m.minute, m.span_ms, m.requests, m.errors, m.latency FROM minute_window AS m
        WHERE m.cluster_id = target.cluster_id AND m.service_id = target.service_id
          AND m.minute >= ${moment(plan.from)} AND m.minute < ${moment(plan.to)} OFFSET 0
      ) AS w
    ), totals AS (
      SELECT slot, bounds, sum(requests) AS requests, sum(errors) AS errors, sum(span_ms)::float8 AS covered_ms,
        sum((latency->>'sum')::float8) AS sum, max(extract(epoch FROM minute) * 1000 + span_ms)::float8 AS reach
      FROM rows GROUP BY slot, bounds
    ), buckets AS (
      SELECT slot, bounds, jsonb_object_agg(bucket, count) AS counts FROM (
        SELECT slot, bounds, c.bucket, sum(c.count::float8) AS count FROM rows, bucket_counts(latency->'counts') AS c
        GROUP BY slot, bounds, c.bucket
      ) AS counted GROUP BY slot, bounds
    )`;
  }
  const slot = plan.source === "hour" ? starts(plan) : sql`${textArray(days(plan, timeZone))}::date[]`;
  const [table, column] = plan.source === "hour" ? ["hour_window", "hour"] : ["day_window", "day"];
  const from = plan.source === "hour" ? moment(plan.from) : sql`${dayOf(plan.from, timeZone)}::date`;
  const to = plan.source === "hour" ? moment(plan.to) : sql`${dayOf(plan.to, timeZone)}::date`;
  return sql`
    rows AS (
      SELECT width_bucket(w.${sql.raw(column)}, ${slot}) AS slot, w.*
      FROM target CROSS JOIN LATERAL (
        SELECT r.* FROM ${sql.raw(table)} AS r
        WHERE r.cluster_id = target.cluster_id AND r.service_id = target.service_id
          AND r.${sql.raw(column)} >= ${from} AND r.${sql.raw(column)} < ${to} AND r.covered_ms > 0 OFFSET 0
      ) AS w
    ), totals AS (
      SELECT slot, bounds, sum(requests) AS requests, sum(errors) AS errors, sum(covered_ms)::float8 AS covered_ms,
        sum(sum) AS sum, 0::float8 AS reach
      FROM rows GROUP BY slot, bounds
    ), buckets AS (
      SELECT slot, bounds, jsonb_object_agg(key, count) AS counts FROM (
        SELECT slot, bounds, c.key, sum(c.value::float8) AS count FROM rows, jsonb_each_text(counts) AS c
        GROUP BY slot, bounds, c.key
      ) AS counted GROUP BY slot, bounds
    )`;
}

function starts(plan: SeriesPlan) {
  return sql`${textArray(plan.slots.map(({ from }) => new Date(from).toISOString()))}::timestamptz[]`;
}

function days(plan: SeriesPlan, timeZone: string): string[] {
  return plan.slots.map(({ from }) => dayOf(from, timeZone));
}
