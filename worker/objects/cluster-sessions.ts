/**
 * The agent's sessions at its Cluster: hibernating sockets, who proved what on them, what they remember, and the pushes
 * that come over them.
 *
 * An object leaves memory between two pushes, but its sockets stay, each with an attachment that costs no row:
 *
 *   attachment  { host, keyId, nonce, heardAt, intervalMs, told, note, counts }    below 2,048 bytes, the runtime's bound
 *
 * `keyId` is null until the first message proved who is there. One session speaks for a cluster: a newer one that is
 * proved takes over, and what the object remembers goes over to it.
 */
import * as v from "valibot";
import type { SignedDesired } from "../../protocol/lease.ts";
import type { Push } from "../../protocol/push.ts";
import type { SessionMessage } from "../../protocol/session.ts";
import { SESSION_CLOSE, SessionOpenSchema, sessionOpenMessage } from "../../protocol/session.ts";
import { SIGNATURE_LIFETIME_S } from "../../protocol/signature.ts";
import type { Millis } from "../../protocol/time.ts";
import { SECOND } from "../../protocol/time.ts";
import { versionServed } from "../../protocol/version.ts";
import { isBarred, NO_FAILURES, withFailure } from "../core/attempts.ts";
import type { GatewayCounts } from "../core/gateway.ts";
import { RESTED, withPush } from "../core/pace.ts";
import { REFUSAL_STATUS, RETRY_AFTER_S } from "../core/refusal.ts";
import type { Note } from "../core/outbox.ts";
import type { Told } from "../core/tell.ts";
import { parseJson } from "./body.ts";
import { verifyEd25519 } from "./crypto.ts";
import type { PushAnswer, PushRefusal } from "./push-body.ts";
import { parseFrame } from "./push-body.ts";

/** Sockets that have not proved who they are: a hoard of them would keep nothing alive, but memory is shared. */
const UNPROVED_SOCKETS_MAX = 8;
/** Sessions prove themselves within the life of a signature. */
const OPEN_MAX_AGE_MS = SIGNATURE_LIFETIME_S * SECOND;
/** Proofs that are remembered, so that none opens a second session. More within their age are nobody's who means well. */
const PROOFS_MAX = 64;
/** A text message of the agent's, characters. */
const SESSION_MESSAGE_MAX = 4_096;
/** Pushes of a session that wait for the one before. An agent has one under way. */
const PUSHES_WAITING_MAX = 4;
/** A session that pushes too fast is told to rest for this long, ms. */
const TOO_FAST_WAIT_MS = 5_000;
const TOO_FAST: PushRefusal = {
  code: "too_many_attempts",
  message: "Pushes come too fast. Send one, and wait for its answer.",
};

/** What the object remembers on its proved socket: lost with the socket, and never more than a hint. */
export interface Kept {
  /** When the agent was heard last; null if never. */
  readonly heardAt: Millis | null;
  readonly intervalMs: number;
  /** What the Board was told last, so that an object that wakes need not tell it again. */
  readonly told: Told | null;
  /** Up to where Postgres holds the outbox, so that an object that wakes need not send it again. */
  readonly note: Note | null;
  /** What was counted so far. Absent in what an earlier version attached. */
  readonly counts?: GatewayCounts | undefined;
}

interface Attachment extends Kept {
  readonly host: string;
  /** The key that it was proved with; null until then. */
  readonly keyId: string | null;
  /** Of the proof. Absent in what an earlier version attached. */
  readonly nonce?: string;
}

/** What a session's first message has proved. */
interface Proof {
  readonly keyId: string;
  readonly nonce: string;
}

/** What the sessions ask of their object. */
export interface SessionOwner {
  /** The cluster's name; null if it was never made. */
  cluster(this: void): string | null;
  /** The public key of this id if it may speak now, else null. */
  activeKey(this: void, keyId: string): Promise<CryptoKey> | null;
  /** What the agent should hold; undefined if nothing was ever desired. */
  desired(this: void): Promise<SignedDesired | undefined>;
  /** Takes a push in, as one that was signed with this key. */
  push(this: void, keyId: string, push: Push): Promise<PushAnswer>;
}

const NOTHING: Kept = { heardAt: null, intervalMs: 0, told: null, note: null };

export class ClusterSessions {
  readonly #ctx: DurableObjectState;
  readonly #owner: SessionOwner;
  #kept: Kept;
  #pace = RESTED;
  /** Pushes of sessions, one after the other: no second one overtakes a first that waits for the Board. */
  #turn: Promise<void> = Promise.resolve();
  #waiting = 0;
  /** Counted apart from a POST's: who keeps sessions from opening keeps no push from being heard. */
  #failedProofs = NO_FAILURES;
  /** Nonces of proofs, oldest first. Forgotten with the object's memory, except the one that its session remembers. */
  readonly #shown = new Set<string>();

  constructor(ctx: DurableObjectState, owner: SessionOwner) {
    this.#ctx = ctx;
    this.#owner = owner;
    this.#kept = this.#proved().map(attachmentOf).find(isProved) ?? NOTHING;
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
  }

  /** What is remembered: what a proved socket kept, if the object left memory meanwhile. */
  get kept(): Kept {
    return this.#kept;
  }

  /** Remembers these facts. True if a proved socket keeps them, false if they are lost with the object's memory. */
  keep(facts: Partial<Kept>): boolean {
    const { heardAt, intervalMs, told, note, counts } = { ...this.#kept, ...facts };
    this.#kept = { heardAt, intervalMs, told, note, counts };
    const proved = this.#proved();
    for (const socket of proved) attach(socket, this.#kept);
    return proved.length > 0;
  }

  /** Takes a socket in. It may stay unproved until others need its place. */
  accept(host: string): Response {
    const unproved = this.#ctx.getWebSockets().filter((socket) => !isOpen(socket));
    for (const socket of unproved.slice(0, Math.max(0, unproved.length - UNPROVED_SOCKETS_MAX + 1))) {
      socket.close(SESSION_CLOSE.unauthenticated, "another session waits");
    }
    const { 0: client, 1: server } = new WebSocketPair();
    this.#ctx.acceptWebSocket(server);
    setAttachment(server, { ...NOTHING, host, keyId: null });
    return new Response(null, { status: 101, webSocket: client });
  }

  /** A text message proves who is there; a binary one is a push of whoever that was. */
  async receive(socket: WebSocket, message: string | ArrayBuffer): Promise<void> {
    if (typeof message === "string") return this.#open(socket, message);
    if (!isOpen(socket)) return socket.close(SESSION_CLOSE.unauthenticated, "the session was not proved");
    const pace = withPush(this.#pace, Date.now());
    if (pace === null || this.#waiting >= PUSHES_WAITING_MAX) {
      return send(socket, refused(null, TOO_FAST, TOO_FAST_WAIT_MS));
    }
    this.#pace = pace;
    this.#waiting++;
    const taken = this.#turn.then(() => this.#push(socket, new Uint8Array(message)));
    this.#turn = taken.finally(() => void this.#waiting--);
    await taken;
  }

  /** One push. Never throws: a session that only fell silent would cost the agent its time-out. */
  async #push(socket: WebSocket, frame: Uint8Array): Promise<void> {
    let id: number | null = null;
    try {
      const parsed = parseFrame(frame);
      if (!parsed.ok) return send(socket, refused(parsed.failure.id, parsed.failure.refusal));
      ({ id } = parsed.value);
      // Looked at now: meanwhile a newer session may have taken over. The key is looked at when the push is taken in.
      const keyId = attachmentOf(socket)?.keyId ?? null;
      if (keyId === null) return;
      const answer = await this.#owner.push(keyId, parsed.value.push);
      if (answer.ok) return send(socket, { type: "receipt", id, receipt: answer.value });
      if (answer.failure.code !== "unauthenticated") return send(socket, refused(id, answer.failure));
      socket.close(SESSION_CLOSE.unauthenticated, "the key may not speak");
    } catch (error) {
      console.error(JSON.stringify({ event: "push_failed", cluster: this.#owner.cluster(), error: String(error) }));
      send(socket, refused(id, { code: "internal", message: "Something went wrong here. Send the same again." }));
    }
  }

  async #open(socket: WebSocket, message: string): Promise<void> {
    const attached = attachmentOf(socket);
    const proof = attached === null ? null : await this.#prove(message, attached.host);
    // The last look comes after the last await: the key may have been taken away meanwhile.
    if (attached === null || proof === null || this.#owner.activeKey(proof.keyId) === null || this.#isShown(proof)) {
      socket.close(SESSION_CLOSE.unauthenticated, "the session could not be proved");
      return;
    }
    this.#show(proof);
    for (const other of this.#proved()) {
      if (other === socket) continue;
      attach(other, { keyId: null });
      other.close(SESSION_CLOSE.replaced, "a newer session took over");
    }
    setAttachment(socket, { ...attached, ...this.#kept, ...proof });
    send(socket, { type: "opened", serverTime: Date.now(), push: true });
    const desired = await this.#owner.desired();
    if (desired !== undefined) send(socket, { type: "desired", desired });
  }

  /** What a socket that ended had kept, if it was the one session that spoke for the cluster; else null. */
  endOf(socket: WebSocket): Kept | null {
    const attached = attachmentOf(socket);
    return isProved(attached) && this.#proved().every((other) => other === socket) ? attached : null;
  }

  /** Ends the sessions of a key that may speak no more. */
  closeKey(keyId: string): void {
    for (const socket of this.#ctx.getWebSockets()) {
      if (attachmentOf(socket)?.keyId === keyId) socket.close(SESSION_CLOSE.unauthenticated, "the key was revoked");
    }
  }

  sendAll(message: SessionMessage): void {
    for (const socket of this.#proved()) send(socket, message);
  }

  #proved(): readonly WebSocket[] {
    return this.#ctx.getWebSockets().filter(isOpen);
  }

  /** Whether a session was opened with this proof before. Pushes follow it unsigned, so whoever saw it must not use it. */
  #isShown({ nonce }: Proof): boolean {
    return this.#shown.has(nonce) || this.#ctx.getWebSockets().some((socket) => attachmentOf(socket)?.nonce === nonce);
  }

  #show({ nonce }: Proof): void {
    this.#shown.add(nonce);
    const [oldest] = this.#shown;
    if (oldest !== undefined && this.#shown.size > PROOFS_MAX) this.#shown.delete(oldest);
  }

  /** What a session's first message proves; null if it proves nothing. */
  async #prove(message: string, host: string): Promise<Proof | null> {
    if (message.length > SESSION_MESSAGE_MAX) return null;
    const json = parseJson(new TextEncoder().encode(message), 2);
    const open = json.ok ? v.safeParse(SessionOpenSchema, json.value) : null;
    if (open === null || !open.success) return null;
    const { v: version, cluster, keyId, nonce, sentAt, signature } = open.output;
    if (Math.abs(Date.now() - sentAt) > OPEN_MAX_AGE_MS || !versionServed(version)) return null;
    if (cluster !== this.#owner.cluster()) return null;
    const publicKey = await this.#owner.activeKey(keyId);
    if (publicKey === null || isBarred(this.#failedProofs, Date.now())) return null;
    if (await verifyEd25519(publicKey, signature, sessionOpenMessage(open.output, host))) return { keyId, nonce };
    this.#failedProofs = withFailure(this.#failedProofs, Date.now());
    return null;
  }
}

/** As they were last read or written: asked several times with each push, and a copy is made each time otherwise. */
const attachments = new WeakMap<WebSocket, Attachment>();

function attachmentOf(socket: WebSocket): Attachment | null {
  const known = attachments.get(socket);
  if (known !== undefined) return known;
  // Written by `ClusterSessions` above, and by nobody else.
  const attached = socket.deserializeAttachment() as Attachment | null;
  if (attached !== null) attachments.set(socket, attached);
  return attached;
}

function attach(socket: WebSocket, facts: Partial<Attachment>): void {
  const attached = attachmentOf(socket);
  if (attached !== null) setAttachment(socket, { ...attached, ...facts });
}

function setAttachment(socket: WebSocket, attachment: Attachment): void {
  socket.serializeAttachment(attachment);
  attachments.set(socket, attachment);
}

function isProved(attached: Attachment | null): attached is Attachment {
  return attached !== null && attached.keyId !== null;
}

/** Whether a session has proved who it is and has not been ended from here: until the agent agrees it is still listed. */
function isOpen(socket: WebSocket): boolean {
  return socket.readyState === WebSocket.OPEN && isProved(attachmentOf(socket));
}

function refused(
  id: number | null,
  { code, message, expected, versions, receipt }: PushRefusal,
  retryAfterMs = (RETRY_AFTER_S[code] ?? 0) * SECOND,
): SessionMessage {
  return {
    type: "refused",
    id,
    status: REFUSAL_STATUS[code],
    ...(retryAfterMs === 0 ? {} : { retryAfterMs }),
    error: {
      code,
      message,
      ...(expected === undefined ? {} : { expected }),
      ...(versions === undefined ? {} : { versions }),
    },
    ...(receipt === undefined ? {} : { receipt }),
    serverTime: Date.now(),
  };
}

function send(socket: WebSocket, message: SessionMessage): void {
  try {
    socket.send(JSON.stringify(message));
  } catch {
    // It closed meanwhile. The agent takes a push without an answer for unknown, and the next receipt carries the rest.
  }
}
