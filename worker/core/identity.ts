/** Who may speak for a cluster: enrolment codes and keys, as facts. Hashes come from the caller; nothing is secret here. */
import type { Millis } from "../../protocol/time.ts";
import { DAY, MINUTE } from "../../protocol/time.ts";
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
    keys: keys.map((key) => {
      const { publicKey: _, ...known } = key;
      return known;
    }),
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
  const keys = withinBounds([...identity.keys, added]);
  return { identity: { ...identity, codes, keys }, key: added };
}

/** Keys that may speak stay; of the others the newest. */
function withinBounds(keys: readonly KnownKey[]): readonly KnownKey[] {
  let over = Math.max(0, keys.length - KEYS_MAX);
  return keys.filter(({ state }) => state !== "revoked" || over-- <= 0).slice(-KEYS_MAX);
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

// ── rotation ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** A key that is in use for so long is replaced without anybody asking: `reference/security.md` 2. */
const KEY_LIFETIME_MS = 90 * DAY;
/** How long a key still speaks once the one that took its place has spoken. */
export const KEY_OVERLAP_MS = DAY;

/** A key's state at `now`: one whose time is over may not speak, whether anybody has come to note it or not. */
export function keyStateAt({ state, retiresAt = Infinity }: AgentKey, now: Millis): AgentKey["state"] {
  return state === "active" && now >= retiresAt ? "revoked" : state;
}

/** Notes that a key is to be replaced; the same identity if it may not speak, or is being replaced already. */
export function askedToRotate(identity: Identity, keyId: string, now: Millis): Identity {
  return changed(identity, keyId, (key) =>
    key.state === "active" && key.retiresAt === undefined && key.rotateAskedAt === undefined
      ? { ...key, rotateAskedAt: now }
      : key,
  );
}

/** Whether a key's agent should make another one: until that has spoken, because its answer may have been lost. */
export function wantsRotation(identity: Identity, keyId: string, now: Millis): boolean {
  const key = identity.keys.find((known) => known.keyId === keyId);
  if (key === undefined || key.state !== "active" || key.retiresAt !== undefined) return false;
  return key.rotateAskedAt !== undefined || now - key.createdAt >= KEY_LIFETIME_MS;
}

/**
 * Lets the next key of an agent speak beside the one that has shown it. Shown again it is known. Null if it was never
 * asked for, or if that key had its time already, here or in another's place.
 */
export function withSuccessor(
  identity: Identity,
  keyId: string,
  next: Omit<KnownKey, "state" | "createdAt">,
  now: Millis,
): { readonly identity: Identity; readonly key: KnownKey } | null {
  const known = identity.keys.find((one) => one.keyId === next.keyId);
  if (known !== undefined)
    return known.state === "active" && known.replaces === keyId ? { identity, key: known } : null;
  if (!wantsRotation(identity, keyId, now)) return null;
  const key: KnownKey = { ...next, state: "active", createdAt: now, replaces: keyId };
  // One that was shown before and never spoke is lost: two successors would be one too many.
  const keys = identity.keys.map((one): KnownKey =>
    one.replaces === keyId && one.state === "active" ? { ...one, state: "revoked" } : one,
  );
  return { identity: { ...identity, keys: withinBounds([...keys, key]) }, key };
}

/** Once a successor speaks, the time of the key before it runs out; the same identity if it does already. */
export function successorSpoke(identity: Identity, keyId: string, now: Millis): Identity {
  const replaced = identity.keys.find((known) => known.keyId === keyId)?.replaces;
  if (replaced === undefined) return identity;
  return changed(identity, replaced, (key) =>
    key.state === "active" && key.retiresAt === undefined ? { ...key, retiresAt: now + KEY_OVERLAP_MS } : key,
  );
}

/** Without the keys whose time is over. */
export function withRetired(identity: Identity, now: Millis): Identity {
  const isOver = (key: KnownKey): boolean => key.state !== keyStateAt(key, now);
  if (!identity.keys.some(isOver)) return identity;
  const keys = identity.keys.map((key): KnownKey => (isOver(key) ? { ...key, state: "revoked" } : key));
  return { ...identity, keys };
}

/** When the next key ends; null if none does. */
export function nextRetirementAt({ keys }: Identity): Millis | null {
  const at = keys.flatMap(({ state, retiresAt }) => (state === "active" && retiresAt !== undefined ? [retiresAt] : []));
  return at.length === 0 ? null : Math.min(...at);
}

function changed(identity: Identity, keyId: string, change: (key: KnownKey) => KnownKey): Identity {
  const held = identity.keys.find((known) => known.keyId === keyId);
  const next = held === undefined ? undefined : change(held);
  if (next === undefined || next === held) return identity;
  return { ...identity, keys: identity.keys.map((key) => (key === held ? next : key)) };
}
