/**
 * The detector at work: every five minutes the golden signals of all services are asked for (three queries), judged by
 * what was learnt, and what is unusual becomes events. It makes no status: an anomaly is a hint to look, not an outage.
 *
 *   anomalies.json   which anomalies are open and when there was maintenance, for after a restart
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import * as v from "valibot";
import type { DetectorCommand, DetectorReport } from "../protocol/detector.ts";
import type { SignedDesired } from "../protocol/lease.ts";
import type { EventRecord } from "../protocol/record.ts";
import { DAY, HOUR, type Millis } from "../protocol/time.ts";
import { carryOut } from "./answering.ts";
import { retrain } from "./baseline.ts";
import { AnomalyWatch, NOTHING_OPEN, type Happening, type Memory } from "./core/anomalies.ts";
import { POINT_MS } from "./core/golden.ts";
import { LEARNT_MS, pointAt, withMaintenance, type LeftOut } from "./core/model.ts";
import { plainLine } from "./core/text.ts";
import { TUNING } from "./core/tuning.ts";
import { leftOutOf, maintainedAt as maintainedBy } from "./core/wish.ts";
import { messageOf } from "./disk.ts";
import { replaceFile } from "./frames.ts";
import { parseJson } from "./http.ts";
import { onChange, type Log } from "./log.ts";
import { modelStamp, openModel, type ModelFile } from "./model-file.ts";
import type { GoldenRange, GoldenSource } from "./source/golden.ts";
import type { Wishes } from "./wishes.ts";

const FILE = "anomalies.json";
const QUERY_TIMEOUT_MS = 10_000;
/** A baseline is learnt anew when it has been in use for longer than this, and after a failure no sooner than that, ms. */
const LEARN_EVERY_MS = DAY;
const LEARN_AGAIN_MS = HOUR;
/** Between two queries of those: with what is asked of Prometheus otherwise, it stays below six an interval. */
const LEARN_PAUSE_INTERVALS = 2;
/** After each service that was learnt, ms: that takes a fiftieth of a core for four minutes a day, of 500 services. */
const REST_MS = 500;
/** The level of now, ms. */
const SHIFT_MS = TUNING.shiftPoints * POINT_MS;
/** Points that were missed are judged late, as far back as this; older ones only count as the level of now, ms. */
const CATCH_UP_MS = HOUR;
/** After three points that nobody saw nothing looks any more, ms. */
const BLIND_MS = 3 * POINT_MS;

export interface AnomaliesOptions {
  readonly golden: GoldenSource;
  /** What is wished of it, and how a command was answered. */
  readonly wishes: Wishes;
  readonly cluster: string;
  readonly dataDir: string;
  /** How often it is looked whether a point is due, and the pace of queries while learning, ms. */
  readonly intervalMs: number;
  readonly now: () => Millis;
  readonly isConfirmed: () => boolean;
  /** Services in maintenance. */
  readonly maintained: () => ReadonlySet<string>;
  readonly onEvent: (event: EventRecord) => void;
  readonly log: Log;
}

export interface Anomalies {
  /** Looks whether something is due, and does it. */
  look(this: void): Promise<void>;
  /** What the edge is told of it. */
  report(this: void): DetectorReport;
  stop(this: void): Promise<void>;
}

export function createAnomalies(options: AnomaliesOptions): Anomalies {
  return new Detecting(options).anomalies();
}

class Detecting {
  readonly #options: AnomaliesOptions;
  readonly #say: ReturnType<typeof onChange>;
  #notes: Notes;
  #stamp = "";
  #watch: AnomalyWatch | null = null;
  #baseline: DetectorReport["baseline"] = null;
  /** When the baseline in use was put there. */
  #usedSince: Millis = 0;
  #learnAfter: Millis = 0;
  /** Learning, or an answer to a command: one at a time. */
  #working: Promise<void> | null = null;
  /** The newest point at which somebody was seen; null if there was none. */
  #judgedTo: Millis | null;
  /** Why nothing is judged; null while points are. */
  #trouble: string | null = null;
  #isStopped = false;

  constructor(options: AnomaliesOptions) {
    this.#options = options;
    this.#say = onChange(options.log);
    this.#notes = readNotes(options.dataDir);
    this.#judgedTo = this.#notes.memory.at === 0 ? null : this.#notes.memory.at;
  }

  anomalies(): Anomalies {
    return {
      look: () => this.#look(),
      report: () => this.#report(),
      stop: async () => {
        this.#isStopped = true;
        await this.#working;
      },
    };
  }

  async #look(): Promise<void> {
    const { golden, now, isConfirmed, wishes, dataDir } = this.#options;
    if (this.#isStopped || !isConfirmed()) return;
    const at = Math.floor((now() - golden.lateMs) / POINT_MS) * POINT_MS;
    await this.#load(at);
    this.#begin();
    const watch = this.#watch;
    if (watch === null || at <= watch.at) return;
    const from = Math.max(watch.at + POINT_MS, at - CATCH_UP_MS);
    const read = await golden.query(from, at, QUERY_TIMEOUT_MS);
    this.#trouble = read.ok ? null : `signals cannot be asked for: ${read.failure}`;
    if (!read.ok) return this.#say("anomalies", "warn", `signals cannot be asked for: ${read.failure}`);
    if (read.value.services.size > 0) this.#judgedTo = at;
    const leased = this.#options.maintained();
    const maintainedAt = (pointAt: Millis): ReadonlySet<string> =>
      new Set([...leased, ...maintainedBy(wishes.unusual, read.value.services.keys(), pointAt)]);
    eachPoint(read.value, (services, pointAt) => {
      const maintained = maintainedAt(pointAt);
      const happened = watch.round({ at: pointAt, services, maintained, threshold: wishes.threshold });
      for (const one of happened) report(this.#options, one);
    });
    const maintenance = withMaintenance(this.#notes.maintenance, leased, at);
    this.#notes = { memory: watch.memory(), maintenance };
    // After the events: seen again, an event keeps its id, and one that was never written would be lost.
    replaceFile(join(dataDir, FILE), Buffer.from(JSON.stringify(this.#notes)));
  }

  /** Takes up the baseline that is in use now. */
  async #load(at: Millis): Promise<void> {
    const { dataDir } = this.#options;
    const { stamp, since } = modelStamp(dataDir);
    if (stamp === this.#stamp) return;
    const model = openModel(dataDir);
    try {
      if (model !== null) await this.#takeUp(model, at);
    } finally {
      model?.close();
    }
    this.#stamp = stamp;
    this.#usedSince = model === null ? 0 : since;
  }

  async #takeUp(model: ModelFile, at: Millis): Promise<void> {
    const known = this.#watch?.memory() ?? this.#notes.memory;
    // Of a first start nothing is raised late: what is judged first is the newest point.
    const memory = known.at === 0 ? { ...known, at: at - POINT_MS } : known;
    // Of the points that are not judged any more, the newest.
    const until = Math.max(memory.at, at - CATCH_UP_MS - POINT_MS);
    const before = await this.#options.golden.query(until - SHIFT_MS + POINT_MS, until, QUERY_TIMEOUT_MS);
    // Both at once are more than the agent needs room for otherwise. No point is judged meanwhile.
    this.#watch = null;
    const next = new AnomalyWatch(model.version, memory);
    for (const [service, signals] of model.services) {
      next.add(service, signals);
      // In one go V8 would let all that was read pile up.
      await setImmediate();
    }
    if (before.ok) eachPoint(before.value, (services) => next.warm(services));
    const { version, from, to, points, leftOut } = model;
    this.#watch = next;
    this.#baseline = { version, from, to, points, services: next.services, leftOut: leftOut.length };
    this.#say("anomalies", "info", `baseline ${version} is in use for ${next.services} services`);
  }

  /** Begins what is due: a command that somebody waits for, or a new baseline. */
  #begin(): void {
    const { wishes, now } = this.#options;
    const command = wishes.due;
    if (this.#working !== null) return command === null ? undefined : this.#putOff(command);
    const isOld = now() - this.#usedSince > LEARN_EVERY_MS && now() >= this.#learnAfter;
    const work = command !== null ? () => this.#carryOut(command) : isOld ? () => this.#learn() : null;
    if (work === null) return;
    this.#working = harmless(work, this.#say).finally(() => (this.#working = null));
  }

  /** A preview without a baseline is answered at once: there is nothing to wait for. */
  #putOff(command: DetectorCommand): void {
    const { wishes } = this.#options;
    if (command.kind === "preview" && this.#baseline === null) void harmless(() => this.#carryOut(command), this.#say);
    else if (!wishes.isUnderWay) wishes.wait(command, "waits until the baseline that is being learnt is done");
  }

  async #carryOut(command: DetectorCommand): Promise<void> {
    const { golden, dataDir, wishes, log, intervalMs } = this.#options;
    const pause = (ms: number): Promise<void> => this.#sleep(Math.min(ms, intervalMs));
    const leftOut = (): readonly LeftOut[] => this.#leftOut();
    await carryOut(command, { golden, dataDir, wishes, leftOut, now: this.#options.now, pause, log });
  }

  async #learn(): Promise<void> {
    const { golden, dataDir, now, wishes, intervalMs, log } = this.#options;
    this.#learnAfter = now() + LEARN_AGAIN_MS;
    const given = { golden, dataDir, now: now(), leftOut: this.#leftOut(), threshold: wishes.threshold };
    const pace = {
      pause: () => this.#sleep(LEARN_PAUSE_INTERVALS * intervalMs),
      rest: () => this.#sleep(REST_MS),
      progress: () => {},
    };
    const learnt = await retrain({ ...given, ...pace });
    this.#trouble = learnt.ok ? null : learnt.failure.says;
    if (!learnt.ok) return this.#say("baseline", "warn", `no baseline could be learnt: ${learnt.failure.says}`);
    const { about, services, shadow } = learnt.value;
    const facts = { version: about.version, services, points: about.points, raisedInADay: shadow.now };
    log("info", "baseline learnt", { ...facts, raisedInADayBefore: shadow.before });
  }

  #leftOut(): readonly LeftOut[] {
    return [...this.#notes.maintenance, ...leftOutOf(this.#options.wishes.unusual, this.#options.now())];
  }

  #sleep(ms: number): Promise<void> {
    return this.#isStopped ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, ms));
  }

  #report(): DetectorReport {
    const { wishes, now, isConfirmed } = this.#options;
    const { detail: undone, ...wished } = wishes.report();
    const judgedTo = this.#judgedTo;
    const isBlind = judgedTo === null || !isConfirmed() || now() - judgedTo > BLIND_MS + POINT_MS;
    // Also while one is taken up in the place of another.
    const state = this.#baseline === null ? "learning" : isBlind ? "blind" : "watching";
    const why = state === "watching" ? null : (this.#trouble ?? WHY[state]);
    const details = [why, undone].filter((text) => text !== null);
    const detail = details.length === 0 ? null : plainLine(details.join("; "), DETAIL_MAX);
    return { ...wished, state, detail, baseline: this.#baseline, judgedTo };
  }
}

const WHY = {
  learning: "the first baseline is being learnt",
  blind: "no point could be judged for a quarter of an hour",
};
const DETAIL_MAX = 300;

/** Where nothing looks, and why: what is asked is answered with that. */
export function nobodyLooks(wishes: Wishes, why: string, now: () => Millis) {
  return {
    report(): DetectorReport {
      const { detail, ...wished } = wishes.report();
      const says = detail === null ? why : `${why}; ${detail}`;
      return { ...wished, state: "off", detail: plainLine(says, DETAIL_MAX), baseline: null, judgedTo: null };
    },
    offer(signed: SignedDesired): void {
      wishes.offer(signed);
      const command = wishes.due;
      if (command === null) return;
      const { id, kind } = command;
      wishes.answer({
        id,
        kind,
        state: "forbidden",
        at: now(),
        says: plainLine(`nothing was done: ${why}`, DETAIL_MAX),
      });
    },
    stop: async (): Promise<void> => {},
  };
}

/** With its own pace. */
export function startAnomalies(options: AnomaliesOptions): Anomalies {
  const anomalies = createAnomalies(options);
  const say = onChange(options.log);
  let timer: NodeJS.Timeout | null = null;
  let isStopped = false;
  let round: Promise<void> = Promise.resolve();
  const next = (): void => {
    round = harmless(anomalies.look, say).then(() => {
      if (!isStopped) timer = setTimeout(next, options.intervalMs);
    });
  };
  next();
  return {
    ...anomalies,
    async stop() {
      isStopped = true;
      if (timer !== null) clearTimeout(timer);
      await Promise.all([round, anomalies.stop()]);
    },
  };
}

/** A detector that cannot write its notes, or has a fault of its own, must not end an agent that reports. */
async function harmless(work: () => Promise<void>, say: ReturnType<typeof onChange>): Promise<void> {
  try {
    await work();
  } catch (error) {
    say("anomalies", "error", `anomalies are not looked for: ${messageOf(error)}`);
  }
}

function eachPoint(
  { from, points, services }: GoldenRange,
  take: (services: ReturnType<typeof pointAt>, at: Millis) => void,
): void {
  for (let i = 0; i < points; i++) take(pointAt(services, i), from + i * POINT_MS);
}

function report({ cluster, onEvent, log }: AnomaliesOptions, happening: Happening): void {
  const { subject, raisedAt } = happening;
  const raised = idOf(cluster, "anomaly.raised", subject, raisedAt);
  if (happening.kind === "raised") {
    onEvent({ kind: "anomaly.raised", id: raised, at: raisedAt, subject, body: { ...happening.body } });
    const { score, says } = happening.body;
    log("warn", "anomaly raised", { subject, anomaly_score: score ?? null, says: says ?? null });
    return;
  }
  const id = idOf(cluster, "anomaly.closed", subject, happening.at);
  onEvent({ kind: "anomaly.closed", id, at: happening.at, subject, body: { raised } });
  log("info", "anomaly over", { subject, raised });
}

/** Seen again, an event keeps its id. */
function idOf(cluster: string, kind: string, subject: string, at: Millis): string {
  return createHash("sha256").update([cluster, kind, subject, at].join("\0")).digest("hex").slice(0, 32);
}

interface Notes {
  readonly memory: Memory;
  readonly maintenance: readonly LeftOut[];
}

const Moment = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const NotesSchema = v.object({
  memory: v.object({
    at: Moment,
    raising: v.record(v.string(), v.object({ since: v.nullable(Moment), calm: v.nullable(Moment) })),
    open: v.record(v.string(), v.object({ raisedAt: Moment, members: v.array(v.string()) })),
  }),
  maintenance: v.array(v.object({ from: Moment, to: Moment, service: v.nullable(v.string()), why: v.string() })),
});

/** Nothing at the first start, and nothing where the file is damaged. */
export function readNotes(dataDir: string): Notes {
  try {
    const read = v.safeParse(NotesSchema, parseJson(readFileSync(join(dataDir, FILE), "utf8")));
    if (read.success) return read.output;
  } catch {
    // There is none yet.
  }
  return { memory: NOTHING_OPEN, maintenance: [] };
}

/** Maintenance of the last seven days, for a baseline that is learnt by hand. */
export function knownMaintenance(dataDir: string, now: Millis): readonly LeftOut[] {
  return readNotes(dataDir).maintenance.filter(({ to }) => to > now - LEARNT_MS);
}
