/**
 * The session: a WebSocket over which desired state arrives in under a second. It carries nothing that the receipt of a
 * push does not carry too, so whatever happens to it is only a delay.
 */
import { randomBytes } from "node:crypto";
import * as v from "valibot";
import type { SignedDesired } from "../protocol/lease.ts";
import { agentPath, SESSION_PATH } from "../protocol/path.ts";
import { SESSION_CLOSE, SessionMessageSchema, sessionOpenMessage, type SessionOpen } from "../protocol/session.ts";
import { PROTOCOL_VERSION } from "../protocol/version.ts";
import type { Clock } from "./clock.ts";
import { retryDelay } from "./core/backoff.ts";
import { parseJson } from "./http.ts";
import type { Identity } from "./identity.ts";
import type { Log } from "./log.ts";

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
/** A desired state is at most 131,072 characters; longer messages are not read. */
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

export interface Session {
  /** Whether the edge has accepted the proof. */
  isOpen(): boolean;
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
    connection = openConnection(options, (end) => {
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
    isOpen: () => connection?.isOpen() ?? false,
    async stop() {
      stopped = true;
      if (timer !== null) clearTimeout(timer);
      await connection?.close();
    },
  };
}

interface Connection {
  isOpen(): boolean;
  close(): Promise<void>;
}

interface End {
  readonly code: number;
  readonly reason: string;
  readonly wasOpen: boolean;
  /** How far the raw clock was thought to be ahead when the proof was signed, ms. */
  readonly signedSkewMs: number;
}

function openConnection(options: SessionOptions, onEnd: (end: End) => void): Connection {
  const { edge, cluster, log, clock } = options;
  const socket = new WebSocket(`${edge.replace(/^http/, "ws")}${agentPath(SESSION_PATH, cluster)}`);
  const closed = Promise.withResolvers<void>();
  let isOpen = false;
  let isEnded = false;
  let signedSkewMs = clock.skewMs();
  let ping: NodeJS.Timeout | null = null;
  let watchdog: NodeJS.Timeout | null = null;
  const end = (code: number, reason: string): void => {
    if (isEnded) return;
    isEnded = true;
    const wasOpen = isOpen;
    isOpen = false;
    if (ping !== null) clearInterval(ping);
    if (watchdog !== null) clearTimeout(watchdog);
    closed.resolve();
    onEnd({ code, reason, wasOpen, signedSkewMs });
  };
  // A dead network answers no close frame either: the connection is given up at once, not when the peer agrees.
  const giveUp = (reason: string): void => {
    socket.close();
    end(1006, reason);
  };
  const expect = (withinMs: number, what: string): void => {
    // What is being waited for already is not waited for anew: pings would put the end off for ever.
    watchdog ??= setTimeout(() => giveUp(`no ${what} within ${withinMs} ms`), withinMs);
  };
  expect(OPEN_WITHIN_MS, "answer");
  socket.addEventListener("open", () => {
    signedSkewMs = clock.skewMs();
    socket.send(JSON.stringify(proof(options)));
  });
  socket.addEventListener("message", ({ data }: { readonly data: unknown }) => {
    if (isEnded || typeof data !== "string" || data.length > MESSAGE_MAX) return;
    if (watchdog !== null) clearTimeout(watchdog);
    watchdog = null;
    if (data === "pong") return;
    const message = v.safeParse(SessionMessageSchema, parseJson(data));
    if (!message.success) return log("warn", "the session carried a message that this agent does not know");
    if (message.output.type === "desired") return options.onDesired(message.output.desired);
    isOpen = true;
    log("info", "session open");
    ping = setInterval(() => {
      socket.send("ping");
      expect(options.pongWithinMs ?? PONG_WITHIN_MS, "pong");
    }, options.pingMs ?? PING_MS);
  });
  socket.addEventListener("close", ({ code, reason }) => end(code, reason));
  socket.addEventListener("error", () => end(1006, "the edge could not be reached"));
  return {
    isOpen: () => isOpen,
    close() {
      socket.close(1000, "agent stops");
      return closed.promise;
    },
  };
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
