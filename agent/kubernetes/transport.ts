/** HTTP to one API server: every call has a deadline, every body a bound, and the token is read again from its file. */
import { readFileSync } from "node:fs";
import * as http from "node:http";
import * as https from "node:https";
import { failure, success, type Result } from "../../protocol/result.ts";
import { placeOf, type KubernetesConfig } from "./config.ts";
import { errorText, refusalOf, type Answer, type Answered, type KubernetesRefusal } from "./refusal.ts";

/** A service account's token rotates about hourly; its file is read again after this, ms. */
const TOKEN_READ_MS = 60_000;
/** Deadline of a call, its body included, ms. */
export const CALL_TIMEOUT_MS = 10_000;
/** A page of 500 large deployments is about 5 MB. */
const BODY_BYTES_MAX = 16 * 1024 * 1024;
/** Calls at once. Watches have sockets of their own: they keep them, and calls would starve behind them. */
const CALLS_MAX = 32;
/** The name under which the API server records what the agent changed. */
export const FIELD_MANAGER = "observatory-agent";

export interface Body {
  readonly type: "application/json" | "application/merge-patch+json";
  readonly value: object;
}

export interface Transport {
  /** A whole call: its answer if it is 2xx, else a refusal. */
  call(method: string, path: string, body?: Body): Answered<Answer>;
  /** The head of a stream. `signal` ends it, and the body after it, at any time. */
  stream(path: string, signal: AbortSignal): Answered<http.IncomingMessage>;
  /** Drops connections that are kept for later: where one was found to be half open, the others may be so too. */
  refresh(): void;
  close(): void;
}

type Agent = http.Agent | https.Agent;

export function createTransport(config: KubernetesConfig): Transport {
  const place = placeOf(config);
  const base = new URL(place.url);
  const newAgent = (maxSockets: number): Agent => {
    const options = { keepAlive: true, maxSockets, keepAliveMsecs: 30_000 };
    return base.protocol === "https:" ? new https.Agent(options) : new http.Agent(options);
  };
  const calls = newAgent(CALLS_MAX);
  const streams = newAgent(Number.POSITIVE_INFINITY);
  const secrets = createSecrets(place);
  const refresh = (): void => {
    for (const socket of Object.values(calls.freeSockets).flat()) socket?.destroy();
  };
  const send = (agent: Agent, method: string, path: string, body: Body | undefined, signal: AbortSignal) =>
    open({ base, agent, secrets }, method, path, body, signal);
  return {
    async call(method, path, body) {
      const deadline = AbortSignal.timeout(CALL_TIMEOUT_MS);
      const opened = await send(calls, method, path, body, deadline);
      const answer = opened.ok ? await bodyOf(opened.value) : opened;
      if (!answer.ok) {
        if (!deadline.aborted) return answer;
        refresh();
        return failure(timeout());
      }
      const { status } = answer.value;
      // Rotated earlier than it is read again: the next call brings what the file says now.
      if (status === 401) secrets.forgetToken();
      return status >= 200 && status < 300 ? answer : failure(refusalOf(answer.value));
    },
    async stream(path, signal) {
      const opened = await send(streams, "GET", path, undefined, signal);
      if (opened.ok && opened.value.statusCode === 401) secrets.forgetToken();
      return opened;
    },
    refresh,
    close: () => {
      calls.destroy();
      streams.destroy();
    },
  };
}

export function timeout(): KubernetesRefusal {
  return { kind: "timeout", message: `no answer within ${CALL_TIMEOUT_MS / 1_000} s` };
}

interface Secrets {
  token(): Result<string, KubernetesRefusal>;
  forgetToken(): void;
  ca(): Result<Buffer | null, KubernetesRefusal>;
}

/** Reads no file before the first call, so that a wrong path is a refusal, not a crash. */
function createSecrets({ tokenFile, caFile }: ReturnType<typeof placeOf>): Secrets {
  let token: { readonly text: string; readonly readAt: number } | null = null;
  let ca: Buffer | null = null;
  return {
    token: () => {
      // A monotonic clock: the wall clock may be set, and a token must be read again all the same.
      if (token !== null && performance.now() - token.readAt < TOKEN_READ_MS) return success(token.text);
      const file = readNamed(tokenFile);
      if (!file.ok) return token === null ? file : success(token.text);
      token = { text: file.value.toString("utf8").trim(), readAt: performance.now() };
      return success(token.text);
    },
    forgetToken: () => {
      if (token !== null) token = { ...token, readAt: Number.NEGATIVE_INFINITY };
    },
    ca: () => {
      if (ca !== null || caFile === undefined) return success(ca);
      const file = readNamed(caFile);
      if (file.ok) ca = file.value;
      return file;
    },
  };
}

function readNamed(path: string): Result<Buffer, KubernetesRefusal> {
  try {
    return success(readFileSync(path));
  } catch (error) {
    return failure({ kind: "unreachable", message: `cannot read ${path}: ${errorText(error)}` });
  }
}

/** Sends a request and waits for the head of its answer. */
async function open(
  { base, agent, secrets }: { readonly base: URL; readonly agent: Agent; readonly secrets: Secrets },
  method: string,
  path: string,
  body: Body | undefined,
  signal: AbortSignal,
): Answered<http.IncomingMessage> {
  const token = secrets.token();
  const ca = secrets.ca();
  if (!token.ok) return token;
  if (!ca.ok) return ca;
  const text = body === undefined ? null : JSON.stringify(body.value);
  const headers: http.OutgoingHttpHeaders = {
    accept: "application/json",
    authorization: `Bearer ${token.value}`,
    "user-agent": FIELD_MANAGER,
    ...(body === undefined || text === null
      ? {}
      : { "content-type": body.type, "content-length": Buffer.byteLength(text) }),
  };
  const { promise, resolve } = Promise.withResolvers<Result<http.IncomingMessage, KubernetesRefusal>>();
  const refuse = (error: unknown): void => resolve(failure({ kind: "unreachable", message: errorText(error) }));
  try {
    const secure = ca.value === null ? {} : { ca: ca.value };
    const requester = base.protocol === "https:" ? https : http;
    const request = requester.request(new URL(path, base), { method, headers, agent, signal, ...secure });
    // Stays for the life of the socket: an error after the answer has begun must not become an uncaught one.
    request.on("error", refuse);
    request.on("response", (response) => resolve(success(response)));
    request.end(text ?? undefined);
  } catch (error) {
    // A token with a line break in it is refused by node:http itself.
    refuse(error);
  }
  return promise;
}

export async function bodyOf(response: http.IncomingMessage): Answered<Answer> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response) {
      const part = chunk as Uint8Array;
      bytes += part.length;
      if (bytes > BODY_BYTES_MAX) {
        response.destroy();
        return failure({ kind: "too_large", message: `an answer of more than ${BODY_BYTES_MAX} bytes` });
      }
      chunks.push(part);
    }
  } catch (error) {
    return failure({ kind: "unreachable", message: errorText(error) });
  }
  const body = Buffer.concat(chunks).toString("utf8");
  return success({ status: response.statusCode ?? 0, retryAfter: response.headers["retry-after"], body });
}
