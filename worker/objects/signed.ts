/** A signed request as the route saw it, and whether one of a cluster's keys signed it. */
import { parseSignature, signatureBase, signatureTimely } from "../../protocol/signature.ts";
import { contentDigest } from "../../protocol/signature.ts";
import type { Millis } from "../../protocol/time.ts";
import { SECOND } from "../../protocol/time.ts";
import { base64, sha256, verifyEd25519 } from "./crypto.ts";

/** What was signed, besides the body. Crosses from route to object. */
export interface SignedHead {
  readonly method: string;
  readonly targetUri: string;
  readonly contentType: string;
  readonly contentDigest: string | null;
  readonly signatureInput: string | null;
  readonly signature: string | null;
}

/** The key that a request claims to be signed with, if its headers are spelled and timed right; else null. */
export function claimedKeyId(head: SignedHead, now: Millis): string | null {
  const parsed = parseSignature(head.signatureInput, head.signature);
  if (parsed === null || !signatureTimely(parsed.parameters, now / SECOND)) return null;
  return parsed.parameters.keyId;
}

/** Whether `key` signed exactly this request with exactly these bytes. */
export async function isSignedBy(key: CryptoKey, head: SignedHead, body: Uint8Array): Promise<boolean> {
  const parsed = parseSignature(head.signatureInput, head.signature);
  if (parsed === null) return false;
  const digest = base64(await sha256(body));
  if (head.contentDigest !== contentDigest(digest)) return false;
  const { method, targetUri, contentType } = head;
  const base = signatureBase({ method, targetUri, digest, contentType }, parsed.parameters);
  return verifyEd25519(key, parsed.signature, base);
}
