/**
 * What the archive knows of a component, for visitors: read from Postgres, kept in the data centre's cache for a minute
 * or more, and for days should Postgres go away. Nobody waits for Postgres who can have a copy, unless that is so old that
 * the page would say that Postgres cannot be reached: where nobody came for an hour, nobody knows.
 */
import type { Millis } from "../../protocol/time.ts";
import { DAY, MINUTE, SECOND } from "../../protocol/time.ts";
import type { ComponentCharts } from "../../web/view/component.ts";
import { areOld } from "../../web/view/component.ts";
import type { ChartRange } from "../core/chart-values.ts";
import { chartPlan, chartValues } from "../core/chart-values.ts";
import { boardOf } from "../objects/env.ts";
import { SERIES_SERVICES_MAX, seriesOver } from "../store/series.ts";
import { within } from "./flight.ts";
import { historyDatabase } from "./history.ts";
import type { AppContext } from "./table.ts";

/** How long a copy is news: a step of each range moves slowly. */
const FRESH_MS: Record<ChartRange, number> = {
  day: MINUTE,
  week: 5 * MINUTE,
  month: 15 * MINUTE,
  quarter: 15 * MINUTE,
};
const KEPT_MS = 7 * DAY;
/** A visitor who has no copy waits for Postgres this long, and one who has an old one this long. */
const WAIT_MS = 4 * SECOND;
const WAIT_OLD_MS = 2 * SECOND;
const TIMEOUT_MS = 10 * SECOND;
/** A Postgres that could not answer is left alone by this isolate for so long. */
const REST_MS = 15 * SECOND;
/** Charts that are read at the same moment by one isolate. */
const READS_MAX = 8;

/** Whose charts: a component's, or of all that is published together. */
export interface Charted {
  readonly component: string | null;
  readonly range: ChartRange;
}

const reads = new Map<string, Promise<ComponentCharts | null>>();
let failedAt: Millis = 0;

/** The charts, as new as they can be had without a wait; null if nothing is known of them. */
export async function chartsOf(c: AppContext, origin: string, asked: Charted): Promise<ComponentCharts | null> {
  // A path that no route serves, so that no visitor can read or fill it.
  const key = `${origin}/.charts/${asked.component ?? "page"}/${asked.range}`;
  const copy = await keptCharts(key);
  const now = Date.now();
  if (copy !== null && Math.abs(now - copy.at) < FRESH_MS[asked.range]) return copy;
  const reading = readOnce(c, key, asked, now);
  if (reading === null || (copy !== null && !areOld(copy, now))) return copy;
  return (await within(reading, copy === null ? WAIT_MS : WAIT_OLD_MS)) ?? copy;
}

async function keptCharts(key: string): Promise<ComponentCharts | null> {
  const found = await caches.default.match(key);
  // Put there by `read`.
  return found === undefined ? null : found.json<ComponentCharts>();
}

/** The reading that is under way, or a new one; null where it has to wait. */
function readOnce(c: AppContext, key: string, asked: Charted, now: Millis): Promise<ComponentCharts | null> | null {
  const under = reads.get(key);
  if (under !== undefined) return under;
  if (Math.abs(now - failedAt) < REST_MS || reads.size >= READS_MAX) return null;
  const reading = read(c, key, asked, now)
    .catch((error: unknown) => {
      console.warn(JSON.stringify({ event: "charts_failed", error: String(error) }));
      return null;
    })
    .finally(() => reads.delete(key));
  reads.set(key, reading);
  // Goes on when its visitor is gone: the next will want it.
  c.executionCtx.waitUntil(reading);
  return reading;
}

async function read(
  c: AppContext,
  key: string,
  { component, range }: Charted,
  now: Millis,
): Promise<ComponentCharts | null> {
  const target = await boardOf(c.env).charted(component);
  if (target === null || target.services.length === 0 || target.services.length > SERIES_SERVICES_MAX) return null;
  const { services, timeZone, limits } = target;
  const plan = chartPlan(range, now, timeZone);
  const found = await seriesOver(historyDatabase(c, TIMEOUT_MS), { services, plan, now, timeZone });
  if (!found.ok) {
    failedAt = now;
    console.warn(JSON.stringify({ event: "charts_failed", code: found.code, message: found.message }));
    return null;
  }
  const charts = { range, at: now, limits, ...chartValues(plan, found.value.points, now) };
  const headers = { "cache-control": `public, max-age=${KEPT_MS / SECOND}` };
  await caches.default.put(key, Response.json(charts, { headers }));
  return charts;
}
