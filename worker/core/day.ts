/**
 * The last day of numbers, in quarters of an hour: what the first view draws without asking the archive.
 *
 * The Board samples what is told while it is told, so this works while Postgres is away; what Postgres knows of steps
 * that nobody sampled, or of more of them, takes their place. Only the step under way keeps its histograms: counts are
 * merged and a percentile is read from them once, when the step is over.
 */
import type { Latency } from "../../protocol/latency.ts";
import { mergeLatencies, quantileOf } from "../../protocol/latency.ts";
import type { MetricKind, PageMetric } from "../../protocol/page.ts";
import type { Millis } from "../../protocol/time.ts";
import { DAY, HOUR, MINUTE } from "../../protocol/time.ts";
import { success } from "../../protocol/result.ts";
import type { Announcing } from "./announce.ts";
import { componentNamed } from "./announce.ts";
import type { Component, Evidence } from "./component.ts";
import { latenciesOf } from "./component.ts";
import { rateOf } from "./overview.ts";
import type { SeriesPoint } from "./series.ts";
import { ratesOf } from "./series.ts";
import type { Thresholds } from "./thresholds.ts";
import { visible } from "./visibility.ts";

export const DAY_STEP_MS = 15 * MINUTE;
export const DAY_STEPS = DAY / DAY_STEP_MS;
/** Clusters tell every 30 s, but a thousand of them at a thousand moments: more samples say nothing more. */
const SAMPLE_MS = MINUTE / 4;
/** What was told stands for no longer than this before it was. */
const SAMPLE_SPAN_MS = MINUTE;
/** Postgres may know more of a step that has holes, later: it is asked again after this. */
const READ_AGAIN_MS = HOUR;
/** Charts that an operator may choose: what fits a first view. */
export const METRICS_MAX = 6;
/** Fewer values are no line. */
const VALUES_MIN = 2;
/** Bytes matter: more figures than a chart can show. */
const FIGURES = 4;

/** A chart as an operator chose it. */
export interface MetricChoice {
  readonly id: string;
  /** Empty: what its kind is called. */
  readonly name: string;
  readonly kind: MetricKind;
  /** Null: all components together. */
  readonly component: string | null;
}

/** What an operator asks for. `component` is an id, a name, or "group / name"; null for all of the page. */
export interface MetricWish {
  readonly name: string;
  readonly kind: MetricKind;
  readonly component: string | null;
}

/** Wishes as choices: a chart that is shown already keeps its id, which programs know. */
export function chosenMetrics(
  wishes: readonly MetricWish[],
  held: readonly MetricChoice[],
  components: readonly Component[],
  freshId: () => string,
): Announcing<readonly MetricChoice[]> {
  const choices: MetricChoice[] = [];
  for (const { name, kind, component: ref } of wishes) {
    const named = ref === null ? null : componentNamed(ref, components);
    if (named?.ok === false) return named;
    const component = named?.value.id ?? null;
    const same = held.find((one) => one.kind === kind && one.component === component);
    choices.push({ id: same?.id ?? freshId(), name, kind, component });
  }
  return success(choices);
}

/** Where nobody chose. Ids are Statuspage's kind: 12 lower-case alphanumerics. */
export const DEFAULT_METRICS: readonly MetricChoice[] = [
  { id: "responsetime", name: "", kind: "p95", component: null },
  { id: "errorratio00", name: "", kind: "error_ratio", component: null },
  { id: "requestrate0", name: "", kind: "request_rate", component: null },
];

/** What charts draw as hairlines. */
type Limits = Pick<Thresholds, "p95Ms" | "errorRatioDegraded">;

/** A step that is over. `coveredMs`: how much of it was seen. */
interface Step {
  readonly at: Millis;
  readonly coveredMs: number;
  readonly perSecond: number;
  readonly errorRatio: number | null;
  readonly p95: { readonly estimate: number; readonly lo: number; readonly hi: number | null } | null;
}

/** The step under way: sums over its samples. */
interface OpenStep {
  readonly at: Millis;
  readonly coveredMs: number;
  readonly requests: number;
  readonly errors: number;
  /** One a scheme at most. */
  readonly latencies: readonly Latency[];
}

/** Of one component, or of all together. */
export interface DayOf {
  /** Those that are over and were seen, oldest first, at most `DAY_STEPS`. */
  readonly steps: readonly Step[];
  readonly open: OpenStep | null;
  readonly sampledAt: Millis;
  /** When Postgres was asked last; 0 if it never was. */
  readonly readAt: Millis;
}

export const NO_DAY: DayOf = { steps: [], open: null, sampledAt: 0, readAt: 0 };

/** Every day that is kept: by component, and under the empty name that of all together. */
export type Days = Readonly<Record<string, DayOf>>;

function stepOf(at: Millis): Millis {
  return Math.floor(at / DAY_STEP_MS) * DAY_STEP_MS;
}

/** What is to be kept for some charts. */
export function targetsOf(choices: readonly MetricChoice[]): ReadonlySet<string> {
  return new Set(choices.map(({ component }) => component ?? ""));
}

/** The services behind a target, each once. */
export function servicesOf(target: string, components: readonly Component[]): readonly string[] {
  const meant = target === "" ? visible(components) : components.filter(({ id }) => id === target);
  return [...new Set(meant.flatMap(({ services }) => services))];
}

/** Whether a sample is due: never because a clock was set back. */
export function isSampleDue(sampledAt: Millis, now: Millis): boolean {
  return Math.abs(now - sampledAt) >= SAMPLE_MS;
}

/** Takes a sample of every target, and forgets those that no chart shows any more. */
export function sampled(
  days: Days,
  targets: ReadonlySet<string>,
  components: readonly Component[],
  tells: Evidence["tells"],
  now: Millis,
): Days {
  return Object.fromEntries(
    [...targets].map((target) => [
      target,
      withSample(days[target] ?? NO_DAY, servicesOf(target, components), tells, now),
    ]),
  );
}

function withSample(day: DayOf, services: readonly string[], tells: Evidence["tells"], now: Millis): DayOf {
  const wanted = new Set(services);
  const fresh = [...tells.values()]
    .filter(({ expiresAt }) => now < expiresAt)
    .flatMap(({ cluster, services: told }) => told.filter(({ service }) => wanted.has(`${cluster}/${service}`)));
  const { requestsPerSecond, errorRatio } = rateOf(fresh);
  const turned = turnedTo(day, now);
  // A clock that was set right since has passed backwards, and what lies before a silence was not seen.
  const spanMs = Math.min(SAMPLE_SPAN_MS, Math.max(0, now - day.sampledAt));
  if (requestsPerSecond === null || spanMs === 0) return { ...turned, sampledAt: now };
  const open = turned.open ?? { at: stepOf(now), coveredMs: 0, requests: 0, errors: 0, latencies: [] };
  const requests = (requestsPerSecond * spanMs) / 1_000;
  return {
    ...turned,
    sampledAt: now,
    open: {
      at: open.at,
      coveredMs: open.coveredMs + spanMs,
      requests: open.requests + requests,
      errors: open.errors + requests * (errorRatio ?? 0),
      latencies: mergeLatencies([...open.latencies, ...fresh.flatMap(latenciesOf)]),
    },
  };
}

/** The day as of `now`: a step that is over is closed, and what is older than a day goes. */
function turnedTo(day: DayOf, now: Millis): DayOf {
  const current = stepOf(now);
  const first = current - (DAY_STEPS - 1) * DAY_STEP_MS;
  const { open } = day;
  const over = open === null || open.at === current ? [] : [closed(open)];
  return {
    ...day,
    open: over.length > 0 ? null : open,
    // Not what lies ahead either: it was written before a clock was set right.
    steps: merged(day.steps, over).filter(({ at }) => first <= at && at < current),
  };
}

function closed({ at, coveredMs, requests, errors, latencies }: OpenStep): Step {
  return {
    at,
    // Samples at its edges stand for a little of its neighbours.
    coveredMs: Math.min(DAY_STEP_MS, coveredMs),
    perSecond: (requests * 1_000) / coveredMs,
    errorRatio: requests > 0 ? errors / requests : null,
    p95: bare(quantileOf(latencies, 0.95)),
  };
}

function bare(found: ReturnType<typeof quantileOf>): Step["p95"] {
  return found === null ? null : { estimate: found.estimate, lo: found.lo, hi: found.hi };
}

/** Steps of both, and where both know one that which saw at least as much of it: of equals the latter. */
function merged(held: readonly Step[], others: readonly Step[]): readonly Step[] {
  const steps = new Map(held.map((step) => [step.at, step]));
  for (const step of others) if (step.coveredMs >= (steps.get(step.at)?.coveredMs ?? 0)) steps.set(step.at, step);
  return [...steps.values()].toSorted((a, b) => a.at - b.at);
}

/** Of which targets Postgres may know more than is held: asked longest ago first. */
export function readsDue(days: Days, now: Millis): readonly string[] {
  return Object.entries(days)
    .filter(([, { steps, readAt }]) => steps.length < DAY_STEPS - 1 && Math.abs(now - readAt) >= READ_AGAIN_MS)
    .toSorted(([, a], [, b]) => a.readAt - b.readAt)
    .map(([target]) => target);
}

/** A day with what Postgres knows of it. Its windows are whole, samples are not. */
export function withArchive(day: DayOf, points: readonly SeriesPoint[], now: Millis): DayOf {
  const rates = ratesOf(points, now);
  const known = points.flatMap(({ from, to, seen }, i): Step[] => {
    const rate = rates[i] ?? null;
    if (seen === null || rate === null) return [];
    const { requests, errors, p95 } = seen;
    const step = { perSecond: rate.perSecond, errorRatio: requests > 0 ? errors / requests : null, p95: bare(p95) };
    // A rare scrape's point reaches over several steps.
    return Array.from({ length: Math.max(1, Math.round((to - from) / DAY_STEP_MS)) }, (_, n) => ({
      ...step,
      at: stepOf(from) + n * DAY_STEP_MS,
      coveredMs: rate.share * DAY_STEP_MS,
    }));
  });
  return turnedTo({ ...day, readAt: now, steps: merged(day.steps, known) }, now);
}

/** The charts that visitors get: those that have anything to show. */
export function dayMetrics(
  days: Days,
  choices: readonly MetricChoice[],
  limits: (component: string | null) => Limits,
  now: Millis,
): readonly PageMetric[] {
  return choices.slice(0, METRICS_MAX).flatMap((choice) => {
    const day = days[choice.component ?? ""];
    const metric = day === undefined ? null : metricOf(choice, day, limits(choice.component), now);
    return metric === null ? [] : [metric];
  });
}

function metricOf(choice: MetricChoice, day: DayOf, limits: Limits, now: Millis): PageMetric | null {
  const { steps, open } = turnedTo(day, now);
  const bySlot = new Map([...steps, ...(open === null ? [] : [closed(open)])].map((step) => [step.at, step]));
  const from = stepOf(now) - (DAY_STEPS - 1) * DAY_STEP_MS;
  const slots = Array.from({ length: DAY_STEPS }, (_, i) => bySlot.get(from + i * DAY_STEP_MS) ?? null);
  const values = slots.map((step) => figures(step === null ? null : valueOf(choice.kind, step)));
  if (values.filter((value) => value !== null).length < VALUES_MIN) return null;
  const { id, name, kind, component } = choice;
  const { p95Ms, errorRatioDegraded } = limits;
  return {
    id,
    name,
    kind,
    component,
    from,
    stepMs: DAY_STEP_MS,
    values,
    ...(kind === "p95" && {
      lo: slots.map((step) => figures(step?.p95?.lo ?? null)),
      hi: slots.map((step) => figures(step?.p95?.hi ?? null)),
      limit: p95Ms,
    }),
    ...(kind === "error_ratio" && { limit: errorRatioDegraded }),
  };
}

function valueOf(kind: MetricKind, { perSecond, errorRatio, p95 }: Step): number | null {
  switch (kind) {
    case "p95":
      return p95?.estimate ?? null;
    case "error_ratio":
      return errorRatio;
    case "request_rate":
      return perSecond;
  }
}

function figures(value: number | null): number | null {
  return value === null ? null : Number(value.toPrecision(FIGURES));
}
