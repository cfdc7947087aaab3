/**
 * Reads the mesh's own metrics endpoints, for clusters without Prometheus.
 *
 * Scrapes are aligned so that one falls on each whole minute. A window is the difference of two copies of the sums that
 * were taken there. The raw values at the last boundary are kept on disk, so that an agent which was restarted counts on
 * from them and loses no minute.
 *
 *   scrape-boundary-1795392000000.json   { at, targets: { URL: { at, values: { SERIES: VALUE }, missing: { SERIES: SEEN_AT } } } }
 *
 * It is written before the window is closed and its predecessor removed after: whenever the agent is killed, the file of
 * the last closed moment is there.
 */
import { readdirSync, readFileSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import type { SourceState } from "../../protocol/push.ts";
import { MINUTE, minuteOf, type Millis } from "../../protocol/time.ts";
import { addScrape, copyTotals, difference, isMeshMetric, type TargetState, type Totals } from "../core/counters.ts";
import { parseExposition } from "../core/exposition.ts";
import {
  capServices,
  REQUESTS_METRIC,
  toReading,
  toWindow,
  type MeshCounts,
  type Reporter,
  type ServiceReading,
} from "../core/mesh.ts";
import { edgeGrowth, TOPOLOGY_INTERVALS, topologyOf, type EdgeRow, type EdgeValues } from "../core/topology.ts";
import { failure, success, type Result } from "../../protocol/result.ts";
import type { Topology } from "../../protocol/topology.ts";
import { isDiskFull } from "../disk.ts";
import { replaceFile } from "../frames.ts";
import { believedClosed } from "../core/windows.ts";
import { detailLine, parseJson, request } from "../http.ts";
import type { MeshSource, WindowSink } from "./mesh.ts";

/** A proxy's endpoint with many peers has tens of thousands of lines, bytes. */
const SCRAPE_BYTES_MAX = 32 * 1_048_576;
/** A target that is slower than this has no part in the moment any more, ms. */
const SCRAPE_TIMEOUT_MAX_MS = 5_000;
/** A boundary's scrape may come this late (a busy machine) and still count as the boundary's, ms. */
const BOUNDARY_LATE_MAX_MS = 5_000;
/** After a restart a window may span this much; longer ago the counts belong to no window, ms. */
const SPAN_MAX_MS = 5 * MINUTE;
/** With no target scraped for this long, what grew meanwhile belongs to no minute, ms. */
const BLIND_MAX_MS = MINUTE;
const LIVE_SCRAPES = 4;

interface ScrapeConfig {
  readonly interval: number;
  readonly targets: readonly string[];
  readonly reporter: Reporter;
}

interface ScrapeOptions {
  readonly config: ScrapeConfig;
  readonly intervalMs: number;
  readonly dataDir: string;
  readonly now: () => Millis;
  /** Whether `now` may be acted on: what a wrong clock closes stays closed. */
  readonly isConfirmed: () => boolean;
  readonly sink: WindowSink;
}

export interface ScrapeSource extends MeshSource {
  /** Scrapes all targets for the moment `at`, and closes a window if that is a whole minute. */
  scrape(at: Millis): Promise<void>;
}

const BoundarySchema = v.object({
  at: v.number(),
  targets: v.record(
    v.string(),
    v.object({
      at: v.number(),
      values: v.record(v.string(), v.number()),
      missing: v.optional(v.record(v.string(), v.number()), {}),
    }),
  ),
});

/** The moments at which scrapes happen: every `intervalMs` from each whole minute on. */
export function nextScrapeAt(now: Millis, intervalMs: number): Millis {
  const minute = minuteOf(now);
  const next = minute + (Math.floor((now - minute) / intervalMs) + 1) * intervalMs;
  return Math.min(next, minute + MINUTE);
}

export function createScrapeSource(options: ScrapeOptions): ScrapeSource {
  return new Scraper(options);
}

class Scraper implements ScrapeSource {
  readonly name = "scrape";
  readonly #options: ScrapeOptions;
  readonly #lookbackMs: number;
  readonly #timeoutMs: number;
  readonly #services = new Map<string, MeshCounts>();
  readonly #seenAt = new Map<string, Millis>();
  readonly #targets = new Map<string, TargetState>();
  /** The sums at the start of the window that is open; null before the first whole minute. */
  #boundary: Totals | null;
  readonly #restoredAt: Millis | null;
  #scrapedAt: Millis | null;
  /** Copies of the sums, oldest first, as far back as a reading looks. */
  #recent: readonly Totals[] = [];
  #state: SourceState = { state: "down", detail: "not scraped yet", okAt: null };
  /** Who calls whom, and what each target's counters said when that was looked at last. */
  #topology: Topology | null = null;
  readonly #edgeLooks = new Map<string, { readonly at: Millis; readonly values: EdgeValues }>();
  #lookedAt: Millis | null = null;

  constructor(options: ScrapeOptions) {
    const { interval } = options.config;
    this.#options = options;
    this.#lookbackMs = Math.max(LIVE_SCRAPES * interval, options.intervalMs);
    this.#timeoutMs = Math.min(SCRAPE_TIMEOUT_MAX_MS, Math.max(500, Math.floor(interval * 0.8)));
    this.#boundary = restore(options, this.#targets);
    this.#restoredAt = this.#boundary?.at ?? null;
    this.#scrapedAt = this.#restoredAt;
  }

  state(): SourceState {
    return this.#state;
  }

  collect(): Promise<ReadonlyMap<string, ServiceReading>> {
    return Promise.resolve(readings(this.#recent));
  }

  topology(): Topology | null {
    return this.#topology;
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }

  async scrape(at: Millis): Promise<void> {
    const { config, now, isConfirmed } = this.#options;
    // The moment was planned before the clock was set: the next one is planned by the clock as it is.
    if (Math.abs(now() - at) > BOUNDARY_LATE_MAX_MS) return;
    // A leap while the clock is in doubt is the clock's: counted at it, the growth would belong to no minute.
    if (!isConfirmed() && this.#isLeap(at)) return;
    const faults = await this.#scrapeTargets(at);
    const summary = `${faults.length} of ${config.targets.length} targets failed: ${faults.join("; ")}`;
    const detail = faults.length === 0 ? null : detailLine(summary);
    if (faults.length === config.targets.length) {
      this.#state = { state: "down", detail, okAt: this.#state.okAt };
      return;
    }
    this.#forgetBlindTime(at);
    const none = `no ${REQUESTS_METRIC}{reporter="${config.reporter}"} at any target`;
    this.#state = [...this.#seenAt.values()].includes(at)
      ? { state: "ok", detail, okAt: at }
      : { state: "stale", detail: detail ?? none, okAt: this.#state.okAt };
    const inReach = this.#recent.filter((copy) => copy.at >= at - this.#lookbackMs && copy.at < at);
    this.#recent = [...inReach, this.#copy(at)];
    const isOnTime = at % MINUTE === 0 && now() - at <= BOUNDARY_LATE_MAX_MS + this.#timeoutMs;
    // A boundary that is left out makes the next window longer and loses nothing.
    if (isOnTime && isConfirmed()) this.#closeAt(at);
  }

  /** Scrapes every target for the moment `at`; what went wrong. */
  async #scrapeTargets(at: Millis): Promise<readonly string[]> {
    const { targets, reporter } = this.#options.config;
    const scrapes = targets.map(async (url) => ({ url, result: await scrapeTarget(url, this.#timeoutMs) }));
    const faults: string[] = [];
    const results = await Promise.all(scrapes);
    this.#lookAround(at, results);
    for (const { url, result } of results) {
      if (!result.ok) {
        faults.push(`${url}: ${result.failure}`);
        continue;
      }
      const before = this.#targets.get(url) ?? null;
      const silenceMaxMs = before !== null && before.at === this.#restoredAt ? { silenceMaxMs: SPAN_MAX_MS } : {};
      const totals = { services: this.#services, seenAt: this.#seenAt };
      this.#targets.set(url, addScrape(totals, before, result.value, at, { reporter, ...silenceMaxMs }));
    }
    return faults;
  }

  /** Who called whom since the last look, once in a while. */
  #lookAround(at: Millis, results: readonly { readonly url: string; readonly result: Scraped }[]): void {
    const { intervalMs, config } = this.#options;
    const since = this.#lookedAt;
    const isDue = since === null || at < since || at - since >= TOPOLOGY_INTERVALS * intervalMs;
    if (!isDue || !results.some(({ result }) => result.ok)) return;
    const rows: EdgeRow[] = [];
    for (const { url, result } of results) {
      if (!result.ok) continue;
      const before = this.#edgeLooks.get(url) ?? null;
      const grown = edgeGrowth(before?.values ?? null, result.value, config.reporter);
      this.#edgeLooks.set(url, { at, values: grown.values });
      // A target that did not answer last time has grown for longer than the others.
      const share = since === null || before === null ? 1 : (at - since) / (at - before.at);
      for (const { labels, value } of grown.rows) rows.push({ labels, value: value * share });
    }
    this.#lookedAt = at;
    if (since !== null && at > since && rows.length > 0) this.#topology = topologyOf(at, at - since, rows);
  }

  #silenceMaxMs(): number {
    return this.#scrapedAt === this.#restoredAt ? SPAN_MAX_MS : BLIND_MAX_MS;
  }

  #isLeap(at: Millis): boolean {
    return this.#scrapedAt !== null && (at < this.#scrapedAt || at - this.#scrapedAt > this.#silenceMaxMs());
  }

  /** After a time without any scrape the open window would claim to have counted what nobody saw. */
  #forgetBlindTime(at: Millis): void {
    if (this.#scrapedAt !== null && at - this.#scrapedAt > this.#silenceMaxMs()) {
      this.#boundary = null;
      this.#recent = [];
    }
    this.#scrapedAt = at;
  }

  #closeAt(at: Millis): void {
    const { dataDir, sink } = this.#options;
    const copy = this.#copy(at);
    const since = this.#boundary;
    // On a full disk the boundary is left out.
    if (!saveBoundary(dataDir, at, this.#targets)) return;
    const isNew = at > (believedClosed(sink.closedUntil(), at) ?? 0);
    if (since !== null && at > since.at && at - since.at <= SPAN_MAX_MS && isNew) {
      const counts = [...capServices(difference(copy, since)).kept];
      const windows = counts.map(([service, one]) => toWindow(service, since.at, at - since.at, one));
      // What is left of a full disk is not for boundaries at which nothing was closed.
      if (!sink.close(windows, at)) return unlinkSync(boundaryPath(dataDir, at));
    }
    this.#boundary = copy;
    removeBoundaries(dataDir, Math.min(at, sink.closedUntil() ?? at), at);
  }

  #copy(at: Millis): Totals {
    return copyTotals({ at, services: this.#services, seenAt: this.#seenAt }, at);
  }
}

/** The newest copy against the oldest one in reach; only services that the newest scrape has seen. */
function readings(recent: readonly Totals[]): ReadonlyMap<string, ServiceReading> {
  const oldest = recent[0];
  const newest = recent.at(-1);
  if (oldest === undefined || newest === undefined || oldest === newest) return new Map();
  const { kept } = capServices(difference(newest, oldest));
  const current = [...kept].filter(([service]) => newest.seenAt.get(service) === newest.at);
  return new Map(current.map(([service, counts]) => [service, toReading(newest.at, newest.at - oldest.at, counts)]));
}

type Scraped = Result<ReturnType<typeof parseExposition>["samples"], string>;

export async function scrapeTarget(url: string, timeoutMs: number): Promise<Scraped> {
  const headers = { accept: "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5" };
  const answer = await request(url, { headers, timeoutMs, bytesMax: SCRAPE_BYTES_MAX });
  if (!answer.ok) return failure(answer.failure);
  if (answer.value.status !== 200) return failure(`HTTP ${answer.value.status}`);
  const { samples, malformed } = parseExposition(answer.value.text, isMeshMetric);
  return samples.length === 0 && malformed > 0
    ? failure("its answer is not in Prometheus' text format")
    : success(samples);
}

/** The source with its own pace: a scrape at each moment of `nextScrapeAt`, one at a time. */
export function startScrapeSource(options: ScrapeOptions): ScrapeSource {
  const source = createScrapeSource(options);
  let timer: NodeJS.Timeout | null = null;
  let stopped = false;
  let round: Promise<void> = Promise.resolve();
  const schedule = (): void => {
    const now = options.now();
    const at = nextScrapeAt(now, options.config.interval);
    timer = setTimeout(
      () => {
        // Timers may fire a hair early, and never on the moment itself: the moment is what was planned.
        round = source.scrape(at).then(() => {
          if (!stopped) schedule();
        });
      },
      Math.max(0, at - now),
    );
  };
  round = source.scrape(options.now()).then(schedule);
  return {
    name: "scrape",
    state: () => source.state(),
    collect: () => source.collect(),
    topology: () => source.topology(),
    scrape: (at) => source.scrape(at),
    async stop() {
      stopped = true;
      if (timer !== null) clearTimeout(timer);
      await round;
    },
  };
}

function boundaryPath(dataDir: string, at: Millis): string {
  return join(dataDir, `scrape-boundary-${at}.json`);
}

/** Takes up the raw values of the last closed boundary, if its file is there; the sums begin at 0 with it. */
function restore({ dataDir, now, sink }: ScrapeOptions, targets: Map<string, TargetState>): Totals | null {
  const closed = believedClosed(sink.closedUntil(), now()) ?? 0;
  const usable = boundaries(dataDir).filter((at) => at >= closed && at - now() <= MINUTE && now() - at <= SPAN_MAX_MS);
  // The oldest: from a later one the minutes between would never be closed.
  const at = Math.min(...usable);
  if (usable.length === 0) return null;
  const saved = v.safeParse(BoundarySchema, parseJson(readFileSync(boundaryPath(dataDir, at), "utf8")));
  if (!saved.success || saved.output.at !== at) return null;
  for (const [url, target] of Object.entries(saved.output.targets)) {
    if (target.at === at) {
      const { values, missing } = target;
      targets.set(url, { at, values: new Map(Object.entries(values)), missing: new Map(Object.entries(missing)) });
    }
  }
  return { at, services: new Map(), seenAt: new Map() };
}

/** False if the disk is full. */
function saveBoundary(dataDir: string, at: Millis, targets: ReadonlyMap<string, TargetState>): boolean {
  const saved = [...targets].map(
    ([url, { at: scrapedAt, values, missing }]) =>
      [url, { at: scrapedAt, values: Object.fromEntries(values), missing: Object.fromEntries(missing) }] as const,
  );
  try {
    replaceFile(boundaryPath(dataDir, at), Buffer.from(JSON.stringify({ at, targets: Object.fromEntries(saved) })));
    return true;
  } catch (error) {
    if (!isDiskFull(error)) throw error;
    return false;
  }
}

function boundaries(dataDir: string): Millis[] {
  return readdirSync(dataDir).flatMap((name) => {
    const match = /^scrape-boundary-(\d{1,16})\.json$/.exec(name);
    return match === null ? [] : [Number(match[1])];
  });
}

function removeBoundaries(dataDir: string, before: Millis, keep: Millis): void {
  for (const at of boundaries(dataDir)) if (at < before && at !== keep) unlinkSync(boundaryPath(dataDir, at));
}
