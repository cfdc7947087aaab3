/** What a Cluster has done with pushes and flushes: the gateway's own numbers, told with each tell. */
import type { ApiErrorCode } from "../../protocol/error.ts";

/**
 * Counts since this cluster's agent was first heard, as far as they survive for free: they are kept on the agent's
 * session, so an object that hibernates goes on counting; with no session open they begin again with its memory. A
 * Prometheus takes that for a counter's reset.
 */
export interface GatewayCounts {
  /** Pushes that were taken. */
  readonly pushes: number;
  /** Pushes that were refused, by the code of the refusal. */
  readonly refused: Readonly<Partial<Record<ApiErrorCode, number>>>;
  /** New facts that were taken; replays are not among them. */
  readonly records: number;
  /** Facts that can never be taken: their numbers are consumed. */
  readonly rejected: number;
  /** Statements that brought facts to Postgres, and those that failed. */
  readonly flushes: number;
  readonly flushFailures: number;
  readonly alarms: number;
}

export const NO_COUNTS: GatewayCounts = {
  pushes: 0,
  refused: {},
  records: 0,
  rejected: 0,
  flushes: 0,
  flushFailures: 0,
  alarms: 0,
};
