/**
 * Counts attempts at a door, by key (HMAC of the address, or the door itself). Small and forgetful: an eviction or a
 * race lets a few more through, which costs nothing. Never anything secret or precious: itty-durable keeps all state
 * under one storage key and passes arguments in a header.
 */
import { createDurable, proxyDurable } from "itty-durable";
import type { Millis } from "../../protocol/time.ts";

const Durable = createDurable({ autoPersist: true });

export class Throttle extends Durable {
  /** Attempts in the current span, and when it began. Plain fields: they are what itty-durable persists. */
  attempts = 0;
  since: Millis = 0;

  /** Counts an attempt; whether it is within `max` a span. */
  take(max: number, spanMs: number): { readonly allowed: boolean } {
    const now = Date.now();
    if (now - this.since >= spanMs) {
      this.since = now;
      this.attempts = 0;
    }
    this.attempts++;
    return { allowed: this.attempts <= max };
  }
}

/** Whether one more attempt at `key` is within `max` a `spanMs`. */
export async function attemptAllowed(
  namespace: DurableObjectNamespace,
  key: string,
  max: number,
  spanMs: number,
): Promise<boolean> {
  const throttle = proxyDurable(namespace, { parse: true }).get(key);
  const answer: unknown = await throttle.take(max, spanMs);
  return typeof answer === "object" && answer !== null && "allowed" in answer && answer.allowed === true;
}
