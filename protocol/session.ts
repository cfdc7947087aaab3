/**
 * `GET /agent/v1/session?cluster=NAME`: the hibernating WebSocket over which desired state arrives in under a second and
 * pushes travel for a twentieth of their price. It carries nothing that POST (push.ts) does not carry too, so whatever
 * happens to it is only a delay.
 *
 *   agent → edge   text     { type: "open", v, cluster, keyId, sentAt, nonce, observedGeneration, signature }
 *   edge → agent   text     { type: "opened", serverTime, push? }
 *                           { type: "desired", desired }                            whenever it changes
 *   agent → edge   binary   gzip of JSON { type: "push", id, push }                 only if `opened` said push: true
 *   edge → agent   text     { type: "receipt", id, receipt }
 *                           { type: "refused", id, status, retryAfterMs?, error, receipt?, serverTime }
 *   agent → edge   "ping"   answered "pong" by the runtime without waking anything
 *
 * The standard client can set no headers, so identity is proved by the signed first message, once for all that follows.
 * `push` is the POST's body and `status` its answer's. One push is under way at a time. A peer of before pushes over the
 * session says nothing of them and hears nothing of them: both directions fall back to POST.
 */
import * as v from "valibot";
import { SignedDesiredSchema } from "./lease.ts";
import { PUSH_BYTES_MAX, PUSH_DEPTH_MAX } from "./limits.ts";
import { ClusterName } from "./name.ts";
import { ReceiptSchema } from "./push.ts";

const Moment = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

/** Agent → edge, the first message. `signature`: base64 Ed25519 over `sessionOpenMessage`. */
export const SessionOpenSchema = v.strictObject({
  type: v.literal("open"),
  v: v.number(),
  cluster: ClusterName,
  keyId: v.pipe(v.string(), v.maxLength(64)),
  sentAt: Moment,
  nonce: v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/)),
  observedGeneration: Moment,
  signature: v.pipe(v.string(), v.maxLength(128)),
});
export type SessionOpen = Readonly<v.InferOutput<typeof SessionOpenSchema>>;

/** The text that opens a session; `host` is the edge's own, so that a proof given to one edge opens no other. */
export function sessionOpenMessage(open: Omit<SessionOpen, "signature" | "type">, host: string): string {
  return [
    "observatory-session-v1",
    host,
    open.v,
    open.cluster,
    open.keyId,
    open.sentAt,
    open.nonce,
    open.observedGeneration,
  ].join("\n");
}

/** Numbers the pushes of one session, so that an answer that comes late is not taken for another push's. */
const PushId = v.pipe(v.number(), v.safeInteger(), v.minValue(1));

/** Agent → edge, unpacked. `push` is read by `PushSchema`, once its version is known to be served. */
export const PushFrameSchema = v.strictObject({ type: v.literal("push"), id: PushId, push: v.unknown() });
export type PushFrame = Readonly<v.InferOutput<typeof PushFrameSchema>>;

/** Around `push` stands `{"type":"push","id":N,"push":}`: one level, and no more than these bytes. */
const FRAME_BYTES = 64;
/** A push frame after gunzip, bytes: what is in it has the bounds of a POST. */
export const FRAME_BYTES_MAX = PUSH_BYTES_MAX + FRAME_BYTES;
export const FRAME_DEPTH_MAX = PUSH_DEPTH_MAX + 1;

/** Edge → agent. Unknown fields are ignored, so that a later edge may say more. */
export const SessionMessageSchema = v.variant("type", [
  /** `push: true`: pushes may come over this session. */
  v.object({ type: v.literal("opened"), serverTime: Moment, push: v.optional(v.boolean()) }),
  v.object({ type: v.literal("desired"), desired: SignedDesiredSchema }),
  v.object({ type: v.literal("receipt"), id: PushId, receipt: ReceiptSchema }),
  v.object({
    type: v.literal("refused"),
    /** Null if the frame was not read so far: it was the one under way. */
    id: v.nullable(PushId),
    /** The HTTP status, and `Retry-After` in ms. */
    status: v.pipe(v.number(), v.integer(), v.minValue(400), v.maxValue(599)),
    retryAfterMs: v.optional(Moment),
    /** As in `ApiError`; a code may be newer than the agent. */
    error: v.object({
      code: v.string(),
      message: v.string(),
      expected: v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(1))),
      versions: v.optional(v.pipe(v.tuple([v.number(), v.number()]), v.readonly())),
    }),
    /** 422: what of the push was taken in. */
    receipt: v.optional(ReceiptSchema),
    serverTime: Moment,
  }),
]);
export type SessionMessage = Readonly<v.InferOutput<typeof SessionMessageSchema>>;

/** Close codes of the session. 4401: not proved or revoked, do not retry soon. 4409: a newer session took over. */
export const SESSION_CLOSE = { unauthenticated: 4401, replaced: 4409 } as const;
