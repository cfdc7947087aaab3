/** The golden signals of a service as series: what is compared with what is usual. */
import { MINUTE } from "../../protocol/time.ts";

/** One point spans this much: an hour has twelve, and seven days 2,016. */
export const POINT_MS = 5 * MINUTE;
const POINT_SECONDS = POINT_MS / 1_000;

export const SIGNALS = ["rate", "errors", "latency"] as const;
export type Signal = (typeof SIGNALS)[number];

/** What was counted of a service in the five minutes before a moment. Null: nobody said. */
export interface Golden {
  /** Requests a second. */
  readonly rate: number | null;
  /** Failed requests a second. */
  readonly errors: number | null;
  readonly p95Ms: number | null;
}

/** Requests a point below which a ratio or a percentile of them says nothing. */
const REQUESTS_MIN = 20;
/** A p95 read from coarse buckets moves by a tenth although nothing has. */
const LATENCY_NOISE = Math.log(1.1);

/** `value` in the unit in which it is compared; `noise` is the standard deviation that counting alone gives it. */
export interface Value {
  readonly value: number;
  readonly noise: number;
}

/** Null where there is none, or where too few requests stand behind it. */
export function valueOf(signal: Signal, { rate, errors, p95Ms }: Golden): Value | null {
  if (rate === null) return null;
  const requests = rate * POINT_SECONDS;
  if (signal === "rate") return { value: rate, noise: Math.sqrt(requests) / POINT_SECONDS };
  if (requests < REQUESTS_MIN) return null;
  if (signal === "errors") {
    const ratio = Math.min(1, (errors ?? 0) / rate);
    return { value: ratio, noise: Math.sqrt(Math.max(ratio * (1 - ratio), 1 / requests) / requests) };
  }
  return p95Ms === null || p95Ms <= 0 ? null : { value: Math.log(p95Ms), noise: LATENCY_NOISE };
}

/** A value as people read it: requests a second, a share from 0 to 1, milliseconds. */
export function readable(signal: Signal, value: number): number {
  if (signal === "latency") return Math.exp(value);
  return signal === "errors" ? Math.min(1, Math.max(0, value)) : Math.max(0, value);
}

export const UNITS = { rate: "requests/s", errors: "ratio", latency: "ms" } as const satisfies Record<Signal, string>;
