/** Whom the page tells, as operators set it up and try it. Secrets go in and never come out again, but once. */
import type { Breaker } from "../core/notify-delivery.ts";
import { CLOSED } from "../core/notify-delivery.ts";
import type { Topic } from "../core/notify-message.ts";
import { testMessage } from "../core/notify-message.ts";
import type { ChannelKind, ChannelRefusal, Credentials, Receiver } from "../core/notify-receiver.ts";
import { freeReceiverName, RECEIVERS_MAX, withNewKey } from "../core/notify-receiver.ts";
import { CHANNELS } from "../notify/channels.ts";
import { webhookSecret } from "../notify/webhook.ts";
import type { Result } from "../../protocol/result.ts";
import { failure, success } from "../../protocol/result.ts";
import { base64, freshId } from "./crypto.ts";
import type { Env } from "./env.ts";
import { boardOf } from "./env.ts";
import type { OutboxMemory } from "./outbox-memory.ts";
import { addressFor, attempt, credentialsOf, placeOf } from "./outbox-sender.ts";
import type { Sealer } from "./sealing.ts";

/** Of a webhook's secret: Standard Webhooks allows 24 to 64 bytes. */
const SECRET_BYTES = 32;

export interface ChannelRequest {
  readonly kind: ChannelKind;
  readonly name: string;
  readonly url: string;
  /** What proves us there; null where nothing does, or where the secret is made here. */
  readonly key: string | null;
  readonly topics: readonly Topic[];
  /** The host that visitors ask us at: telling it would be telling ourselves. */
  readonly own: string;
}

/** `kind` is how the audit names it. */
export type ChannelAct =
  | { readonly kind: "channel.add"; readonly request: ChannelRequest }
  | { readonly kind: "channel.rotate" | "channel.remove" | "channel.resume" | "channel.test"; readonly id: string };

export interface ChannelDone {
  readonly receiver: Receiver;
  /** A webhook's new secret, which is not shown again. */
  readonly secret: string | null;
  /** What a test was answered; null of any other act. */
  readonly tested: { readonly said: string; readonly isGood: boolean } | null;
}

export class OutboxChannels {
  readonly #env: Env;
  readonly #memory: OutboxMemory;
  readonly #sealing: () => Promise<Sealer | null>;

  constructor(env: Env, memory: OutboxMemory, sealing: () => Promise<Sealer | null>) {
    this.#env = env;
    this.#memory = memory;
    this.#sealing = sealing;
  }

  async run(act: ChannelAct, by: string): Promise<Result<ChannelDone, ChannelRefusal>> {
    if (act.kind === "channel.add") return this.#add(act.request, by);
    const receiver = this.#memory.receiver(act.id);
    if (receiver === null) return failure({ code: "unknown" });
    switch (act.kind) {
      case "channel.rotate":
        return this.#rotate(receiver, by);
      case "channel.test":
        return this.#test(receiver, by);
      case "channel.resume":
        await this.#audit(act.kind, receiver, by);
        return this.#turn(receiver, CLOSED);
      case "channel.remove":
        await this.#audit(act.kind, receiver, by);
        this.#memory.remove(receiver.id);
        return success({ receiver, secret: null, tested: null });
    }
  }

  /** Seals with the newest key what was sealed with the one before: nothing needs that any more then. */
  async reseal(): Promise<void> {
    const sealer = await this.#sealing();
    if (sealer === null) return;
    for (const { id } of this.#memory.receivers) {
      const sealed = this.#memory.sealed(id);
      const opened = sealer.isOld(sealed) ? await sealer.open(sealed, placeOf(id)) : null;
      if (opened === null) continue;
      const renewed = await sealer.seal(opened, placeOf(id));
      // Somebody may have made a new secret while this was sealed.
      if (this.#memory.sealed(id) === sealed) this.#memory.reseal(id, renewed);
    }
  }

  async #add(request: ChannelRequest, by: string): Promise<Result<ChannelDone, ChannelRefusal>> {
    const { kind, url, topics, key } = request;
    const sealer = await this.#sealing();
    if (sealer === null) return failure({ code: "not_set_up" });
    const address = addressFor(kind, url, this.#env, request.own);
    if (!address.ok) return address;
    const wrong = CHANNELS[kind].keyFault(key ?? "");
    if (wrong !== null) return failure({ code: "key", message: wrong });
    const secret = kind === "webhook" ? freshWebhookSecret() : null;
    const proof = secret ?? key;
    const credentials: Credentials = {
      url: address.value.href,
      keys: proof === null ? [] : [{ secret: proof, until: null }],
    };
    const id = freshId();
    const sealed = await sealer.seal(JSON.stringify(credentials), placeOf(id));
    const facts = { id, kind, host: address.value.host, topics, createdAt: Date.now(), createdBy: by };
    const named = this.#free(request.name);
    if (!named.ok) return named;
    const receiver: Receiver = { ...facts, name: named.value, state: "on", breaker: CLOSED, last: null };
    await this.#audit("channel.add", receiver, by);
    // Asked again: somebody may have been quicker while the audit was written.
    const still = this.#free(request.name);
    if (!still.ok) return still;
    this.#memory.add(receiver, sealed);
    return success({ receiver, secret, tested: null });
  }

  #free(name: string): Result<string, ChannelRefusal> {
    const { receivers } = this.#memory;
    return receivers.length >= RECEIVERS_MAX ? failure({ code: "too_many" }) : freeReceiverName(name, receivers);
  }

  async #rotate(receiver: Receiver, by: string): Promise<Result<ChannelDone, ChannelRefusal>> {
    const sealer = await this.#sealing();
    if (sealer === null) return failure({ code: "not_set_up" });
    const credentials = await credentialsOf(sealer, receiver.id, this.#memory.sealed(receiver.id));
    if (credentials === null || receiver.kind !== "webhook") return failure({ code: "unreadable" });
    const secret = freshWebhookSecret();
    const renewed = withNewKey(credentials, secret, Date.now());
    const sealed = await sealer.seal(JSON.stringify(renewed), placeOf(receiver.id));
    await this.#audit("channel.rotate", receiver, by);
    this.#memory.reseal(receiver.id, sealed);
    return success({ receiver, secret, tested: null });
  }

  /** Asks it now, whatever it answered before. */
  async #test(receiver: Receiver, by: string): Promise<Result<ChannelDone, ChannelRefusal>> {
    const { page } = await boardOf(this.#env).operatorView([]);
    const credentials = await credentialsOf(await this.#sealing(), receiver.id, this.#memory.sealed(receiver.id));
    const now = Date.now();
    const message = testMessage(freshId(), page, by, now);
    const came = await attempt(this.#env, receiver, credentials, { id: message.key, message }, now);
    await this.#audit("channel.test", receiver, by);
    if (came === "not_asked")
      return success({ receiver, secret: null, tested: { said: "it was not asked", isGood: false } });
    const tested = { said: came.said, isGood: came.outcome === "delivered" };
    const held = this.#memory.receiver(receiver.id);
    if (held === null) return failure({ code: "unknown" });
    const breaker = tested.isGood ? CLOSED : held.breaker;
    const asked: Receiver = { ...held, breaker, last: { at: Date.now(), ...tested } };
    this.#memory.put(asked);
    return success({ receiver: asked, secret: null, tested });
  }

  #turn(receiver: Receiver, breaker: Breaker): Result<ChannelDone, ChannelRefusal> {
    const on: Receiver = { ...(this.#memory.receiver(receiver.id) ?? receiver), state: "on", breaker };
    this.#memory.put(on);
    return success({ receiver: on, secret: null, tested: null });
  }

  /** Written down before it is done: nobody sets up a way out that the audit does not know. */
  async #audit(act: ChannelAct["kind"], { kind, name, host, topics }: Receiver, by: string): Promise<void> {
    const facts = { kind, name, host, topics };
    const change =
      act === "channel.add"
        ? { before: null, after: facts }
        : act === "channel.remove"
          ? { before: facts, after: null }
          : null;
    await boardOf(this.#env).note(act, name, by, change);
  }
}

function freshWebhookSecret(): string {
  return webhookSecret(base64(crypto.getRandomValues(new Uint8Array(SECRET_BYTES))));
}
