/** What was learnt of a mesh, and how: seven days of every signal, without what must not count as usual. */
import { DAY, type Millis } from "../../protocol/time.ts";
import { baselineOf, usualAt, type Baseline, type Points } from "./baseline.ts";
import { Detector, type DetectorState } from "./detector.ts";
import { POINT_MS, SIGNALS, valueOf, type Golden, type Signal } from "./golden.ts";
import { QUIET, raise } from "./raise.ts";
import { TUNING } from "./tuning.ts";

export const LEARNT_MS = 7 * DAY;
/** Less than a day says nothing of its hours. */
const POINTS_MIN = DAY / POINT_MS;

/** A time that is not learnt from. `service` is null where it was all of them. */
export interface LeftOut {
  readonly from: Millis;
  readonly to: Millis;
  readonly service: string | null;
  readonly why: string;
}

interface SeriesModel {
  readonly baseline: Baseline;
  readonly detector: DetectorState;
}

export interface AboutModel {
  /** Rises by one with each that is learnt. */
  readonly version: number;
  readonly from: Millis;
  readonly to: Millis;
  readonly leftOut: readonly LeftOut[];
  /** Points that were learnt. */
  readonly points: number;
}

export type SignalModels = Readonly<Partial<Record<Signal, SeriesModel>>>;

/** Its services one by one, as often as they are asked for: of 500 of them there need not be room for all. */
export interface Model extends AboutModel {
  readonly services: Iterable<readonly [service: string, signals: SignalModels]>;
}

/** Points every five minutes from `from` on; NaN where there is none. */
export interface GoldenSeries {
  readonly rate: Float32Array;
  readonly errors: Float32Array;
  readonly p95Ms: Float32Array;
}

/** One point of all services. */
export function pointAt(services: ReadonlyMap<string, GoldenSeries>, i: number): ReadonlyMap<string, Golden> {
  const point = new Map<string, Golden>();
  for (const [service, series] of services) point.set(service, goldenAt(series, i));
  return point;
}

function goldenAt({ rate, errors, p95Ms }: GoldenSeries, i: number): Golden {
  return { rate: numberAt(rate, i), errors: numberAt(errors, i), p95Ms: numberAt(p95Ms, i) };
}

function numberAt(values: Float32Array, i: number): number | null {
  const value = values[i] ?? Number.NaN;
  return Number.isNaN(value) ? null : value;
}

/** What is learnt of one service, and from how many points; of a signal with less than a day of them nothing. */
export function learnService(
  service: string,
  series: GoldenSeries,
  from: Millis,
  leftOut: readonly LeftOut[],
): { readonly signals: SignalModels; readonly points: number } {
  let points = 0;
  const signals = SIGNALS.flatMap((signal) => {
    const learnt = learnSeries(pointsOf(service, signal, series, from, leftOut));
    points += learnt?.points ?? 0;
    return learnt === null ? [] : [[signal, learnt.series] as const];
  });
  return { signals: Object.fromEntries(signals), points };
}

interface LearntPoints extends Points {
  readonly noise: Float64Array;
}

/** Those that have a value. `since`: only points from here on. */
function pointsOf(
  service: string,
  signal: Signal,
  series: GoldenSeries,
  from: Millis,
  leftOut: readonly LeftOut[],
  since: Millis = from,
): LearntPoints {
  const first = Math.max(0, Math.ceil((since - from) / POINT_MS));
  const most = Math.max(0, series.rate.length - first);
  const [ats, values, noises] = [new Float64Array(most), new Float64Array(most), new Float64Array(most)];
  let size = 0;
  const out = leftOut.filter((one) => one.service === null || one.service === service);
  for (let i = first; i < series.rate.length; i++) {
    const at = from + i * POINT_MS;
    const value = valueOf(signal, goldenAt(series, i));
    // A point tells of the five minutes before it.
    const isOut = out.some((one) => at > one.from && at - POINT_MS < one.to);
    if (value === null || isOut) continue;
    ats[size] = at;
    values[size] = value.value;
    noises[size] = value.noise;
    size++;
  }
  return { at: ats.subarray(0, size), value: values.subarray(0, size), noise: noises.subarray(0, size) };
}

function learnSeries(points: LearntPoints): { readonly series: SeriesModel; readonly points: number } | null {
  const baseline = points.value.length < POINTS_MIN ? null : baselineOf(points);
  if (baseline === null) return null;
  const detector = new Detector();
  points.value.forEach((value, i) => detector.learn(value, usualAt(baseline, points.at[i] ?? 0), points.noise[i]));
  return { series: { baseline, detector: detector.state() }, points: points.value.length };
}

/** How many anomalies a service would have raised from `since` on, had nothing been learnt meanwhile. */
export function wouldRaise(
  signals: SignalModels,
  service: string,
  series: GoldenSeries,
  from: Millis,
  since: Millis,
  threshold: number,
): number {
  let raised = 0;
  for (const signal of SIGNALS) {
    const learnt = signals[signal];
    if (learnt === undefined) continue;
    const detector = new Detector(learnt.detector);
    let state = QUIET;
    const points = pointsOf(service, signal, series, from, [], since);
    for (let i = 0; i < points.value.length; i++) {
      const value = points.value[i] ?? 0;
      const score = detector.score(value, usualAt(learnt.baseline, points.at[i] ?? 0), points.noise[i]);
      detector.pass(value);
      const { next, act } = raise(state, score, threshold, TUNING.refractoryPoints);
      state = next;
      if (act === "raise") raised++;
    }
  }
  return raised;
}

/** The times of maintenance with one more moment of it. What is older than a week is forgotten. */
export function withMaintenance(
  known: readonly LeftOut[],
  maintained: ReadonlySet<string>,
  at: Millis,
): readonly LeftOut[] {
  const kept = known.filter(({ to }) => to > at - LEARNT_MS);
  return [...maintained].reduce<readonly LeftOut[]>((all, service) => {
    const last = all.findLast((one) => one.service === service);
    // It was there a point ago: the same one goes on.
    if (last === undefined || at - last.to > 2 * POINT_MS)
      return [...all, { from: at - POINT_MS, to: at, service, why: "maintenance" }];
    return all.map((one) => (one === last ? { ...one, to: at } : one));
  }, kept);
}
