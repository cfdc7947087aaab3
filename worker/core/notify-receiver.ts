/** Whom the page tells: what an operator set up, and what may be said of it. */
import type { Result } from "../../protocol/result.ts";
import { failure, success } from "../../protocol/result.ts";
import type { Millis } from "../../protocol/time.ts";
import { DAY } from "../../protocol/time.ts";
import type { Breaker } from "./notify-delivery.ts";
import type { Message, Topic } from "./notify-message.ts";

export const CHANNEL_KINDS = ["slack", "teams", "pagerduty", "webhook"] as const;
export type ChannelKind = (typeof CHANNEL_KINDS)[number];

/** Where PagerDuty takes events, but for accounts of its European region. */
export const PAGERDUTY_ADDRESS = "https://events.pagerduty.com/v2/enqueue";

export const RECEIVERS_MAX = 50;
export const RECEIVER_NAME_MAX = 60;
/** For so long a webhook is signed with the secret before, too. */
const KEY_OVERLAP_MS = DAY;

export interface Receiver {
  readonly id: string;
  readonly kind: ChannelKind;
  /** As operators call it. */
  readonly name: string;
  /** All that is shown of its address: the rest may be the secret. */
  readonly host: string;
  readonly topics: readonly Topic[];
  readonly createdAt: Millis;
  readonly createdBy: string;
  /** `gone`: it answered 410. What is to be told it is kept as dead letters until somebody turns it on. */
  readonly state: "on" | "gone";
  readonly breaker: Breaker;
  /** What it answered last; null if it was never asked. */
  readonly last: { readonly at: Millis; readonly said: string; readonly isGood: boolean } | null;
}

/** What opens it. At rest it is sealed, and no answer of ours holds it. */
export interface Credentials {
  readonly url: string;
  /** Newest first: a webhook's signing secrets, PagerDuty's routing key. None where the address is one. */
  readonly keys: readonly {
    readonly secret: string;
    /** Null: until it is replaced. */ readonly until: Millis | null;
  }[];
}

/** The secrets that sign at a moment, newest first. */
export function keysAt({ keys }: Credentials, now: Millis): readonly string[] {
  return keys.filter(({ until }) => until === null || until > now).map(({ secret }) => secret);
}

/** With a new secret; the one before holds on for a day, so that whoever checks can change over. */
export function withNewKey(credentials: Credentials, secret: string, now: Millis): Credentials {
  const [newest] = credentials.keys;
  const before = newest === undefined ? [] : [{ ...newest, until: now + KEY_OVERLAP_MS }];
  return { ...credentials, keys: [{ secret, until: null }, ...before] };
}

/** PagerDuty wakes people, and a maintenance that was announced is no reason to. */
export function canTake(kind: ChannelKind, topic: Topic): boolean {
  return kind !== "pagerduty" || topic === "incident";
}

export function wants({ kind, topics }: Pick<Receiver, "kind" | "topics">, { topic }: Message): boolean {
  return topic === "test" || (topics.includes(topic) && canTake(kind, topic));
}

export type ChannelRefusal =
  /** `not_set_up`: this deployment has no SEALING_KEY. `unreadable`: what is kept was sealed with another. */
  | { readonly code: "unknown" | "too_many" | "not_set_up" | "unreadable" | "name_taken" }
  | { readonly code: "address" | "key"; readonly message: string };

/** The name, if no other has it. */
export function freeReceiverName(name: string, all: readonly Receiver[]): Result<string, ChannelRefusal> {
  const isTaken = all.some((one) => one.name.toLowerCase() === name.toLowerCase());
  return isTaken ? failure({ code: "name_taken" }) : success(name);
}
