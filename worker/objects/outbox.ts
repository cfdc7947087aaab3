/**
 * Whatever leaves for people outside: at least once, under one key, and never before it is written down. The Board hands
 * over what was said, in an object of its own because a receiver that hangs must not keep the page waiting.
 *
 *   Board: act + message, one write ─▶ take: one row a receiver ─▶ attempt counted ─▶ request ─▶ verdict ─▶ row
 *
 * Killed between any two of these it goes on with the one before. `core/notify-delivery.ts` decides.
 */
import { DurableObject } from "cloudflare:workers";
import type { Delivery, Verdict } from "../core/notify-delivery.ts";
import {
  breakerAfter,
  begun,
  buried,
  hurried,
  nextTryAt,
  postponed,
  replayed,
  settled,
  toTry,
} from "../core/notify-delivery.ts";
import type { Message } from "../core/notify-message.ts";
import type { ChannelRefusal, Receiver } from "../core/notify-receiver.ts";
import { wants } from "../core/notify-receiver.ts";
import type { Result } from "../../protocol/result.ts";
import type { Millis } from "../../protocol/time.ts";
import { HOUR, SECOND } from "../../protocol/time.ts";
import type { Env } from "./env.ts";
import { boardOf } from "./env.ts";
import { Meter } from "./meter.ts";
import type { ChannelAct, ChannelDone } from "./outbox-channels.ts";
import { OutboxChannels } from "./outbox-channels.ts";
import { OutboxMemory } from "./outbox-memory.ts";
import { attempt, ATTEMPT_TIMEOUT_MS, credentialsOf } from "./outbox-sender.ts";
import type { Sealer } from "./sealing.ts";
import { sealerOf } from "./sealing.ts";

/** Waiting at a time; more are dead letters at once, which an operator sees and may replay. */
const WAITING_MAX = 2_000;
/** What is listed. */
const LISTED_MAX = 50;
/** Looked at this often while requests are under way, in case nobody lives to hear their answer. */
const BACKUP_MS = ATTEMPT_TIMEOUT_MS + 5 * SECOND;
/** An alarm for what is due already, but has no connection left. */
const CROWDED_MS = 5 * SECOND;
const PRUNE_MS = HOUR;

/** A receiver as operators see it: nothing in it opens anything. */
export interface ReceiverView extends Receiver {
  readonly waiting: number;
  readonly dead: number;
}

/** One dead letter, or all of a receiver. */
type Which = { readonly delivery: string } | { readonly receiver: string };

/** How many dead letters went on their way, and how many stayed because what they begin has ended. */
export interface Replayed {
  readonly again: number;
  readonly overtaken: number;
}

export interface ChannelsView {
  readonly receivers: readonly ReceiverView[];
  /** On their way, the oldest first. */
  readonly waiting: readonly Delivery[];
  /** The newest first. */
  readonly delivered: readonly Delivery[];
  readonly dead: readonly Delivery[];
  /** Whether secrets can be kept: this deployment has a SEALING_KEY. */
  readonly isSetUp: boolean;
}

export class Outbox extends DurableObject<Env> {
  readonly #meter: Meter;
  readonly #memory: OutboxMemory;
  readonly #channels: OutboxChannels;
  /** Requests under way, by delivery. */
  readonly #flights = new Map<string, Promise<void>>();
  #sealer: Promise<Sealer | null> | null = null;
  #prunedAt: Millis = 0;
  /** In this life: keys change with a deploy, which begins another. */
  #isResealed = false;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#meter = new Meter(ctx.storage.sql, Date.now());
    this.#memory = new OutboxMemory(this.#meter);
    this.#channels = new OutboxChannels(env, this.#memory, async () => this.#sealing());
    void ctx.blockConcurrencyWhile(async () => this.#arm());
  }

  /** Takes over what was said. Answered once it is written down; what was taken before is known and costs nothing. */
  async take(messages: readonly Message[]): Promise<void> {
    const now = Date.now();
    this.ctx.storage.transactionSync(() => {
      for (const message of messages)
        for (const receiver of this.#memory.receivers)
          if (wants(receiver, message)) this.#queue(receiver, message, now);
    });
    this.#fly();
    await this.#arm();
  }

  #queue(receiver: Receiver, message: Message, now: Millis): void {
    const id = `${receiver.id}:${message.key}`;
    const number = this.#memory.nextNumber();
    const facts = { id, receiver: receiver.id, message, number, attempts: 0, createdAt: now, nextAt: now, said: null };
    const one: Delivery = { ...facts, state: "waiting" };
    if (receiver.state === "gone") this.#memory.begin(buried(one, "the receiver is gone", now));
    else if (this.#memory.waitingCount >= WAITING_MAX)
      this.#memory.begin(buried(one, "too many messages wait already", now));
    else this.#memory.begin(one);
  }

  async view(): Promise<ChannelsView> {
    const { waiting, receivers, deadCounts } = this.#memory;
    return {
      receivers: receivers.map((receiver) => ({
        ...receiver,
        waiting: waiting.filter((one) => one.receiver === receiver.id).length,
        dead: deadCounts.get(receiver.id) ?? 0,
      })),
      waiting: waiting.slice(0, LISTED_MAX),
      delivered: this.#memory.newest("delivered", LISTED_MAX),
      dead: this.#memory.newest("dead", LISTED_MAX),
      isSetUp: (await this.#sealing()) !== null,
    };
  }

  /** What operators do. */
  async run(act: ChannelAct, by: string): Promise<Result<ChannelDone, ChannelRefusal>> {
    const done = await this.#channels.run(act, by);
    this.#fly();
    await this.#arm();
    return done;
  }

  /** Puts dead letters on their way again, under the same keys. */
  async replay(which: Which, by: string): Promise<Replayed> {
    const now = Date.now();
    const dead = this.#dead(which).toSorted((a, b) => a.number - b.number);
    // Where the end is known already, an earlier step would begin it anew, and wake somebody.
    const apart = dead.filter((one) => this.#wakes(one) && this.#memory.isOvertaken(one));
    const room = WAITING_MAX - this.#memory.waitingCount;
    const again = dead.filter((one) => !apart.includes(one)).slice(0, room);
    for (const name of new Set(again.map(({ receiver }) => this.#memory.receiver(receiver)?.name)))
      if (name !== undefined) await boardOf(this.env).note("delivery.replay", name, by);
    this.ctx.storage.transactionSync(() => {
      // Somebody else may have been quicker while the audit was written.
      for (const { id } of again) {
        const still = this.#memory.delivery(id);
        if (still?.state === "dead") this.#memory.keep(replayed(still, now));
      }
    });
    this.#fly();
    await this.#arm();
    return { again: again.length, overtaken: apart.length };
  }

  #dead(which: Which): readonly Delivery[] {
    if ("receiver" in which)
      return this.#memory.newest("dead", WAITING_MAX).filter(({ receiver }) => receiver === which.receiver);
    const one = this.#memory.delivery(which.delivery);
    return one?.state === "dead" ? [one] : [];
  }

  #wakes({ receiver }: Delivery): boolean {
    return this.#memory.receiver(receiver)?.kind === "pagerduty";
  }

  /** From the cron: for an alarm that was lost, and a key that was replaced. */
  async wake(): Promise<void> {
    await this.#arm();
    if (!this.#isResealed) await this.#channels.reseal();
    this.#isResealed = true;
  }

  /** A wake carries no news: it looks at what is there. */
  override async alarm(): Promise<void> {
    try {
      const now = Date.now();
      if (now - this.#prunedAt >= PRUNE_MS) {
        this.#memory.prune(now);
        this.#prunedAt = now;
      }
      this.#fly();
      await Promise.allSettled(this.#flights.values());
    } finally {
      // Re-armed here and never left to the runtime's retries, which stop for good after six.
      await this.#arm();
    }
  }

  // ── on the way ────────────────────────────────────────────────────────────────────────────────────────────────────

  get #flying(): ReadonlySet<string> {
    return new Set(this.#flights.keys());
  }

  /** Begins what can begin now. Each that ends makes room for the next. */
  #fly(): void {
    const due = toTry(this.#memory.waiting, this.#memory.breakers, this.#flying, Date.now());
    for (const one of due) {
      const started = begun(one);
      this.#memory.keep(started);
      const flight = this.#attempt(started).finally(() => this.#landed(one.id));
      this.#flights.set(one.id, flight);
      this.ctx.waitUntil(flight);
    }
  }

  #landed(id: string): void {
    this.#flights.delete(id);
    this.#fly();
    this.ctx.waitUntil(this.#arm());
  }

  async #attempt(started: Delivery): Promise<void> {
    const receiver = this.#memory.receiver(started.receiver);
    if (receiver === null) return;
    let came: Awaited<ReturnType<typeof attempt>>;
    try {
      const credentials = await credentialsOf(await this.#sealing(), receiver.id, this.#memory.sealed(receiver.id));
      came = await attempt(this.env, receiver, credentials, started, Date.now());
    } catch (error) {
      console.error(JSON.stringify({ event: "notice_failed", delivery: started.id, error: String(error) }));
      came = { outcome: "retry", said: "it failed on our side", waitMs: null };
    }
    const now = Date.now();
    if (came === "not_asked") this.#memory.keep(postponed(started, "too many requests at once", now));
    else this.#settle(started, came, now);
  }

  /** No await: all of it is one write. */
  #settle(started: Delivery, verdict: Verdict, now: Millis): void {
    this.ctx.storage.transactionSync(() => {
      const over = settled(started, verdict, now, Math.random());
      this.#memory.keep(over);
      if (over.state === "dead")
        console.warn(JSON.stringify({ event: "dead_letter", delivery: over.id, said: verdict.said }));
      const receiver = this.#memory.receiver(started.receiver);
      if (receiver === null) return;
      const { outcome, said } = verdict;
      const breaker = breakerAfter(receiver.breaker, verdict, now);
      const last = { at: now, said, isGood: outcome === "delivered" };
      this.#memory.put({ ...receiver, breaker, last, state: outcome === "gone" ? "gone" : receiver.state });
      const others = this.#memory.waiting.filter((one) => one.receiver === receiver.id);
      if (outcome === "gone") for (const one of others) this.#memory.keep(buried(one, "the receiver is gone", now));
      if (outcome === "delivered" && receiver.breaker.failures > 0)
        for (const one of others) if (one.nextAt > now) this.#memory.keep(hurried(one, now));
    });
  }

  async #sealing(): Promise<Sealer | null> {
    this.#sealer ??= sealerOf(this.env);
    return this.#sealer;
  }

  /** Sets the alarm if none comes soon enough. */
  async #arm(): Promise<void> {
    const now = Date.now();
    const flying = this.#flying;
    const next = nextTryAt(this.#memory.waiting, this.#memory.breakers, flying);
    const backup = flying.size > 0 ? now + BACKUP_MS : Infinity;
    const at = Math.min(backup, flying.size > 0 ? Math.max(next, now + CROWDED_MS) : Math.max(next, now));
    if (!Number.isFinite(at)) return;
    const armed = await this.ctx.storage.getAlarm();
    if (armed !== null && armed <= at) return;
    await this.ctx.storage.setAlarm(at);
  }
}
