/**
 * `GET /agent/v1/session?cluster=NAME`: the hibernating WebSocket over which desired state arrives in under a second.
 * The standard client can set no headers, so identity is proved by a signed first message. "ping" is answered "pong"
 * by the runtime without waking anything. The session carries nothing that the receipt of a push does not carry too.
 */
import * as v from "valibot";
import { SignedDesiredSchema } from "./lease.ts";
import { ClusterName } from "./name.ts";

const Moment = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

/** Agent → edge, first and only message besides "ping". `signature`: base64 Ed25519 over `sessionOpenMessage`. */
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

/** Edge → agent. */
export const SessionMessageSchema = v.variant("type", [
  v.object({ type: v.literal("opened"), serverTime: Moment }),
  v.object({ type: v.literal("desired"), desired: SignedDesiredSchema }),
]);
export type SessionMessage = Readonly<v.InferOutput<typeof SessionMessageSchema>>;

/** Close codes of the session. 4401: not proved or revoked, do not retry soon. 4409: a newer session took over. */
export const SESSION_CLOSE = { unauthenticated: 4401, replaced: 4409 } as const;
