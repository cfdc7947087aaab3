/** What a detector found, in words and numbers. */
import type { Deviation, Judgement } from "./detector.ts";
import { readable, UNITS, type Signal } from "./golden.ts";

/** One signal of one service at one moment. */
export interface Finding {
  readonly service: string;
  readonly signal: Signal;
  readonly judgement: Judgement;
}

/** The band of what is usual reaches so many spreads to each side. */
const BAND_SIGMAS = 3;
const DIGITS = 3;
const SCORE_DIGITS = 4;
/** A week has so many points: what would be rarer still, nobody has counted. */
const RARE_MAX = 2_000;

const NAMES = { rate: "Request rate", errors: "Error ratio", latency: "p95 latency" } as const;
const COMPARED = {
  hour: "at this hour of the day",
  extreme: "at any hour",
  shift: "at any hour, taken over the last hour",
} as const;

/** The numbers of an anomaly, for the body of its event; values in `unit`. */
export function numbersOf({ signal, judgement }: Finding) {
  const [first] = judgement.deviations;
  const shown = (value: number): number => rounded(readable(signal, value));
  return {
    signal,
    unit: UNITS[signal],
    score: rounded(judgement.score, SCORE_DIGITS),
    ...(first !== undefined && {
      deviation: first.kind,
      observed: shown(first.observed),
      expected: shown(first.expected),
      low: shown(first.expected - BAND_SIGMAS * first.spread),
      high: shown(first.expected + BAND_SIGMAS * first.spread),
      sigmas: rounded(first.sigmas),
      onceIn: rounded(Math.min(first.onceIn, RARE_MAX)),
    }),
  };
}

/** One sentence. */
export function explain({ service, signal, judgement }: Finding): string {
  const [first] = judgement.deviations;
  if (first === undefined) return `${NAMES[signal]} of ${service} is unusual.`;
  const text = (value: number): string => worded(signal, readable(signal, value));
  const band = `${text(first.expected - BAND_SIGMAS * first.spread)} to ${text(first.expected + BAND_SIGMAS * first.spread)}`;
  return `${NAMES[signal]} of ${service} is ${text(first.observed)}, where ${band} is usual ${COMPARED[first.kind]}: ${rarity(first)}.`;
}

function rarity({ sigmas, onceIn }: Deviation): string {
  const times = `${rounded(Math.abs(sigmas), 2)} spreads ${sigmas < 0 ? "below" : "above"} the middle`;
  return onceIn > RARE_MAX
    ? `${times}, rarer than one in ${RARE_MAX.toLocaleString("en-US")} points before it`
    : `${times}, as about one in ${rounded(onceIn, 2).toLocaleString("en-US")} points before it`;
}

function worded(signal: Signal, value: number): string {
  if (signal === "errors") return `${rounded(100 * value)} %`;
  return signal === "latency" ? `${rounded(value)} ms` : `${rounded(value)}/s`;
}

function rounded(value: number, digits = DIGITS): number {
  return Number(value.toPrecision(digits));
}
