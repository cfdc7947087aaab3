/** WebCrypto in the few shapes that are needed here. Base64 is RFC 4648 with padding. */
import type { SignedDesired } from "../../protocol/lease.ts";

const text = new TextEncoder();

export function base64(bytes: ArrayBuffer | Uint8Array): string {
  return btoa(String.fromCharCode(...new Uint8Array(bytes)));
}

export function base64Url(bytes: ArrayBuffer | Uint8Array): string {
  return base64(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** Bytes of what `base64Url` made. */
export function fromBase64Url(value: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(value.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
}

/** HMAC-SHA-256 of a text by a secret. */
export async function keyedHash(secret: string, message: string): Promise<ArrayBuffer> {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", text.encode(secret), algorithm, false, ["sign"]);
  return crypto.subtle.sign("HMAC", key, text.encode(message));
}

/** Bytes of base64; null if it is not. */
export function fromBase64(value: string): Uint8Array | null {
  try {
    return Uint8Array.from(atob(value), (c) => c.charCodeAt(0));
  } catch {
    return null;
  }
}

export async function sha256(data: Uint8Array | string): Promise<ArrayBuffer> {
  return crypto.subtle.digest("SHA-256", typeof data === "string" ? text.encode(data) : data);
}

export async function sha256Hex(data: Uint8Array | string): Promise<string> {
  return Array.from(new Uint8Array(await sha256(data)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** What is stored of a secret that is random enough to need no salt. */
export async function secretHash(secret: string): Promise<string> {
  return base64(await sha256(secret));
}

/** A fresh secret of 256 bits, URL-safe. */
export function freshSecret(): string {
  return base64Url(crypto.getRandomValues(new Uint8Array(32)));
}

const ID_LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz";
const ID_LENGTH = 12;

/** A fresh id as Statuspage spells them: 12 lower-case alphanumerics. */
export function freshId(): string {
  let id = "";
  while (id.length < ID_LENGTH) {
    const byte = crypto.getRandomValues(new Uint8Array(1))[0] ?? 0;
    // 252 is the largest multiple of 36 below 256: beyond it letters would not be equally likely.
    if (byte < 252) id += ID_LETTERS[byte % 36];
  }
  return id;
}

const CODE_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** A fresh enrolment code: 160 bits as 32 letters of base32. */
export function freshCode(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(32)), (byte) => CODE_LETTERS[byte % 32]).join("");
}

/** Whether two secrets are equal, in time that does not depend on where they differ. */
export async function secretsEqual(a: string, b: string): Promise<boolean> {
  return crypto.subtle.timingSafeEqual(await sha256(a), await sha256(b));
}

/** `key` is raw, 32 bytes; `signature` base64. A malformed one is false, not an error. */
export async function verifyEd25519(
  key: CryptoKey,
  signature: string,
  message: string | ArrayBuffer,
): Promise<boolean> {
  const bytes = fromBase64(signature);
  if (bytes === null || bytes.length !== 64) return false;
  return crypto.subtle.verify("Ed25519", key, bytes, typeof message === "string" ? text.encode(message) : message);
}

export async function importPublicKey(raw: Uint8Array): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", raw, "Ed25519", false, ["verify"]);
}

/** The name of a key in signatures: the first half of its SHA-256. */
export async function keyIdOf(raw: Uint8Array): Promise<string> {
  return base64Url((await sha256(raw)).slice(0, 16));
}

/** What two people compare: SHA-256 of the key, in groups of four hex digits. */
export async function fingerprintOf(raw: Uint8Array): Promise<string> {
  return ((await sha256Hex(raw)).match(/.{4}/g) ?? []).join(":");
}

/** The edge's own key, whose public half agents pin in their configuration. */
export interface EdgeKey {
  readonly keyId: string;
  /** Raw 32 bytes, base64. */
  readonly publicKey: string;
  /** @param messageOf of a payload what is signed: its prefix says what the payload is */
  sign(payload: string, messageOf: (payload: string) => string): Promise<SignedDesired>;
}

/** Throws on a secret that is not a PKCS #8 Ed25519 key: a deployment without it must not look alive. */
export async function loadEdgeKey(pkcs8: string): Promise<EdgeKey> {
  const bytes = fromBase64(pkcs8);
  if (bytes === null) throw new Error("EDGE_SIGNING_KEY is not base64; make one with: npm run -s secrets");
  const key = await crypto.subtle.importKey("pkcs8", bytes, "Ed25519", true, ["sign"]);
  const jwk = await crypto.subtle.exportKey("jwk", key);
  if (jwk instanceof ArrayBuffer || jwk.x === undefined) throw new Error("EDGE_SIGNING_KEY has no public half");
  const publicKey = `${jwk.x.replaceAll("-", "+").replaceAll("_", "/")}=`;
  const keyId = await keyIdOf(fromBase64(publicKey) ?? new Uint8Array());
  return {
    keyId,
    publicKey,
    async sign(payload, messageOf) {
      const digest = await sha256(messageOf(payload));
      return { payload, keyId, signature: base64(await crypto.subtle.sign("Ed25519", key, digest)) };
    },
  };
}
