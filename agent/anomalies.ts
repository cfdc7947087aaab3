/**
 * The detector at work: every five minutes the golden signals of all services are asked for (three queries), judged by
 * what was learnt, and what is unusual becomes events. It makes no status: an anomaly is a hint to look, not an outage.
 *
 *   anomalies.json   which anomalies are open and when there was maintenance, for after a restart
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import type { EventRecord } from "../protocol/record.ts";
import { DAY, HOUR, SECOND, type Millis } from "../protocol/time.ts";
import { modelStamp, readModel, retrain } from "./baseline.ts";
import { AnomalyWatch, NOTHING_OPEN, type Happening, type Memory } from "./core/anomalies.ts";
import { POINT_MS } from "./core/golden.ts";
import { goldenAt, LEARNT_MS, withMaintenance, type LeftOut } from "./core/model.ts";
import { TUNING } from "./core/tuning.ts";
import { messageOf } from "./disk.ts";
import { replaceFile } from "./frames.ts";
import { parseJson } from "./http.ts";
import { onChange, type Log } from "./log.ts";
import { queryGolden, type GoldenRange } from "./source/golden.ts";
import type { PrometheusConfig } from "./source/prometheus.ts";

const FILE = "anomalies.json";
/** Samples of a point arrive up to one scrape and this much after its end, ms. */
const LATE_MS = 15 * SECOND;
const QUERY_TIMEOUT_MS = 10_000;
/** A baseline is learnt anew when it is older than this, and after a failure no sooner than that, ms. */
const LEARN_EVERY_MS = DAY;
const LEARN_AGAIN_MS = HOUR;
/** After each service that was learnt, ms: that takes a fiftieth of a core for four minutes a day, of 500 services. */
const REST_MS = 500;
/** The level of now, ms. */
const SHIFT_MS = TUNING.shiftPoints * POINT_MS;
/** Points that were missed are judged late, as far back as this; older ones only count as the level of now, ms. */
const CATCH_UP_MS = HOUR;

export interface AnomaliesOptions {
  readonly prometheus: PrometheusConfig;
  readonly threshold: number;
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
  stop(this: void): Promise<void>;
}

export function createAnomalies(options: AnomaliesOptions): Anomalies {
  const { prometheus, dataDir, intervalMs, now, isConfirmed } = options;
  const say = onChange(options.log);
  let notes = readNotes(dataDir);
  let [stamp, watch]: [string, AnomalyWatch | null] = ["", null];
  let learntTo: Millis = 0;
  let learnAfter: Millis = 0;
  let learning: Promise<void> | null = null;
  let isStopped = false;
  const sleep = (ms: number): Promise<void> =>
    isStopped ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, ms));
  const load = async (at: Millis): Promise<void> => {
    const newest = modelStamp(dataDir);
    if (newest === stamp) return;
    const model = readModel(dataDir);
    stamp = newest;
    learntTo = model?.to ?? 0;
    if (model === null) return;
    const memory = watch?.memory() ?? notes.memory;
    // Of a first start nothing is raised late: what is judged first is the newest point.
    const next = new AnomalyWatch(model, memory.at === 0 ? { ...memory, at: at - POINT_MS } : memory);
    // Of the points that are not judged any more, the newest.
    const until = Math.max(next.at, at - CATCH_UP_MS - POINT_MS);
    const before = await queryGolden(prometheus, until - SHIFT_MS + POINT_MS, until, QUERY_TIMEOUT_MS);
    if (before.ok) eachPoint(before.value, (services) => next.warm(services));
    watch = next;
    say("anomalies", "info", `baseline ${model.version} is in use for ${next.services} services`);
  };
  const learn = async (): Promise<void> => {
    learnAfter = now() + LEARN_AGAIN_MS;
    const given = { prometheus, dataDir, now: now(), leftOut: notes.maintenance, threshold: options.threshold };
    const pace = { pause: () => sleep(intervalMs), rest: () => sleep(REST_MS), progress: () => {} };
    const learnt = await retrain({ ...given, ...pace });
    if (!learnt.ok) return say("baseline", "warn", `no baseline could be learnt: ${learnt.failure}`);
    const { about, services, shadow } = learnt.value;
    const facts = { version: about.version, services, points: about.points, raisedInADay: shadow.now };
    options.log("info", "baseline learnt", { ...facts, raisedInADayBefore: shadow.before });
  };
  return {
    async look() {
      if (isStopped || !isConfirmed()) return;
      const at = Math.floor((now() - prometheus.scrapeInterval - LATE_MS) / POINT_MS) * POINT_MS;
      await load(at);
      if (learning === null && now() - learntTo > LEARN_EVERY_MS && now() >= learnAfter)
        learning = harmless(learn, say).finally(() => (learning = null));
      if (watch === null || at <= watch.at) return;
      const from = Math.max(watch.at + POINT_MS, at - CATCH_UP_MS);
      const read = await queryGolden(prometheus, from, at, QUERY_TIMEOUT_MS);
      if (!read.ok) return say("anomalies", "warn", `signals cannot be asked for: ${read.failure}`);
      const judging = watch;
      const maintained = options.maintained();
      eachPoint(read.value, (services, pointAt) => {
        const happened = judging.round({ at: pointAt, services, maintained, threshold: options.threshold });
        for (const one of happened) report(options, one);
      });
      const maintenance = withMaintenance(notes.maintenance, maintained, at);
      notes = { memory: judging.memory(), maintenance };
      // After the events: seen again, an event keeps its id, and one that was never written would be lost.
      replaceFile(join(dataDir, FILE), Buffer.from(JSON.stringify(notes)));
    },
    async stop() {
      isStopped = true;
      await learning;
    },
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
  take: (services: ReadonlyMap<string, ReturnType<typeof goldenAt>>, at: Millis) => void,
): void {
  for (let i = 0; i < points; i++)
    take(new Map([...services].map(([service, series]) => [service, goldenAt(series, i)])), from + i * POINT_MS);
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
