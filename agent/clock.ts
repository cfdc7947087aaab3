/**
 * The edge's time, as far as the agent knows it: the raw clock plus the offset that answers have shown. The offset is
 * kept over a restart. What cannot be taken back (a window closed, a backlog dropped, a lease expired) waits until the
 * clock is confirmed.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import type { Millis } from "../protocol/time.ts";
import {
  addSample,
  beginRun,
  clockOffset,
  clockSample,
  continueRun,
  isPossible,
  isTrusted,
  type ClockSample,
} from "./core/clock.ts";
import { replaceFile } from "./frames.ts";
import { parseJson } from "./http.ts";

const FILE = "clock.json";
/** Without an answer of the edge the clock is believed after this long, ms. */
const PATIENCE_MS = 30_000;
/** Smaller changes of the offset are not worth a write, ms. */
const WORTH_KEEPING_MS = 1_000;

export interface Clock {
  /** Corrected time. Windows are cut, facts stamped and requests signed by it. */
  now(): Millis;
  /** The raw clock, to put around an exchange. */
  raw(): Millis;
  /** How far the raw clock is ahead of the edge's, ms. */
  skewMs(): number;
  /**
   * Whether `now` may be acted on: the edge has answered since the start and since the clock was last set, or
   * `patienceMs` have passed without an answer (30 s unless told).
   */
  isConfirmed(patienceMs?: number): boolean;
  /** Learns from an exchange: the raw times around it and the server's time in the answer. */
  learn(sentAt: Millis, answeredAt: Millis, serverTime: Millis): void;
}

export interface ClockOptions {
  /** ms, never set back. */
  readonly monotonic?: () => number;
  /** Where the offset is kept. */
  readonly dataDir?: string;
}

export function createClock(raw: () => Millis = Date.now, options: ClockOptions = {}): Clock {
  const { monotonic = () => performance.now(), dataDir } = options;
  let kept = dataDir === undefined ? 0 : readOffset(dataDir);
  let samples: readonly ClockSample[] = [];
  let run = beginRun(raw(), monotonic());
  const look = (): Millis => {
    const at = raw();
    run = continueRun(run, at, monotonic());
    return at;
  };
  return {
    now: () => look() + clockOffset(samples, kept),
    raw: look,
    // No offset is 0, not -0.
    skewMs: () => 0 - clockOffset(samples, kept),
    isConfirmed(patienceMs = PATIENCE_MS) {
      look();
      return isTrusted(run, monotonic(), patienceMs);
    },
    learn(sentAt, answeredAt, serverTime) {
      look();
      const sample = clockSample(sentAt, answeredAt, serverTime);
      if (!isPossible(sample)) return;
      samples = addSample(samples, sample);
      run = { ...run, heard: true };
      const offset = clockOffset(samples);
      if (dataDir === undefined || Math.abs(offset - kept) < WORTH_KEEPING_MS) return;
      kept = offset;
      keepOffset(dataDir, offset);
    },
  };
}

const KeptSchema = v.strictObject({ offsetMs: v.pipe(v.number(), v.safeInteger()) });

/** 0 where nothing was kept or it is damaged: the next answer tells. */
function readOffset(dataDir: string): number {
  try {
    const kept = v.safeParse(KeptSchema, parseJson(readFileSync(join(dataDir, FILE), "utf8")));
    return kept.success ? kept.output.offsetMs : 0;
  } catch {
    return 0;
  }
}

/** A disk that refuses costs nothing but the memory: the spool is what must not fail. */
function keepOffset(dataDir: string, offsetMs: number): void {
  try {
    replaceFile(join(dataDir, FILE), Buffer.from(JSON.stringify({ offsetMs })));
  } catch {
    // Learnt again from the first answer after the next start.
  }
}
