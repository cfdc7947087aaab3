/**
 * The Board's last day of numbers: `core/day` says what is kept of it, this remembers. A sample costs no call, and all
 * days are one row, written at most every five minutes: what an eviction takes is no more than that.
 */
import { MINUTE, SECOND } from "../../protocol/time.ts";
import type { Millis } from "../../protocol/time.ts";
import type { PageMetric } from "../../protocol/page.ts";
import type { Announcing } from "../core/announce.ts";
import type { Days, MetricChoice, MetricWish } from "../core/day.ts";
import {
  chosenMetrics,
  DAY_STEP_MS,
  DAY_STEPS,
  dayMetrics,
  DEFAULT_METRICS,
  isSampleDue,
  NO_DAY,
  readsDue,
  sampled,
  servicesOf,
  targetsOf,
  withArchive,
} from "../core/day.ts";
import { evenPlan } from "../core/series.ts";
import type { PageSettings } from "../core/snapshot.ts";
import type { Thresholds } from "../core/thresholds.ts";
import { THRESHOLDS } from "../core/thresholds.ts";
import { openDatabase } from "../store/database.ts";
import { SERIES_SERVICES_MAX, seriesOver } from "../store/series.ts";
import type { BoardMemory } from "./board-memory.ts";
import { freshId } from "./crypto.ts";
import { DayMemory } from "./day-memory.ts";
import type { Env } from "./env.ts";
import type { Meter } from "./meter.ts";
import type { TellMemory } from "./tell-memory.ts";

const WRITE_MS = 5 * MINUTE;
/** Postgres is asked at most this often, for all charts, and only while agents are heard. */
const READ_MS = 5 * MINUTE;
const READ_TIMEOUT_MS = 10 * SECOND;

/** What a chart of the archive needs: internal names, which never leave the Worker, and the limits drawn into it. */
export interface Charted {
  readonly services: readonly string[];
  readonly timeZone: string;
  readonly limits: { readonly p95Ms: number; readonly errorRatio: number };
}

export class BoardDay {
  readonly #env: Env;
  readonly #written: DayMemory;
  readonly #memory: BoardMemory;
  readonly #tells: TellMemory;
  #days: Days;
  #sampledAt: Millis = 0;
  #writtenAt: Millis = 0;
  #readAt: Millis = 0;

  constructor(env: Env, held: { readonly meter: Meter; readonly memory: BoardMemory; readonly tells: TellMemory }) {
    this.#env = env;
    this.#memory = held.memory;
    this.#tells = held.tells;
    this.#written = new DayMemory(held.meter);
    this.#days = this.#written.read();
  }

  /** What the page's charts show now. */
  metrics(page: PageSettings, now: Millis): readonly PageMetric[] {
    return dayMetrics(this.#days, choicesOf(page), (component) => this.#limits(page, component), now);
  }

  /** Sets which charts the first view has; null for those that it has by itself. */
  choose(wishes: readonly MetricWish[] | null, page: PageSettings, by: string): Announcing<readonly MetricChoice[]> {
    const components = this.#memory.all("component");
    const held = [...choicesOf(page), ...DEFAULT_METRICS];
    const chosen = chosenMetrics(wishes ?? DEFAULT_METRICS, held, components, freshId);
    if (!chosen.ok) return chosen;
    const { metrics: _, ...rest } = page;
    const changed = { ...rest, ...(wishes === null ? {} : { metrics: chosen.value }) };
    this.#memory.putPage(changed, "charts.change", by, Date.now());
    return chosen;
  }

  /** Null if there is no such component; without one it is all of them. */
  charted(page: PageSettings, component: string | null): Charted | null {
    const named = component === null ? null : this.#memory.get("component", component);
    if (component !== null && (named === null || named.hidden === true || named.withheld?.includes("numbers") === true))
      return null;
    const { p95Ms, errorRatioDegraded: errorRatio } = this.#limits(page, component);
    const services = servicesOf(component ?? "", this.#memory.all("component"));
    return { services, timeZone: page.timeZone, limits: { p95Ms, errorRatio } };
  }

  /** A component's own limits, else the page's, else the runbook's. */
  #limits(page: PageSettings, component: string | null): Thresholds {
    const own = component === null ? undefined : this.#memory.get("component", component)?.thresholds;
    return { ...THRESHOLDS, ...page.thresholds, ...own };
  }

  /** Takes a sample if one is due, and asks Postgres for what is missing if that is. Never throws. */
  async heard(page: PageSettings, now: Millis): Promise<void> {
    if (!isSampleDue(this.#sampledAt, now)) return;
    this.#sampledAt = now;
    this.#days = sampled(this.#days, targetsOf(choicesOf(page)), this.#memory.all("component"), this.#tells.map, now);
    if (Math.abs(now - this.#writtenAt) >= WRITE_MS) this.#write(now);
    if (Math.abs(now - this.#readAt) >= READ_MS) await this.#fill(page.timeZone, now);
  }

  async #fill(timeZone: string, now: Millis): Promise<void> {
    const [next] = readsDue(this.#days, now)
      .map((target) => ({ target, services: servicesOf(target, this.#memory.all("component")) }))
      // Of too many the samples are enough: all their minutes would keep a database busy.
      .filter(({ services }) => services.length > 0 && services.length <= SERIES_SERVICES_MAX);
    if (next === undefined) return;
    this.#readAt = now;
    const { target, services } = next;
    const { DATABASE_URL: url, NEON_FETCH_ENDPOINT: fetchEndpoint } = this.#env;
    const database = openDatabase({ url, fetchEndpoint, timeoutMs: READ_TIMEOUT_MS });
    const plan = evenPlan(now, DAY_STEP_MS, DAY_STEPS);
    const found = await seriesOver(database, { services, plan, now, timeZone });
    if (!found.ok) {
      console.warn(JSON.stringify({ event: "day_failed", code: found.code, message: found.message }));
      return;
    }
    // Samples were taken meanwhile.
    const readAt = Date.now();
    this.#days = { ...this.#days, [target]: withArchive(this.#days[target] ?? NO_DAY, found.value.points, readAt) };
    this.#write(readAt);
  }

  #write(now: Millis): void {
    this.#writtenAt = now;
    this.#written.write(this.#days);
  }
}

function choicesOf({ metrics }: PageSettings): readonly MetricChoice[] {
  return metrics ?? DEFAULT_METRICS;
}
