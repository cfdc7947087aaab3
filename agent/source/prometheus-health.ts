/**
 * Looks at a Prometheus' own health: three requests, every five minutes. Managed ones, Mimir and Thanos lack some of
 * these; what they do not tell is unknown, and said to be.
 *
 *   GET /api/v1/targets?state=active   what it scrapes
 *   GET /api/v1/rules                  what it evaluates
 *   GET /api/v1/status/tsdb            the runbook's cardinality check: series, and the ten largest names
 */
import { createHash } from "node:crypto";
import * as v from "valibot";
import { NAMED_MAX, type PrometheusHealth } from "../../protocol/health.ts";
import type { EventRecord } from "../../protocol/record.ts";
import { failure, success, type Result } from "../../protocol/result.ts";
import { MINUTE, SECOND, type Millis } from "../../protocol/time.ts";
import {
  healthReport,
  stepHealth,
  type HealthLook,
  type HealthTold,
  type Rule,
  type SeriesCount,
  type Target,
} from "../core/prometheus-health.ts";
import { plainLine } from "../core/text.ts";
import { parseJson, request } from "../http.ts";
import { loadHealth, saveHealth } from "./prometheus-health-file.ts";

const LOOK_EVERY_MS = 5 * MINUTE;
/** The first one waits until what the page needs has begun. */
const FIRST_LOOK_MS = 15 * SECOND;
/** Looks are spread over this share of their interval. */
const JITTER_SHARE = 0.1;
const TIMEOUT_MS = 10_000;
/** 5,000 targets with all their labels; longer is refused rather than held in memory. */
const ANSWER_BYTES_MAX = 16 * 1_048_576;
/** An older report is no evidence any more: two looks were missed. */
const OLD_MS = 3 * LOOK_EVERY_MS;
const SAYS_MAX = 300;

export interface PrometheusHealthOptions {
  readonly url: string;
  readonly cluster: string;
  readonly dataDir: string;
  readonly now: () => Millis;
  /** Whether `now` may be acted on: what grew since yesterday is asked of a clock. */
  readonly isConfirmed: () => boolean;
  readonly onEvent: (event: EventRecord) => void;
  /** Runs what takes memory one after the other. */
  readonly inTurn: <T>(work: () => Promise<T>) => Promise<T>;
  /** Between two looks, for tests that do not wait. */
  readonly paceMs?: number;
}

export interface PrometheusHealthSource {
  /** Null before the first look, and once the newest is no evidence any more. */
  report(): PrometheusHealth | null;
  stop(): Promise<void>;
}

export function startPrometheusHealth(options: PrometheusHealthOptions): PrometheusHealthSource {
  const { dataDir, now, isConfirmed, paceMs = LOOK_EVERY_MS } = options;
  let book = loadHealth(dataDir);
  let newest: PrometheusHealth | null = null;
  let isStopped = false;
  let timer: NodeJS.Timeout | null = null;
  let running: Promise<void> = Promise.resolve();
  const round = async (): Promise<void> => {
    const { look, faults } = isConfirmed() ? await lookAtHealth(options) : NOTHING;
    if (isStopped) return;
    const at = now();
    // The clock may have lost its confirmation meanwhile.
    if (look !== null && isConfirmed()) {
      const step = stepHealth(book, look, at);
      for (const told of step.told) options.onEvent(eventOf(options.cluster, told, at));
      book = step.book;
      const fault = saveHealth(dataDir, book);
      const said = [...faults, ...(fault === null ? [] : [fault])].join("; ");
      newest = healthReport(look, book, said === "" ? null : plainLine(said, SAYS_MAX), at);
    }
    later(newest === null ? Math.min(paceMs, FIRST_LOOK_MS) : paceMs);
  };
  const later = (waitMs: number): void => {
    timer = setTimeout(() => (running = round()), waitMs * (1 - JITTER_SHARE * Math.random()));
  };
  later(Math.min(paceMs, FIRST_LOOK_MS));
  return {
    report: () => (newest === null || Math.abs(now() - newest.at) > OLD_MS ? null : newest),
    stop: async () => {
      isStopped = true;
      if (timer !== null) clearTimeout(timer);
      await running;
    },
  };
}

interface Looked {
  readonly look: HealthLook | null;
  /** What it does not tell, and why. */
  readonly faults: readonly string[];
}
const NOTHING: Looked = { look: null, faults: [] };

/** One look. None of its requests waits for another source's, but they for each other. */
export async function lookAtHealth({
  url,
  inTurn,
}: Pick<PrometheusHealthOptions, "url" | "inTurn">): Promise<Looked & { readonly look: HealthLook }> {
  const targets = await inTurn(() => ask(`${url}/api/v1/targets?state=active`, TargetsSchema));
  const rules = await inTurn(() => ask(`${url}/api/v1/rules`, RulesSchema));
  const series = await inTurn(() => ask(`${url}/api/v1/status/tsdb`, SeriesSchema));
  const faultOf = (part: string, answer: Result<unknown, string>): readonly string[] =>
    answer.ok ? [] : [`${part}: ${answer.failure}`];
  return {
    look: {
      // One that answers for others scrapes nothing itself: that none of its targets is down says nothing.
      targets: targets.ok && targets.value.length > 0 ? targets.value : null,
      rules: rules.ok ? rules.value : null,
      series: series.ok ? series.value : null,
    },
    faults: [
      ...faultOf("targets", targets),
      ...(targets.ok && targets.value.length === 0 ? ["targets: it scrapes none itself"] : []),
      ...faultOf("rules", rules),
      ...faultOf("series", series),
    ],
  };
}

async function ask<T>(url: string, schema: v.GenericSchema<unknown, T>): Promise<Result<T, string>> {
  const answer = await request(url, { timeoutMs: TIMEOUT_MS, bytesMax: ANSWER_BYTES_MAX });
  if (!answer.ok) return answer;
  const { status, text } = answer.value;
  if (status !== 200) return failure(`HTTP ${status}`);
  const parsed = v.safeParse(v.object({ data: schema }), parseJson(text));
  return parsed.success ? success(parsed.output.data) : failure("not an answer of Prometheus");
}

const Health = <const Words extends readonly string[]>(...words: Words) =>
  v.fallback(v.picklist([...words, "unknown"] as const), "unknown");
const Text = v.optional(v.string(), "");

const TargetsSchema = v.pipe(
  v.object({
    activeTargets: v.array(
      v.object({
        scrapePool: Text,
        labels: v.object({ job: Text, instance: Text }),
        health: Health("up", "down"),
        lastError: Text,
      }),
    ),
  }),
  v.transform(({ activeTargets }): readonly Target[] =>
    activeTargets.map(({ scrapePool, labels, health, lastError }) => ({
      name: nameOf(scrapePool || labels.job, labels.instance),
      health,
      error: withoutSecrets(lastError),
    })),
  ),
);

const RulesSchema = v.pipe(
  v.object({
    groups: v.array(
      v.object({
        name: Text,
        rules: v.array(v.object({ name: Text, health: Health("ok", "err"), lastError: Text })),
      }),
    ),
  }),
  v.transform(({ groups }): readonly Rule[] =>
    groups.flatMap((group) =>
      group.rules.map(({ name, health, lastError }) => ({
        name: nameOf(group.name, name),
        health,
        error: withoutSecrets(lastError),
      })),
    ),
  ),
);

const Count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const SeriesSchema = v.pipe(
  v.object({
    headStats: v.optional(v.object({ numSeries: Count })),
    seriesCountByMetricName: v.array(v.object({ name: v.string(), value: Count })),
  }),
  v.transform(({ headStats, seriesCountByMetricName }): SeriesCount => ({
    head: headStats?.numSeries ?? null,
    top: seriesCountByMetricName
      .toSorted((a, b) => b.value - a.value)
      .slice(0, NAMED_MAX)
      .map(({ name, value }) => ({ metric: plainLine(name, 256), series: value })),
  })),
);

function nameOf(group: string, name: string): string {
  return plainLine(`${group} ${name}`.trim(), 256);
}

/** What follows the `?` of an address may be a token of the scrape's configuration, and what stands before its `@` is one. */
function withoutSecrets(error: string): string {
  return plainLine(error.replaceAll(/\?[^\s"]*/g, "?…").replaceAll(/\/\/[^\s"/@]*@/g, "//…@"), SAYS_MAX);
}

function eventOf(cluster: string, { kind, subject, since, body }: HealthTold, at: Millis): EventRecord {
  const id = createHash("sha256").update([cluster, kind, subject, since].join("\0")).digest("hex").slice(0, 32);
  const says = typeof body["says"] === "string" ? { says: plainLine(body["says"], 1_024) } : {};
  return { kind, id, at, subject, body: { ...body, ...says, since: new Date(since).toISOString() } };
}
