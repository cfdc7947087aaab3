/** Events on their way into the spool. */
import { WORKLOAD_KINDS, type EventRecord } from "../protocol/record.ts";
import type { Extra } from "../protocol/push.ts";

/** Events that wait for an edge; the newest are kept. */
const WAITING_MAX = 500;
const NEW_KINDS: ReadonlySet<string> = new Set(WORKLOAD_KINDS);

/**
 * Events of kinds that an edge of before does not know wait until the edge says that it does: it would refuse each of
 * them once and for all. An edge that never says so never gets them.
 */
export class EventDoor {
  readonly #take: (event: EventRecord) => void;
  #waiting: EventRecord[] = [];
  #isOpen = false;

  constructor(take: (event: EventRecord) => void) {
    this.#take = take;
  }

  offer(event: EventRecord): void {
    if (this.#isOpen || !NEW_KINDS.has(event.kind)) this.#take(event);
    else this.#waiting = [...this.#waiting.slice(1 - WAITING_MAX), event];
  }

  /** What the edge's newest receipt said that it takes. */
  hear(accepts: readonly string[]): void {
    this.#isOpen = accepts.includes("workloads" satisfies Extra);
    if (!this.#isOpen) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    waiting.forEach(this.#take);
  }
}
