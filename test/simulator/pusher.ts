/** The agent's side of a push: mirrors `agent/push.ts`, with `reactTo` as the product has it. Waits are the world's to choose. */
import { reactTo, type Answer } from "../../agent/core/answer.ts";
import { RECORDS_MAX } from "../../protocol/limits.ts";
import type { Push } from "../../protocol/push.ts";
import type { FactRecord } from "../../protocol/record.ts";
import { PROTOCOL_VERSION } from "../../protocol/version.ts";
import type { Millis } from "../../protocol/time.ts";
import type { Rules } from "./rules.ts";
import type { Stored } from "./disk.ts";
import type { Spool } from "./spool.ts";

/** The part of a receipt that delivery is about. */
export interface Receipt {
  readonly epoch: number;
  readonly received: number;
  readonly persisted: number;
  readonly serverTime: Millis;
}

export interface Reply {
  readonly answer: Answer;
  readonly receipt: Receipt | null;
  readonly serverTime: Millis;
}

export interface Sent {
  readonly push: Push;
  readonly withLive: boolean;
  readonly opening: boolean;
}

/** What became of a push. */
export type Outcome =
  | { readonly kind: "accepted"; readonly freed: readonly Stored[]; readonly note: string }
  | { readonly kind: "held"; readonly note: string }
  | { readonly kind: "fenced" };

const SET_ASIDE_MAX = 10;

export class Pusher {
  readonly #rules: Rules;
  readonly #spool: Spool;
  readonly #batchMax: number;
  #from: number;
  #limit = RECORDS_MAX;
  #suspect: "none" | "live" | "records" = "none";
  #setAside = 0;

  constructor(rules: Rules, spool: Spool, batchMax: number) {
    this.#rules = rules;
    this.#spool = spool;
    this.#batchMax = batchMax;
    this.#from = spool.base;
  }

  compose(now: Millis): Sent {
    const spool = this.#spool;
    const opening = spool.epoch === null;
    const room = Math.min(this.#limit, this.#batchMax);
    const batch = opening ? { first: spool.next, items: [] } : spool.batch(this.#from, room);
    const push: Push = {
      v: PROTOCOL_VERSION,
      spool: spool.id,
      epoch: spool.epoch,
      sentAt: now,
      skewMs: 0,
      intervalMs: 10_000,
      agentVersion: "simulated",
      live: null,
      base: this.#rules.base ? spool.base : 1,
      records: { first: batch.first, items: [...batch.items] },
    };
    return { push, withLive: this.#suspect === "none", opening };
  }

  /** Takes in the answer to what was sent; null if none came. */
  react(reply: Reply | null, sent: Sent): Outcome {
    const reaction = reactTo(reply?.answer ?? null);
    switch (reaction.act) {
      case "accept":
        return reply?.receipt ? this.#accept(reply.receipt, sent) : { kind: "held", note: "no receipt" };
      case "split":
        return reply?.answer.code === "push_malformed" || reply?.answer.code === "push_too_large"
          ? this.#split(sent)
          : { kind: "held", note: reaction.reason };
      case "resend":
        return this.#resend(reaction.from);
      case "wait":
      case "retry":
        return { kind: "held", note: reaction.reason };
      case "exit":
        return { kind: "fenced" };
    }
  }

  #accept(receipt: Receipt, sent: Sent): Outcome {
    const spool = this.#spool;
    this.#setAside = 0;
    this.#suspect = "none";
    this.#limit = RECORDS_MAX;
    if (receipt.epoch !== spool.epoch) {
      spool.adopt(receipt.epoch, receipt.received);
      this.#from = spool.base;
      return { kind: "accepted", freed: [], note: `${sent.opening ? "opened" : "changed to"} epoch ${receipt.epoch}` };
    }
    if (Math.max(receipt.received, receipt.persisted) > spool.next) return this.#renew();
    const freed = spool.acknowledge(this.#rules.freeAtPersisted ? receipt.persisted : receipt.received);
    this.#from = Math.max(receipt.received, spool.base);
    return { kind: "accepted", freed, note: `received ${receipt.received}, persisted ${receipt.persisted}` };
  }

  #split({ push, withLive }: Sent): Outcome {
    const items = push.records.items as readonly FactRecord[];
    const [only] = items;
    if (withLive) {
      this.#suspect = "live";
      return { kind: "held", note: "tries without live" };
    }
    this.#suspect = "records";
    if (items.length > 1) {
      this.#limit = Math.ceil(items.length / 2);
      return { kind: "held", note: `tries ${this.#limit} records` };
    }
    if (only === undefined || only.kind === "gap" || this.#setAside >= SET_ASIDE_MAX) {
      this.#suspect = "none";
      return { kind: "held", note: "everything is refused" };
    }
    this.#spool.setAside(push.records.first);
    this.#setAside++;
    return { kind: "held", note: `set ${push.records.first} aside` };
  }

  #resend(from: number): Outcome {
    if (from > this.#spool.next) return this.#renew();
    this.#from = Math.max(from, this.#spool.base);
    return { kind: "held", note: `resends from ${this.#from}` };
  }

  #renew(): Outcome {
    this.#spool.renew();
    this.#from = this.#spool.base;
    return { kind: "held", note: "opens a new spool: the edge knows numbers that this one never gave" };
  }
}
