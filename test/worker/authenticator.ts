/** A passkey made of software: signs what it is asked, and whatever a test wants to be wrong with it. */
import { base64Url } from "../../worker/objects/crypto.ts";

/** What is answered otherwise than a good authenticator would. */
export interface Lies {
  readonly origin?: string;
  readonly rpId?: string;
  /** User present 1, verified 4. */
  readonly flags?: number;
  readonly counter?: number;
  readonly challenge?: string;
  readonly type?: string;
  readonly userHandle?: string | null;
  /** Changes the signed bytes after they were signed. */
  readonly spoil?: (authenticatorData: Uint8Array) => void;
}

interface Asked {
  readonly challenge: string;
  readonly user?: { readonly id: string };
}

const utf8 = new TextEncoder();
const RP_ID = "status.test";
const ORIGIN = "https://status.test";
const ATTESTED = 0x40;

function joined(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** CBOR of the few things that an attestation is made of (RFC 8949): maps, texts, bytes and small numbers. */
function cbor(value: unknown): Uint8Array {
  const head = (major: number, n: number): Uint8Array =>
    n < 24
      ? Uint8Array.of((major << 5) | n)
      : n < 256
        ? Uint8Array.of((major << 5) | 24, n)
        : Uint8Array.of((major << 5) | 25, n >> 8, n & 255);
  if (typeof value === "number") return value < 0 ? head(1, -1 - value) : head(0, value);
  if (typeof value === "string") return joined(head(3, utf8.encode(value).length), utf8.encode(value));
  if (value instanceof Uint8Array) return joined(head(2, value.length), value);
  const entries = value instanceof Map ? [...value] : Object.entries(value as object);
  return joined(head(5, entries.length), ...entries.flatMap(([key, item]) => [cbor(key), cbor(item)]));
}

export async function softAuthenticator() {
  const keys = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
  const { publicKey, privateKey } = keys as CryptoKeyPair;
  const raw = new Uint8Array((await crypto.subtle.exportKey("raw", publicKey)) as ArrayBuffer);
  const id = crypto.getRandomValues(new Uint8Array(32));
  let counter = 0;
  let userHandle: string | null = null;

  async function authenticatorData(
    { rpId = RP_ID, flags = 5, counter: told }: Lies,
    attested: Uint8Array,
  ): Promise<Uint8Array> {
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", utf8.encode(rpId)));
    const n = told ?? ++counter;
    return joined(hash, Uint8Array.of(flags | (attested.length > 0 ? ATTESTED : 0), 0, 0, n >> 8, n & 255), attested);
  }

  const clientData = (type: string, asked: Asked, lies: Lies): Uint8Array =>
    utf8.encode(
      JSON.stringify({
        type: lies.type ?? type,
        challenge: lies.challenge ?? asked.challenge,
        origin: lies.origin ?? ORIGIN,
        crossOrigin: false,
      }),
    );
  const common = { id: base64Url(id), rawId: base64Url(id), type: "public-key", clientExtensionResults: {} };

  return {
    id: base64Url(id),
    async create(asked: Asked, lies: Lies = {}): Promise<object> {
      userHandle = asked.user?.id ?? null;
      const cose = new Map<number, unknown>([
        [1, 2],
        [3, -7],
        [-1, 1],
        [-2, raw.slice(1, 33)],
        [-3, raw.slice(33)],
      ]);
      const attested = joined(new Uint8Array(16), Uint8Array.of(0, id.length), id, cbor(cose));
      const authData = await authenticatorData(lies, attested);
      lies.spoil?.(authData);
      const attestation = new Map<string, unknown>([
        ["fmt", "none"],
        ["attStmt", new Map()],
        ["authData", authData],
      ]);
      const clientDataJSON = base64Url(clientData("webauthn.create", asked, lies));
      const response = { clientDataJSON, attestationObject: base64Url(cbor(attestation)), transports: ["internal"] };
      return { ...common, response };
    },
    async get(asked: Asked, lies: Lies = {}): Promise<object> {
      const client = clientData("webauthn.get", asked, lies);
      const authData = await authenticatorData(lies, new Uint8Array());
      const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", client));
      const signed = joined(authData, digest);
      const signature = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, privateKey, signed);
      lies.spoil?.(authData);
      const response = {
        clientDataJSON: base64Url(client),
        authenticatorData: base64Url(authData),
        signature: base64Url(derOf(new Uint8Array(signature))),
        userHandle: lies.userHandle === undefined ? userHandle : lies.userHandle,
      };
      return { ...common, response };
    },
  };
}

/** WebCrypto answers both numbers side by side; a passkey answers them in DER. */
function derOf(signature: Uint8Array): Uint8Array {
  const integer = (bytes: Uint8Array): Uint8Array => {
    const from = bytes.findIndex((byte) => byte !== 0);
    const trimmed = bytes.slice(from);
    const body = (trimmed[0] ?? 0) >= 0x80 ? joined(Uint8Array.of(0), trimmed) : trimmed;
    return joined(Uint8Array.of(2, body.length), body);
  };
  const body = joined(integer(signature.slice(0, 32)), integer(signature.slice(32)));
  return joined(Uint8Array.of(0x30, body.length), body);
}
