/** Who may speak for a cluster: enrolment codes and keys, as facts. Hashes come from the caller; nothing is secret here. */
import type { Millis } from "../../protocol/time.ts";
import { MINUTE } from "../../protocol/time.ts";
import type { AgentKey, ClusterIdentity } from "./component.ts";

/** A one-time code lives this long. */
export const CODE_LIFETIME_MS = 15 * MINUTE;
const CODES_MAX = 20;
const KEYS_MAX = 20;

/** `pending`: the key it brings waits until an operator has compared fingerprints. */
export interface EnrollmentCode {
  readonly hash: string;
  readonly expiresAt: Millis;
  readonly pending: boolean;
}

export interface KnownKey extends AgentKey {
  /** Raw 32 bytes, base64. */
  readonly publicKey: string;
}

export interface Identity {
  readonly cluster: string;
  readonly createdAt: Millis;
  readonly codes: readonly EnrollmentCode[];
  readonly keys: readonly KnownKey[];
}

/** What others may know: no codes, no keys' bytes. */
export function publicIdentity({ cluster, createdAt, keys }: Identity): ClusterIdentity {
  return {
    cluster,
    createdAt,
    keys: keys.map((key) => ({
      keyId: key.keyId,
      fingerprint: key.fingerprint,
      state: key.state,
      createdAt: key.createdAt,
    })),
  };
}

export function withCode(identity: Identity, code: EnrollmentCode, now: Millis): Identity {
  const open = identity.codes.filter((known) => known.expiresAt > now);
  return { ...identity, codes: [...open, code].slice(-CODES_MAX) };
}

/**
 * Spends a code for a key. The same key may come again with its spent code's answer lost: it is known, so that is no
 * second use. Null: the code is unknown, spent or expired, or the key was revoked.
 */
export function withKey(
  identity: Identity,
  codeHash: string,
  key: Omit<KnownKey, "state" | "createdAt">,
  now: Millis,
): { readonly identity: Identity; readonly key: KnownKey } | null {
  const known = identity.keys.find(({ keyId }) => keyId === key.keyId);
  if (known !== undefined) return known.state === "revoked" ? null : { identity, key: known };
  const code = identity.codes.find((open) => open.hash === codeHash && open.expiresAt > now);
  if (code === undefined) return null;
  const added: KnownKey = { ...key, state: code.pending ? "pending" : "active", createdAt: now };
  const codes = identity.codes.filter((open) => open !== code);
  const keys = [...identity.keys, added].slice(-KEYS_MAX);
  return { identity: { ...identity, codes, keys }, key: added };
}

export function hasActiveKey(identity: Identity): boolean {
  return identity.keys.some((key) => key.state === "active");
}

/** Sets the state of a key; the same identity if there is no such key, or if it would bring a revoked one back. */
export function withKeyState(identity: Identity, keyId: string, state: "active" | "revoked"): Identity {
  const key = identity.keys.find((known) => known.keyId === keyId);
  if (key === undefined || key.state === state || key.state === "revoked") return identity;
  return { ...identity, keys: identity.keys.map((known) => (known === key ? { ...known, state } : known)) };
}

/** Groups of four hex digits that must be given at least: 64 bits, which nobody makes a key to match. */
const FINGERPRINT_DIGITS_MIN = 16;

/** Whether somebody typed, or pasted, what the agent prints: all of its fingerprint, or its beginning. */
export function confirmsFingerprint(typed: string, fingerprint: string): boolean {
  const digits = typed.toLowerCase().replaceAll(/[\s:]/g, "");
  return digits.length >= FINGERPRINT_DIGITS_MIN && fingerprint.replaceAll(":", "").startsWith(digits);
}
