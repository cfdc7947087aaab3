/**
 * What happens to a message on its way to one receiver: when it is tried, what an answer means, and when nobody tries
 * any more. At least once, under one key: whoever gets it twice can tell.
 *
 *   waiting ── 2xx ──▶ delivered                  a receiver that fails:  closed ─ 5 in a row ─▶ open ─ time ─▶ one try
 *      │ ▲                                                                  ▲ └──────────── 2xx ◀──┘  └─ open for longer
 *      │ └─ again later: timeout, reset, 3xx, 408, 425, 429, 5xx
 *      └─ other 4xx, 410, ten tries ──▶ dead ── replayed ──▶ waiting, with the same key
 */
import type { Millis } from "../../protocol/time.ts";
import { DAY, HOUR, MINUTE, SECOND } from "../../protocol/time.ts";
import type { Message } from "./notify-message.ts";

/** The waits after each failed attempt, about 75 h together: Standard Webhooks 1.0, "Deliverability and reliability". */
const LADDER_MS = [
  5 * SECOND,
  5 * MINUTE,
  30 * MINUTE,
  2 * HOUR,
  5 * HOUR,
  10 * HOUR,
  14 * HOUR,
  20 * HOUR,
  DAY,
] as const;
export const ATTEMPTS_MAX = LADDER_MS.length + 1;
/** A wait is this share shorter or longer by chance, so that what failed together does not return together. */
const JITTER = 0.15;
/** A receiver that asks for more patience is asked after this. */
const RETRY_AFTER_MAX_MS = DAY;

/** Failures in a row after which a receiver is left alone for a while … */
const OPEN_AFTER = 5;
/** … that doubles up to the longest. */
const OPEN_FIRST_MS = MINUTE;
const OPEN_MAX_MS = HOUR;

/** Requests under way: a Worker has six connections at a time, and calls to objects need one. */
const AT_ONCE = 5;
/** To one receiver, so that one that hangs leaves room for others. */
const AT_ONCE_EACH = 2;

/** What one attempt came to; `said` is for operators: a status and known words, never what a stranger's body holds. */
export type Verdict =
  | { readonly outcome: "delivered" | "refused" | "gone"; readonly said: string }
  /** `waitMs`: what the receiver asked for; null if it did not. */
  | { readonly outcome: "retry"; readonly said: string; readonly waitMs: Millis | null };

/** What a receiver answered: the beginning of the body alone is read. */
export interface Answer {
  readonly status: number;
  /** Retry-After, as a length; null without one that can be read. */
  readonly retryAfterMs: Millis | null;
  readonly text: string;
}

/** @param words what is known of the answer beside its status */
export function verdictOf({ status, retryAfterMs }: Answer, words = ""): Verdict {
  const said = words === "" ? String(status) : `${status} ${words}`;
  if (status >= 200 && status < 300) return { outcome: "delivered", said };
  if (status === 410) return { outcome: "gone", said };
  // Nobody looked at where it leads: a redirect is an address that is wrong, perhaps for an hour.
  if (status < 400) return { outcome: "retry", said: `${said}: redirects are not followed`, waitMs: null };
  if (status === 408 || status === 425 || status === 429 || status >= 500)
    return { outcome: "retry", said, waitMs: retryAfterMs };
  return { outcome: "refused", said };
}

/** One message for one receiver. */
export interface Delivery {
  /** Of message and receiver, always the same: what the receiver tells repeats by. */
  readonly id: string;
  readonly receiver: string;
  readonly message: Message;
  /** Rises with each; steps of one thing go out in this order. */
  readonly number: number;
  readonly state: "waiting" | "delivered" | "dead";
  /** Counted before each: one that ends the process was one. Of the last time it was put on its way. */
  readonly attempts: number;
  readonly createdAt: Millis;
  /** No attempt before; of what is over, when that was. */
  readonly nextAt: Millis;
  /** What the last attempt came to; null before the first. */
  readonly said: string | null;
}

/** How a receiver has answered of late. */
export interface Breaker {
  /** In a row. */
  readonly failures: number;
  /** It is left alone until then. */
  readonly openUntil: Millis;
}
export const CLOSED: Breaker = { failures: 0, openUntil: 0 };

export function isOpen({ failures, openUntil }: Breaker, now: Millis): boolean {
  return failures >= OPEN_AFTER && openUntil > now;
}

/** After an attempt. What a receiver refuses it has answered. */
export function breakerAfter({ failures }: Breaker, verdict: Verdict, now: Millis): Breaker {
  if (verdict.outcome !== "retry") return CLOSED;
  const failed = failures + 1;
  // Asked to wait, it is left alone with everything.
  const asked = Math.min(verdict.waitMs ?? 0, RETRY_AFTER_MAX_MS);
  const own = failed < OPEN_AFTER ? 0 : Math.min(OPEN_MAX_MS, OPEN_FIRST_MS * 2 ** Math.min(failed - OPEN_AFTER, 10));
  return { failures: failed, openUntil: now + Math.max(asked, own) };
}

/** Before an attempt: counted, because one that ends the process must not be tried for ever. */
export function begun(delivery: Delivery): Delivery {
  return { ...delivery, attempts: delivery.attempts + 1 };
}

/**
 * After an attempt.
 *
 * @param dice 0 to 1, the caller's randomness
 */
export function settled(delivery: Delivery, verdict: Verdict, now: Millis, dice: number): Delivery {
  const { said } = verdict;
  if (verdict.outcome === "delivered") return { ...delivery, state: "delivered", nextAt: now, said };
  const wait = LADDER_MS[delivery.attempts - 1];
  if (verdict.outcome !== "retry" || wait === undefined) return { ...delivery, state: "dead", nextAt: now, said };
  const jittered = wait * (1 + JITTER * (2 * dice - 1));
  const asked = Math.min(verdict.waitMs ?? 0, RETRY_AFTER_MAX_MS);
  return { ...delivery, nextAt: now + Math.round(Math.max(jittered, asked)), said };
}

/** One that nobody may try: it is kept for whoever replays it. */
export function buried(delivery: Delivery, said: string, now: Millis): Delivery {
  return { ...delivery, state: "dead", nextAt: now, said };
}

/** The receiver answers again: nothing waits for the ladder any longer. */
export function hurried(delivery: Delivery, now: Millis): Delivery {
  return { ...delivery, nextAt: Math.min(delivery.nextAt, now) };
}

/** As if it had not been tried: what kept us from asking says nothing of who would have been asked. */
export function postponed(delivery: Delivery, said: string, now: Millis): Delivery {
  return { ...delivery, attempts: delivery.attempts - 1, nextAt: now + MINUTE, said };
}

/** Dead or delivered: on its way again from the beginning, under the same key. */
export function replayed(delivery: Delivery, now: Millis): Delivery {
  return { ...delivery, state: "waiting", attempts: 0, nextAt: now };
}

type Breakers = ReadonlyMap<string, Breaker>;

/**
 * Which to try now. Steps of one thing go one after the other: a trigger that arrives behind its resolve would open it
 * again for ever.
 *
 * @param waiting in the order of their numbers
 * @param breakers of every receiver that may be asked
 * @param flying ids of those that are under way
 */
export function toTry(
  waiting: readonly Delivery[],
  breakers: Breakers,
  flying: ReadonlySet<string>,
  now: Millis,
): readonly Delivery[] {
  const each = new Map<string, number>();
  for (const one of waiting) if (flying.has(one.id)) each.set(one.receiver, (each.get(one.receiver) ?? 0) + 1);
  const chosen: Delivery[] = [];
  for (const one of heads(waiting)) {
    if (flying.size + chosen.length >= AT_ONCE) break;
    const breaker = breakers.get(one.receiver);
    if (breaker === undefined || breaker.openUntil > now || one.nextAt > now || flying.has(one.id)) continue;
    const count = each.get(one.receiver) ?? 0;
    // One that failed is asked with one alone until it answers.
    if (count >= (breaker.failures > 0 ? 1 : AT_ONCE_EACH)) continue;
    each.set(one.receiver, count + 1);
    chosen.push(one);
  }
  return chosen;
}

/** When the next may be tried that is not under way; infinite if there is none. */
export function nextTryAt(waiting: readonly Delivery[], breakers: Breakers, flying: ReadonlySet<string>): Millis {
  const moments = heads(waiting)
    .filter(({ id }) => !flying.has(id))
    .map(({ receiver, nextAt }) => Math.max(nextAt, breakers.get(receiver)?.openUntil ?? Infinity));
  return moments.reduce((a, b) => Math.min(a, b), Infinity);
}

/** Of each thing the oldest step for each receiver. */
function heads(waiting: readonly Delivery[]): readonly Delivery[] {
  const seen = new Set<string>();
  return waiting.filter(({ receiver, message }) => {
    const lane = `${receiver} ${message.subject}`;
    return !seen.has(lane) && seen.add(lane);
  });
}
