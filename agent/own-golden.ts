/**
 * Golden signals of an agent without Prometheus: points of five minutes, made of the windows that it closed itself and
 * kept for a week. A point is whole or it is none: after a restart in its midst nobody knows what was in it.
 *
 *   golden-2026-11-23.jsonl   a point a line: { at, of: { SERVICE: [requests a second, failed, p95 in ms or null] } }
 */
import { appendFileSync, existsSync, readdirSync, readFileSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { quantileOf, type Latency } from "../protocol/latency.ts";
import type { WindowRecord } from "../protocol/record.ts";
import { success } from "../protocol/result.ts";
import { DAY, MINUTE, SECOND, type Millis } from "../protocol/time.ts";
import { POINT_MS } from "./core/golden.ts";
import { LEARNT_MS, type GoldenSeries } from "./core/model.ts";
import { parseJson } from "./http.ts";
import type { GoldenSource } from "./source/golden.ts";

/** A boundary may be closed this late, ms. */
const LATE_MS = 30 * SECOND;
const DIGITS = 6;
/** Services of a point, the busiest: a week of them is 20 MB. */
const SERVICES_KEPT_MAX = 200;
const NAME = /^golden-(\d{4}-\d\d-\d\d)\.jsonl$/;

const LineSchema = v.object({
  at: v.number(),
  of: v.record(v.string(), v.tuple([v.number(), v.number(), v.nullable(v.number())])),
});

interface Counted {
  requests: number;
  errors: number;
  readonly latencies: Latency[];
}

export class OwnGolden {
  readonly #dataDir: string;
  readonly #onFault: (error: unknown) => void;
  #open: { readonly end: Millis; coveredMs: number; readonly services: Map<string, Counted> } | null = null;

  constructor(dataDir: string, onFault: (error: unknown) => void) {
    this.#dataDir = dataDir;
    this.#onFault = onFault;
  }

  /** Takes in what was closed at once: windows of one span, which ends at `until`. */
  take(windows: readonly WindowRecord[], until: Millis): void {
    const from = windows[0]?.at ?? until - MINUTE;
    const end = Math.ceil(until / POINT_MS) * POINT_MS;
    if (this.#open?.end !== end) this.#open = { end, coveredMs: 0, services: new Map() };
    // What began in an earlier point cannot be parted: then this point is not whole.
    if (from < end - POINT_MS) return;
    this.#open.coveredMs += until - from;
    for (const { service, requests, errors, latency } of windows) {
      const counted = this.#open.services.get(service) ?? { requests: 0, errors: 0, latencies: [] };
      this.#open.services.set(service, counted);
      counted.requests += requests;
      counted.errors += errors;
      if (latency !== null) counted.latencies.push(latency);
    }
    if (until < end) return;
    const { coveredMs, services } = this.#open;
    this.#open = null;
    if (coveredMs === POINT_MS) this.#keep(end, services);
  }

  /** A disk that is full costs points and nothing else. */
  #keep(at: Millis, services: ReadonlyMap<string, Counted>): void {
    const busiest = [...services].toSorted(([, a], [, b]) => b.requests - a.requests).slice(0, SERVICES_KEPT_MAX);
    const of = busiest.map(([service, counted]) => [service, pointOf(counted)]);
    const path = pathOf(this.#dataDir, at);
    try {
      if (!existsSync(path)) forget(this.#dataDir, at - LEARNT_MS - DAY);
      appendFileSync(path, `${JSON.stringify({ at, of: Object.fromEntries(of) })}\n`);
    } catch (error) {
      this.#onFault(error);
    }
  }
}

function pointOf({ requests, errors, latencies }: Counted): readonly (number | null)[] {
  const p95 = quantileOf(latencies, 0.95)?.estimate ?? null;
  const short = (value: number): number => Number(value.toPrecision(DIGITS));
  const perSecond = (count: number): number => short((count * SECOND) / POINT_MS);
  return [perSecond(requests), perSecond(errors), p95 === null ? null : short(p95)];
}

/** What an agent with this folder has kept, as a source to learn from and to judge. */
export function ownGolden(dataDir: string): GoldenSource {
  return {
    name: "the agent’s own record",
    lateMs: LATE_MS,
    async query(from, to) {
      const points = Math.round((to - from) / POINT_MS) + 1;
      const services = new Map<string, GoldenSeries>();
      for (const { at, of } of linesOf(dataDir, from, to)) {
        const index = (at - from) / POINT_MS;
        for (const [service, [rate, errors, p95Ms]] of Object.entries(of)) {
          const empty = (): Float32Array => new Float32Array(points).fill(Number.NaN);
          const series = services.get(service) ?? { rate: empty(), errors: empty(), p95Ms: empty() };
          services.set(service, series);
          series.rate[index] = rate;
          series.errors[index] = errors;
          series.p95Ms[index] = p95Ms ?? Number.NaN;
        }
      }
      return success({ from, points, services });
    },
  };
}

/** A line that was cut short by a death is none. */
function* linesOf(dataDir: string, from: Millis, to: Millis): Generator<v.InferOutput<typeof LineSchema>> {
  for (let day = Math.floor(from / DAY) * DAY; day <= to; day += DAY) {
    const path = pathOf(dataDir, day);
    if (!existsSync(path)) continue;
    for (const text of readFileSync(path, "utf8").split("\n")) {
      const line = text === "" ? null : v.safeParse(LineSchema, parseJson(text));
      if (line?.success === true && line.output.at >= from && line.output.at <= to) yield line.output;
    }
  }
}

function pathOf(dataDir: string, at: Millis): string {
  return join(dataDir, `golden-${new Date(at).toISOString().slice(0, 10)}.jsonl`);
}

function forget(dataDir: string, before: Millis): void {
  for (const name of readdirSync(dataDir)) {
    const day = NAME.exec(name)?.[1];
    if (day !== undefined && Date.parse(day) < before) unlinkSync(join(dataDir, name));
  }
}
