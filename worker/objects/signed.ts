/** A signed request as the route saw it, and whether one of a cluster's keys signed it. */
import { contentDigest, parseSignature, signatureBase, signatureTimely } from "../../protocol/signature.ts";
import type { SignatureClaim } from "../../protocol/signature.ts";
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

/** What a request claims of its signature, if its headers are spelled and timed right; else null. Proves nothing yet. */
export function claimOf(head: SignedHead, now: Millis): SignatureClaim | null {
  const claim = parseSignature(head.signatureInput, head.signature);
  return claim !== null && signatureTimely(claim.parameters, now / SECOND) ? claim : null;
}

/** Whether `key` signed exactly this request with exactly these bytes. */
export async function isSignedBy(
  key: CryptoKey,
  claim: SignatureClaim,
  head: SignedHead,
  body: Uint8Array,
): Promise<boolean> {
  const digest = base64(await sha256(body));
  if (head.contentDigest !== contentDigest(digest)) return false;
  const { method, targetUri, contentType } = head;
  const base = signatureBase({ method, targetUri, digest, contentType }, claim.parameters);
  return verifyEd25519(key, claim.signature, base);
}
