/**
 * Learning what is usual from Prometheus' last seven days: three queries of each four hours, so that no answer is large.
 * What is read and what is learnt stand on the disk (week.ts, model-file.ts) until they are complete.
 */
import { THRESHOLD } from "../protocol/detector.ts";
import { failure, success, type Result } from "../protocol/result.ts";
import { DAY, HOUR, type Millis } from "../protocol/time.ts";
import { POINT_MS } from "./core/golden.ts";
import { LEARNT_MS, learnService, wouldRaise, type GoldenSeries, type LeftOut, type AboutModel } from "./core/model.ts";
import { replay } from "./core/replay.ts";
import { ModelDraft, nextVersion, openModel, type ModelFile } from "./model-file.ts";
import type { GoldenSource } from "./source/golden.ts";
import { Week } from "./week.ts";

/** Asked for at once: of 500 services 1 MB of Prometheus' time and of the network, ms. */
const PART_MS = 4 * HOUR;
const PARTS_A_DAY = DAY / PART_MS;
/** A query over a part may take this long, ms. */
const QUERY_TIMEOUT_MS = 30_000;
export interface LearnOptions {
  readonly golden: GoldenSource;
  readonly dataDir: string;
  readonly now: Millis;
  readonly leftOut: readonly LeftOut[];
  readonly threshold?: number;
  /** Told after each day that was read, how many of how many. */
  readonly progress: (done: number, of: number) => void;
  /** Waited before each query, and after each service or point that was worked on, which takes a core for 10 ms. */
  readonly pause?: () => Promise<void>;
  readonly rest?: () => Promise<void>;
}

export interface Learnt {
  readonly about: AboutModel;
  readonly services: number;
  /** What both models would have raised in the last 24 hours; null of the former one if there was none. */
  readonly shadow: { readonly now: number; readonly before: number | null };
}

/** Why there is no answer. `no_data`: too little is known yet; more of it comes with time. */
export interface Unlearnt {
  readonly code: "no_data" | "failed";
  readonly says: string;
}

/** Learns, compares with what is in use, and switches. Why nothing was changed, otherwise. */
export function retrain(options: LearnOptions): Promise<Result<Learnt, Unlearnt>> {
  return withWeek(options, (week, first) => learnFrom(week, options, first));
}

/** @param use is given the last week, and the index of the first point that somebody saw in it; null if there is none */
async function withWeek<T>(
  options: LearnOptions,
  use: (week: Week, first: number | null) => Promise<Result<T, Unlearnt>>,
): Promise<Result<T, Unlearnt>> {
  const { from, to } = lastWeek(options.now);
  const week = new Week(options.dataDir, pointsOf(from, to));
  try {
    let first: number | null = null;
    const read = await readDays(options, from, to, (offset, part) => {
      week.add(offset, part);
      first ??= firstPoint(part, offset);
    });
    return read.ok ? await use(week, first) : failure({ code: "failed", says: read.failure });
  } finally {
    week.close();
  }
}

/** @param first the index of the first point that somebody saw in the week; null if there is none */
async function learnFrom(week: Week, options: LearnOptions, first: number | null): Promise<Result<Learnt, Unlearnt>> {
  const { dataDir, now, leftOut } = options;
  const { from, to } = lastWeek(now);
  const former = openModel(dataDir);
  const kept = mergeLeftOut(leftOut, former?.leftOut ?? [], from);
  const draft = new ModelDraft(dataDir, { version: nextVersion(dataDir), from, to, leftOut: kept });
  try {
    const { points, shadow } = await fit(week, options, draft, kept, former);
    if (draft.services > 0) return success({ about: draft.keep(points), services: draft.services, shadow });
    const seen = week.services.length;
    const ready = first === null ? "" : `; a day is there ${new Date(from + first * POINT_MS + DAY).toISOString()}`;
    const says = `${options.golden.name} holds less than a day of every service (${seen} seen in the last 7 days${ready})`;
    return failure({ code: "no_data", says });
  } finally {
    draft.close();
    former?.close();
  }
}

/** Service by service, so that neither what is learnt nor what is compared with it is held as a whole. */
async function fit(
  week: Week,
  { now, threshold = THRESHOLD, rest }: LearnOptions,
  draft: ModelDraft,
  leftOut: readonly LeftOut[],
  former: ModelFile | null,
): Promise<Pick<Learnt, "shadow"> & { readonly points: number }> {
  const { from, to } = lastWeek(now);
  const shadow: { now: number; before: number | null } = { now: 0, before: former === null ? null : 0 };
  let points = 0;
  for (const service of week.services) {
    const series = week.series(service);
    const one = learnService(service, series, from, leftOut);
    const old = former?.read(service) ?? null;
    points += one.points;
    if (one.points > 0) draft.add(service, one.signals);
    shadow.now += wouldRaise(one.signals, service, series, from, to - DAY, threshold);
    if (old !== null)
      shadow.before = (shadow.before ?? 0) + wouldRaise(old, service, series, from, to - DAY, threshold);
    await rest?.();
  }
  return { points, shadow };
}

/** The index of the first point that somebody saw; null if there is none. `offset` is the index of the first of these. */
function firstPoint(services: ReadonlyMap<string, GoldenSeries>, offset: number): number | null {
  const found = [...services.values()].map(({ rate }) => rate.findIndex((value) => !Number.isNaN(value)));
  const first = Math.min(...found.filter((index) => index >= 0));
  return Number.isFinite(first) ? offset + first : null;
}

/** What was left out before and still lies in the week is left out again. */
function mergeLeftOut(given: readonly LeftOut[], former: readonly LeftOut[], from: Millis): readonly LeftOut[] {
  const all = [...given, ...former].filter(({ to }) => to > from);
  return [...new Map(all.map((one) => [`${one.from} ${one.to} ${one.service}`, one])).values()];
}

/** What two thresholds would have raised, by subject, over the points from `from` on. */
export interface Previewed {
  readonly from: Millis;
  readonly raised: readonly [ReadonlyMap<string, number>, ReadonlyMap<string, number>];
}

/** Over the last seven days, by the baseline in use. Why that cannot be said, otherwise. */
export async function previewThresholds(
  options: LearnOptions,
  thresholds: readonly [number, number],
): Promise<Result<Previewed, Unlearnt>> {
  const model = openModel(options.dataDir);
  if (model === null)
    return failure({ code: "no_data", says: "no baseline is in use yet: it is learnt from a day at least" });
  try {
    return await withWeek(options, (week, first) => replayed(model, week, first, options, thresholds));
  } finally {
    model.close();
  }
}

async function replayed(
  model: ModelFile,
  week: Week,
  first: number | null,
  options: LearnOptions,
  thresholds: readonly [number, number],
): Promise<Result<Previewed, Unlearnt>> {
  if (first === null)
    return failure({ code: "no_data", says: `${options.golden.name} holds no point of the last 7 days` });
  const { from } = lastWeek(options.now);
  const leftOut = mergeLeftOut(options.leftOut, model.leftOut, from);
  const raised = async (threshold: number): Promise<ReadonlyMap<string, number>> => {
    const parts = week.parts((offset) => from + offset * POINT_MS);
    const replaying = replay(model, parts, leftOut, threshold);
    for (;;) {
      const next = replaying.next();
      if (next.done === true) return next.value;
      await options.rest?.();
    }
  };
  return success({ from: from + first * POINT_MS, raised: [await raised(thresholds[0]), await raised(thresholds[1])] });
}

/** Whole points, both included. */
function lastWeek(now: Millis): { readonly from: Millis; readonly to: Millis } {
  const to = Math.floor(now / POINT_MS) * POINT_MS;
  return { from: to - LEARNT_MS + POINT_MS, to };
}

function pointsOf(from: Millis, to: Millis): number {
  return Math.round((to - from) / POINT_MS) + 1;
}

/** @param take is given each part, and the index of its first point */
async function readDays(
  { golden, progress, pause }: LearnOptions,
  from: Millis,
  to: Millis,
  take: (offset: number, services: ReadonlyMap<string, GoldenSeries>) => void,
): Promise<Result<null, string>> {
  const parts = Math.ceil((pointsOf(from, to) * POINT_MS) / PART_MS);
  for (let part = 0; part < parts; part++) {
    const partFrom = from + part * PART_MS;
    const partTo = Math.min(to, partFrom + PART_MS - POINT_MS);
    await pause?.();
    const read = await golden.query(partFrom, partTo, QUERY_TIMEOUT_MS, pause);
    if (!read.ok) return failure(`${new Date(partFrom).toISOString().slice(0, 10)}: ${read.failure}`);
    take(Math.round((partFrom - from) / POINT_MS), read.value.services);
    if (partTo === to || (part + 1) % PARTS_A_DAY === 0) progress(Math.ceil((part + 1) / PARTS_A_DAY), LEARNT_MS / DAY);
  }
  return success(null);
}

/** A moment as a person reads it: RFC 3339 in UTC, to the second. */
export function timeText(at: Millis): string {
  return new Date(at).toISOString().replace(/\.\d{3}Z$/, "Z");
}
