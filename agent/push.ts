/**
 * Pushes: what is now (`live`) and what is durable (`records`), and what each answer means.
 *
 * They go over the session while it is open, and by POST at once if no answer comes there: what is sent twice has the
 * same numbers. `pushOnce` does one exchange and says how long to wait before the next; `PushLoop` waits. So a test
 * plays any row of the table of answers without a clock.
 */
import type { SignedDesired } from "../protocol/lease.ts";
import { PUSH_BYTES_MAX, RECORDS_MAX } from "../protocol/limits.ts";
import type { Extra, Live, Push, Receipt } from "../protocol/push.ts";
import type { Topology } from "../protocol/topology.ts";
import type { Millis } from "../protocol/time.ts";
import { PROTOCOL_VERSION } from "../protocol/version.ts";
import { reactTo, REFUSED_WAIT_MS, type Answer } from "./core/answer.ts";
import { retryDelay } from "./core/backoff.ts";
import { fitLive } from "./core/readings.ts";
import { sessionRest } from "./core/rest.ts";
import { knownLive, knownRecord, wireForm, wireLive } from "./core/wire.ts";
import type { Log } from "./log.ts";
import type { Batch, Spool } from "./spool.ts";
import { postPush, type Exchange, type PostOptions, type PushCarrier } from "./transport.ts";

/** Sent with every push; the operator's list of clusters shows it. */
export const AGENT_VERSION = "0.1.0";

/** No answer within this: the outcome is unknown and the same records go again, ms. */
const PUSH_TIMEOUT_MS = 10_000;
/**
 * `live` may take this much of a push as it goes out, bytes: three readings of 1,000 services as tuples, which the edge
 * needs to raise and to clear what it says. Records have room beside it, and a topology too.
 */
const LIVE_BYTES_MAX = 190_000;
/** The envelope around `live` and the records, bytes. */
const ENVELOPE_BYTES = 2_048;
/** Between two pushes while a backlog drains, ms. */
const DRAIN_PAUSE_MS = 250;
/** A `live` that the edge refused is held back this long, ms. */
const LIVE_HELD_MS = 60_000;
/** The spool was restored from a copy. Under numbers that are known already new facts would look old and be lost. */
const UNKNOWN_NUMBERS = "the edge knows numbers that this spool never gave: opening a new spool and numbering anew";
/** After so many records were refused alone without one success between, it is not the records, and they are kept. */
const SET_ASIDE_MAX = 10;

export interface PushOptions extends PostOptions {
  readonly spool: Spool;
  readonly intervalMs: number;
  readonly live: () => Live;
  /** Who called whom when that was looked at last. */
  readonly topology?: () => Topology | null;
  readonly onDesired: (desired: SignedDesired) => void;
  /** What the edge wishes of the detector. */
  readonly onWish?: (wish: SignedDesired) => void;
  /** The edge asks for a new key. */
  readonly onRotate?: () => void;
  /** Where another agent had this cluster, it may be taken over: this one holds the Lease. */
  readonly mayTakeOver?: () => boolean;
  /** What the edge's newest receipt says that it takes. */
  readonly onAccepts?: (accepts: readonly string[]) => void;
  /** The session, once there is one. */
  readonly session?: () => PushCarrier | null;
  /** In [0, 1); jitter. */
  readonly random: () => number;
  readonly log: Log;
}

/** What to do after one push. `held`: even something urgent waits, because the edge is in trouble or said so. */
export interface PushOutcome {
  readonly waitMs: number;
  readonly held: boolean;
  /** The process must end: another agent has this cluster. */
  readonly fenced: boolean;
  readonly accepted: boolean;
  readonly reason: string;
}

interface Sent {
  readonly batch: Batch;
  readonly withLive: boolean;
  readonly opening: boolean;
  /** Of the topology that it carries; null if it carries none. */
  readonly topologyAt: Millis | null;
}

export class Pusher {
  readonly #options: PushOptions;
  /** Everything below is at the edge: the next number to send. */
  #from: number;
  /** Records a push, while a refused batch is being narrowed down. */
  #limit = RECORDS_MAX;
  /** Which part of a refused push is being tried alone. */
  #suspect: "none" | "live" | "records" = "none";
  #liveHeldUntil = 0;
  #failures = 0;
  #setAside = 0;
  /** What the edge said that it takes. */
  #accepts: readonly string[] = [];
  /** Of the topology that the edge has. */
  #topologyAt: Millis | null = null;
  /** Pushes in a row that were lost on the session, and until when none is tried there, by the monotonic clock. */
  #losses = 0;
  #sessionRestsUntil = 0;

  constructor(options: PushOptions) {
    this.#options = options;
    this.#from = options.spool.base;
  }

  /** One exchange, over within `timeoutMs` whichever ways it takes. */
  async pushOnce(timeoutMs = PUSH_TIMEOUT_MS): Promise<PushOutcome> {
    const { push, sent } = this.#compose();
    const exchange = await this.#exchange(wireForm(push, this.#accepts), timeoutMs);
    if (!exchange.ok) return this.#react(null, null, sent, exchange.failure);
    const { answer, receipt, message } = exchange.value;
    return this.#react(answer, receipt, sent, message);
  }

  async #exchange(push: unknown, timeoutMs: number): Promise<Exchange> {
    const session = this.#options.session?.() ?? null;
    if (session === null || !session.takesPushes() || performance.now() < this.#sessionRestsUntil)
      return this.#timed(() => postPush(this.#options, push, timeoutMs));
    const exchange = await this.#timed(() => session.push(push, timeoutMs / 2));
    this.#losses = exchange.ok ? 0 : this.#losses + 1;
    if (exchange.ok) return exchange;
    // The outcome is unknown, and what is now does not wait for a session: the same records under the same numbers.
    this.#sessionRestsUntil = performance.now() + sessionRest(this.#losses);
    return this.#timed(() => postPush(this.#options, push, timeoutMs / 2));
  }

  /** Learns the edge's time from an exchange, whatever else its answer says. */
  async #timed(way: () => Promise<Exchange>): Promise<Exchange> {
    const { clock } = this.#options;
    const sentAt = clock.raw();
    const exchange = await way();
    const serverTime = exchange.ok ? exchange.value.serverTime : null;
    if (serverTime !== null) clock.learn(sentAt, clock.raw(), serverTime);
    return exchange;
  }

  #compose(): { push: Push; sent: Sent } {
    const { spool, clock, intervalMs } = this.#options;
    const now = clock.now();
    const withLive = this.#suspect === "none" && now >= this.#liveHeldUntil;
    const topology = withLive ? this.#newTopology() : null;
    const bytesOf = (part: Live): number => jsonBytes(wireLive(part, this.#accepts));
    const live = withLive
      ? {
          ...fitLive(knownLive(this.#options.live(), this.#accepts), LIVE_BYTES_MAX, bytesOf),
          ...(topology === null ? {} : { topology }),
        }
      : null;
    const opening = spool.mustAsk;
    const room = PUSH_BYTES_MAX - ENVELOPE_BYTES - (live === null ? 0 : bytesOf(live));
    const batch = opening ? { first: spool.base, items: [] } : spool.batch(this.#from, this.#limit, room);
    const push: Push = {
      v: PROTOCOL_VERSION,
      spool: spool.id,
      epoch: spool.epoch,
      sentAt: now,
      skewMs: clock.skewMs(),
      intervalMs,
      agentVersion: AGENT_VERSION,
      live,
      base: spool.base,
      records: { first: batch.first, items: batch.items.map((record) => knownRecord(record, this.#accepts)) },
    };
    return { push, sent: { batch, withLive, opening, topologyAt: topology?.at ?? null } };
  }

  /** The topology, if the edge takes it with this push and has not got it. */
  #newTopology(): Topology | null {
    if (!this.#accepts.includes("topology" satisfies Extra)) return null;
    const topology = this.#options.topology?.() ?? null;
    return topology?.at === this.#topologyAt ? null : topology;
  }

  #react(answer: Answer | null, receipt: Receipt | null, sent: Sent, detail: string): PushOutcome {
    const reaction = reactTo(answer);
    const reason = detail === "" || reaction.act === "accept" ? "" : `: ${detail}`;
    switch (reaction.act) {
      case "accept":
        return receipt === null ? this.#retry("no receipt") : this.#accept(receipt, sent);
      case "split":
        // Only our edge's own word may cost a record: a proxy in between answers 400 for reasons of its own.
        return answer?.code === "push_malformed" || answer?.code === "push_too_large"
          ? this.#refused(sent, reaction.reason + reason)
          : this.#retry(reaction.reason + reason);
      case "wait": {
        this.#failures = 0;
        const jitter = 1 + 0.1 * this.#options.random();
        return outcome(Math.round(reaction.leastMs * jitter), { held: true, reason: reaction.reason + reason });
      }
      case "resend":
        return this.#resend(reaction.from, reaction.reason);
      case "retry":
        return this.#retry(reaction.reason + reason);
      case "exit":
        if (this.#options.mayTakeOver?.() === true) {
          this.#renew("this agent leads now: it takes the cluster over");
          return this.#retry(reaction.reason);
        }
        return outcome(0, { held: true, fenced: true, reason: reaction.reason });
    }
  }

  #retry(reason: string): PushOutcome {
    this.#failures++;
    const { random, intervalMs } = this.#options;
    // An edge that comes back hears of what is now within one interval: asking that often is what a healthy agent does.
    return outcome(Math.min(retryDelay(this.#failures, random()), intervalMs), { held: true, reason });
  }

  #accept(receipt: Receipt, sent: Sent): PushOutcome {
    const { spool, clock, log, onDesired } = this.#options;
    if (this.#suspect === "live") {
      log("error", "the edge refuses the live part of a push; it is left out for a minute");
      this.#liveHeldUntil = clock.now() + LIVE_HELD_MS;
    }
    this.#accepts = receipt.accepts ?? [];
    this.#options.onAccepts?.(this.#accepts);
    this.#topologyAt = sent.topologyAt ?? this.#topologyAt;
    this.#failures = 0;
    this.#setAside = 0;
    this.#suspect = "none";
    this.#limit = RECORDS_MAX;
    const before = this.#from;
    if (receipt.epoch !== spool.epoch) {
      log("info", sent.opening ? "the edge gave an epoch" : "the edge has another epoch: numbering anew", {
        epoch: receipt.epoch,
      });
      spool.adopt(receipt.epoch, receipt.received);
      this.#from = spool.base;
    } else if (Math.max(receipt.received, receipt.persisted) > spool.next) {
      this.#renew(UNKNOWN_NUMBERS);
    } else {
      spool.adopt(receipt.epoch, receipt.received);
      spool.acknowledge(receipt.persisted);
      this.#from = Math.max(receipt.received, spool.base);
    }
    if (receipt.rejected.length > 0) {
      log("warn", "the edge rejected records; they are not sent again", {
        count: receipt.rejected.length,
        reason: receipt.rejected[0]?.reason ?? "",
      });
    }
    if (receipt.desired !== undefined) onDesired(receipt.desired);
    if (receipt.detector !== undefined) this.#options.onWish?.(receipt.detector);
    if (receipt.rotate === true) this.#options.onRotate?.();
    const progressed = sent.opening || this.#from > before;
    const more = spool.waiting > 0 || this.#from < spool.next;
    const waitMs = more && progressed ? DRAIN_PAUSE_MS : receipt.nextPushMs;
    return outcome(waitMs, { accepted: true, reason: "accepted" });
  }

  /** An edge that was set back to an earlier release may refuse what its successor took: it gets the first form again. */
  #refused(sent: Sent, reason: string): PushOutcome {
    if (this.#accepts.length === 0) return this.#split(sent, reason);
    this.#accepts = [];
    return outcome(DRAIN_PAUSE_MS, { held: true, reason });
  }

  /** First the same records without `live`, then ever fewer records, until the one that is refused stands alone. */
  #split({ batch, withLive }: Sent, reason: string): PushOutcome {
    const { spool, log } = this.#options;
    const [only] = batch.items;
    if (withLive) {
      this.#suspect = "live";
      return outcome(DRAIN_PAUSE_MS, { held: true, reason });
    }
    this.#suspect = "records";
    if (batch.items.length > 1) {
      this.#limit = Math.ceil(batch.items.length / 2);
      return outcome(DRAIN_PAUSE_MS, { held: true, reason });
    }
    if (only === undefined || only.kind === "gap" || this.#setAside >= SET_ASIDE_MAX) {
      log("error", "the edge refuses every push; is its version older or newer than this agent's?", { reason });
      this.#suspect = "none";
      return outcome(REFUSED_WAIT_MS, { held: true, reason });
    }
    spool.setAside(batch.first);
    this.#setAside++;
    log("error", "the edge refuses a record; it is set aside and declared as a gap", {
      seq: batch.first,
      kind: only.kind,
      reason,
    });
    return outcome(DRAIN_PAUSE_MS, { held: true, reason });
  }

  #resend(from: number, reason: string): PushOutcome {
    const { spool } = this.#options;
    if (from > spool.next) this.#renew(UNKNOWN_NUMBERS);
    else this.#from = Math.max(from, spool.base);
    this.#failures++;
    const waitMs = this.#failures === 1 ? 0 : retryDelay(this.#failures, this.#options.random());
    return outcome(waitMs, { held: true, reason });
  }

  #renew(why: string): void {
    const { spool, log } = this.#options;
    log("warn", why);
    spool.renew();
    this.#from = spool.base;
  }
}

function outcome(waitMs: number, what: Partial<PushOutcome> & { readonly reason: string }): PushOutcome {
  return { waitMs, held: false, fenced: false, accepted: false, ...what };
}

function jsonBytes(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}

/** When pushes happen: with each new reading, at once when something changed, later when the edge says so. */
export class PushLoop {
  readonly #pusher: Pusher;
  readonly #intervalMs: number;
  readonly #onOutcome: (outcome: PushOutcome) => void;
  #timer: NodeJS.Timeout | null = null;
  #pushedAt = 0;
  #nextPushMs: number;
  #held = false;
  #flight: Promise<void> | null = null;
  #again = false;
  #stopped = false;

  constructor(pusher: Pusher, intervalMs: number, onOutcome: (outcome: PushOutcome) => void) {
    this.#pusher = pusher;
    this.#intervalMs = intervalMs;
    this.#nextPushMs = intervalMs;
    this.#onOutcome = onOutcome;
  }

  /** New readings are there. The first starts the loop. */
  tick(): void {
    if (this.#held || this.#flight !== null) return;
    if (performance.now() - this.#pushedAt >= this.#nextPushMs - this.#intervalMs / 2 || this.#timer === null)
      this.#push();
  }

  /** Something changed that should not wait for the interval. Requests during a push become one more push. */
  request(): void {
    if (this.#flight !== null) this.#again = true;
    else if (!this.#held && this.#timer !== null) this.#push();
  }

  /** Waits for a push under way and sends a last one, for at most `withinMs`. */
  async stop(withinMs: number): Promise<void> {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    const last = async (): Promise<void> => {
      await this.#flight;
      await this.#pusher.pushOnce(withinMs);
    };
    if (!this.#held) await Promise.race([last(), new Promise((resolve) => setTimeout(resolve, withinMs).unref())]);
  }

  #push(): void {
    if (this.#stopped || this.#flight !== null) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#again = false;
    this.#pushedAt = performance.now();
    this.#flight = this.#pusher.pushOnce().then((result) => {
      this.#flight = null;
      this.#held = result.held;
      this.#onOutcome(result);
      if (result.accepted && result.waitMs >= 1_000) this.#nextPushMs = result.waitMs;
      // Readings come at the interval and set the pace; the timer is there for everything else, and a little late.
      const isPaced = result.accepted && result.waitMs >= 1_000;
      const waitMs = this.#again && !result.held ? 0 : isPaced ? result.waitMs + this.#intervalMs / 2 : result.waitMs;
      if (!this.#stopped && !result.fenced) this.#timer = setTimeout(() => this.#push(), waitMs);
    });
  }
}
