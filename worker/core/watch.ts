/** What operators are told to watch besides the readings: certificates and anomalies, as events told of them. */
import type { Millis } from "../../protocol/time.ts";
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
