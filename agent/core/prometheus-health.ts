/**
 * What is told of a Prometheus' own health: targets that are down, rules that fail, and series that grow, each once when
 * it begins and once when it ends. A part that it does not tell changes nothing: that is no evidence of health.
 */
import { ALL_SERIES, NAMED_MAX, type PrometheusHealth } from "../../protocol/health.ts";
import type { PROMETHEUS_KINDS } from "../../protocol/record.ts";
import { HOUR, type Millis } from "../../protocol/time.ts";

/** Of the runbook's cardinality check: a name has grown when it has half as many series more than a day ago … */
const GROWN = 1.5;
/** … and all series together when they are four fifths more. A rollout alone makes less of it: old series stay for two hours. */
const HEAD_GROWN = 1.8;
/** Less is not worth a word, series. */
const GROWN_MIN = 1_000;
/** It has settled when less than this share of such a growth is left. */
const SETTLED_SHARE = 0.5;
/** Counts are kept this often, and this long. */
const SAMPLE_EVERY_MS = HOUR;
const SAMPLES_FOR_MS = 26 * HOUR;
/** "A day ago" is the most that was seen in these hours: the head is cut every two, and what it had before counts. */
const [DAY_FROM_MS, DAY_TO_MS] = [26 * HOUR, 22 * HOUR];
/** While less than a day is known, its first hours stand for it, once they are this old. */
const KNOWN_AFTER_MS = HOUR;
const FIRST_HOURS_MS = 2 * HOUR;
/** Told and not over yet, of each kind of trouble; what is beyond is counted and not told. */
export const OPEN_MAX = 50;
/** Targets that were down once. */
export const SUSPECTS_MAX = 1_000;

export interface Target {
  /** Its job and instance. */
  readonly name: string;
  readonly health: "up" | "down" | "unknown";
  /** What was wrong with the last scrape; empty if nothing was. */
  readonly error: string;
}

export interface Rule {
  /** Its group and its own name. */
  readonly name: string;
  readonly health: "ok" | "err" | "unknown";
  readonly error: string;
}

export interface SeriesCount {
  /** In memory; null where only names are counted. */
  readonly head: number | null;
  /** The largest names, the largest first, at most ten. */
  readonly top: readonly { readonly metric: string; readonly series: number }[];
}

/** One look. Null: it does not tell that part. */
export interface HealthLook {
  readonly targets: readonly Target[] | null;
  readonly rules: readonly Rule[] | null;
  readonly series: SeriesCount | null;
}

type Trouble = "target" | "rule" | "series";
interface OpenTrouble {
  readonly trouble: Trouble;
  readonly subject: string;
  readonly since: Millis;
}

/** What outlives the process: plain data, bounded. */
export interface HealthBook {
  readonly samples: readonly (SeriesCount & { readonly at: Millis })[];
  /** Targets that were down at the last look. */
  readonly suspects: readonly string[];
  readonly open: readonly OpenTrouble[];
}
export const EMPTY_HEALTH: HealthBook = { samples: [], suspects: [], open: [] };

/** `since`: of its beginning, also where it ends. */
export interface HealthTold extends OpenTrouble {
  readonly kind: (typeof PROMETHEUS_KINDS)[number];
  readonly body: Readonly<Record<string, string | number | null>>;
}

const KINDS = {
  target: ["prometheus.target_down", "prometheus.target_up"],
  rule: ["prometheus.rule_failing", "prometheus.rule_healed"],
  series: ["prometheus.series_growing", "prometheus.series_settled"],
} as const;

/** What is seen of one subject: `bad` begins or goes on, `well` ends, `unclear` changes nothing. */
interface Seen {
  readonly state: "bad" | "well" | "unclear";
  readonly body: HealthTold["body"];
}

export function stepHealth(
  held: HealthBook,
  look: HealthLook,
  now: Millis,
): { readonly book: HealthBook; readonly told: readonly HealthTold[] } {
  const all = [
    judge("target", targetsSeen(look.targets, new Set(held.suspects)), "no longer scraped", held, now),
    judge("rule", rulesSeen(look.rules), "no longer there", held, now),
    judge("series", seriesSeen(look.series, held, now), "no longer among the ten largest", held, now),
  ];
  const suspects =
    look.targets === null
      ? held.suspects
      : look.targets.filter(({ health }) => health === "down").map(({ name }) => name);
  return {
    book: {
      samples: sampled(held.samples, look.series, now),
      suspects: suspects.slice(0, SUSPECTS_MAX),
      open: all.flatMap(({ open }) => open),
    },
    told: all.flatMap(({ told }) => told),
  };
}

/** @param seen by subject; null where nothing is known of any */
function judge(
  trouble: Trouble,
  seen: ReadonlyMap<string, Seen> | null,
  goneSays: string,
  held: HealthBook,
  now: Millis,
): { readonly open: readonly OpenTrouble[]; readonly told: readonly HealthTold[] } {
  const before = held.open.filter((one) => one.trouble === trouble);
  if (seen === null) return { open: before, told: [] };
  const [begins, ends] = KINDS[trouble];
  const over = before.filter(({ subject }) => (seen.get(subject)?.state ?? "well") === "well");
  const goOn = before.filter((one) => !over.includes(one));
  const known = new Set(before.map(({ subject }) => subject));
  const begun = [...seen]
    .filter(([subject, { state }]) => state === "bad" && !known.has(subject))
    .slice(0, Math.max(0, OPEN_MAX - goOn.length))
    .map(([subject, { body }]) => ({ trouble, subject, since: now, body }));
  return {
    open: [...goOn, ...begun.map(({ subject, since }) => ({ trouble, subject, since }))],
    told: [
      ...over.map((one) => ({ ...one, kind: ends, body: seen.get(one.subject)?.body ?? { says: goneSays } })),
      ...begun.map((one) => ({ ...one, kind: begins })),
    ],
  };
}

/** Down is what was down at the look before too: a pod that starts is down once. */
function targetsSeen(targets: HealthLook["targets"], suspects: ReadonlySet<string>): ReadonlyMap<string, Seen> | null {
  if (targets === null) return null;
  const state = ({ name, health }: Target): Seen["state"] =>
    health === "up" ? "well" : health === "down" && suspects.has(name) ? "bad" : "unclear";
  return seenBy(targets, state, "is scraped again");
}

function rulesSeen(rules: HealthLook["rules"]): ReadonlyMap<string, Seen> | null {
  if (rules === null) return null;
  const state = ({ health }: Rule): Seen["state"] => (health === "ok" ? "well" : health === "err" ? "bad" : "unclear");
  return seenBy(rules, state, "is evaluated again");
}

/** Of those that share a name the worst counts. */
function seenBy<One extends Target | Rule>(
  all: readonly One[],
  stateOf: (one: One) => Seen["state"],
  wellSays: string,
): ReadonlyMap<string, Seen> {
  const seen = new Map<string, Seen>();
  for (const one of all) {
    const state = stateOf(one);
    if (WORSE[state] < WORSE[seen.get(one.name)?.state ?? "well"]) continue;
    seen.set(one.name, { state, body: { says: state === "well" ? wellSays : one.error || "it does not say why" } });
  }
  return seen;
}

const WORSE = { well: 0, unclear: 1, bad: 2 } as const;

function seriesSeen(series: SeriesCount | null, held: HealthBook, now: Millis): ReadonlyMap<string, Seen> | null {
  if (series === null) return null;
  const open = new Set(held.open.flatMap(({ trouble, subject }) => (trouble === "series" ? [subject] : [])));
  const { head, headBefore, top } = growthOf(series, held.samples, now);
  const all = [
    { metric: ALL_SERIES, series: head, before: headBefore, limit: HEAD_GROWN },
    ...top.map((one) => ({ ...one, limit: GROWN })),
  ];
  return new Map(
    all.map(({ metric, series: count, before, limit }): readonly [string, Seen] => {
      if (count === null || before === null) return [metric, { state: "unclear", body: {} }];
      const state = isGrown(count, before, limit, open.has(metric)) ? "bad" : "well";
      return [metric, { state, body: { series: count, before, says: growthSays(metric, count, before, state) } }];
    }),
  );
}

/** What is told already has not settled at the very limit at which it was told. */
function isGrown(count: number, before: number, limit: number, isOpen: boolean): boolean {
  const share = isOpen ? SETTLED_SHARE : 1;
  return count >= before * (1 + (limit - 1) * share) && count - before >= GROWN_MIN * share;
}

function growthSays(metric: string, count: number, before: number, state: "bad" | "well"): string {
  const what = metric === ALL_SERIES ? "Prometheus has" : `${metric} has`;
  const said = `${what} ${count} series in memory, ${before} a day ago`;
  if (state === "well") return `${said}: no longer growing`;
  if (metric === ALL_SERIES) return `${said}: see which names grew, and drop what nobody reads before its memory ends`;
  return `${said}: drop the label that grew, or all of it by metric_relabel_configs { source_labels: [__name__], regex: ${metric}, action: drop }`;
}

/** Counts with those of a day ago beside them, null where that is not known. */
function growthOf(
  { head, top }: SeriesCount,
  samples: HealthBook["samples"],
  now: Millis,
): { readonly head: number | null; readonly headBefore: number | null; readonly top: readonly Grown[] } {
  const past = dayAgo(samples, now);
  const heads = past.flatMap((sample) => (sample.head === null ? [] : [sample.head]));
  return {
    head,
    headBefore: heads.length === 0 ? null : Math.max(...heads),
    top: top.map(({ metric, series }) => ({
      metric,
      series,
      before: past.length === 0 ? null : Math.max(...past.map((sample) => atMost(sample, metric))),
    })),
  };
}

type Grown = NonNullable<PrometheusHealth["series"]>["top"][number];

/** How many series a name had; of one that was not among the ten largest no more than the smallest of those. */
function atMost({ top }: SeriesCount, metric: string): number {
  const found = top.find((one) => one.metric === metric);
  if (found !== undefined) return found.series;
  return top.length < NAMED_MAX ? 0 : Math.min(...top.map(({ series }) => series));
}

function dayAgo(samples: HealthBook["samples"], now: Millis): HealthBook["samples"] {
  const aged = (fromMs: number, toMs: number): HealthBook["samples"] =>
    samples.filter(({ at }) => now - at <= fromMs && now - at >= toMs);
  const found = aged(DAY_FROM_MS, DAY_TO_MS);
  if (found.length > 0) return found;
  const known = aged(SAMPLES_FOR_MS, KNOWN_AFTER_MS);
  const first = known[0]?.at ?? 0;
  return known.filter(({ at }) => at - first < FIRST_HOURS_MS);
}

/** What lies ahead was counted by a clock that has been set right since. */
function sampled(samples: HealthBook["samples"], series: SeriesCount | null, now: Millis): HealthBook["samples"] {
  const kept = samples.filter(({ at }) => at <= now && now - at <= SAMPLES_FOR_MS);
  const last = kept.at(-1);
  if (series === null || (last !== undefined && now - last.at < SAMPLE_EVERY_MS)) return kept;
  return [...kept, { ...series, at: now }];
}

/** The newest look as the edge and the agent's own metrics are told of it. */
export function healthReport(look: HealthLook, book: HealthBook, detail: string | null, now: Millis): PrometheusHealth {
  const { targets, rules, series } = look;
  const growth = series && growthOf(series, book.samples, now);
  const growing = book.open.flatMap(({ trouble, subject }) => (trouble === "series" ? [subject] : []));
  return {
    at: now,
    targets: targets && {
      up: count(targets, "up"),
      down: count(targets, "down"),
      unknown: count(targets, "unknown"),
      named: namesOf(targets, "down"),
    },
    rules: rules && { ok: count(rules, "ok"), failing: count(rules, "err"), named: namesOf(rules, "err") },
    series: growth && { ...growth, top: [...growth.top], growing: growing.slice(0, NAMED_MAX) },
    detail,
  };
}

function count(all: readonly (Target | Rule)[], wanted: string): number {
  return all.filter(({ health }) => health === wanted).length;
}

function namesOf(all: readonly (Target | Rule)[], health: string): string[] {
  const names = new Set(all.filter((one) => one.health === health).map(({ name }) => name));
  return [...names].slice(0, NAMED_MAX);
}
