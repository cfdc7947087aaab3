/** Whether what the edge signed is its own and meant for this cluster: the door before every lease and every wish. */
import { createHash, createPublicKey, verify, type KeyObject } from "node:crypto";
import * as v from "valibot";
import { jsonShape } from "../protocol/depth.ts";
import { DetectorWishSchema, detectorWishMessage, type DetectorWish } from "../protocol/detector.ts";
import { isUsablePublicKey } from "../protocol/key.ts";
import {
  canonicalJson,
  DesiredStateSchema,
  desiredStateMessage,
  SignedDesiredSchema,
  type DesiredState,
} from "../protocol/lease.ts";
import { failure, success, type Result } from "../protocol/result.ts";

/** Levels of a desired state: the state, its leases, one lease. */
const DEPTH_MAX = 4;

export type DesiredRefusal =
  | "malformed"
  | "key_unknown"
  | "signature_invalid"
  | "not_canonical"
  | "other_cluster"
  | "target_twice"
  | "went_back";

/** The edge's keys by id: first 16 bytes of SHA-256 of the raw key, base64url. Keys of small order are left out. */
export function edgeKeys(raw: readonly string[]): ReadonlyMap<string, KeyObject> {
  const usable = raw.map((text) => Buffer.from(text, "base64")).filter((bytes) => isUsablePublicKey(bytes));
  return new Map(
    usable.map((bytes) => {
      const jwk = { kty: "OKP", crv: "Ed25519", x: bytes.toString("base64url") };
      const id = createHash("sha256").update(bytes).digest().subarray(0, 16).toString("base64url");
      return [id, createPublicKey({ key: jwk, format: "jwk" })];
    }),
  );
}

/** The state inside, or why it is nothing. */
export function openDesired(
  signed: unknown,
  keys: ReadonlyMap<string, KeyObject>,
  cluster: string,
): Result<DesiredState, DesiredRefusal> {
  const opened = openSigned(signed, keys, desiredStateMessage, DesiredStateSchema);
  if (!opened.ok) return opened;
  const { leases } = opened.value;
  if (opened.value.cluster !== cluster) return failure("other_cluster");
  return new Set(leases.map((lease) => lease.target)).size === leases.length ? opened : failure("target_twice");
}

/** What the edge wishes of the detector, by the same door. */
export function openWish(
  signed: unknown,
  keys: ReadonlyMap<string, KeyObject>,
  cluster: string,
): Result<DetectorWish, DesiredRefusal> {
  const opened = openSigned(signed, keys, detectorWishMessage, DetectorWishSchema);
  return !opened.ok || opened.value.cluster === cluster ? opened : failure("other_cluster");
}

/**
 * The signature is checked over the text as it came, before the text is parsed; canonical form refuses duplicate keys
 * and every second spelling.
 */
function openSigned<Schema extends v.GenericSchema<unknown, Parameters<typeof canonicalJson>[0]>>(
  signed: unknown,
  keys: ReadonlyMap<string, KeyObject>,
  messageOf: (payload: string) => string,
  schema: Schema,
): Result<v.InferOutput<Schema>, DesiredRefusal> {
  const envelope = v.safeParse(SignedDesiredSchema, signed);
  if (!envelope.success) return failure("malformed");
  const { payload, keyId, signature } = envelope.output;
  const key = keys.get(keyId);
  if (key === undefined) return failure("key_unknown");
  const bytes = Buffer.from(signature, "base64");
  const digest = createHash("sha256").update(messageOf(payload)).digest();
  // Buffer forgives other spellings of base64; one signature has one.
  if (bytes.length !== 64 || bytes.toString("base64") !== signature || !verify(null, digest, key, bytes)) {
    return failure("signature_invalid");
  }
  if (jsonShape(Buffer.from(payload), DEPTH_MAX).depth > DEPTH_MAX) return failure("malformed");
  const state = v.safeParse(schema, parse(payload));
  if (!state.success) return failure("malformed");
  return canonicalJson(state.output) === payload ? success(state.output) : failure("not_canonical");
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
