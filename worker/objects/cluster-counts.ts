import type { ApiErrorCode } from "../../protocol/error.ts";
import type { GatewayCounts } from "../core/gateway.ts";
import { NO_COUNTS } from "../core/gateway.ts";
import type { PushAnswer } from "./push-body.ts";

/** Counts what the Cluster does; others keep and tell it. */
export class ClusterCounts {
  #counts: GatewayCounts;

  /** @param kept what an earlier life of the object had counted */
  constructor(kept: GatewayCounts | undefined) {
    this.#counts = kept ?? NO_COUNTS;
  }

  get counts(): GatewayCounts {
    return this.#counts;
  }

  taken(records: number, rejected: number): void {
    const held = this.#counts;
    this.#counts = {
      ...held,
      pushes: held.pushes + 1,
      records: held.records + records,
      rejected: held.rejected + rejected,
    };
  }

  /** Counts an answer that is a refusal, and passes it on. */
  answered<Answer extends PushAnswer>(answer: Answer): Answer {
    if (!answer.ok) this.#refused(answer.failure.code);
    return answer;
  }

  #refused(code: ApiErrorCode): void {
    const { refused } = this.#counts;
    this.#counts = { ...this.#counts, refused: { ...refused, [code]: (refused[code] ?? 0) + 1 } };
  }

  flushed(isStored: boolean): void {
    this.#add(isStored ? "flushes" : "flushFailures");
  }

  alarm(): void {
    this.#add("alarms");
  }

  #add(what: "flushes" | "flushFailures" | "alarms"): void {
    this.#counts = { ...this.#counts, [what]: this.#counts[what] + 1 };
  }
}
