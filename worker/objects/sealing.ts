/**
 * Secrets at rest: AES-256-GCM under a key that the deployment holds and no store. What is sealed for one place opens
 * in no other, and says which key opens it, so that a key can be replaced: `reference/security.md` 5.
 *
 *   KEYID.IV.CIPHERTEXT     base64url each; IV 12 bytes, the place is the associated data
 */
import { base64Url, fromBase64, fromBase64Url, sha256 } from "./crypto.ts";
import type { Env } from "./env.ts";

const text = new TextEncoder();
const KEY_BYTES = 32;

interface SealingKey {
  readonly id: string;
  readonly key: CryptoKey;
}

export interface Sealer {
  readonly seal: (secret: string, place: string) => Promise<string>;
  /** Null if it was sealed with a key that is not there any more, or for another place. */
  readonly open: (sealed: string, place: string) => Promise<string | null>;
  /** Whether it was sealed with another key than the newest. */
  readonly isOld: (sealed: string) => boolean;
}

/** Null if the deployment has no such key. Throws on one that is none: it must not look as if there were none. */
export async function sealerOf({ SEALING_KEY, SEALING_KEY_BEFORE }: Env): Promise<Sealer | null> {
  if (SEALING_KEY === undefined) return null;
  const newest = await keyOf(SEALING_KEY);
  const keys = SEALING_KEY_BEFORE === undefined ? [newest] : [newest, await keyOf(SEALING_KEY_BEFORE)];
  return {
    isOld: (sealed) => !sealed.startsWith(`${newest.id}.`),
    async seal(secret, place) {
      const iv = crypto.getRandomValues(new Uint8Array(12));
      const sealed = await crypto.subtle.encrypt(at(iv, place), newest.key, text.encode(secret));
      return [newest.id, base64Url(iv), base64Url(sealed)].join(".");
    },
    async open(sealed, place) {
      const [id = "", iv = "", secret = ""] = sealed.split(".");
      const key = keys.find((one) => one.id === id)?.key;
      if (key === undefined) return null;
      try {
        const opened = await crypto.subtle.decrypt(at(fromBase64Url(iv), place), key, fromBase64Url(secret));
        return new TextDecoder().decode(opened);
      } catch {
        return null;
      }
    },
  };
}

function at(iv: Uint8Array<ArrayBuffer>, place: string): SubtleCryptoEncryptAlgorithm {
  return { name: "AES-GCM", iv, additionalData: text.encode(place) };
}

async function keyOf(secret: string): Promise<SealingKey> {
  const bytes = fromBase64(secret);
  if (bytes?.length !== KEY_BYTES)
    throw new Error("SEALING_KEY is not 32 bytes in base64; make one with: npm run -s secrets");
  const id = base64Url((await sha256(bytes)).slice(0, 6));
  return { id, key: await crypto.subtle.importKey("raw", bytes, "AES-GCM", false, ["encrypt", "decrypt"]) };
}
