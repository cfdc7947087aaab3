/** Events on their way into the spool. */
import { CERTIFICATE_KINDS, PROMETHEUS_KINDS, WORKLOAD_KINDS, type EventRecord } from "../protocol/record.ts";
import type { Extra } from "../protocol/push.ts";

/** Events that wait for an edge; the newest are kept. As many as a full set of certificates and what befalls them. */
const WAITING_MAX = 2_000;
const NEEDS: ReadonlyMap<string, Extra> = new Map([
  ...WORKLOAD_KINDS.map((kind) => [kind, "workloads"] as const),
  ...CERTIFICATE_KINDS.map((kind) => [kind, "certificates"] as const),
  ...PROMETHEUS_KINDS.map((kind) => [kind, "health"] as const),
]);

/**
 * Events of kinds that an edge of before does not know wait until the edge says that it does: it would refuse each of
 * them once and for all. An edge that never says so never gets them.
 */
export class EventDoor {
  readonly #take: (event: EventRecord) => void;
  #waiting: EventRecord[] = [];
  #accepts: readonly string[] = [];

  constructor(take: (event: EventRecord) => void) {
    this.#take = take;
  }

  offer(event: EventRecord): void {
    if (this.#isOpenTo(event)) return this.#take(event);
    this.#waiting.push(event);
    if (this.#waiting.length > WAITING_MAX) this.#waiting.shift();
  }

  /** What the edge's newest receipt said that it takes. */
  hear(accepts: readonly string[]): void {
    this.#accepts = accepts;
    if (!this.#waiting.some((event) => this.#isOpenTo(event))) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const event of waiting) this.offer(event);
  }

  #isOpenTo({ kind }: EventRecord): boolean {
    const extra = NEEDS.get(kind);
    return extra === undefined || this.#accepts.includes(extra);
  }
}
