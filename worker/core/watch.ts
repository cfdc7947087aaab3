/** What operators are told to watch besides the readings: certificates and anomalies, as events told of them. */
import type { Millis } from "../../protocol/time.ts";
import { MINUTE } from "../../protocol/time.ts";
import type { Certificate } from "./certificate.ts";

/** Anomalies of one service since the archive began. */
export interface AnomalyCount {
  readonly cluster: string;
  /** namespace/name */
  readonly service: string;
  readonly raised: number;
  readonly newestAt: Millis;
}

/** What the archive said at `at`. */
export interface Watched {
  readonly at: Millis;
  readonly certificates: readonly Certificate[];
  readonly anomalies: readonly AnomalyCount[];
}

/** It is read again every five minutes while somebody asks: an older copy is one that could not be. */
const OLD_MS = 15 * MINUTE;

/** Whether the copy is so old that what is not in it proves nothing any more. */
export function isOld({ at }: Watched, now: Millis): boolean {
  return now - at > OLD_MS;
}
