/** An agent as the edge sees it: a key, signed requests, pushes. Runs in workerd beside the Worker. */
import { runInDurableObject } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import { onTestFinished } from "vitest";
import type { Live, Receipt } from "../../protocol/push.ts";
import { agentPath, ENROLL_PATH, PUSH_PATH, SESSION_PATH } from "../../protocol/path.ts";
import { sessionOpenMessage } from "../../protocol/session.ts";
import type { SessionMessage } from "../../protocol/session.ts";
import { signatureBase, signatureHeaders } from "../../protocol/signature.ts";
import { base64, keyIdOf, sha256 } from "../../worker/objects/crypto.ts";
import type * as main from "../../worker/index.ts";
import type { Board } from "../../worker/objects/board.ts";
import type { Env } from "../../worker/objects/env.ts";
import { boardOf } from "../../worker/objects/env.ts";

declare global {
  // oxlint-disable-next-line typescript/no-namespace -- how workers-types learns what the Worker exports
  namespace Cloudflare {
    interface GlobalProps {
      mainModule: typeof main;
    }
  }
}

export const ORIGIN = "https://status.test";
export const bindings = env as unknown as Env;

/** How long the last call took the Worker, ms; what the test did before is not in it. */
export const timing = { lastMs: 0 };

/** Sends a request to the Worker under test. */
export async function call(path: string, init?: RequestInit): Promise<Response> {
  const request = new Request(path.startsWith("http") ? path : `${ORIGIN}${path}`, { redirect: "manual", ...init });
  const since = performance.now();
  const response = await exports.default.fetch(request);
  timing.lastMs = performance.now() - since;
  return response;
}

/** A call with the operator's key. */
export function cli(method: string, path: string, body?: object): Promise<Response> {
  const init = body === undefined ? {} : { body: JSON.stringify(body) };
  return call(path, { method, headers: { authorization: `Bearer ${bindings.OPERATOR_KEY}` }, ...init });
}

export interface Agent {
  readonly cluster: string;
  readonly keyId: string;
  readonly publicKey: string;
  sign(text: string): Promise<string>;
  signedHeaders(path: string, body: Uint8Array, change?: Changes): Promise<Readonly<Record<string, string>>>;
  /** The signed request; what `change` returns replaces parts of it after it was signed. */
  request(path: string, body: Uint8Array, change?: Changes): Promise<Response>;
  push(facts?: object, live?: Partial<Live> | null): Promise<Response>;
}

interface Changes {
  readonly headers?: Record<string, string>;
  readonly body?: Uint8Array;
  readonly createdS?: number;
  readonly targetUri?: string;
}

export async function makeAgent(cluster: string): Promise<Agent> {
  const pair = (await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"])) as CryptoKeyPair;
  const raw = new Uint8Array((await crypto.subtle.exportKey("raw", pair.publicKey)) as ArrayBuffer);
  const keyId = await keyIdOf(raw);
  const sign = async (text: string): Promise<string> =>
    base64(await crypto.subtle.sign("Ed25519", pair.privateKey, new TextEncoder().encode(text)));
  const signedHeaders: Agent["signedHeaders"] = async (path, body, change = {}) => {
    const url = `${ORIGIN}${path}`;
    const createdS = change.createdS ?? Math.floor(Date.now() / 1_000);
    const parameters = { createdS, expiresS: createdS + 60, keyId };
    const digest = base64(await sha256(body));
    const signed = { method: "POST", targetUri: change.targetUri ?? url, digest, contentType: "application/json" };
    const signature = await sign(signatureBase(signed, parameters));
    return {
      "content-type": "application/json",
      ...signatureHeaders(signed, parameters, signature),
      ...change.headers,
    };
  };
  const request: Agent["request"] = async (path, body, change = {}) => {
    const headers = await signedHeaders(path, body, change);
    return call(path, { method: "POST", headers, body: change.body ?? body });
  };
  return {
    cluster,
    keyId,
    publicKey: base64(raw),
    sign,
    signedHeaders,
    request,
    push: async (facts = {}, live = {}) =>
      request(agentPath(PUSH_PATH, cluster), await gzip(JSON.stringify(pushBody(facts, live)))),
  };
}

/** An agent that has been enrolled and holds an epoch. */
export async function enrolledAgent(cluster: string, pending = false): Promise<Agent & { readonly epoch: number }> {
  const agent = await makeAgent(cluster);
  const { code } = await (await cli("POST", "/cli/v1/enrollments", { cluster, pending })).json<{ code: string }>();
  const enrolled = await enroll(agent, code);
  if (enrolled.status !== 200) throw new Error(`enrolment: ${enrolled.status} ${await enrolled.text()}`);
  if (pending) return { ...agent, epoch: 0 };
  const { epoch } = await (await agent.push({ epoch: null }, null)).json<Receipt>();
  return { ...agent, epoch };
}

export function enroll(agent: Agent, code: string): Promise<Response> {
  const body = new TextEncoder().encode(
    JSON.stringify({ v: 1, cluster: agent.cluster, code, publicKey: agent.publicKey }),
  );
  return agent.request(ENROLL_PATH, body);
}

/** A session as its agent sees it. */
export interface TestSession {
  /** Every message but "pong", as it came. */
  readonly heard: readonly SessionMessage[];
  /** Resolves to its close code. */
  readonly closed: Promise<number>;
  send(frame: string | Uint8Array): void;
  /** Pushes and waits for the answer to that push. */
  push(facts?: object, live?: Partial<Live> | null): Promise<SessionMessage>;
  /** Sends these bytes and waits for whatever is answered next. */
  answerTo(frame: Uint8Array): Promise<SessionMessage>;
  close(): void;
}

/** A socket that has proved nothing yet. */
export async function connectSession(cluster: string): Promise<TestSession> {
  const socket = (await call(agentPath(SESSION_PATH, cluster), { headers: { upgrade: "websocket" } })).webSocket;
  if (socket === null) throw new Error("no upgrade");
  const heard: SessionMessage[] = [];
  let wake = Promise.withResolvers<void>();
  socket.addEventListener("message", ({ data }) => {
    heard.push(JSON.parse(String(data)));
    wake.resolve();
    wake = Promise.withResolvers();
  });
  const closed = new Promise<number>((resolve) => {
    socket.addEventListener("close", ({ code }) => resolve(code));
  });
  socket.accept();
  const answer = async (from: number, isIt: (message: SessionMessage) => boolean): Promise<SessionMessage> => {
    for (;;) {
      const found = heard.slice(from).find(isIt);
      if (found !== undefined) return found;
      const code = await Promise.race([wake.promise, closed]);
      if (typeof code === "number") throw new Error(`closed: ${code}`);
    }
  };
  let id = 0;
  return {
    heard,
    closed,
    send: (frame) => socket.send(frame),
    async push(facts = {}, live = {}) {
      const mine = ++id;
      const frame = await gzip(JSON.stringify({ type: "push", id: mine, push: pushBody(facts, live) }));
      const from = heard.length;
      socket.send(frame);
      return answer(from, (message) => "id" in message && (message.id === mine || message.id === null));
    },
    answerTo(frame) {
      const from = heard.length;
      socket.send(frame);
      return answer(from, () => true);
    },
    close: () => socket.close(1000),
  };
}

/** A session's first message. */
export async function proofOf(agent: Agent): Promise<string> {
  const open = {
    v: 1,
    cluster: agent.cluster,
    keyId: agent.keyId,
    sentAt: Date.now(),
    nonce: crypto.randomUUID().replaceAll("-", ""),
    observedGeneration: 0,
  };
  const signature = await agent.sign(sessionOpenMessage(open, new URL(ORIGIN).host));
  return JSON.stringify({ type: "open", ...open, signature });
}

/** Opens a session and proves it; resolves once the edge has said so. */
export async function openSession(agent: Agent, proof?: string): Promise<TestSession> {
  const session = await connectSession(agent.cluster);
  session.send(proof ?? (await proofOf(agent)));
  const opened = async (): Promise<void> => {
    while (session.heard.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  await Promise.race([opened(), session.closed]);
  return session;
}

export type { Receipt };

/** Has the Board do something else when it is asked; returns what ends that before the test does. */
export async function onBoard<Method extends "hear" | "hearAlerts" | "hush" | "identify" | "leasesOf">(
  method: Method,
  act: Board[Method],
): Promise<() => void> {
  const restore = await runInDurableObject(boardOf(bindings), (instance: Board) => {
    const prototype = Object.getPrototypeOf(instance) as Board;
    const own = prototype[method];
    prototype[method] = act;
    return () => void (prototype[method] = own);
  });
  onTestFinished(restore);
  return restore;
}

export async function gzip(text: string | Uint8Array): Promise<Uint8Array> {
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

export function pushBody(facts: object, live: Partial<Live> | null): object {
  const now = Date.now();
  return {
    v: 1,
    spool: "5".repeat(32),
    epoch: null,
    sentAt: now,
    skewMs: 0,
    intervalMs: 10_000,
    agentVersion: "1.0.0",
    live: live === null ? null : { at: now, services: [liveService(0)], sources: {}, leases: NO_LEASES, ...live },
    base: 1,
    records: { first: 1, items: [] },
    ...facts,
  };
}

export const NO_LEASES = { observedGeneration: 0, targets: [], allowed: [] };

/** shop/checkout with three readings of one error ratio. */
export function liveService(errorRatio: number, service = "shop/checkout"): Live["services"][number] {
  const now = Date.now();
  const readings = [20_000, 10_000, 0].map((ago) => ({
    at: now - ago,
    spanMs: 20_000,
    requests: 100,
    errors: 100 * errorRatio,
    p95: [120, 100, 250] as [number, number, number],
  }));
  return { service, readings, latency: null, replicas: { ready: 3, desired: 3 } };
}

/** The window of a minute of the last hour. */
export function windowOf(minutesAgo: number, service = "shop/checkout"): object {
  const at = (Math.floor(Date.now() / 60_000) - minutesAgo) * 60_000;
  return { kind: "window", service, at, spanMs: 60_000, requests: 60, errors: 1, latency: null };
}
