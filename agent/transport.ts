/** How a push reaches the edge, and what comes back: the same facts by a signed POST and by the session's socket. */
import { gzipSync } from "node:zlib";
import * as v from "valibot";
import { agentPath, PUSH_PATH } from "../protocol/path.ts";
import { ReceiptSchema, type Receipt } from "../protocol/push.ts";
import { failure, success, type Result } from "../protocol/result.ts";
import type { SessionMessage } from "../protocol/session.ts";
import type { Millis } from "../protocol/time.ts";
import type { Clock } from "./clock.ts";
import { retryAfterMs, type Answer } from "./core/answer.ts";
import { parseJson, request } from "./http.ts";
import { signedHeaders, type Identity } from "./identity.ts";

/** A receipt with a full desired state is below this, bytes. */
const RECEIPT_BYTES_MAX = 262_144;

export interface PushReply {
  readonly answer: Answer;
  readonly receipt: Receipt | null;
  /** What the edge says of a refusal. */
  readonly message: string;
  /** The edge's clock; null if it was not said. */
  readonly serverTime: Millis | null;
}

/** A failure says why no answer came: the outcome is unknown. */
export type Exchange = Result<PushReply, string>;

/** What the session can do for a push. */
export interface PushCarrier {
  /** Whether pushes may come this way now. */
  takesPushes(): boolean;
  push(push: unknown, withinMs: number): Promise<Exchange>;
}

/** Where POSTs go, and in whose name. */
export interface PostOptions {
  readonly edge: string;
  readonly cluster: string;
  readonly identity: Identity;
  readonly clock: Clock;
}

/** Gzip of JSON, as small as it gets: its bytes cross a network each ten seconds, and its millisecond is nobody's. */
export function packed(message: unknown): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(gzipSync(JSON.stringify(message), { level: 9 }));
}

export async function postPush(
  { edge, cluster, identity, clock }: PostOptions,
  push: unknown,
  timeoutMs: number,
): Promise<Exchange> {
  const url = `${edge}${agentPath(PUSH_PATH, cluster)}`;
  const body = packed(push);
  const headers = { ...signedHeaders(identity, url, body, clock.now()), "content-encoding": "gzip" };
  const reply = await request(url, { method: "POST", headers, body, timeoutMs, bytesMax: RECEIPT_BYTES_MAX });
  if (!reply.ok) return failure(reply.failure);
  const { status, headers: answered, text } = reply.value;
  const json = parseJson(text);
  const receipt = v.safeParse(ReceiptSchema, json);
  const refusal = v.safeParse(Refusal, json);
  const said = v.safeParse(ServerTime, json);
  const serverTime = said.success ? said.output.serverTime : null;
  const retryAfter = answered.get("retry-after");
  return success({
    answer: {
      status,
      code: refusal.success ? refusal.output.error.code : null,
      expected: refusal.success ? (refusal.output.error.expected ?? null) : null,
      receipt: receipt.success,
      // A date is meant by the clock of whoever said it.
      retryAfterMs: retryAfterMs(retryAfter, Date.parse(retryAfter ?? ""), serverTime ?? clock.now()),
    },
    receipt: receipt.success ? receipt.output : null,
    message: refusal.success ? refusal.output.error.message : "",
    serverTime,
  });
}

const ServerTime = v.object({ serverTime: v.pipe(v.number(), v.safeInteger(), v.minValue(0)) });
const Refusal = v.object({
  error: v.object({
    code: v.string(),
    message: v.string(),
    expected: v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(1))),
  }),
});

/** The session's answer to a push, as the POST's would be. */
export function replyOf(message: Extract<SessionMessage, { type: "receipt" | "refused" }>): PushReply {
  if (message.type === "receipt") {
    const { receipt } = message;
    const answer = { status: 200, code: null, expected: null, receipt: true, retryAfterMs: null };
    return { answer, receipt, message: "", serverTime: receipt.serverTime };
  }
  const { status, error, receipt, serverTime } = message;
  return {
    answer: {
      status,
      code: error.code,
      expected: error.expected ?? null,
      receipt: receipt !== undefined,
      retryAfterMs: message.retryAfterMs ?? null,
    },
    receipt: receipt ?? null,
    message: error.message,
    serverTime,
  };
}
