/**
 * The session: a WebSocket over which desired state arrives in under a second, and pushes go if the edge takes them
 * there. It carries nothing that a POST and its receipt do not carry too, so whatever happens to it is only a delay.
 */
import { randomBytes } from "node:crypto";
import * as v from "valibot";
import type { SignedDesired } from "../protocol/lease.ts";
import { agentPath, SESSION_PATH } from "../protocol/path.ts";
import { failure, success } from "../protocol/result.ts";
import {
  SESSION_CLOSE,
  SessionMessageSchema,
  sessionOpenMessage,
  type PushFrame,
  type SessionMessage,
  type SessionOpen,
} from "../protocol/session.ts";
import { PROTOCOL_VERSION } from "../protocol/version.ts";
import type { Clock } from "./clock.ts";
import { retryDelay } from "./core/backoff.ts";
import { parseJson } from "./http.ts";
import type { Identity } from "./identity.ts";
import type { Log } from "./log.ts";
import { packed, replyOf, type Exchange, type PushCarrier } from "./transport.ts";

/** Between two pings, ms. */
const PING_MS = 20_000;
/** Without a word for this long after a ping the connection is taken for dead, ms. */
const PONG_WITHIN_MS = 10_000;
/** The upgrade and the proof together, ms. */
const OPEN_WITHIN_MS = 10_000;
/** After 4401 and 4409 somebody else must act first, ms. */
const REFUSED_WAIT_MS = 60_000;
/** Unless it was the agent's own clock: how often it is looked whether a push has corrected it by this much since, ms. */
const CLOCK_LOOK_MS = 500;
const CLOCK_MOVED_MS = 5_000;
/** A receipt with a full desired state is below this, characters; longer messages are not read. */
const MESSAGE_MAX = 262_144;

export interface SessionOptions {
  readonly edge: string;
  readonly cluster: string;
  readonly identity: Identity;
  readonly clock: Clock;
  readonly observedGeneration: () => number;
  readonly onDesired: (desired: SignedDesired) => void;
  readonly random: () => number;
  readonly log: Log;
  readonly pingMs?: number;
  readonly pongWithinMs?: number;
}

export interface Session extends PushCarrier {
  /** Whether the edge has accepted the proof. */
  isOpen(): boolean;
  /** Begins anew, under the key that is in use now. */
  renew(): void;
  /** Closes cleanly, so that the edge hears of the end at once. */
  stop(): Promise<void>;
}

/** Keeps one session open until it is stopped. */
export function startSession(options: SessionOptions): Session {
  let failures = 0;
  let timer: NodeJS.Timeout | null = null;
  let connection: Connection | null = null;
  let stopped = false;
  /** Connects when the time has come, or as soon as the clock that `signedSkewMs` speaks of was corrected. */
  const connectAt = (at: number, signedSkewMs: number | null): void => {
    const leftMs = at - performance.now();
    const hasMoved = signedSkewMs !== null && Math.abs(options.clock.skewMs() - signedSkewMs) > CLOCK_MOVED_MS;
    if (leftMs <= 0 || hasMoved) return connect();
    const lookMs = signedSkewMs === null ? leftMs : Math.min(leftMs, CLOCK_LOOK_MS);
    timer = setTimeout(() => connectAt(at, signedSkewMs), lookMs);
  };
  const connect = (): void => {
    connection = new Connection(options, (end) => {
      connection = null;
      if (stopped) return;
      failures = end.wasOpen ? 1 : failures + 1;
      const isRefused = end.code === SESSION_CLOSE.unauthenticated || end.code === SESSION_CLOSE.replaced;
      const waitMs = retryDelay(failures, options.random()) + (isRefused ? REFUSED_WAIT_MS : 0);
      if (end.wasOpen || failures === 1)
        options.log("info", "the session ended; pushes go on", { code: end.code, reason: end.reason });
      const isUnknown = end.code === SESSION_CLOSE.unauthenticated;
      connectAt(performance.now() + waitMs, isUnknown ? end.signedSkewMs : null);
    });
  };
  connect();
  return {
    isOpen: () => connection?.isOpen ?? false,
    takesPushes: () => connection?.takesPushes ?? false,
    push: async (push, withinMs) => connection?.push(push, withinMs) ?? failure("no session is open"),
    renew: () => void connection?.close(),
    async stop() {
      stopped = true;
      if (timer !== null) clearTimeout(timer);
      await connection?.close();
    },
  };
}

interface End {
  readonly code: number;
  readonly reason: string;
  readonly wasOpen: boolean;
  /** How far the raw clock was thought to be ahead when the proof was signed, ms. */
  readonly signedSkewMs: number;
}

class Connection {
  readonly #options: SessionOptions;
  readonly #onEnd: (end: End) => void;
  readonly #socket: WebSocket;
  readonly #closed = Promise.withResolvers<void>();
  #isOpen = false;
  #isEnded = false;
  #takesPushes = false;
  #signedSkewMs: number;
  #ping: NodeJS.Timeout | null = null;
  #watchdog: NodeJS.Timeout | null = null;
  #pushes = 0;
  /** The push under way. */
  #flight: { readonly id: number; readonly settle: (exchange: Exchange) => void } | null = null;

  constructor(options: SessionOptions, onEnd: (end: End) => void) {
    const { edge, cluster, clock } = options;
    this.#options = options;
    this.#onEnd = onEnd;
    this.#signedSkewMs = clock.skewMs();
    this.#socket = new WebSocket(`${edge.replace(/^http/, "ws")}${agentPath(SESSION_PATH, cluster)}`);
    this.#expect(OPEN_WITHIN_MS, "answer");
    this.#socket.addEventListener("open", () => {
      this.#signedSkewMs = clock.skewMs();
      this.#socket.send(JSON.stringify(proof(options)));
    });
    this.#socket.addEventListener("message", ({ data }: { readonly data: unknown }) => this.#hear(data));
    this.#socket.addEventListener("close", ({ code, reason }) => this.#end(code, reason));
    this.#socket.addEventListener("error", () => this.#end(1006, "the edge could not be reached"));
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  get takesPushes(): boolean {
    return this.#isOpen && this.#takesPushes && this.#flight === null;
  }

  /** Sends one push. Without an answer the connection is given up: it may be dead for long already. */
  async push(push: unknown, withinMs: number): Promise<Exchange> {
    if (!this.takesPushes) return failure("the session takes no push now");
    const id = ++this.#pushes;
    const { promise, resolve } = Promise.withResolvers<Exchange>();
    const timer = setTimeout(() => this.#giveUp(`no answer to a push within ${withinMs} ms`), withinMs);
    this.#flight = {
      id,
      settle: (exchange) => {
        clearTimeout(timer);
        this.#flight = null;
        resolve(exchange);
      },
    };
    this.#socket.send(packed({ type: "push", id, push } satisfies PushFrame));
    return promise;
  }

  close(): Promise<void> {
    this.#socket.close(1000, "agent stops");
    return this.#closed.promise;
  }

  #hear(data: unknown): void {
    if (this.#isEnded || typeof data !== "string" || data.length > MESSAGE_MAX) return;
    if (this.#watchdog !== null) clearTimeout(this.#watchdog);
    this.#watchdog = null;
    if (data === "pong") return;
    const message = v.safeParse(SessionMessageSchema, parseJson(data));
    if (message.success) return this.#take(message.output);
    this.#options.log("warn", "the session carried a message that this agent does not know");
  }

  #take(message: SessionMessage): void {
    switch (message.type) {
      case "opened":
        return this.#begin(message.push ?? false);
      case "desired":
        return this.#options.onDesired(message.desired);
      case "receipt":
      case "refused":
        if (message.id === null || message.id === this.#flight?.id) this.#flight?.settle(success(replyOf(message)));
    }
  }

  #begin(takesPushes: boolean): void {
    const { log, pingMs = PING_MS, pongWithinMs = PONG_WITHIN_MS } = this.#options;
    this.#isOpen = true;
    this.#takesPushes = takesPushes;
    log("info", "session open", { pushes: takesPushes ? "over it" : "by POST" });
    this.#ping ??= setInterval(() => {
      this.#socket.send("ping");
      this.#expect(pongWithinMs, "pong");
    }, pingMs);
  }

  #expect(withinMs: number, what: string): void {
    // What is being waited for already is not waited for anew: pings would put the end off for ever.
    this.#watchdog ??= setTimeout(() => this.#giveUp(`no ${what} within ${withinMs} ms`), withinMs);
  }

  /** A dead network answers no close frame either: the connection is given up at once, not when the peer agrees. */
  #giveUp(reason: string): void {
    this.#socket.close();
    this.#end(1006, reason);
  }

  #end(code: number, reason: string): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    const wasOpen = this.#isOpen;
    this.#isOpen = false;
    if (this.#ping !== null) clearInterval(this.#ping);
    if (this.#watchdog !== null) clearTimeout(this.#watchdog);
    this.#flight?.settle(failure(`the session ended (${code}${reason === "" ? "" : `: ${reason}`})`));
    this.#closed.resolve();
    this.#onEnd({ code, reason, wasOpen, signedSkewMs: this.#signedSkewMs });
  }
}

function proof({ edge, cluster, identity, clock, observedGeneration }: SessionOptions): SessionOpen {
  const open = {
    v: PROTOCOL_VERSION,
    cluster,
    keyId: identity.keyId,
    sentAt: clock.now(),
    nonce: randomBytes(16).toString("hex"),
    observedGeneration: observedGeneration(),
  };
  return { type: "open", ...open, signature: identity.sign(sessionOpenMessage(open, new URL(edge).host)) };
}
