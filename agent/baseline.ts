/**
 * Learning what is usual from Prometheus' last seven days: three queries of each four hours, so that no answer is large.
 *
 * What is learnt replaces what was there in one step, and only once it is complete; what was there is kept beside it.
 *
 *   baseline.json            the model in use, with the SHA-256 of its text
 *   baseline.previous.json   the one before it, for `--roll-back`
 */
import { createHash } from "node:crypto";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  statSync,
  utimesSync,
} from "node:fs";
import { join } from "node:path";
import { THRESHOLD } from "../protocol/detector.ts";
import { failure, success, type Result } from "../protocol/result.ts";
import { DAY, HOUR, type Millis } from "../protocol/time.ts";
import { POINT_MS } from "./core/golden.ts";
import {
  LEARNT_MS,
  learnService,
  wouldRaise,
  type GoldenSeries,
  type LeftOut,
  type AboutModel,
  type Model,
} from "./core/model.ts";
import { replay } from "./core/replay.ts";
import { replaceFile } from "./frames.ts";
import { parseJson } from "./http.ts";
import type { GoldenSource } from "./source/golden.ts";
import { Week } from "./week.ts";

const FILE = "baseline.json";
const PREVIOUS = "baseline.previous.json";
/** Asked for at once: of 500 services 1 MB of Prometheus' time and of the network, ms. */
const PART_MS = 4 * HOUR;
const PARTS_A_DAY = DAY / PART_MS;
/** A query over a part may take this long, ms. */
const QUERY_TIMEOUT_MS = 30_000;
/** The first line is a fourth of this, bytes. */
const HEAD_BYTES_MAX = 512;
/** Rises with the form of the file: another form is learnt anew, not guessed at. */
const FORM = 1;

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
export async function retrain(options: LearnOptions): Promise<Result<Learnt, Unlearnt>> {
  const { from, to } = lastWeek(options.now);
  const week = new Week(options.dataDir, pointsOf(from, to));
  try {
    let first: number | null = null;
    const read = await readDays(options, from, to, (offset, part) => {
      week.add(offset, part);
      first ??= firstPoint(part, offset);
    });
    return read.ok ? await learnFrom(week, options, first) : failure({ code: "failed", says: read.failure });
  } finally {
    week.close();
  }
}

/** @param first the index of the first point that somebody saw in the week; null if there is none */
async function learnFrom(week: Week, options: LearnOptions, first: number | null): Promise<Result<Learnt, Unlearnt>> {
  const { dataDir, now, leftOut, threshold = THRESHOLD } = options;
  const { from, to } = lastWeek(now);
  const former = readModel(dataDir);
  const kept = mergeLeftOut(leftOut, former?.leftOut ?? [], from);
  const shadow: { now: number; before: number | null } = { now: 0, before: former === null ? null : 0 };
  const texts: string[] = [];
  let points = 0;
  for (const service of week.services) {
    const series = week.series(service);
    const one = learnService(service, series, from, kept);
    const old = former?.services[service];
    points += one.points;
    // As text it takes a fraction of the room.
    if (one.points > 0) texts.push(`${JSON.stringify(service)}:${JSON.stringify(one.signals)}`);
    shadow.now += wouldRaise(one.signals, service, series, from, to - DAY, threshold);
    if (old !== undefined)
      shadow.before = (shadow.before ?? 0) + wouldRaise(old, service, series, from, to - DAY, threshold);
    await options.rest?.();
  }
  if (texts.length === 0) {
    const seen = week.services.length;
    const ready = first === null ? "" : `; a day is there ${new Date(from + first * POINT_MS + DAY).toISOString()}`;
    const says = `${options.golden.name} holds less than a day of every service (${seen} seen in the last 7 days${ready})`;
    return failure({ code: "no_data", says });
  }
  // Also above the one that was put aside by a roll-back: a version names one baseline.
  const version = 1 + Math.max(former?.version ?? 0, versionOf(join(dataDir, PREVIOUS)));
  const about: AboutModel = { version, from, to, leftOut: kept, points };
  writeModel(dataDir, about, texts);
  return success({ about, services: texts.length, shadow });
}

/** The index of the first point that somebody saw; null if there is none. `offset` is the index of the first of these. */
function firstPoint(services: ReadonlyMap<string, GoldenSeries>, offset = 0): number | null {
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
  const model = readModel(options.dataDir);
  if (model === null)
    return failure({ code: "no_data", says: "no baseline is in use yet: it is learnt from a day at least" });
  const { from, to } = lastWeek(options.now);
  const services = new Map<string, GoldenSeries>();
  const points = pointsOf(from, to);
  const read = await readDays(options, from, to, (offset, part) => {
    for (const [service, one] of part) {
      const empty = (): Float32Array => new Float32Array(points).fill(Number.NaN);
      const whole = services.get(service) ?? { rate: empty(), errors: empty(), p95Ms: empty() };
      services.set(service, whole);
      whole.rate.set(one.rate, offset);
      whole.errors.set(one.errors, offset);
      whole.p95Ms.set(one.p95Ms, offset);
    }
  });
  if (!read.ok) return failure({ code: "failed", says: read.failure });
  const first = firstPoint(services);
  if (first === null)
    return failure({ code: "no_data", says: `${options.golden.name} holds no point of the last 7 days` });
  const leftOut = mergeLeftOut(options.leftOut, model.leftOut, from);
  const raised = async (threshold: number): Promise<ReadonlyMap<string, number>> => {
    const replayed = replay(model, services, from, leftOut, threshold);
    for (;;) {
      const next = replayed.next();
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

/** The model in use; null if there is none, or if the file is not what was written. */
export function readModel(dataDir: string): Model | null {
  const path = join(dataDir, FILE);
  if (!existsSync(path)) return null;
  const text = readFileSync(path, "utf8");
  const cut = text.indexOf("\n");
  const head = parseJson(text.slice(0, cut));
  const body = text.slice(cut + 1);
  const isOurs =
    typeof head === "object" &&
    head !== null &&
    "form" in head &&
    head.form === FORM &&
    "checksum" in head &&
    head.checksum === checksum(body);
  // It was typed when it was written, and the checksum says that these are the bytes.
  return isOurs ? (parseJson(body) as Model) : null;
}

/** By its first line; 0 if there is none. */
function versionOf(path: string): number {
  if (!existsSync(path)) return 0;
  const file = openSync(path, "r");
  const begin = Buffer.alloc(HEAD_BYTES_MAX);
  const read = readSync(file, begin);
  closeSync(file);
  const head = parseJson(begin.toString("utf8", 0, read).split("\n", 1)[0] ?? "");
  const version = typeof head === "object" && head !== null && "version" in head ? head.version : 0;
  return typeof version === "number" && Number.isSafeInteger(version) ? version : 0;
}

/** @param texts of each service its name and what was learnt, as members of an object */
function writeModel(dataDir: string, about: AboutModel, texts: readonly string[]): void {
  const body = Buffer.from(`${JSON.stringify(about).slice(0, -1)},"services":{${texts.join(",")}}}`);
  const head = { form: FORM, version: about.version, points: about.points, checksum: checksum(body) };
  const path = join(dataDir, FILE);
  mkdirSync(dataDir, { recursive: true });
  if (existsSync(path)) replaceFile(join(dataDir, PREVIOUS), readFileSync(path));
  replaceFile(path, Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), body]));
}

/** Puts the previous model back, and keeps the one that it replaces in its place. */
export function rollBack(dataDir: string): Result<Model, string> {
  const [path, previous, aside] = [FILE, PREVIOUS, `${FILE}.aside`].map((name) => join(dataDir, name));
  if (path === undefined || previous === undefined || aside === undefined || !existsSync(previous))
    return failure("there is no earlier baseline to go back to");
  if (existsSync(path)) renameSync(path, aside);
  renameSync(previous, path);
  if (existsSync(aside)) renameSync(aside, previous);
  // From now on it is in use: what is old by itself would be learnt anew within the hour.
  utimesSync(path, new Date(), new Date());
  const model = readModel(dataDir);
  return model === null ? failure("the earlier baseline is damaged; learn a new one") : success(model);
}

/** Changes whenever another model is in use; `since` is when it was put there, by this machine's clock. */
export function modelStamp(dataDir: string): { readonly stamp: string; readonly since: Millis } {
  const found = statSync(join(dataDir, FILE), { throwIfNoEntry: false });
  return found === undefined
    ? { stamp: "", since: 0 }
    : { stamp: `${found.mtimeMs} ${found.ino}`, since: Math.floor(found.mtimeMs) };
}

function checksum(body: string | Uint8Array): string {
  return createHash("sha256").update(body).digest("hex");
}

/** A moment as a person reads it: RFC 3339 in UTC, to the second. */
export function timeText(at: Millis): string {
  return new Date(at).toISOString().replace(/\.\d{3}Z$/, "Z");
}
